//! The one task that writes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::Span;

use super::execute::{ExecuteError, Executed, execute};
use super::{Limits, SubmitError, Waiting, note_depth};
use crate::clock;
use crate::decide::{Context, Outcome, Request};
use crate::domain::{Decision, Timestamp, TrackingId};
use crate::store::{Store, StoreError};
use crate::telemetry;

/// How often a commit whose answer was lost is asked after before its callers are told that nothing is known.
const ASKING_AFTER_A_LOST_COMMIT: u32 = 5;

/// Pause between two such questions.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

pub(super) async fn run(
    store: Arc<dyn Store>,
    context: Arc<Context>,
    mut queue: mpsc::Receiver<Waiting>,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    let writer = Writer { store, context };
    let mut waiting = Vec::with_capacity(limits.batch);
    loop {
        tokio::select! {
            biased;
            // Either branch may be dropped half-way: taking from a queue and watching a flag lose nothing.
            _ = stopping.wait_for(|stop| *stop), if !queue.is_closed() => {
                queue.close();
                continue;
            }
            taken = queue.recv_many(&mut waiting, limits.batch) => {
                if taken == 0 {
                    return;
                }
            }
        }
        note_depth(queue.len());
        writer.carry_out(std::mem::take(&mut waiting)).await;
    }
}

/// Who waits, in their request's span; `None` once they were answered.
type Caller = (Span, Option<oneshot::Sender<Result<Outcome, SubmitError>>>);

struct Writer {
    store: Arc<dyn Store>,
    context: Arc<Context>,
}

impl Writer {
    /// Carries out a batch and answers everybody in it. A batch that fails is split until only the guilty command fails.
    async fn carry_out(&self, waiting: Vec<Waiting>) {
        let (requests, mut callers): (Vec<Request>, Vec<Caller>) =
            waiting.into_iter().map(|one| (one.request, (one.caller, Some(one.answer)))).unzip();
        let mut parts: Vec<_> = std::iter::once(0..requests.len()).collect();
        while let Some(part) = parts.pop() {
            let results = match self.commit(&requests[part.clone()]).await {
                Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
                Err(failure) if failure.is_the_stores() => {
                    failure.log(&requests[part.clone()], &callers[part.clone()]);
                    vec![Err(SubmitError::Unavailable); part.len()]
                }
                Err(failure) if part.len() == 1 => {
                    failure.log(&requests[part.clone()], &callers[part.clone()]);
                    vec![Err(SubmitError::Failed)]
                }
                Err(failure) => {
                    tracing::warn!(
                        error = %failure.error, commands = part.len(), batch = %failure.batch,
                        "a batch was not committed and is split to find the guilty command"
                    );
                    let middle = part.start + part.len() / 2;
                    // The first half is on top: the order of the queue stays the order of the commits.
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                    continue;
                }
            };
            for ((_, answer), result) in callers[part].iter_mut().zip(results) {
                if let Some(answer) = answer.take() {
                    // Whoever hung up does not hear it; it is durable all the same.
                    drop(answer.send(result));
                }
            }
        }
    }

    async fn commit(&self, requests: &[Request]) -> Result<Vec<Outcome>, Failure> {
        let started = Instant::now();
        let batch_id = clock::fresh_id();
        let at = requests.iter().map(|request| request.received_at).max().unwrap_or_default();
        // A panic must cost its own command only: without the writer, nobody would be answered any more.
        let attempt = AssertUnwindSafe(self.attempt(batch_id, at, requests)).catch_unwind().await;
        match attempt.unwrap_or(Err(ExecuteError::Undecided("a panic"))) {
            Ok(executed) => {
                metrics::histogram!(telemetry::COMMIT_SECONDS).record(started.elapsed().as_secs_f64());
                metrics::histogram!(telemetry::BATCH_COMMANDS)
                    .record(u32::try_from(requests.len()).unwrap_or(u32::MAX));
                executed.decisions.iter().for_each(count);
                Ok(executed.outcomes)
            }
            Err(error) => Err(Failure { batch: batch_id, error }),
        }
    }

    async fn attempt(&self, id: TrackingId, at: Timestamp, requests: &[Request]) -> Result<Executed, ExecuteError> {
        let mut batch = self.store.begin().await?;
        let executed = execute(&mut *batch, &self.context, requests).await?;
        match batch.commit(id, at).await {
            Ok(()) => Ok(executed),
            // A commit whose answer was lost is unknown, not failed: the batch's own id tells.
            Err(StoreError::Unavailable(error)) if self.was_committed(id).await => {
                tracing::warn!(error, batch = %id, "a commit's answer was lost, and the commit was found");
                Ok(executed)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn was_committed(&self, id: TrackingId) -> bool {
        for _ in 0..ASKING_AFTER_A_LOST_COMMIT {
            match self.store.was_committed(id).await {
                Ok(found) => return found,
                Err(error) => tracing::warn!(%error, batch = %id, "asking after a lost commit failed"),
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        false
    }
}

/// A batch that was not committed.
struct Failure {
    batch: TrackingId,
    error: ExecuteError,
}

impl Failure {
    /// Whether the store does not serve and nobody in the batch is at fault; else somebody is.
    fn is_the_stores(&self) -> bool {
        match self.error {
            ExecuteError::Store(StoreError::Unavailable(_)) => true,
            ExecuteError::Store(StoreError::Conflict(_) | StoreError::Corrupt(_)) | ExecuteError::Undecided(_) => false,
        }
    }

    /// A line for each caller who gets no answer, with the caller's request id.
    fn log(&self, requests: &[Request], callers: &[Caller]) {
        let (error, batch) = (&self.error, self.batch);
        for (request, (caller, _)) in requests.iter().zip(callers) {
            caller.in_scope(|| tracing::error!(%error, command = %request.id, %batch, "a command was not committed"));
        }
    }
}

fn count(decision: &Decision) {
    let approved = if decision.approved { "true" } else { "false" };
    let reason = decision.reason.map_or("None", crate::domain::Reason::as_str);
    metrics::counter!(
        telemetry::DECISIONS,
        "kind" => decision.kind.as_str(), "approved" => approved, "reason" => reason
    )
    .increment(1);
}
