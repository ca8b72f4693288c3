//! The store is dumb: it loads what it is asked for and writes what it is told, and decides nothing.
//!
//! [`Store`] is what the writer needs (a transaction that loads and writes in bulk), [`Reads`] what people and status
//! queries need; neither passes through the queue. A store is right when `tests/store`, `tests/properties` and
//! `tests/it` pass on it, for no other reason.

use async_trait::async_trait;
use uuid::Uuid;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide::{Changes, Loaded, Lock, Locked, Wanted};
use crate::domain::{AccountId, SubjectKey, Timestamp, TrackingId};

pub use durability::Durability;
pub use reads::*;
pub use servers::{RunningServer, Servers};
pub use transfer::*;

mod audit;
mod columns;
mod durability;
pub mod postgres;
mod reads;
mod records;
mod rows;
mod series;
mod servers;
pub mod sqlite;
mod transfer;
mod written;

/// What went wrong in the store. The text is for the log; a caller sees only that the server is unavailable.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or answered that it cannot serve now: worth another try.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A constraint refused the write: one of the batch's commands is at fault, or another server was faster.
    #[error("the database refused the write: {0}")]
    Conflict(String),
    /// Another client of the database holds a row that the write needs: others of the batch may not need it.
    #[error("a row is held by another client of the database: {0}")]
    Held(String),
    /// A batch without locks cannot be committed: what it was decided on has changed, or somebody holds it.
    #[error("a batch without locks was overtaken: {0}")]
    Overtaken(String),
    /// A batch without locks cannot be committed: an account is not what the store believed it to be, without looking.
    #[error("what was believed of an account was old: {0}")]
    Outdated(String),
    /// A batch without locks needs more than it can have; nobody is in its way.
    #[error("a batch cannot do without locks: {0}")]
    NeedsLocks(String),
    /// The stored data are not what this version writes.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
}

/// What a batch of commands needs of a database.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// How many batches are worth having under way at the same time; one, where each is [alone](Batch::is_alone).
    fn batches_at_once(&self) -> usize;

    /// The same store over connections of its own, for a writer that has a runtime of its own and calls this on it: what the
    /// database says on a connection is heard by the runtime that has opened it. It is [closed](Self::close) by itself.
    /// `None` where nothing is waited for like that, as a batch keeps the thread that asks it for something until it has
    /// answered.
    fn apart(&self) -> Option<Arc<dyn Store>>;

    /// Opens the transaction of one batch.
    async fn begin(&self) -> Result<Box<dyn Batch>, StoreError>;

    /// A batch that locks nothing, where the store has such: it asks for accounts and the authorizations that it names once, gets
    /// them as they are or as the store believes them to be, and then loads nothing but what is of these accounts. It commits
    /// if they are so and nobody has changed one of them meanwhile. Else it is [`StoreError::Outdated`] or
    /// [`StoreError::Overtaken`]; where it asks for more, [`StoreError::NeedsLocks`].
    async fn begin_without_locks(&self) -> Option<Box<dyn Batch>> {
        None
    }

    /// Whether the batch with this id and moment was committed, durably: asked where a commit's answer was lost. Where it
    /// was not, it never will be.
    async fn was_committed(&self, batch: TrackingId, at: Timestamp) -> Result<bool, StoreError>;

    /// Accounts with an authorization that is open and whose deadline is after `after` and not after `upto`, at most `limit`.
    /// One look takes in some authorizations only.
    async fn overdue_accounts(
        &self,
        after: DeadlinePlace,
        upto: Timestamp,
        limit: usize,
    ) -> Result<OverdueAccounts, StoreError>;

    /// Senders and receivers that have something due at or before `at`, at most `limit`, the longest overdue first.
    async fn overdue_others(&self, at: Timestamp, limit: usize) -> Result<Vec<SubjectKey>, StoreError>;

    /// The deadline before which, as was last remembered, no authorization is open any more.
    async fn swept(&self) -> Result<Timestamp, StoreError>;

    async fn remember_swept(&self, swept: Timestamp) -> Result<(), StoreError>;

    /// Keeps the text of a rule set under its version, so that an old decision can be replayed.
    async fn remember_rules(&self, version: &str, text: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Forgets idempotency records, used-up links and batch ids from before `at`, at most `limit` of each; whether there
    /// may be more.
    async fn forget_before(&self, at: Timestamp, limit: u32) -> Result<bool, StoreError>;

    /// Ends every connection; nothing may be asked afterwards.
    async fn close(&self);
}

/// A place in the order in which authorizations fall due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadlinePlace {
    pub due_at: Timestamp,
    pub id: TrackingId,
}

impl DeadlinePlace {
    /// Before every authorization with this deadline.
    pub fn before(due_at: Timestamp) -> Self {
        Self { due_at, id: TrackingId(Uuid::nil()) }
    }
}

/// What one look at the deadlines of authorizations has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverdueAccounts {
    /// Each with the first of its deadlines, the longest overdue first.
    pub accounts: Vec<(Timestamp, AccountId)>,
    /// Where the next look goes on; `None` where there is nothing further.
    pub come_to: Option<DeadlinePlace>,
}

/// A database: what the writer needs of it, what people read, who works on it, and how it is copied.
pub trait Database: Store + Reads + Servers + Transfer {}

impl<T: Store + Reads + Servers + Transfer> Database for T {}

/// One transaction; where it takes no locks, each of its readings is one, and the commit.
#[async_trait]
pub trait Batch: Send {
    /// Whether nobody else can write before this transaction ends. There is nothing to lock then.
    fn is_alone(&self) -> bool;

    /// Takes those of `wanted` that nobody else has, until the transaction ends, and waits for none. With the locks come
    /// their rows, and of the authorizations that are `named` those that will stay as they are, too.
    async fn lock(&mut self, wanted: &BTreeSet<Lock>, named: &BTreeSet<TrackingId>) -> Result<Locked, StoreError>;

    /// Makes locks that were absent, for good and for everybody: they can be taken from now on. An account's is its row,
    /// which comes with its opening.
    async fn make_locks(&mut self, absent: &BTreeSet<Lock>) -> Result<(), StoreError>;

    /// Takes all of `wanted`, and waits in turn for those that others have, but not for longer than a batch takes.
    /// [`StoreError::Held`] where one stays held; then it has taken none.
    async fn wait_for(&mut self, wanted: &BTreeSet<Lock>) -> Result<(), StoreError>;

    /// Loads everything `wanted` names, and says of the rest that it does not exist.
    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError>;

    /// Writes in one go, whatever the number of changes: for who writes several times.
    async fn write(&mut self, changes: &Changes) -> Result<(), StoreError>;

    /// Ends the transaction without a trace, and has let go of its locks when this returns. One that is dropped is rolled
    /// back, too, some time later.
    async fn roll_back(self: Box<Self>);

    /// Writes the last of the changes and commits under the batch's id, which is written with them. Where the write is
    /// refused, it has rolled back, as [`Batch::roll_back`] does. Others can begin when this returns; who waits for what
    /// was committed hears of it once it is durable.
    async fn commit(
        self: Box<Self>,
        changes: &Changes,
        batch: TrackingId,
        at: Timestamp,
    ) -> Result<Durability, StoreError>;
}
