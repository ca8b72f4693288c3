//! The door of the admin API, and what holds for every one of its endpoints.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ADMIN_KEY, ANA, Answer, Operator, Server, account, ana, authorization, credit, reversal, somebody,
    unreferenced_credit,
};

const UNKNOWN: &str = "019a9f40-12ab-7f03-8e21-9a4c5d6b7e83";

/// Every list.
const LISTS: [&str; 8] = [
    "/admin/accounts",
    "/admin/accounts/4000000000001234/statement",
    "/admin/accounts/4000000000001234/changes",
    "/admin/authorizations",
    "/admin/credits",
    "/admin/reversals",
    "/admin/ambiguous-credits",
    "/admin/decisions",
];

/// Every endpoint that shows one thing.
const RECORDS: [&str; 5] = [
    "/admin/accounts/4000000000001234",
    "/admin/authorizations/019a9f40-12ab-7f03-8e21-9a4c5d6b7e83",
    "/admin/credits/019a9f40-12ab-7f03-8e21-9a4c5d6b7e83",
    "/admin/decisions/019a9f40-12ab-7f03-8e21-9a4c5d6b7e83",
    "/admin/rules",
];

/// Every endpoint that does something, with a body that it takes.
fn actions() -> Vec<(String, Value)> {
    let of_ana = |action: &str| format!("/admin/accounts/{ANA}/{action}");
    vec![
        ("/admin/accounts".to_owned(), json!({"currency": "USD", "personalData": Value::from(ana())})),
        (of_ana("tier"), json!({"tier": "gold", "reason": "x"})),
        (of_ana("block"), json!({"status": "Blocked", "reason": "x"})),
        (of_ana("unblock"), json!({"reason": "x"})),
        (of_ana("close"), json!({"reason": "x"})),
        (of_ana("debits"), json!({"amount": "1.00", "reason": "x"})),
        (format!("/admin/authorizations/{UNKNOWN}/void"), json!({"reason": "x"})),
        (format!("/admin/credits/{UNKNOWN}/settle"), json!({"outcome": "Approved", "reason": "x"})),
        (format!("/admin/ambiguous-credits/{UNKNOWN}/credit"), json!({"reason": "x"})),
    ]
}

/// Method and path of everything there is.
fn endpoints() -> Vec<(Method, String)> {
    let read = LISTS.into_iter().chain(RECORDS).map(|path| (Method::GET, path.to_owned()));
    read.chain(actions().into_iter().map(|(path, _)| (Method::POST, path))).collect()
}

/// The call with nothing but its headers; what it lacks comes after the key.
async fn bare(operator: &Operator, method: Method, path: &str, keys: &[&str]) -> Answer {
    let call = operator.with_key("").request(method, path).off_contract();
    keys.iter().fold(call, |call, key| call.header("X-API-Key", key)).send().await
}

#[tokio::test]
async fn every_endpoint_asks_for_exactly_one_right_key_before_anything_else() {
    let server = Server::start().await;
    let operator = server.operator();
    for (method, path) in endpoints() {
        bare(&operator, method.clone(), &path, &[]).await.error(401, "UNAUTHORIZED");
        for keys in [&[""][..], &[&ADMIN_KEY[1..]], &["tester"], &[&ADMIN_KEY.to_uppercase()], &[ADMIN_KEY, ADMIN_KEY]]
        {
            bare(&operator, method.clone(), &path, keys).await.error(401, "INVALID_API_KEY");
        }
    }
    let status = operator.account(ANA).await["status"].clone();
    assert_eq!(status, "Active");
}

