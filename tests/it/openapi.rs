//! The contract itself, and that the check which holds every exchange against it sees what is off.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::support::openapi::{ADMIN, Exchange, VNA};

const REQUEST: &str = r#"{"AccountIdentifier":"4000000000001234","CreditTrackingNumber":"x"}"#;
const ANSWER: &str = r#"{"CreditStatus":"Approved"}"#;

fn headers(named: &[(&str, &str)]) -> HeaderMap {
    let header = |name: &str, value: &str| (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    named.iter().map(|(name, value)| header(name, value)).collect()
}

/// What is off in a GetCreditStatus that is right but for what is given here.
fn off(path: &str, request: &str, status: u16, answered: &[(&str, &str)], answer: &str) -> Option<String> {
    let exchange = Exchange {
        method: "POST",
        path,
        request: request.as_bytes(),
        request_headers: &HeaderMap::new(),
        off_contract: false,
        status,
        headers: &headers(answered),
        body: answer.as_bytes(),
    };
    VNA.check(&exchange).err()
}

const ANSWERED: &[(&str, &str)] = &[("Content-Type", "application/json"), ("X-Request-Id", "1")];

#[test]
fn every_example_of_the_contract_is_valid() {
    assert!(VNA.check_examples().unwrap() > 10);
}

#[test]
fn every_example_of_the_admin_contract_is_valid() {
    assert!(ADMIN.check_examples().unwrap() > 10);
}

#[test]
fn an_exchange_that_is_right_is_let_through() {
    assert_eq!(off("/GetCreditStatus", REQUEST, 200, ANSWERED, ANSWER), None);
}

#[test]
fn a_request_that_the_contract_does_not_describe_is_seen() {
    let why = off("/GetCreditStatus", r#"{"AccountIdentifier":"4"}"#, 200, ANSWERED, ANSWER).unwrap();
    assert!(why.starts_with("the request:") && why.contains("CreditTrackingNumber"), "{why}");
}

#[test]
fn an_answer_with_an_unknown_wrong_or_missing_property_is_seen() {
    for answer in [r#"{"CreditStatus":"Approved","Extra":1}"#, r#"{"CreditStatus":"approved"}"#, "{}", "[]", "text"] {
        let why = off("/GetCreditStatus", REQUEST, 200, ANSWERED, answer).unwrap();
        assert!(why.starts_with("the answer:"), "{why}");
    }
}

#[test]
fn a_status_a_content_type_or_a_header_that_is_not_in_the_contract_is_seen() {
    assert!(off("/GetCreditStatus", REQUEST, 418, ANSWERED, ANSWER).is_some());
    assert!(off("/GetCreditStatus", REQUEST, 200, &[("Content-Type", "text/html"), ANSWERED[1]], ANSWER).is_some());
    assert!(off("/GetCreditStatus", REQUEST, 200, &ANSWERED[..1], ANSWER).is_some(), "no X-Request-Id");
    let error = r#"{"success":false,"error":{"code":"SERVICE_UNAVAILABLE","message":"later"}}"#;
    assert!(off("/GetCreditStatus", REQUEST, 503, ANSWERED, error).is_some(), "no Retry-After");
}

#[test]
fn an_answer_at_a_path_that_does_not_exist_is_seen() {
    assert!(off("/Unknown", REQUEST, 200, ANSWERED, ANSWER).is_some());
    let error = r#"{"success":false,"error":{"code":"RESOURCE_NOT_FOUND","message":"nothing"}}"#;
    assert_eq!(off("/Unknown", REQUEST, 404, ANSWERED, error), None);
}
