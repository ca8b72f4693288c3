//! Double entry (decision 12) and amounts (decision 1) as the admin API shows them. Every server's books are audited
//! when its test ends: entries that sum to zero, balances equal to their postings, what clearing holds.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    ANA, Answer, Body, Server, account, ana, authorization, credit, new_account, reversal, unreferenced_credit,
};

async fn debit(server: &Server, account: &str, key: &str, amount: &str) -> Answer {
    let call = server.operator().request(Method::POST, &format!("/admin/accounts/{account}/debits"));
    call.idempotency_key(key).body(&json!({"amount": amount, "reason": "paid out"})).send().await
}

async fn statement(server: &Server, account: &str) -> Vec<Value> {
    server.operator().list(&format!("/admin/accounts/{account}/statement?limit=100")).await
}

/// Sums of an account's statement by book, minor units of a currency with two decimals.
fn sums(lines: &[Value]) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let minor: i64 = line["amount"].as_str().unwrap().replace('.', "").parse().unwrap();
        *sums.entry(line["book"].as_str().unwrap().to_owned()).or_default() += minor;
    }
    sums
}

#[tokio::test]
async fn a_balance_is_the_sum_of_its_postings_after_every_kind_of_movement() {
    let holder = json!([{"AccountIdentifier": ANA, "Currency": "MXN", "OpeningBalance": "30.00",
        "PersonalData": Value::from(ana())}]);
    let setup = Server::with().policy("settlement", "confirmed").policy("on_shortfall", "receivable");
    let server = setup.seed(&holder).start().await;
    let mut credits = Vec::new();
    for outcome in [Some("Approved"), Some("Failed"), None] {
        let (_, credited) = server.credited().await;
        if let Some(outcome) = outcome {
            server.operator().settle(&credited, outcome).await.ok();
        }
        credits.push(credited);
    }
    server.operator().debit(ANA, "50.00").await;
    server.leap().reverse(reversal(ANA, &credits[0])).await.done();
    let lines = statement(&server, ANA).await;
    let kinds: Vec<_> = lines.iter().rev().map(|line| line["kind"].as_str().unwrap()).collect();
    for kind in ["Opening", "Credit", "Settlement", "SettlementFailure", "Debit", "Reversal"] {
        assert!(kinds.contains(&kind), "{kind} is missing in {kinds:?}");
    }
    let expected = [("Available", 0), ("Pending", 10_000), ("Receivable", -2_000)];
    assert_eq!(sums(&lines), expected.map(|(book, sum)| (book.to_owned(), sum)).into());
    let shown = server.operator().account(ANA).await;
    assert_eq!(
        (&shown["balance"], &shown["pending"], &shown["receivable"]),
        (&json!("0.00"), &json!("100.00"), &json!("20.00"))
    );
}

#[tokio::test]
async fn what_is_posted_stays_posted() {
    let mut server = Server::start().await;
    let (_, credited) = server.credited().await;
    let before = statement(&server, ANA).await;
    server.advance("1s");
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    let after = statement(&server, ANA).await;
    assert_eq!(after[1..], before[..]);
    assert_eq!(after[0]["at"], "2026-03-10T18:00:01.000000Z");
}

#[tokio::test]
async fn a_refusal_and_a_retry_post_nothing() {
    let server = Server::start().await;
    let (authorized, _) = server.credited().await;
    let before = statement(&server, ANA).await;
    server.leap().credit(credit(ANA, &authorized)).await.done();
    server.leap().credit(unreferenced_credit(ANA)).await.not_credited("NotPreviouslyValidated");
    server.leap().reverse(reversal(ANA, "x")).await.failure();
    debit(&server, ANA, "a", "100.01").await.expect_status(409);
    assert_eq!(statement(&server, ANA).await, before);
}

#[tokio::test]
async fn a_debit_takes_all_there_is_and_not_a_cent_more() {
    let server = Server::start().await;
    server.credited().await;
    debit(&server, ANA, "a", "100.01").await.error(409, "DEBIT_REFUSED");
    debit(&server, ANA, "b", "99.99").await.ok();
    debit(&server, ANA, "c", "0.02").await.error(409, "DEBIT_REFUSED");
    assert_eq!(debit(&server, ANA, "d", "0.01").await.data()["account"]["balance"], "0.00");
}

