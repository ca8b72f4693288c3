//! CreateAccount: decision 11, sentence by sentence. The enrolment page is in [`super::edge_enrolment`].

use serde_json::{Value, json};

use crate::support::{Body, Person, Server, account, ana, authorization, credit, new_account, person, somebody};

async fn create(server: &Server, body: Body) -> String {
    server.leap().create_account(body).await.success().text_of("AccountIdentifier").to_owned()
}

async fn accounts(server: &Server) -> usize {
    server.operator().list("/admin/accounts").await.len()
}

/// Ana, known by an email alone.
fn ana_by_email() -> Person {
    ana().without("PhoneNumber").email("ana@example.com")
}

#[tokio::test]
async fn the_same_person_and_currency_are_the_same_account() {
    let server = Server::with().start().await;
    let first = server.leap().create_account(new_account(ana())).await.success();
    for again in [ana(), person("ANA", " lopez ", "55 5512 3456"), ana().with("Gender", "Female")] {
        let answer = server.leap().create_account(new_account(again).amount("999.00")).await.success();
        assert_eq!(
            (&answer["AccountIdentifier"], &answer["DisplayName"]),
            (&first["AccountIdentifier"], &first["DisplayName"])
        );
    }
    assert_eq!(accounts(&server).await, 1);
}

#[tokio::test]
async fn another_currency_is_another_account_of_the_same_person() {
    let server = Server::with().start().await;
    let pesos = create(&server, new_account(ana())).await;
    let dollars = create(&server, new_account(ana()).currency("USD")).await;
    assert_ne!(pesos, dollars);
    assert_eq!(create(&server, new_account(ana()).currency("USD")).await, dollars);
    let (one, other) = (server.operator().account(&pesos).await, server.operator().account(&dollars).await);
    assert_eq!(one["personIdentifier"], other["personIdentifier"]);
    assert_eq!((&one["currency"], &other["currency"]), (&json!("MXN"), &json!("USD")));
}

#[tokio::test]
async fn the_oldest_that_is_not_closed_is_the_answer_and_after_it_a_new_one() {
    let mut server = Server::with().start().await;
    for id in ["4000000000000009", "4000000000000001"] {
        server.open(account(id)).await;
        server.advance("1s");
    }
    assert_eq!(create(&server, new_account(ana())).await, "4000000000000009");
    server.operator().close("4000000000000009").await;
    assert_eq!(create(&server, new_account(ana())).await, "4000000000000001");
    server.operator().close("4000000000000001").await;
    let new = create(&server, new_account(ana())).await;
    assert!(!["4000000000000009", "4000000000000001"].contains(&new.as_str()));
}

#[tokio::test]
async fn a_block_is_never_escaped_by_a_new_account() {
    for status in ["Blocked", "BlockedByLaw", "BlockedByGovernment"] {
        let server = Server::with().start().await;
        let first = create(&server, new_account(ana())).await;
        server.operator().block(&first, status).await;
        assert_eq!(create(&server, new_account(ana())).await, first);
        assert_eq!(accounts(&server).await, 1);
    }
}

#[tokio::test]
async fn a_block_is_not_escaped_by_adding_the_contact_of_another_record_of_the_same_person() {
    let mut server = Server::with().start().await;
    let blocked = create(&server, new_account(ana_by_email())).await;
    server.operator().block(&blocked, "BlockedByLaw").await;
    server.advance("1s");
    // Nothing tells yet that this is the same Ana; then one call has both contacts.
    let dollars = create(&server, new_account(ana()).currency("USD")).await;
    assert_ne!(dollars, blocked);
    assert_eq!(create(&server, new_account(ana().email("ana@example.com"))).await, blocked);
    assert_eq!(accounts(&server).await, 2);
}

#[tokio::test]
async fn a_shared_phone_or_email_is_no_conflict() {
    let server = Server::with().start().await;
    let ana_s = create(&server, new_account(ana().email("lopez@example.com"))).await;
    let eva = person("Eva", "López", "+525555123456").email("lopez@example.com");
    let eva_s = create(&server, new_account(eva)).await;
    let anas_daughter = ana().born("2015-05-05").email("lopez@example.com");
    let daughter_s = create(&server, new_account(anas_daughter)).await;
    assert!(ana_s != eva_s && eva_s != daughter_s && daughter_s != ana_s);
    assert_eq!(accounts(&server).await, 3);
}

#[tokio::test]
async fn a_personal_number_with_another_birth_date_is_no_success() {
    for (kind, number) in
        [("SocialSecurityNumber", "078-05-1120"), ("ITIN", "912-70-1234"), ("INE_IFE", "1234567890123")]
    {
        let server = Server::with().start().await;
        let first = create(&server, new_account(ana()).document(kind, number)).await;
        let spaced = number.replace('-', " ");
        let body = new_account(somebody(1).born("1991-02-03")).document(kind, &spaced);
        let answer = server.leap().create_account(body).await.failure();
        assert_eq!(answer["AccountIdentifier"], Value::Null);
        assert!(!answer.text.contains(&first), "{}", answer.text);
        assert_eq!(accounts(&server).await, 1);
    }
}

