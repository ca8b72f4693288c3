//! The connection of the batches, and of what is written beside them.
//!
//! SQLite's calls block. They are made where they are wanted, statement after statement: a message to another thread, and back,
//! costs more than most of them. So whoever asks is on a thread that may wait (`Store::apart`).

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::OpenFlags;

use super::is_refusal;
use crate::store::StoreError;

/// How a connection is opened. The file is there.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub file: PathBuf,
    /// How long a statement waits for another process that holds the file.
    pub busy_timeout: Duration,
    /// Statements that are said once.
    pub pragmas: String,
}

/// More than there are kinds of statements, and compositions of what is loaded that come again and again.
const STATEMENTS_KEPT: usize = 128;

pub(super) fn open(settings: &Settings) -> rusqlite::Result<rusqlite::Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(&settings.file, flags)?;
    connection.busy_timeout(settings.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.execute_batch(&settings.pragmas)?;
    Ok(connection)
}

/// The texts name tables and columns, never values.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, SqliteFailure, Utf8Error,
        };
        match error {
            SqliteFailure(failure, message) if is_refusal(failure.extended_code) => {
                Self::Conflict(message.unwrap_or_else(|| failure.to_string()))
            }
            FromSqlConversionFailure(column, ..)
            | IntegralValueOutOfRange(column, _)
            | InvalidColumnType(column, ..)
            | Utf8Error(column, _) => Self::Corrupt(format!("column {column} of a row cannot be read")),
            error => Self::Unavailable(error.to_string()),
        }
    }
}
