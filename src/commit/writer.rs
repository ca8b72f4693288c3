//! Carrying out a batch: the attempts, what they fail with, and the answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::{self, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::Span;

use super::execute::{ExecuteError, Executed, HELD_AT_MOST, Unwritten, decide_what_can_be};
use super::{SubmitError, Waiting};
use crate::clock;
use crate::decide::{Context, Lock, Outcome, PutBack, Recollection, Request, State};
use crate::domain::{Decision, Reason, Timestamp, TrackingId};
use crate::store::{Batch, Durability, Store, StoreError};
use crate::telemetry;

/// How often a commit whose answer was lost is asked after before its callers are told that nothing is known.
const ASKING_AFTER_A_LOST_COMMIT: u32 = 5;

/// Pause between two such questions.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Commits that may be on their way to the disk at the same time. One is synced and one waits for the next sync as a rule.
pub(super) const ON_THEIR_WAY_AT_MOST: usize = 4;

/// So many batches take locks after one without was overtaken: whoever wants the same accounts is likely to be still there.
const WARY_OF_RIVALS: u32 = 64;

/// And after one that has needed more than accounts.
const WARY_OF_MORE: u32 = 8;

/// How long what stayed held is only tried, without waiting.
const LET_ALONE_FOR: Duration = Duration::from_secs(1);

/// Who waits, in their request's span.
struct Caller {
    command: TrackingId,
    span: Span,
    answer: oneshot::Sender<Result<Outcome, SubmitError>>,
}

impl Caller {
    fn tell(self, result: Result<Outcome, SubmitError>) {
        // Whoever hung up does not hear it; it is durable all the same.
        drop(self.answer.send(result));
    }

    /// Tells one who gets no answer, with a line under the request's id that says why.
    fn fail(self, error: SubmitError, why: &dyn Display, batch: TrackingId, what: &'static str) {
        let command = self.command;
        self.span.in_scope(|| tracing::error!(error = %why, %command, %batch, "{what}"));
        self.tell(Err(error));
    }
}

/// Commands that stand next to each other in a batch, tried together.
struct Part {
    range: Range<usize>,
    /// The same part was refused before: once more would be no help.
    again: bool,
}

/// A command that could not have its turn, with its place in the batch and the locks that it names.
pub(super) struct Late {
    pub place: usize,
    pub waiting: Waiting,
    pub behind: BTreeSet<Lock>,
}

fn apart(waiting: Waiting) -> (Request, Option<Caller>) {
    let Waiting { request, caller, answer } = waiting;
    let caller = Caller { command: request.id, span: caller, answer };
    (request, Some(caller))
}

/// What a batch came to, and when that is durable; nothing, where there was nothing to commit.
type Attempted = (Executed<Result<Outcome, PutBack>>, Option<Durability>);

#[derive(Clone)]
pub(super) struct Writer {
    pub store: Arc<dyn Store>,
    pub context: Arc<Context>,
    pub stuck: Stuck,
    pub wariness: Wariness,
    pub recollection: Arc<Mutex<Recollection>>,
    /// What all writers share.
    pub runtime: Handle,
    /// The tasks of commits that are not durable yet, while the next batch is written.
    pub answers: TaskTracker,
    /// Room for a few of them: where the disk stands still, the queue is to fill and to be refused, not the memory.
    pub on_their_way: Arc<Semaphore>,
}

/// How many more batches take locks at once, because one without was decided in vain.
#[derive(Clone, Default)]
pub(super) struct Wariness(Arc<AtomicU32>);

impl Wariness {
    fn lasts(&self, batches: u32) {
        self.0.fetch_max(batches, Ordering::Relaxed);
    }

