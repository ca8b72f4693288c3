//! Single fields. A reader gives the value, `None` where the field is absent, or a sentence that says which field is
//! wrong and why, and repeats nothing that was sent.

use compact_str::CompactString;
use rust_decimal::Decimal;

use crate::decide::command::Field;
use crate::domain::{Currency, JsonNumber};
use crate::http::json::{Object, Value};

/// What a reader found.
pub type Read<T> = Result<Option<T>, String>;

/// The longest AccountIdentifier or tracking identifier, in characters. IBANs have 34 at most, UUIDs 36; the rest is
/// room for partners' own schemes. It keeps index pages of the store full of keys.
pub const LONGEST_IDENTIFIER: usize = 128;

/// The longest text of personal data, in characters: beyond any real name or address line.
pub const LONGEST_TEXT: usize = 500;

impl<T> From<Read<T>> for Field<T> {
    fn from(read: Read<T>) -> Self {
        match read {
            Ok(Some(value)) => Self::Given(value),
            Ok(None) => Self::Absent,
            Err(note) => Self::Wrong(note),
        }
    }
}

/// An account or tracking identifier; an empty one is absent (decision 2).
pub fn identifier(object: &Object<'_>, name: &str) -> Read<CompactString> {
    text(object, name, LONGEST_IDENTIFIER)
}

/// Any text; one of nothing but spaces is empty, and an empty one is absent.
pub fn text(object: &Object<'_>, name: &str, longest: usize) -> Read<CompactString> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Text(text)) if text.contains('\0') => Err(format!("{name} must not contain U+0000")),
        Some(Value::Text(text)) if text.trim().is_empty() => Ok(None),
        // A character has at least one byte, so only a long text is counted.
        Some(Value::Text(text)) if text.len() > longest && text.chars().count() > longest => {
            Err(format!("{name} must not be longer than {longest} characters"))
        }
        Some(Value::Text(text)) => Ok(Some(text.as_ref().into())),
        Some(_) => Err(format!("{name} must be a string")),
    }
}

/// The same with an absent field as an error.
pub fn required<T>(read: Read<T>, name: &str) -> Result<T, String> {
    read?.ok_or_else(|| format!("{name} is missing"))
}

/// An amount: a JSON number, by its digits (decision 1). Whether it fits the currency is the core's to say.
pub fn amount(value: Option<&Value<'_>>, name: &str) -> Read<JsonNumber> {
    value.map(|value| number(value, name)).transpose()
}

/// An active ISO 4217 code.
pub fn currency(value: Option<&Value<'_>>, name: &str) -> Read<Currency> {
    match value {
        None => Ok(None),
        Some(Value::Text(code)) => {
            code.parse().map(Some).map_err(|_| format!("{name} must be an active ISO 4217 code, three capital letters"))
        }
        Some(_) => Err(format!("{name} must be a string")),
    }
}

/// A JSON number above zero.
pub fn exchange_rate(value: Option<&Value<'_>>, name: &str) -> Read<Decimal> {
    let Some(value) = value else { return Ok(None) };
    let number = number(value, name)?;
    if !number.is_positive() {
        return Err(format!("{name} must be above zero"));
    }
    number.to_decimal().map(Some).ok_or_else(|| format!("{name} must have 28 digits at most"))
}

fn number(value: &Value<'_>, name: &str) -> Result<JsonNumber, String> {
    match value {
        Value::Number(text) => JsonNumber::parse(text),
        _ => None,
    }
    .ok_or_else(|| format!("{name} must be a JSON number"))
}

/// A field of CreditFunds that a .NET caller fills with its default: empty and 0 are absent as well (decision 7).
pub fn unless_default<'o, 'a>(object: &'o Object<'a>, name: &str) -> Option<&'o Value<'a>> {
    object.get(name).filter(|value| match value {
        Value::Text(text) => !text.trim().is_empty(),
        Value::Number(text) => !JsonNumber::parse(text).is_some_and(|number| number.is_zero()),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json;

    fn with<T>(body: &str, read: impl FnOnce(&Object<'_>) -> T) -> T {
        read(&json::read(body.as_bytes()).unwrap().object)
    }

    fn identifier_in(value: &str) -> Read<CompactString> {
        with(&format!("{{\"Id\":{value}}}"), |object| identifier(object, "Id"))
    }

    fn rate_in(value: &str) -> Read<Decimal> {
        with(&format!("{{\"Rate\":{value}}}"), |object| exchange_rate(object.get("Rate"), "Rate"))
    }

    #[test]
    fn null_empty_and_spaces_are_absent() {
        for value in ["null", "\"\"", "\"   \"", "\"\\u00a0\\t\""] {
            assert_eq!(identifier_in(value), Ok(None), "{value}");
        }
        assert_eq!(with("{}", |object| identifier(object, "Id")), Ok(None));
        assert_eq!(identifier_in("\" 40 \""), Ok(Some(" 40 ".into())), "kept as sent");
    }

    #[test]
    fn what_is_no_text_or_cannot_be_stored_is_wrong() {
        for value in ["1", "true", "[]", "{}", "\"a\\u0000\"", "\"\\u0000\""] {
            assert!(identifier_in(value).is_err(), "{value}");
        }
        let of_length = |length: usize| identifier_in(&format!("\"{}\"", "é".repeat(length)));
        assert!(of_length(LONGEST_IDENTIFIER).is_ok());
        assert!(of_length(LONGEST_IDENTIFIER + 1).is_err());
    }

    #[test]
    fn an_amount_is_a_json_number_and_no_string() {
        let amount_in =
            |value: &str| with(&format!("{{\"Amount\":{value}}}"), |object| amount(object.get("Amount"), "Amount"));
        assert_eq!(amount_in("1e2"), Ok(JsonNumber::parse("100")));
        assert_eq!(amount_in("null"), Ok(None));
        for value in ["\"100\"", "\"\"", "true", "[100]"] {
            assert!(amount_in(value).is_err(), "{value}");
        }
    }

    #[test]
    fn a_rate_is_above_zero_and_fits() {
        assert_eq!(rate_in("18.4512"), Ok(Some("18.4512".parse().unwrap())));
        for value in ["0", "0.0", "-1", "\"18\"", "1e-29", "1e400", "1.0000000000000000000000000001e9"] {
            assert!(rate_in(value).is_err(), "{value}");
        }
    }

    #[test]
    fn currencies_are_active_codes() {
        let currency_in = |value: &str| {
            with(&format!("{{\"Currency\":{value}}}"), |object| currency(object.get("Currency"), "Currency"))
        };
        assert_eq!(currency_in("\"MXN\""), Ok(Some("MXN".parse().unwrap())));
        for value in ["\"mxn\"", "\"\"", "\"XXX\"", "484", "\"MXN \""] {
            assert!(currency_in(value).is_err(), "{value}");
        }
    }

    #[test]
    fn defaults_of_a_dotnet_caller_are_absent() {
        for value in ["null", "\"\"", "\" \"", "0", "0.00", "-0e5"] {
            assert!(with(&format!("{{\"A\":{value}}}"), |object| unless_default(object, "A").is_none()), "{value}");
        }
        for value in ["1", "\"0\"", "false", "[]"] {
            assert!(with(&format!("{{\"A\":{value}}}"), |object| unless_default(object, "A").is_some()), "{value}");
        }
    }
}
