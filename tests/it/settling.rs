//! GetCreditStatus and settlement: decision 10, sentence by sentence.

use serde_json::{Value, json};

use crate::support::{ANA, Server, Setup, account, credit, reversal, somebody, status, unreferenced_credit};

fn confirmed() -> Setup {
    Server::with().policy("settlement", "confirmed")
}

async fn status_of(server: &Server, credit: &str) -> Value {
    server.leap().status(status(ANA, credit)).await.ok()["CreditStatus"].clone()
}

/// Ana's balance, and what waits to be settled.
async fn stands(server: &Server) -> (Value, Value) {
    let shown = server.operator().account(ANA).await;
    (shown["balance"].clone(), shown["pending"].clone())
}

fn money(balance: &str, pending: &str) -> (Value, Value) {
    (json!(balance), json!(pending))
}

#[tokio::test]
async fn an_immediate_credit_is_final_at_once() {
    let server = Server::with().policy("settlement", "immediate").with_ana().await;
    let (_, credited) = server.credited().await;
    assert_eq!(status_of(&server, &credited).await, "Approved");
    assert_eq!(stands(&server).await, money("100.00", "0.00"));
    server.operator().settle(&credited, "Approved").await.expect_status(409);
    server.operator().settle(&credited, "Failed").await.expect_status(409);
    assert_eq!(stands(&server).await, money("100.00", "0.00"));
}

#[tokio::test]
async fn a_confirmed_credit_waits_in_the_pending_book() {
    let server = confirmed().with_ana().await;
    let (_, credited) = server.credited().await;
    assert_eq!(status_of(&server, &credited).await, "InProgress");
    assert_eq!(stands(&server).await, money("0.00", "100.00"));
    let call = server.operator().request(reqwest::Method::POST, &format!("/admin/accounts/{ANA}/debits"));
    let call = call.idempotency_key("a").body(&json!({"amount": "0.01", "reason": "not yet"}));
    call.send().await.expect_status(409);
}

#[tokio::test]
async fn approved_makes_it_available_and_failed_undoes_it() {
    for (outcome, state, told, then) in [
        ("Approved", "Approved", "Approved", money("100.00", "0.00")),
        ("Failed", "SettlementFailed", "Failed", money("0.00", "0.00")),
    ] {
        let server = confirmed().with_ana().await;
        let (_, credited) = server.credited().await;
        assert_eq!(server.operator().settle(&credited, outcome).await.expect_status(200).data()["state"], state);
        assert_eq!(status_of(&server, &credited).await, told);
        assert_eq!(stands(&server).await, then);
    }
}

#[tokio::test]
async fn a_retry_of_a_credit_that_waits_or_is_settled_gets_the_first_answer() {
    let server = confirmed().with_ana().await;
    let authorized = server.authorized().await;
    let first = server.leap().credit(credit(ANA, &authorized)).await.success();
    assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.text, first.text);
    server.operator().settle(&first.tracking(), "Approved").await.ok();
    assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.text, first.text);
    assert_eq!(stands(&server).await, money("100.00", "0.00"));
}

#[tokio::test]
async fn settling_is_once() {
    for first in ["Approved", "Failed"] {
        let server = confirmed().with_ana().await;
        let (_, credited) = server.credited().await;
        server.operator().settle(&credited, first).await.ok();
        let then = stands(&server).await;
        for second in ["Approved", "Failed"] {
            server.operator().settle(&credited, second).await.error(409, "CREDIT_NOT_IN_PROGRESS");
        }
        assert_eq!(stands(&server).await, then);
    }
}

#[tokio::test]
async fn reversing_a_pending_credit_undoes_it_and_settling_it_then_is_a_409() {
    let server = confirmed().with_ana().await;
    let (_, credited) = server.credited().await;
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    assert_eq!(stands(&server).await, money("0.00", "0.00"));
    for outcome in ["Approved", "Failed"] {
        server.operator().settle(&credited, outcome).await.error(409, "CREDIT_NOT_IN_PROGRESS");
    }
    assert_eq!(status_of(&server, &credited).await, "Failed");
    assert_eq!(stands(&server).await, money("0.00", "0.00"));
}

