//! Authorizations, credits, reversals, and credits that only an operator can tell apart.

use serde::Serialize;

use super::amount;
use crate::domain::{AmbiguousCredit, Authorization, Credit, EventRef, Lateness, Reversal};

/// An authorization. Its sender is a phone or email, and is not shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationView {
    pub tracking_identifier: String,
    pub account_identifier: Option<String>,
    /// `None` only where no currency could be told.
    pub amount: Option<String>,
    pub currency: Option<String>,
    pub exchange_rate: Option<String>,
    pub at: String,
    pub expires_at: String,
    pub state: String,
    pub counted: Vec<PlaceView>,
    /// The credit, made or refused, that ended it.
    pub credit_tracking_number: Option<String>,
    /// The credit that a CreditFunds naming this authorization gets for ever, where it used up another.
    pub bound_credit_tracking_number: Option<String>,
}

/// Where a transaction is counted: what the rules count by, and its number there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlaceView {
    pub per: &'static str,
    pub currency: String,
    pub number: i64,
}

impl From<&EventRef> for PlaceView {
    fn from(place: &EventRef) -> Self {
        Self {
            per: place.series.subject.kind.as_str(),
            currency: place.series.currency.to_string(),
            number: place.number,
        }
    }
}

impl From<&Authorization> for AuthorizationView {
    fn from(authorization: &Authorization) -> Self {
        Self {
            tracking_identifier: authorization.id.to_string(),
            account_identifier: authorization.account.as_ref().map(ToString::to_string),
            amount: authorization.money().map(|money| money.decimal()),
            currency: authorization.currency.map(|currency| currency.to_string()),
            exchange_rate: authorization.exchange_rate.map(|rate| rate.to_string()),
            at: authorization.at.to_string(),
            expires_at: authorization.expires_at.to_string(),
            state: authorization.state.as_str().to_owned(),
            counted: authorization.counted.iter().map(PlaceView::from).collect(),
            credit_tracking_number: authorization.credit.map(|credit| credit.to_string()),
            bound_credit_tracking_number: authorization.bound_credit.map(|credit| credit.to_string()),
        }
    }
}

/// A credit, made or refused for good.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreditView {
    pub tracking_identifier: String,
    pub account_identifier: String,
    /// The authorization that it used up.
    pub auth_tracking_identifier: String,
    pub amount: String,
    pub currency: String,
    pub exchange_rate: Option<String>,
    pub at: String,
    pub state: String,
    /// Whether the call named its authorization.
    pub referenced: bool,
    /// `Rechecked` or `Accepted` where it came after the deadline.
    pub late: Option<Lateness>,
    /// Why it was refused.
    pub reason: Option<&'static str>,
    pub reversal_tracking_identifier: Option<String>,
    /// A late credit's own count.
    pub counted: Vec<PlaceView>,
}

impl From<&Credit> for CreditView {
    fn from(credit: &Credit) -> Self {
        Self {
            tracking_identifier: credit.id.to_string(),
            account_identifier: credit.account.to_string(),
            auth_tracking_identifier: credit.authorization.to_string(),
            amount: amount(credit.amount, credit.currency),
            currency: credit.currency.to_string(),
            exchange_rate: credit.exchange_rate.map(|rate| rate.to_string()),
            at: credit.at.to_string(),
            state: credit.state.as_str().to_owned(),
            referenced: credit.referenced,
            late: credit.late,
            reason: credit.reason.map(|reason| reason.as_str()),
            reversal_tracking_identifier: credit.reversal.map(|reversal| reversal.to_string()),
            counted: credit.counted.iter().map(PlaceView::from).collect(),
        }
    }
}

/// A total reversal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReversalView {
    pub tracking_identifier: String,
    pub credit_tracking_number: String,
    pub account_identifier: String,
    pub amount: String,
    pub currency: String,
    pub at: String,
}

impl From<&Reversal> for ReversalView {
    fn from(reversal: &Reversal) -> Self {
        Self {
            tracking_identifier: reversal.id.to_string(),
            credit_tracking_number: reversal.credit.to_string(),
            account_identifier: reversal.account.to_string(),
            amount: amount(reversal.amount, reversal.currency),
            currency: reversal.currency.to_string(),
            at: reversal.at.to_string(),
        }
    }
}

/// A CreditFunds that was a retry or a second remittance: an operator decides.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AmbiguousCreditView {
    pub tracking_identifier: String,
    pub account_identifier: String,
    pub amount: String,
    pub currency: String,
    pub exchange_rate: Option<String>,
    pub at: String,
    /// The credit whose answer was given again; `None` where the call was refused.
    pub answered_with: Option<String>,
    pub state: String,
    /// The credit that an operator made of it.
    pub credit_tracking_number: Option<String>,
}

impl From<&AmbiguousCredit> for AmbiguousCreditView {
    fn from(call: &AmbiguousCredit) -> Self {
        Self {
            tracking_identifier: call.id.to_string(),
            account_identifier: call.account.to_string(),
            amount: amount(call.amount, call.currency),
            currency: call.currency.to_string(),
            exchange_rate: call.exchange_rate.map(|rate| rate.to_string()),
            at: call.at.to_string(),
            answered_with: call.answered_with.map(|credit| credit.to_string()),
            state: call.state.as_str().to_owned(),
            credit_tracking_number: call.credit.map(|credit| credit.to_string()),
        }
    }
}

/// What an operator made of an ambiguous call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CreditedView {
    pub ambiguous_credit: AmbiguousCreditView,
    pub credit: CreditView,
}

impl CreditedView {
    pub fn new(call: &AmbiguousCredit, credit: &Credit) -> Self {
        Self { ambiguous_credit: AmbiguousCreditView::from(call), credit: CreditView::from(credit) }
    }
}
