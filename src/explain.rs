//! A decision in words, for whoever has a customer on the phone.

use std::fmt::Write;

use crate::domain::currency::decimal;
use crate::domain::decision::{FoundWindow, Unit};
use crate::domain::{
    Authorization, AuthorizationState, Currency, Decision, DecisionKind, Money, RuleFinding, Timestamp, Verdict,
};
use crate::store::{AuthorizationFilter, Page, Reads, StoreError};
use crate::views::{WindowStart, in_zone};

/// Twins beyond these are not named: nobody reads on.
const TWINS: Page = Page { limit: 100, offset: 0 };

/// Other open authorizations of the same account, amount and currency, not yet expired `now`: where an answer was lost
/// and Leap asked again, each of them holds its limits until it expires (decision 6).
pub async fn open_twins(
    reads: &dyn Reads,
    decision: &Decision,
    now: Timestamp,
) -> Result<Vec<Authorization>, StoreError> {
    let (Some(account), Some(amount), Some(currency)) = (&decision.account, decision.amount, decision.currency) else {
        return Ok(Vec::new());
    };
    if decision.kind == DecisionKind::Reversal {
        return Ok(Vec::new());
    }
    let filter = AuthorizationFilter {
        account: Some(account.clone()),
        state: Some(AuthorizationState::Open),
        amount: Some(amount),
        currency: Some(currency),
    };
    let mut twins = reads.authorizations(&filter, TWINS).await?.items;
    twins.retain(|twin| twin.id != decision.id && Some(twin.id) != decision.reference && twin.expires_at > now);
    Ok(twins)
}

/// What was asked and when, the answer, each rule in order with its window, and open twins. No personal data.
pub fn explain(decision: &Decision, twins: &[Authorization]) -> String {
    let mut text = String::new();
    headline(&mut text, decision);
    asked(&mut text, decision);
    rules(&mut text, decision);
    name_twins(&mut text, twins);
    text
}

fn headline(text: &mut String, decision: &Decision) {
    let call = match decision.kind {
        DecisionKind::Authorization => "TxAuthorization",
        DecisionKind::Credit => "CreditFunds",
        DecisionKind::Reversal => "ReverseCreditFunds",
    };
    let answer = match (decision.approved, decision.reason) {
        (true, _) => "approved".to_owned(),
        (false, Some(reason)) => format!("REFUSED: {reason}"),
        (false, None) => "REFUSED".to_owned(),
    };
    line(text, format_args!("{call} {}", decision.id));
    line(text, format_args!("  answer    {answer}"));
    if let Some(note) = &decision.note {
        line(text, format_args!("  because   {note}"));
    }
}

fn asked(text: &mut String, decision: &Decision) {
    let money = match (decision.amount, decision.currency, decision.kind) {
        (Some(amount), Some(currency), _) => Money::new(amount, currency).to_string(),
        // CreditFunds may leave it to its authorization.
        (.., DecisionKind::Credit) => "no amount of its own".to_owned(),
        _ => "no amount that could be read".to_owned(),
    };
    let rate = decision.exchange_rate.map_or_else(String::new, |rate| format!(", exchange rate {rate}"));
    line(text, format_args!("  asked     {money}{rate}"));
    match &decision.account {
        Some(account) => line(text, format_args!("  account   {account}")),
        None => line(text, format_args!("  account   none was found")),
    }
    if let Some(reference) = decision.reference {
        line(text, format_args!("  about     {reference}"));
    }
    line(text, format_args!("  received  {}", decision.received_at));
    if decision.at != decision.received_at {
        line(text, format_args!("  dated     {} (always after the last event of its subjects)", decision.at));
    }
    for zone in zones(decision) {
        if let Some(there) = in_zone(decision.at, zone) {
            line(text, format_args!("            {there} in {zone}"));
        }
    }
}

