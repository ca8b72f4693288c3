//! Authorizations, credits and decisions as operators see and move them.

use serde_json::json;

use crate::support::{ANA, Server, account, authorization, credit, reversal, status, unreferenced_credit};

const ONE_A_DAY: &str = r#"
[[rules]]
id = "one-a-day"
type = "velocity"
max = 1
window = { rolling = "24h" }
"#;

/// A server on which credits wait until they are settled, and one that waits.
async fn waiting() -> (Server, String) {
    let server = Server::with().policy("settlement", "confirmed").start().await;
    server.open(account(ANA)).await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    (server, credited)
}

#[tokio::test]
async fn an_authorization_is_shown_and_listed_by_account_and_state() {
    let server = Server::start().await;
    let open = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let used = server.leap().authorize(authorization().to(ANA).amount("7.5")).await.authorized();
    let credited = server.leap().credit(credit(ANA, &used)).await.done();
    let shown = server.operator().get(&format!("/admin/authorizations/{used}")).await.data();
    assert_eq!((&shown["amount"], &shown["state"]), (&json!("7.50"), &json!("Credited")));
    assert_eq!(shown["creditTrackingNumber"], credited.as_str());
    for filters in ["state=Open".to_owned(), format!("account={ANA}&state=Open")] {
        let listed = server.operator().list(&format!("/admin/authorizations?{filters}")).await;
        assert_eq!(listed.len(), 1, "{filters}");
        assert_eq!(listed[0]["trackingIdentifier"], open.as_str());
    }
}

#[tokio::test]
async fn what_is_open_is_listed_newest_first_a_page_at_a_time() {
    let mut server = Server::start().await;
    let first = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.advance("1h");
    let second = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let used = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.leap().credit(credit(ANA, &used)).await.done();
    for (offset, expected) in [second.as_str(), first.as_str()].into_iter().enumerate() {
        let path = format!("/admin/authorizations?state=Open&limit=1&offset={offset}");
        let page = server.operator().get(&path).await.data();
        assert_eq!(page["items"][0]["trackingIdentifier"], expected);
        assert_eq!(page["pagination"]["total"], 2);
    }
}

#[tokio::test]
async fn a_voided_authorization_cannot_be_credited_and_gives_its_limits_back() {
    let server = Server::with().rules(ONE_A_DAY).start().await;
    server.open(account(ANA)).await;
    let voided = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    assert_eq!(server.operator().void(&voided).await.data()["state"], "Voided");
    server.leap().credit(credit(ANA, &voided)).await.not_credited("NotPreviouslyValidated");
    server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.operator().void(&voided).await.expect_status(409);
}

