//! Fields that are missing or wrong: a business answer with the first wrong one's reason (decisions 1, 2, 4 and 5).

use serde_json::{Value, json};

use crate::support::{
    ANA, Answer, Body, Person, Server, account, ana, authorization, credit, enrolment, luis, new_account, reversal,
    status, unreferenced_credit,
};

async fn authorize(server: &Server, body: Body) -> Answer {
    server.leap().call("/TxAuthorization").body(body).off_contract().send().await
}

#[tokio::test]
async fn the_first_wrong_field_in_the_contracts_order_gives_the_reason() {
    let server = Server::start().await;
    let mut body = authorization()
        .amount("-1")
        .currency("XXX")
        .rate("0")
        .with("SenderPersonalData", "nobody")
        .with("ReceiverPersonalData", "nobody")
        .raw("AccountIdentifier", "7");
    for (reason, repaired) in [
        ("InvalidAmount", ("Amount", "1.00".to_owned())),
        ("InvalidCurrency", ("Currency", "\"MXN\"".to_owned())),
        ("InvalidExchangeRate", ("ExchangeRate", "18.4".to_owned())),
        ("InvalidSenderData", ("SenderPersonalData", Value::from(luis()).to_string())),
        ("InvalidDestinationData", ("ReceiverPersonalData", Value::from(ana()).to_string())),
        ("InvalidAccount", ("AccountIdentifier", format!("\"{ANA}\""))),
    ] {
        authorize(&server, body.clone()).await.not_authorized(reason);
        body = body.raw(repaired.0, &repaired.1);
    }
    authorize(&server, body).await.authorized();
}

#[tokio::test]
async fn what_is_no_amount_is_refused() {
    let server = Server::start().await;
    for amount in ["null", "0", "0.00", "-0", "-1", "\"100.00\"", "true", "[]", "{}", "1.001", "0.001", "1e-3"] {
        authorize(&server, authorization().to(ANA).amount(amount)).await.not_authorized("InvalidAmount");
    }
    authorize(&server, authorization().to(ANA).without("Amount")).await.not_authorized("InvalidAmount");
}

#[tokio::test]
async fn an_amount_is_exact_up_to_what_the_ledger_holds() {
    let server = Server::start().await;
    let leap = server.leap();
    let largest = leap.authorize(authorization().to(ANA).amount("92233720368547758.07")).await.authorized();
    assert_eq!(server.operator().decision(&largest).await["amount"], "92233720368547758.07");
    for amount in ["92233720368547758.08", "1e17", "1e400", "1e99999999999999999999"] {
        authorize(&server, authorization().to(ANA).amount(amount)).await.not_authorized("InvalidAmount");
    }
}

#[tokio::test]
async fn one_amount_written_in_many_ways_is_one_amount() {
    let server = Server::start().await;
    for amount in ["100", "100.0", "100.00", "100.000", "1e2", "1E+2", "1000e-1", "0.1e3"] {
        let authorized = server.leap().authorize(authorization().to(ANA).amount(amount)).await.authorized();
        assert_eq!(server.operator().decision(&authorized).await["amount"], "100.00", "{amount}");
    }
}

#[tokio::test]
async fn decimals_follow_the_currency() {
    let server = Server::with().start().await;
    let yen = server.open(account("4000000000000001").currency("JPY")).await;
    let dinar = server.open(account("4000000000000002").currency("KWD")).await;
    let call = |to: &str, currency: &str, amount: &str| {
        authorize(&server, authorization().to(to).currency(currency).amount(amount))
    };
    call(&yen, "JPY", "5000.00").await.authorized();
    call(&yen, "JPY", "5000.50").await.not_authorized("InvalidAmount");
    call(&dinar, "KWD", "1.25").await.authorized();
    call(&dinar, "KWD", "1.255").await.not_authorized("InvalidAmount");
}

#[tokio::test]
async fn what_is_no_active_currency_is_refused() {
    let server = Server::start().await;
    for currency in ["\"XXX\"", "\"XTS\"", "\"HRK\"", "\"mxn\"", "\"MX\"", "\"MXNN\"", "\"\"", "484", "true", "[]"] {
        authorize(&server, authorization().to(ANA).raw("Currency", currency)).await.not_authorized("InvalidCurrency");
    }
}

#[tokio::test]
async fn what_is_no_exchange_rate_is_refused() {
    let server = Server::start().await;
    for rate in ["0", "-18.45", "\"18.45\"", "true", "[]"] {
        authorize(&server, authorization().to(ANA).rate(rate)).await.not_authorized("InvalidExchangeRate");
    }
}

