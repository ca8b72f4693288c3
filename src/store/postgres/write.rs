//! All that a batch changed, in one statement: a part for each table that has rows.

use std::borrow::Cow;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, PgConnection};

use super::lock::Versions;
use super::parts::{numbered, unfit};
use super::record::bind;
use super::store_error;
use crate::decide::{Changes, IDEMPOTENCY_KEPT};
use crate::domain::Account;
use crate::store::StoreError;
use crate::store::columns::Listing;
use crate::store::written::{Committed, Written};

/// What is written to one table; `$0` stands for its rows.
pub(super) struct Part {
    pub text: &'static str,
    /// Binds the rows; whether there are any.
    bind: fn(&Written<'_>, &mut PgArguments) -> Result<bool, BoxDynError>,
}

/// Adds the rows to a table.
macro_rules! insert {
    ($table:literal $(, $conflict:literal)?) => {
        concat!("INSERT INTO ", $table, " SELECT * FROM unnest($0::", $table, "[])" $(, " ", $conflict)?)
    };
}

/// Changes rows that are there: they were read before, and none is ever deleted. Where the rows are `numbered`, each has
/// its place among them, too.
macro_rules! update {
    ($table:literal, $set:expr, by $key:literal $(, $numbered:literal)?) => {
        concat!("UPDATE ", $table, " old SET ", $set, " FROM unnest($0::", $table, "[])" $(, $numbered)?, " new WHERE ", $key)
    };
}

/// The accounts, as they now are; the time of the last event as `$dated` says.
macro_rules! update_accounts {
    ($dated:literal $(, $numbered:literal)?) => {
        update!(
            "accounts",
            concat!(
                "status = new.status, tier = new.tier, balance = new.balance, pending = new.pending,
                receivable = new.receivable, last_event_at = ", $dated, ", series = new.series, unfiled = new.unfiled"
            ),
            by "old.id = new.id"
            $(, $numbered)?
        )
    };
}

const ACCOUNTS: &str = update_accounts!("new.last_event_at");

/// The same, for a batch that has locked none: where one was changed since, a text is taken for a number, and the statement
/// fails. That is what the database's log then says, and no row with it; nothing of the row is in that text, but that it
/// depends on one keeps the planner from trying it. Postgres compares what it finds once it has the row to itself.
const ACCOUNTS_IF_UNCHANGED: &str = concat!(
    update_accounts!(
        "CASE WHEN old.xmin = ($versions::integer[])[new.ordinality] THEN new.last_event_at
            ELSE concat('an account was changed meanwhile', left(old.id, 0))::bigint END",
        " WITH ORDINALITY"
    ),
    " RETURNING old.id"
);

/// What one transaction writes has one version, its own number's lower half. Where a row was not found, the statement fails as
/// well.
const NEW_VERSION: &str = "
    SELECT CASE WHEN count(*) = cardinality($versions::integer[]) THEN pg_current_xact_id()::text::bigint & 4294967295
        ELSE concat('an account was changed meanwhile', left(count(*)::text, 0))::bigint END
    FROM $part";

/// `invalid_text_representation`: of those statements.
const CHANGED: &str = "22P02";

/// All parts see the tables as they were before, and no two of them write the same row. What the batch's locks do not
/// guard, another server may have written meanwhile: an account's identifier and an `Idempotency-Key` are therefore
/// added, never replaced unseen. What was there before is found by its key, whatever the planner believes of a table;
/// what is new is added without a look.
pub(super) const PARTS: &[Part] = &[
    Part { text: insert!("batches"), bind: |written, arguments| bind(&written.batch, arguments) },
    Part {
        text: insert!("persons", "ON CONFLICT (id) DO UPDATE SET documents = excluded.documents"),
        bind: |written, arguments| bind(written.changes.persons.values(), arguments),
    },
    Part {
        text: insert!("directory", "ON CONFLICT DO NOTHING"),
        bind: |written, arguments| bind(written.changes.persons.values().flat_map(Listing::of), arguments),
    },
    Part { text: insert!("accounts"), bind: |written, arguments| bind(written.changes.opened_accounts(), arguments) },
    Part { text: ACCOUNTS, bind: |written, arguments| bind(written.changes.changed_accounts(), arguments) },
    Part {
        text: insert!(
            "subjects",
            "ON CONFLICT (key, kind) DO UPDATE SET last_event_at = excluded.last_event_at, series = excluded.series"
        ),
        bind: |written, arguments| bind(written.changes.senders_and_receivers(), arguments),
    },
    Part { text: insert!("events"), bind: |written, arguments| bind(written.changes.counted_events(), arguments) },
    Part {
        text: update!(
            "events",
            "due_at = new.due_at, released = new.released",
            by "old.key = new.key AND old.kind = new.kind AND old.currency = new.currency AND old.at = new.at
                AND old.number = new.number"
        ),
        bind: |written, arguments| bind(written.changes.changed_events(), arguments),
    },
    Part {
        text: insert!(
            "release_nodes",
            "ON CONFLICT (key, kind, currency, level, block, released) DO UPDATE SET
                count = release_nodes.count + excluded.count, amount = release_nodes.amount + excluded.amount"
        ),
        bind: |written, arguments| bind(written.changes.release_node_rows(), arguments),
    },
    Part {
        text: insert!("authorizations"),
        bind: |written, arguments| bind(written.issued_authorizations(), arguments),
    },
    Part {
        text: update!(
            "authorizations",
            "state = new.state, bound_credit = new.bound_credit",
            by "old.id = new.id"
        ),
        bind: |written, arguments| bind(written.changed_authorizations(), arguments),
    },
    Part { text: insert!("credits"), bind: |written, arguments| bind(written.changes.issued_credits(), arguments) },
    Part {
        text: update!("credits", "state = new.state, reversal = new.reversal", by "old.id = new.id"),
        bind: |written, arguments| bind(written.changes.changed_credits(), arguments),
    },
    Part { text: insert!("reversals"), bind: |written, arguments| bind(&written.changes.reversals, arguments) },
    Part { text: insert!("entries"), bind: |written, arguments| bind(&written.changes.entries, arguments) },
    Part { text: insert!("postings"), bind: |written, arguments| bind(&written.changes.postings, arguments) },
    Part { text: insert!("decisions"), bind: |written, arguments| bind(&written.changes.decisions, arguments) },
    Part { text: insert!("account_records"), bind: |written, arguments| bind(&written.changes.filed, arguments) },
    Part {
        text: insert!(
            "ambiguous_credits",
            "ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit"
        ),
        bind: |written, arguments| bind(written.changes.ambiguous.values(), arguments),
    },
    Part {
        text: insert!("enrolments", "ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account"),
        bind: |written, arguments| bind(written.changes.enrolments.values(), arguments),
    },
    Part {
        text: insert!("account_changes"),
        bind: |written, arguments| bind(&written.changes.account_changes, arguments),
    },
    // The last one: the statement's count is its.
    Part {
        text: insert!(
            "idempotency",
            "ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome,
                at = excluded.at
                WHERE idempotency.at <= excluded.at - 604800000000"
        ),
        bind: |written, arguments| bind(written.changes.idempotency.values(), arguments),
    },
];

/// It is written out in [`PARTS`].
const _: () = assert!(IDEMPOTENCY_KEPT.0 == 604_800_000_000);

/// Writes `changes`, and the id of the batch that commits next, if that is known.
pub(super) async fn write(
    connection: &mut PgConnection,
    changes: &Changes,
    batch: Option<Committed>,
) -> Result<(), StoreError> {
    let (texts, arguments) = parts(&Written { changes, batch })?;
    let Some(text) = compose(&texts) else { return Ok(()) };
    let done = sqlx::query_with(AssertSqlSafe(text), arguments)
        .execute(connection)
        .await
        .map_err(|error| if is_held(&error) { StoreError::Held(error.to_string()) } else { store_error(error) })?;
    if changes.idempotency.is_empty() || done.rows_affected() == changes.idempotency.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::Conflict("another server has used an Idempotency-Key meanwhile".to_owned()))
    }
}

