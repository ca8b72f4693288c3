//! What nobody asks for and somebody must do: give back what is due on idle subjects, forget what is no longer needed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::Engine;
use crate::clock::Clock;
use crate::decide::{Command, IDEMPOTENCY_KEPT};
use crate::domain::{Span, Timestamp};
use crate::store::Store;

/// Between two rounds: short enough that lists and counters look current, long enough to cost nothing.
const EVERY: Duration = Duration::from_secs(5);

/// A sweep leaves alone what became due within this time: a command received before then may still be on its way, and
/// must find what it would have found without a sweep.
const LAG: Span = Span::seconds(60);

/// Due events looked at per round: a day's backlog is worked off in pieces that leave room for callers.
const SWEPT_PER_ROUND: i64 = 1_000;

/// Sweeps that wait in the queue together: enough to share a commit, few enough to leave the queue to callers.
const SWEPT_TOGETHER: usize = 64;

/// Rounds between two clean-ups: once an hour.
const ROUNDS_PER_CLEANUP: u32 = 720;

/// Records of each kind that one round forgets at most, so that no caller waits long behind it. Where there are more, the
/// next round goes on: 2,000 a second, which is more than come in over a day.
const FORGOTTEN_PER_ROUND: u32 = 10_000;

pub(super) async fn run(store: Arc<dyn Store>, engine: Engine, clock: Clock, mut stopping: watch::Receiver<bool>) {
    let mut round = 0_u32;
    let mut more_to_forget = false;
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        sweep(&*store, &engine, &clock).await;
        if more_to_forget || round.is_multiple_of(ROUNDS_PER_CLEANUP) {
            more_to_forget = forget(&*store, clock.now()).await;
        }
        round = round.wrapping_add(1);
    }
}

async fn sweep(store: &dyn Store, engine: &Engine, clock: &Clock) {
    let upto = clock.now().minus(LAG);
    let subjects = match store.overdue_subjects(upto, SWEPT_PER_ROUND).await {
        Ok(subjects) => subjects,
        Err(error) => {
            tracing::warn!(%error, "idle subjects could not be swept");
            return;
        }
    };
    for together in subjects.chunks(SWEPT_TOGETHER) {
        let sweeps = together.iter().map(|subject| {
            let mut request = clock.receive(Command::Sweep(subject.clone()), None);
            request.received_at = upto;
            engine.submit(request)
        });
        if let Some(error) = join_all(sweeps).await.into_iter().find_map(Result::err) {
            // The next round tries again; callers come first.
            tracing::debug!(%error, "a sweep was put off");
            return;
        }
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