#[tokio::test]
async fn what_was_credited_refused_or_never_made_is_not_voided() {
    let server = Server::start().await;
    let used = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.leap().credit(credit(ANA, &used)).await.done();
    server.operator().void(&used).await.expect_status(409);
    let refused = server.leap().authorize(authorization().to("4999999999999999")).await;
    server.operator().void(&refused.tracking()).await.expect_status(409);
    for unknown in ["019a9f40-12ab-7f03-8e21-9a4c5d6b7e83", "x"] {
        server.operator().void(unknown).await.error(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_credit_that_waits_is_not_spendable_until_it_is_settled() {
    let (server, credited) = waiting().await;
    assert_eq!(server.leap().status(status(ANA, &credited)).await["CreditStatus"], "InProgress");
    let shown = server.operator().account(ANA).await;
    assert_eq!((&shown["balance"], &shown["pending"]), (&json!("0.00"), &json!("100.00")));
    assert_eq!(server.operator().list("/admin/credits?state=InProgress").await.len(), 1);
    assert_eq!(server.operator().settle(&credited, "Approved").await.data()["state"], "Approved");
    assert_eq!(server.leap().status(status(ANA, &credited)).await["CreditStatus"], "Approved");
    let shown = server.operator().account(ANA).await;
    assert_eq!((&shown["balance"], &shown["pending"]), (&json!("100.00"), &json!("0.00")));
}

#[tokio::test]
async fn a_credit_that_fails_to_settle_is_undone() {
    let (server, credited) = waiting().await;
    assert_eq!(server.operator().settle(&credited, "Failed").await.data()["state"], "SettlementFailed");
    assert_eq!(server.leap().status(status(ANA, &credited)).await["CreditStatus"], "Failed");
    let shown = server.operator().account(ANA).await;
    assert_eq!((&shown["balance"], &shown["pending"]), (&json!("0.00"), &json!("0.00")));
}

#[tokio::test]
async fn a_credit_is_settled_once() {
    let (server, credited) = waiting().await;
    server.operator().settle(&credited, "Approved").await.ok();
    for outcome in ["Approved", "Failed"] {
        server.operator().settle(&credited, outcome).await.expect_status(409);
    }
    assert_eq!(server.operator().balance(ANA).await, "100.00");
    server.operator().settle("019a9f40-12ab-7f03-8e21-9a4c5d6b7e83", "Approved").await.error(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn settling_after_a_reversal_is_a_409() {
    let (server, credited) = waiting().await;
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    server.operator().settle(&credited, "Approved").await.expect_status(409);
    assert_eq!(server.operator().account(ANA).await["pending"], "0.00");
}

#[tokio::test]
async fn credits_and_reversals_are_listed_by_account() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    let reversed = server.leap().reverse(reversal(ANA, &credited)).await.done();
    let credits = server.operator().list(&format!("/admin/credits?account={ANA}&state=Reversed")).await;
    assert_eq!(credits[0]["reversalTrackingIdentifier"], reversed.as_str());
    let shown = server.operator().get(&format!("/admin/credits/{credited}")).await.data();
    assert_eq!(shown["authTrackingIdentifier"], authorized.as_str());
    let reversals = server.operator().list(&format!("/admin/reversals?account={ANA}")).await;
    assert_eq!(reversals[0]["creditTrackingNumber"], credited.as_str());
    assert!(server.operator().list("/admin/reversals?account=another").await.is_empty());
}

#[tokio::test]
async fn an_operator_credits_what_was_taken_for_a_retry() {
    let server = Server::start().await;
    for _ in 0..2 {
        server.leap().authorize(authorization().to(ANA)).await.authorized();
    }
    let first = server.leap().credit(unreferenced_credit(ANA)).await.done();
    assert_eq!(server.leap().credit(unreferenced_credit(ANA)).await.done(), first);
    let listed = server.operator().list("/admin/ambiguous-credits?state=Waiting").await;
    assert_eq!(listed[0]["answeredWith"], first.as_str());
    let path = format!("/admin/ambiguous-credits/{}/credit", listed[0]["trackingIdentifier"].as_str().unwrap());
    let credited = server.operator().post(&path, json!({"reason": "the sender paid twice"})).await.data();
    assert_eq!(credited["ambiguousCredit"]["state"], "Credited");
    assert_eq!(server.operator().balance(ANA).await, "200.00");
    server.operator().post(&path, json!({"reason": "again"})).await.expect_status(409);
    assert_eq!(server.operator().balance(ANA).await, "200.00");
}

#[tokio::test]
async fn an_ambiguous_call_without_an_open_match_cannot_be_credited() {
    let server = Server::start().await;
    for _ in 0..2 {
        server.leap().authorize(authorization().to(ANA)).await.authorized();
    }
    for _ in 0..2 {
        server.leap().credit(unreferenced_credit(ANA)).await.done();
    }
    for open in server.operator().list("/admin/authorizations?state=Open").await {
        server.operator().void(open["trackingIdentifier"].as_str().unwrap()).await.ok();
    }
    let waiting = server.operator().list("/admin/ambiguous-credits").await;
    let path = format!("/admin/ambiguous-credits/{}/credit", waiting[0]["trackingIdentifier"].as_str().unwrap());
    server.operator().post(&path, json!({"reason": "too late"})).await.expect_status(409);
    let unknown = "/admin/ambiguous-credits/019a9f40-12ab-7f03-8e21-9a4c5d6b7e83/credit";
    server.operator().post(unknown, json!({"reason": "x"})).await.error(404, "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_decision_shows_each_rule_with_its_window_count_limit_and_rest() {
    let mut server = Server::with().rules(ONE_A_DAY).start().await;
    server.open(account(ANA)).await;
    server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.advance("1h");
    let refused = server.leap().authorize(authorization().to(ANA).amount("55.5")).await.not_authorized("ByVelocity");
    let decision = server.operator().decision(&refused).await;
    assert_eq!((&decision["approved"], &decision["reason"]), (&json!(false), &json!("ByVelocity")));
    assert_eq!((&decision["amount"], &decision["currency"]), (&json!("55.50"), &json!("MXN")));
    let rule = &decision["rules"][0];
    assert_eq!((&rule["rule"], &rule["verdict"]), (&json!("one-a-day"), &json!("Refused")));
    assert_eq!((&rule["counted"], &rule["limit"], &rule["left"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(rule["window"]["from"], "2026-03-09T19:00:00.000000Z");
    assert_eq!(rule["window"]["to"], "2026-03-10T19:00:00.000000Z");
    assert_eq!(decision["request"]["Amount"], json!(55.5));
}

#[tokio::test]
async fn decisions_are_listed_by_kind_verdict_and_reason() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    server.leap().authorize(authorization().to(ANA).currency("USD")).await.not_authorized("NonMatchingCurrencyAccount");
    server.leap().credit(credit(ANA, &authorized)).await.done();
    let count = async |query: &str| server.operator().list(&format!("/admin/decisions{query}")).await.len();
    assert_eq!(count("").await, 3);
    assert_eq!(count("?kind=Authorization").await, 2);
    assert_eq!(count("?kind=Credit&approved=true").await, 1);
    assert_eq!(count("?approved=false&reason=NonMatchingCurrencyAccount").await, 1);
    assert_eq!(count("?account=another").await, 0);
}

#[tokio::test]
async fn all_that_an_account_ever_did_is_listed_page_by_page() {
    let server = Server::with().rules("rules = []").start().await;
    server.open(account(ANA)).await;
    let (mut authorized, mut credited) = (Vec::new(), Vec::new());
    for _ in 0..25 {
        let id = server.leap().authorize(authorization().to(ANA)).await.authorized();
        credited.push(server.leap().credit(credit(ANA, &id)).await.done());
        authorized.push(id);
    }
    let refused = server.leap().authorize(authorization().to(ANA).currency("USD")).await;
    let refused = refused.not_authorized("NonMatchingCurrencyAccount");
    let approved: Vec<String> =
        authorized.iter().zip(&credited).flat_map(|(one, other)| [one, other]).cloned().collect();
    for (list, expected) in [
        (format!("/admin/authorizations?account={ANA}"), [authorized.clone(), vec![refused.clone()]].concat()),
        (format!("/admin/authorizations?account={ANA}&state=Credited"), authorized),
        (format!("/admin/credits?account={ANA}"), credited.clone()),
        (format!("/admin/decisions?account={ANA}"), [approved.clone(), vec![refused]].concat()),
        (format!("/admin/decisions?account={ANA}&approved=true"), approved),
        (format!("/admin/accounts/{ANA}/statement?"), credited),
    ] {
        let id = if list.contains("statement") { "entry" } else { "trackingIdentifier" };
        let mut listed = Vec::new();
        for offset in (0..expected.len()).step_by(7) {
            let page = server.operator().list(&format!("{list}&limit=7&offset={offset}")).await;
            listed.extend(page.iter().map(|item| item[id].as_str().unwrap().to_owned()));
        }
        listed.reverse();
        assert_eq!(listed, expected, "{list}");
    }
}

#[tokio::test]
async fn an_unknown_record_is_a_404() {
    let server = Server::start().await;
    for path in ["authorizations", "credits", "decisions"] {
        for id in ["019a9f40-12ab-7f03-8e21-9a4c5d6b7e83", "x"] {
            server.operator().get(&format!("/admin/{path}/{id}")).await.error(404, "RESOURCE_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn the_rules_in_force_are_shown_as_they_were_read() {
    let server = Server::with().rules(ONE_A_DAY).start().await;
    let rules = server.operator().get("/admin/rules").await.data();
    assert_eq!(rules["text"], ONE_A_DAY);
    server.open(account(ANA)).await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    assert_eq!(server.operator().decision(&authorized).await["rulesVersion"], rules["version"]);
}
