//! CreditFunds that names its authorization: decision 7, sentence by sentence.

use serde_json::{Value, json};

use crate::support::{ANA, Server, Setup, account, authorization, credit, reversal, somebody, status};

const ONE_A_DAY: &str = "[[rules]]\nid = \"one-a-day\"\ntype = \"velocity\"\nmax = 1\nwindow = { rolling = \"24h\" }\n";

const NEVER_ISSUED: &str = "019a9f40-12ab-7f03-8e21-9a4c5d6b7e83";

/// A server whose authorizations expire after an hour.
fn short() -> Setup {
    Server::with().policy("authorization_ttl", "1h")
}

async fn state_of(server: &Server, authorization: &str) -> Value {
    server.operator().authorization(authorization).await["state"].clone()
}

#[tokio::test]
async fn a_credit_moves_the_money_once_and_a_retry_gets_the_first_answer() {
    let mut server = Server::start().await;
    let authorized = server.authorized().await;
    let first = server.leap().credit(credit(ANA, &authorized)).await.success();
    for wait in ["1s", "1h", "30d"] {
        server.advance(wait);
        assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.text, first.text);
    }
    assert_eq!(server.balance().await, "100.00");
    assert_eq!(state_of(&server, &authorized).await, "Credited");
    assert_eq!(server.operator().list("/admin/credits").await.len(), 1);
}

#[tokio::test]
async fn a_retry_over_a_restart_gets_the_first_answer() {
    let server = Server::start().await;
    let (authorized, credited) = server.credited().await;
    let server = server.restart().await;
    assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.done(), credited);
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn what_is_sent_must_equal_the_authorization_numerically() {
    let server = Server::start().await;
    for amount in ["100", "100.00", "1e2", "100.000"] {
        let authorized = server.authorized().await;
        let body = credit(ANA, &authorized).amount(amount).currency("MXN").rate("18.4512");
        server.leap().credit(body).await.done();
    }
    assert_eq!(server.balance().await, "400.00");
}

#[tokio::test]
async fn a_request_that_contradicts_its_authorization_leaves_it_and_a_right_one_may_follow() {
    let server = Server::start().await;
    let other = server.open(account("4000000000000002").holder(somebody(1))).await;
    let authorized = server.authorized().await;
    let body = || credit(ANA, &authorized);
    for (wrong, reason) in [
        (body().amount("100.01"), "InvalidAmount"),
        (body().amount("1.00"), "InvalidAmount"),
        (body().currency("USD"), "InvalidCurrency"),
        (body().to(&other), "InvalidAccount"),
        (body().to("4999999999999999"), "InvalidAccount"),
        (body().amount("1.00").currency("USD").to(&other), "InvalidAmount"),
    ] {
        let refused = server.leap().credit(wrong).await.not_credited(reason);
        assert_eq!(state_of(&server, &authorized).await, "Open");
        assert_eq!(server.leap().status(status(ANA, &refused)).await["CreditStatus"], "Failed");
    }
    server.leap().credit(body()).await.done();
    assert_eq!((server.balance().await, server.operator().balance(&other).await), ("100.00".into(), "0.00".into()));
}

