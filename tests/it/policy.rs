//! Every key of `[policy]`, and where each of its values is tested:
//!
//! - `authorization_ttl`, a duration:
//!   `counting::an_unused_authorization_gives_its_limits_back_at_its_deadline_and_not_before`
//! - `late_credit`, recheck:
//!   `crediting::late_credit_recheck_credits_what_the_rules_still_allow_without_counting_it_twice`
//!   `crediting::late_credit_recheck_refuses_for_good_what_the_rules_no_longer_allow`
//! - `late_credit`, refuse:
//!   `crediting::late_credit_refuse_refuses_for_good`
//! - `late_credit`, accept:
//!   `crediting::late_credit_accept_credits_counts_and_marks_it`
//! - `late_credit`, each, unreferenced:
//!   `crediting_unreferenced::an_expired_unused_authorization_is_a_match_under_late_credit`
//! - `late_credit_window`, a duration:
//!   `crediting::longer_ago_than_the_late_credit_window_is_as_refuse`
//!   `crediting_unreferenced::one_that_expired_longer_ago_than_the_window_is_no_match`
//! - `unreferenced_credits`, match:
//!   `crediting_unreferenced::it_consumes_the_oldest_open_authorization_of_that_amount`
//! - `unreferenced_credits`, refuse:
//!   `crediting_unreferenced::unreferenced_credits_refuse_refuses_always`
//! - `unreferenced_retry_window`, a duration:
//!   `crediting_unreferenced::after_the_window_it_is_another_remittance`
//! - `exchange_rate`, record, match:
//!   `crediting::another_exchange_rate_is_recorded_or_refused_as_the_partner_chooses`
//! - `exchange_rate`, match, unreferenced:
//!   `crediting_unreferenced::the_same_rate_is_required_where_the_partner_wants_that`
//! - `settlement`, immediate:
//!   `settling::an_immediate_credit_is_final_at_once`
//! - `settlement`, confirmed:
//!   `settling::a_confirmed_credit_waits_in_the_pending_book`
//! - `reversals`, true:
//!   `reversing::reversing_twice_moves_money_once_and_gets_the_first_answer`
//! - `reversals`, false:
//!   `reversing::reversals_false_is_not_supported`
//! - `on_shortfall`, refuse:
//!   `reversing::spent_money_is_not_reversed_where_on_shortfall_is_refuse`
//! - `on_shortfall`, negative:
//!   `reversing::spent_money_makes_the_balance_negative_where_on_shortfall_says_so`
//! - `on_shortfall`, receivable:
//!   `reversing::spent_money_is_owed_where_on_shortfall_is_receivable`
//! - `account_creation`, both, dynamic, on_demand, off:
//!   `edge_enrolment::account_creation_says_which_way_is_open`
//! - `currencies`, empty:
//!   `policy::without_a_list_every_active_currency_is_taken`
//! - `currencies`, a list:
//!   `policy::a_currency_that_is_not_listed_is_refused_everywhere`
//! - `enrolment_currency`, set:
//!   `policy::the_currency_of_enrolments_is_not_asked_for_where_it_is_set`
//! - `enrolment_currency`, unset:
//!   `edge_enrolment::the_page_asks_for_the_currency_where_the_partner_has_several`
//!   `edge_enrolment::the_only_currency_of_a_partner_is_not_asked_for`
//! - `missing_sender`, skip:
//!   `edge_callers::a_rule_by_sender_is_skipped_without_one_and_that_is_recorded`
//! - `missing_sender`, refuse:
//!   `edge_callers::a_rule_by_sender_refuses_without_one_where_the_partner_wants_that`
//! - `reasons`, published:
//!   `policy::with_the_published_reasons_every_refusal_has_one`
//! - `reasons`, v1.0:
//!   `edge_callers::a_caller_of_version_1_hears_its_six_reasons_and_no_other`
//! - `credit_status`, name, number:
//!   `edge_callers::a_status_is_a_name_or_a_number_as_the_partner_chooses`

use std::fs;
use std::path::Path;

use crate::support::{
    ANA, Browser, Server, account, ana, authorization, credit, enrolment, new_account, unreferenced_credit,
};

#[tokio::test]
async fn without_a_list_every_active_currency_is_taken() {
    let server = Server::with().policy("currencies", "").start().await;
    for (place, currency) in ["MXN", "USD", "GTQ", "CHF"].into_iter().enumerate() {
        let id = server.open(account(&format!("400000000000000{place}")).currency(currency)).await;
        server.leap().authorize(authorization().to(&id).currency(currency)).await.authorized();
    }
}

#[tokio::test]
async fn a_currency_that_is_not_listed_is_refused_everywhere() {
    let server = Server::start().await;
    let authorized = server.authorized().await;
    // The partner stops taking pesos while Ana's account in pesos is there.
    let server = server.restart_with(Server::with().policy("currencies", "USD")).await;
    let leap = server.leap();
    leap.authorize(authorization().to(ANA)).await.not_authorized("InvalidCurrency");
    leap.authorize(authorization().to(ANA).without("Currency")).await.not_authorized("InvalidCurrency");
    leap.credit(unreferenced_credit(ANA)).await.not_credited("InvalidCurrency");
    leap.create_account(new_account(ana())).await.failure();
    let body = serde_json::json!({"currency": "MXN", "personalData": serde_json::Value::from(ana())});
    server.operator().post("/admin/accounts", body).await.expect_status(400);
    // What was authorized before is still credited: Leap has moved the money.
    leap.credit(credit(ANA, &authorized)).await.done();
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
async fn the_currency_of_enrolments_is_not_asked_for_where_it_is_set() {
    let setup = Server::with().policy("currencies", "MXN,USD").policy("enrolment_currency", "USD");
    let server = setup.start().await;
    let url = server.leap().enrolment_url(enrolment(ana())).await.success().text_of("RegistrationUrl").to_owned();
    assert!(!Browser::new().open(&url).await.ok().text.contains("<select"));
    Browser::new().confirm(&url, "currency=MXN").await.ok();
    assert_eq!(server.operator().list("/admin/accounts").await[0]["currency"], "USD");
}

#[tokio::test]
async fn with_the_published_reasons_every_refusal_has_one() {
    let server = Server::with().policy("reasons", "published").with_ana().await;
    server.leap().authorize(authorization().to("4999999999999999")).await.not_authorized("InvalidAccount");
    server.leap().credit(credit(ANA, "x")).await.not_credited("InvalidReferenceId");
}

/// A file of this repository.
fn text_of(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_list_above_has_every_key_and_names_tests_that_are_there() {
    let listed = text_of("tests/it/policy.rs");
    let listed: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix("//! ")).collect();
    let settings = text_of("vna.default.toml");
    let (_, policy) = settings.split_once("[policy]").unwrap();
    let (policy, _) = policy.split_once("\n[").unwrap_or((policy, ""));
    let keys = policy.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key);
    let keys: Vec<&str> = keys.filter(|key| !key.starts_with('#')).collect();
    assert_eq!(keys.len(), 15, "{keys:?}");
    for key in keys {
        assert!(listed.iter().any(|line| line.starts_with(&format!("- `{key}`"))), "{key} is not listed");
    }
    for name in listed.iter().filter_map(|line| line.strip_prefix("  `")).map(|line| line.trim_end_matches('`')) {
        let (module, test) = name.split_once("::").unwrap();
        let file = text_of(&format!("tests/it/{module}.rs"));
        assert!(file.contains(&format!("async fn {test}()")), "{name} is not there");
    }
}