/// Writes `changes` and commits, in one, if every account of theirs still has its version. The version that all of them
/// have then, if there are any.
///
/// # Errors
/// [`StoreError::Outdated`] where one has another version; [`StoreError::Overtaken`] where something else was in the way that may
/// not be there for a batch with locks; [`StoreError::NeedsLocks`] where an account of theirs has no version here.
pub(super) async fn write_if_unchanged(
    connection: &mut PgConnection,
    changes: &Changes,
    batch: Committed,
    versions: &Versions,
) -> Result<Option<i64>, StoreError> {
    // Postgres compares what it counts without a sign with integers, which have one, bit by bit.
    let of_account = |(account, _): (&Account, _)| Some(u32::try_from(*versions.get(&account.id)?).ok()?.cast_signed());
    let Some(versions) = changes.changed_accounts().map(of_account).collect::<Option<Vec<i32>>>() else {
        return Err(StoreError::NeedsLocks("an account was not looked at".to_owned()));
    };
    let (texts, mut arguments) = parts(&Written { changes, batch: Some(batch) })?;
    let Some(text) = compose_if_unchanged(&texts) else { return Ok(None) };
    arguments.add(versions).map_err(unfit)?;
    let done = sqlx::query_scalar_with(AssertSqlSafe(text), arguments).fetch_optional(connection).await;
    done.map_err(|error| match code(&error).as_deref() {
        Some(CHANGED) => StoreError::Outdated(error.to_string()),
        Some(code) if is_refusal(code) => StoreError::Overtaken(error.to_string()),
        _ => store_error(error),
    })
}

