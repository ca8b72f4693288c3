//! SQLite: one writer connection, `BEGIN IMMEDIATE`, write-ahead log, which is synced before anybody hears of what was
//! written to it ([`log`]), and moved into the file beside the batches ([`checkpoints`]).
//!
//! A batch keeps the thread that it is carried out on ([`connection`]): it loads all that is wanted in one statement
//! ([`load`]), whose rows are read as JSON in the shape of the domain's structs, and writes all that changed row by row
//! ([`write`]).

mod audit;
mod backup;
mod checkpoints;
mod connection;
mod load;
mod log;
mod probe;
mod reads;
mod rows;
mod servers;
mod transfer;
mod write;
mod writer;

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::task::spawn_blocking;

use self::checkpoints::Checkpoints;
use self::connection::Settings;
use self::load::Question;
use self::log::Log;
use self::probe::Probe;
use self::writer::{Writer, Writing};
use super::rows::parse;
use super::series::{overdue_accounts, overdue_others, read_overdue_accounts};
use super::written::Committed;
use super::{Batch, DeadlinePlace, Durability, OverdueAccounts, Store, StoreError};
use crate::decide::{Changes, Loaded, Lock, Locked, Wanted};
use crate::domain::{SubjectKey, Timestamp, TrackingId};

const OVERDUE_ACCOUNTS: &str = overdue_accounts!("json_array(account, due_at, id)", "$2");

const OVERDUE_OTHERS: &str = overdue_others!("json_object('kind', kind, 'key', key)");

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a statement waits for another process that holds the file, as the command line beside a running server.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers never wait for the writer (WAL); more of them than cores only queue elsewhere.
const READERS: u32 = 4;

/// Pages that the writer keeps in memory, in KiB (SQLite takes a negative number for that): the inner pages of every
/// index and the leaves in use, of which each remittance touches a dozen. With SQLite's own 2 MiB they are read from the
/// file again and again.
const WRITER_CACHE: &str = "-16384";

/// Pages of the write-ahead log that a command's commits move into the file at once: 8 MiB.
const LOG_OF_A_COMMAND: u32 = 2_000;

/// The same of a server's, where [`Checkpoints`] do not get to it: 1 GiB.
const LOG_OF_A_SERVER: u32 = 262_144;

/// The embedded store.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: Writer,
    /// Of the connection that an intake writes on.
    intake: SqliteConnectOptions,
    readers: SqlitePool,
    probe: Probe,
    log: Log,
    checkpoints: Option<Checkpoints>,
}

impl SqliteStore {
    /// Opens the file that `url` (`sqlite://path`) names, creates it for its owner alone where it is missing, and brings
    /// its tables up to date. Every commit waits for the disk, for who comes and goes: a server beside never reads what is
    /// not on it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the file cannot be opened; [`StoreError::Corrupt`] where a newer version of
    /// this program has written it.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        let first = opened(&options).await?;
        let log = Log::synced_by_commits();
        let writer = Writer::open(for_writing(&options, "FULL", LOG_OF_A_COMMAND), log.clone())?;
        first.close().await.map_err(store_error)?;
        Self::with(options, writer, log, None).await
    }

    /// The same for a server: the disk is waited for beside the next batch, and the log moved into the file, too.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn open_to_serve(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        let mut first = opened(&options).await?;
        // What a crash has left in the log, the system may have in memory alone.
        checkpoints::move_what_there_is(&mut first).await?;
        let log = Log::of(options.get_filename()).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        // A commit is not on the disk then: `log` sees to it, before anybody hears of it.
        let writer = Writer::open(for_writing(&options, "NORMAL", LOG_OF_A_SERVER), log.clone())?;
        first.close().await.map_err(store_error)?;
        let checkpoints = Checkpoints::start(&options, writer.clone(), log.clone());
        Self::with(options, writer, log, Some(checkpoints)).await
    }

    async fn with(
        options: SqliteConnectOptions,
        writer: Writer,
        log: Log,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Self, StoreError> {
        let probe = Probe::new(options.clone());
        let intake = options.clone().pragma("wal_autocheckpoint", LOG_OF_A_COMMAND.to_string());
        let intake = intake.pragma("temp_store", "memory");
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(store_error)?;
        Ok(Self { writer, intake, readers, probe, log, checkpoints })
    }

    /// Writes beside the batches, durably; what `work` answers.
    async fn write_aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writing = self.writer.take().await?;
        let write = move || -> Result<_, StoreError> { Ok((work(&writing.connection)?, writing)) };
        let written = spawn_blocking(write).await;
        let (answer, writing) = written.map_err(|error| StoreError::Unavailable(error.to_string()))??;
        writing.hand_back_committed().reached().await?;
        Ok(answer)
    }
}

