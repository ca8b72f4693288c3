//! What nobody asks for and somebody must do: give back what is due on idle subjects, forget what is no longer needed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{Engine, SubmitError};
use crate::clock::Clock;
use crate::decide::{Command, IDEMPOTENCY_KEPT};
use crate::domain::{AccountId, Span, SubjectKey, Timestamp};
use crate::store::{DeadlinePlace, Store, StoreError};

/// Between two rounds: short enough that lists and counters look current, long enough to cost nothing.
const EVERY: Duration = Duration::from_secs(5);

/// A sweep leaves alone what became due within this time: a command received before then may still be on its way, and
/// must find what it would have found without a sweep.
const LAG: Span = Span::seconds(60);

/// Accounts swept per round, and as many senders and receivers: a day's backlog is worked off in pieces that leave room for callers.
const SWEPT_PER_ROUND: usize = 1_000;

/// Sweeps that wait in the queue together: enough to share a commit, few enough to leave the queue to callers.
const SWEPT_TOGETHER: usize = 64;

/// Looks at deadlines per round, each of some thousand authorizations that were used up as a rule.
const LOOKS_PER_ROUND: usize = 100;

/// Rounds between two that begin at the mark: once a minute.
const ROUNDS_PER_MARK: u32 = 12;

/// Rounds between two clean-ups: once an hour.
const ROUNDS_PER_CLEANUP: u32 = 720;

/// Records of each kind that one round forgets at most, so that no caller waits long behind it. Where there are more, the
/// next round goes on: 2,000 a second, which is more than come in over a day.
const FORGOTTEN_PER_ROUND: u32 = 10_000;

pub(super) async fn run(store: Arc<dyn Store>, engine: Engine, clock: Clock, mut stopping: watch::Receiver<bool>) {
    let mut sweeper = Sweeper { store: store.clone(), engine, clock: clock.clone(), come_to: None };
    let mut round = 0_u32;
    let mut more_to_forget = false;
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = sweeper.sweep(round.is_multiple_of(ROUNDS_PER_MARK)).await {
            tracing::warn!(%error, "idle subjects could not be swept");
        }
        if more_to_forget || round.is_multiple_of(ROUNDS_PER_CLEANUP) {
            more_to_forget = forget(&*store, clock.now()).await;
        }
        round = round.wrapping_add(1);
    }
}

struct Sweeper {
    store: Arc<dyn Store>,
    engine: Engine,
    clock: Clock,
    /// Up to here the last rounds have looked; none has yet, where there is nothing.
    come_to: Option<DeadlinePlace>,
}

/// What a round has found.
struct Found {
    /// Each once, the longest overdue first.
    accounts: Vec<AccountId>,
    first_open: Option<Timestamp>,
    come_to: DeadlinePlace,
}

impl Sweeper {
    /// Looks on from where the last round has come to. `from_the_mark` begins again where something may still be open: at
    /// what was put off, and at what another database had that was failed over from; and moves the mark.
    async fn sweep(&mut self, from_the_mark: bool) -> Result<(), StoreError> {
        let upto = self.clock.now().minus(LAG);
        // Where the clock was set back, all of it goes back, too.
        let until = DeadlinePlace::before(upto);
        let found = match self.come_to.filter(|_| !from_the_mark) {
            Some(come_to) => self.look(come_to.min(until), upto).await?,
            None => {
                let mark = DeadlinePlace::before(self.store.swept().await?);
                let found = self.look(mark.min(until), upto).await?;
                self.store.remember_swept(found.first_open.unwrap_or(found.come_to.due_at)).await?;
                found
            }
        };
        self.come_to = self.come_to.max(Some(found.come_to)).min(Some(until));
        let others = self.store.overdue_others(upto, SWEPT_PER_ROUND).await?;
        let subjects: Vec<SubjectKey> = found.accounts.iter().map(SubjectKey::account).chain(others).collect();
        for together in subjects.chunks(SWEPT_TOGETHER) {
            let sweeps = together.iter().map(|subject| {
                let mut request = self.clock.receive(Command::Sweep(subject.clone()), None);
                request.received_at = upto;
                self.engine.submit(request)
            });
            let refused: Vec<SubmitError> = join_all(sweeps).await.into_iter().filter_map(Result::err).collect();
            if let Some(error) = refused.first() {
                tracing::debug!(%error, "a sweep was put off");
            }
            // What somebody holds is its own trouble; else callers come first, and a later round tries again.
            if refused.iter().any(|error| !matches!(error, SubmitError::Held | SubmitError::Failed)) {
                break;
            }
        }
        Ok(())
    }

    async fn look(&self, after: DeadlinePlace, upto: Timestamp) -> Result<Found, StoreError> {
        let mut found = Found { accounts: Vec::new(), first_open: None, come_to: after };
        for _ in 0..LOOKS_PER_ROUND {
            let room = SWEPT_PER_ROUND - found.accounts.len();
            let look = self.store.overdue_accounts(found.come_to, upto, room).await?;
            found.first_open = found.first_open.or(look.accounts.first().map(|(due_at, _)| *due_at));
            let is_full = look.accounts.len() == room;
            let last = look.accounts.last().map(|(due_at, _)| DeadlinePlace::before(*due_at));
            for (_, account) in look.accounts {
                if !found.accounts.contains(&account) {
                    found.accounts.push(account);
                }
            }
            match (look.come_to, last) {
                // There may be more behind the last one.
                (_, Some(last)) if is_full => {
                    found.come_to = found.come_to.max(last);
                    break;
                }
                (Some(come_to), _) => found.come_to = come_to,
                (None, _) => {
                    found.come_to = DeadlinePlace::before(upto);
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Whether there may be more to forget.
async fn forget(store: &dyn Store, now: Timestamp) -> bool {
    match store.forget_before(now.minus(IDEMPOTENCY_KEPT), FORGOTTEN_PER_ROUND).await {
        Ok(more) => more,
        Err(error) => {
            tracing::warn!(%error, "old records could not be forgotten");
            false
        }
    }
}
