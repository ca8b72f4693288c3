//! The engine: one queue, one writer, one commit for all that waits.
//!
//! Callers hand in a [`Request`] and wait for its [`Outcome`]; by the time they hear of it, it is durable. The writer
//! runs in its own task, so a caller that hangs up cancels nothing.

use tokio::sync::{mpsc, oneshot};

use crate::decide::{Outcome, Request};

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
    /// The store refused this command alone, or its data cannot be read.
    #[error("the command failed in the store")]
    Failed,
}

/// One request that waits, and who waits for it.
struct Waiting {
    request: Request,
    answer: oneshot::Sender<Result<Outcome, SubmitError>>,
}

/// Hands requests to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    queue: mpsc::Sender<Waiting>,
}

impl Engine {
    /// Waits until the request is decided and durable. A full queue is told at once.
    pub async fn submit(&self, request: Request) -> Result<Outcome, SubmitError> {
        let (answer, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { request, answer }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopping,
        })?;
        outcome.await.unwrap_or(Err(SubmitError::Failed))
    }
}
