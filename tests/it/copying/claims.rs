//! Each claim of the proof fails where it is broken, and where it is mended holds again.

use std::sync::Arc;

use vna_partner::copy::{CopyError, Proof, compare};
use vna_partner::store;

use super::{Pair, open, pair, traffic};

const ROWS: &str = "each table has as many rows";
const CONTENTS: &str = "each row is the source's";
const BALANCES: &str = "the balances of each currency and book";
const COUNTERS: &str = "what is counted and released";
const DECISIONS: &str = "the latest decisions, judged again";
const AUDITED: &str = "each balance, pending, receivable and opening amount";

/// Damage to a copy, how it is mended, and the claim that it breaks.
const DAMAGES: [(&str, &str, &str); 17] = [
    (
        "INSERT INTO batches VALUES ('00000000-0000-7000-8000-000000000001', 1)",
        "DELETE FROM batches WHERE id = '00000000-0000-7000-8000-000000000001'",
        ROWS,
    ),
    (
        "UPDATE accounts SET balance = balance + 1 WHERE id = '4000000000001234'",
        "UPDATE accounts SET balance = balance - 1 WHERE id = '4000000000001234'",
        BALANCES,
    ),
    (
        "UPDATE accounts SET pending = pending + 1 WHERE id = '4000000000001234'",
        "UPDATE accounts SET pending = pending - 1 WHERE id = '4000000000001234'",
        BALANCES,
    ),
    (
        "UPDATE postings SET amount = amount + 1 WHERE book = 'Clearing'",
        "UPDATE postings SET amount = amount - 1 WHERE book = 'Clearing'",
        BALANCES,
    ),
    (
        "UPDATE events SET amount = amount + 1 WHERE number = 1",
        "UPDATE events SET amount = amount - 1 WHERE number = 1",
        COUNTERS,
    ),
    (
        "UPDATE events SET released = 'Reversal', due_at = 1 WHERE released = 'Expiry'",
        "UPDATE events SET released = 'Expiry', due_at = NULL WHERE released = 'Reversal' AND due_at = 1",
        COUNTERS,
    ),
    (
        "UPDATE release_nodes SET count = count + 1 WHERE level = 1",
        "UPDATE release_nodes SET count = count - 1 WHERE level = 1",
        COUNTERS,
    ),
    (
        "UPDATE subjects SET last_event_at = last_event_at + 1",
        "UPDATE subjects SET last_event_at = last_event_at - 1",
        COUNTERS,
    ),
    (
        "UPDATE accounts SET last_event_at = last_event_at + 1",
        "UPDATE accounts SET last_event_at = last_event_at - 1",
        COUNTERS,
    ),
    ("UPDATE events SET running = running * 2", "UPDATE events SET running = running / 2", DECISIONS),
    ("UPDATE events SET at = at + 1", "UPDATE events SET at = at - 1", DECISIONS),
    (
        "UPDATE events SET released = 'Expiry' WHERE released IS NULL AND due_at IS NOT NULL",
        "UPDATE events SET released = NULL WHERE released = 'Expiry' AND due_at IS NOT NULL",
        DECISIONS,
    ),
    (
        "UPDATE rule_sets SET text = text || ' '",
        "UPDATE rule_sets SET text = substr(text, 1, length(text) - 1)",
        DECISIONS,
    ),
    (
        "UPDATE rule_sets SET version = version || 'x'",
        "UPDATE rule_sets SET version = substr(version, 1, length(version) - 1)",
        DECISIONS,
    ),
    ("UPDATE decisions SET amount = amount + 100", "UPDATE decisions SET amount = amount - 100", DECISIONS),
    (
        "UPDATE accounts SET tier = tier || 'x'",
        "UPDATE accounts SET tier = substr(tier, 1, length(tier) - 1)",
        DECISIONS,
    ),
    (
        "UPDATE accounts SET balance = balance + 1 WHERE id = '4000000000001234'",
        "UPDATE accounts SET balance = balance - 1 WHERE id = '4000000000001234'",
        AUDITED,
    ),
];

/// Damage to what the senders' subjects say of their series, and how it is mended.
fn damage_to_series(field: &str, is_sqlite: bool) -> (String, String) {
    let by = |sign: &str| {
        let more = if is_sqlite {
            format!("json_set(series, '$.MXN.{field}', (series ->> '$.MXN.{field}') {sign} 1)")
        } else {
            format!(
                "jsonb_set(series::jsonb, '{{MXN,{field}}}', to_jsonb((series #>> '{{MXN,{field}}}')::bigint {sign} 1))"
            )
        };
        format!("UPDATE subjects SET series = {more} WHERE kind = 'sender'")
    };
    (by("+"), by("-"))
}

