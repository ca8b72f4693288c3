//! Locks are rows: an account's own, a sender's or receiver's in `subjects`, and there a row for each part of the directory
//! that was ever used.
//!
//! A batch takes its locks with `SKIP LOCKED` and waits for none, so no two batches can wait for each other. Those that
//! were put back wait their turn: among servers that all want the same, skipping would leave one of them to its luck.
//! What a batch reads under them is all that was ever committed there, because READ COMMITTED looks anew at each statement,
//! and at a row that it locks. So an account and a subject come with their lock.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::parts::with_keys;
use super::rows::keys;
use super::store_error;
use super::transaction;
use super::write::is_held;
use crate::decide::{Lock, LockKind, Locked};
use crate::store::StoreError;
use crate::store::rows::{Rows, parse, take_in};

/// What is done about one kind of locks; `$0` stands for them.
pub(super) struct Part {
    /// Locks what is free, and answers with the rows that were granted and with what was not, which is next to nothing as
    /// a rule. `OFFSET 0` and `LIMIT 1` keep each look-up a look-up.
    pub lock: &'static str,
    /// Waits for all of them, in the same order for everybody, so that those who wait for several do not wait for each
    /// other.
    pub wait: &'static str,
    /// The locks, if there are any.
    keys: fn(&BTreeSet<Lock>) -> Result<Option<String>, StoreError>,
}

/// Everybody waits for accounts first.
pub(super) const PARTS: [Part; 2] = [
    Part {
        lock: "
            SELECT CASE WHEN a.row IS NOT NULL THEN 'account'
                    WHEN (SELECT true FROM accounts WHERE id = w LIMIT 1) THEN 'held' ELSE 'absent' END,
                coalesce(a.row, json_build_object('kind', 'account', 'key', w)::text)
            FROM json_array_elements_text($0::json) w
            LEFT JOIN LATERAL (
                SELECT row_to_json(accounts)::text AS row FROM accounts WHERE id = w OFFSET 0
                FOR UPDATE SKIP LOCKED) a ON true",
        wait: "
            SELECT 1
            FROM (SELECT w FROM json_array_elements_text($0::json) w ORDER BY w COLLATE \"C\") w
            CROSS JOIN LATERAL (SELECT 1 FROM accounts WHERE id = w.w OFFSET 0 FOR UPDATE) a",
        keys: |locks| keys(locks.iter().filter(|lock| lock.kind == LockKind::Account).map(|lock| &lock.key)),
    },
    Part {
        lock: "
            SELECT CASE WHEN s.granted THEN 'subject'
                    WHEN (SELECT true FROM subjects WHERE kind = w.kind AND key = w.key LIMIT 1) THEN 'held'
                    ELSE 'absent' END,
                coalesce(s.row, json_build_object('kind', w.kind, 'key', w.key)::text)
            FROM json_to_recordset($0::json) AS w (kind text, key text)
            LEFT JOIN LATERAL (
                SELECT true AS granted, CASE WHEN kind <> 'directory' THEN row_to_json(subjects)::text END AS row
                FROM subjects WHERE kind = w.kind AND key = w.key OFFSET 0
                FOR UPDATE SKIP LOCKED) s ON true
            WHERE s.granted IS NULL OR s.row IS NOT NULL",
        wait: "
            SELECT 1
            FROM (SELECT * FROM json_to_recordset($0::json) AS w (kind text, key text)
                  ORDER BY key COLLATE \"C\", kind COLLATE \"C\") w
            CROSS JOIN LATERAL (SELECT 1 FROM subjects WHERE kind = w.kind AND key = w.key OFFSET 0 FOR UPDATE) s",
        keys: |locks| keys(locks.iter().filter(|lock| lock.kind != LockKind::Account)),
    },
];

/// In the order of the primary key: servers that make the same rows at once then wait for each other in one direction. An
/// account has its row since it was opened.
const MAKE: &str = "
    INSERT INTO subjects (kind, key, last_event_at)
    SELECT kind, key, 0 FROM json_to_recordset($1::json) AS w (kind text, key text)
    ORDER BY key COLLATE \"C\", kind COLLATE \"C\"
    ON CONFLICT DO NOTHING";

pub(super) async fn lock(connection: &mut PgConnection, wanted: &BTreeSet<Lock>) -> Result<Locked, StoreError> {
    let asked = with_keys(PARTS.iter().map(|part| (part.lock, (part.keys)(wanted))))?;
    let Some((text, arguments)) = asked else { return Ok(Locked::default()) };
    let answers: Vec<(String, String)> =
        sqlx::query_as_with(AssertSqlSafe(text), arguments).fetch_all(connection).await.map_err(store_error)?;
    let mut locked = Locked { granted: wanted.clone(), ..Locked::default() };
    for (kind, row) in &answers {
        let refused = match kind.as_str() {
            "held" => &mut locked.held,
            "absent" => &mut locked.absent,
            granted => {
                take_in(&mut locked.loaded, granted, Rows::One(row))?;
                continue;
            }
        };
        let lock: Lock = parse(row)?;
        locked.granted.remove(&lock);
        refused.insert(lock);
    }
    Ok(locked)
}

pub(super) async fn make(connection: &mut PgConnection, absent: &BTreeSet<Lock>) -> Result<(), StoreError> {
    let Some(locks) = keys(absent.iter().filter(|lock| lock.kind != LockKind::Account))? else { return Ok(()) };
    sqlx::query(MAKE).bind(locks).execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// Half a second for each lock: several batches of other servers on a busy machine, one behind the other. With less, none of
/// the servers that want the same few accounts ever has its turn there.
const PATIENTLY: &str = "SAVEPOINT waiting; SET LOCAL lock_timeout = '500ms'";

/// Waits for each lock for a while. A savepoint lets go of what it has where one stays held.
pub(super) async fn wait_for(connection: &mut PgConnection, wanted: &BTreeSet<Lock>) -> Result<(), StoreError> {
    let asked = with_keys(PARTS.iter().map(|part| (part.wait, (part.keys)(wanted))))?;
    let Some((text, arguments)) = asked else { return Ok(()) };
    connection.execute(sqlx::raw_sql(PATIENTLY)).await.map_err(store_error)?;
    match sqlx::query_with(AssertSqlSafe(text), arguments).execute(&mut *connection).await {
        Ok(_) => {
            connection.execute(sqlx::raw_sql(transaction::IMPATIENTLY)).await.map_err(store_error)?;
            Ok(())
        }
        Err(error) if is_held(&error) => {
            connection.execute(sqlx::raw_sql("ROLLBACK TO SAVEPOINT waiting")).await.map_err(store_error)?;
            Err(StoreError::Held(error.to_string()))
        }
        Err(error) => Err(store_error(error)),
    }
}
