//! The write-ahead log's way to the disk, beside the connection that writes it.
//!
//! With `synchronous=FULL` SQLite waits for the disk inside of each commit, and writes nothing meanwhile. Under a server a
//! commit only adds to the log, and whoever is to hear of it waits until the log was synced after it: the same sync, while
//! the next batch is written. Whoever reads what was committed waits for it, too.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// Cheap to clone; all clones are one. None where SQLite syncs in each commit.
#[derive(Debug, Clone)]
pub(super) struct Log(Option<Arc<State>>);

#[derive(Debug)]
struct State {
    path: PathBuf,
    /// Turns at the connection that writes: the last that has begun, the last that has ended, and the last up to which
    /// everything is on the disk.
    begun: AtomicU64,
    ended: AtomicU64,
    durable: AtomicU64,
    /// Syncs that have begun.
    syncs: AtomicU64,
    /// One sync runs at a time.
    synced: Mutex<Synced>,
}

#[derive(Debug)]
struct Synced {
    /// The latest sync that has ended, by its number.
    latest: u64,
    /// Kept open: who opens it later is not told of an error that another connection's sync has met before.
    file: Arc<File>,
}

impl Log {
    /// Of the database in the file `database`, on which a connection is open.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        // SQLite keeps it beside the file itself, wherever links to that are.
        let mut path = database.canonicalize()?.into_os_string();
        path.push("-wal");
        let synced = Mutex::new(Synced { latest: 0, file: Arc::new(File::open(&path)?) });
        let [begun, ended, durable, syncs] = Default::default();
        Ok(Self(Some(Arc::new(State { path: path.into(), begun, ended, durable, syncs, synced }))))
    }

    pub(super) fn synced_by_commits() -> Self {
        Self(None)
    }

    /// Before anything is written. Turns follow each other; the number is this one's.
    pub(super) fn begin_turn(&self) -> u64 {
        self.0.as_ref().map_or(0, |state| state.begun.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Nothing is written any more, by this turn or by those before it. One that broke off ends with the next.
    pub(super) fn end_turn(&self, turn: u64) {
        if let Some(state) = &self.0 {
            state.ended.fetch_max(turn, Ordering::SeqCst);
        }
    }

    /// How many turns there were.
    pub(super) fn turns(&self) -> u64 {
        self.0.as_ref().map_or(0, |state| state.begun.load(Ordering::SeqCst))
    }

    /// Waits until all that was committed before this call is on the disk.
    pub(super) async fn sync(&self) {
        let Some(state) = &self.0 else { return };
        let before = state.syncs.load(Ordering::SeqCst);
        let mut synced = state.synced.lock().await;
        // One that has begun since then is as good, if it has ended.
        if synced.latest > before {
            return;
        }
        let number = state.syncs.fetch_add(1, Ordering::SeqCst) + 1;
        let ended = state.ended.load(Ordering::SeqCst);
        wait_for_the_disk(&synced.file).await;
        synced.latest = number;
        state.durable.store(ended, Ordering::SeqCst);
    }

    /// Waits until all that was read before this call is on the disk.
    pub(super) async fn settle(&self) {
        if let Some(state) = &self.0
            && state.durable.load(Ordering::SeqCst) < state.begun.load(Ordering::SeqCst)
        {
            self.sync().await;
        }
    }

    /// Where the connection that writes was opened again: SQLite may have made another log meanwhile.
    pub(super) async fn reopen(&self) -> io::Result<()> {
        let Some(state) = &self.0 else { return Ok(()) };
        let mut synced = state.synced.lock().await;
        wait_for_the_disk(&synced.file).await;
        synced.file = Arc::new(File::open(&state.path)?);
        Ok(())
    }
}

/// On one of the engine's own threads: there are two at least, one sync runs at a time, and to wake another thread for it
/// takes a lone caller's time. Never on one that serves connections. `block_in_place` would have others take its place in
/// turn, and the allocator keep 20 MiB more for them.
async fn wait_for_the_disk(file: &Arc<File>) {
    if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        return sync_or_end(file);
    }
    let file = file.clone();
    if spawn_blocking(move || sync_or_end(&file)).await.is_err() {
        end("the sync broke off");
    }
}

fn sync_or_end(file: &File) {
    if let Err(error) = file.sync_data() {
        end(&error.to_string());
    }
}

/// The system may drop what it could not write, and report the next sync as done: nothing that is in memory is true any more,
/// and whatever else would be written could be built on it. What is on the disk is found at the next start.
fn end(error: &str) -> ! {
    tracing::error!(error, "the database's log could not be synced: the server ends here, as by a power cut");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Of a database that has one.
    fn log() -> (Log, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        for name in ["vna.db", "vna.db-wal"] {
            File::create(directory.path().join(name)).unwrap();
        }
        (Log::of(&directory.path().join("vna.db")).unwrap(), directory)
    }

    fn state(log: &Log) -> &State {
        log.0.as_ref().unwrap()
    }

    fn durable(log: &Log) -> u64 {
        state(log).durable.load(Ordering::SeqCst)
    }

    fn syncs(log: &Log) -> u64 {
        state(log).syncs.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_sync_makes_every_turn_durable_that_has_ended_before_it() {
        let (log, _directory) = log();
        log.end_turn(log.begin_turn());
        let lasting = log.begin_turn();
        log.sync().await;
        assert_eq!((durable(&log), log.turns()), (1, 2));
        log.end_turn(lasting);
        log.settle().await;
        assert_eq!(durable(&log), 2);
    }

    #[tokio::test]
    async fn a_reader_waits_for_no_disk_where_nothing_was_written_since_the_last_sync() {
        let (log, _directory) = log();
        log.settle().await;
        assert_eq!(syncs(&log), 0);
        log.end_turn(log.begin_turn());
        log.settle().await;
        log.settle().await;
        assert_eq!(syncs(&log), 1);
    }

    #[tokio::test]
    async fn a_reader_waits_while_what_it_may_have_read_is_on_its_way_to_the_disk() {
        let (log, _directory) = log();
        log.end_turn(log.begin_turn());
        let running = state(&log).synced.lock().await;
        let reader = tokio::spawn({
            let log = log.clone();
            async move { log.settle().await }
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!reader.is_finished());
        drop(running);
        reader.await.unwrap();
        assert_eq!(durable(&log), 1);
    }

    #[tokio::test]
    async fn those_who_wait_for_a_sync_share_the_next() {
        let (log, _directory) = log();
        let running = state(&log).synced.lock().await;
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let log = log.clone();
                tokio::spawn(async move { log.sync().await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(running);
        for one in waiting {
            one.await.unwrap();
        }
        assert_eq!(syncs(&log), 1);
    }

    #[tokio::test]
    async fn a_turn_that_broke_off_is_durable_with_the_next() {
        let (log, _directory) = log();
        log.begin_turn();
        log.sync().await;
        assert_eq!(durable(&log), 0);
        log.end_turn(log.begin_turn());
        log.sync().await;
        assert_eq!(durable(&log), 2);
    }

    #[test]
    fn a_database_without_a_log_is_not_taken_for_one_that_has_nothing_to_sync() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Log::of(file.path()).is_err());
    }
}
