//! One batch inside one transaction: load, decide, load what was missing, decide again, write.

use crate::decide::{Context, Outcome, Request, State, Wanted, decide_batch};
use crate::domain::Decision;
use crate::store::{Batch, StoreError};

/// Rounds of loading before a batch is given up. Each command needs three or four at most; commands of one batch may
/// need one after the other's, but load together.
const MAX_ROUNDS: usize = 64;

/// Why a batch was not carried out. Its transaction is to be dropped.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect of ours: the core asked for nothing new or for too much, or something panicked.
    #[error("the batch could not be decided: {0}")]
    Undecided(&'static str),
}

/// What a batch came to, written and not committed yet.
#[derive(Debug)]
pub struct Executed {
    /// One per request, in order.
    pub outcomes: Vec<Outcome>,
    pub decisions: Vec<Decision>,
}

/// Decides `requests` in order over what the transaction's store holds, and writes the changes. The caller commits.
///
/// # Errors
/// [`ExecuteError`]; then nothing of the batch may be committed.
pub async fn execute(batch: &mut dyn Batch, context: &Context, requests: &[Request]) -> Result<Executed, ExecuteError> {
    let horizon = requests.iter().map(|request| request.received_at).max().unwrap_or_default();
    let mut state = State::until(horizon);
    let mut wanted = Wanted::for_requests(context, requests);
    for _ in 0..MAX_ROUNDS {
        if !wanted.is_empty() {
            let loaded = batch.load(&wanted).await?;
            state.absorb(&wanted, loaded);
        }
        if let Ok(outcomes) = decide_batch(context, &mut state, requests) {
            let mut changes = state.into_changes();
            if !changes.is_empty() {
                batch.write(&changes).await?;
            }
            return Ok(Executed { outcomes, decisions: std::mem::take(&mut changes.decisions) });
        }
        wanted = state.take_wanted();
        if wanted.is_empty() {
            return Err(ExecuteError::Undecided("something is missing that nobody asked for"));
        }
    }
    Err(ExecuteError::Undecided("it needed too many rounds of loading"))
}