#[tokio::test]
async fn a_personal_number_with_the_same_birth_date_is_the_same_person_whatever_the_name() {
    let server = Server::with().start().await;
    let first = create(&server, new_account(ana()).document("INE_IFE", "1234567890123")).await;
    let married = person("Ana María", "Ruiz", "+525599999999");
    assert_eq!(create(&server, new_account(married).document("INE_IFE", "1234567890123")).await, first);
    // A passport's number may be issued by two countries: it needs the name as well.
    let stranger = somebody(1).born("1991-02-03");
    let server = Server::with().start().await;
    let first = create(&server, new_account(ana()).document("Passport", "G1234567")).await;
    assert_ne!(create(&server, new_account(stranger).document("Passport", "G1234567")).await, first);
    let renumbered = ana().with("PhoneNumber", "+525599999999");
    assert_eq!(create(&server, new_account(renumbered).document("Passport", "g 1234567")).await, first);
}

#[tokio::test]
async fn what_stands_for_no_number_makes_no_two_people_one() {
    let server = Server::with().start().await;
    let first = create(&server, new_account(ana()).document("SocialSecurityNumber", "N/A")).await;
    let stranger = person("Luis", "Vega", "+525599999999");
    assert_ne!(create(&server, new_account(stranger).document("SocialSecurityNumber", "N/A")).await, first);
    let younger = somebody(1).born("1991-02-03");
    server.leap().create_account(new_account(younger).document("SocialSecurityNumber", "N/A")).await.success();
    assert_eq!(accounts(&server).await, 3);
}

#[tokio::test]
async fn what_a_later_call_adds_the_person_is_found_by_from_then_on() {
    let server = Server::with().start().await;
    let first = create(&server, new_account(ana())).await;
    create(&server, new_account(ana().email("ana@example.com")).document("Passport", "G1234567")).await;
    assert_eq!(create(&server, new_account(ana_by_email())).await, first);
    let found = server.leap().authorize(authorization().receiver(ana_by_email())).await;
    assert_eq!(found["AccountIdentifier"], first.as_str());
    let documents = server.operator().account(&first).await["personalDocuments"].clone();
    assert_eq!(documents, json!([{"DocumentType": "Passport", "Number": "G1234567"}]));
}

#[tokio::test]
async fn identifiers_are_random_digits_with_a_check_digit_and_names_end_in_the_last_four() {
    let server = Server::with().variable("VNA_ACCOUNTS_DISPLAY_PREFIX", "LF1").start().await;
    let mut seen = Vec::new();
    for number in 0..5 {
        let answer = server.leap().create_account(new_account(somebody(number))).await.success();
        let id = answer.text_of("AccountIdentifier").to_owned();
        assert_eq!(answer["DisplayName"], format!("LF1-{}", &id[12..]));
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
        let doubled = id.bytes().rev().enumerate().map(|(place, digit)| {
            let value = u32::from(digit - b'0') << (place % 2);
            value / 10 + value % 10
        });
        assert_eq!(doubled.sum::<u32>() % 10, 0, "{id}");
        assert!(!seen.contains(&id));
        seen.push(id);
    }
}

#[tokio::test]
async fn a_new_account_is_empty_active_and_takes_a_remittance_at_once() {
    let server = Server::with().start().await;
    let leap = server.leap();
    assert_eq!(leap.authorize(authorization()).await["AccountIdentifier"], Value::Null);
    let id = create(&server, new_account(ana())).await;
    let shown = server.operator().account(&id).await;
    assert_eq!((&shown["status"], &shown["balance"]), (&json!("Active"), &json!("0.00")));
    let authorized = leap.authorize(authorization()).await;
    assert_eq!(authorized["AccountIdentifier"], id.as_str());
    leap.credit(credit(&id, &authorized.authorized())).await.done();
    assert_eq!(server.operator().balance(&id).await, "100.00");
}

#[tokio::test]
async fn a_currency_that_the_partner_does_not_take_is_no_success() {
    let server = Server::with().policy("currencies", "MXN,USD").start().await;
    let answer = server.leap().create_account(new_account(ana()).currency("EUR")).await.failure();
    assert!(answer.text_of("ResponseDescription").contains("EUR"), "{}", answer.text);
    assert_eq!(accounts(&server).await, 0);
    create(&server, new_account(ana()).currency("USD")).await;
}

#[tokio::test]
async fn what_is_refused_opens_nothing() {
    let server = Server::with().policy("account_creation", "off").start().await;
    server.leap().create_account(new_account(ana())).await.failure();
    assert_eq!(accounts(&server).await, 0);
}