/// For each table, damage to one column of a row, and how it is mended.
fn damage_to(table: &str, is_sqlite: bool) -> (String, String) {
    let number = |column: &str| {
        let by = |sign| format!("UPDATE {table} SET {column} = {column} {sign} 1");
        (by("+"), by("-"))
    };
    match table {
        "batches" => number("committed_at"),
        "rule_sets" => number("first_seen_at"),
        "persons" if is_sqlite => (
            "UPDATE persons SET data = json_set(data, '$.x', 1)".to_owned(),
            "UPDATE persons SET data = json_remove(data, '$.x')".to_owned(),
        ),
        "persons" => (
            "UPDATE persons SET data = data || '{\"x\": 1}'".to_owned(),
            "UPDATE persons SET data = data - 'x'".to_owned(),
        ),
        "directory" => (
            "UPDATE directory SET value = value || 'x'".to_owned(),
            "UPDATE directory SET value = substr(value, 1, length(value) - 1)".to_owned(),
        ),
        "accounts" | "enrolments" => number("created_at"),
        "subjects" => number("last_event_at"),
        "authorizations" => number("expires_at"),
        "decisions" => number("received_at"),
        "events" | "release_nodes" | "postings" => number("amount"),
        _ => number("at"),
    }
}

/// A copy whose database lets everything be done to it.
async fn unguarded_copy(pair: &Pair) {
    let told = traffic(&pair.source).await;
    pair.copy(told.now).await.unwrap();
    for (table, trigger) in [("entries", "entries_stay"), ("postings", "postings_stay")] {
        let of_table = if pair.target.is_sqlite() { String::new() } else { format!(" ON {table}") };
        pair.target.run(&format!("DROP TRIGGER {trigger}{of_table}")).await.unwrap();
    }
}

/// Source and copy, open.
struct Opened([Arc<dyn store::Database>; 2]);

impl Opened {
    async fn of(pair: &Pair) -> Self {
        Self([open(&pair.source).await, open(&pair.target).await])
    }

    async fn compared(&self) -> Proof {
        let Self([source, target]) = self;
        match compare(&**source, &**target, &|_| {}).await {
            Ok(proof) | Err(CopyError::NotProven(proof)) => proof,
            Err(error) => panic!("{error}"),
        }
    }

    async fn close(self) {
        for database in self.0 {
            database.close().await;
        }
    }
}

/// What is wrong with the claim that begins so.
fn wrong<'a>(proof: &'a Proof, claim: &str) -> &'a [String] {
    &proof.checks.iter().find(|check| check.claim.starts_with(claim)).unwrap().offenders
}

#[tokio::test]
async fn every_claim_fails_where_it_is_broken() {
    let pair = pair().await;
    unguarded_copy(&pair).await;
    let both = Opened::of(&pair).await;
    let fixed = DAMAGES.map(|(damage, mended, claim)| (damage.to_owned(), mended.to_owned(), claim));
    let of_series = ["amount", "events"].map(|field| {
        let (damage, mended) = damage_to_series(field, pair.target.is_sqlite());
        (damage, mended, COUNTERS)
    });
    for (damage, mended, claim) in fixed.into_iter().chain(of_series) {
        pair.target.run(&damage).await.unwrap();
        let proof = both.compared().await;
        assert!(!proof.holds() && !wrong(&proof, claim).is_empty(), "{claim}: {damage}\n{:#?}", proof.checks);
        pair.target.run(&mended).await.unwrap();
    }
    let proof = both.compared().await;
    assert!(proof.holds(), "{:#?}", proof.checks);
    both.close().await;
}

#[tokio::test]
async fn damage_to_any_table_is_found_and_told_without_personal_data() {
    let pair = pair().await;
    unguarded_copy(&pair).await;
    let both = Opened::of(&pair).await;
    for table in store::TABLES {
        let (damage, mended) = damage_to(table.name, pair.target.is_sqlite());
        pair.target.run(&damage).await.unwrap();
        let proof = both.compared().await;
        let told = wrong(&proof, CONTENTS);
        assert!(told.iter().any(|told| told.starts_with(table.name)), "{}: {told:#?}", table.name);
        let all = format!("{:?}", proof.checks);
        assert!(!all.contains("+5255") && !all.contains("1990-01-31"), "{}: {all}", table.name);
        pair.target.run(&mended).await.unwrap();
    }
    assert!(both.compared().await.holds());
    both.close().await;
}