    /// Whether there is any left, of which this batch takes one.
    fn is_left(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Locks that stayed held while a batch waited its turn, each with the moment until which nobody waits for it again: a row
/// that another client forgot must not cost the rest of the lane a wait in every round.
#[derive(Clone, Default)]
pub(super) struct Stuck(Arc<Mutex<BTreeMap<Lock, Instant>>>);

impl Stuck {
    pub(super) fn locks(&self) -> BTreeSet<Lock> {
        let now = Instant::now();
        let mut stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.retain(|_, until| *until > now);
        stuck.keys().cloned().collect()
    }

    fn add(&self, locks: BTreeSet<Lock>) {
        let until = Instant::now() + LET_ALONE_FOR;
        let mut stuck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stuck.extend(locks.into_iter().map(|lock| (lock, until)));
    }
}

impl Writer {
    /// Starts what carries out batches with this writer, on a thread with a runtime of its own. On one that others use nobody
    /// listens to the database while one of them decides (docs/adr/0030).
    pub(super) fn start<Lane>(self, lane: impl FnOnce(Self) -> Lane + Send + 'static) -> JoinHandle<()>
    where
        Lane: Future<Output = ()>,
    {
        spawn_blocking(move || {
            let shared = self.runtime.clone();
            match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(own) => own.block_on(self.apart(lane)),
                Err(error) => {
                    tracing::warn!(%error, "a writer has no runtime of its own, and is slower");
                    shared.block_on(self.apart(lane));
                }
            }
        })
    }

    async fn apart<Lane: Future<Output = ()>>(self, lane: impl FnOnce(Self) -> Lane) {
        let Some(store) = self.store.apart() else { return lane(self).await };
        lane(Self { store: store.clone(), ..self }).await;
        store.close().await;
    }

    /// Carries out a batch and answers everybody in it, but for those whose locks others hold or who name one of `held`:
    /// they come back, in order. A batch that fails is split until only the guilty command fails. It begins by waiting its
    /// turn for `expected`, which is what these commands are known to name; `None`, where they are new. Where a commit takes
    /// a while to be durable, its callers are answered later, by a task among `answers`.
    pub(super) async fn carry_out(
        &self,
        waiting: Vec<Waiting>,
        expected: Option<&BTreeSet<Lock>>,
        held: &BTreeSet<Lock>,
    ) -> Vec<Late> {
        let until = Instant::now() + HELD_AT_MOST;
        let (requests, mut callers): (Vec<Request>, Vec<Option<Caller>>) = waiting.into_iter().map(apart).unzip();
        let mut held = held.clone();
        let mut late = BTreeMap::new();
        let mut parts = vec![Part { range: 0..requests.len(), again: false }];
        while let Some(Part { range, again }) = parts.pop() {
            let failure = match self.commit(&requests[range.clone()], expected, &held).await {
                Ok((outcomes, commit)) => {
                    let mut answers = Vec::with_capacity(outcomes.len());
                    for (place, outcome) in range.zip(outcomes) {
                        match outcome {
                            Ok(outcome) => answers.extend(callers[place].take().map(|caller| (caller, outcome))),
                            Err(PutBack { behind }) => {
                                held.extend(behind.iter().cloned());
                                late.insert(place, behind);
                            }
                        }
                    }
                    if let Some(commit) = commit {
                        self.answer_once_durable(commit, answers).await;
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            let error = match failure.consequence(range.len(), again, until) {
                Consequence::Fails(error) => error,
                Consequence::WaitsBehind(behind) => {
                    held.extend(behind.iter().cloned());
                    late.insert(range.start, behind);
                    continue;
                }
                Consequence::IsTriedAgain => {
                    parts.push(Part { range, again: true });
                    continue;
                }
                Consequence::IsSplit => {
                    tracing::warn!(
                        error = %failure.error, commands = range.len(), batch = %failure.batch,
                        "a batch was not committed and is split to find the guilty command"
                    );
                    let middle = range.start + range.len() / 2;
                    // The first half is on top: the order of the queue stays the order of the commits.
                    parts.push(Part { range: middle..range.end, again: false });
                    parts.push(Part { range: range.start..middle, again: false });
                    continue;
                }
            };
            for caller in callers[range].iter_mut().filter_map(Option::take) {
                caller.fail(error, &failure.error, failure.batch, "a command was not committed");
            }
        }
        let all = requests.into_iter().zip(callers).enumerate();
        all.filter_map(|(place, (request, caller))| {
            let (behind, caller) = (late.remove(&place)?, caller?);
            let waiting = Waiting { request, caller: caller.span, answer: caller.answer };
            Some(Late { place, waiting, behind })
        })
        .collect()
    }

    /// At once where it is durable already; else from a task, so that the next batch can begin.
    async fn answer_once_durable(&self, commit: Commit, answers: Vec<(Caller, Outcome)>) {
        if matches!(commit.durability, Durability::Reached) {
            return commit.answer(answers).await;
        }
        // It is never closed.
        let Ok(place) = self.on_their_way.clone().acquire_owned().await else { return };
        let answering = async move {
            commit.answer(answers).await;
            drop(place);
        };
        self.answers.spawn_on(answering, &self.runtime);
    }

    /// What came of each, and the commit that made it so: none, where there was nothing to commit.
    async fn commit(
        &self,
        requests: &[Request],
        expected: Option<&BTreeSet<Lock>>,
        held: &BTreeSet<Lock>,
    ) -> Result<(Vec<Result<Outcome, PutBack>>, Option<Commit>), Failure> {
        let started = Instant::now();
        let batch = clock::fresh_id();
        let at = requests.iter().map(|request| request.received_at).max().unwrap_or_default();
        // A panic must cost its own command only: without the writer, nobody would be answered any more.
        let attempt = AssertUnwindSafe(self.attempt(batch, at, requests, expected, held)).catch_unwind().await;
        match attempt.unwrap_or(Err(ExecuteError::Undecided("a panic"))) {
            Ok((Executed { outcomes, decisions }, durability)) => {
                let commit = durability.map(|durability| Commit { batch, started, decisions, durability });
                Ok((outcomes, commit))
            }
            Err(error) => Err(Failure { batch, error }),
        }
    }

    async fn attempt(
        &self,
        id: TrackingId,
        at: Timestamp,
        requests: &[Request],
        expected: Option<&BTreeSet<Lock>>,
        held: &BTreeSet<Lock>,
    ) -> Result<Attempted, ExecuteError> {
        let mut state = self.state(requests, held);
        // What waits behind others has to have its turn.
        if expected.is_none()
            && held.is_empty()
            && state.is_of_accounts_alone(&self.context, requests)
            && !self.wariness.is_left()
            && let Some(batch) = self.store.begin_without_locks().await
        {
            match self.attempt_without_locks(batch, state, id, at, requests).await {
                Ok(done) => {
                    if done.is_ok() {
                        count_without_locks("carried_out");
                    }
                    return done;
                }
                Err(InVain { wary_for, why }) => {
                    tracing::debug!(why, batch = %id, "a batch without locks is decided again, with locks");
                    count_without_locks(why);
                    self.wariness.lasts(wary_for);
                }
            }
            state = self.state(requests, held);
        }
        let mut batch = self.store.begin().await?;
        match self.decide(&mut *batch, state, requests, expected).await {
            Ok(decided) if decided.outcomes.iter().any(Result::is_ok) => self.write(batch, decided, id, at).await,
            nothing_to_commit => {
                batch.roll_back().await;
                nothing_to_commit.map(|decided| (decided.into_executed(), None))
            }
        }
    }

    async fn attempt_without_locks(
        &self,
        mut batch: Box<dyn Batch>,
        state: State,
        id: TrackingId,
        at: Timestamp,
        requests: &[Request],
    ) -> Result<Result<Attempted, ExecuteError>, InVain> {
        let decided = match decide_what_can_be(&mut *batch, &self.context, state, requests).await {
            Ok(decided) if decided.outcomes.iter().any(Result::is_ok) => decided,
            refused => {
                batch.roll_back().await;
                return Err(match refused {
                    Ok(_) | Err(ExecuteError::Store(StoreError::NeedsLocks(_))) => InVain::NEEDED_MORE,
                    Err(_) => InVain { wary_for: WARY_OF_MORE, why: "failed" },
                });
            }
        };
        match self.write(batch, decided, id, at).await {
            Err(ExecuteError::Store(StoreError::Overtaken(_))) => {
                Err(InVain { wary_for: WARY_OF_RIVALS, why: "overtaken" })
            }
            Err(ExecuteError::Store(StoreError::NeedsLocks(_))) => Err(InVain::NEEDED_MORE),
            // Nobody need be there any more.
            Err(ExecuteError::Store(StoreError::Outdated(_))) => Err(InVain { wary_for: 0, why: "outdated" }),
            done => Ok(done),
        }
    }

    fn state(&self, requests: &[Request], held: &BTreeSet<Lock>) -> State {
        State::for_requests(&self.context, requests, &self.recollection()).without(held)
    }

    async fn write(
        &self,
        batch: Box<dyn Batch>,
        decided: Unwritten,
        id: TrackingId,
        at: Timestamp,
    ) -> Result<Attempted, ExecuteError> {
        let durability = match decided.commit(batch, id, at).await {
            Ok(durability) => durability,
            // A commit whose answer was lost is unknown, not failed: the batch's own id tells.
            Err(ExecuteError::Store(StoreError::Unavailable(error))) if self.was_committed(id, at).await => {
                tracing::warn!(error, batch = %id, "a commit's answer was lost, and the commit was found");
                Durability::Reached
            }
            Err(error) => return Err(error),
        };
        self.recollection().learn(&decided.changes);
        Ok((decided.into_executed(), Some(durability)))
    }

    async fn decide(
        &self,
        batch: &mut dyn Batch,
        state: State,
        requests: &[Request],
        expected: Option<&BTreeSet<Lock>>,
    ) -> Result<Unwritten, ExecuteError> {
        if let Some(expected) = expected.filter(|expected| !expected.is_empty()) {
            match batch.wait_for(expected).await {
                Ok(()) => {}
                // What stays held for longer than batches take is let alone; the rest need not wait for it.
                Err(StoreError::Held(_)) => self.stuck.add(batch.lock(expected, &BTreeSet::new()).await?.held),
                Err(error) => return Err(error.into()),
            }
        }
        decide_what_can_be(batch, &self.context, state, requests).await
    }

    fn recollection(&self) -> MutexGuard<'_, Recollection> {
        self.recollection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn was_committed(&self, id: TrackingId, at: Timestamp) -> bool {
        for _ in 0..ASKING_AFTER_A_LOST_COMMIT {
            match self.store.was_committed(id, at).await {
                Ok(found) => return found,
                Err(error) => tracing::warn!(%error, batch = %id, "asking after a lost commit failed"),
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
        false
    }
}

/// A batch without locks that has committed nothing.
struct InVain {
    /// So many batches take locks at once.
    wary_for: u32,
    why: &'static str,
}

impl InVain {
    const NEEDED_MORE: Self = Self { wary_for: WARY_OF_MORE, why: "needed_more" };
}

/// A batch that was committed.
struct Commit {
    batch: TrackingId,
    started: Instant,
    decisions: Vec<Decision>,
    durability: Durability,
}

impl Commit {
    /// Answers once it is durable; where it is not known to be, nothing positive.
    async fn answer(self, answers: Vec<(Caller, Outcome)>) {
        if let Err(error) = self.durability.reached().await {
            let what = "a command was committed, and is not known to be on the disk";
            answers.into_iter().for_each(|(caller, _)| caller.fail(SubmitError::Unavailable, &error, self.batch, what));
            return;
        }
        metrics::histogram!(telemetry::COMMIT_SECONDS).record(self.started.elapsed().as_secs_f64());
        metrics::histogram!(telemetry::BATCH_COMMANDS).record(u32::try_from(answers.len()).unwrap_or(u32::MAX));
        count(&self.decisions);
        for (caller, outcome) in answers {
            caller.tell(Ok(outcome));
        }
    }
}

/// A batch that was not committed.
struct Failure {
    batch: TrackingId,
    error: ExecuteError,
}

/// What a failure means for the commands of its part.
enum Consequence {
    Fails(SubmitError),
    /// The part is one command, whose row somebody holds.
    WaitsBehind(BTreeSet<Lock>),
    IsTriedAgain,
    IsSplit,
}

impl Failure {
    fn consequence(&self, commands: usize, again: bool, until: Instant) -> Consequence {
        match &self.error {
            ExecuteError::Store(StoreError::Unavailable(_)) => Consequence::Fails(SubmitError::Unavailable),
            // Where one row after the other is held, as by a lock on a whole table, the search for the innocent ends, too.
            ExecuteError::Held { .. } | ExecuteError::Store(StoreError::Held(_)) if Instant::now() >= until => {
                Consequence::Fails(SubmitError::Held)
            }
            ExecuteError::Held { behind, .. } if commands == 1 => Consequence::WaitsBehind(behind.clone()),
            // Another server may have been faster: what it has written is read this time.
            ExecuteError::Store(StoreError::Conflict(_)) if commands == 1 && !again => Consequence::IsTriedAgain,
            _ if commands == 1 => Consequence::Fails(SubmitError::Failed),
            _ => Consequence::IsSplit,
        }
    }
}

fn count_without_locks(outcome: &'static str) {
    metrics::counter!(telemetry::BATCHES_WITHOUT_LOCKS, "outcome" => outcome).increment(1);
}

/// A counter is looked up by its labels, which costs more than to add: once for all decisions of a batch that are alike.
fn count(decisions: &[Decision]) {
    let mut alike: HashMap<_, u64> = HashMap::new();
    for decision in decisions {
        *alike.entry((decision.kind, decision.approved, decision.reason)).or_default() += 1;
    }
    for ((kind, approved, reason), decisions) in alike {
        let approved = if approved { "true" } else { "false" };
        let reason = reason.map_or("None", Reason::as_str);
        metrics::counter!(telemetry::DECISIONS, "kind" => kind.as_str(), "approved" => approved, "reason" => reason)
            .increment(decisions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_was_decided_in_vain_makes_the_next_ones_wary() {
        let wariness = Wariness::default();
        assert!(!wariness.is_left());
        wariness.lasts(WARY_OF_RIVALS);
        wariness.lasts(WARY_OF_MORE);
        assert!((0..WARY_OF_RIVALS).all(|_| wariness.is_left()));
        assert!(!wariness.is_left());
    }
}