/// Of every connection. The file is there then.
fn options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true);
    create_private(options.get_filename())?;
    Ok(options)
}

/// `synchronous` is SQLite's own word, `log` the pages of the log that are moved into the file by a commit.
fn for_writing(options: &SqliteConnectOptions, synchronous: &str, log: u32) -> Settings {
    Settings {
        file: options.get_filename().to_owned(),
        busy_timeout: BUSY_TIMEOUT,
        // What undoes a failed statement would else be a file of its own. The first of these opens the log, too.
        pragmas: format!(
            "PRAGMA foreign_keys = ON; PRAGMA synchronous = {synchronous}; PRAGMA cache_size = {WRITER_CACHE};
             PRAGMA wal_autocheckpoint = {log}; PRAGMA temp_store = memory"
        ),
    }
}

/// A connection that has brought the tables up to date. It is kept until there is another: SQLite removes the log with the
/// last.
async fn opened(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let mut first = options.connect().await.map_err(store_error)?;
    MIGRATIONS.run_direct(None, &mut first, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) | MigrateError::VersionTooNew(..) => {
            StoreError::Corrupt(format!("the database was written by another version of this program: {error}"))
        }
        error => StoreError::Unavailable(error.to_string()),
    })?;
    Ok(first)
}

#[async_trait]
impl Store for SqliteStore {
    fn batches_at_once(&self) -> usize {
        1
    }

    fn apart(&self) -> Option<Arc<dyn Store>> {
        None
    }

    async fn begin(&self) -> Result<Box<dyn Batch>, StoreError> {
        Ok(Box::new(SqliteBatch { writing: self.writer.take().await?, begun: false }))
    }

    /// Writes the id itself, so that no commit under it can follow, and marks it by a negative moment, so that it is not
    /// taken for the batch when it is asked for again.
    async fn was_committed(&self, batch: TrackingId, at: Timestamp) -> Result<bool, StoreError> {
        let ask = "INSERT INTO batches (id, committed_at) VALUES (?, -?)
                   ON CONFLICT (id) DO UPDATE SET committed_at = committed_at RETURNING committed_at >= 0";
        // To the statement's end, where it is committed.
        let asked = move |connection: &rusqlite::Connection| {
            Ok(connection.query_one(ask, (batch.to_string(), at.0), |row| row.get(0))?)
        };
        self.write_aside(asked).await
    }

    async fn overdue_accounts(
        &self,
        after: DeadlinePlace,
        upto: Timestamp,
        limit: usize,
    ) -> Result<OverdueAccounts, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let asked = sqlx::query_scalar(OVERDUE_ACCOUNTS).bind(after.due_at.0).bind(after.id.to_string());
        let asked = asked.bind(upto.0).bind(limit);
        let rows: Vec<String> = asked.fetch_all(&self.readers).await.map_err(store_error)?;
        read_overdue_accounts(&rows)
    }

    async fn swept(&self) -> Result<Timestamp, StoreError> {
        let asked = sqlx::query_scalar("SELECT at FROM marks WHERE name = 'swept'");
        let found: Option<i64> = asked.fetch_optional(&self.readers).await.map_err(store_error)?;
        Ok(Timestamp(found.unwrap_or_default()))
    }

    async fn remember_swept(&self, swept: Timestamp) -> Result<(), StoreError> {
        let remember =
            "INSERT INTO marks (name, at) VALUES ('swept', ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at";
        self.write_aside(move |connection| Ok(connection.execute(remember, [swept.0])?)).await?;
        Ok(())
    }

    async fn overdue_others(&self, at: Timestamp, limit: usize) -> Result<Vec<SubjectKey>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let overdue = sqlx::query_scalar(OVERDUE_OTHERS).bind(at.0).bind(limit).fetch_all(&self.readers);
        let rows: Vec<String> = overdue.await.map_err(store_error)?;
        rows.iter().map(|row| parse(row)).collect()
    }

    async fn remember_rules(&self, version: &str, text: &str, at: Timestamp) -> Result<(), StoreError> {
        let remember = "INSERT INTO rule_sets (version, text, first_seen_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
        let (version, text) = (version.to_owned(), text.to_owned());
        self.write_aside(move |connection| Ok(connection.execute(remember, (version, text, at.0))?)).await?;
        Ok(())
    }

    async fn forget_before(&self, at: Timestamp, limit: u32) -> Result<bool, StoreError> {
        let forget = [
            "DELETE FROM batches WHERE id IN
                 (SELECT id FROM batches WHERE committed_at > -?1 AND committed_at < ?1 ORDER BY committed_at LIMIT ?2)",
            "DELETE FROM idempotency WHERE rowid IN (SELECT rowid FROM idempotency WHERE at < ?1 ORDER BY at LIMIT ?2)",
            "DELETE FROM enrolments WHERE rowid IN (SELECT rowid FROM enrolments WHERE expires_at < ?1 LIMIT ?2)",
        ];
        let each = move |connection: &rusqlite::Connection| {
            forget.iter().try_fold(0, |sum, statement| Ok(sum + connection.execute(statement, (at.0, limit))?))
        };
        Ok(self.write_aside(each).await? >= limit as usize)
    }

    /// Closes the file; a checkpoint moves the log into it.
    async fn close(&self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.end().await;
        }
        self.readers.close().await;
        self.probe.close().await;
        self.writer.close().await;
    }
}

