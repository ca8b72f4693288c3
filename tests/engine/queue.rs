//! The queue: what is taken is answered, what cannot be taken is told at once.

use metrics_exporter_prometheus::PrometheusBuilder;
use vna_partner::commit::{Limits, SubmitError};
use vna_partner::store::Store;

use crate::bench::{authorize, request, second};
use crate::troubled::{Busy, Trouble};
use crate::{Bank, SENDER, an_authorization, authorized};

#[tokio::test]
async fn nothing_is_answered_before_it_is_durable() {
    let bank = Bank::open("rules = []").await;
    let gate = bank.store.hold_commits().await;
    let first = bank.hand_in(an_authorization()).await;
    bank.store.one_commits().await;
    let second = bank.hand_in(an_authorization()).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!first.is_finished() && !second.is_finished());
    drop(gate);
    for answer in [first, second] {
        assert!(authorized(&answer.await.unwrap()));
    }
    bank.close().await;
}

#[tokio::test]
async fn while_a_writer_is_busy_its_thread_is_the_only_one() {
    let bank = Bank::open("rules = []").await;
    let (busy, lets_go) = Busy::until_let_go();
    bank.store.set(Trouble::KeepsBusy(busy.clone()));
    let authorization = an_authorization();
    let id = authorization.id;
    let caller = bank.hand_in(authorization).await;
    busy.begins().await;
    assert!(!bank.has(id).await, "somebody reads meanwhile");
    assert!(!caller.is_finished());
    drop(lets_go);
    assert!(authorized(&caller.await.unwrap()));
    bank.close().await;
}

#[tokio::test]
async fn writers_that_may_be_under_way_together_have_a_store_each_and_close_it() {
    let bank = Bank::open("rules = []").await;
    let store = bank.store.clone();
    assert!(authorized(&bank.engine.submit(an_authorization()).await));
    bank.close().await;
    let apart = match store.batches_at_once() {
        1 => 0,
        several => several,
    };
    assert_eq!(store.apart_and_closed(), (apart, apart));
}

#[tokio::test]
async fn while_a_commit_is_on_its_way_to_the_disk_the_next_is_made_and_nobody_hears_of_either() {
    let bank = Bank::open("rules = []").await;
    let disk = bank.store.hold_the_disk().await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(bank.hand_in(an_authorization()).await);
        bank.store.one_commits().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(waiting.iter().all(|answer| !answer.is_finished()));
    drop(disk);
    for answer in waiting {
        assert!(authorized(&answer.await.unwrap()));
    }
    bank.close().await;
}

/// Else the memory would fill with those who wait, and nobody would be told.
#[tokio::test]
async fn where_the_disk_stands_still_a_few_commits_are_made_and_the_queue_fills() {
    let bank = Bank::open_with("rules = []", Limits { queue: 3, batch: 2 }).await;
    let disk = bank.store.hold_the_disk().await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        waiting.push(bank.hand_in(an_authorization()).await);
        bank.store.one_commits().await;
    }
    for _ in 0..3 {
        waiting.push(bank.hand_in(an_authorization()).await);
    }
    assert_eq!(bank.engine.submit(an_authorization()).await, Err(SubmitError::Overloaded));
    assert_eq!(bank.store.commits_since(), 0);
    drop(disk);
    for answer in waiting {
        assert!(authorized(&answer.await.unwrap()));
    }
    bank.close().await;
}

#[tokio::test]
async fn an_orderly_stop_waits_for_the_disk() {
    let bank = Bank::open("rules = []").await;
    let disk = bank.store.hold_the_disk().await;
    let waiting = bank.hand_in(an_authorization()).await;
    bank.store.one_commits().await;
    let stopping = tokio::spawn(bank.running.stop());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!stopping.is_finished() && !waiting.is_finished());
    drop(disk);
    stopping.await.unwrap();
    assert!(authorized(&waiting.await.unwrap()));
    bank.bench.assert_books_are_sound().await;
}