#[tokio::test]
async fn a_retry_with_a_changed_body_is_no_success() {
    let server = Server::start().await;
    let (authorized, _) = server.credited().await;
    let body = || credit(ANA, &authorized);
    server.leap().credit(body().amount("100.01")).await.not_credited("InvalidAmount");
    server.leap().credit(body().currency("USD")).await.not_credited("InvalidCurrency");
    server.leap().credit(body().to("4999999999999999")).await.not_credited("InvalidAccount");
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn null_empty_and_zero_count_as_not_sent() {
    let server = Server::start().await;
    for nothing in ["null", "0", "0.00", "\"\""] {
        let authorized = server.authorized().await;
        let body =
            credit(ANA, &authorized).raw("Amount", nothing).raw("Currency", nothing).raw("ExchangeRate", nothing);
        let body = if nothing.starts_with('0') { body.raw("Currency", "\"\"") } else { body };
        server.leap().call("/CreditFunds").body(body).off_contract().send().await.done();
    }
    assert_eq!(server.balance().await, "400.00");
}

#[tokio::test]
async fn another_exchange_rate_is_recorded_or_refused_as_the_partner_chooses() {
    let server = Server::with().policy("exchange_rate", "record").with_ana().await;
    let authorized = server.authorized().await;
    let credited = server.leap().credit(credit(ANA, &authorized).rate("18.5")).await.done();
    assert_eq!(server.operator().credit(&credited).await["exchangeRate"], "18.5");
    assert_eq!(server.operator().decision(&credited).await["exchangeRate"], "18.5");

    let server = Server::with().policy("exchange_rate", "match").with_ana().await;
    let authorized = server.authorized().await;
    server.leap().credit(credit(ANA, &authorized).rate("18.5")).await.not_credited("InvalidExchangeRate");
    assert_eq!(state_of(&server, &authorized).await, "Open");
    server.leap().credit(credit(ANA, &authorized).rate("18.45120")).await.done();
    let unnamed = server.authorized().await;
    server.leap().credit(credit(ANA, &unnamed)).await.done();
}

#[tokio::test]
async fn an_authorization_without_a_rate_takes_any() {
    let server = Server::with().policy("exchange_rate", "match").with_ana().await;
    let unknown_rate = authorization().to(ANA).without("ExchangeRate");
    let authorized = server.leap().authorize(unknown_rate).await.authorized();
    server.leap().credit(credit(ANA, &authorized).rate("18.5")).await.done();
}

#[tokio::test]
async fn an_unknown_reference_is_an_invalid_reference() {
    let server = Server::start().await;
    let (_, credited) = server.credited().await;
    for unknown in [NEVER_ISSUED, "x", &credited] {
        server.leap().credit(credit(ANA, unknown)).await.not_credited("InvalidReferenceId");
    }
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn a_refused_or_voided_authorization_was_not_validated() {
    let server = Server::start().await;
    let refused = server.leap().authorize(authorization().to(ANA).currency("USD")).await.tracking();
    let unfound = server.leap().authorize(authorization().to("4999999999999999")).await.tracking();
    let voided = server.authorized().await;
    server.operator().void(&voided).await.ok();
    for (id, state) in [(refused, "Refused"), (unfound, "Refused"), (voided, "Voided")] {
        server.leap().credit(credit(ANA, &id)).await.not_credited("NotPreviouslyValidated");
        assert_eq!(state_of(&server, &id).await, state);
    }
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn a_blocked_or_closed_account_refuses_for_good_and_gives_its_limits_back() {
    for (status_of_account, reason) in [
        ("Blocked", "AccountBlocked"),
        ("BlockedByLaw", "AccountBlockedByLaw"),
        ("BlockedByGovernment", "AccountBlockedByGovernment"),
    ] {
        let server = Server::with().rules(ONE_A_DAY).with_ana().await;
        let authorized = server.authorized().await;
        server.operator().block(ANA, status_of_account).await;
        let first = server.leap().credit(credit(ANA, &authorized)).await;
        let refused = first.clone().not_credited(reason);
        server.operator().unblock(ANA).await;
        assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.text, first.text, "it stays refused");
        assert_eq!(state_of(&server, &authorized).await, "CreditRefused");
        let kept = server.operator().credit(&refused).await;
        assert_eq!((&kept["state"], &kept["reason"]), (&json!("Refused"), &json!(reason)));
        assert_eq!(server.leap().status(status(ANA, &refused)).await["CreditStatus"], "Failed");
        server.credited().await;
        assert_eq!(server.balance().await, "100.00");
    }
}

#[tokio::test]
async fn a_closed_account_is_an_invalid_account_for_good() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    server.operator().close(ANA).await;
    let first = server.leap().credit(credit(ANA, &authorized)).await;
    first.clone().not_credited("InvalidAccount");
    assert_eq!(state_of(&server, &authorized).await, "CreditRefused");
    assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.text, first.text);
}

#[tokio::test]
async fn a_refused_credit_is_not_reversed_and_no_credit() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    server.operator().block(ANA, "Blocked").await;
    let refused = server.leap().credit(credit(ANA, &authorized)).await.not_credited("AccountBlocked");
    server.operator().unblock(ANA).await;
    server.leap().reverse(reversal(ANA, &refused)).await.failure();
    server.operator().void(&authorized).await.expect_status(409);
    server.operator().settle(&refused, "Approved").await.expect_status(409);
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn a_credit_is_late_from_the_deadline_on() {
    let mut server = short().policy("late_credit", "refuse").with_ana().await;
    let (too_late, just_right) = (server.authorized().await, server.authorized().await);
    server.advance("3599s");
    server.leap().credit(credit(ANA, &just_right)).await.done();
    server.advance("1s");
    server.leap().credit(credit(ANA, &too_late)).await.not_credited("NotPreviouslyValidated");
}