struct SqliteBatch {
    writing: Writing,
    begun: bool,
}

impl SqliteBatch {
    /// The connection, in the batch's transaction.
    fn transaction(&mut self) -> Result<&rusqlite::Connection, StoreError> {
        let connection = &self.writing.connection;
        if !std::mem::replace(&mut self.begun, true) {
            execute(connection, "BEGIN IMMEDIATE")?;
        }
        // SQLite ends a transaction by itself where the disk is full: each row would be committed alone then.
        if connection.is_autocommit() {
            return Err(StoreError::Unavailable("the batch has lost its transaction".to_owned()));
        }
        Ok(connection)
    }

    fn write_and_commit(&mut self, changes: &Changes, batch: Committed) -> Result<(), StoreError> {
        let connection = self.transaction()?;
        write::write(connection, changes, Some(batch))?;
        execute(connection, "COMMIT")
    }
}

/// A statement that is said again and again.
fn execute(connection: &rusqlite::Connection, statement: &str) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

#[async_trait]
impl Batch for SqliteBatch {
    /// `BEGIN IMMEDIATE` has the whole file.
    fn is_alone(&self) -> bool {
        true
    }

    async fn lock(&mut self, wanted: &BTreeSet<Lock>, _named: &BTreeSet<TrackingId>) -> Result<Locked, StoreError> {
        Ok(Locked { granted: wanted.clone(), ..Locked::default() })
    }

    async fn make_locks(&mut self, _absent: &BTreeSet<Lock>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn wait_for(&mut self, _wanted: &BTreeSet<Lock>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        let connection = self.transaction()?;
        match Question::for_all(wanted)? {
            Some(question) => load::sort(&question.ask(connection)?),
            None => Ok(Loaded::default()),
        }
    }

    async fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        write::write(self.transaction()?, changes, None)
    }

    async fn roll_back(self: Box<Self>) {
        let connection = &self.writing.connection;
        let undone = if connection.is_autocommit() { Ok(()) } else { execute(connection, "ROLLBACK") };
        match undone {
            Ok(()) => self.writing.hand_back(),
            Err(error) => tracing::debug!(%error, "a batch could not be rolled back in order"),
        }
    }

    async fn commit(
        mut self: Box<Self>,
        changes: &Changes,
        batch: TrackingId,
        at: Timestamp,
    ) -> Result<Durability, StoreError> {
        if let Err(refused) = self.write_and_commit(changes, Committed { id: batch, at }) {
            self.roll_back().await;
            return Err(refused);
        }
        Ok(self.writing.hand_back_committed())
    }
}

/// Sorts what sqlx reports into what the engine can act on. The texts name tables and columns, never values.
fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) if code_of(&*error).is_some_and(is_refusal) => {
            StoreError::Conflict(error.message().to_owned())
        }
        sqlx::Error::Decode(error) => StoreError::Corrupt(error.to_string()),
        sqlx::Error::ColumnDecode { source, .. } => StoreError::Corrupt(source.to_string()),
        error => StoreError::Unavailable(error.to_string()),
    }
}

/// A new file is its owner's alone, since it will hold personal data; SQLite gives its companions `-wal` and `-shm` the
/// same mode. A file that is there keeps its own.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_empty) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unavailable(error.to_string())),
    }
}

/// SQLITE_CONSTRAINT, SQLITE_TOOBIG and SQLITE_MISMATCH, and their extended codes: the statement is at fault.
fn is_refusal(code: i32) -> bool {
    matches!(code & 0xff, 18..=20)
}

fn code_of(error: &dyn DatabaseError) -> Option<i32> {
    error.code()?.parse().ok()
}

#[cfg(test)]
mod plans;

#[cfg(test)]
mod tests;