#[tokio::test]
async fn each_required_field_of_a_person_is_required() {
    let server = Server::start().await;
    let refused = async |person: Person, what: &str| {
        let answer = authorize(&server, authorization().to(ANA).receiver(person)).await;
        assert_eq!(answer["NonAuthorizedReason"], "InvalidDestinationData", "{what}: {}", answer.text);
    };
    for field in ["FirstName", "LastName", "Gender", "BirthDate", "Address"] {
        refused(ana().without(field), field).await;
        for wrong in [Value::Null, json!(""), json!("  "), json!(7), json!("a\u{0}b")] {
            refused(ana().with(field, wrong), field).await;
        }
    }
    for field in ["Address1", "ZipCode", "City", "CountryCode", "StateCode"] {
        for wrong in [Value::Null, json!(""), json!("  "), json!(7), json!("a\u{0}b")] {
            refused(ana().living(field, wrong), field).await;
        }
    }
    refused(ana().without("PhoneNumber"), "neither phone nor email").await;
}

#[tokio::test]
async fn a_receiver_is_required() {
    let server = Server::start().await;
    for body in [authorization().without("ReceiverPersonalData"), authorization().raw("ReceiverPersonalData", "null")] {
        authorize(&server, body.to(ANA)).await.not_authorized("InvalidDestinationData");
    }
}

#[tokio::test]
async fn an_email_does_for_a_phone() {
    let server = Server::start().await;
    let person = ana().without("PhoneNumber").email("ana@example.com");
    server.leap().authorize(authorization().to(ANA).receiver(person)).await.authorized();
}

#[tokio::test]
async fn a_birth_date_is_a_date_that_exists() {
    let server = Server::start().await;
    for date in ["1990-02-30", "1990-13-01", "31/01/1990", "1990-1-31", "1990-01-31T00:00:00", "0000-01-01", "x"] {
        let body = authorization().to(ANA).receiver(ana().born(date));
        authorize(&server, body).await.not_authorized("InvalidDestinationData");
    }
    server.leap().authorize(authorization().to(ANA).receiver(ana().born("1992-02-29"))).await.authorized();
}

#[tokio::test]
async fn genders_and_countries_are_the_listed_ones() {
    let server = Server::start().await;
    for gender in ["Male", "Female", "Other", "None"] {
        server.leap().authorize(authorization().to(ANA).receiver(ana().with("Gender", gender))).await.authorized();
    }
    for wrong in [
        ana().with("Gender", "male"),
        ana().with("Gender", "X"),
        ana().living("CountryCode", "ZZ"),
        ana().living("CountryCode", "MEX"),
    ] {
        authorize(&server, authorization().to(ANA).receiver(wrong)).await.not_authorized("InvalidDestinationData");
    }
}

#[tokio::test]
async fn untidy_states_and_phones_are_no_reason_to_refuse() {
    let server = Server::start().await;
    for person in [
        ana().living("StateCode", "JAL"),
        ana().living("StateCode", "9"),
        ana().living("StateCode", "ZZ"),
        ana().with("PhoneNumber", "call my mother"),
    ] {
        server.leap().authorize(authorization().to(ANA).receiver(person)).await.authorized();
    }
}

#[tokio::test]
async fn null_is_the_same_as_absent() {
    let server = Server::start().await;
    let person = ana().with("Email", Value::Null).with("MiddleName", Value::Null).living("Address2", Value::Null);
    let body = authorization().to(ANA).receiver(person).raw("Currency", "null").raw("ExchangeRate", "null");
    server.leap().authorize(body.raw("SenderPersonalData", "null").raw("PersonalData", "null")).await.authorized();
}

#[tokio::test]
async fn an_account_identifier_that_is_no_text_is_refused() {
    let server = Server::start().await;
    for wrong in ["7", "true", "[]", "{}", r#""4000\u00001234""#] {
        authorize(&server, authorization().raw("AccountIdentifier", wrong)).await.not_authorized("InvalidAccount");
    }
}

#[tokio::test]
async fn an_empty_account_identifier_is_as_null() {
    let server = Server::start().await;
    for empty in ["\"\"", "\"   \"", "null"] {
        let answer = server.leap().authorize(authorization().raw("AccountIdentifier", empty)).await;
        assert_eq!(answer["AccountIdentifier"], ANA, "{}", answer.text);
        answer.authorized();
    }
}

#[tokio::test]
async fn every_negative_answer_has_a_tracking_identifier_of_its_own() {
    let server = Server::start().await;
    let first = authorize(&server, authorization().amount("0")).await.not_authorized("InvalidAmount");
    let second = authorize(&server, authorization().amount("0")).await.not_authorized("InvalidAmount");
    assert_ne!(first, second);
}