#[tokio::test]
async fn without_keys_every_endpoint_is_switched_off_and_says_so() {
    let server = Server::with().without("VNA_ADMIN_KEYS").start().await;
    for (method, path) in endpoints() {
        for keys in [&[][..], &[ADMIN_KEY]] {
            let answer = bare(&server.operator(), method.clone(), &path, keys).await.error(404, "RESOURCE_NOT_FOUND");
            assert!(answer["error"]["message"].as_str().unwrap().contains("VNA_ADMIN_KEYS"), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_on_every_endpoint() {
    let server = Server::start().await;
    for (_, path) in endpoints() {
        let call = server.operator().request(Method::DELETE, &path).off_contract();
        let answer = call.send().await.error(405, "METHOD_NOT_ALLOWED");
        assert!(answer.header("Allow").is_some());
    }
}

#[tokio::test]
async fn no_cache_may_keep_what_operators_are_told() {
    let server = Server::start().await;
    for path in ["/admin/accounts", &format!("/admin/accounts/{ANA}"), "/admin/decisions", "/admin/rules"] {
        assert_eq!(server.operator().get(path).await.ok().header("Cache-Control"), Some("no-store"), "{path}");
    }
}

#[tokio::test]
async fn every_list_has_pages_of_1_to_100_and_takes_no_parameter_that_it_does_not_know() {
    let server = Server::start().await;
    for list in LISTS {
        for query in ["limit=0", "limit=101", "limit=", "offset=-1", "limit=1&limit=1", "sort=at", "Limit=5"] {
            let call = server.operator().request(Method::GET, &format!("{list}?{query}")).off_contract();
            call.send().await.error(400, "INVALID_REQUEST");
        }
        let page = server.operator().get(list).await.data();
        assert_eq!((&page["pagination"]["limit"], &page["pagination"]["offset"]), (&json!(20), &json!(0)));
        server.operator().get(&format!("{list}?limit=100")).await.ok();
    }
}

#[tokio::test]
async fn what_shows_one_thing_takes_no_parameter() {
    let server = Server::start().await;
    for path in RECORDS {
        let call = server.operator().request(Method::GET, &format!("{path}?limit=1")).off_contract();
        call.send().await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn no_action_takes_a_field_that_it_does_not_know() {
    let server = Server::start().await;
    for (path, mut body) in actions() {
        body["resaon"] = json!("x");
        let call = server.operator().request(Method::POST, &path).idempotency_key("a").body(&body).off_contract();
        let answer = call.send().await.error(400, "INVALID_REQUEST");
        assert!(answer["error"]["message"].as_str().unwrap().contains("resaon"), "{path}: {}", answer.text);
    }
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1);
}

#[tokio::test]
async fn no_action_takes_a_body_that_is_no_json_object_or_too_large_or_compressed() {
    let server = Server::with().max_body_bytes(2_048).start().await;
    server.open(account(ANA)).await;
    for (path, body) in actions() {
        let call = || server.operator().request(Method::POST, &path).idempotency_key("a").off_contract();
        for wrong in ["", "{", "[]", "null", r#"{"reason":"x","reason":"y"}"#] {
            let key = format!("k{}", wrong.len());
            let call = server.operator().request(Method::POST, &path).idempotency_key(&key).off_contract();
            call.bytes(wrong).send().await.error(400, "INVALID_REQUEST");
        }
        call().bytes(" ".repeat(3_000)).send().await.error(413, "PAYLOAD_TOO_LARGE");
        let compressed = call().header("Content-Encoding", "gzip").body(&body);
        compressed.send().await.error(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1);
}

/// Three or more of everything that is listed.
async fn a_busy_day() -> Server {
    let server = Server::start().await;
    let leap = server.leap();
    for number in 0..2 {
        server.open(account(&format!("400000000000000{number}")).holder(somebody(number))).await;
        server.operator().block(ANA, "Blocked").await;
        server.operator().unblock(ANA).await;
    }
    for _ in 0..3 {
        let authorized = leap.authorize(authorization().to(ANA).amount("7.00")).await.authorized();
        let credited = leap.credit(credit(ANA, &authorized)).await.done();
        leap.reverse(reversal(ANA, &credited)).await.done();
    }
    for _ in 0..2 {
        leap.authorize(authorization().to(ANA)).await.authorized();
    }
    // The first is credited; the others may be retries or second remittances.
    for _ in 0..4 {
        leap.credit(unreferenced_credit(ANA)).await.done();
    }
    server
}

#[tokio::test]
async fn every_list_can_be_walked_page_by_page() {
    let server = a_busy_day().await;
    for list in LISTS {
        let whole = server.operator().list(&format!("{list}?limit=100")).await;
        assert!(whole.len() >= 3, "{list}");
        let mut walked = Vec::new();
        loop {
            let page = server.operator().get(&format!("{list}?limit=2&offset={}", walked.len())).await.data();
            walked.extend(page["items"].as_array().unwrap().clone());
            assert_eq!(page["pagination"]["total"], whole.len(), "{list}");
            let has_more = page["pagination"]["hasMore"].as_bool().unwrap();
            assert_eq!(has_more, walked.len() < whole.len(), "{list}");
            if !has_more {
                break;
            }
        }
        assert_eq!(walked, whole, "{list}");
        let beyond = server.operator().get(&format!("{list}?offset=1000")).await.data();
        assert_eq!((&beyond["items"], &beyond["pagination"]["hasMore"]), (&json!([]), &json!(false)));
    }
}

#[tokio::test]
async fn every_action_under_a_key_happens_once_and_is_answered_the_same() {
    let server = Server::with().policy("settlement", "confirmed").start().await;
    server.open(account(ANA)).await;
    let (leap, operator) = (server.leap(), server.operator());
    let voided = leap.authorize(authorization().to(ANA).amount("7.00")).await.authorized();
    let settled = leap.authorize(authorization().to(ANA)).await.authorized();
    let settled = leap.credit(credit(ANA, &settled)).await.done();
    // In an order in which each is allowed.
    for (path, body) in actions() {
        let path = path.replace(&format!("authorizations/{UNKNOWN}"), &format!("authorizations/{voided}"));
        let path = path.replace(&format!("credits/{UNKNOWN}/settle"), &format!("credits/{settled}/settle"));
        let once =
            async |body: &Value| operator.request(Method::POST, &path).idempotency_key("once").body(body).send().await;
        let first = once(&body).await;
        let again = once(&body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text), "{path}");
        let mut other = body.clone();
        other["reason"] = json!("another");
        if path == "/admin/accounts" {
            other = json!({"currency": "EUR", "personalData": Value::from(ana())});
        }
        once(&other).await.error(409, "IDEMPOTENCY_KEY_REUSED");
    }
    // Closing was refused, as money waited; so was the debit, and crediting a call that there is not.
    let done: Vec<Value> = operator.list(&format!("/admin/accounts/{ANA}/changes")).await;
    let done: Vec<&str> = done.iter().rev().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(done, ["open", "tier", "block", "unblock", "void", "settle"]);
}

#[tokio::test]
async fn what_was_refused_under_a_key_stays_refused_under_it() {
    let server = Server::start().await;
    let unblock = async |key: &str| {
        let call = server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/unblock"));
        call.idempotency_key(key).body(&json!({"reason": "x"})).send().await
    };
    let refused = unblock("a").await.error(409, "ACCOUNT_STATE_CONFLICT");
    server.operator().block(ANA, "Blocked").await;
    assert_eq!(unblock("a").await.error(409, "ACCOUNT_STATE_CONFLICT").text, refused.text);
    assert_eq!(server.operator().account(ANA).await["status"], "Blocked");
    unblock("b").await.ok();
}
