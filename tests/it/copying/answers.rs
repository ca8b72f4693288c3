//! A server on the copy answers as one on the source would.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::json;
use vna_partner::copy::{Proof, Replayed, Step, compare};

use super::{counted_of_sender, open, pairs, setup, traffic};
use crate::support::{ANA, Browser, account, authorization, credit, reversal};

#[tokio::test]
async fn a_server_on_the_copy_answers_as_before() {
    for pair in pairs().await {
        let told = traffic(&pair.source).await;
        pair.copy(told.now).await.unwrap();
        let server = setup().starting_at(told.now).start_on(pair.target.clone()).await;
        for (authorization, answered) in &told.credits {
            let account = if answered["Success"] == true { ANA } else { super::GOLD };
            assert_eq!(server.leap().credit(credit(account, authorization)).await.ok().text, answered.text);
        }
        let debit = server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/debits"));
        let debit = debit.body(&json!({"amount": "40.00", "reason": "a card payment"})).idempotency_key(told.debit.0);
        assert_eq!(debit.send().await.data(), told.debit.1);
        assert_eq!(server.balance().await, told.balance);
        let over = server.leap().authorize(authorization().to(ANA).amount("1500.00")).await;
        let over = over.not_authorized("ByAccumulateAmountLimit");
        assert_eq!(counted_of_sender(&server, &over).await, told.counted);
        Browser::new().confirm(&format!("{}{}", server.url(), told.link), "").await.ok();
        let found = authorization().receiver(crate::support::person("Leo", "Río", "+525555777777"));
        server.leap().authorize(found).await.authorized();
    }
}

#[tokio::test]
async fn a_copy_says_what_it_compared_and_is_proven_again_as_often_as_one_likes() {
    for pair in pairs().await {
        let told = traffic(&pair.source).await;
        let (expected, done) = (AtomicU64::new(0), AtomicU64::new(0));
        let watcher = |step| match step {
            Step::Rows(rows) => expected.store(rows, Ordering::Relaxed),
            Step::Done(rows) => _ = done.fetch_add(rows, Ordering::Relaxed),
            Step::Copying(_) | Step::Proving(_) => {}
        };
        let proof = pair.copy_watched(told.now, &watcher).await.unwrap();
        assert_eq!(done.into_inner(), expected.into_inner());
        assert!(proof.checks.iter().all(|check| check.checked > 0), "nothing was compared: {:#?}", proof.checks);
        let replayed = proof.replayed;
        assert!(replayed.judged > 10 && replayed.decisions > replayed.judged, "{replayed:?}");
        assert!(replayed.as_recorded > 0 && replayed.given_back_since > 0, "{replayed:?}");
        assert_eq!(replayed.otherwise(), 0, "{replayed:?}");
        let (source, target) = (open(&pair.source).await, open(&pair.target).await);
        assert_eq!(compare(&*source, &*target, &|_| {}).await.unwrap().replayed, replayed);
        source.close().await;
        target.close().await;
    }
}

#[tokio::test]
async fn a_decision_comes_out_as_it_was_recorded_unless_something_was_given_back_since() {
    for pair in pairs().await {
        let mut server = setup().start_on(pair.source.clone()).await;
        server.open(account(ANA)).await;
        let (_, first) = server.credited().await;
        for _ in 0..2 {
            server.advance("1s");
            server.authorized().await;
        }
        server.advance("1s");
        server
            .leap()
            .authorize(authorization().to(ANA).amount("1500.00"))
            .await
            .not_authorized("ByAccumulateAmountLimit");
        let (now, replayed) = (server.now(), |proof: Proof| proof.replayed);
        drop(server);
        let proof = pair.copy(now).await.unwrap();
        let expected = Replayed { decisions: 5, judged: 4, as_recorded: 4, given_back_since: 0 };
        assert_eq!(replayed(proof), expected);

        // The first remittance counted for the three decisions after it.
        let server = setup().starting_at(now).start_on(pair.source.clone()).await;
        server.leap().reverse(reversal(ANA, &first)).await.done();
        drop(server);
        let proof = pair.copy_again(now).await.unwrap();
        let expected = Replayed { decisions: 6, judged: 4, as_recorded: 1, given_back_since: 3 };
        assert_eq!(replayed(proof), expected);

        // What the tier was then is not to be told, so all come out otherwise: on both alike, and no copy fails for it.
        let server = setup().starting_at(now).start_on(pair.source.clone()).await;
        let gold = json!({"tier": "gold", "reason": "a test"});
        server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/tier")).body(&gold).send().await.data();
        drop(server);
        let replayed = replayed(pair.copy_again(now).await.unwrap());
        assert_eq!((replayed.judged, replayed.otherwise()), (4, 4));
    }
}
