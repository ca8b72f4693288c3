//! All that a batch wants, in one statement that returns one row: a column for each kind of rows.

use std::sync::Arc;

use rusqlite::params_from_iter;
use sqlx::{AssertSqlSafe, Column, Row, SqliteConnection};

use super::rows::{
    account_row, ambiguous_row, authorization_row, credit_row, enrolment_row, event_row, listed, person_row,
};
use super::store_error;
use crate::decide::{CANDIDATES, Loaded, PREFIX_EVENTS, Wanted};
use crate::store::StoreError;
use crate::store::rows::{Rows, take_in, wanted_due};
use crate::store::series::{released_after, waits};

// Each takes its keys as one JSON array. Keys that are objects are read by `jsonb_each`: `json_each` would write each out
// as text, to be parsed again for every `->>`. `CROSS JOIN` keeps SQLite from ever trying to scan the table and look for
// its rows among those wanted.

/// The rows that are found, as a JSON array.
macro_rules! column {
    ($name:literal, $row:expr, $found:expr) => {
        concat!("(SELECT json_group_array(", $row, ") ", $found, ") AS ", $name)
    };
}

/// Those that are there: an array of the last events for each.
const PREFIX: &str = column!(
    "prefix",
    "json_object('kind', w.value ->> 'kind', 'key', w.value ->> 'key', 'currency', w.value ->> 'currency',
        'upto', w.value ->> 'upto', 'next_at', (
            SELECT min(at) FROM events
            WHERE kind = w.value ->> 'kind' AND key = w.value ->> 'key' AND currency = w.value ->> 'currency'
                AND at > w.value ->> 'upto'),
        'last', json((
            SELECT json_group_array(json_array(at, number, amount, running, released)) FROM (
                SELECT at, number, amount, running, released FROM events
                WHERE kind = w.value ->> 'kind' AND key = w.value ->> 'key' AND currency = w.value ->> 'currency'
                    AND at <= w.value ->> 'upto'
                ORDER BY at DESC, number DESC LIMIT 4))))",
    "FROM jsonb_each(?) w"
);

const RELEASED_AFTER: &str = concat!(
    "(WITH prefix_end AS MATERIALIZED (
        SELECT w.value ->> 'kind' AS kind, w.value ->> 'key' AS key, w.value ->> 'currency' AS currency,
            w.value ->> 'at' AS at, w.value ->> 'number' AS number
        FROM jsonb_each(?) w)
    SELECT json_group_array(
        json_object('kind', p.kind, 'key', p.key, 'currency', p.currency, 'at', p.at, 'number', p.number,
            'released', json((SELECT json_group_array(json_array(released, count, amount)) FROM (
                SELECT released, sum(count) AS count, sum(amount) AS amount FROM (",
    released_after!(),
    ")
                GROUP BY released)))))
    FROM prefix_end p) AS released_after"
);

const ACCOUNT: &str = column!(
    "account",
    account_row!(with subject),
    "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN accounts ON id = wanted"
);

const PERSON_OF_KEY: &str = column!(
    "person",
    person_row!(),
    "FROM persons WHERE id IN (
        SELECT d.person FROM jsonb_each(?) w
        CROSS JOIN directory d ON d.kind = w.value ->> 'kind' AND d.value = w.value ->> 'value')"
);

/// A person comes with all of their accounts.
const ACCOUNT_OF_KEY: &str = column!(
    "account",
    account_row!(with subject),
    "FROM accounts WHERE person IN (
        SELECT d.person FROM jsonb_each(?) w
        CROSS JOIN directory d ON d.kind = w.value ->> 'kind' AND d.value = w.value ->> 'value')"
);

const PERSON: &str = column!(
    "person",
    person_row!(),
    "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN persons ON id = wanted"
);

const ACCOUNT_OF_PERSON: &str = column!(
    "account",
    account_row!(with subject),
    "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN accounts ON person = wanted"
);

const SUBJECT: &str = column!(
    "subject",
    "json_object('kind', s.kind, 'key', s.key, 'last_event_at', s.last_event_at, 'series', json(s.series))",
    "FROM jsonb_each(?) w CROSS JOIN subjects s ON s.kind = w.value ->> 'kind' AND s.key = w.value ->> 'key'"
);

const DUE_EVENT: &str = column!(
    "event",
    event_row!(),
    concat!(
        "FROM jsonb_each(?) w CROSS JOIN events e
        ON e.kind = w.value ->> 'kind' AND e.key = w.value ->> 'key' AND e.currency = w.value ->> 'currency'
        AND e.at >= w.value ->> 'from' AND e.due_at <= w.value ->> 'until' AND ",
        waits!()
    )
);

