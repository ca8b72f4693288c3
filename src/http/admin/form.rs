//! The body of an admin call, read strictly: an unknown field is refused, as it may be a misspelt one.

use compact_str::CompactString;

use super::parameters::unknown;
use crate::domain::account::{LONGEST_NOTE, LONGEST_TIER};
use crate::domain::time::parse_date;
use crate::domain::{AccountId, Currency, Document, JsonNumber, PersonalData};
use crate::http::HttpError;
use crate::http::json::Object;
use crate::http::wire::fields::{LONGEST_IDENTIFIER, Read, currency, required, text};
use crate::http::wire::person::{documents, personal_data};

/// An object that has these fields at most.
pub struct Form<'o, 'a>(&'o Object<'a>);

impl<'o, 'a> Form<'o, 'a> {
    /// # Errors
    /// A 400 for a field that is not among `known`.
    pub fn read(object: &'o Object<'a>, known: &[&str]) -> Result<Self, HttpError> {
        match object.names().find(|name| !known.contains(name)) {
            None => Ok(Self(object)),
            Some(name) => Err(unknown("field", name, known)),
        }
    }

    /// Why an operator acts: kept in the journal.
    pub fn reason(&self) -> Result<String, HttpError> {
        self.required(text(self.0, "reason", LONGEST_NOTE), "reason").map(String::from)
    }

    pub fn note(&self, name: &str) -> Result<Option<String>, HttpError> {
        text(self.0, name, LONGEST_NOTE).map(|note| note.map(String::from)).map_err(HttpError::invalid)
    }

    pub fn tier(&self) -> Result<Option<CompactString>, HttpError> {
        text(self.0, "tier", LONGEST_TIER).map_err(HttpError::invalid)
    }

    pub fn required_tier(&self) -> Result<CompactString, HttpError> {
        self.required(text(self.0, "tier", LONGEST_TIER), "tier")
    }

    /// A new AccountIdentifier: it becomes a part of paths, so it has no spaces and no slashes.
    pub fn account_identifier(&self) -> Result<Option<CompactString>, HttpError> {
        let name = "accountIdentifier";
        let given = text(self.0, name, LONGEST_IDENTIFIER).map_err(HttpError::invalid)?;
        if given.as_deref().is_none_or(AccountId::may_name_an_account) {
            Ok(given)
        } else {
            Err(HttpError::invalid(format!("{name} must be visible ASCII without / ? # % and \\")))
        }
    }

    pub fn currency(&self) -> Result<Currency, HttpError> {
        self.required(currency(self.0.get("currency"), "currency"), "currency")
    }

    /// A decimal string, as `"10.00"`; whether it fits the account's currency is the core's to say.
    pub fn amount(&self) -> Result<JsonNumber, HttpError> {
        let given = self.required(text(self.0, "amount", LONGEST_NOTE), "amount")?;
        JsonNumber::parse(&given).ok_or_else(|| HttpError::invalid("amount must be a decimal string, as \"10.00\""))
    }

    /// One of the texts that `parse` knows.
    pub fn one_of<T>(&self, name: &str, parse: impl FnOnce(&str) -> Option<T>, must_be: &str) -> Result<T, HttpError> {
        let given = self.required(text(self.0, name, LONGEST_NOTE), name)?;
        parse(&given).ok_or_else(|| HttpError::invalid(format!("{name} must be {must_be}")))
    }

    /// A date that exists, as `2027-01-31`.
    pub fn date(&self, name: &str) -> Result<Option<String>, HttpError> {
        let given = self.note(name)?;
        if given.as_deref().is_none_or(|text| parse_date(text).is_some()) {
            Ok(given)
        } else {
            Err(HttpError::invalid(format!("{name} must be a date that exists, written as YYYY-MM-dd")))
        }
    }

    /// The holder, in the contract's own spelling.
    pub fn person(&self) -> Result<PersonalData, HttpError> {
        self.required(personal_data(self.0, "personalData"), "personalData")
    }

    pub fn documents(&self) -> Result<Vec<Document>, HttpError> {
        documents(self.0, "personalDocuments").map(Option::unwrap_or_default).map_err(HttpError::invalid)
    }

    fn required<T>(&self, read: Read<T>, name: &str) -> Result<T, HttpError> {
        required(read, name).map_err(HttpError::invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json;

    fn with<T>(
        body: &str,
        known: &[&str],
        read: impl FnOnce(&Form<'_, '_>) -> Result<T, HttpError>,
    ) -> Result<T, String> {
        let document = json::read(body.as_bytes()).unwrap();
        Form::read(&document.object, known).and_then(|form| read(&form)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_misspelt_field_is_refused_even_beside_the_right_ones() {
        let refused = with(r#"{"reason":"x","reasn":"y"}"#, &["reason"], |form| form.reason()).unwrap_err();
        assert_eq!(refused, "unknown field reasn; there are: reason");
        assert!(with(r#"{"Reason":"x"}"#, &["reason"], |form| form.reason()).is_err(), "names are exact");
    }

    #[test]
    fn a_missing_field_is_named() {
        for body in ["{}", r#"{"reason":null}"#, r#"{"reason":"  "}"#] {
            assert_eq!(with(body, &["reason"], |form| form.reason()).unwrap_err(), "reason is missing");
        }
        assert_eq!(with("{}", &["currency"], |form| form.currency()).unwrap_err(), "currency is missing");
        assert_eq!(with(r#"{"reason":5}"#, &["reason"], |form| form.reason()).unwrap_err(), "reason must be a string");
    }

    #[test]
    fn an_amount_is_a_decimal_string() {
        let amount = |body| with(body, &["amount"], |form| form.amount());
        assert_eq!(amount(r#"{"amount":"10.00"}"#).unwrap(), JsonNumber::parse("10").unwrap());
        for body in [r#"{"amount":10.00}"#, r#"{"amount":"10,00"}"#, r#"{"amount":"1_0"}"#, r#"{"amount":".5"}"#] {
            assert!(amount(body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_review_date_is_real_and_in_the_one_form() {
        let date = |text: &str| with(&format!(r#"{{"d":"{text}"}}"#), &["d"], |form| form.date("d"));
        assert_eq!(date("2028-02-29").unwrap().as_deref(), Some("2028-02-29"));
        for text in ["2027-02-29", "2027-2-1", "01/02/2027", "2027-02-01T00:00"] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_new_identifier_can_stand_in_a_path() {
        let id = |text: &str| {
            with(&format!(r#"{{"accountIdentifier":"{text}"}}"#), &["accountIdentifier"], |form| {
                form.account_identifier()
            })
        };
        assert_eq!(id("4000-1234").unwrap().as_deref(), Some("4000-1234"));
        for text in ["4000 1234", "a/b", "a?b", "a%2fb", "é"] {
            assert!(id(text).is_err(), "{text}");
        }
    }
}
