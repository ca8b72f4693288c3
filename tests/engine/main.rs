//! The engine over a store that fails on demand: nobody pays for a neighbour, and nothing is answered that is not so.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../properties/bench.rs"]
#[expect(dead_code, reason = "the properties need more of it")]
mod bench;
mod failures;
mod lanes;
mod loading;
mod order;
mod queue;
mod rows_held;
mod sweeping;
mod troubled;

use std::sync::Arc;

use tokio::task::JoinHandle;
use vna_partner::clock::{Clock, Hands};
use vna_partner::commit::{Engine, Limits, Running, SubmitError};
use vna_partner::decide::{Outcome, Request};
use vna_partner::domain::{Policy, Span, TrackingId};

use bench::{Bench, authorize, request, second, seed};
use troubled::TroubledStore;

pub const ACCOUNT: &str = "A";
const SENDER: &str = "+12025550143";

/// A running engine on accounts `A` and `B`, and its store.
struct Bank {
    bench: Bench,
    store: Arc<TroubledStore>,
    engine: Engine,
    running: Running,
    hands: Hands,
}

impl Bank {
    async fn open(rules: &str) -> Self {
        Self::open_with(rules, Limits::default()).await
    }

    async fn open_with(rules: &str, limits: Limits) -> Self {
        let policy = Policy { authorization_ttl: Span::seconds(60), ..Policy::default() };
        let bench = Bench::new(policy.clone(), rules).await;
        let context = Arc::new(bench::context(policy, rules));
        for (account, phone) in [(ACCOUNT, "+525555123456"), ("B", "+525555123457")] {
            bench.one(request(second(0), seed(account, phone))).await;
        }
        let store = Arc::new(TroubledStore::over(bench.store.clone()));
        let (clock, hands) = Clock::manual(second(1));
        let (engine, running) = Engine::start(store.clone(), context, clock, limits);
        Self { bench, store, engine, running, hands }
    }

    /// Hands a request in; it is in the queue when this returns, or was refused.
    async fn hand_in(&self, request: Request) -> JoinHandle<Result<Outcome, SubmitError>> {
        let engine = self.engine.clone();
        let waiting = tokio::spawn(async move { engine.submit(request).await });
        // The tests run on one thread: the new task has its turn before this one has the next.
        tokio::task::yield_now().await;
        waiting
    }

    /// Has all of `requests` decided as one batch; their answers in order.
    async fn as_one_batch(&self, requests: Vec<Request>) -> Vec<Result<Outcome, SubmitError>> {
        let gate = self.store.hold().await;
        let first = self.hand_in(an_authorization()).await;
        self.store.one_begins().await;
        let mut waiting = Vec::new();
        for request in requests {
            waiting.push(self.hand_in(request).await);
        }
        drop(gate);
        drop(first.await.unwrap());
        let mut answers = Vec::new();
        for answer in waiting {
            answers.push(answer.await.unwrap());
        }
        answers
    }

    /// Whether this was decided and is durable.
    async fn has(&self, decision: TrackingId) -> bool {
        self.bench.store.decision(decision).await.unwrap().is_some()
    }

    /// Stops, and finds the books sound.
    async fn close(self) {
        self.running.stop().await;
        self.bench.assert_books_are_sound().await;
    }
}

/// 1.00 MXN to `A`, one second after the beginning.
fn an_authorization() -> Request {
    request(second(1), authorize(ACCOUNT, 100, SENDER))
}

#[track_caller]
fn authorized(answer: &Result<Outcome, SubmitError>) -> bool {
    match answer {
        Ok(Outcome::Authorization(answer)) => answer.authorized,
        other => panic!("no answer to an authorization: {other:?}"),
    }
}
