//! Currencies (ISO 4217) and money in minor units.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::number::JsonNumber;

/// Withdrawn codes that the ISO table we use still lists; none of them can be paid out.
const WITHDRAWN: [&str; 5] = ["BGN", "CUC", "HRK", "SLL", "ZWL"];

/// Codes of ISO 4217 that are no money of a country: metals, testing, bond units and "no currency".
const NOT_MONEY: [&str; 10] = ["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XPD", "XPT", "XTS", "XXX"];

/// An active ISO 4217 currency, three capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Why a text is not a [`Currency`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an active ISO 4217 currency code (three capital letters, as MXN)")]
pub struct UnknownCurrency(String);

impl Currency {
    /// Sorts before every other code: the start of a range of keys.
    pub const FIRST: Self = Self(*b"AAA");

    /// Every active currency, in the order of the codes.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Currency>> = LazyLock::new(|| {
            let letters = || b'A'..=b'Z';
            let codes =
                letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| Currency([a, b, c]))));
            codes.filter(|code| code.as_str().parse::<Currency>().is_ok()).collect()
        });
        &ALL
    }

    /// Its name in English.
    pub fn name(self) -> String {
        iso_currency::Currency::from_code(self.as_str()).map_or_else(String::new, |iso| iso.name().to_owned())
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Minor units per unit as a power of ten (ISO 4217): 2 for MXN, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        iso_currency::Currency::from_code(self.as_str()).and_then(|iso| iso.exponent()).map_or(2, u32::from)
    }

    /// An amount of the contract in minor units: above zero, without non-zero decimals beyond the currency's own and
    /// never more than the contract's two, and small enough for the ledger. `None` is `InvalidAmount`.
    pub fn minor_units(self, amount: &JsonNumber) -> Option<i64> {
        if !amount.is_positive() || amount.decimals() > u64::from(self.exponent().min(2)) {
            return None;
        }
        amount.scaled(self.exponent())
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        let unknown = || UnknownCurrency(text.to_owned());
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| unknown())?;
        let active = letters.iter().all(u8::is_ascii_uppercase)
            && !WITHDRAWN.contains(&text)
            && !NOT_MONEY.contains(&text)
            && iso_currency::Currency::from_code(text).is_some();
        if active { Ok(Self(letters)) } else { Err(unknown()) }
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(text: String) -> Result<Self, UnknownCurrency> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units with its currency; prints as `120.50 MXN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
}

impl Money {
    pub fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// The decimal text alone, with exactly the currency's decimals: `120.50`.
    pub fn decimal(self) -> String {
        decimal(i128::from(self.amount), self.currency)
    }
}

/// Minor units as decimal text; wider than a `Money` so that sums print too.
pub fn decimal(minor: i128, currency: Currency) -> String {
    let places = currency.exponent() as usize;
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(code: &str, text: &str) -> Option<i64> {
        code.parse::<Currency>().unwrap().minor_units(&JsonNumber::parse(text).unwrap())
    }

    #[test]
    fn amounts_follow_the_currency_exponent() {
        assert_eq!(minor("MXN", "120.50"), Some(12_050));
        assert_eq!(minor("JPY", "5000.00"), Some(5_000));
        assert_eq!(minor("JPY", "5000.01"), None);
        assert_eq!(minor("KWD", "1.25"), Some(1_250));
        assert_eq!(minor("KWD", "1.255"), None, "the contract has two decimals at most");
        assert_eq!(minor("MXN", "0.00"), None);
        assert_eq!(minor("MXN", "-1"), None);
    }

    #[test]
    fn withdrawn_and_unknown_codes_are_refused() {
        for code in ["HRK", "ZWL", "XXX", "mxn", "MX", "MXNN", "ABC", ""] {
            assert!(code.parse::<Currency>().is_err(), "{code}");
        }
    }

    #[test]
    fn all_currencies_are_listed_once_and_named() {
        let all = Currency::all();
        assert!(all.is_sorted() && (140..180).contains(&all.len()), "{}", all.len());
        assert!(all.contains(&"MXN".parse().unwrap()));
        assert!(all.iter().all(|currency| !currency.name().is_empty()));
    }

    #[test]
    fn money_prints_its_own_decimals() {
        let print = |minor, code: &str| Money::new(minor, code.parse().unwrap()).to_string();
        assert_eq!(print(12_050, "MXN"), "120.50 MXN");
        assert_eq!(print(-5, "USD"), "-0.05 USD");
        assert_eq!(print(5_000, "JPY"), "5000 JPY");
        assert_eq!(print(1_250, "KWD"), "1.250 KWD");
        assert_eq!(print(i64::MIN, "MXN"), "-92233720368547758.08 MXN");
    }
}
