//! Callers that name an authorization in one call and none in the next (decision 8, mixed forms).

use serde_json::json;

use crate::support::{ANA, Server, authorization, credit, reversal, unreferenced_credit};

/// A server with two equal authorizations, the older of which an unreferenced credit has used: server, older, newer and
/// that credit.
async fn two_of_which_one_is_used() -> (Server, String, String, String) {
    let mut server = Server::start().await;
    let older = server.authorized().await;
    server.advance("1s");
    let newer = server.authorized().await;
    server.advance("1s");
    let unreferenced = server.leap().credit(unreferenced_credit(ANA)).await.done();
    (server, older, newer, unreferenced)
}

#[tokio::test]
async fn a_reference_to_a_used_authorization_gets_the_credit_that_used_it() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    let first = server.leap().credit(unreferenced_credit(ANA)).await;
    assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.text, first.text);
    assert_eq!(server.balance().await, "100.00");
    let shown = server.operator().authorization(&authorized).await;
    assert_eq!(shown["boundCreditTrackingNumber"], first.tracking());
}

#[tokio::test]
async fn it_takes_another_match_that_was_open_when_that_credit_was_made() {
    let (server, older, newer, unreferenced) = two_of_which_one_is_used().await;
    let taken = server.leap().credit(credit(ANA, &older)).await.done();
    assert_ne!(taken, unreferenced);
    assert_eq!(server.operator().credit(&taken).await["authTrackingIdentifier"], newer.as_str());
    assert_eq!(server.balance().await, "200.00");
    let note = server.operator().decision(&taken).await["note"].as_str().unwrap().to_owned();
    assert!(note.contains("another match took its place"), "{note}");
}

#[tokio::test]
async fn a_taken_matchs_own_reference_gets_the_same_credit() {
    let (server, older, newer, unreferenced) = two_of_which_one_is_used().await;
    let taken = server.leap().credit(credit(ANA, &older)).await.done();
    for _ in 0..2 {
        assert_eq!(server.leap().credit(credit(ANA, &newer)).await.done(), taken);
        assert_eq!(server.leap().credit(credit(ANA, &older)).await.done(), taken);
    }
    assert_eq!(server.leap().credit(unreferenced_credit(ANA)).await.done(), unreferenced);
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn a_match_that_was_opened_after_that_credit_is_not_taken() {
    let server = Server::start().await;
    let older = server.authorized().await;
    let unreferenced = server.leap().credit(unreferenced_credit(ANA)).await.done();
    // Within the same microsecond of this clock.
    let newer = server.authorized().await;
    assert_eq!(server.leap().credit(credit(ANA, &older)).await.done(), unreferenced);
    assert_eq!(server.operator().authorization(&newer).await["state"], "Open");
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn a_match_that_had_expired_before_that_credit_is_not_taken() {
    let mut server = Server::with().policy("authorization_ttl", "1h").with_ana().await;
    server.authorized().await;
    server.advance("1h");
    let open = server.authorized().await;
    let unreferenced = server.leap().credit(unreferenced_credit(ANA)).await.done();
    assert_eq!(server.leap().credit(credit(ANA, &open)).await.done(), unreferenced);
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn whichever_it_gets_first_is_bound_to_it_for_ever() {
    let server = Server::start().await;
    let older = server.authorized().await;
    let unreferenced = server.leap().credit(unreferenced_credit(ANA)).await.done();
    assert_eq!(server.leap().credit(credit(ANA, &older)).await.done(), unreferenced);
    let newer = server.authorized().await;
    assert_eq!(server.leap().credit(credit(ANA, &older)).await.done(), unreferenced);
    server.leap().credit(credit(ANA, &newer)).await.done();
    assert_eq!(server.leap().credit(credit(ANA, &older)).await.done(), unreferenced);
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn a_reference_whose_only_credit_was_reversed_hears_of_the_reversal() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    let unreferenced = server.leap().credit(unreferenced_credit(ANA)).await.done();
    let reversed = server.leap().reverse(reversal(ANA, &unreferenced)).await.done();
    let answer = server.leap().credit(credit(ANA, &authorized)).await;
    assert!(answer.text_of("ResponseDescription").contains(&reversed), "{}", answer.text);
    assert_eq!(answer.not_credited("NotPreviouslyValidated"), unreferenced);
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn a_reference_bound_to_a_taken_match_hears_of_that_ones_reversal() {
    let (server, older, _, unreferenced) = two_of_which_one_is_used().await;
    let taken = server.leap().credit(credit(ANA, &older)).await.done();
    let reversed = server.leap().reverse(reversal(ANA, &taken)).await.done();
    let answer = server.leap().credit(credit(ANA, &older)).await;
    assert!(answer.text_of("ResponseDescription").contains(&reversed), "{}", answer.text);
    server.leap().reverse(reversal(ANA, &unreferenced)).await.done();
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn a_match_that_cannot_be_credited_now_is_left_and_an_operator_is_asked() {
    let (server, older, newer, unreferenced) = two_of_which_one_is_used().await;
    server.operator().block(ANA, "Blocked").await;
    assert_eq!(server.leap().credit(credit(ANA, &older)).await.done(), unreferenced);
    server.operator().unblock(ANA).await;
    assert_eq!(server.leap().credit(credit(ANA, &older)).await.done(), unreferenced, "bound for ever");
    let listed = server.operator().list("/admin/ambiguous-credits?state=Waiting").await;
    assert_eq!(listed[0]["answeredWith"], json!(unreferenced));
    server.leap().credit(credit(ANA, &newer)).await.done();
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn a_referenced_credit_leaves_nothing_for_an_unreferenced_one() {
    let server = Server::start().await;
    server.credited().await;
    server.leap().credit(unreferenced_credit(ANA)).await.not_credited("NotPreviouslyValidated");
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn each_reference_of_two_gets_a_credit_of_its_own_after_two_unreferenced_ones() {
    let mut server = Server::with().policy("unreferenced_retry_window", "1s").with_ana().await;
    let authorized = [server.authorized().await, server.authorized().await];
    let mut credited = Vec::new();
    for _ in 0..2 {
        credited.push(server.leap().credit(unreferenced_credit(ANA)).await.done());
        server.advance("2s");
    }
    for (authorized, credited) in authorized.iter().zip(&credited) {
        assert_eq!(server.leap().credit(credit(ANA, authorized)).await.done(), *credited);
    }
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn an_authorization_that_an_operator_used_for_an_ambiguous_call_gives_that_credit() {
    let (server, _, newer, _) = two_of_which_one_is_used().await;
    server.leap().credit(unreferenced_credit(ANA)).await.done();
    let waiting = server.operator().list("/admin/ambiguous-credits").await;
    let made = server.operator().credit_ambiguous(waiting[0]["trackingIdentifier"].as_str().unwrap()).await.data();
    assert_eq!(made["credit"]["authTrackingIdentifier"], newer.as_str());
    assert_eq!(json!(server.leap().credit(credit(ANA, &newer)).await.done()), made["credit"]["trackingIdentifier"]);
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn an_unequal_authorization_is_never_taken() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    server.leap().authorize(authorization().to(ANA).amount("100.01")).await.authorized();
    let unreferenced = server.leap().credit(unreferenced_credit(ANA)).await.done();
    assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.done(), unreferenced);
}
