//! What others hold delays its own commands only.

use vna_partner::commit::SubmitError;
use vna_partner::domain::AccountId;

use crate::bench::{authorize, request, second, seed};
use crate::troubled::Trouble;
use crate::{ACCOUNT, Bank, SENDER, an_authorization, authorized};

const ONE_A_DAY: &str = "[[rules]]\nid = 'one'\ntype = 'velocity'\nmax = 1\nwindow = { rolling = '24h' }";

fn holds_the_account() -> Trouble {
    Trouble::Holds(AccountId::new(ACCOUNT))
}

#[tokio::test]
async fn what_is_held_waits_and_its_neighbours_go_on() {
    let bank = Bank::open("rules = []").await;
    bank.store.set(holds_the_account());
    let held = bank.hand_in(an_authorization()).await;
    let neighbour = bank.engine.submit(request(second(1), authorize("B", 100, SENDER))).await;
    assert!(authorized(&neighbour));
    assert!(!held.is_finished());
    bank.store.set(Trouble::None);
    assert!(authorized(&held.await.unwrap()));
    bank.close().await;
}

#[tokio::test]
async fn whoever_comes_later_on_what_is_held_comes_after() {
    let bank = Bank::open(ONE_A_DAY).await;
    bank.store.set(holds_the_account());
    let first = bank.hand_in(an_authorization()).await;
    let neighbour = bank.engine.submit(request(second(1), authorize("B", 100, SENDER))).await;
    assert!(authorized(&neighbour), "the batch of the first one is over");
    bank.store.set(Trouble::None);
    let second = bank.hand_in(an_authorization()).await;
    assert!(authorized(&first.await.unwrap()), "the day's one transaction was free");
    assert!(!authorized(&second.await.unwrap()), "and is used up");
    bank.close().await;
}

#[tokio::test]
async fn whoever_waits_for_a_second_lock_holds_up_the_first_one_for_later_ones_only() {
    let by_sender = "[[rules]]\nid = 'one'\ntype = 'velocity'\nmax = 2\nwindow = { rolling = '24h' }\nper = 'sender'";
    let bank = Bank::open(by_sender).await;
    bank.store.set(holds_the_account());
    let earlier = bank.hand_in(request(second(1), authorize("B", 100, SENDER))).await;
    let held = bank.hand_in(an_authorization()).await;
    assert!(authorized(&earlier.await.unwrap()), "it came before");
    let later = bank.hand_in(request(second(1), authorize("B", 100, SENDER))).await;
    bank.store.set(Trouble::None);
    assert!(authorized(&held.await.unwrap()));
    assert!(!authorized(&later.await.unwrap()), "the sender's two were used by those before");
    bank.close().await;
}

#[tokio::test]
async fn what_a_command_names_that_must_wait_is_free_for_those_before_it() {
    let by_receiver =
        "[[rules]]\nid = 'two'\ntype = 'velocity'\nmax = 2\nwindow = { rolling = '24h' }\nper = 'receiver'";
    let bank = Bank::open(by_receiver).await;
    bank.bench.one(request(second(0), seed("C", "+525555123457"))).await;
    bank.store.set(Trouble::Holds(AccountId::new("C")));
    let gate = bank.store.hold().await;
    let first = bank.hand_in(an_authorization()).await;
    bank.store.one_begins().await;
    let before = bank.hand_in(request(second(1), authorize("B", 100, SENDER))).await;
    let held = bank.hand_in(request(second(1), authorize("C", 100, SENDER))).await;
    drop(gate);
    assert!(authorized(&first.await.unwrap()));
    assert!(authorized(&before.await.unwrap()), "B and C have one holder");
    assert!(bank.store.loads() < 10, "{} loads", bank.store.loads());
    bank.store.set(Trouble::None);
    assert!(authorized(&held.await.unwrap()));
    bank.close().await;
}

#[tokio::test]
async fn what_stays_held_is_given_up_after_three_seconds_and_leaves_nothing_behind() {
    let bank = Bank::open("rules = []").await;
    bank.store.set(holds_the_account());
    let held = an_authorization();
    assert_eq!(bank.engine.submit(held.clone()).await, Err(SubmitError::Held));
    bank.store.set(Trouble::None);
    assert!(authorized(&bank.engine.submit(an_authorization()).await), "nobody waits behind it any more");
    assert!(!bank.has(held.id).await);
    bank.close().await;
}

#[tokio::test]
async fn a_row_that_the_write_finds_held_delays_its_own_command_only() {
    let bank = Bank::open("rules = []").await;
    let needs_the_row = request(second(1), authorize("B", 100, SENDER));
    bank.store.set(Trouble::HoldsARow(needs_the_row.id));
    let gate = bank.store.hold().await;
    let mut neighbours = vec![bank.hand_in(an_authorization()).await];
    bank.store.one_begins().await;
    let held = bank.hand_in(needs_the_row).await;
    for _ in 0..4 {
        neighbours.push(bank.hand_in(an_authorization()).await);
    }
    drop(gate);
    for neighbour in neighbours {
        assert!(authorized(&neighbour.await.unwrap()));
    }
    assert!(!held.is_finished());
    bank.store.set(Trouble::None);
    assert!(authorized(&held.await.unwrap()));
    bank.close().await;
}

#[tokio::test]
async fn an_orderly_stop_answers_those_that_wait_too() {
    let Bank { bench, store, engine, running, .. } = Bank::open("rules = []").await;
    store.set(holds_the_account());
    let held = tokio::spawn({
        let engine = engine.clone();
        async move { engine.submit(an_authorization()).await }
    });
    assert!(authorized(&engine.submit(request(second(1), authorize("B", 100, SENDER))).await));
    let stopped = tokio::spawn(running.stop());
    tokio::task::yield_now().await;
    store.set(Trouble::None);
    stopped.await.unwrap();
    assert!(authorized(&held.await.unwrap()));
    bench.assert_books_are_sound().await;
}
