//! A JSON number as it was written, never through a float (contract.md: amounts are JSON numbers).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// The value of a JSON number: `digits × 10^exponent`, without leading or trailing zeros, so equal values are equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JsonNumber {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl JsonNumber {
    /// Reads a number by the grammar of RFC 8259, section 6. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, exponent(power)?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (mantissa, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || !all_digits(whole)
            || !all_digits(fraction)
            || (whole.len() > 1 && whole.starts_with('0'))
        {
            return None;
        }
        let written = format!("{whole}{fraction}");
        let kept = written.trim_end_matches('0');
        let dropped = written.len() - kept.len();
        let digits = kept.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let exponent =
            power.saturating_sub(i64::try_from(fraction.len()).ok()?).saturating_add(i64::try_from(dropped).ok()?);
        Some(Self { negative, digits, exponent })
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub fn is_positive(&self) -> bool {
        !self.negative && !self.is_zero()
    }

    /// How many decimals the value needs.
    pub fn decimals(&self) -> u64 {
        if self.exponent < 0 { self.exponent.unsigned_abs() } else { 0 }
    }

    /// The value times `10^places` as an integer; `None` where it is none or does not fit.
    pub fn scaled(&self, places: u32) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        let zeros = usize::try_from(self.exponent.checked_add(i64::from(places))?).ok()?;
        if self.digits.len() + zeros.min(20) > 19 {
            return None;
        }
        let magnitude: i64 = format!("{}{}", self.digits, "0".repeat(zeros)).parse().ok()?;
        Some(if self.negative { -magnitude } else { magnitude })
    }

    /// The value as a decimal; `None` where it needs more than the 28 digits a `Decimal` holds.
    pub fn to_decimal(&self) -> Option<Decimal> {
        let decimals = u32::try_from(self.decimals()).ok().filter(|count| *count <= 28)?;
        let zeros = usize::try_from(self.exponent.max(0)).ok().filter(|count| *count <= 28)?;
        if self.digits.len() + zeros > 28 {
            return None;
        }
        let digits = if self.is_zero() { "0".to_owned() } else { format!("{}{}", self.digits, "0".repeat(zeros)) };
        let magnitude: i128 = digits.parse().ok()?;
        Decimal::try_from_i128_with_scale(if self.negative { -magnitude } else { magnitude }, decimals).ok()
    }
}

/// An exponent's value; one too large for an `i64` saturates, as no amount or rate can use it.
fn exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> JsonNumber {
        JsonNumber::parse(text).unwrap_or_else(|| panic!("{text} is a JSON number"))
    }

    #[test]
    fn one_value_written_in_many_ways_is_one_value() {
        for text in ["100", "100.0", "1e2", "1E+2", "10000e-2", "0.1e3", "100.00000000000000000000000000000000000"] {
            assert_eq!(number(text), number("100"), "{text}");
            assert_eq!(number(text).scaled(2), Some(10_000), "{text}");
        }
        assert_eq!(number("-0.00e9"), number("0"));
    }

    #[test]
    fn only_the_json_grammar_is_a_number() {
        for text in ["", "-", ".5", "5.", "+1", "01", "1_000", "1e", "1e+", "0x10", "NaN", "1 ", "--1", "1.e3", "-.5"] {
            assert_eq!(JsonNumber::parse(text), None, "{text}");
        }
    }

    #[test]
    fn scaling_is_exact_to_the_last_unit() {
        assert_eq!(number("92233720368547758.07").scaled(2), Some(i64::MAX));
        assert_eq!(number("92233720368547758.08").scaled(2), None);
        assert_eq!(number("0.001").scaled(2), None);
        assert_eq!(number("1e400").scaled(2), None);
        assert_eq!(number("1e99999999999999999999").scaled(2), None);
        assert_eq!(number("1e-99999999999999999999").scaled(2), None);
        assert_eq!(number("-12.3").scaled(2), Some(-1_230));
    }

    #[test]
    fn decimals_hold_what_they_can_and_no_more() {
        assert_eq!(number("17.25").to_decimal(), Some("17.25".parse().unwrap()));
        assert_eq!(number("1e-28").to_decimal().map(|value| value.is_zero()), Some(false));
        assert_eq!(number("1e-29").to_decimal(), None);
        assert_eq!(number("1e28").to_decimal(), None);
    }
}
