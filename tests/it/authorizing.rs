//! TxAuthorization: the order of checks, every reason, whose account is meant, what is recorded (decisions 3, 4 and 6).

use serde_json::{Value, json};

use crate::support::{ANA, Server, account, ana, authorization, luis, person, somebody};

const AT_MOST_50: &str = r#"
[[rules]]
id = "at-most-50"
type = "amount"
max = { MXN = "50.00" }
"#;

const UNKNOWN: &str = "4999999999999999";

#[tokio::test]
async fn the_checks_come_in_order_fields_account_currency_status_rules() {
    let server = Server::with().rules(AT_MOST_50).with_ana().await;
    server.operator().block(ANA, "Blocked").await;
    let leap = server.leap();
    let wrong = authorization().to(UNKNOWN).currency("USD").amount("0");
    leap.call("/TxAuthorization").body(wrong.clone()).off_contract().send().await.not_authorized("InvalidAmount");
    leap.authorize(wrong.clone().amount("100.00")).await.not_authorized("InvalidAccount");
    leap.authorize(wrong.clone().amount("100.00").to(ANA)).await.not_authorized("NonMatchingCurrencyAccount");
    leap.authorize(authorization().to(ANA)).await.not_authorized("AccountBlocked");
    server.operator().unblock(ANA).await;
    leap.authorize(authorization().to(ANA)).await.not_authorized("ByAmountLimit");
    leap.authorize(authorization().to(ANA).amount("50.00")).await.authorized();
}

#[tokio::test]
async fn every_status_of_an_account_gives_its_reason() {
    let server = Server::start().await;
    for (status, reason) in [
        ("Blocked", "AccountBlocked"),
        ("BlockedByLaw", "AccountBlockedByLaw"),
        ("BlockedByGovernment", "AccountBlockedByGovernment"),
    ] {
        server.operator().block(ANA, status).await;
        server.leap().authorize(authorization().to(ANA)).await.not_authorized(reason);
        server.operator().unblock(ANA).await;
    }
    server.operator().close(ANA).await;
    server.leap().authorize(authorization().to(ANA)).await.not_authorized("InvalidAccount");
}

#[tokio::test]
async fn every_type_of_rule_gives_its_reason_or_the_one_that_the_file_chooses() {
    let window = "window = { rolling = \"24h\" }";
    for (rule, reason) in [
        ("type = \"amount\"\nmax = { MXN = \"1\" }".to_owned(), "ByAmountLimit"),
        (format!("type = \"velocity\"\nmax = 0\n{window}"), "ByVelocity"),
        (format!("type = \"accumulated\"\nmax = {{ MXN = \"1\" }}\n{window}"), "ByAccumulateAmountLimit"),
        (format!("type = \"velocity\"\nmax = 0\n{window}\nreason = \"InvalidParameter\""), "InvalidParameter"),
        ("type = \"amount\"\nmax = { USD = \"1\" }".to_owned(), "InvalidCurrency"),
    ] {
        let server = Server::with().rules(&format!("[[rules]]\nid = \"only\"\n{rule}\n")).with_ana().await;
        let refused = server.leap().authorize(authorization().to(ANA)).await.not_authorized(reason);
        let decision = server.operator().decision(&refused).await;
        assert_eq!(decision["note"], "refused by the rule `only`");
        assert_eq!(server.operator().authorization(&refused).await["counted"], json!([]));
    }
}

#[tokio::test]
async fn every_reason_that_a_field_can_give_is_given() {
    let server = Server::with().policy("currencies", "MXN,USD").with_ana().await;
    let body = || authorization().to(ANA);
    for (wrong, reason) in [
        (body().amount("-1"), "InvalidAmount"),
        (body().currency("EUR"), "InvalidCurrency"),
        (body().rate("0"), "InvalidExchangeRate"),
        (body().sender(luis().born("1984-02-30")), "InvalidSenderData"),
        (body().receiver(ana().living("CountryCode", "XX")), "InvalidDestinationData"),
        (body().to(UNKNOWN), "InvalidAccount"),
        (body().currency("USD"), "NonMatchingCurrencyAccount"),
    ] {
        let answer = server.leap().call("/TxAuthorization").body(wrong).off_contract().send().await;
        let refused = answer.not_authorized(reason);
        let decision = server.operator().decision(&refused).await;
        assert_eq!((&decision["reason"], &decision["approved"]), (&json!(reason), &json!(false)));
        assert!(decision["note"].as_str().is_some_and(|note| !note.is_empty()), "{decision}");
    }
}

