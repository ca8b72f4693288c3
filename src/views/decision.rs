//! Decisions with everything they were made from.

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::transaction::AuthorizationView;
use super::{amount, in_zone};
use crate::domain::decision::{FoundWindow, Unit};
use crate::domain::{Authorization, Body, Decision, RuleFinding, Span, SubjectKind, Timestamp, Verdict};

/// A decision as a list shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionView {
    pub tracking_identifier: String,
    pub kind: &'static str,
    pub account_identifier: Option<String>,
    /// Event time: what the windows ended at.
    pub at: String,
    pub received_at: String,
    pub approved: bool,
    pub reason: Option<&'static str>,
    pub note: Option<String>,
    /// The authorization, credit or reversal that the call named or was matched with.
    pub reference: Option<String>,
    pub amount: Option<String>,
    pub currency: Option<String>,
    pub exchange_rate: Option<String>,
    pub rules_version: Option<String>,
}

impl From<&Decision> for DecisionView {
    fn from(decision: &Decision) -> Self {
        Self {
            tracking_identifier: decision.id.to_string(),
            kind: decision.kind.as_str(),
            account_identifier: decision.account.as_ref().map(ToString::to_string),
            at: decision.at.to_string(),
            received_at: decision.received_at.to_string(),
            approved: decision.approved,
            reason: decision.reason.map(|reason| reason.as_str()),
            note: decision.note.clone(),
            reference: decision.reference.map(|reference| reference.to_string()),
            amount: decision.amount.zip(decision.currency).map(|(minor, currency)| amount(minor, currency)),
            currency: decision.currency.map(|currency| currency.to_string()),
            exchange_rate: decision.exchange_rate.map(|rate| rate.to_string()),
            rules_version: decision.rules_version.as_ref().map(ToString::to_string),
        }
    }
}

/// A decision whole. The request is shown as it was received, personal data included.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionDetail<'a> {
    #[serde(flatten)]
    pub decision: DecisionView,
    /// In file order.
    pub rules: Vec<FindingView>,
    /// Other open authorizations of the same account, amount and currency: each holds its limits until it expires.
    pub open_twins: Vec<AuthorizationView>,
    #[serde(serialize_with = "as_it_came")]
    pub request: &'a Body,
}

impl<'a> DecisionDetail<'a> {
    pub fn new(decision: &'a Decision, twins: &[Authorization]) -> Self {
        Self {
            decision: DecisionView::from(decision),
            rules: decision.findings.iter().map(|finding| FindingView::new(finding, decision)).collect(),
            open_twins: twins.iter().map(AuthorizationView::from).collect(),
            request: &decision.request,
        }
    }
}

fn as_it_came<S: Serializer>(body: &Body, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(body.text()).map_err(S::Error::custom)?.serialize(serializer)
}

/// What one rule found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingView {
    pub rule: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub verdict: Verdict,
    /// The reason it gives where it refuses.
    pub reason: &'static str,
    /// Its refusal is recorded and does not count.
    pub shadow: bool,
    pub per: Option<SubjectKind>,
    pub window: Option<WindowView>,
    pub unit: &'static str,
    /// Before this transaction.
    pub counted: Option<Quantity>,
    pub limit: Option<Quantity>,
    pub left: Option<Quantity>,
    pub note: Option<String>,
}

/// A decimal string of the decision's currency, or a whole number: transactions, or minor units where the decision
/// knows no currency.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Quantity {
    Amount(String),
    Number(i64),
}

/// A window in UTC and by the clocks of the rule's zone; `to` is included.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowView {
    pub name: String,
    pub from: String,
    /// A calendar's window begins with its first moment, a rolling one just after.
    pub from_included: bool,
    pub to: String,
    pub time_zone: String,
    pub local_from: Option<String>,
    pub local_to: Option<String>,
}

impl FindingView {
    /// One of `decision`'s findings.
    pub fn new(finding: &RuleFinding, decision: &Decision) -> Self {
        let currency = decision.currency;
        let quantity = |number: Option<i64>| {
            number.map(|number| match (finding.unit, currency) {
                (Unit::MinorUnits, Some(currency)) => Quantity::Amount(amount(number, currency)),
                _ => Quantity::Number(number),
            })
        };
        Self {
            rule: finding.rule.to_string(),
            kind: finding.kind.to_string(),
            verdict: finding.verdict,
            reason: finding.reason.as_str(),
            shadow: finding.shadow,
            per: finding.per,
            window: finding.window.as_ref().map(|window| WindowView::new(window, decision.at)),
            unit: match (finding.unit, currency) {
                (Unit::MinorUnits, Some(_)) => "amount",
                (Unit::MinorUnits, None) => "minorUnits",
                (Unit::Transactions, _) => "transactions",
            },
            counted: quantity(finding.counted),
            limit: quantity(finding.limit),
            left: quantity(finding.left()),
            note: finding.note.clone(),
        }
    }
}

impl WindowView {
    fn new(window: &FoundWindow, to: Timestamp) -> Self {
        let start = WindowStart::of(window);
        Self {
            name: window.name.to_string(),
            from: start.moment.to_string(),
            from_included: start.included,
            to: to.to_string(),
            time_zone: window.time_zone.to_string(),
            local_from: in_zone(start.moment, &window.time_zone),
            local_to: in_zone(to, &window.time_zone),
        }
    }
}

/// Where a window starts, as a person would say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowStart {
    pub moment: Timestamp,
    pub included: bool,
}

impl WindowStart {
    /// Windows are `(from, to]`. A calendar's is stored as from the last microsecond before it, and nobody calls the
    /// month of May "after April 30, 23:59:59.999999".
    pub fn of(window: &FoundWindow) -> Self {
        let next = window.from.plus(Span(1));
        if next.0 % Span::seconds(1).0 == 0 {
            Self { moment: next, included: true }
        } else {
            Self { moment: window.from, included: false }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_window_begins_with_its_first_moment() {
        let window = |from| FoundWindow { name: "".into(), from: Timestamp(from), time_zone: "".into() };
        let start = |from| WindowStart::of(&window(from));
        assert_eq!(
            start(1_793_512_799_999_999),
            WindowStart { moment: Timestamp(1_793_512_800_000_000), included: true }
        );
        assert_eq!(
            start(1_793_512_800_000_000),
            WindowStart { moment: Timestamp(1_793_512_800_000_000), included: false }
        );
        assert_eq!(start(5), WindowStart { moment: Timestamp(5), included: false });
    }
}
