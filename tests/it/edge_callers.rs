//! Callers of version 1.0, and those that send the published form (decisions 5 and 15).

use crate::support::{
    ANA, Server, account, ana, authorization, authorization_v1, credit, luis, person, reversal, status,
    unreferenced_credit,
};

const PER_SENDER: &str = r#"
[[rules]]
id = "two-a-day-per-sender"
type = "velocity"
max = 2
window = { rolling = "24h" }
per = "sender"
"#;

#[tokio::test]
async fn one_personal_data_is_the_receivers() {
    let server = Server::start().await;
    let answer = server.leap().authorize(authorization_v1()).await;
    assert_eq!(answer["AccountIdentifier"], ANA);
    answer.authorized();
    let stranger = person("Eva", "Mora", "+525599999999");
    let answer = server.leap().authorize(authorization_v1().with("PersonalData", stranger)).await;
    assert!(answer["AccountIdentifier"].is_null());
}

#[tokio::test]
async fn the_receivers_own_data_count_before_the_one_of_version_1() {
    let server = Server::start().await;
    let body = authorization().with("PersonalData", luis());
    assert_eq!(server.leap().authorize(body).await["AccountIdentifier"], ANA);
}

#[tokio::test]
async fn no_currency_means_the_accounts() {
    let server = Server::with().start().await;
    let dollars = server.open(account("4000000000000002").currency("USD")).await;
    let authorized = server.leap().authorize(authorization_v1().to(&dollars)).await.authorized();
    assert_eq!(server.operator().decision(&authorized).await["currency"], "USD");
}

#[tokio::test]
async fn no_exchange_rate_is_recorded_as_unknown() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization_v1()).await.authorized();
    assert!(server.operator().decision(&authorized).await["exchangeRate"].is_null());
    let authorized = server.leap().authorize(authorization().rate("18.4512")).await.authorized();
    assert_eq!(server.operator().decision(&authorized).await["exchangeRate"], "18.4512");
}

#[tokio::test]
async fn the_whole_conversation_of_version_1_is_answered() {
    let server = Server::start().await;
    let leap = server.leap();
    let authorized = leap.authorize(authorization_v1().to(ANA)).await.authorized();
    let credited = leap.credit(credit(ANA, &authorized)).await.done();
    assert_eq!(leap.status(status(ANA, &credited)).await.ok()["CreditStatus"], "Approved");
    leap.call("/ReverseCredit").body(reversal(ANA, &credited)).send().await.done();
    assert_eq!(leap.status(status(ANA, &credited)).await.ok()["CreditStatus"], "Failed");
}

#[tokio::test]
async fn an_authorization_of_version_1_is_matched_by_an_unreferenced_credit() {
    let server = Server::start().await;
    server.leap().authorize(authorization_v1().to(ANA)).await.authorized();
    server.leap().credit(unreferenced_credit(ANA)).await.done();
    assert_eq!(server.operator().balance(ANA).await, "100.00");
}

#[tokio::test]
async fn no_sender_is_no_error_where_no_rule_counts_by_sender() {
    for missing_sender in ["skip", "refuse"] {
        let server = Server::with().policy("missing_sender", missing_sender).start().await;
        server.open(account(ANA)).await;
        server.leap().authorize(authorization().to(ANA).without("SenderPersonalData")).await.authorized();
    }
}

#[tokio::test]
async fn a_rule_by_sender_is_skipped_without_one_and_that_is_recorded() {
    let server = Server::with().rules(PER_SENDER).policy("missing_sender", "skip").start().await;
    server.open(account(ANA)).await;
    for _ in 0..3 {
        let authorized = server.leap().authorize(authorization_v1().to(ANA)).await.authorized();
        assert_eq!(server.operator().decision(&authorized).await["rules"][0]["verdict"], "Skipped");
    }
}

#[tokio::test]
async fn a_rule_by_sender_refuses_without_one_where_the_partner_wants_that() {
    let server = Server::with().rules(PER_SENDER).policy("missing_sender", "refuse").start().await;
    server.open(account(ANA)).await;
    server.leap().authorize(authorization_v1().to(ANA)).await.not_authorized("InvalidSenderData");
    server.leap().authorize(authorization().to(ANA)).await.authorized();
}

#[tokio::test]
async fn a_caller_of_version_1_hears_its_six_reasons_and_no_other() {
    let server = Server::with().policy("reasons", "v1.0").start().await;
    server.open(account(ANA)).await;
    let answer = server.leap().authorize(authorization().to("4999999999999999")).await.ok();
    assert_eq!(answer["Authorized"], false);
    assert!(answer.json.get("NonAuthorizedReason").is_none(), "{}", answer.text);
    assert_eq!(server.operator().decision(&answer.tracking()).await["reason"], "InvalidAccount");
    let answer = server.leap().credit(credit(ANA, "unknown")).await.failure();
    assert!(answer.json.get("NonCreditReason").is_none(), "{}", answer.text);
    server.operator().block(ANA, "BlockedByLaw").await;
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("AccountBlockedByLaw");
}

#[tokio::test]
async fn a_caller_of_the_published_form_hears_every_reason() {
    let server = Server::with().policy("reasons", "published").start().await;
    server.open(account(ANA)).await;
    server.leap().authorize(authorization().to("4999999999999999")).await.not_authorized("InvalidAccount");
    server.leap().credit(credit(ANA, "unknown")).await.not_credited("InvalidReferenceId");
}

#[tokio::test]
async fn a_status_is_a_name_or_a_number_as_the_partner_chooses() {
    for (form, approved, failed) in [("name", "\"Approved\"", "\"Failed\""), ("number", "2", "3")] {
        let server = Server::with().policy("credit_status", form).start().await;
        server.open(account(ANA)).await;
        let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
        let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
        let ask = async |number: &str| server.leap().status(status(ANA, number)).await.ok()["CreditStatus"].to_string();
        assert_eq!(ask(&credited).await, approved);
        assert_eq!(ask("unknown").await, failed);
    }
}

#[tokio::test]
async fn a_receiver_without_an_account_gets_null_and_a_placeholder() {
    let server = Server::with().start().await;
    let answer = server.leap().authorize(authorization().receiver(ana())).await;
    assert!(answer["AccountIdentifier"].is_null());
    assert!(!answer.text_of("DisplayName").is_empty());
    answer.not_authorized("InvalidAccount");
}
