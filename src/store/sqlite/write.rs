//! All that a batch changed, in one statement: a view of the connection's own takes it in, and a trigger for each kind of
//! rows writes them to their tables. A statement for each table would wake whoever waits for all of them as often.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::rows::listed;
use super::text::Text;
use crate::decide::Changes;
use crate::store::StoreError;
use crate::store::written::{Committed, Written};

/// Rows of one kind.
struct Part {
    /// The view's column.
    name: &'static str,
    /// They stand in it as one JSON array.
    rows: fn(&Written<'_>) -> Result<Option<String>, StoreError>,
    /// Writes them; `$rows` stands for a table of them, each a `value`, and `$array` for the array.
    sql: &'static [&'static str],
}

impl Part {
    /// The statements that write the rows of `array`.
    ///
    /// The rows are a table of their own, which SQLite makes of a subquery with a `LIMIT` that is joined with something:
    /// `jsonb_each` makes a copy of the whole row for each column that is taken from it.
    fn statements(&self, array: &str) -> Vec<String> {
        let rows = "(SELECT 1) CROSS JOIN (SELECT value FROM jsonb_each($array) LIMIT -1)";
        self.sql.iter().map(|sql| sql.replace("$rows", rows).replace("$array", array)).collect()
    }
}

const PARTS: &[Part] = &[
    Part { name: "persons", rows: |written| listed(written.changes.persons.values()), sql: &[PERSONS, DIRECTORY] },
    Part {
        name: "opened_accounts",
        rows: |written| listed(written.changes.opened_accounts()),
        sql: &[OPENED_ACCOUNTS],
    },
    Part {
        name: "changed_accounts",
        rows: |written| listed(written.changes.changed_accounts()),
        sql: &[CHANGED_ACCOUNTS],
    },
    Part { name: "subjects", rows: |written| listed(written.changes.senders_and_receivers()), sql: &[SUBJECTS] },
    Part { name: "events", rows: |written| listed(written.changes.events.values()), sql: &[EVENTS] },
    Part { name: "release_nodes", rows: |written| listed(written.changes.release_node_rows()), sql: &[RELEASE_NODES] },
    Part {
        name: "authorizations",
        rows: |written| listed(written.issued_authorizations().chain(written.changed_authorizations())),
        sql: &[AUTHORIZATIONS],
    },
    Part { name: "credits", rows: |written| listed(written.changes.credits.values()), sql: &[CREDITS] },
    Part { name: "reversals", rows: |written| listed(&written.changes.reversals), sql: &[REVERSALS] },
    Part { name: "entries", rows: |written| listed(&written.changes.entries), sql: &[ENTRIES] },
    Part { name: "postings", rows: |written| listed(&written.changes.postings), sql: &[POSTINGS] },
    Part { name: "decisions", rows: |written| listed(&written.changes.decisions), sql: &[DECISIONS] },
    Part { name: "filed", rows: |written| listed(&written.changes.filed), sql: &[ACCOUNT_RECORDS] },
    Part { name: "ambiguous", rows: |written| listed(written.changes.ambiguous.values()), sql: &[AMBIGUOUS_CREDITS] },
    Part { name: "enrolments", rows: |written| listed(written.changes.enrolments.values()), sql: &[ENROLMENTS] },
    Part { name: "account_changes", rows: |written| listed(&written.changes.account_changes), sql: &[ACCOUNT_CHANGES] },
    Part { name: "idempotency", rows: |written| listed(written.changes.idempotency.values()), sql: &[IDEMPOTENCY] },
    Part { name: "batches", rows: |written| listed(&written.batch), sql: &[BATCH] },
];

/// Makes the view and its triggers, on a connection that is to write.
pub(super) static VIEW: LazyLock<String> = LazyLock::new(|| {
    let columns: Vec<String> = PARTS.iter().map(|part| format!("NULL AS {}", part.name)).collect();
    let mut text = format!("CREATE TEMP VIEW changes AS SELECT {};", columns.join(", "));
    for part in PARTS {
        let name = part.name;
        let sql = part.statements(&format!("new.{name}")).join("; ");
        let trigger = "INSTEAD OF INSERT ON changes WHEN";
        // A text takes in whatever it is given.
        let _ = write!(text, "CREATE TEMP TRIGGER write_{name} {trigger} new.{name} IS NOT NULL BEGIN {sql}; END;");
    }
    text
});

/// `OR ROLLBACK` spares SQLite a copy of every page that the statement changes: where it fails, the batch is undone whole.
static WRITE: LazyLock<String> =
    LazyLock::new(|| format!("INSERT OR ROLLBACK INTO changes VALUES ({})", ["?"; PARTS.len()].join(", ")));