#[tokio::test]
async fn a_debit_under_one_key_is_made_once_and_a_refused_one_stays_refused() {
    let server = Server::start().await;
    debit(&server, ANA, "early", "10.00").await.error(409, "DEBIT_REFUSED");
    server.credited().await;
    debit(&server, ANA, "early", "10.00").await.error(409, "DEBIT_REFUSED");
    let first = debit(&server, ANA, "once", "10.00").await.ok();
    assert_eq!(debit(&server, ANA, "once", "10.00").await.ok().text, first.text);
    debit(&server, ANA, "twice", "10.00").await.ok();
    assert_eq!(server.balance().await, "80.00");
}

#[tokio::test]
async fn a_blocked_or_closed_account_is_not_debited() {
    let server = Server::start().await;
    server.credited().await;
    for status in ["Blocked", "BlockedByLaw", "BlockedByGovernment"] {
        server.operator().block(ANA, status).await;
        debit(&server, ANA, status, "1.00").await.error(409, "DEBIT_REFUSED");
        server.operator().unblock(ANA).await;
    }
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn money_is_told_in_the_decimals_of_its_currency() {
    let server = Server::with().start().await;
    for (id, currency, amount, balance) in [
        ("4000000000000001", "JPY", "5000.00", "5000"),
        ("4000000000000002", "KWD", "1.25", "1.250"),
        ("4000000000000003", "MXN", "1.5", "1.50"),
    ] {
        server.open(account(id).currency(currency)).await;
        let body = authorization().to(id).currency(currency).amount(amount);
        let authorized = server.leap().authorize(body).await.authorized();
        let credited = server.leap().credit(credit(id, &authorized).amount(amount).currency(currency)).await.done();
        assert_eq!(server.operator().balance(id).await, balance);
        assert_eq!(server.operator().credit(&credited).await["amount"], balance);
        assert_eq!(server.operator().decision(&credited).await["amount"], balance);
        debit(&server, id, "all", balance.trim_end_matches('0').trim_end_matches('.')).await;
    }
}

#[tokio::test]
async fn an_amount_without_a_currency_is_read_in_the_authorizations() {
    let server = Server::with().start().await;
    let yen = server.open(account("4000000000000001").currency("JPY")).await;
    let authorized =
        server.leap().authorize(authorization().to(&yen).currency("JPY").amount("5000")).await.authorized();
    server.leap().credit(credit(&yen, &authorized).amount("5000.50")).await.not_credited("InvalidAmount");
    let credited = server.leap().credit(credit(&yen, &authorized).amount("5000.0")).await.done();
    assert_eq!(server.operator().decision(&credited).await["amount"], "5000");
    assert_eq!(server.operator().balance(&yen).await, "5000");
}

#[tokio::test]
async fn what_is_no_amount_is_none_in_every_endpoint() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    for amount in ["\"100.00\"", "-100.00", "100.001", "92233720368547758.08", "true", "{}"] {
        let send = async |path: &str, body: Body| {
            server.leap().call(path).body(body.amount(amount)).off_contract().send().await.ok()
        };
        assert_eq!(send("/TxAuthorization", authorization().to(ANA)).await["NonAuthorizedReason"], "InvalidAmount");
        assert_eq!(send("/CreditFunds", credit(ANA, &authorized)).await["NonCreditReason"], "InvalidAmount");
        assert_eq!(send("/CreditFunds", unreferenced_credit(ANA)).await["NonCreditReason"], "InvalidAmount");
        let created = send("/CreateAccount", new_account(ana())).await.failure();
        assert!(created.text_of("ResponseDescription").contains("Amount"), "{}", created.text);
    }
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn amounts_are_exact_where_a_float_would_lose_a_cent() {
    let server = Server::start().await;
    for amount in ["92233720368547757.01", "1.05", "0.01"] {
        let authorized = server.leap().authorize(authorization().to(ANA).amount(amount)).await.authorized();
        server.leap().credit(credit(ANA, &authorized).amount(amount)).await.done();
    }
    assert_eq!(server.balance().await, "92233720368547758.07");
    assert_eq!(debit(&server, ANA, "a", "92233720368547758.06").await.data()["account"]["balance"], "0.01");
}
