//! `Idempotency-Key`: the same bytes under the same key get the same answer (decision 6).

use serde_json::json;

use crate::support::{
    ANA, Answer, Body, Browser, Server, ana, authorization, credit, enrolment, new_account, reversal, status,
};

async fn call(server: &Server, endpoint: &str, key: &str, body: Body) -> Answer {
    server.leap().call(endpoint).idempotency_key(key).body(body).send().await
}

#[tokio::test]
async fn the_same_bytes_under_the_same_key_get_the_same_answer() {
    let server = Server::start().await;
    let first = call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await;
    let again = call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await;
    assert_eq!(first.text, again.text);
    assert_eq!(server.operator().list("/admin/authorizations").await.len(), 1);
}

#[tokio::test]
async fn without_a_key_identical_remittances_are_two() {
    let server = Server::start().await;
    let first = server.leap().authorize(authorization().to(ANA)).await.authorized();
    assert_ne!(first, server.leap().authorize(authorization().to(ANA)).await.authorized());
}

#[tokio::test]
async fn other_bytes_under_the_same_key_are_a_409_and_write_nothing() {
    let server = Server::start().await;
    call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.authorized();
    let other = call(&server, "/TxAuthorization", "a", authorization().to(ANA).amount("100.0")).await;
    other.error(409, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(server.operator().list("/admin/decisions").await.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_path() {
    let server = Server::start().await;
    let authorized = call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.authorized();
    let credited = call(&server, "/CreditFunds", "a", credit(ANA, &authorized)).await.done();
    call(&server, "/ReverseCreditFunds", "a", reversal(ANA, &credited)).await.done();
}

#[tokio::test]
async fn both_names_of_a_reversal_are_one_path() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    let first = call(&server, "/ReverseCredit", "a", reversal(ANA, &credited)).await.done();
    assert_eq!(call(&server, "/ReverseCreditFunds", "a", reversal(ANA, &credited)).await.done(), first);
    let other = call(&server, "/ReverseCreditFunds", "a", reversal(ANA, "x")).await;
    other.error(409, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_negative_answer_is_kept_too() {
    let server = Server::start().await;
    server.operator().block(ANA, "Blocked").await;
    let refused =
        call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.not_authorized("AccountBlocked");
    server.operator().unblock(ANA).await;
    let again = call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.not_authorized("AccountBlocked");
    assert_eq!(refused, again);
    call(&server, "/TxAuthorization", "b", authorization().to(ANA)).await.authorized();
}

#[tokio::test]
async fn an_unreadable_body_is_kept_too() {
    let server = Server::start().await;
    let send = async |body: &str| {
        let call = server.leap().call("/CreditFunds").idempotency_key("a").bytes(body).off_contract();
        call.send().await
    };
    let first = send("{").await.error(400, "INVALID_REQUEST");
    assert_eq!(send("{").await.error(400, "INVALID_REQUEST").text, first.text);
    send("{}").await.error(409, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_refused_signature_is_not_kept() {
    let server = Server::start().await;
    let body = authorization().to(ANA);
    let unsigned = server.leap().call("/TxAuthorization").idempotency_key("a").body(body.clone()).signatures(&[]);
    unsigned.send().await.error(401, "UNAUTHORIZED");
    call(&server, "/TxAuthorization", "a", body).await.authorized();
}

#[tokio::test]
async fn a_key_is_kept_for_seven_days() {
    let mut server = Server::start().await;
    let first = call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.authorized();
    server.advance("604799s");
    assert_eq!(call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.authorized(), first);
    server.advance("2s");
    assert_ne!(call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.authorized(), first);
}

#[tokio::test]
async fn a_key_is_kept_over_a_restart() {
    let server = Server::start().await;
    let first = call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.authorized();
    let server = server.restart().await;
    assert_eq!(call(&server, "/TxAuthorization", "a", authorization().to(ANA)).await.authorized(), first);
}

#[tokio::test]
async fn a_link_under_a_key_is_the_same_link_and_works() {
    let server = Server::with().policy("enrolment_currency", "MXN").start().await;
    let first = call(&server, "/GetCreateAccountUrl", "a", enrolment(ana())).await.success();
    let again = call(&server, "/GetCreateAccountUrl", "a", enrolment(ana())).await.success();
    assert_eq!(first.text, again.text);
    Browser::new().confirm(again.text_of("RegistrationUrl"), "").await.ok();
}

#[tokio::test]
async fn an_account_under_a_key_is_the_same_account() {
    let server = Server::with().start().await;
    let first = call(&server, "/CreateAccount", "a", new_account(ana())).await.success();
    let again = call(&server, "/CreateAccount", "a", new_account(ana())).await.success();
    assert_eq!(first.text, again.text);
}

#[tokio::test]
async fn a_status_looks_at_no_key() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    let ask = async |number: &str| call(&server, "/GetCreditStatus", "a", status(ANA, number)).await.ok();
    assert_eq!(ask(&credited).await["CreditStatus"], "Approved");
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    assert_eq!(ask(&credited).await["CreditStatus"], "Failed");
    assert_eq!(ask("another").await["CreditStatus"], "Failed");
}

#[tokio::test]
async fn what_is_no_key_is_a_400() {
    let server = Server::start().await;
    for key in ["", "with space", &"x".repeat(256)] {
        let call = server.leap().call("/TxAuthorization").idempotency_key(key).body(authorization().to(ANA));
        call.off_contract().send().await.error(400, "INVALID_REQUEST");
    }
    let twice = server.leap().call("/TxAuthorization").idempotency_key("a").idempotency_key("b");
    twice.body(authorization().to(ANA)).off_contract().send().await.error(400, "INVALID_REQUEST");
    assert!(server.operator().list("/admin/decisions").await.is_empty());
}

#[tokio::test]
async fn an_operators_post_honours_a_key_as_well() {
    let server = Server::start().await;
    let block = async |status: &str| {
        let path = format!("/admin/accounts/{ANA}/block");
        let call = server.operator().request(reqwest::Method::POST, &path).idempotency_key("a");
        call.body(&json!({"status": status, "reason": "a test"})).send().await
    };
    let first = block("Blocked").await.ok();
    server.operator().unblock(ANA).await;
    assert_eq!(block("Blocked").await.ok().text, first.text);
    assert_eq!(server.operator().account(ANA).await["status"], "Active", "the action was not repeated");
    block("BlockedByLaw").await.error(409, "IDEMPOTENCY_KEY_REUSED");
}