/// Adds the statement that writes, and under which batch.
pub(super) fn add(text: &mut Text, changes: &Changes, batch: Option<Committed>) -> Result<(), StoreError> {
    let written = Written { changes, batch };
    text.add(&WRITE);
    for part in PARTS {
        text.bind((part.rows)(&written)?)?;
    }
    Ok(())
}

// With `json_each` each row would be written out as text, to be parsed again for its columns.

const PERSONS: &str = "
    INSERT INTO persons (id, data, documents)
    SELECT value ->> 'id', value ->> 'data', value ->> 'documents' FROM $rows WHERE true
    ON CONFLICT (id) DO UPDATE SET documents = excluded.documents";

const DIRECTORY: &str = "
    INSERT INTO directory (kind, value, person)
    SELECT k.value ->> 'kind', k.value ->> 'value', p.value ->> 'id'
    FROM jsonb_each($array) p, jsonb_each(p.value, '$.keys') k WHERE true
    ON CONFLICT DO NOTHING";

/// The account is the pair's first, its subject the second.
const OPENED_ACCOUNTS: &str = "
    INSERT INTO accounts (id, person, currency, status, tier, display_name, created_at, balance, pending, receivable,
        opening_balance, last_event_at, series, unfiled)
    SELECT value ->> '$[0].id', value ->> '$[0].person', value ->> '$[0].currency', value ->> '$[0].status',
        value ->> '$[0].tier', value ->> '$[0].display_name', value ->> '$[0].created_at', value ->> '$[0].balance',
        value ->> '$[0].pending', value ->> '$[0].receivable', value ->> '$[0].opening_balance',
        value ->> '$[1].last_event_at', value ->> '$[1].series', value ->> '$[1].unfiled'
    FROM $rows";

const CHANGED_ACCOUNTS: &str = "
    UPDATE accounts SET status = value ->> '$[0].status', tier = value ->> '$[0].tier',
        balance = value ->> '$[0].balance', pending = value ->> '$[0].pending',
        receivable = value ->> '$[0].receivable', last_event_at = value ->> '$[1].last_event_at',
        series = value ->> '$[1].series', unfiled = value ->> '$[1].unfiled'
    FROM (SELECT value FROM jsonb_each($array) LIMIT -1) changed WHERE accounts.id = changed.value ->> '$[0].id'";

const SUBJECTS: &str = "
    INSERT INTO subjects (kind, key, last_event_at, series)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'last_event_at', value ->> 'series'
    FROM $rows WHERE true
    ON CONFLICT (key, kind) DO UPDATE SET last_event_at = excluded.last_event_at, series = excluded.series";

const EVENTS: &str = "
    INSERT INTO events (kind, key, currency, at, number, amount, running, authorization, due_at, released)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'currency', value ->> 'at', value ->> 'number',
        value ->> 'amount', value ->> 'running', value ->> 'authorization', value ->> 'due_at', value ->> 'released'
    FROM $rows WHERE true
    ON CONFLICT (key, kind, currency, at, number) DO UPDATE SET due_at = excluded.due_at, released = excluded.released";

const RELEASE_NODES: &str = "
    INSERT INTO release_nodes (kind, key, currency, level, block, released, count, amount)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'currency', value ->> 'level', value ->> 'block',
        value ->> 'released', value ->> 'count', value ->> 'amount'
    FROM $rows WHERE true
    ON CONFLICT (key, kind, currency, level, block, released) DO UPDATE SET count = count + excluded.count,
        amount = amount + excluded.amount";

const AUTHORIZATIONS: &str = "
    INSERT INTO authorizations (id, account, amount, currency, exchange_rate, at, expires_at, state, sender, counted,
        bound_credit)
    SELECT value ->> 'id', value ->> 'account', value ->> 'amount', value ->> 'currency', value ->> 'exchange_rate',
        value ->> 'at', value ->> 'expires_at', value ->> 'state', value ->> 'sender', value ->> 'counted',
        value ->> 'bound_credit'
    FROM $rows WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, bound_credit = excluded.bound_credit";

const CREDITS: &str = "
    INSERT INTO credits (id, account, authorization, amount, currency, exchange_rate, at, state, referenced, late,
        reason, note, reversal, idempotency_key, counted)
    SELECT value ->> 'id', value ->> 'account', value ->> 'authorization', value ->> 'amount', value ->> 'currency',
        value ->> 'exchange_rate', value ->> 'at', value ->> 'state', value ->> 'referenced', value ->> 'late',
        value ->> 'reason', value ->> 'note', value ->> 'reversal', value ->> 'idempotency_key', value ->> 'counted'
    FROM $rows WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, reversal = excluded.reversal";