#[tokio::test]
async fn an_empty_object_is_a_business_answer_everywhere_but_for_a_status() {
    let server = Server::start().await;
    let empty = async |endpoint: &str| server.leap().call(endpoint).off_contract().send().await;
    empty("/TxAuthorization").await.not_authorized("InvalidAmount");
    empty("/CreditFunds").await.failure();
    empty("/ReverseCreditFunds").await.failure();
    empty("/CreateAccount").await.failure();
    empty("/GetCreateAccountUrl").await.failure();
    empty("/GetCreditStatus").await.error(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn an_unreferenced_credit_needs_amount_currency_and_rate() {
    let server = Server::start().await;
    let body = unreferenced_credit(ANA);
    for (missing, reason) in
        [("Amount", "InvalidAmount"), ("Currency", "InvalidCurrency"), ("ExchangeRate", "InvalidExchangeRate")]
    {
        for body in [
            body.clone().without(missing),
            body.clone().raw(missing, "null"),
            body.clone().raw(missing, "0"),
            body.clone().raw(missing, "\"\""),
        ] {
            server.leap().call("/CreditFunds").body(body).off_contract().send().await.not_credited(reason);
        }
    }
}

#[tokio::test]
async fn the_defaults_of_a_dotnet_caller_count_as_not_sent_in_a_credit() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let body = credit(ANA, &authorized).raw("Amount", "0").raw("Currency", "\"\"").raw("ExchangeRate", "0.0");
    server.leap().credit(body).await.done();
}

#[tokio::test]
async fn a_wrong_field_of_a_credit_gives_its_reason_and_leaves_the_authorization() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    for (field, wrong, reason) in [
        ("Amount", "\"100.00\"", "InvalidAmount"),
        ("Amount", "-100.00", "InvalidAmount"),
        ("Currency", "\"XXX\"", "InvalidCurrency"),
        ("ExchangeRate", "-1", "InvalidExchangeRate"),
    ] {
        let body = credit(ANA, &authorized).raw(field, wrong);
        server.leap().call("/CreditFunds").body(body).off_contract().send().await.not_credited(reason);
    }
    server.leap().credit(credit(ANA, &authorized)).await.done();
}

#[tokio::test]
async fn a_description_names_the_wrong_field_where_there_is_no_reason() {
    let server = Server::start().await;
    let describe = async |endpoint: &str, body: Body| {
        let answer = server.leap().call(endpoint).body(body).off_contract().send().await.failure();
        answer.text_of("ResponseDescription").to_owned()
    };
    for (field, body) in [
        ("Amount", new_account(ana()).amount("0")),
        ("Currency", new_account(ana()).currency("XXX")),
        ("ExchangeRate", new_account(ana()).rate("-1")),
        ("BirthDate", new_account(ana().born("x"))),
        ("DocumentType", new_account(ana()).document("LibraryCard", "1")),
        ("Number", new_account(ana()).document("Passport", " ")),
    ] {
        assert!(describe("/CreateAccount", body).await.contains(field), "{field}");
    }
    assert!(describe("/GetCreateAccountUrl", enrolment(ana().without("LastName"))).await.contains("LastName"));
    assert!(describe("/ReverseCreditFunds", reversal(ANA, "")).await.contains("CreditTrackingNumber"));
    assert!(describe("/ReverseCreditFunds", reversal("", "x")).await.contains("AccountIdentifier"));
}

#[tokio::test]
async fn a_document_type_is_its_name_or_its_number() {
    let server = Server::start().await;
    let first = server.leap().create_account(new_account(ana()).document("INE_IFE", "1234567890123")).await.success();
    let by_number = json!([{"DocumentType": 14, "Number": "1234567890123"}]);
    let body = new_account(ana()).with("PersonalDocuments", by_number);
    assert_eq!(server.leap().create_account(body).await.success()["AccountIdentifier"], first["AccountIdentifier"]);
    for wrong in [json!(2), json!("Ine_Ife"), json!(14.5), json!(null)] {
        let documents = json!([{"DocumentType": wrong, "Number": "1"}]);
        let body = new_account(ana()).with("PersonalDocuments", documents);
        server.leap().call("/CreateAccount").body(body).off_contract().send().await.failure();
    }
}

#[tokio::test]
async fn documents_may_be_missing_null_or_empty() {
    let server = Server::start().await;
    for body in [
        new_account(ana()).without("PersonalDocuments"),
        new_account(ana()).raw("PersonalDocuments", "null"),
        new_account(ana()),
    ] {
        server.leap().create_account(body).await.success();
    }
}

#[tokio::test]
async fn a_status_with_a_missing_field_is_a_400() {
    let server = Server::start().await;
    for body in [
        status(ANA, ""),
        status("", "x"),
        status(ANA, "x").raw("CreditTrackingNumber", "7"),
        status(ANA, "x").raw("AccountIdentifier", "null"),
    ] {
        server.leap().call("/GetCreditStatus").body(body).off_contract().send().await.error(400, "INVALID_REQUEST");
    }
}

#[tokio::test]
async fn the_status_of_an_unknown_credit_is_failed_and_says_so() {
    let server = Server::start().await;
    let answer = server.leap().status(status(ANA, "019a9f40-12ab-7f03-8e21-9a4c5d6b7e83")).await.ok();
    assert_eq!(answer["CreditStatus"], "Failed");
    assert!(!answer.text_of("ResponseDescription").is_empty());
}

#[tokio::test]
async fn the_status_of_another_accounts_credit_is_a_400() {
    let server = Server::start().await;
    let authorized = server.leap().authorize(authorization().to(ANA)).await.authorized();
    let credited = server.leap().credit(credit(ANA, &authorized)).await.done();
    server.leap().status(status("4000000000009999", &credited)).await.error(400, "INVALID_REQUEST");
    assert_eq!(server.leap().status(status(ANA, &credited)).await.ok()["CreditStatus"], "Approved");
}
