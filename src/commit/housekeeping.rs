//! What nobody asks for and somebody must do: give back what is due on idle subjects, forget what is no longer needed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::Engine;
use crate::clock::Clock;
use crate::decide::{Command, IDEMPOTENCY_KEPT};
use crate::domain::{AccountId, Span, SubjectKey, Timestamp};
use crate::store::{Store, StoreError};

/// Between two rounds: short enough that lists and counters look current, long enough to cost nothing.
const EVERY: Duration = Duration::from_secs(5);

/// A sweep leaves alone what became due within this time: a command received before then may still be on its way, and
/// must find what it would have found without a sweep.
const LAG: Span = Span::seconds(60);

/// Due events looked at per round: a day's backlog is worked off in pieces that leave room for callers.
const SWEPT_PER_ROUND: i64 = 1_000;

/// Sweeps that wait in the queue together: enough to share a commit, few enough to leave the queue to callers.
const SWEPT_TOGETHER: usize = 64;

/// Looks at deadlines per round, each of some thousand authorizations that were used up as a rule.
const LOOKS_PER_ROUND: usize = 100;

/// Rounds between two notes of how far the sweeps have come: once a minute.
const ROUNDS_PER_MARK: u32 = 12;

/// Rounds between two clean-ups: once an hour.
const ROUNDS_PER_CLEANUP: u32 = 720;

/// Records of each kind that one round forgets at most, so that no caller waits long behind it. Where there are more, the
/// next round goes on: 2,000 a second, which is more than come in over a day.
const FORGOTTEN_PER_ROUND: u32 = 10_000;

pub(super) async fn run(store: Arc<dyn Store>, engine: Engine, clock: Clock, mut stopping: watch::Receiver<bool>) {
    let mut sweeper = Sweeper { store: store.clone(), engine, clock: clock.clone(), swept: None };
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
    /// No authorization is open any more that was due before this. `None`: to be asked for.
    swept: Option<Timestamp>,
}

impl Sweeper {
    async fn sweep(&mut self, remember: bool) -> Result<(), StoreError> {
        let upto = self.clock.now().minus(LAG);
        let accounts = self.overdue_accounts(upto).await?;
        if remember && let Some(swept) = self.swept {
            self.store.remember_swept(swept).await?;
        }
        let others = self.store.overdue_others(upto, SWEPT_PER_ROUND).await?;
        let subjects: Vec<SubjectKey> = accounts.iter().map(SubjectKey::account).chain(others).collect();
        for together in subjects.chunks(SWEPT_TOGETHER) {
            let sweeps = together.iter().map(|subject| {
                let mut request = self.clock.receive(Command::Sweep(subject.clone()), None);
                request.received_at = upto;
                self.engine.submit(request)
            });
            if let Some(error) = join_all(sweeps).await.into_iter().find_map(Result::err) {
                // The next round tries again; callers come first.
                tracing::debug!(%error, "a sweep was put off");
                break;
            }
        }
        Ok(())
    }

    /// Looks on from where the last look has come to, until some are found.
    async fn overdue_accounts(&mut self, upto: Timestamp) -> Result<Vec<AccountId>, StoreError> {
        let before = match self.swept {
            Some(swept) => swept,
            None => self.store.swept().await?,
        };
        // Where the clock was set back, it begins again there.
        let mut since = before.min(upto);
        for _ in 0..LOOKS_PER_ROUND {
            let found = self.store.overdue_accounts(since, upto, SWEPT_PER_ROUND).await?;
            since = found.settled;
            self.swept = Some(since);
            if !found.accounts.is_empty() || since >= upto {
                return Ok(found.accounts);
            }
        }
        Ok(Vec::new())
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
