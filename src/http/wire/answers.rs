//! The six answers (contract.md).

use serde::Serialize;

use crate::decide::outcome::{AccountAnswer, AuthorizationAnswer, CreditAnswer, EnrolmentAnswer, ReversalAnswer};
use crate::domain::policy::{CreditStatusForm, ReasonSet};
use crate::domain::{AccountId, CreditState, Reason, TrackingId};

/// TxAuthorization's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TxAuthorizationAnswer<'a> {
    authorized: bool,
    tracking_identifier: TrackingId,
    account_identifier: Option<&'a str>,
    display_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_authorized_reason: Option<&'static str>,
}

impl<'a> TxAuthorizationAnswer<'a> {
    pub fn new(answer: &'a AuthorizationAnswer, reasons: ReasonSet) -> Self {
        Self {
            authorized: answer.authorized,
            tracking_identifier: answer.tracking,
            account_identifier: answer.account.as_ref().map(AccountId::as_str),
            display_name: &answer.display_name,
            non_authorized_reason: reason_of_refusal(answer.authorized, answer.reason, reasons),
        }
    }
}

/// CreditFunds' answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreditFundsAnswer<'a> {
    success: bool,
    tracking_identifier: TrackingId,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_credit_reason: Option<&'static str>,
}

impl<'a> CreditFundsAnswer<'a> {
    pub fn new(answer: &'a CreditAnswer, reasons: ReasonSet) -> Self {
        Self {
            success: answer.success,
            tracking_identifier: answer.tracking,
            response_description: answer.description.as_deref().filter(|_| !answer.success),
            non_credit_reason: reason_of_refusal(answer.success, answer.reason, reasons),
        }
    }
}

/// ReverseCreditFunds' answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReverseCreditFundsAnswer<'a> {
    success: bool,
    tracking_identifier: TrackingId,
    response_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_reverse_reason: Option<&'static str>,
}

impl<'a> ReverseCreditFundsAnswer<'a> {
    pub fn new(answer: &'a ReversalAnswer) -> Self {
        Self {
            success: answer.success,
            tracking_identifier: answer.tracking,
            response_description: &answer.description,
            non_reverse_reason: answer.not_supported.then_some("NotSupported"),
        }
    }
}

/// CreateAccount's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccountAnswer<'a> {
    account_identifier: Option<&'a str>,
    success: bool,
    response_description: &'a str,
    /// Null only where there is no account.
    display_name: Option<&'a str>,
}

impl<'a> CreateAccountAnswer<'a> {
    pub fn new(answer: &'a AccountAnswer) -> Self {
        Self {
            account_identifier: answer.account.as_ref().map(|account| account.as_str()),
            success: answer.success,
            response_description: &answer.description,
            display_name: answer.display_name.as_deref(),
        }
    }
}

/// GetCreateAccountUrl's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetCreateAccountUrlAnswer<'a> {
    registration_url: Option<String>,
    success: bool,
    response_description: &'a str,
}

impl<'a> GetCreateAccountUrlAnswer<'a> {
    /// `url` counts only where there is a link.
    pub fn new(answer: &'a EnrolmentAnswer, url: Option<String>) -> Self {
        Self { registration_url: url, success: answer.success, response_description: &answer.description }
    }
}

/// GetCreditStatus' answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetCreditStatusAnswer {
    credit_status: CreditStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_description: Option<&'static str>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum CreditStatus {
    Name(&'static str),
    Number(u8),
}

impl GetCreditStatusAnswer {
    /// `None`: this server knows no such credit (decision 10).
    pub fn new(state: Option<CreditState>, form: CreditStatusForm) -> Self {
        let (name, number, response_description) = match state {
            Some(CreditState::InProgress) => ("InProgress", 1, None),
            Some(CreditState::Approved) => ("Approved", 2, None),
            Some(CreditState::Reversed) => ("Failed", 3, Some("the credit was reversed")),
            Some(CreditState::SettlementFailed) => ("Failed", 3, Some("the credit could not be settled")),
            Some(CreditState::Refused) => ("Failed", 3, Some("the credit was refused")),
            None => ("Failed", 3, Some("no credit has this CreditTrackingNumber")),
        };
        let credit_status = match form {
            CreditStatusForm::Name => CreditStatus::Name(name),
            CreditStatusForm::Number => CreditStatus::Number(number),
        };
        Self { credit_status, response_description }
    }
}