/// A bit more than what is written for a decision takes, with its account and its request: growing by and by, what is sent
/// would be copied as often as it doubles.
const BYTES_OF_A_DECISION: usize = 4_096;

/// The parts that have rows, and their rows.
fn parts(written: &Written<'_>) -> Result<(Vec<&'static str>, PgArguments), StoreError> {
    let mut arguments = PgArguments::default();
    arguments.reserve(PARTS.len(), written.changes.decisions.len() * BYTES_OF_A_DECISION);
    let mut texts = Vec::with_capacity(PARTS.len());
    for part in PARTS {
        if (part.bind)(written, &mut arguments).map_err(unfit)? {
            texts.push(part.text);
        }
    }
    Ok((texts, arguments))
}

/// The statement failed on what it found, and nothing else can have become of it: with locks it may succeed.
fn is_refusal(code: &str) -> bool {
    // Values and constraints, a standby, locks that others have, and transactions that have met.
    ["21", "22", "23", "25", "54", "55"].iter().any(|class| code.starts_with(class))
        || ["40001", "40P01"].contains(&code)
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// One statement of `parts`, each with a parameter of its own, in their order.
pub(super) fn compose(parts: &[&str]) -> Option<String> {
    compose_numbered(&(1..).zip(parts.iter().copied()).collect::<Vec<_>>())
}

/// The same with the accounts' versions, in their rows' order, for its last parameter. Postgres begins with what the statement
/// answers with: so no row is written before every account is at hand and unchanged, and nobody waits for a batch that waits
/// for an account.
pub(super) fn compose_if_unchanged(parts: &[&str]) -> Option<String> {
    let numbered = (1..).zip(parts.iter().copied());
    let (accounts, mut ordered): (Vec<_>, Vec<_>) = numbered.partition(|(_, part)| *part == ACCOUNTS);
    if let [(number, _)] = accounts[..] {
        ordered.extend([(number, ACCOUNTS_IF_UNCHANGED), (0, NEW_VERSION)]);
    }
    let text = compose_numbered(&ordered)?.replace("$part", &format!("part_{}", ordered.len().saturating_sub(2)));
    Some(text.replace("$versions", &format!("${}", parts.len() + 1)))
}

fn compose_numbered(parts: &[(usize, &str)]) -> Option<String> {
    let ((last_number, last), others) = parts.split_last()?;
    let mut text = String::with_capacity(2_048);
    for (place, (number, part)) in others.iter().enumerate() {
        text.push_str(if place == 0 { "WITH part_" } else { ", part_" });
        text.push_str(&place.to_string());
        text.push_str(" AS (");
        numbered(&mut text, part, *number);
        text.push(')');
    }
    text.push(' ');
    numbered(&mut text, last, *last_number);
    Some(text)
}

/// `lock_not_available` and `deadlock_detected`: somebody else has a row that the batch needs, and the batch as a whole
/// is not at fault.
pub(super) fn is_held(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| ["55P03", "40P01"].contains(&code.as_ref()))
}
