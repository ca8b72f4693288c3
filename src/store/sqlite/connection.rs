//! A connection with a thread of its own, for the batches and what is written beside them.
//!
//! SQLite's calls block, so each piece of work is sent to that thread, and its answer waited for. A piece is many statements,
//! one after the other: what goes there and back is what a lone caller waits for.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rusqlite::OpenFlags;
use tokio::sync::oneshot;

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

type Work = Box<dyn FnOnce(&mut rusqlite::Connection) + Send>;

#[derive(Debug)]
pub(super) struct Connection {
    thread: mpsc::Sender<Work>,
    closed: Closed,
}

/// Comes, as a word or as an error, once a connection is closed.
pub(super) type Closed = oneshot::Receiver<()>;

impl Connection {
    pub(super) async fn open(settings: Settings) -> Result<Self, StoreError> {
        let (thread, work) = mpsc::channel::<Work>();
        let (opened, opening) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        let spawned = thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || {
            // Whoever waits for an answer may have gone.
            match open_here(&settings) {
                Ok(mut connection) => {
                    _ = opened.send(Ok(()));
                    work.into_iter().for_each(|piece| piece(&mut connection));
                    if let Err((_, error)) = connection.close() {
                        tracing::debug!(%error, "the writer's connection was not closed in order");
                    }
                }
                Err(error) => _ = opened.send(Err(error)),
            }
            _ = closing.send(());
        });
        spawned.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        opening.await.map_err(|_| broke_off())??;
        Ok(Self { thread, closed })
    }

    /// Waits for what `work` answers. Who does not wait that long has it done nevertheless.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let piece = move |connection: &mut rusqlite::Connection| _ = answer.send(work(connection));
        self.thread.send(Box::new(piece)).map_err(|_| broke_off())?;
        answered.await.map_err(|_| broke_off())?
    }

    /// It is closed after the pieces of work that it has, and what they have not committed is undone.
    pub(super) fn close(self) -> Closed {
        self.closed
    }
}

fn open_here(settings: &Settings) -> rusqlite::Result<rusqlite::Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(&settings.file, flags)?;
    connection.busy_timeout(settings.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.execute_batch(&settings.pragmas)?;
    Ok(connection)
}

pub(super) fn broke_off() -> StoreError {
    StoreError::Unavailable("the thread that writes broke off".to_owned())
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
