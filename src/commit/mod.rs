//! The engine: a queue, and one commit for all that waits in it.
//!
//! Callers hand in a [`Request`] and wait for its [`Outcome`]; by the time they hear of it, it is durable. A writer
//! takes all that waits, up to [`Limits::batch`], loads what the batch touches, runs the core over it in order, writes,
//! and commits once. A lone request is a batch of one and waits for nothing; under load the batches grow by themselves.
//!
//! What names something that another server's batch, or another client of the database, holds goes to a second lane and
//! is tried again there, so that it delays nobody else ([`lanes`]).
//!
//! Where the store takes several batches at the same time, there are as many writers, each with a queue of its own;
//! commands that name the same have the same one ([`division`]).
//!
//! A writer of the first lane is a thread of its own, and the second's a task, so a caller that hangs up cancels nothing, and
//! ledger work is never under a timeout. Only this module waits for a store's transaction; only `decide` decides what is in it.

mod division;
mod execute;
mod housekeeping;
mod lanes;
mod writer;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Span;

use crate::clock::Clock;
use crate::decide::{Context, Outcome, Request};
use crate::store::Store;
use crate::telemetry;

use self::division::Division;
use self::writer::{ON_THEIR_WAY_AT_MOST, Stuck, Wariness, Writer};

pub use execute::{ExecuteError, Executed, begin_with_the_directory, execute};

/// Bounds of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many requests may wait; one more is told at once that the server is overloaded. At 10,000 commits a second
    /// the last of 4,096 waits less than half a second, which a caller bears; a longer queue only hides an overload.
    pub queue: usize,
    /// How many requests one commit holds at most: enough that its fsync is shared to nothing, few enough that the
    /// first of them does not wait for the last.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { queue: 4_096, batch: 256 }
    }
}

/// Why a request has no outcome. Nothing is known to have been written, and nothing positive may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The queue is full; nothing was written. Worth a retry.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The server is stopping and takes no more; nothing was written.
    #[error("the server is stopping")]
    Stopping,
    /// The store does not answer. Worth a retry.
    #[error("the store is unavailable")]
    Unavailable,
    /// Others held what the command names for too long; nothing was written. Worth a retry.
    #[error("somebody else holds what the command names")]
    Held,
    /// The store refused this command alone, or its data cannot be read.
    #[error("the command failed in the store")]
    Failed,
}

/// One request that waits, and who waits for it.
struct Waiting {
    request: Request,
    /// Has the caller's request id, so that a failure's log line has it.
    caller: Span,
    answer: oneshot::Sender<Result<Outcome, SubmitError>>,
}

/// How many more requests may wait, in all queues together.
#[derive(Clone)]
struct Room {
    free: Arc<Semaphore>,
    limits: Limits,
}

impl Room {
    fn new(limits: Limits) -> Self {
        Self { free: Arc::new(Semaphore::new(limits.queue)), limits }
    }

    /// Whether there is room for one more, which is then taken.
    fn enter(&self) -> bool {
        let entered = self.free.try_acquire().map(SemaphorePermit::forget).is_ok();
        // Here as well as where a batch is taken: while the store is stuck, no batch is.
        self.note_depth();
        entered
    }

    /// So many wait no more.
    fn leave(&self, requests: usize) {
        self.free.add_permits(requests);
        self.note_depth();
    }

    fn note_depth(&self) {
        let waiting = self.limits.queue - self.free.available_permits();
        metrics::gauge!(telemetry::QUEUE_DEPTH).set(u32::try_from(waiting).unwrap_or(u32::MAX));
    }
}

/// Hands requests to the writers. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    /// One for each writer of the first lane.
    queues: Arc<[mpsc::UnboundedSender<Waiting>]>,
    room: Room,
    division: Division,
    context: Arc<Context>,
}

/// The engine's tasks, to be stopped in order.
pub struct Running {
    stop: watch::Sender<bool>,
    writer: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
}

impl Engine {
    /// Starts the writers, each on a thread, and the housekeeping on the current runtime.
    pub fn start(store: Arc<dyn Store>, context: Arc<Context>, clock: Clock, limits: Limits) -> (Self, Running) {
        let writers = store.batches_at_once().max(1);
        let (queues, waiting): (Vec<_>, Vec<_>) = (0..writers).map(|_| mpsc::unbounded_channel()).unzip();
        let (stop, stopping) = watch::channel(false);
        let room = Room::new(limits);
        let division = Division::among(writers);
        let engine = Self { queues: queues.into(), room: room.clone(), division, context: context.clone() };
        let hand = Writer {
            store: store.clone(),
            context,
            stuck: Stuck::default(),
            wariness: Wariness::default(),
            recollection: Arc::default(),
            runtime: Handle::current(),
            answers: TaskTracker::new(),
            on_their_way: Arc::new(Semaphore::new(ON_THEIR_WAY_AT_MOST)),
        };
        let writer = tokio::spawn(lanes::run(hand, waiting, room, limits, stopping.clone()));
        let housekeeping = tokio::spawn(housekeeping::run(store, engine.clone(), clock, stopping));
        (engine, Running { stop, writer, housekeeping })
    }

    /// What every request is decided under.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Waits until the request is decided and durable. A full queue is told at once.
    ///
    /// # Errors
    /// [`SubmitError`], none of which says that the request was carried out.
    pub async fn submit(&self, request: Request) -> Result<Outcome, SubmitError> {
        if !self.room.enter() {
            return Err(SubmitError::Overloaded);
        }
        let (answer, outcome) = oneshot::channel();
        // Kept until the answer is there, or nobody waits for it any more.
        let place = self.division.place(&request, &self.context);
        let waiting = Waiting { request, caller: Span::current(), answer };
        if self.queues[place.writer].send(waiting).is_err() {
            self.room.leave(1);
            return Err(SubmitError::Stopping);
        }
        outcome.await.unwrap_or(Err(SubmitError::Failed))
    }
}

impl Running {
    /// Takes no more requests, answers all that were taken, and ends.
    pub async fn stop(self) {
        // The writer may have ended already; then there is nothing left to tell.
        self.stop.send_replace(true);
        for task in [self.housekeeping, self.writer] {
            if let Err(error) = task.await {
                tracing::error!(%error, "an engine task did not end in order");
            }
        }
    }
}