/// The zones that the rules' windows are reckoned in, other than UTC, each once.
fn zones(decision: &Decision) -> Vec<&str> {
    let mut zones: Vec<&str> = Vec::new();
    let windows = decision.findings.iter().filter_map(|finding| finding.window.as_ref());
    for zone in windows.map(|window| window.time_zone.as_str()) {
        if zone != "UTC" && !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    zones
}

fn rules(text: &mut String, decision: &Decision) {
    match &decision.rules_version {
        Some(version) => line(text, format_args!("  rules     version {version}, in this order:")),
        None => line(text, format_args!("  rules     none was asked")),
    }
    for (place, finding) in decision.findings.iter().enumerate() {
        let per = finding.per.map_or_else(String::new, |per| format!(", per {}", per.as_str()));
        line(text, format_args!(""));
        line(text, format_args!("  {}. {} ({}{per})  {}", place + 1, finding.rule, finding.kind, verdict(finding)));
        if let Some(window) = &finding.window {
            name_window(text, window, decision.at);
        }
        if finding.verdict != Verdict::Skipped {
            numbers(text, finding, decision.currency);
        }
        if let Some(note) = &finding.note {
            line(text, format_args!("     note      {note}"));
        }
    }
}

fn verdict(finding: &RuleFinding) -> String {
    match (finding.verdict, finding.shadow) {
        (Verdict::Passed, false) => "passed".to_owned(),
        (Verdict::Passed, true) => "passed (shadow: recorded only)".to_owned(),
        (Verdict::Refused, false) => format!("REFUSED: {}", finding.reason),
        (Verdict::Refused, true) => format!("would have refused: {} (shadow: recorded only)", finding.reason),
        (Verdict::Skipped, _) => "skipped".to_owned(),
    }
}

fn name_window(text: &mut String, window: &FoundWindow, to: Timestamp) {
    let start = WindowStart::of(window);
    let since = if start.included { "from" } else { "after" };
    line(text, format_args!("     window    {}: {since} {}", window.name, start.moment));
    line(text, format_args!("               up to {to}"));
    let zone = &window.time_zone;
    if zone != "UTC"
        && let (Some(from), Some(to)) = (in_zone(start.moment, zone), in_zone(to, zone))
    {
        line(text, format_args!("               in {zone}: {since} {from}"));
        line(text, format_args!("               up to {to}"));
    }
}

fn numbers(text: &mut String, finding: &RuleFinding, currency: Option<Currency>) {
    let quantity = |number: i64| match (finding.unit, currency) {
        (Unit::MinorUnits, Some(currency)) => format!("{} {currency}", decimal(i128::from(number), currency)),
        (Unit::MinorUnits, None) => format!("{number} minor units"),
        (Unit::Transactions, _) if number == 1 => "1 transaction".to_owned(),
        (Unit::Transactions, _) => format!("{number} transactions"),
    };
    if let Some(counted) = finding.counted {
        line(text, format_args!("     counted   {}, before this one", quantity(counted)));
    }
    if let Some(limit) = finding.limit {
        line(text, format_args!("     limit     {}", quantity(limit)));
    }
    if let Some(left) = finding.left() {
        line(text, format_args!("     left      {}, before this one", quantity(left)));
    }
}

fn name_twins(text: &mut String, twins: &[Authorization]) {
    if twins.is_empty() {
        return;
    }
    line(text, format_args!(""));
    line(
        text,
        format_args!(
            "  Open twins, of the same account and amount: each holds its limits until it expires or is voided."
        ),
    );
    for twin in twins {
        line(text, format_args!("  - {} authorized at {}, expires at {}", twin.id, twin.at, twin.expires_at));
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{content}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, Body, Reason, SubjectKind, TrackingId};

    fn id(last: u128) -> TrackingId {
        TrackingId(uuid::Uuid::from_u128(last))
    }

    fn finding(rule: &str, kind: &str, verdict: Verdict) -> RuleFinding {
        RuleFinding {
            rule: rule.into(),
            kind: kind.into(),
            verdict,
            reason: Reason::ByVelocity,
            shadow: false,
            per: Some(SubjectKind::Account),
            window: None,
            counted: None,
            limit: None,
            unit: Unit::Transactions,
            note: None,
        }
    }

    fn refused() -> Decision {
        let now = Timestamp(1_795_239_000_000_000);
        let amount = RuleFinding {
            unit: Unit::MinorUnits,
            limit: Some(2_000_000),
            per: None,
            ..finding("per-transaction", "amount", Verdict::Passed)
        };
        let velocity = RuleFinding {
            window: Some(FoundWindow {
                name: "rolling 24h".into(),
                from: Timestamp(now.0 - 86_400_000_000),
                time_zone: "UTC".into(),
            }),
            counted: Some(10),
            limit: Some(10),
            ..finding("ten-a-day", "velocity", Verdict::Refused)
        };
        let accumulated = RuleFinding {
            window: Some(FoundWindow {
                name: "calendar month".into(),
                from: Timestamp(1_793_512_799_999_999),
                time_zone: "America/Mexico_City".into(),
            }),
            reason: Reason::ByAccumulateAmountLimit,
            shadow: true,
            counted: Some(5_999_950),
            limit: Some(6_000_000),
            unit: Unit::MinorUnits,
            ..finding("monthly-total", "accumulated", Verdict::Refused)
        };
        let skipped = RuleFinding {
            per: Some(SubjectKind::Sender),
            note: Some("the call names no sender".to_owned()),
            ..finding("per-sender", "velocity", Verdict::Skipped)
        };
        Decision {
            id: id(1),
            kind: DecisionKind::Authorization,
            account: Some(AccountId::new("4000000000001234")),
            at: now,
            received_at: now,
            approved: false,
            reason: Some(Reason::ByVelocity),
            note: Some("refused by the rule `ten-a-day`".to_owned()),
            reference: None,
            amount: Some(12_050),
            currency: Some("MXN".parse().unwrap()),
            exchange_rate: Some("17.25".parse().unwrap()),
            rules_version: Some("v1".into()),
            findings: vec![amount, velocity, accumulated, skipped],
            request: Body::of(&serde_json::json!({"FirstName": "Ana"})),
        }
    }

    fn twin() -> Authorization {
        Authorization {
            id: id(2),
            account: Some(AccountId::new("4000000000001234")),
            amount: 12_050,
            currency: Some("MXN".parse().unwrap()),
            exchange_rate: None,
            at: Timestamp(0),
            expires_at: Timestamp(86_400_000_000),
            state: AuthorizationState::Open,
            sender: None,
            counted: Vec::new(),
            credit: None,
            bound_credit: None,
        }
    }

    #[test]
    fn an_explanation_reads_from_the_answer_to_the_last_rule() {
        let expected = "\
TxAuthorization 00000000-0000-0000-0000-000000000001
  answer    REFUSED: ByVelocity
  because   refused by the rule `ten-a-day`
  asked     120.50 MXN, exchange rate 17.25
  account   4000000000001234
  received  2026-11-21T05:30:00.000000Z
            2026-11-20T23:30:00.000000-06:00 in America/Mexico_City
  rules     version v1, in this order:

  1. per-transaction (amount)  passed
     limit     20000.00 MXN

  2. ten-a-day (velocity, per account)  REFUSED: ByVelocity
     window    rolling 24h: after 2026-11-20T05:30:00.000000Z
               up to 2026-11-21T05:30:00.000000Z
     counted   10 transactions, before this one
     limit     10 transactions
     left      0 transactions, before this one

  3. monthly-total (accumulated, per account)  would have refused: ByAccumulateAmountLimit (shadow: recorded only)
     window    calendar month: from 2026-11-01T06:00:00.000000Z
               up to 2026-11-21T05:30:00.000000Z
               in America/Mexico_City: from 2026-11-01T00:00:00.000000-06:00
               up to 2026-11-20T23:30:00.000000-06:00
     counted   59999.50 MXN, before this one
     limit     60000.00 MXN
     left      0.50 MXN, before this one

  4. per-sender (velocity, per sender)  skipped
     note      the call names no sender

  Open twins, of the same account and amount: each holds its limits until it expires or is voided.
  - 00000000-0000-0000-0000-000000000002 authorized at 1970-01-01T00:00:00.000000Z, expires at 1970-01-02T00:00:00.000000Z
";
        assert_eq!(explain(&refused(), &[twin()]), expected);
    }

    #[test]
    fn what_came_to_no_rule_says_so_and_repeats_no_personal_data() {
        let decision = Decision {
            account: None,
            findings: Vec::new(),
            rules_version: None,
            amount: None,
            received_at: Timestamp(0),
            ..refused()
        };
        let text = explain(&decision, &[]);
        assert!(text.contains("account   none was found") && text.contains("rules     none was asked"), "{text}");
        assert!(text.contains("dated     2026-11-21T05:30:00.000000Z"), "{text}");
        assert!(text.contains("no amount that could be read"), "{text}");
        assert!(!text.contains("Ana"), "{text}");
    }
}
