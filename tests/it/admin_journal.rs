//! Every act of an operator is recorded with who, when and why; and what each act may do.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    ANA, Answer, Operator, Server, account, authorization, credit, reversal, somebody, unreferenced_credit,
};

async fn act(operator: &Operator, action: &str, body: Value) -> Answer {
    operator.post(&format!("/admin/accounts/{ANA}/{action}"), body).await
}

async fn debit(operator: &Operator, amount: &str) -> Answer {
    let call = operator.request(Method::POST, &format!("/admin/accounts/{ANA}/debits")).idempotency_key(amount);
    call.body(&json!({"amount": amount, "reason": "paid out"})).send().await
}

/// The journal of Ana's account, the oldest line first.
async fn journal(operator: &Operator) -> Vec<Value> {
    let mut lines = operator.list(&format!("/admin/accounts/{ANA}/changes?limit=100")).await;
    lines.reverse();
    lines
}

/// Puts 100.00 MXN into Ana's account; the credit.
async fn fund(server: &Server) -> String {
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.leap().credit(credit(ANA, &authorized)).await.done()
}

#[tokio::test]
async fn every_act_is_recorded_with_what_it_changed_and_on_what() {
    let mut server = Server::with().policy("settlement", "confirmed").start().await;
    server.open(account(ANA)).await;
    let operator = server.operator();
    let credited = fund(&server).await;
    operator.settle(&credited, "Approved").await.ok();
    let failed = fund(&server).await;
    operator.settle(&failed, "Failed").await.ok();
    server.advance("1m");
    let voided = server.leap().authorize(authorization().to(ANA)).await.authorized();
    operator.void(&voided).await.ok();
    act(&operator, "tier", json!({"tier": "gold", "reason": "proof of income"})).await.ok();
    act(&operator, "block", json!({"status": "Blocked", "reason": "asked for by phone"})).await.ok();
    act(&operator, "unblock", json!({"reason": "asked for by phone"})).await.ok();
    let debited = debit(&operator, "100.00").await.data()["entry"].clone();
    act(&operator, "close", json!({"reason": "asked for in writing"})).await.ok();
    let lines = journal(&operator).await;
    let told = lines.iter().map(|line| (line["action"].as_str().unwrap(), line["change"].as_str().unwrap()));
    let expected = [
        ("open", "opened MXN"),
        ("settle", "InProgress -> Approved"),
        ("settle", "InProgress -> SettlementFailed"),
        ("void", "Open -> Voided"),
        ("tier", "standard -> gold"),
        ("block", "Active -> Blocked"),
        ("unblock", "Blocked -> Active"),
        ("debit", "100.00 MXN"),
        ("close", "Active -> Closed"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let targets: Vec<_> = lines.iter().map(|line| line["target"].clone()).collect();
    let none = Value::Null;
    let on = [none.clone(), json!(credited), json!(failed), json!(voided), none.clone(), none.clone(), none.clone()];
    assert_eq!(targets, [&on[..], &[debited, none]].concat());
    assert!(lines.iter().all(|line| line["who"] == "tester" && line["accountIdentifier"] == ANA));
    assert_eq!(
        (&lines[4]["reason"], &lines[4]["at"]),
        (&json!("proof of income"), &json!("2026-03-10T18:01:00.000000Z"))
    );
}

#[tokio::test]
async fn who_is_the_name_of_the_key_or_the_beginning_of_its_digest() {
    let bare = "a-bare-key-of-the-risk-desk";
    let keys = format!("ana=the-key-of-ana-0123456789,{bare}");
    let server = Server::with().variable("VNA_ADMIN_KEYS", &keys).start().await;
    let (ana, nameless) = (server.operator().with_key("the-key-of-ana-0123456789"), server.operator().with_key(bare));
    ana.open(account(ANA)).await;
    nameless.block(ANA, "Blocked").await;
    let lines = journal(&ana).await;
    let digest = hex::encode(Sha256::digest(bare));
    assert_eq!((&lines[0]["who"], &lines[1]["who"]), (&json!("ana"), &json!(digest[..8])));
}

#[tokio::test]
async fn what_was_refused_is_not_recorded() {
    let server = Server::start().await;
    let operator = server.operator();
    act(&operator, "unblock", json!({"reason": "x"})).await.error(409, "ACCOUNT_STATE_CONFLICT");
    debit(&operator, "1.00").await.error(409, "DEBIT_REFUSED");
    assert_eq!(journal(&operator).await.len(), 1, "that it was opened");
}

#[tokio::test]
async fn a_case_number_and_a_review_date_are_kept_where_they_are_given() {
    let server = Server::start().await;
    let operator = server.operator();
    for date in ["2027-02-29", "2027-2-1", "tomorrow", "01/02/2027"] {
        let body = json!({"status": "BlockedByLaw", "reason": "x", "reviewDate": date});
        let call = operator.request(Method::POST, &format!("/admin/accounts/{ANA}/block")).body(&body).off_contract();
        call.send().await.error(400, "INVALID_REQUEST");
    }
    let body = json!({"status": "BlockedByGovernment", "reason": "x", "caseNumber": "UIF 7/2026"});
    act(&operator, "block", body).await.ok();
    let line = journal(&operator).await.pop().unwrap();
    assert_eq!((&line["caseNumber"], &line["reviewDate"]), (&json!("UIF 7/2026"), &Value::Null));
}

#[tokio::test]
async fn a_block_can_be_raised_and_from_one_authority_to_another() {
    let server = Server::start().await;
    for status in ["Blocked", "BlockedByLaw", "BlockedByGovernment", "BlockedByLaw"] {
        server.operator().block(ANA, status).await;
        assert_eq!(server.operator().account(ANA).await["status"], status);
    }
}

#[tokio::test]
async fn only_the_three_blocks_are_blocks() {
    let server = Server::start().await;
    for status in ["Active", "Closed", "blocked", ""] {
        let body = json!({"status": status, "reason": "x"});
        let call = server.operator().request(Method::POST, &format!("/admin/accounts/{ANA}/block"));
        call.body(&body).off_contract().send().await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn a_block_stops_a_credit_that_was_authorized_before_it() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.operator().block(ANA, "BlockedByLaw").await;
    let refused = server.leap().credit(credit(ANA, &authorized)).await.not_credited("AccountBlockedByLaw");
    server.operator().unblock(ANA).await;
    let again = server.leap().credit(credit(ANA, &authorized)).await.not_credited("AccountBlockedByLaw");
    assert_eq!(refused, again, "it stays refused");
    assert_eq!(server.operator().balance(ANA).await, "0.00");
}

#[tokio::test]
async fn a_blocked_account_is_not_debited() {
    let server = Server::start().await;
    fund(&server).await;
    for status in ["Blocked", "BlockedByLaw", "BlockedByGovernment"] {
        server.operator().block(ANA, status).await;
        debit(&server.operator(), "1.00").await.error(409, "DEBIT_REFUSED");
        server.operator().unblock(ANA).await;
        debit(&server.operator(), "2.00").await;
    }
    assert_eq!(server.operator().balance(ANA).await, "98.00", "the second debit's key is the first's");
}

#[tokio::test]
async fn an_account_with_money_that_waits_or_is_owed_is_not_closed() {
    let server = Server::with().policy("settlement", "confirmed").start().await;
    server.open(account(ANA)).await;
    let waiting = fund(&server).await;
    act(&server.operator(), "close", json!({"reason": "x"})).await.error(409, "ACCOUNT_STATE_CONFLICT");
    server.operator().settle(&waiting, "Failed").await.ok();
    act(&server.operator(), "close", json!({"reason": "x"})).await.ok();

    let server = Server::with().policy("on_shortfall", "receivable").start().await;
    server.open(account(ANA)).await;
    let credited = fund(&server).await;
    server.operator().debit(ANA, "100.00").await;
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    assert_eq!(server.operator().account(ANA).await["receivable"], "100.00");
    act(&server.operator(), "close", json!({"reason": "x"})).await.error(409, "ACCOUNT_STATE_CONFLICT");
}

#[tokio::test]
async fn a_change_of_tier_counts_from_the_next_decision_on() {
    let rules = "[[rules]]\nid = 'small'\ntype = 'amount'\nmax = { MXN = '50.00' }\ntiers = ['standard']\n";
    let server = Server::with().rules(rules).start().await;
    server.open(account(ANA)).await;
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByAmountLimit");
    act(&server.operator(), "tier", json!({"tier": "gold", "reason": "x"})).await.ok();
    server.leap().authorize(authorization().to(ANA)).await.authorized();
}

#[tokio::test]
async fn an_expired_authorization_is_not_voided() {
    let mut server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.advance("24h");
    server.operator().void(&authorized).await.error(409, "AUTHORIZATION_NOT_OPEN");
    let shown = server.operator().get(&format!("/admin/authorizations/{authorized}")).await.data();
    assert_eq!(shown["state"], "Expired");
}

#[tokio::test]
async fn an_ambiguous_call_that_is_credited_is_recorded_on_its_account() {
    let server = Server::start().await;
    server.open(account("4000000000000001").holder(somebody(1))).await;
    for _ in 0..2 {
        server.leap().authorize(authorization().to(ANA)).await.authorized();
        server.leap().credit(unreferenced_credit(ANA)).await.done();
    }
    server.leap().credit(unreferenced_credit(ANA)).await.done();
    let listed = server.operator().list("/admin/ambiguous-credits?state=Waiting").await;
    let ambiguous = listed.last().unwrap()["trackingIdentifier"].as_str().unwrap().to_owned();
    let path = format!("/admin/ambiguous-credits/{ambiguous}/credit");
    let made = server.operator().post(&path, json!({"reason": "two receipts"})).await.data();
    let line = journal(&server.operator()).await.pop().unwrap();
    assert_eq!((&line["action"], &line["target"]), (&json!("credit"), &json!(ambiguous)));
    assert!(line["change"].as_str().unwrap().contains(made["credit"]["trackingIdentifier"].as_str().unwrap()));
}
