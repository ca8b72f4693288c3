//! The sweep: what is overdue on idle subjects is given back, and no decision depends on it.

use vna_partner::decide::{Command, Outcome, Request};
use vna_partner::domain::{AccountId, AuthorizationState, Span, SubjectKey, SubjectKind, TrackingId};

use crate::bench::{authorize, credit, request, second};
use crate::troubled::Trouble;
use crate::{ACCOUNT, Bank, SENDER, an_authorization, authorized};

const ONE: &str = "[[rules]]\nid = 'one'\ntype = 'velocity'\nmax = 1\nwindow = { rolling = '24h' }";

impl Bank {
    async fn state_of(&self, authorization: TrackingId) -> AuthorizationState {
        self.bench.store.authorization(authorization).await.unwrap().unwrap().state
    }

    async fn sweep(&self, at: i64) -> usize {
        match self.engine.submit(a_sweep(at)).await {
            Ok(Outcome::Swept { released }) => released,
            other => panic!("no answer to a sweep: {other:?}"),
        }
    }
}

fn a_sweep(at: i64) -> Request {
    request(second(at), Command::Sweep(SubjectKey::new(SubjectKind::Account, ACCOUNT)))
}

#[tokio::test]
async fn idle_accounts_are_swept_without_anybody_asking_and_share_a_commit() {
    let bank = Bank::open(ONE).await;
    let overdue = [an_authorization(), request(second(1), authorize("B", 100, SENDER))];
    for authorization in &overdue {
        assert!(authorized(&bank.engine.submit(authorization.clone()).await));
        bank.store.one_begins().await;
    }
    let gate = bank.store.hold().await;
    // A writer on a thread of its own might else take the first sweep before the second is in the queue.
    let busy = bank.hand_in(a_sweep(1)).await;
    bank.store.one_begins().await;
    // They expire after a minute; the sweep leaves alone what became due within the last one.
    bank.hands.advance(Span::seconds(121));
    bank.store.one_looks_for_overdue(second(62)).await;
    let behind_the_sweeps = bank.hand_in(a_sweep(1)).await;
    drop(gate);
    for waiting in [busy, behind_the_sweeps] {
        assert!(matches!(waiting.await.unwrap(), Ok(Outcome::Swept { released: 0 })));
    }
    assert_eq!(bank.store.begun_since(), 1, "both sweeps, and what came behind them");
    for authorization in &overdue {
        assert_eq!(bank.state_of(authorization.id).await, AuthorizationState::Expired);
    }
    assert_eq!(bank.bench.store.swept().await.unwrap(), second(61), "how far this sweep has come, for the next server");
    bank.close().await;
}

#[tokio::test]
async fn an_account_that_somebody_holds_holds_up_no_other_sweep() {
    let bank = Bank::open(ONE).await;
    let held = an_authorization();
    let later = request(second(2), authorize("B", 100, SENDER));
    for authorization in [&held, &later] {
        assert!(authorized(&bank.engine.submit(authorization.clone()).await));
    }
    bank.store.set(Trouble::Holds(AccountId::new(ACCOUNT)));
    bank.hands.advance(Span::seconds(122));
    while bank.state_of(later.id).await != AuthorizationState::Expired {
        bank.store.one_begins().await;
    }
    assert_eq!(bank.state_of(held.id).await, AuthorizationState::Open);
    assert_eq!(bank.bench.store.swept().await.unwrap(), second(61), "the next server begins with the one that is held");
    bank.close().await;
}

#[tokio::test]
async fn a_sweep_gives_back_what_is_due_by_then_and_once() {
    let bank = Bank::open("rules = []").await;
    let (early, late) = (an_authorization(), request(second(30), authorize(ACCOUNT, 100, SENDER)));
    for authorization in [&early, &late] {
        assert!(authorized(&bank.engine.submit(authorization.clone()).await));
    }
    assert_eq!(bank.sweep(60).await, 0);
    assert_eq!(bank.sweep(61).await, 1);
    assert_eq!(bank.sweep(61).await, 0);
    assert_eq!(bank.state_of(early.id).await, AuthorizationState::Expired);
    assert_eq!(bank.state_of(late.id).await, AuthorizationState::Open);
    bank.close().await;
}

#[tokio::test]
async fn an_authorization_that_was_used_is_not_swept() {
    let bank = Bank::open("rules = []").await;
    let used = an_authorization();
    bank.engine.submit(used.clone()).await.unwrap();
    bank.engine.submit(request(second(2), credit(ACCOUNT, used.id))).await.unwrap();
    assert_eq!(bank.sweep(1_000).await, 0);
    assert_eq!(bank.state_of(used.id).await, AuthorizationState::Credited);
    bank.close().await;
}

/// At each of these seconds an authorization is tried; one is allowed at a time, and each expires after a minute.
#[tokio::test]
async fn no_verdict_depends_on_whether_a_sweep_ran() {
    let tried = [1, 30, 60, 61, 62, 120, 121, 181, 182, 300];
    let mut verdicts = Vec::new();
    for sweeps in [false, true] {
        let bank = Bank::open(ONE).await;
        let mut told = Vec::new();
        for at in tried {
            if sweeps {
                bank.sweep(at).await;
            }
            let answer = bank.engine.submit(request(second(at), authorize(ACCOUNT, 100, SENDER))).await;
            told.push((at, authorized(&answer)));
        }
        verdicts.push(told);
        bank.close().await;
    }
    assert_eq!(verdicts[0], verdicts[1]);
    let allowed: Vec<i64> = verdicts[0].iter().filter(|(_, allowed)| *allowed).map(|(at, _)| *at).collect();
    assert_eq!(allowed, [1, 61, 121, 181, 300]);
}
