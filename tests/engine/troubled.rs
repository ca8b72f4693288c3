//! A store that fails when it is told to, over a real one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedMutexGuard, Semaphore, watch};
use vna_partner::decide::{Changes, Loaded, Lock, LockKind, Locked, Wanted};
use vna_partner::domain::{AccountId, Subject, SubjectKey, Timestamp, TrackingId};
use vna_partner::store::{Batch, Database, DeadlinePlace, Durability, OverdueAccounts, Store, StoreError};

const LONGER_THAN_ANY_TEST: Duration = Duration::from_secs(20);

/// What is wrong with the store.
#[derive(Debug, Clone, Default)]
pub enum Trouble {
    #[default]
    None,
    /// No transaction can be opened.
    Away,
    /// A constraint refuses whatever is written with this decision.
    Refuses(TrackingId),
    /// This account's series are spoilt in a way that the core cannot live with.
    Spoils(AccountId),
    /// Reading this account panics, whether it is loaded or comes with its lock.
    Panics(AccountId),
    /// Whoever locks something is busy, and its thread with it, until the test lets go of the other end.
    KeepsBusy(Arc<Busy>),
    /// Another transaction has this account's lock.
    Holds(AccountId),
    /// Another client has a row that is written with this decision.
    HoldsARow(TrackingId),
    /// Commits are rolled back, and their answers lost.
    LosesCommits,
    /// Commits are durable, and their answers lost.
    LosesAnswers,
    /// As before, and the first question after the commit is not answered either.
    LosesAnswersAndOneQuestion,
    /// Commits are made, and whether they have reached the disk is never known.
    LosesTheDisk,
}

/// What keeps a thread busy.
#[derive(Debug)]
pub struct Busy {
    begun: Semaphore,
    let_go: Mutex<mpsc::Receiver<()>>,
}

impl Busy {
    /// The other end is let go of by being dropped.
    pub fn until_let_go() -> (Arc<Self>, mpsc::Sender<()>) {
        let (lets_go, let_go) = mpsc::channel();
        (Arc::new(Self { begun: Semaphore::new(0), let_go: Mutex::new(let_go) }), lets_go)
    }

    /// Waits until a thread is kept busy.
    pub async fn begins(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    fn be(&self) {
        self.begun.add_permits(1);
        let let_go = self.let_go.lock().unwrap().recv_timeout(LONGER_THAN_ANY_TEST);
        assert_eq!(let_go, Err(mpsc::RecvTimeoutError::Disconnected), "the test's own thread was kept busy, too");
    }
}

/// What passes only while nobody holds it.
type Gate = Arc<tokio::sync::Mutex<()>>;

struct Commits {
    gate: Gate,
    /// On the way of each to the disk.
    disk: Gate,
    /// One permit for each commit that was asked for.
    asked: Semaphore,
}

#[derive(Clone)]
pub struct TroubledStore {
    store: Arc<dyn Store>,
    trouble: Arc<Mutex<Trouble>>,
    gate: Gate,
    /// One permit for each transaction that was asked for.
    begun: Arc<Semaphore>,
    /// Those of them that take locks.
    locking: Arc<AtomicUsize>,
    /// Up to when somebody has last looked for what is overdue.
    looked: watch::Sender<Timestamp>,
    commits: Arc<Commits>,
    loads: Arc<AtomicUsize>,
    /// How many stores are, or were, [apart](Store::apart).
    apart: Arc<AtomicUsize>,
    closed: Arc<AtomicUsize>,
}

impl TroubledStore {
    pub fn over(store: Arc<dyn Database>) -> Self {
        let commits = Arc::new(Commits { gate: Arc::default(), disk: Arc::default(), asked: Semaphore::new(0) });
        let (trouble, gate, loads) = (Arc::default(), Arc::default(), Arc::default());
        let (begun, locking, looked) = (Arc::new(Semaphore::new(0)), Arc::default(), watch::Sender::default());
        let (apart, closed) = (Arc::default(), Arc::default());
        Self { store, trouble, gate, begun, locking, looked, commits, loads, apart, closed }
    }

