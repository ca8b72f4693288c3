//! CreditFunds that names no authorization: decision 8, sentence by sentence. Callers that mix both forms are in
//! [`super::crediting_mixed`].

use serde_json::{Value, json};
use vna_partner::domain::Span;

use crate::support::{
    ANA, Answer, Body, Server, account, authorization, credit, reversal, somebody, status, unreferenced_credit,
};

async fn call(server: &Server) -> Answer {
    server.leap().credit(unreferenced_credit(ANA)).await
}

async fn call_with_key(server: &Server, key: &str) -> Answer {
    server.leap().call("/CreditFunds").idempotency_key(key).body(unreferenced_credit(ANA)).send().await
}

async fn off_contract(server: &Server, body: Body) -> Answer {
    server.leap().call("/CreditFunds").body(body).off_contract().send().await
}

/// Ambiguous calls that wait for an operator.
async fn waiting(server: &Server) -> Vec<Value> {
    server.operator().list("/admin/ambiguous-credits?state=Waiting").await
}

async fn state_of(server: &Server, authorization: &str) -> Value {
    server.operator().authorization(authorization).await["state"].clone()
}

#[tokio::test]
async fn it_consumes_the_oldest_open_authorization_of_that_amount() {
    let mut server = Server::start().await;
    let older = server.authorized().await;
    server.advance("1s");
    let newer = server.authorized().await;
    let credited = call(&server).await.done();
    assert_eq!((state_of(&server, &older).await, state_of(&server, &newer).await), (json!("Credited"), json!("Open")));
    let shown = server.operator().credit(&credited).await;
    assert_eq!((&shown["authTrackingIdentifier"], &shown["referenced"]), (&json!(older), &json!(false)));
    let decision = server.operator().decision(&credited).await;
    assert_eq!((&decision["reference"], &decision["accountIdentifier"]), (&json!(older), &json!(ANA)));
    assert_eq!(decision["note"], "the call named no authorization and was matched with one");
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn another_account_amount_or_currency_is_no_match() {
    let server = Server::start().await;
    let other = server.open(account("4000000000000002").holder(somebody(1))).await;
    server.authorized().await;
    for body in [
        unreferenced_credit(&other),
        unreferenced_credit(ANA).amount("100.01"),
        unreferenced_credit(ANA).currency("USD"),
        unreferenced_credit(ANA).currency("JPY"),
    ] {
        let refused = server.leap().credit(body).await.not_credited("NotPreviouslyValidated");
        assert!(!server.operator().decision(&refused).await["accountIdentifier"].is_null());
    }
    assert_eq!((server.balance().await, server.operator().balance(&other).await), ("0.00".into(), "0.00".into()));
    assert!(waiting(&server).await.is_empty());
}

#[tokio::test]
async fn the_same_amount_written_otherwise_matches() {
    let server = Server::start().await;
    server.authorized().await;
    server.leap().credit(unreferenced_credit(ANA).amount("1e2")).await.done();
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn the_same_rate_is_preferred_to_an_older_authorization() {
    let mut server = Server::start().await;
    let older = server.leap().authorize(authorization().to(ANA).rate("17.00")).await.authorized();
    server.advance("1s");
    let same_rate = server.authorized().await;
    call(&server).await.done();
    assert_eq!(state_of(&server, &same_rate).await, "Credited");
    // Another rate is a second remittance and takes what there is.
    server.leap().credit(unreferenced_credit(ANA).rate("19.00")).await.done();
    assert_eq!(state_of(&server, &older).await, "Credited");
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn the_same_rate_is_required_where_the_partner_wants_that() {
    let server = Server::with().policy("exchange_rate", "match").with_ana().await;
    let authorized = server.leap().authorize(authorization().to(ANA).rate("17.00")).await.authorized();
    call(&server).await.not_credited("NotPreviouslyValidated");
    assert_eq!(state_of(&server, &authorized).await, "Open");
    server.leap().credit(unreferenced_credit(ANA).rate("17")).await.done();
}

#[tokio::test]
async fn without_a_match_it_was_not_validated() {
    let server = Server::start().await;
    let refused = call(&server).await.not_credited("NotPreviouslyValidated");
    assert!(waiting(&server).await.is_empty());
    let decision = server.operator().decision(&refused).await;
    assert_eq!((&decision["accountIdentifier"], &decision["note"]), (&json!(ANA), &json!("no authorization matches")));
    assert_eq!(server.leap().status(status(ANA, &refused)).await["CreditStatus"], "Failed");
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn unreferenced_credits_refuse_refuses_always() {
    let server = Server::with().policy("unreferenced_credits", "refuse").with_ana().await;
    let authorized = server.authorized().await;
    call(&server).await.not_credited("NotPreviouslyValidated");
    assert_eq!(state_of(&server, &authorized).await, "Open");
    server.leap().credit(credit(ANA, &authorized)).await.done();
}

#[tokio::test]
async fn missing_or_wrong_fields_give_their_reasons_and_an_unknown_account_its_own() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    let body = || unreferenced_credit(ANA);
    for (wrong, reason) in [
        (body().without("Amount").without("Currency"), "InvalidAmount"),
        (body().amount("0"), "InvalidAmount"),
        (body().amount("100.001"), "InvalidAmount"),
        (body().without("Currency").without("ExchangeRate"), "InvalidCurrency"),
        (body().currency("XXX"), "InvalidCurrency"),
        (body().without("ExchangeRate"), "InvalidExchangeRate"),
        (body().rate("-1"), "InvalidExchangeRate"),
        (body().without("AccountIdentifier"), "InvalidAccount"),
        (body().to("4999999999999999"), "InvalidAccount"),
    ] {
        off_contract(&server, wrong).await.not_credited(reason);
    }
    assert_eq!(state_of(&server, &authorized).await, "Open");
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn a_retry_within_the_window_gets_the_first_answer() {
    let mut server = Server::start().await;
    server.authorized().await;
    let first = call(&server).await;
    server.advance("15m");
    assert_eq!(call(&server).await.text, first.text);
    assert_eq!(server.balance().await, "100.00");
    assert!(waiting(&server).await.is_empty(), "nothing else would have matched");
}

#[tokio::test]
async fn after_the_window_it_is_another_remittance() {
    let mut server = Server::with().policy("unreferenced_retry_window", "5m").with_ana().await;
    server.authorized().await;
    server.authorized().await;
    server.advance("1s");
    let first = call(&server).await.done();
    server.advance("5m");
    assert_eq!(call(&server).await.done(), first);
    server.advance_by(Span(1));
    assert_ne!(call(&server).await.done(), first);
    server.advance_by(Span::seconds(301));
    call(&server).await.not_credited("NotPreviouslyValidated");
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn of_several_the_latest_gives_its_answer_again() {
    let mut server = Server::start().await;
    server.authorized().await;
    server.authorized().await;
    let first = call_with_key(&server, "a").await.done();
    server.advance("1s");
    let second = call_with_key(&server, "b").await.done();
    assert_ne!(first, second);
    assert_eq!(call(&server).await.done(), second);
}

#[tokio::test]
async fn a_reversed_credit_is_not_given_again() {
    let server = Server::start().await;
    server.authorized().await;
    let first = call(&server).await.done();
    server.leap().reverse(reversal(ANA, &first)).await.done();
    call(&server).await.not_credited("NotPreviouslyValidated");
    server.authorized().await;
    assert_ne!(call(&server).await.done(), first);
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn a_credit_whose_settlement_failed_is_not_given_again() {
    let server = Server::with().policy("settlement", "confirmed").with_ana().await;
    server.authorized().await;
    let first = call(&server).await.done();
    assert_eq!(call(&server).await.done(), first, "a pending one is");
    server.operator().settle(&first, "Failed").await.ok();
    call(&server).await.not_credited("NotPreviouslyValidated");
}

#[tokio::test]
async fn another_rate_or_a_credit_that_named_its_authorization_is_no_first_call() {
    let server = Server::start().await;
    server.authorized().await;
    let (_, referenced) = server.credited().await;
    let first = call(&server).await.done();
    assert_ne!(first, referenced);
    server.leap().credit(unreferenced_credit(ANA).rate("17.00")).await.not_credited("NotPreviouslyValidated");
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn where_another_authorization_would_have_matched_an_operator_can_credit_it_once() {
    let mut server = Server::start().await;
    let consumed = server.authorized().await;
    server.advance("1s");
    let (older, newer) = (server.authorized().await, server.authorized().await);
    let first = call(&server).await.done();
    assert_eq!(call(&server).await.done(), first);
    let listed = waiting(&server).await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["answeredWith"], &listed[0]["amount"]), (&json!(first), &json!("100.00")));

    let id = listed[0]["trackingIdentifier"].as_str().unwrap();
    let made = server.operator().credit_ambiguous(id).await.expect_status(200).data();
    assert_eq!(
        (&made["credit"]["authTrackingIdentifier"], &made["credit"]["state"]),
        (&json!(older), &json!("Approved"))
    );
    assert_eq!(server.balance().await, "200.00");
    for (authorized, state) in [(consumed, "Credited"), (older, "Credited"), (newer, "Open")] {
        assert_eq!(state_of(&server, &authorized).await, state);
    }
    server.operator().credit_ambiguous(id).await.error(409, "AMBIGUOUS_CREDIT_CONFLICT");
    assert!(waiting(&server).await.is_empty());
    assert_eq!(server.balance().await, "200.00");
    let journal = server.operator().list(&format!("/admin/accounts/{ANA}/changes")).await;
    assert_eq!(
        (&journal[0]["action"], &journal[0]["target"], &journal[0]["who"]),
        (&json!("credit"), &json!(id), &json!("tester"))
    );
}

#[tokio::test]
async fn an_operator_cannot_credit_what_no_open_match_is_left_for() {
    let server = Server::start().await;
    let authorized = [server.authorized().await, server.authorized().await];
    call(&server).await.done();
    call(&server).await.done();
    server.operator().void(&authorized[1]).await.ok();
    let id = waiting(&server).await[0]["trackingIdentifier"].as_str().unwrap().to_owned();
    server.operator().credit_ambiguous(&id).await.error(409, "AMBIGUOUS_CREDIT_CONFLICT");
    assert_eq!(waiting(&server).await.len(), 1);
    // What is authorized later is another remittance's.
    server.authorized().await;
    server.operator().credit_ambiguous(&id).await.error(409, "AMBIGUOUS_CREDIT_CONFLICT");
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn an_operator_cannot_credit_a_blocked_account_and_nothing_is_lost_by_trying() {
    let server = Server::start().await;
    server.authorized().await;
    let second = server.authorized().await;
    call(&server).await.done();
    call(&server).await.done();
    server.operator().block(ANA, "BlockedByLaw").await;
    let id = waiting(&server).await[0]["trackingIdentifier"].as_str().unwrap().to_owned();
    server.operator().credit_ambiguous(&id).await.error(409, "AMBIGUOUS_CREDIT_CONFLICT");
    assert_eq!(state_of(&server, &second).await, "Open");
    server.operator().unblock(ANA).await;
    server.operator().credit_ambiguous(&id).await.ok();
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn calls_with_different_keys_are_never_taken_for_a_retry() {
    let server = Server::start().await;
    server.authorized().await;
    server.authorized().await;
    let first = call_with_key(&server, "a").await.done();
    let second = call_with_key(&server, "b").await.done();
    assert_ne!(first, second);
    assert_eq!(call_with_key(&server, "a").await.done(), first);
    call_with_key(&server, "c").await.not_credited("NotPreviouslyValidated");
    assert_eq!(server.balance().await, "200.00");
    assert!(waiting(&server).await.is_empty());
}

#[tokio::test]
async fn where_only_one_call_has_a_key_it_may_be_a_retry() {
    let server = Server::start().await;
    server.authorized().await;
    let first = call(&server).await.done();
    assert_eq!(call_with_key(&server, "a").await.done(), first);
}

#[tokio::test]
async fn an_expired_unused_authorization_is_a_match_under_late_credit() {
    for (late_credit, late) in [("recheck", Some("Rechecked")), ("accept", Some("Accepted")), ("refuse", None)] {
        let setup = Server::with().policy("late_credit", late_credit).policy("authorization_ttl", "1h");
        let mut server = setup.with_ana().await;
        let authorized = server.authorized().await;
        server.advance("2h");
        let answer = call(&server).await;
        match late {
            Some(late) => assert_eq!(server.operator().credit(&answer.done()).await["late"], late),
            None => {
                answer.not_credited("NotPreviouslyValidated");
                server.leap().authorize(authorization().to(ANA).amount("1.00")).await.authorized();
                assert_eq!(state_of(&server, &authorized).await, "Expired", "no match was refused for good");
            }
        }
        assert!(waiting(&server).await.is_empty());
    }
}

#[tokio::test]
async fn an_open_authorization_goes_before_an_older_expired_one() {
    let mut server = Server::with().policy("authorization_ttl", "1h").with_ana().await;
    let expired = server.authorized().await;
    server.advance("1h");
    let open = server.authorized().await;
    call(&server).await.done();
    assert_eq!(
        (state_of(&server, &expired).await, state_of(&server, &open).await),
        (json!("Expired"), json!("Credited"))
    );
}

#[tokio::test]
async fn one_that_expired_longer_ago_than_the_window_is_no_match() {
    let setup = Server::with().policy("late_credit_window", "1d").policy("authorization_ttl", "1h");
    let mut server = setup.with_ana().await;
    server.authorized().await;
    server.advance("25h");
    server.advance_by(Span(1));
    call(&server).await.not_credited("NotPreviouslyValidated");
    assert!(waiting(&server).await.is_empty());
}

#[tokio::test]
async fn an_expired_match_is_left_to_an_operator_where_an_equal_credit_came_after_it() {
    let mut server = Server::with().policy("authorization_ttl", "1h").with_ana().await;
    let (used, expired) = (server.authorized().await, server.authorized().await);
    call(&server).await.done();
    assert_eq!(state_of(&server, &used).await, "Credited");
    server.advance("61m");
    let refused = call(&server).await.not_credited("NotPreviouslyValidated");
    let listed = waiting(&server).await;
    assert_eq!((&listed[0]["trackingIdentifier"], &listed[0]["answeredWith"]), (&json!(refused), &Value::Null));
    assert!(server.operator().decision(&refused).await["note"].as_str().unwrap().contains("an equal credit was made"));
    server.operator().credit_ambiguous(&refused).await.ok();
    assert_eq!((state_of(&server, &expired).await, server.balance().await), (json!("Credited"), "200.00".into()));
}

#[tokio::test]
async fn an_equal_credit_before_it_was_authorized_is_no_obstacle() {
    let mut server = Server::with().policy("authorization_ttl", "1h").with_ana().await;
    server.authorized().await;
    call(&server).await.done();
    server.advance("1h");
    server.authorized().await;
    server.advance("1h");
    call(&server).await.done();
    assert_eq!(server.balance().await, "200.00");
    assert!(waiting(&server).await.is_empty());
}

#[tokio::test]
async fn a_match_refused_for_a_reason_of_state_ends() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    server.operator().block(ANA, "Blocked").await;
    call(&server).await.not_credited("AccountBlocked");
    assert_eq!(state_of(&server, &authorized).await, "CreditRefused");
    server.operator().unblock(ANA).await;
    server.leap().credit(credit(ANA, &authorized)).await.not_credited("AccountBlocked");
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn a_retry_of_a_refused_call_is_refused_again_and_leaves_the_next_remittance_alone() {
    let server = Server::start().await;
    let first = server.authorized().await;
    let second = server.authorized().await;
    server.operator().block(ANA, "Blocked").await;
    let refused = call(&server).await.not_credited("AccountBlocked");
    server.operator().unblock(ANA).await;
    assert_eq!(call(&server).await.not_credited("AccountBlocked"), refused);
    assert_eq!(
        (state_of(&server, &first).await, state_of(&server, &second).await),
        (json!("CreditRefused"), json!("Open"))
    );
    let listed = waiting(&server).await;
    assert_eq!(listed[0]["answeredWith"], json!(refused));
    let asked = listed[0]["trackingIdentifier"].as_str().unwrap();
    assert!(server.operator().decision(asked).await["note"].as_str().unwrap().contains("taken for a retry"));
    server.operator().credit_ambiguous(asked).await.ok();
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn a_retry_window_of_nothing_takes_no_call_for_a_retry_even_at_the_same_moment() {
    let server = Server::with().policy("unreferenced_retry_window", "0s").with_ana().await;
    server.authorized().await;
    server.authorized().await;
    assert_ne!(call(&server).await.done(), call(&server).await.done());
    assert_eq!(server.balance().await, "200.00");
}
