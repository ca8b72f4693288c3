//! One batch inside one transaction: lock, load, decide, load what was missing, decide again, write.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::decide::{Changes, Context, Lock, Outcome, PutBack, Recollection, Request, State, decide_batch};
use crate::domain::{Decision, Timestamp, TrackingId};
use crate::store::{Batch, Durability, Store, StoreError};

/// Rounds of loading before a batch is given up. Each command needs three or four at most; commands of one batch may
/// need one after the other's, but load together.
const MAX_ROUNDS: usize = 64;

/// How long a command waits in all for what others hold, before its caller is told to come again.
pub(super) const HELD_AT_MOST: Duration = Duration::from_secs(3);

/// Pause before what is still held is tried again.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_millis(3);

/// Why a batch was not carried out. Its transaction is to be dropped.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row that the batch's commands write is held by another client of the database.
    #[error("{why}")]
    Held {
        /// All that the batch has locked.
        behind: BTreeSet<Lock>,
        why: StoreError,
    },
    /// A defect of ours: the core asked for nothing new or for too much, or something panicked.
    #[error("the batch could not be decided: {0}")]
    Undecided(&'static str),
}

/// What a batch came to.
#[derive(Debug)]
pub struct Executed<T> {
    /// One per request, in order.
    pub outcomes: Vec<T>,
    pub decisions: Vec<Decision>,
}

/// A batch that is decided and not written yet.
pub(super) struct Unwritten {
    /// One per request, in order.
    pub outcomes: Vec<Result<Outcome, PutBack>>,
    pub changes: Changes,
    /// All that the batch has locked.
    behind: BTreeSet<Lock>,
}

impl Unwritten {
    fn new(state: State, outcomes: Vec<Result<Outcome, PutBack>>) -> Self {
        let (changes, behind) = state.into_changes();
        Self { outcomes, changes, behind }
    }

    /// Writes it and commits.
    pub(super) async fn commit(
        &self,
        batch: Box<dyn Batch>,
        id: TrackingId,
        at: Timestamp,
    ) -> Result<Durability, ExecuteError> {
        batch.commit(&self.changes, id, at).await.map_err(|error| self.refused(error))
    }

    async fn write(&self, batch: &mut dyn Batch) -> Result<(), ExecuteError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        batch.write(&self.changes).await.map_err(|error| self.refused(error))
    }

    fn refused(&self, error: StoreError) -> ExecuteError {
        match error {
            why @ StoreError::Held(_) => ExecuteError::Held { behind: self.behind.clone(), why },
            error => error.into(),
        }
    }

    pub(super) fn into_executed(self) -> Executed<Result<Outcome, PutBack>> {
        Executed { outcomes: self.outcomes, decisions: self.changes.decisions }
    }
}

/// Decides `requests` in order over what the transaction's store holds, and writes the changes. The caller commits.
///
/// # Errors
/// [`ExecuteError`], also where others hold something that they name; then nothing of the batch may be committed.
pub async fn execute(
    batch: &mut dyn Batch,
    context: &Context,
    requests: &[Request],
) -> Result<Executed<Outcome>, ExecuteError> {
    let state = State::for_requests(context, requests, &Recollection::default());
    let decided = decide_what_can_be(batch, context, state, requests).await?;
    if decided.outcomes.iter().all(Result::is_ok) {
        decided.write(batch).await?;
    }
    let Executed { outcomes, decisions } = decided.into_executed();
    match outcomes.into_iter().collect() {
        Ok(outcomes) => Ok(Executed { outcomes, decisions }),
        Err(PutBack { behind }) => {
            let why = StoreError::Held("another transaction does not end".to_owned());
            Err(ExecuteError::Held { behind, why })
        }
    }
}

/// A transaction in which nobody else can add a person: for many accounts at once.
///
/// # Errors
/// [`StoreError`], where somebody else does the same for three seconds.
pub async fn begin_with_the_directory(store: &dyn Store) -> Result<Box<dyn Batch>, StoreError> {
    let directory = Lock::whole_directory();
    let until = Instant::now() + HELD_AT_MOST;
    loop {
        let mut batch = store.begin().await?;
        if batch.is_alone() {
            return Ok(batch);
        }
        batch.make_locks(&directory).await?;
        match batch.wait_for(&directory).await {
            Ok(()) => return Ok(batch),
            Err(StoreError::Held(_)) if Instant::now() < until => {}
            Err(error) => return Err(error),
        }
        batch.roll_back().await;
    }
}

/// Decides `requests` in order over what the transaction's store holds, beginning with `state`. What names something that
/// others hold is put back: the rest goes on without it.
///
/// # Errors
/// [`ExecuteError`]; then nothing of the batch may be committed.
pub(super) async fn decide_what_can_be(
    batch: &mut dyn Batch,
    context: &Context,
    mut state: State,
    requests: &[Request],
) -> Result<Unwritten, ExecuteError> {
    if batch.is_alone() {
        state = state.alone();
    }
    for _ in 0..MAX_ROUNDS {
        state = lock(batch, state).await?;
        let wanted = state.take_wanted();
        if !wanted.is_empty() {
            let loaded = batch.load(&wanted).await?;
            state.absorb(wanted, loaded);
        }
        if let Ok(outcomes) = decide_batch(context, &mut state, requests) {
            return Ok(Unwritten::new(state, outcomes));
        }
        if !state.wants_more() {
            return Err(ExecuteError::Undecided("something is missing that nobody asked for"));
        }
    }
    Err(ExecuteError::Undecided("it needed too many rounds of loading"))
}

/// Asks for the locks that the state wants. Where there are any, it has what came with them, and the rest to read again.
async fn lock(batch: &mut dyn Batch, mut state: State) -> Result<State, StoreError> {
    let wanted = state.locks_to_ask();
    if wanted.is_empty() {
        return Ok(state);
    }
    let (mut loaded, absent) = state.locked(batch.lock(&wanted, state.authorizations_to_ask()).await?);
    if !absent.is_empty() {
        batch.make_locks(&absent).await?;
        let (made, _) = state.locked(batch.lock(&absent, &BTreeSet::new()).await?);
        loaded.accounts.extend(made.accounts);
        loaded.subjects.extend(made.subjects);
    }
    Ok(state.read_again(loaded))
}
