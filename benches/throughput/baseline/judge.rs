//! The three rules, and the explanation that is stored with each decision.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::json;

/// Microseconds.
pub const DAY: i64 = 86_400_000_000;

/// What an account had in its windows before this call.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    pub day_count: i64,
    pub month_amount: i64,
}

/// The start of both windows, microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Windows {
    pub day: i64,
    pub month: i64,
}

/// What was found: the first reason that refuses, and every rule's part in it as JSON.
pub struct Judgement {
    pub refusal: Option<&'static str>,
    pub findings: String,
}

pub fn windows(now: i64) -> Option<Windows> {
    let zone = jiff::tz::TimeZone::get("America/Mexico_City").ok()?;
    let month =
        jiff::Timestamp::from_microsecond(now).ok()?.to_zoned(zone).first_of_month().ok()?.start_of_day().ok()?;
    Some(Windows { day: now - DAY, month: month.timestamp().as_microsecond() })
}

/// Minor units of an amount with two decimals, from its digits.
pub fn minor_units(amount: &str) -> Option<i64> {
    let cents = amount.parse::<Decimal>().ok()?.checked_mul(Decimal::ONE_HUNDRED)?;
    (cents.is_integer() && cents > Decimal::ZERO).then(|| cents.to_i64())?
}

pub fn judge(amount: i64, counted: Counted, windows: Windows, now: i64) -> Judgement {
    let rules = [
        ("per-transaction", "amount", None, 0, 2_000_000, amount, "ByAmountLimit"),
        ("a-day-of-transactions", "velocity", Some(windows.day), counted.day_count, 100_000_000, 1, "ByVelocity"),
        (
            "monthly-total",
            "accumulated",
            Some(windows.month),
            counted.month_amount,
            9_000_000_000_000_000,
            amount,
            "ByAccumulateAmountLimit",
        ),
    ];
    let mut refusal = None;
    let findings: Vec<_> = rules
        .into_iter()
        .map(|(rule, kind, from, before, limit, more, reason)| {
            let passed = before + more <= limit;
            if !passed {
                refusal = refusal.or(Some(reason));
            }
            json!({"rule": rule, "type": kind, "verdict": if passed { "Passed" } else { "Refused" }, "reason": reason,
                "shadow": false, "per": "account", "window": from.map(|from| json!({"from": from, "to": now,
                "time_zone": "America/Mexico_City"})), "counted": before, "limit": limit, "left": limit - before})
        })
        .collect();
    Judgement { refusal, findings: serde_json::Value::from(findings).to_string() }
}