const DUE_LATER: &str = column!(
    "due_later",
    "json_object('kind', e.kind, 'key', e.key, 'currency', e.currency, 'at', e.at, 'due_at', (
        SELECT min(due_at) FROM events
        WHERE kind = e.kind AND key = e.key AND currency = e.currency AND at >= e.at AND due_at > w.value ->> 'until'))",
    concat!(
        "FROM jsonb_each(?) w CROSS JOIN events e
        ON e.kind = w.value ->> 'kind' AND e.key = w.value ->> 'key' AND e.currency = w.value ->> 'currency'
        AND (e.at, e.number) = (
            SELECT e.at, e.number FROM events e
            WHERE e.kind = w.value ->> 'kind' AND e.key = w.value ->> 'key' AND e.currency = w.value ->> 'currency'
                AND e.at >= w.value ->> 'from' AND e.due_at > w.value ->> 'until' AND ",
        waits!(),
        " ORDER BY e.at, e.number LIMIT 1)"
    )
);

const EVENT: &str = column!(
    "event",
    event_row!(),
    "FROM jsonb_each(?) w CROSS JOIN events e
        ON e.kind = w.value ->> 'kind' AND e.key = w.value ->> 'key' AND e.currency = w.value ->> 'currency'
        AND e.at = w.value ->> 'at' AND e.number = w.value ->> 'number'"
);

/// Most are counted for their account alone, and are not taken apart.
const COUNTED_EVENT: &str = column!(
    "event",
    event_row!(),
    "FROM json_each(?) w CROSS JOIN authorizations a ON a.id = w.value AND json_array_length(a.counted) > 1
    CROSS JOIN json_each(a.counted) c
    CROSS JOIN events e
        ON e.kind = c.value ->> 'kind' AND e.key = c.value ->> 'key' AND e.currency = c.value ->> 'currency'
        AND e.at = c.value ->> 'at' AND e.number = c.value ->> 'number'
    WHERE c.value ->> 'kind' <> 'account'"
);

const AUTHORIZATION: &str = column!(
    "authorization",
    authorization_row!(),
    "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN current_authorizations ON id = wanted"
);

/// The authorizations that are chosen for each key.
macro_rules! unused {
    ($chosen:expr) => {
        column!(
            "authorization",
            authorization_row!(),
            concat!(
                "FROM current_authorizations WHERE id IN (
        SELECT u.id FROM jsonb_each(?) w CROSS JOIN authorizations u ON u.id IN (",
                $chosen,
                "))"
            )
        )
    };
}

/// The oldest open authorizations of a key's account, amount and currency that fit: those of the account's open events.
macro_rules! open {
    ($fits:literal) => {
        unused!(concat!(
            "SELECT a.id FROM accounts
            CROSS JOIN events e ON e.kind = 'account' AND e.key = accounts.id AND e.currency = w.value ->> 'currency'
                AND e.at >= accounts.series -> (w.value ->> 'currency') -> 'open' ->> 'at'
                AND e.due_at > w.value ->> 'now' AND e.amount = w.value ->> 'amount'
            CROSS JOIN authorizations a ON a.id = e.authorization AND a.state = 'Open'
                AND NOT EXISTS (SELECT 1 FROM credits WHERE authorization = a.id)
            WHERE accounts.id = w.value ->> 'account' AND ",
            $fits,
            " ORDER BY e.at, e.number LIMIT 512"
        ))
    };
}

/// The oldest expired ones. A late credit leaves them in the index.
macro_rules! expired {
    ($fits:literal) => {
        unused!(concat!(
            "SELECT id FROM authorizations a
            WHERE account = w.value ->> 'account' AND amount = w.value ->> 'amount'
                AND currency = w.value ->> 'currency' AND state = 'Expired'
                AND expires_at >= w.value ->> 'expired_since'
                AND NOT EXISTS (SELECT 1 FROM credits WHERE authorization = a.id) AND ",
            $fits,
            " ORDER BY at LIMIT 512"
        ))
    };
}

const OPEN: &str = open!("true");

const OPEN_OF_RATE: &str = open!("a.exchange_rate = w.value ->> 'exchange_rate'");

const EXPIRED: &str = expired!("true");

const EXPIRED_OF_RATE: &str = expired!("exchange_rate = w.value ->> 'exchange_rate'");

const CREDIT: &str = column!(
    "credit",
    credit_row!(),
    "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN credits ON id = wanted"
);

const UNREFERENCED_CREDIT: &str = column!(
    "credit",
    credit_row!(),
    "FROM credits WHERE id IN (
        SELECT u.id FROM jsonb_each(?) w CROSS JOIN credits u ON u.id IN (
            SELECT id FROM credits
            WHERE account = w.value ->> 'account' AND amount = w.value ->> 'amount'
                AND currency = w.value ->> 'currency' AND referenced = 0
            ORDER BY at DESC LIMIT 512))"
);

const AMBIGUOUS: &str = column!(
    "ambiguous",
    ambiguous_row!(),
    "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN ambiguous_credits ON id = wanted"
);

const ENROLMENT: &str = column!(
    "enrolment",
    enrolment_row!(),
    "FROM (SELECT value AS wanted FROM json_each(?)) CROSS JOIN enrolments ON token_hash = wanted"
);

const IDEMPOTENCY: &str = column!(
    "idempotency",
    "json_object('path', i.path, 'key', i.key, 'body_hash', i.body_hash, 'outcome', json(i.outcome), 'at', i.at)",
    "FROM jsonb_each(?) w CROSS JOIN idempotency i ON i.path = w.value ->> 'path' AND i.key = w.value ->> 'key'"
);