#[tokio::test]
async fn a_pending_credit_is_reversed_in_full_whatever_the_balance_is() {
    let server = confirmed().policy("on_shortfall", "refuse").with_ana().await;
    let (_, settled) = server.credited().await;
    server.operator().settle(&settled, "Approved").await.ok();
    let (_, pending) = server.credited().await;
    server.operator().debit(ANA, "100.00").await;
    server.leap().reverse(reversal(ANA, &pending)).await.done();
    assert_eq!(stands(&server).await, money("0.00", "0.00"));
}

#[tokio::test]
async fn a_settled_credit_is_reversed_from_the_balance() {
    let server = confirmed().with_ana().await;
    let (_, credited) = server.credited().await;
    server.operator().settle(&credited, "Approved").await.ok();
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    assert_eq!(stands(&server).await, money("0.00", "0.00"));
}

#[tokio::test]
async fn a_failed_credit_is_as_a_reversed_one_for_credit_funds() {
    let server = confirmed().with_ana().await;
    let (authorized, credited) = server.credited().await;
    server.operator().settle(&credited, "Failed").await.ok();
    let answer = server.leap().credit(credit(ANA, &authorized)).await;
    assert!(answer.text_of("ResponseDescription").contains("settlement failed"), "{}", answer.text);
    assert_eq!(answer.not_credited("NotPreviouslyValidated"), credited);
    server.leap().credit(unreferenced_credit(ANA)).await.not_credited("NotPreviouslyValidated");
    assert_eq!(stands(&server).await, money("0.00", "0.00"));
}

#[tokio::test]
async fn reversing_a_failed_credit_moves_nothing() {
    let server = confirmed().with_ana().await;
    let (_, credited) = server.credited().await;
    server.operator().settle(&credited, "Failed").await.ok();
    server.leap().reverse(reversal(ANA, &credited)).await.failure();
    assert_eq!(server.operator().credit(&credited).await["state"], "SettlementFailed");
    assert_eq!(stands(&server).await, money("0.00", "0.00"));
}

#[tokio::test]
async fn a_late_and_an_unreferenced_credit_wait_to_be_settled_as_well() {
    let mut server = confirmed().policy("authorization_ttl", "1h").with_ana().await;
    server.authorized().await;
    server.advance("2h");
    let credited = server.leap().credit(unreferenced_credit(ANA)).await.done();
    assert_eq!(status_of(&server, &credited).await, "InProgress");
    server.operator().settle(&credited, "Approved").await.ok();
    assert_eq!(stands(&server).await, money("100.00", "0.00"));
}

#[tokio::test]
async fn each_credit_keeps_the_settlement_that_it_was_made_under() {
    let server = confirmed().with_ana().await;
    let (_, pending) = server.credited().await;
    let server = server.restart_with(Server::with().policy("settlement", "immediate")).await;
    let (_, approved) = server.credited().await;
    assert_eq!(
        (status_of(&server, &pending).await, status_of(&server, &approved).await),
        (json!("InProgress"), json!("Approved"))
    );
    server.operator().settle(&pending, "Approved").await.ok();
    assert_eq!(stands(&server).await, money("200.00", "0.00"));
}

#[tokio::test]
async fn an_unknown_number_is_failed_and_says_so() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    for unknown in ["019a9f40-12ab-7f03-8e21-9a4c5d6b7e83", "x", &authorized] {
        let answer = server.leap().status(status(ANA, unknown)).await.ok();
        assert_eq!(answer["CreditStatus"], "Failed");
        assert_eq!(answer["ResponseDescription"], "no credit has this CreditTrackingNumber");
    }
}

#[tokio::test]
async fn a_known_number_with_another_account_is_a_400() {
    let server = Server::start().await;
    let other = server.open(account("4000000000000002").holder(somebody(1))).await;
    let (_, credited) = server.credited().await;
    for to in [other.as_str(), "4999999999999999"] {
        server.leap().status(status(to, &credited)).await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn settling_is_recorded_with_who_and_why() {
    let server = confirmed().with_ana().await;
    let (_, credited) = server.credited().await;
    server.operator().settle(&credited, "Approved").await.ok();
    let journal = server.operator().list(&format!("/admin/accounts/{ANA}/changes")).await;
    assert_eq!((&journal[0]["action"], &journal[0]["who"]), (&json!("settle"), &json!("tester")));
    assert_eq!((&journal[0]["target"], &journal[0]["change"]), (&json!(credited), &json!("InProgress -> Approved")));
}
