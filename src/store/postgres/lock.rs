//! Locks are rows of `subjects`: a subject's own row, and a row for each part of the directory that was ever used.
//!
//! A batch takes its locks with `SKIP LOCKED` and waits for none, so no two batches can wait for each other. Those that
//! were put back wait their turn: among servers that all want the same, skipping would leave one of them to its luck.
//! What a batch reads under them is all that was ever committed there, because READ COMMITTED looks anew at each statement,
//! and at a row that it locks. So a subject's row comes with its lock.

use std::collections::BTreeSet;

use serde::Deserialize;
use sqlx::{Executor, PgConnection};

use super::rows::json;
use super::store_error;
use super::transaction;
use super::write::is_held;
use crate::decide::{Lock, Locked};
use crate::store::StoreError;
use crate::store::rows::parse;

/// Answers with the rows of the subjects that were granted, and with what was not, which is next to nothing as a rule.
/// `OFFSET 0` keeps each look-up a look-up.
pub(super) const LOCK: &str = "
    SELECT s.granted IS NOT NULL, coalesce(s.row, json_build_object('kind', w.kind, 'key', w.key, 'exists', coalesce((
        SELECT true FROM subjects WHERE kind = w.kind AND key = w.key LIMIT 1), false))::text)
    FROM json_to_recordset($1::json) AS w (kind text, key text)
    LEFT JOIN LATERAL (
        SELECT true AS granted, CASE WHEN kind <> 'directory' THEN row_to_json(subjects)::text END AS row
        FROM subjects WHERE kind = w.kind AND key = w.key OFFSET 0
        FOR UPDATE SKIP LOCKED) s ON true
    WHERE s.granted IS NULL OR s.row IS NOT NULL";

/// In the order of the primary key: servers that make the same rows at once then wait for each other in one direction.
const MAKE: &str = "
    INSERT INTO subjects (kind, key, last_event_at)
    SELECT kind, key, 0 FROM json_to_recordset($1::json) AS w (kind text, key text)
    ORDER BY key COLLATE \"C\", kind COLLATE \"C\"
    ON CONFLICT DO NOTHING";

/// In the same order for everybody, so that those who wait for several do not wait for each other.
pub(super) const WAIT: &str = "
    SELECT count(*)
    FROM (SELECT * FROM json_to_recordset($1::json) AS w (kind text, key text)
          ORDER BY key COLLATE \"C\", kind COLLATE \"C\") w
    CROSS JOIN LATERAL (SELECT 1 FROM subjects WHERE kind = w.kind AND key = w.key OFFSET 0 FOR UPDATE) s";

#[derive(Deserialize)]
struct NotGranted {
    #[serde(flatten)]
    lock: Lock,
    exists: bool,
}

pub(super) async fn lock(connection: &mut PgConnection, wanted: &BTreeSet<Lock>) -> Result<Locked, StoreError> {
    let answers: Vec<(bool, String)> =
        sqlx::query_as(LOCK).bind(json(wanted)?).fetch_all(connection).await.map_err(store_error)?;
    let mut locked = Locked { granted: wanted.clone(), ..Locked::default() };
    for (granted, row) in &answers {
        if *granted {
            locked.subjects.push(parse(row)?);
            continue;
        }
        let NotGranted { lock, exists } = parse(row)?;
        locked.granted.remove(&lock);
        if exists {
            locked.held.insert(lock)
        } else {
            locked.absent.insert(lock)
        };
    }
    Ok(locked)
}

pub(super) async fn make(connection: &mut PgConnection, absent: &BTreeSet<Lock>) -> Result<(), StoreError> {
    sqlx::query(MAKE).bind(json(absent)?).execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// Half a second for each lock: several batches of other servers on a busy machine, one behind the other. With less, none of
/// the servers that want the same few accounts ever has its turn there.
const PATIENTLY: &str = "SAVEPOINT waiting; SET LOCAL lock_timeout = '500ms'";

/// Waits for each lock for a while. A savepoint lets go of what it has where one stays held.
pub(super) async fn wait_for(connection: &mut PgConnection, wanted: &BTreeSet<Lock>) -> Result<(), StoreError> {
    connection.execute(sqlx::raw_sql(PATIENTLY)).await.map_err(store_error)?;
    match sqlx::query(WAIT).bind(json(wanted)?).execute(&mut *connection).await {
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
