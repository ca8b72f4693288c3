//! Does the store take a write now? Asked by `/health/ready`.
//!
//! The answer is a commit of its own, on a connection of its own: a row of `batches` added and deleted again in one
//! transaction, which leaves nothing behind but proves that the file can be locked, that the disk takes a page and
//! that it reaches the platter (`synchronous = FULL` waits for it). It holds the write lock for one fsync. Where the
//! writer does not let go of the lock for long, a commit of its own that lands meanwhile is the same proof.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Connection, Sqlite, SqliteConnection, SqlitePool, Transaction, query, query_scalar};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::store_error;
use crate::store::StoreError;

/// How long the write lock may be held by others before only a commit of theirs counts as proof.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a proof stands: whoever may ask unsigned must not be able to make the disk busy.
const PROOF_STANDS: Duration = Duration::from_secs(1);

const ADD: &str = "INSERT INTO batches (id, committed_at) VALUES ('00000000-0000-0000-0000-000000000000', 0)";

const DELETE: &str = "DELETE FROM batches WHERE id = '00000000-0000-0000-0000-000000000000'";

/// Changes whenever another connection has committed.
const DATA_VERSION: &str = "PRAGMA data_version";

/// The connection that proves it.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    connection: SqlitePool,
    proven_at: Arc<Mutex<Option<Instant>>>,
}

impl Probe {
    /// Connects when first asked.
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        let connection = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE * 4).connect_lazy_with(
            options.busy_timeout(PATIENCE).create_if_missing(false).pragma("wal_autocheckpoint", "0"),
        );
        Self { connection, proven_at: Arc::default() }
    }

    /// Proves that the store takes a write, or has taken one within the last second.
    pub(super) async fn takes_writes(&self) -> Result<(), StoreError> {
        // In a task of its own: an asker that hangs up must not leave the write lock behind.
        let probe = self.clone();
        let proof = tokio::spawn(async move { probe.prove().await });
        proof.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the write probe broke off".to_owned())))
    }

    /// A transaction that may write, without the writer's connection and without its patience.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)
    }

    pub(super) async fn close(&self) {
        self.connection.close().await;
    }

    async fn prove(&self) -> Result<(), StoreError> {
        let mut proven_at = self.proven_at.lock().await;
        if proven_at.is_some_and(|at| at.elapsed() < PROOF_STANDS) {
            return Ok(());
        }
        let mut connection = self.connection.acquire().await.map_err(store_error)?;
        let before: i64 = query_scalar(DATA_VERSION).fetch_one(&mut *connection).await.map_err(store_error)?;
        if let Err(failure) = write(&mut connection).await {
            let after: i64 = query_scalar(DATA_VERSION).fetch_one(&mut *connection).await.map_err(store_error)?;
            if !is_busy(&failure) || before == after {
                return Err(store_error(failure));
            }
        }
        *proven_at = Some(Instant::now());
        Ok(())
    }
}

async fn write(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    query(ADD).execute(&mut *transaction).await?;
    query(DELETE).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// `SQLITE_BUSY`, whatever its extended part.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 5)
}
