//! What nobody asks for and somebody must do: give back what is due on idle subjects, forget what is no longer needed.

use std::sync::Arc;
use std::time::Duration;

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

/// Rounds between two clean-ups: once an hour.
const ROUNDS_PER_CLEANUP: u32 = 720;

pub(super) async fn run(store: Arc<dyn Store>, engine: Engine, clock: Clock, mut stopping: watch::Receiver<bool>) {
    let mut round = 0_u32;
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        sweep(&*store, &engine, &clock).await;
        if round.is_multiple_of(ROUNDS_PER_CLEANUP) {
            forget(&*store, clock.now()).await;
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
    for subject in subjects {
        let mut request = clock.receive(Command::Sweep(subject), None);
        request.received_at = upto;
        if let Err(error) = engine.submit(request).await {
            // The next round tries again; callers come first.
            tracing::debug!(%error, "a sweep was put off");
            return;
        }
    }
}

async fn forget(store: &dyn Store, now: Timestamp) {
    if let Err(error) = store.forget_before(now.minus(IDEMPOTENCY_KEPT)).await {
        tracing::warn!(%error, "old idempotency records could not be forgotten");
    }
}