/// Limits are written out: SQLite compiles a statement anew whenever a bound `LIMIT` changes hands, which costs more than
/// all the rest of a small batch.
const _: () = assert!(CANDIDATES == 512 && PREFIX_EVENTS == 4);

/// Columns that take the same keys, a JSON array, each as its one parameter.
struct Part {
    /// If any are wanted.
    keys: Option<String>,
    sql: &'static [&'static str],
}

fn parts(wanted: &Wanted) -> Result<[Part; 15], StoreError> {
    Ok([
        Part { keys: listed(&wanted.prefixes)?, sql: &[PREFIX] },
        Part { keys: listed(&wanted.released_after)?, sql: &[RELEASED_AFTER] },
        Part { keys: listed(wanted.all_accounts())?, sql: &[ACCOUNT] },
        Part { keys: listed(&wanted.directory)?, sql: &[PERSON_OF_KEY, ACCOUNT_OF_KEY] },
        Part { keys: listed(&wanted.persons)?, sql: &[PERSON, ACCOUNT_OF_PERSON] },
        Part { keys: listed(wanted.senders_and_receivers())?, sql: &[SUBJECT] },
        Part { keys: listed(wanted_due(wanted))?, sql: &[DUE_EVENT, DUE_LATER] },
        Part { keys: listed(&wanted.events)?, sql: &[EVENT] },
        Part { keys: listed(&wanted.authorizations)?, sql: &[AUTHORIZATION, COUNTED_EVENT] },
        Part { keys: listed(&wanted.unused)?, sql: &[OPEN, OPEN_OF_RATE, EXPIRED, EXPIRED_OF_RATE] },
        Part { keys: listed(&wanted.credits)?, sql: &[CREDIT] },
        Part { keys: listed(&wanted.unreferenced)?, sql: &[UNREFERENCED_CREDIT] },
        Part { keys: listed(&wanted.ambiguous)?, sql: &[AMBIGUOUS] },
        Part { keys: listed(&wanted.enrolments)?, sql: &[ENROLMENT] },
        Part { keys: listed(&wanted.idempotency)?, sql: &[IDEMPOTENCY] },
    ])
}

/// One statement for all that is wanted, and what it binds, in order.
pub(super) struct Question {
    sql: String,
    keys: Vec<Arc<str>>,
}

/// What is found of one kind: the kind, and a JSON array of rows.
pub(super) type Found = (String, String);

impl Question {
    /// `None` where nothing is wanted. It is composed anew each time, but of so few kinds that SQLite has nearly always
    /// compiled it before.
    pub(super) fn for_all(wanted: &Wanted) -> Result<Option<Self>, StoreError> {
        let (mut columns, mut keys) = (Vec::new(), Vec::new());
        for part in parts(wanted)? {
            let Some(of_part) = part.keys.map(Arc::<str>::from) else { continue };
            for column in part.sql {
                columns.push(*column);
                keys.push(of_part.clone());
            }
        }
        let sql = format!("SELECT {}", columns.join(", "));
        Ok((!columns.is_empty()).then_some(Self { sql, keys }))
    }

    /// Asks it on the connection that writes.
    pub(super) fn ask(&self, connection: &rusqlite::Connection) -> rusqlite::Result<Vec<Found>> {
        let mut statement = connection.prepare_cached(&self.sql)?;
        let kinds: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        statement.query_row(params_from_iter(&self.keys), |row| {
            kinds.into_iter().enumerate().map(|(place, kind)| Ok((kind, row.get(place)?))).collect()
        })
    }
}

/// The same in a snapshot.
pub(super) async fn load(connection: &mut SqliteConnection, wanted: &Wanted) -> Result<Loaded, StoreError> {
    let Some(Question { sql, keys }) = Question::for_all(wanted)? else { return Ok(Loaded::default()) };
    let asked = keys.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), |asked, keys| asked.bind(keys));
    let row = asked.fetch_one(connection).await.map_err(store_error)?;
    let found = row.columns().iter().map(|column| {
        let rows = row.try_get(column.ordinal()).map_err(store_error)?;
        Ok((column.name().to_owned(), rows))
    });
    sort(&found.collect::<Result<Vec<_>, StoreError>>()?)
}

pub(super) fn sort(found: &[Found]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for (kind, rows) in found {
        take_in(&mut loaded, kind, Rows::Listed(rows))?;
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::super::plans::{empty_tables, steps};
    use super::*;

    #[tokio::test]
    async fn every_column_finds_its_rows_by_an_index() {
        let pool = empty_tables().await;
        let parts = parts(&Wanted::default()).unwrap();
        for column in parts.iter().flat_map(|part| part.sql) {
            let steps = steps(&pool, &format!("SELECT {column}")).await;
            let scans: Vec<_> = steps
                .iter()
                .filter(|step| {
                    let wanted = step.contains("VIRTUAL TABLE")
                        || step.contains("subquery")
                        || ["SCAN p", "SCAN next", "SCAN CONSTANT ROW"].contains(&step.as_str());
                    step.starts_with("SCAN") && !wanted
                })
                .collect();
            assert!(scans.is_empty(), "{scans:#?}");
        }
    }
}