#[tokio::test]
async fn a_refusal_echoes_the_account_and_gives_null_only_where_it_is_not_found() {
    let server = Server::start().await;
    let refused = server.leap().authorize(authorization().to(ANA).currency("USD")).await;
    assert_eq!((&refused["AccountIdentifier"], &refused["DisplayName"]), (&json!(ANA), &json!("MC-1234")));
    let bad_amount = authorization().to(ANA).amount("0.001");
    let refused = server.leap().call("/TxAuthorization").body(bad_amount).off_contract().send().await;
    assert_eq!(refused["AccountIdentifier"], ANA);
    server.operator().close(ANA).await;
    assert_eq!(server.leap().authorize(authorization().to(ANA)).await["AccountIdentifier"], ANA);
    let unknown = server.leap().authorize(authorization().to(UNKNOWN)).await;
    assert_eq!(unknown["AccountIdentifier"], Value::Null);
    assert_eq!(unknown["DisplayName"], "UNKNOWN");
}

#[tokio::test]
async fn null_and_a_bad_amount_still_find_the_person() {
    let server = Server::start().await;
    let body = authorization().amount("0");
    let answer = server.leap().call("/TxAuthorization").body(body).off_contract().send().await;
    assert_eq!(answer["AccountIdentifier"], ANA, "null would have Leap open a second account");
    answer.not_authorized("InvalidAmount");
}

#[tokio::test]
async fn every_answer_is_recorded_with_what_it_was_decided_from() {
    let server = Server::with().rules(AT_MOST_50).with_ana().await;
    for (amount, approved) in [("100.00", false), ("20.00", true)] {
        let answer = server.leap().authorize(authorization().to(ANA).amount(amount)).await.ok();
        let decision = server.operator().decision(&answer.tracking()).await;
        assert_eq!(decision["approved"], approved);
        assert_eq!((&decision["accountIdentifier"], &decision["amount"]), (&json!(ANA), &json!(amount)));
        assert_eq!(decision["receivedAt"], "2026-03-10T18:00:00.000000Z");
        assert_eq!(decision["exchangeRate"], "18.4512");
        assert_eq!(decision["rulesVersion"].as_str().unwrap().len(), 12);
        assert_eq!(
            (&decision["rules"][0]["limit"], &decision["rules"][0]["rule"]),
            (&json!("50.00"), &json!("at-most-50"))
        );
        assert_eq!(decision["request"]["SenderPersonalData"]["FirstName"], "Luis");
    }
}

/// The account that null finds for this receiver, in MXN.
async fn found(server: &Server, receiver: crate::support::Person) -> Value {
    server.leap().authorize(authorization().receiver(receiver)).await.ok()["AccountIdentifier"].clone()
}

#[tokio::test]
async fn null_finds_the_receiver_by_phone_however_it_and_the_name_are_written() {
    let server = Server::start().await;
    for (first, last, phone) in
        [("Ana", "López", "+525555123456"), ("ANA", "LOPEZ", "55 5512 3456"), (" ana ", "lópez", "+52 (55) 5512-3456")]
    {
        assert_eq!(found(&server, person(first, last, phone)).await, ANA, "{first} {last} {phone}");
    }
}

#[tokio::test]
async fn where_the_phone_gives_nobody_the_email_does() {
    let server = Server::with().start().await;
    server.open(account(ANA).holder(ana().email("ana@example.com"))).await;
    let new_phone = ana().with("PhoneNumber", "+525599999999");
    assert_eq!(found(&server, new_phone.clone()).await, Value::Null);
    assert_eq!(found(&server, new_phone.email("Ana@Example.com")).await, ANA);
    assert_eq!(found(&server, ana().without("PhoneNumber").email("ana@example.com")).await, ANA);
}

#[tokio::test]
async fn where_the_phone_gives_another_member_of_the_family_the_email_is_asked_too() {
    let server = Server::with().start().await;
    server.open(account("4000000000000001").holder(person("Eva", "López", "+525555123456"))).await;
    server.open(account(ANA).holder(ana().with("PhoneNumber", "+525577777777").email("ana@example.com"))).await;
    assert_eq!(found(&server, ana()).await, Value::Null, "a shared phone is not the same person");
    assert_eq!(found(&server, ana().email("ana@example.com")).await, ANA);
}

#[tokio::test]
async fn another_birth_date_or_name_is_another_person() {
    let server = Server::start().await;
    assert_eq!(found(&server, ana().born("1990-02-01")).await, Value::Null);
    assert_eq!(found(&server, ana().with("FirstName", "Anita")).await, Value::Null);
    assert_eq!(found(&server, ana().with("LastName2", "Ruiz")).await, ANA, "only one side has it");
    assert_eq!(found(&server, ana().with("Gender", "Male")).await, ANA);
}