/// The reason of a negative answer, unless the caller's version of the contract lacks it (decision 15).
fn reason_of_refusal(positive: bool, reason: Option<Reason>, reasons: ReasonSet) -> Option<&'static str> {
    reason.filter(|reason| !positive && (reasons == ReasonSet::Published || reason.known_to_v1())).map(Reason::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AccountId;

    fn json(answer: &impl Serialize) -> String {
        serde_json::to_string(answer).unwrap()
    }

    fn tracking() -> TrackingId {
        TrackingId(uuid::Uuid::nil())
    }

    fn refusal(reason: Reason) -> AuthorizationAnswer {
        AuthorizationAnswer {
            tracking: tracking(),
            authorized: false,
            account: None,
            display_name: "NONE".into(),
            reason: Some(reason),
        }
    }

    #[test]
    fn an_authorization_has_no_reason_and_a_refusal_has_one() {
        let authorized = AuthorizationAnswer {
            authorized: true,
            account: Some(AccountId::new("40")),
            display_name: "MC-1234".into(),
            reason: None,
            ..refusal(Reason::None)
        };
        assert_eq!(
            json(&TxAuthorizationAnswer::new(&authorized, ReasonSet::Published)),
            r#"{"Authorized":true,"TrackingIdentifier":"00000000-0000-0000-0000-000000000000","AccountIdentifier":"40","DisplayName":"MC-1234"}"#
        );
        assert_eq!(
            json(&TxAuthorizationAnswer::new(&refusal(Reason::InvalidAccount), ReasonSet::Published)),
            r#"{"Authorized":false,"TrackingIdentifier":"00000000-0000-0000-0000-000000000000","AccountIdentifier":null,"DisplayName":"NONE","NonAuthorizedReason":"InvalidAccount"}"#
        );
    }

    #[test]
    fn a_caller_of_version_1_hears_only_the_six_reasons_it_knows() {
        let answer = |reason| json(&TxAuthorizationAnswer::new(&refusal(reason), ReasonSet::V1));
        assert!(!answer(Reason::InvalidAccount).contains("NonAuthorizedReason"));
        assert!(answer(Reason::ByVelocity).contains(r#""NonAuthorizedReason":"ByVelocity""#));
        let credit = CreditAnswer {
            tracking: tracking(),
            success: false,
            reason: Some(Reason::InvalidReferenceId),
            description: Some("why".to_owned()),
        };
        assert!(!json(&CreditFundsAnswer::new(&credit, ReasonSet::V1)).contains("NonCreditReason"));
        assert!(
            json(&CreditFundsAnswer::new(&credit, ReasonSet::Published))
                .ends_with(r#""ResponseDescription":"why","NonCreditReason":"InvalidReferenceId"}"#)
        );
    }

    #[test]
    fn a_credit_that_succeeded_says_nothing_more() {
        let credit =
            CreditAnswer { tracking: tracking(), success: true, reason: None, description: Some("x".to_owned()) };
        assert_eq!(
            json(&CreditFundsAnswer::new(&credit, ReasonSet::Published)),
            r#"{"Success":true,"TrackingIdentifier":"00000000-0000-0000-0000-000000000000"}"#
        );
    }

    #[test]
    fn descriptions_are_always_strings_where_the_contract_has_no_reason() {
        let reversal =
            ReversalAnswer { tracking: tracking(), success: false, not_supported: true, description: String::new() };
        assert!(
            json(&ReverseCreditFundsAnswer::new(&reversal))
                .ends_with(r#""ResponseDescription":"","NonReverseReason":"NotSupported"}"#)
        );
        let account = AccountAnswer {
            success: true,
            account: Some(AccountId::new("40")),
            display_name: Some("MC-40".into()),
            description: String::new(),
        };
        assert_eq!(
            json(&CreateAccountAnswer::new(&account)),
            r#"{"AccountIdentifier":"40","Success":true,"ResponseDescription":"","DisplayName":"MC-40"}"#
        );
        let enrolment = EnrolmentAnswer { tracking: tracking(), success: false, description: "why".to_owned() };
        assert_eq!(
            json(&GetCreateAccountUrlAnswer::new(&enrolment, None)),
            r#"{"RegistrationUrl":null,"Success":false,"ResponseDescription":"why"}"#
        );
    }

    #[test]
    fn a_status_is_spelt_as_a_name_or_as_a_number() {
        let status = |state, form| json(&GetCreditStatusAnswer::new(state, form));
        assert_eq!(status(Some(CreditState::Approved), CreditStatusForm::Name), r#"{"CreditStatus":"Approved"}"#);
        assert_eq!(status(Some(CreditState::InProgress), CreditStatusForm::Number), r#"{"CreditStatus":1}"#);
        for state in [CreditState::Reversed, CreditState::SettlementFailed, CreditState::Refused]
            .map(Some)
            .into_iter()
            .chain([None])
        {
            assert!(
                status(state, CreditStatusForm::Number).starts_with(r#"{"CreditStatus":3,"ResponseDescription":""#)
            );
        }
    }
}
