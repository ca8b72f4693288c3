//! X-Signature: over the raw bytes, before anything is parsed, and no path around it.

use crate::support::{ANA, Answer, KEY, Server, authorization, sign, status, unreferenced_credit};

const ENDPOINTS: [&str; 7] = [
    "/TxAuthorization",
    "/CreditFunds",
    "/ReverseCreditFunds",
    "/ReverseCredit",
    "/CreateAccount",
    "/GetCreateAccountUrl",
    "/GetCreditStatus",
];

/// An authorization that is fine but for its X-Signature headers.
async fn call_with(server: &Server, signatures: &[&str]) -> Answer {
    server.leap().call("/TxAuthorization").body(authorization().to(ANA)).signatures(signatures).send().await
}

fn right_signature() -> String {
    sign(KEY, authorization().to(ANA).text().as_bytes())
}

#[tokio::test]
async fn the_right_signature_is_accepted_in_either_case() {
    let server = Server::start().await;
    let lower = right_signature();
    let mixed: String =
        lower.chars().enumerate().map(|(n, c)| if n % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect();
    for signature in [lower.clone(), lower.to_uppercase(), mixed] {
        call_with(&server, &[&signature]).await.authorized();
    }
}

#[tokio::test]
async fn every_configured_key_is_accepted() {
    let keys = ["the-key-that-was-there", "the-key-that-comes-next"];
    let server = Server::with().signing_keys(&keys).start().await;
    server.open(crate::support::account(ANA)).await;
    for key in keys {
        server.leap().signing_with(key).authorize(authorization().to(ANA)).await.authorized();
    }
    server.leap().signing_with(KEY).authorize(authorization().to(ANA)).await.error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn no_endpoint_answers_without_a_signature() {
    let server = Server::start().await;
    for endpoint in ENDPOINTS {
        server.leap().call(endpoint).signatures(&[]).off_contract().send().await.error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_doubled_header_is_refused_even_if_both_are_right() {
    let server = Server::start().await;
    let right = right_signature();
    call_with(&server, &[&right, &right]).await.error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn two_signatures_in_one_header_are_refused() {
    let server = Server::start().await;
    let right = right_signature();
    call_with(&server, &[&format!("{right},{right}")]).await.error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn an_empty_signature_is_refused() {
    let server = Server::start().await;
    call_with(&server, &[""]).await.error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_truncated_signature_is_refused() {
    let server = Server::start().await;
    let right = right_signature();
    for length in [62, 32, 16, 2] {
        call_with(&server, &[&right[..length]]).await.error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_signature_that_is_too_long_is_refused() {
    let server = Server::start().await;
    call_with(&server, &[&format!("{}00", right_signature())]).await.error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_signature_that_is_not_hexadecimal_is_refused() {
    let server = Server::start().await;
    let right = right_signature();
    for wrong in ["g".repeat(64), format!("sha256={right}"), format!("0x{}", &right[2..]), " ".repeat(64)] {
        call_with(&server, &[&wrong]).await.error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_signature_with_one_other_digit_is_refused() {
    let server = Server::start().await;
    let right = right_signature();
    let other = if right.ends_with('0') { "1" } else { "0" };
    call_with(&server, &[&format!("{}{other}", &right[..63])]).await.error(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_signature_made_with_another_key_is_refused() {
    let server = Server::start().await;
    let body = authorization().to(ANA);
    for key in ["another-key", "", &KEY[1..], &format!("{KEY}\n")] {
        server.leap().signing_with(key).authorize(body.clone()).await.error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_signature_over_reserialised_json_is_refused() {
    let server = Server::start().await;
    let sent = "{ \"AccountIdentifier\" : \"4000000000001234\" ,\n  \"CreditTrackingNumber\": \"x\" }";
    let compact = status(ANA, "x").text();
    let call = server.leap().call("/GetCreditStatus").bytes(sent);
    call.signatures(&[&sign(KEY, compact.as_bytes())]).send().await.error(401, "UNAUTHORIZED");
    server.leap().call("/GetCreditStatus").bytes(sent).send().await.ok();
}

#[tokio::test]
async fn an_unsigned_body_is_not_parsed() {
    let server = Server::start().await;
    let call = || server.leap().call("/CreditFunds").bytes("{not json").off_contract();
    call().signatures(&[]).send().await.error(401, "UNAUTHORIZED");
    call().signatures(&[&sign(KEY, b"{}")]).send().await.error(401, "UNAUTHORIZED");
    call().send().await.error(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_refused_signature_leaves_no_decision() {
    let server = Server::start().await;
    call_with(&server, &[&"0".repeat(64)]).await.error(401, "UNAUTHORIZED");
    assert!(server.operator().list("/admin/decisions").await.is_empty());
}

/// The signature covers no path.
#[tokio::test]
async fn a_captured_body_sent_to_another_endpoint_moves_no_money() {
    let server = Server::start().await;
    server.authorized().await;
    let captured = |path: &str, body| server.leap().call(path).body(body).off_contract().send();
    let answer = captured("/CreditFunds", authorization().to(ANA)).await;
    answer.not_credited("InvalidParameter");
    assert_eq!(server.balance().await, "0.00");
    let answer = captured("/TxAuthorization", unreferenced_credit(ANA)).await;
    answer.not_authorized("InvalidDestinationData");
}