#[tokio::test]
async fn of_several_accounts_null_finds_the_oldest_that_is_not_closed() {
    let mut server = Server::with().start().await;
    for id in ["4000000000000009", "4000000000000005", "4000000000000001"] {
        server.open(account(id)).await;
        server.advance("1s");
    }
    assert_eq!(found(&server, ana()).await, "4000000000000009");
    server.operator().close("4000000000000009").await;
    assert_eq!(found(&server, ana()).await, "4000000000000005");
}

#[tokio::test]
async fn a_blocked_account_answers_why_and_does_not_step_aside() {
    let mut server = Server::with().start().await;
    server.open(account("4000000000000001")).await;
    server.advance("1s");
    server.open(account("4000000000000002")).await;
    server.operator().block("4000000000000001", "BlockedByLaw").await;
    let answer = server.leap().authorize(authorization()).await;
    assert_eq!(answer["AccountIdentifier"], "4000000000000001");
    answer.not_authorized("AccountBlockedByLaw");
}

#[tokio::test]
async fn a_currency_chooses_among_the_accounts_and_none_takes_the_oldest() {
    let mut server = Server::with().start().await;
    let pesos = server.open(account("4000000000000001").currency("MXN")).await;
    server.advance("1s");
    let dollars = server.open(account("4000000000000002").currency("USD")).await;
    let in_currency = async |code: &str| {
        server.leap().authorize(authorization().currency(code)).await.ok()["AccountIdentifier"].clone()
    };
    assert_eq!(in_currency("USD").await, dollars.as_str());
    assert_eq!(in_currency("MXN").await, pesos.as_str());
    assert_eq!(in_currency("EUR").await, Value::Null);
    let none = server.leap().authorize(authorization().without("Currency")).await;
    assert_eq!(none["AccountIdentifier"], pesos.as_str());
    none.authorized();
}

#[tokio::test]
async fn nobody_is_null_a_placeholder_and_invalid_account() {
    let server = Server::start().await;
    let answer = server.leap().authorize(authorization().receiver(somebody(7))).await;
    assert_eq!((&answer["AccountIdentifier"], &answer["DisplayName"]), (&Value::Null, &json!("UNKNOWN")));
    let refused = answer.not_authorized("InvalidAccount");
    assert_eq!(server.operator().decision(&refused).await["accountIdentifier"], Value::Null);
}

#[tokio::test]
async fn two_equal_authorizations_are_two_and_each_may_be_credited() {
    let server = Server::start().await;
    let (first, second) = (server.authorized().await, server.authorized().await);
    assert_ne!(first, second);
    for authorized in [first, second] {
        server.leap().credit(crate::support::credit(ANA, &authorized)).await.done();
    }
    assert_eq!(server.balance().await, "200.00");
}

#[tokio::test]
async fn the_twin_that_a_lost_answer_left_is_named_until_it_is_gone() {
    let server = Server::start().await;
    let (lost, heard) = (server.authorized().await, server.authorized().await);
    server.leap().authorize(authorization().to(ANA).amount("7.00")).await.authorized();
    let twins = async || server.operator().decision(&heard).await["openTwins"].clone();
    assert_eq!(twins().await[0]["trackingIdentifier"], lost.as_str());
    assert_eq!(twins().await.as_array().unwrap().len(), 1);
    server.operator().void(&lost).await.ok();
    assert_eq!(twins().await, json!([]));
}

#[tokio::test]
async fn an_approval_is_open_until_its_deadline_and_then_expired() {
    let mut server = Server::start().await;
    let authorized = server.authorized().await;
    let shown = server.operator().authorization(&authorized).await;
    assert_eq!((&shown["state"], &shown["expiresAt"]), (&json!("Open"), &json!("2026-03-11T18:00:00.000000Z")));
    server.advance("24h");
    server.leap().authorize(authorization().to(ANA).amount("1.00")).await.authorized();
    assert_eq!(server.operator().authorization(&authorized).await["state"], "Expired");
    server.operator().void(&authorized).await.expect_status(409);
}

#[tokio::test]
async fn a_refusal_is_remembered_and_reserves_nothing() {
    let server = Server::start().await;
    let refused = server.leap().authorize(authorization().to(ANA).currency("USD")).await.tracking();
    let shown = server.operator().authorization(&refused).await;
    assert_eq!((&shown["state"], &shown["counted"]), (&json!("Refused"), &json!([])));
    assert_eq!(server.balance().await, "0.00");
}