const REVERSALS: &str = "
    INSERT INTO reversals (id, credit, account, amount, currency, at)
    SELECT value ->> 'id', value ->> 'credit', value ->> 'account', value ->> 'amount', value ->> 'currency',
        value ->> 'at'
    FROM $rows";

const ENTRIES: &str = "
    INSERT INTO entries (id, account, kind, credit, currency, at)
    SELECT value ->> 'id', value ->> 'account', value ->> 'kind', value ->> 'credit', value ->> 'currency',
        value ->> 'at'
    FROM $rows";

const POSTINGS: &str = "
    INSERT INTO postings (account, entry, book, currency, amount)
    SELECT value ->> 'account', value ->> 'entry', value ->> 'book', value ->> 'currency', value ->> 'amount'
    FROM $rows";

const DECISIONS: &str = "
    INSERT INTO decisions (id, kind, account, at, received_at, approved, reason, note, reference, amount, currency,
        exchange_rate, rules_version, findings, request)
    SELECT value ->> 'id', value ->> 'kind', value ->> 'account', value ->> 'at', value ->> 'received_at',
        value ->> 'approved', value ->> 'reason', value ->> 'note', value ->> 'reference', value ->> 'amount',
        value ->> 'currency', value ->> 'exchange_rate', value ->> 'rules_version', value ->> 'findings',
        value ->> 'request'
    FROM $rows";

const ACCOUNT_RECORDS: &str = "
    INSERT INTO account_records (account, at, id, decision, posted)
    SELECT value ->> 'account', value ->> '$.record[0]', value ->> '$.record[1]', value ->> '$.record[2]',
        value ->> '$.record[3]'
    FROM $rows";

const AMBIGUOUS_CREDITS: &str = "
    INSERT INTO ambiguous_credits (id, account, amount, currency, exchange_rate, at, answered_with, state, credit)
    SELECT value ->> 'id', value ->> 'account', value ->> 'amount', value ->> 'currency', value ->> 'exchange_rate',
        value ->> 'at', value ->> 'answered_with', value ->> 'state', value ->> 'credit'
    FROM $rows WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit";

const ENROLMENTS: &str = "
    INSERT INTO enrolments (token_hash, person, documents, created_at, expires_at, account)
    SELECT value ->> 'token_hash', value ->> 'person', value ->> 'documents', value ->> 'created_at',
        value ->> 'expires_at', value ->> 'account'
    FROM $rows WHERE true
    ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account";

const ACCOUNT_CHANGES: &str = "
    INSERT INTO account_changes (id, account, at, who, action, why, target, change, case_number, review_date)
    SELECT value ->> 'id', value ->> 'account', value ->> 'at', value ->> 'who', value ->> 'action', value ->> 'why',
        value ->> 'target', value ->> 'change', value ->> 'case_number', value ->> 'review_date'
    FROM $rows";

const IDEMPOTENCY: &str = "
    INSERT INTO idempotency (path, key, body_hash, outcome, at)
    SELECT value ->> 'path', value ->> 'key', value ->> 'body_hash', value ->> 'outcome', value ->> 'at'
    FROM $rows WHERE true
    ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome, at = excluded.at";

const BATCH: &str = "
    INSERT INTO batches (id, committed_at) SELECT value ->> 'id', value ->> 'at' FROM $rows";

#[cfg(test)]
mod tests {
    use super::super::plans::{empty_tables, steps};
    use super::*;

    #[tokio::test]
    async fn every_row_that_is_changed_is_found_by_its_key() {
        let pool = empty_tables().await;
        for sql in PARTS.iter().flat_map(|part| part.statements("'[]'")) {
            let steps = steps(&pool, &sql).await;
            let of_rows = ["(subquery-", "CONSTANT ROW", "VIRTUAL TABLE", "changed"];
            let scans = |step: &&String| step.starts_with("SCAN") && !of_rows.iter().any(|rows| step.contains(rows));
            assert_eq!(steps.iter().find(scans), None, "{steps:#?}");
        }
    }

    #[tokio::test]
    async fn each_row_is_taken_out_of_its_array_once() {
        let pool = empty_tables().await;
        for sql in PARTS.iter().flat_map(|part| part.statements("'[]'")).filter(|sql| !sql.contains("INTO directory")) {
            let steps = steps(&pool, &sql).await;
            assert!(steps.iter().any(|step| step.starts_with("MATERIALIZE")), "{sql}: {steps:#?}");
        }
    }
}
