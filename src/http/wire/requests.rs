//! The six requests (contract.md).

use compact_str::CompactString;

use super::fields::{amount, currency, exchange_rate, identifier, required, unless_default};
use super::person::{documents, personal_data};
use crate::decide::command::{AuthorizeCall, CreateAccountCall, CreditCall, OfferEnrolmentCall, ReverseCall};
use crate::domain::Body;
use crate::http::json::Document;

/// TxAuthorization. Version 1.0's one `PersonalData` is the receiver's (decision 5).
pub fn authorize(document: &Document<'_>) -> AuthorizeCall {
    let body = &document.object;
    let receiver = match personal_data(body, "ReceiverPersonalData") {
        Ok(None) => personal_data(body, "PersonalData"),
        read => read,
    };
    let sender = personal_data(body, "SenderPersonalData").map(|sender| sender.and_then(|data| data.sender_key()));
    AuthorizeCall {
        account: identifier(body, "AccountIdentifier").into(),
        amount: amount(body.get("Amount"), "Amount").into(),
        currency: currency(body.get("Currency"), "Currency").into(),
        exchange_rate: exchange_rate(body.get("ExchangeRate"), "ExchangeRate").into(),
        sender: sender.into(),
        receiver: receiver.into(),
        body: Body::new(document.text),
    }
}

/// What other calls have, and no CreditFunds. The signature covers no path: a TxAuthorization that was captured and is sent
/// to CreditFunds has all that a credit without a reference needs.
const OF_OTHER_CALLS: [&str; 4] = ["SenderPersonalData", "ReceiverPersonalData", "PersonalData", "PersonalDocuments"];

/// CreditFunds.
pub fn credit(document: &Document<'_>) -> CreditCall {
    let body = &document.object;
    let authorization = match OF_OTHER_CALLS.iter().find(|name| body.get(name).is_some()) {
        Some(name) => Err(format!("{name} belongs to another call")),
        None => identifier(body, "AuthTrackingIdentifier"),
    };
    CreditCall {
        account: identifier(body, "AccountIdentifier").into(),
        authorization: authorization.into(),
        amount: amount(unless_default(body, "Amount"), "Amount").into(),
        currency: currency(unless_default(body, "Currency"), "Currency").into(),
        exchange_rate: exchange_rate(unless_default(body, "ExchangeRate"), "ExchangeRate").into(),
        body: Body::new(document.text),
    }
}

/// ReverseCreditFunds.
pub fn reverse(document: &Document<'_>) -> ReverseCall {
    ReverseCall {
        account: identifier(&document.object, "AccountIdentifier").into(),
        credit: identifier(&document.object, "CreditTrackingNumber").into(),
        body: Body::new(document.text),
    }
}

/// CreateAccount.
pub fn create_account(document: &Document<'_>) -> CreateAccountCall {
    let body = &document.object;
    CreateAccountCall {
        person: personal_data(body, "PersonalData").into(),
        documents: documents(body, "PersonalDocuments").into(),
        amount: amount(body.get("Amount"), "Amount").into(),
        currency: currency(body.get("Currency"), "Currency").into(),
        exchange_rate: exchange_rate(body.get("ExchangeRate"), "ExchangeRate").into(),
    }
}

/// GetCreateAccountUrl.
pub fn offer_enrolment(document: &Document<'_>, token_hash: String) -> OfferEnrolmentCall {
    OfferEnrolmentCall {
        person: personal_data(&document.object, "PersonalData").into(),
        documents: documents(&document.object, "PersonalDocuments").into(),
        token_hash,
    }
}

/// GetCreditStatus.
#[derive(Debug, PartialEq, Eq)]
pub struct StatusCall {
    pub account: CompactString,
    pub credit: CompactString,
}

/// # Errors
/// Which field is missing or wrong: any status would be a lie (decision 2).
pub fn credit_status(document: &Document<'_>) -> Result<StatusCall, String> {
    let read = |name: &str| required(identifier(&document.object, name), name);
    Ok(StatusCall { account: read("AccountIdentifier")?, credit: read("CreditTrackingNumber")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::command::Field;
    use crate::domain::JsonNumber;
    use crate::http::json;

    const PERSON: &str = r#"{"Email":"ana@example.com","FirstName":"Ana","LastName":"López","Gender":"Female",
        "BirthDate":"1990-01-31","Address":{"Address1":"Calle 12","ZipCode":"06700","City":"CDMX","CountryCode":"MX",
        "StateCode":"CMX"}}"#;

    fn document(body: &str) -> Document<'_> {
        json::read(body.as_bytes()).unwrap()
    }

    #[test]
    fn one_personal_data_is_the_receivers_and_no_sender_is_no_error() {
        let call =
            authorize(&document(&format!(r#"{{"PersonalData":{PERSON},"AccountIdentifier":null,"Amount":1500.00}}"#)));
        assert!(call.receiver.given().is_some());
        assert!(call.sender.is_absent() && call.account.is_absent() && call.currency.is_absent());
        assert!(call.exchange_rate.is_absent());
        assert_eq!(call.amount.given(), JsonNumber::parse("1500").as_ref());
    }

    #[test]
    fn a_receiver_of_the_published_form_goes_before_version_1() {
        let call = authorize(&document(&format!(r#"{{"PersonalData":{PERSON},"ReceiverPersonalData":{{}}}}"#)));
        assert!(call.receiver.is_wrong());
    }

    #[test]
    fn one_wrong_field_leaves_the_others_read() {
        let call = authorize(&document(r#"{"Amount":"1","Currency":"","ExchangeRate":0,"AccountIdentifier":"40"}"#));
        assert!(call.amount.is_wrong() && call.currency.is_wrong() && call.exchange_rate.is_wrong());
        assert_eq!(call.account, Field::Given("40".into()));
    }

    #[test]
    fn the_defaults_of_a_dotnet_caller_are_absent_in_credit_funds() {
        let call = credit(&document(
            r#"{"AccountIdentifier":"40","AuthTrackingIdentifier":"","Amount":0,"Currency":"","ExchangeRate":0.0}"#,
        ));
        assert!(call.authorization.is_absent() && call.amount.is_absent());
        assert!(call.currency.is_absent() && call.exchange_rate.is_absent());
        let call = credit(&document(r#"{"Amount":-1,"Currency":5,"ExchangeRate":"18"}"#));
        assert!(call.amount.given().is_some_and(|amount| !amount.is_positive()), "the core refuses it");
        assert!(call.currency.is_wrong() && call.exchange_rate.is_wrong());
    }

    #[test]
    fn the_body_is_recorded_as_it_came() {
        let body = r#"{"CreditTrackingNumber" : "x", "Unknown": 1.10}"#;
        assert_eq!(reverse(&document(body)).body.text(), body);
    }

    #[test]
    fn a_status_query_names_its_missing_field() {
        assert_eq!(
            credit_status(&document(r#"{"CreditTrackingNumber":"x"}"#)),
            Err("AccountIdentifier is missing".to_owned())
        );
        assert!(credit_status(&document(r#"{"AccountIdentifier":"40","CreditTrackingNumber":5}"#)).is_err());
        assert!(credit_status(&document(r#"{"AccountIdentifier":"40","CreditTrackingNumber":"x"}"#)).is_ok());
    }
}
