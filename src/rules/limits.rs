//! Limits in money: a most per currency, written as decimal strings.

use std::collections::BTreeMap;
use std::fmt;

use toml::de::DeValue;

use super::keys::Keys;
use crate::domain::{Currency, JsonNumber, Money};

/// The word for a currency that a rule lets pass.
const UNLIMITED: &str = "unlimited";

/// `max` of a rule that limits money.
#[derive(Debug, Clone)]
pub(super) struct Limits(BTreeMap<Currency, Limit>);

/// What `max` says of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// Minor units.
    Most(i64),
    Unlimited,
    /// `max` does not name the currency, so the rule refuses it: a limit must not fail open.
    NotNamed,
}

impl Limits {
    /// Reads key `max` of a rule.
    pub(super) fn read(rule: &mut Keys<'_, '_>) -> Option<Self> {
        rule.required_table("max", "{ MXN = \"20000.00\" }", |keys| {
            let entries = keys.take_rest();
            if entries.is_empty() {
                return keys.wrong_here("`max` names no currency; write it as { MXN = \"20000.00\" }");
            }
            let mut limits = BTreeMap::new();
            let mut all_right = true;
            for ((place, code), value) in entries {
                let currency = match code.parse::<Currency>() {
                    Ok(currency) => Some(currency),
                    Err(error) => keys.wrong(&place, format!("`max`: {error}")),
                };
                // Read against its own currency: that a code is unknown has been told already.
                let limit = match (currency, value.get_ref()) {
                    (None, _) => None,
                    (Some(currency), DeValue::String(text)) => {
                        limit(text, currency).map_err(|problem| keys.wrong::<()>(&value.span(), problem)).ok()
                    }
                    (Some(_), _) => keys.wrong(
                        &value.span(),
                        format!("the amount for {code} must be a text in quotes, as {code} = \"1000\""),
                    ),
                };
                match currency.zip(limit) {
                    Some((currency, limit)) => _ = limits.insert(currency, limit),
                    None => all_right = false,
                }
            }
            all_right.then_some(Self(limits))
        })
    }

    pub(super) fn of(&self, currency: Currency) -> Limit {
        self.0.get(&currency).copied().unwrap_or(Limit::NotNamed)
    }
}

impl fmt::Display for Limits {
    /// `1000.00 USD, 20000.00 MXN`; by the currency's code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (currency, limit)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match limit {
                Limit::Most(most) => write!(f, "{separator}{}", Money::new(*most, *currency))?,
                Limit::Unlimited | Limit::NotNamed => write!(f, "{separator}{UNLIMITED} {currency}")?,
            }
        }
        Ok(())
    }
}

fn limit(text: &str, currency: Currency) -> Result<Limit, String> {
    if text == UNLIMITED {
        return Ok(Limit::Unlimited);
    }
    let places = currency.exponent();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = JsonNumber::parse(text).filter(|_| is_plain).ok_or_else(|| {
        format!("`{text}` is not an amount: write digits and a decimal point, as \"1000\", or \"{UNLIMITED}\"")
    })?;
    if number.decimals() > u64::from(places) {
        return Err(format!("`{text}` has too many decimals: {currency} has {places}"));
    }
    number.scaled(places).map(Limit::Most).ok_or_else(|| format!("`{text}` is more than the ledger can hold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, code: &str) -> Result<Limit, String> {
        limit(text, code.parse().unwrap())
    }

    #[test]
    fn amounts_are_exact_in_the_units_of_their_currency() {
        assert_eq!(read("20000.00", "MXN"), Ok(Limit::Most(2_000_000)));
        assert_eq!(read("0.5", "MXN"), Ok(Limit::Most(50)));
        assert_eq!(read("5000", "JPY"), Ok(Limit::Most(5_000)));
        assert_eq!(read("1.255", "KWD"), Ok(Limit::Most(1_255)));
        assert_eq!(read("92233720368547758.07", "MXN"), Ok(Limit::Most(i64::MAX)));
        assert_eq!(read("0", "MXN"), Ok(Limit::Most(0)), "nothing passes");
        assert_eq!(read("unlimited", "MXN"), Ok(Limit::Unlimited));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "-1", "1e3", "1,000", "1_000", " 1", ".5", "5.", "01", "Unlimited", "MXN 5", "NaN"] {
            assert!(read(text, "MXN").unwrap_err().contains("is not an amount"), "{text}");
        }
        assert!(read("1.001", "MXN").unwrap_err().contains("MXN has 2"));
        assert!(read("1.5", "JPY").unwrap_err().contains("JPY has 0"));
        assert!(read("92233720368547758.08", "MXN").unwrap_err().contains("more than the ledger"));
    }
}
