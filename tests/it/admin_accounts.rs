//! What operators do with accounts, and what stays of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{ANA, Operator, Server, account, ana, authorization, credit, new_account, somebody};

/// Ana's account with 100.00 MXN in it.
async fn funded() -> Server {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.leap().credit(credit(ANA, &authorized)).await.done();
    server
}

async fn act(operator: &Operator, action: &str, body: Value) -> crate::support::Answer {
    operator.post(&format!("/admin/accounts/{ANA}/{action}"), body).await
}

#[tokio::test]
async fn an_opened_account_is_shown_with_its_holder() {
    let server = Server::with().start().await;
    let new = account("4000000000005678").currency("USD").tier("gold").with("displayName", "GO-5678");
    let id = server.open(new).await;
    let shown = server.operator().account(&id).await;
    for (field, expected) in [
        ("accountIdentifier", "4000000000005678"),
        ("displayName", "GO-5678"),
        ("status", "Active"),
        ("currency", "USD"),
        ("tier", "gold"),
        ("balance", "0.00"),
        ("createdAt", "2026-03-10T18:00:00.000000Z"),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert_eq!(shown["personalData"]["LastName"], "López");
}

#[tokio::test]
async fn an_account_without_an_identifier_gets_sixteen_digits() {
    let server = Server::with().start().await;
    let body = json!({"currency": "MXN", "personalData": Value::from(ana())});
    let opened = server.operator().post("/admin/accounts", body.clone()).await.expect_status(201).data();
    let id = opened["accountIdentifier"].as_str().unwrap();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
    assert_eq!(opened["displayName"].as_str().unwrap()[3..], id[12..]);
    server.operator().post("/admin/accounts", body).await.expect_status(409);
}

#[tokio::test]
async fn an_identifier_is_given_once() {
    let server = Server::start().await;
    let body = json!({"accountIdentifier": ANA, "currency": "USD", "personalData": Value::from(somebody(1))});
    server.operator().post("/admin/accounts", body).await.expect_status(409);
}

#[tokio::test]
async fn what_is_no_account_is_a_400_that_names_the_field() {
    let server = Server::with().start().await;
    for (field, wrong) in [
        ("currency", json!("XXX")),
        ("currency", Value::Null),
        ("personalData", json!({})),
        ("displayName", json!("much too long")),
        ("accountIdentifier", json!("a/b")),
        ("personalDocuments", json!([{"DocumentType": "LibraryCard", "Number": "1"}])),
    ] {
        let mut body = json!({"currency": "MXN", "personalData": Value::from(ana())});
        body[field] = wrong;
        let call = server.operator().request(Method::POST, "/admin/accounts").body(&body).off_contract();
        let refused = call.send().await.error(400, "INVALID_REQUEST");
        assert!(refused["error"]["message"].as_str().unwrap().contains(field), "{}", refused.text);
    }
}

#[tokio::test]
async fn accounts_are_listed_by_status_currency_and_tier_newest_first() {
    let mut server = Server::with().start().await;
    for number in 0..5_u32 {
        server.advance("1s");
        let currency = if number % 2 == 0 { "MXN" } else { "USD" };
        let tier = if number < 2 { "gold" } else { "standard" };
        let new = account(&format!("400000000000000{number}")).currency(currency).tier(tier).holder(somebody(number));
        server.open(new).await;
    }
    server.operator().block("4000000000000004", "BlockedByGovernment").await;
    let ids = async |query: &str| {
        let items = server.operator().list(&format!("/admin/accounts{query}")).await;
        items.iter().map(|item| item["accountIdentifier"].as_str().unwrap()[15..].to_owned()).collect::<String>()
    };
    assert_eq!(ids("").await, "43210");
    assert_eq!(ids("?currency=USD").await, "31");
    assert_eq!(ids("?tier=gold").await, "10");
    assert_eq!(ids("?status=BlockedByGovernment").await, "4");
    assert_eq!(ids("?status=Active&currency=MXN&tier=standard").await, "2");
    assert_eq!(ids("?limit=2&offset=1").await, "32");
    let page = server.operator().get("/admin/accounts?limit=2&offset=1").await.data();
    assert_eq!(page["pagination"], json!({"total": 5, "limit": 2, "offset": 1, "hasMore": true}));
}

#[tokio::test]
async fn a_misspelt_filter_does_not_list_everything() {
    let server = Server::start().await;
    for query in ["staus=Active", "status=active", "currency=XXX", "offset=-1", "limit=1&limit=2"] {
        let call = server.operator().request(Method::GET, &format!("/admin/accounts?{query}")).off_contract();
        call.send().await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn each_block_gives_its_reason_and_unblocking_lifts_it() {
    let server = Server::start().await;
    for (status, reason) in [
        ("Blocked", "AccountBlocked"),
        ("BlockedByLaw", "AccountBlockedByLaw"),
        ("BlockedByGovernment", "AccountBlockedByGovernment"),
    ] {
        server.operator().block(ANA, status).await;
        server.leap().authorize(authorization().to(ANA)).await.not_authorized(reason);
        server.operator().unblock(ANA).await;
        server.leap().authorize(authorization().to(ANA)).await.authorized();
    }
}

#[tokio::test]
async fn a_block_is_recorded_with_who_when_why_and_the_case() {
    let server = Server::start().await;
    let body = json!({"status": "BlockedByLaw", "reason": "Order of the third district court",
        "caseNumber": "123/2026", "reviewDate": "2026-09-01"});
    act(&server.operator(), "block", body).await.ok();
    let changes = server.operator().list(&format!("/admin/accounts/{ANA}/changes")).await;
    for (field, expected) in [
        ("who", "tester"),
        ("at", "2026-03-10T18:00:00.000000Z"),
        ("action", "block"),
        ("reason", "Order of the third district court"),
        ("change", "Active -> BlockedByLaw"),
        ("caseNumber", "123/2026"),
        ("reviewDate", "2026-09-01"),
    ] {
        assert_eq!(changes[0][field], expected, "{field}");
    }
}

#[tokio::test]
async fn nothing_is_done_without_a_reason() {
    let server = Server::start().await;
    for (action, body) in [
        ("block", json!({"status": "Blocked"})),
        ("unblock", json!({"reason": " "})),
        ("close", json!({})),
        ("tier", json!({"tier": "gold", "reason": null})),
    ] {
        let path = format!("/admin/accounts/{ANA}/{action}");
        let call = server.operator().request(Method::POST, &path).body(&body).off_contract();
        call.send().await.error(400, "INVALID_REQUEST");
    }
    assert_eq!(server.operator().account(ANA).await["status"], "Active");
}

#[tokio::test]
async fn the_partners_own_block_does_not_replace_a_courts() {
    let server = Server::start().await;
    server.operator().block(ANA, "BlockedByLaw").await;
    act(&server.operator(), "block", json!({"status": "Blocked", "reason": "x"})).await.expect_status(409);
    act(&server.operator(), "close", json!({"reason": "x"})).await.expect_status(409);
    assert_eq!(server.operator().account(ANA).await["status"], "BlockedByLaw");
}

#[tokio::test]
async fn an_account_that_is_not_blocked_cannot_be_unblocked() {
    let server = Server::start().await;
    act(&server.operator(), "unblock", json!({"reason": "x"})).await.expect_status(409);
}

#[tokio::test]
async fn a_closed_account_stays_closed_and_takes_no_money() {
    let server = Server::start().await;
    server.operator().close(ANA).await;
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("InvalidAccount");
    for action in ["unblock", "close"] {
        act(&server.operator(), action, json!({"reason": "x"})).await.expect_status(409);
    }
    let created = server.leap().create_account(new_account(ana())).await.success();
    assert_ne!(created["AccountIdentifier"], ANA);
}

#[tokio::test]
async fn an_account_with_money_in_it_is_not_closed() {
    let server = funded().await;
    act(&server.operator(), "close", json!({"reason": "x"})).await.expect_status(409);
    server.operator().debit(ANA, "100.00").await;
    server.operator().close(ANA).await;
}

#[tokio::test]
async fn a_change_of_tier_is_shown_and_recorded() {
    let server = Server::start().await;
    let changed = act(&server.operator(), "tier", json!({"tier": "gold", "reason": "proof of income"})).await.data();
    assert_eq!(changed["tier"], "gold");
    let changes = server.operator().list(&format!("/admin/accounts/{ANA}/changes")).await;
    assert_eq!(changes[0]["change"], "standard -> gold");
}

#[tokio::test]
async fn an_unknown_account_is_a_404_everywhere() {
    let server = Server::start().await;
    for path in ["", "/statement", "/changes"] {
        server.operator().get(&format!("/admin/accounts/unknown{path}")).await.error(404, "RESOURCE_NOT_FOUND");
    }
    for (action, body) in [
        ("block", json!({"status": "Blocked", "reason": "x"})),
        ("unblock", json!({"reason": "x"})),
        ("close", json!({"reason": "x"})),
        ("tier", json!({"tier": "gold", "reason": "x"})),
    ] {
        let answer = server.operator().post(&format!("/admin/accounts/unknown/{action}"), body).await;
        answer.error(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_debit_takes_money_out_once_per_key() {
    let server = funded().await;
    let debit = async |key: &str, amount: &str| {
        let call = server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/debits"));
        call.idempotency_key(key).body(&json!({"amount": amount, "reason": "paid out"})).send().await
    };
    let first = debit("a", "10.00").await.ok();
    assert_eq!(first.clone().data()["account"]["balance"], "90.00");
    assert_eq!(debit("a", "10.00").await.ok().text, first.text);
    debit("a", "11.00").await.error(409, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(server.operator().balance(ANA).await, "90.00");
}

#[tokio::test]
async fn a_debit_is_the_same_however_the_account_is_written_in_its_path() {
    let server = Server::start().await;
    server.open(account("+MX:1")).await;
    let authorized = server.leap().authorize(authorization().to("+MX:1")).await.authorized();
    server.leap().credit(credit("+MX:1", &authorized)).await.done();
    for id in ["+MX:1", "%2BMX%3A1", "+MX%3a1"] {
        let call = server.operator().request(Method::POST, &format!("/admin/accounts/{id}/debits"));
        let body = json!({"amount": "10.00", "reason": "paid out"});
        let done = call.idempotency_key("once").body(&body).off_contract().send().await.ok().data();
        assert_eq!(done["account"]["balance"], "90.00", "{id}");
    }
    assert_eq!(server.operator().balance("+MX:1").await, "90.00");
}

#[tokio::test]
async fn a_debit_without_a_key_is_a_400() {
    let server = funded().await;
    let call = server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/debits"));
    let body = json!({"amount": "10.00", "reason": "paid out"});
    call.body(&body).off_contract().send().await.error(400, "INVALID_REQUEST");
    assert_eq!(server.operator().balance(ANA).await, "100.00");
}

#[tokio::test]
async fn a_debit_never_exceeds_the_balance() {
    let server = funded().await;
    let call = server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/debits")).idempotency_key("a");
    call.body(&json!({"amount": "100.01", "reason": "paid out"})).send().await.expect_status(409);
    server.operator().debit(ANA, "100.00").await;
    assert_eq!(server.operator().balance(ANA).await, "0.00");
}

#[tokio::test]
async fn what_is_no_amount_is_not_debited() {
    let server = funded().await;
    for amount in [json!("0"), json!("-1"), json!("1.001"), json!(10), json!("ten"), json!(""), Value::Null] {
        let call = server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/debits"));
        let body = json!({"amount": amount, "reason": "paid out"});
        let call = call.idempotency_key(&amount.to_string()).body(&body).off_contract();
        call.send().await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_statement_lists_every_posting_newest_first() {
    let mut server = funded().await;
    server.advance("1m");
    server.operator().debit(ANA, "30.00").await;
    let lines = server.operator().list(&format!("/admin/accounts/{ANA}/statement")).await;
    let shown: Vec<_> =
        lines.iter().map(|line| (line["kind"].as_str().unwrap(), line["amount"].as_str().unwrap())).collect();
    assert_eq!(shown, [("Debit", "-30.00"), ("Credit", "100.00")]);
}