    pub fn set(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    /// Lets no transaction begin until the guard is dropped.
    pub async fn hold(&self) -> OwnedMutexGuard<()> {
        self.gate.clone().lock_owned().await
    }

    /// Lets no commit through until the guard is dropped.
    pub async fn hold_commits(&self) -> OwnedMutexGuard<()> {
        self.commits.gate.clone().lock_owned().await
    }

    /// Lets no commit reach the disk until the guard is dropped; others are made meanwhile.
    pub async fn hold_the_disk(&self) -> OwnedMutexGuard<()> {
        self.commits.disk.clone().lock_owned().await
    }

    /// Waits until one more commit is asked for.
    pub async fn one_commits(&self) {
        self.commits.asked.acquire().await.unwrap().forget();
    }

    /// How many commits were asked for that nobody has waited for.
    pub fn commits_since(&self) -> usize {
        self.commits.asked.available_permits()
    }

    /// Waits until one more transaction is asked for.
    pub async fn one_begins(&self) {
        self.begun.acquire().await.unwrap().forget();
    }

    /// How many transactions were asked for that nobody has waited for.
    pub fn begun_since(&self) -> usize {
        self.begun.available_permits()
    }

    /// Waits until a round of the sweep knows what is overdue at `at`. It has handed that in by then: it runs on the test's
    /// thread, and does not wait in between.
    pub async fn one_looks_for_overdue(&self, at: Timestamp) {
        self.looked.subscribe().wait_for(|upto| *upto >= at).await.unwrap();
    }

    /// How many transactions that take locks were asked for.
    pub fn locking(&self) -> usize {
        self.locking.load(Ordering::Relaxed)
    }

    /// How many writers had a store of their own, and how many of these were closed.
    pub fn apart_and_closed(&self) -> (usize, usize) {
        (self.apart.load(Ordering::Relaxed), self.closed.load(Ordering::Relaxed))
    }

    /// How often something was loaded.
    pub fn loads(&self) -> usize {
        self.loads.load(Ordering::Relaxed)
    }

    fn troubled(&self, batch: Box<dyn Batch>) -> Box<dyn Batch> {
        let (trouble, commits, loads) = (self.trouble.clone(), self.commits.clone(), self.loads.clone());
        Box::new(TroubledBatch { batch, trouble, commits, loads })
    }

    fn trouble(&self) -> Trouble {
        self.trouble.lock().unwrap().clone()
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("as the test wants it".to_owned())
}

#[async_trait]
impl Store for TroubledStore {
    fn batches_at_once(&self) -> usize {
        self.store.batches_at_once()
    }

    fn apart(&self) -> Option<Arc<dyn Store>> {
        let store = self.store.apart()?;
        self.apart.fetch_add(1, Ordering::Relaxed);
        Some(Arc::new(Self { store, ..self.clone() }))
    }

    async fn begin(&self) -> Result<Box<dyn Batch>, StoreError> {
        self.begun.add_permits(1);
        self.locking.fetch_add(1, Ordering::Relaxed);
        drop(self.gate.lock().await);
        match self.trouble() {
            Trouble::Away => Err(away()),
            _ => Ok(self.troubled(self.store.begin().await?)),
        }
    }

    async fn begin_without_locks(&self) -> Option<Box<dyn Batch>> {
        if matches!(self.trouble(), Trouble::Away) {
            return None;
        }
        let batch = self.store.begin_without_locks().await?;
        self.begun.add_permits(1);
        drop(self.gate.lock().await);
        Some(self.troubled(batch))
    }

    async fn was_committed(&self, batch: TrackingId, at: Timestamp) -> Result<bool, StoreError> {
        if matches!(self.trouble(), Trouble::LosesAnswersAndOneQuestion) {
            self.set(Trouble::LosesAnswers);
            return Err(away());
        }
        self.store.was_committed(batch, at).await
    }

    async fn overdue_accounts(
        &self,
        after: DeadlinePlace,
        upto: Timestamp,
        limit: usize,
    ) -> Result<OverdueAccounts, StoreError> {
        self.store.overdue_accounts(after, upto, limit).await
    }

    async fn overdue_others(&self, at: Timestamp, limit: usize) -> Result<Vec<SubjectKey>, StoreError> {
        let overdue = self.store.overdue_others(at, limit).await;
        self.looked.send_replace(at);
        overdue
    }

    async fn swept(&self) -> Result<Timestamp, StoreError> {
        self.store.swept().await
    }

    async fn remember_swept(&self, swept: Timestamp) -> Result<(), StoreError> {
        self.store.remember_swept(swept).await
    }

    async fn remember_rules(&self, version: &str, text: &str, at: Timestamp) -> Result<(), StoreError> {
        self.store.remember_rules(version, text, at).await
    }

    async fn forget_before(&self, at: Timestamp, limit: u32) -> Result<bool, StoreError> {
        self.store.forget_before(at, limit).await
    }

    async fn close(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
        self.store.close().await;
    }
}

struct TroubledBatch {
    batch: Box<dyn Batch>,
    trouble: Arc<Mutex<Trouble>>,
    commits: Arc<Commits>,
    loads: Arc<AtomicUsize>,
}

impl TroubledBatch {
    fn trouble(&self) -> Trouble {
        self.trouble.lock().unwrap().clone()
    }

    fn spoil(&self, subjects: &mut [Subject]) {
        if let Trouble::Spoils(account) = self.trouble() {
            let spoilt = subjects.iter_mut().filter(|subject| subject.key.key == account.as_str());
            for series in spoilt.flat_map(|subject| subject.series.iter_mut().map(|(_, head)| head)) {
                series.events = i64::MAX;
            }
        }
    }

    fn panic_at<'k>(&self, mut read: impl Iterator<Item = &'k str>) {
        if let Trouble::Panics(account) = self.trouble() {
            assert!(!read.any(|key| key == account.as_str()), "as the test wants it");
        }
    }

    fn judge(&self, changes: &Changes) -> Result<(), StoreError> {
        let decides = |wanted| changes.decisions.iter().any(|decision| decision.id == wanted);
        match self.trouble() {
            Trouble::Refuses(guilty) if decides(guilty) => Err(StoreError::Conflict("as the test wants it".to_owned())),
            Trouble::HoldsARow(needed) if decides(needed) => Err(StoreError::Held("as the test wants it".to_owned())),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Batch for TroubledBatch {
    /// Asks for locks on every store, so that the engine is seen to wait for them.
    fn is_alone(&self) -> bool {
        false
    }

    async fn lock(&mut self, wanted: &BTreeSet<Lock>, named: &BTreeSet<TrackingId>) -> Result<Locked, StoreError> {
        self.panic_at(wanted.iter().map(|lock| lock.key.as_str()));
        if let Trouble::KeepsBusy(busy) = self.trouble() {
            busy.be();
        }
        let Trouble::Holds(account) = self.trouble() else {
            let mut locked = self.batch.lock(wanted, named).await?;
            self.spoil(&mut locked.loaded.subjects);
            return Ok(locked);
        };
        let (held, free) =
            wanted.iter().cloned().partition(|lock| lock.kind == LockKind::Account && lock.key == account.as_str());
        let locked = self.batch.lock(&free, named).await?;
        Ok(Locked { held, ..locked })
    }

    async fn wait_for(&mut self, wanted: &BTreeSet<Lock>) -> Result<(), StoreError> {
        match self.trouble() {
            Trouble::Holds(_) => Err(StoreError::Held("as the test wants it".to_owned())),
            _ => self.batch.wait_for(wanted).await,
        }
    }

    async fn roll_back(self: Box<Self>) {
        self.batch.roll_back().await;
    }

    async fn make_locks(&mut self, absent: &BTreeSet<Lock>) -> Result<(), StoreError> {
        self.batch.make_locks(absent).await
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.panic_at(wanted.all_accounts().into_iter());
        let mut loaded = self.batch.load(wanted).await?;
        self.spoil(&mut loaded.subjects);
        Ok(loaded)
    }

    async fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.judge(changes)?;
        self.batch.write(changes).await
    }

    async fn commit(
        self: Box<Self>,
        changes: &Changes,
        batch: TrackingId,
        at: Timestamp,
    ) -> Result<Durability, StoreError> {
        if let Err(refused) = self.judge(changes) {
            self.batch.roll_back().await;
            return Err(refused);
        }
        self.commits.asked.add_permits(1);
        drop(self.commits.gate.lock().await);
        match self.trouble() {
            Trouble::LosesCommits => Err(away()),
            Trouble::LosesAnswers | Trouble::LosesAnswersAndOneQuestion => {
                self.batch.commit(changes, batch, at).await?.reached().await?;
                Err(away())
            }
            Trouble::LosesTheDisk => {
                self.batch.commit(changes, batch, at).await?.reached().await?;
                Ok(Durability::after(async { Err(away()) }))
            }
            _ => {
                let durability = self.batch.commit(changes, batch, at).await?;
                let disk = self.commits.disk.clone();
                if disk.try_lock().is_ok() {
                    return Ok(durability);
                }
                Ok(Durability::after(async move {
                    drop(disk.lock().await);
                    durability.reached().await
                }))
            }
        }
    }
}