#[tokio::test]
async fn the_depth_of_the_queue_is_told_while_the_store_is_stuck() {
    let recorder = PrometheusBuilder::new().build_recorder();
    // Where a call is handed in; a writer, on a thread of its own, is not seen.
    let _seen_by_this_thread = metrics::set_default_local_recorder(&recorder);
    let depth = |waiting: usize| recorder.handle().render().contains(&format!("vna_queue_depth {waiting}\n"));
    let bank = Bank::open_with("rules = []", Limits { queue: 3, batch: 2 }).await;
    let gate = bank.store.hold().await;
    let mut taken = vec![bank.hand_in(an_authorization()).await];
    bank.store.one_begins().await;
    for waiting in 1..=3 {
        taken.push(bank.hand_in(an_authorization()).await);
        assert!(depth(waiting), "{waiting}");
    }
    assert_eq!(bank.engine.submit(an_authorization()).await, Err(SubmitError::Overloaded));
    assert!(depth(3));
    drop(gate);
    for answer in taken {
        assert!(authorized(&answer.await.unwrap()));
    }
    assert!(authorized(&bank.engine.submit(an_authorization()).await));
    assert!(depth(0) || depth(1), "those before it have left the queue");
    bank.close().await;
}

#[tokio::test]
async fn a_full_queue_is_told_at_once_and_nothing_is_written() {
    let bank = Bank::open_with("rules = []", Limits { queue: 3, batch: 2 }).await;
    let gate = bank.store.hold().await;
    let mut taken = vec![bank.hand_in(an_authorization()).await];
    bank.store.one_begins().await;
    for _ in 0..3 {
        taken.push(bank.hand_in(an_authorization()).await);
    }
    // The store is held: this returns at all only because it waits for nothing.
    let surplus = an_authorization();
    assert_eq!(bank.engine.submit(surplus.clone()).await, Err(SubmitError::Overloaded));
    drop(gate);
    for answer in taken {
        assert!(authorized(&answer.await.unwrap()));
    }
    assert!(!bank.has(surplus.id).await);
    assert!(authorized(&bank.engine.submit(surplus).await), "there is room again");
    bank.close().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_cancels_nothing() {
    let bank = Bank::open("rules = []").await;
    let gate = bank.store.hold().await;
    let (deciding, waiting) = (an_authorization(), an_authorization());
    let first = bank.hand_in(deciding.clone()).await;
    bank.store.one_begins().await;
    let second = bank.hand_in(waiting.clone()).await;
    for caller in [first, second] {
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    drop(gate);
    assert!(authorized(&bank.engine.submit(an_authorization()).await));
    assert!(bank.has(deciding.id).await && bank.has(waiting.id).await);
    bank.close().await;
}

#[tokio::test]
async fn an_orderly_stop_answers_all_that_was_taken() {
    let bank = Bank::open_with("rules = []", Limits { queue: 100, batch: 7 }).await;
    let gate = bank.store.hold().await;
    let mut taken = vec![bank.hand_in(an_authorization()).await];
    bank.store.one_begins().await;
    for _ in 0..50 {
        taken.push(bank.hand_in(an_authorization()).await);
    }
    let engine = bank.engine.clone();
    let stopping = tokio::spawn(bank.running.stop());
    tokio::task::yield_now().await;
    drop(gate);
    stopping.await.unwrap();
    for answer in taken {
        assert!(authorized(&answer.await.unwrap()));
    }
    assert_eq!(engine.submit(an_authorization()).await, Err(SubmitError::Stopping));
    bank.bench.assert_books_are_sound().await;
}

#[tokio::test]
async fn a_lone_request_is_a_batch_of_one() {
    let bank = Bank::open("rules = []").await;
    for _ in 0..3 {
        assert!(authorized(&bank.engine.submit(an_authorization()).await));
        bank.store.one_begins().await;
    }
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn where_many_wait_two_batches_are_under_way_and_each_account_keeps_its_order() {
    let bank = Bank::open("[[rules]]\nid = 'eleven'\ntype = 'velocity'\nmax = 11\nwindow = { rolling = '24h' }").await;
    let gate = bank.store.hold().await;
    let (mut of_one, mut of_another) = (Vec::new(), Vec::new());
    for _ in 0..130 {
        of_one.push(bank.hand_in(an_authorization()).await);
    }
    for _ in 0..130 {
        of_another.push(bank.hand_in(request(second(1), authorize("B", 100, SENDER))).await);
    }
    for _ in 0..2 {
        bank.store.one_begins().await;
    }
    drop(gate);
    for answers in [of_one, of_another] {
        for (place, answer) in answers.into_iter().enumerate() {
            assert_eq!(authorized(&answer.await.unwrap()), place < 11, "{place}");
        }
    }
    bank.close().await;
}
