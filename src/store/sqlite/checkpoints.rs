//! The write-ahead log is moved into the file beside the batches.
//!
//! SQLite would do it inside of a commit, and whoever waits for that one, and for the next, would wait for two syncs of the
//! disk more. Here another connection moves what there is, as often as much has come meanwhile. The log begins anew where all
//! of it was moved before the next write. Under calls that never pause it never would: once it is long, what came last is
//! moved while nobody can write.

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, query_as};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::log::Log;
use super::store_error;
use super::writer::Writer;
use crate::store::StoreError;

/// How often, where something was written. A page that many batches change is then moved once.
const EVERY: Duration = Duration::from_millis(500);

/// Pages of a log that is to begin anew: 256 MiB. Who writes waits for that, some ten milliseconds of a busy disk, so it is
/// not done in every round; every few seconds at 10,000 calls a second.
const LONG: i64 = 65_536;

/// So few are left to be moved then, as a rule.
const FEW_PAGES: i64 = 300;

/// How often it is tried to leave no more than that to those who write.
const PASSES: usize = 3;

/// The task that moves it, until all clones of this are gone.
#[derive(Debug, Clone)]
pub(super) struct Checkpoints {
    stop: watch::Sender<bool>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Checkpoints {
    pub(super) fn start(options: &SqliteConnectOptions, writer: Writer, log: Log) -> Self {
        let options = options.clone().create_if_missing(false).pragma("wal_autocheckpoint", "0");
        let (stop, mut end) = watch::channel(false);
        let task = tokio::spawn(async move {
            let mut mover = Mover { options, connection: None, writer };
            let mut turns_moved = 0;
            let mut rounds = interval(EVERY);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while begins_before(&mut rounds, &mut end).await {
                let turns = log.turns();
                if turns != turns_moved {
                    match mover.move_all(LONG).await {
                        Ok(()) => turns_moved = turns,
                        Err(error) => tracing::warn!(%error, "the log could not be moved into the file; tried again"),
                    }
                }
            }
            mover.close().await;
        });
        Self { stop, task: Arc::new(Mutex::new(Some(task))) }
    }

    pub(super) async fn end(&self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.lock().await.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the log was not moved in order");
        }
    }
}

/// Waits for the next round; `false` where the end comes first.
async fn begins_before(rounds: &mut Interval, end: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        _ = rounds.tick() => true,
        // Also where nobody is left who could tell.
        _ = end.changed() => false,
    }
}

struct Mover {
    options: SqliteConnectOptions,
    /// Opened when first needed: who asks one thing and goes needs none.
    connection: Option<SqliteConnection>,
    writer: Writer,
}

impl Mover {
    /// Where the log has `long` pages or more, to the last page, whoever has to wait for that.
    async fn move_all(&mut self, long: i64) -> Result<(), StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.options.connect().await.map_err(store_error)?),
        };
        let mut pages = 0;
        for _ in 0..PASSES {
            let before = std::mem::replace(&mut pages, move_what_there_is(connection).await?);
            if pages - before <= FEW_PAGES {
                break;
            }
        }
        if pages < long {
            return Ok(());
        }
        let nobody_writes = self.writer.take_to_commit_nothing().await?;
        let moved = move_what_there_is(connection).await;
        nobody_writes.hand_back();
        moved.map(drop)
    }

    async fn close(self) {
        if let Some(connection) = self.connection
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the connection that moves the log was not closed in order");
        }
    }
}

/// Waits for nobody; how many pages of the log are in the file then. Where another connection is at it, it leaves it to that.
pub(super) async fn move_what_there_is(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let (_busy, _pages, moved): (i64, i64, i64) =
        query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await.map_err(store_error)?;
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::*;
    use crate::clock::fresh_id;
    use crate::decide::Changes;
    use crate::domain::Timestamp;
    use crate::store::Store;

    async fn commit_some(store: &SqliteStore) {
        for _ in 0..20 {
            let batch = store.begin().await.unwrap();
            batch.commit(&Changes::default(), fresh_id(), Timestamp(1)).await.unwrap().reached().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_log_that_was_moved_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("vna.db");
        let store = SqliteStore::open_to_serve(&format!("sqlite://{}", file.display())).await.unwrap();
        store.checkpoints.as_ref().unwrap().end().await;
        let log = || std::fs::metadata(directory.path().join("vna.db-wal")).unwrap().len();
        // Until then it has the length that it took to make the tables.
        let mut connection = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
        let options = SqliteConnectOptions::new().filename(&file);
        let mut mover = Mover { options, connection: Some(connection), writer: store.writer.clone() };
        commit_some(&store).await;
        let of_some = log();
        for _ in 0..10 {
            mover.move_all(0).await.unwrap();
            commit_some(&store).await;
        }
        assert!(log() < 2 * of_some, "{} after {of_some}", log());
        for _ in 0..2 {
            commit_some(&store).await;
        }
        assert!(log() > 2 * of_some, "it grows where it is not moved");
        mover.close().await;
        store.close().await;
    }

    #[tokio::test]
    async fn who_writes_is_not_waited_for_where_the_log_is_short() {
        let directory = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open_to_serve(&format!("sqlite://{}/vna.db", directory.path().display())).await.unwrap();
        store.checkpoints.as_ref().unwrap().end().await;
        let options = SqliteConnectOptions::new().filename(directory.path().join("vna.db"));
        let mut mover = Mover { options, connection: None, writer: store.writer.clone() };
        let writing = store.begin().await.unwrap();
        mover.move_all(LONG).await.unwrap();
        writing.roll_back().await;
        mover.close().await;
        store.close().await;
    }

    #[tokio::test]
    async fn the_task_ends_with_the_store_that_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("vna.db").display());
        let store = SqliteStore::open_to_serve(&url).await.unwrap();
        let task = store.checkpoints.as_ref().unwrap().task.lock().await.take().unwrap();
        drop(store);
        task.await.unwrap();
    }
}