#[tokio::test]
async fn late_credit_refuse_refuses_for_good() {
    let mut server = short().policy("late_credit", "refuse").with_ana().await;
    let authorized = server.authorized().await;
    server.advance("1h");
    let first = server.leap().credit(credit(ANA, &authorized)).await;
    let refused = first.clone().not_credited("NotPreviouslyValidated");
    assert_eq!(server.leap().credit(credit(ANA, &authorized)).await.text, first.text);
    assert_eq!(state_of(&server, &authorized).await, "CreditRefused");
    assert_eq!(server.operator().decision(&refused).await["amount"], "100.00");
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn late_credit_recheck_credits_what_the_rules_still_allow_without_counting_it_twice() {
    let mut server = short().policy("late_credit", "recheck").rules(ONE_A_DAY).with_ana().await;
    let authorized = server.authorized().await;
    server.advance("2h");
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    let shown = server.operator().credit(&credited).await;
    assert_eq!((&shown["late"], &shown["counted"][0]["number"]), (&json!("Rechecked"), &json!(2)));
    let decision = server.operator().decision(&credited).await;
    assert_eq!((&decision["rules"][0]["counted"], &decision["amount"]), (&json!(0), &json!("100.00")));
    assert!(decision["note"].as_str().unwrap().contains("credited late"), "{decision}");
    // It counts at its own time: 24 hours from the credit, not from the authorization.
    server.advance("22h");
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    server.advance("2h");
    server.authorized().await;
}

#[tokio::test]
async fn its_own_earlier_count_is_taken_out_even_where_expiry_keeps_it() {
    let rules = format!("{ONE_A_DAY}on_expiry = \"keep\"\n");
    let mut server = short().rules(&rules).with_ana().await;
    let authorized = server.authorized().await;
    server.advance("1h");
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    server.leap().credit(credit(ANA, &authorized)).await.done();
}

#[tokio::test]
async fn late_credit_recheck_refuses_for_good_what_the_rules_no_longer_allow() {
    let mut server = short().policy("late_credit", "recheck").rules(ONE_A_DAY).with_ana().await;
    let late = server.authorized().await;
    server.advance("1h");
    let other = server.authorized().await;
    let first = server.leap().credit(credit(ANA, &late)).await;
    let refused = first.clone().not_credited("ByVelocity");
    let decision = server.operator().decision(&refused).await;
    assert_eq!((&decision["rules"][0]["counted"], &decision["amount"]), (&json!(1), &json!("100.00")));
    assert_eq!((&decision["currency"], &decision["reference"]), (&json!("MXN"), &json!(late)));
    let note = decision["note"].as_str().unwrap();
    assert!(note.ends_with("judged again, refused by the rule `one-a-day`"), "{note}");
    server.operator().void(&other).await.ok();
    assert_eq!(server.leap().credit(credit(ANA, &late)).await.text, first.text, "it stays refused");
    assert_eq!(server.balance().await, "0.00");
}

#[tokio::test]
async fn late_credit_accept_credits_counts_and_marks_it() {
    let mut server = short().policy("late_credit", "accept").rules(ONE_A_DAY).with_ana().await;
    let late = server.authorized().await;
    server.advance("1h");
    server.credited().await;
    let credited = server.leap().credit(credit(ANA, &late)).await.done();
    assert_eq!(server.operator().credit(&credited).await["late"], "Accepted");
    let refused = server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    assert_eq!(server.operator().decision(&refused).await["rules"][0]["counted"], 2);
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn longer_ago_than_the_late_credit_window_is_as_refuse() {
    for late_credit in ["recheck", "accept"] {
        let setup = short().policy("late_credit", late_credit).policy("late_credit_window", "2h");
        let mut server = setup.with_ana().await;
        let too_late = server.authorized().await;
        server.advance("1s");
        let in_time = server.authorized().await;
        server.advance("3h");
        server.leap().credit(credit(ANA, &in_time)).await.done();
        server.leap().credit(credit(ANA, &too_late)).await.not_credited("NotPreviouslyValidated");
        assert_eq!(state_of(&server, &too_late).await, "CreditRefused");
    }
}

#[tokio::test]
async fn a_late_credit_window_of_nothing_is_as_refuse_at_the_deadline_itself() {
    let mut server = short().policy("late_credit_window", "0s").with_ana().await;
    let authorized = server.authorized().await;
    server.advance("1h");
    server.leap().credit(credit(ANA, &authorized)).await.not_credited("NotPreviouslyValidated");
}

#[tokio::test]
async fn a_reversed_late_credit_gives_back_at_its_own_time() {
    let mut server = short().rules(ONE_A_DAY).with_ana().await;
    let late = server.authorized().await;
    server.advance("2h");
    let credited = server.leap().credit(credit(ANA, &late)).await.done();
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("ByVelocity");
    server.leap().reverse(reversal(ANA, &credited)).await.done();
    server.authorized().await;
}

#[tokio::test]
async fn a_decision_shows_the_money_of_the_authorization_it_names() {
    let server = Server::start().await;
    let (authorized, credited) = server.credited().await;
    let decision = server.operator().decision(&credited).await;
    assert_eq!((&decision["amount"], &decision["currency"]), (&json!("100.00"), &json!("MXN")));
    assert_eq!((&decision["reference"], &decision["accountIdentifier"]), (&json!(authorized), &json!(ANA)));
    assert_eq!((&decision["kind"], &decision["note"]), (&json!("Credit"), &Value::Null));
    let unknown = server.leap().credit(credit(ANA, NEVER_ISSUED)).await.not_credited("InvalidReferenceId");
    let decision = server.operator().decision(&unknown).await;
    assert_eq!((&decision["accountIdentifier"], &decision["amount"]), (&json!(ANA), &Value::Null));
}

#[tokio::test]
async fn an_account_takes_what_the_ledger_holds_and_no_more() {
    let server = Server::start().await;
    let most = "92233720368547758.07";
    let all = server.leap().authorize(authorization().to(ANA).amount("92233720368547758.00")).await.authorized();
    server.leap().credit(credit(ANA, &all)).await.done();
    server.leap().authorize(authorization().to(ANA).amount("0.08")).await.not_authorized("InvalidAmount");
    let rest = server.leap().authorize(authorization().to(ANA).amount("0.07")).await.authorized();
    server.leap().credit(credit(ANA, &rest)).await.done();
    assert_eq!(server.balance().await, most);
}
