//! Paths and methods, the base path, the request's id.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::support::{ANA, Server, account, authorization, credit, reversal};

#[tokio::test]
async fn an_unknown_path_is_a_404_in_the_error_form() {
    let server = Server::start().await;
    for path in ["/", "/Unknown", "/txauthorization", "/TxAuthorization/", "/TxAuthorization/x", "//CreditFunds", "/v1"]
    {
        server.leap().call(path).send().await.error(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_names_the_right_one() {
    let server = Server::start().await;
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let answer = server.leap().call("/CreditFunds").method(method).send().await;
        let answer = answer.error(405, "METHOD_NOT_ALLOWED");
        assert_eq!(answer.header("Allow"), Some("POST"));
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_on_every_endpoint() {
    let server = Server::start().await;
    for endpoint in [
        "/TxAuthorization",
        "/ReverseCreditFunds",
        "/ReverseCredit",
        "/CreateAccount",
        "/GetCreateAccountUrl",
        "/GetCreditStatus",
    ] {
        server.leap().call(endpoint).method(Method::GET).send().await.error(405, "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn the_endpoints_hang_under_the_base_path_and_nowhere_else() {
    let server = Server::with().base_path("/partner/v1").start().await;
    server.open(account(ANA)).await;
    server.leap().authorize(authorization().to(ANA)).await.authorized();
    let at_the_root = server.operator().request(Method::POST, "/TxAuthorization").bytes("{}");
    at_the_root.send().await.error(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn health_and_admin_stay_at_the_root_under_any_base_path() {
    let server = Server::with().base_path("/v1").start().await;
    server.operator().get("/health/live").await.ok();
    server.operator().get("/admin/accounts").await.ok();
}

#[tokio::test]
async fn a_reversal_is_the_same_under_both_of_its_names() {
    let server = Server::start().await;
    let leap = server.leap();
    let authorized = leap.authorize(authorization().to(ANA)).await.authorized();
    let credited = leap.credit(credit(ANA, &authorized)).await.done();
    let reversed = leap.call("/ReverseCredit").body(reversal(ANA, &credited)).send().await.done();
    assert_eq!(leap.reverse(reversal(ANA, &credited)).await.done(), reversed);
    assert_eq!(server.operator().balance(ANA).await, "0.00");
}

#[tokio::test]
async fn every_answer_carries_an_id_of_its_own() {
    let server = Server::start().await;
    let leap = server.leap();
    let answers = [
        leap.authorize(authorization().to(ANA)).await,
        leap.call("/TxAuthorization").signatures(&[]).off_contract().send().await,
        leap.call("/TxAuthorization").bytes("{").off_contract().send().await,
        leap.call("/nothing").send().await,
        leap.call("/CreditFunds").method(Method::GET).send().await,
        server.operator().get("/health/live").await,
        server.operator().get("/metrics").await,
        server.operator().with_key("").get("/admin/accounts").await,
    ];
    let ids: BTreeSet<&str> = answers
        .iter()
        .map(|answer| answer.header("X-Request-Id").unwrap_or_else(|| panic!("{}", answer.text)))
        .collect();
    assert_eq!(ids.len(), answers.len());
}
