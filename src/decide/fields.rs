//! Which field is wrong, and what that is called (decision 2: the first in the contract's order gives the reason).

use rust_decimal::Decimal;

use super::command::Field;
use crate::domain::{Currency, JsonNumber, Policy, Reason};

/// A refusal for a field, with the sentence that says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongField {
    pub reason: Reason,
    pub note: String,
}

impl WrongField {
    pub fn new(reason: Reason, note: impl Into<String>) -> Self {
        Self { reason, note: note.into() }
    }
}

/// A required field: absent and wrong are both refused.
pub fn required<'a, T>(field: &'a Field<T>, name: &str, reason: Reason) -> Result<&'a T, WrongField> {
    match field {
        Field::Given(value) => Ok(value),
        Field::Absent => Err(WrongField::new(reason, format!("{name} is missing"))),
        Field::Wrong(note) => Err(WrongField::new(reason, note)),
    }
}

/// An optional field: only a wrong one is refused.
pub fn optional<T>(field: &Field<T>, reason: Reason) -> Result<Option<&T>, WrongField> {
    match field {
        Field::Given(value) => Ok(Some(value)),
        Field::Absent => Ok(None),
        Field::Wrong(note) => Err(WrongField::new(reason, note)),
    }
}

/// `Amount` in minor units (decision 1). Without a currency only what holds for every currency is checked.
pub fn amount(field: &Field<JsonNumber>, currency: Option<Currency>) -> Result<i64, WrongField> {
    let number = required(field, "Amount", Reason::InvalidAmount)?;
    let minor_units = match currency {
        Some(currency) => currency.minor_units(number),
        None if number.is_positive() && number.decimals() <= 2 => number.scaled(2),
        None => None,
    };
    minor_units.ok_or_else(|| {
        let note = "Amount must be above zero, with no more decimals than its currency has and no larger than the ledger holds";
        WrongField::new(Reason::InvalidAmount, note)
    })
}

/// `Currency`, one that the partner takes.
pub fn currency(field: &Field<Currency>, policy: &Policy) -> Result<Option<Currency>, WrongField> {
    match optional(field, Reason::InvalidCurrency)? {
        Some(currency) if !policy.takes(*currency) => {
            Err(WrongField::new(Reason::InvalidCurrency, format!("this partner does not take {currency}")))
        }
        currency => Ok(currency.copied()),
    }
}

/// `ExchangeRate`.
pub fn exchange_rate(field: &Field<Decimal>) -> Result<Option<Decimal>, WrongField> {
    optional(field, Reason::InvalidExchangeRate).map(Option::<&Decimal>::copied)
}
