//! Arguments that several commands take, each read once and checked here.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use compact_str::CompactString;

use crate::decide::command::IdempotencyClaim;
use crate::domain::account::{LONGEST_NOTE, LONGEST_TIER, is_display_name};
use crate::domain::time::parse_date;
use crate::domain::{AccountId, Currency, JsonNumber, TrackingId};
use crate::http::wire::fields::LONGEST_IDENTIFIER;
use crate::store::Page;

/// Which part of a list to show.
#[derive(Debug, Clone, clap::Args)]
pub struct PageArgs {
    /// How many to show, the newest first
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=100))]
    limit: i64,
    /// How many of the newest to leave out
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    offset: i64,
    #[command(flatten)]
    pub form: Form,
}

impl PageArgs {
    pub fn page(&self) -> Page {
        Page { limit: self.limit, offset: self.offset }
    }
}

/// For whom the output is.
#[derive(Debug, Clone, clap::Args)]
pub struct Form {
    /// Print JSON, in the form of the admin API
    #[arg(long)]
    pub json: bool,
}

/// Why an operator acts.
#[derive(Debug, Clone, clap::Args)]
pub struct Why {
    /// Why; recorded with who and when
    #[arg(long, value_name = "TEXT", value_parser = note)]
    pub reason: String,
}

/// A text that says something.
pub fn words(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text if text.chars().any(char::is_control) => Err("it holds a control character".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A reason or a case number.
pub fn note(text: &str) -> Result<String, String> {
    words(text).and_then(|text| at_most(LONGEST_NOTE, text))
}

pub fn tier(text: &str) -> Result<CompactString, String> {
    words(text).and_then(|text| at_most(LONGEST_TIER, text)).map(CompactString::from)
}

fn at_most(characters: usize, text: String) -> Result<String, String> {
    if text.chars().count() <= characters { Ok(text) } else { Err(format!("it has more than {characters} characters")) }
}

pub fn account_id(text: &str) -> Result<AccountId, String> {
    words(text).map(AccountId::new)
}

/// What the admin API takes in its header.
pub fn idempotency_key(text: &str) -> Result<String, String> {
    if IdempotencyClaim::is_key(text) { Ok(text.to_owned()) } else { Err(IdempotencyClaim::KEY_RULE.to_owned()) }
}

/// The name of an account that is to be made.
pub fn new_account_id(text: &str) -> Result<AccountId, String> {
    if text.len() <= LONGEST_IDENTIFIER && AccountId::may_name_an_account(text) {
        Ok(AccountId::new(text))
    } else {
        Err(format!("at most {LONGEST_IDENTIFIER} of visible ASCII without / ? # % and \\"))
    }
}

pub fn tracking_id(text: &str) -> Result<TrackingId, String> {
    TrackingId::parse(text)
        .ok_or_else(|| "a TrackingIdentifier looks like 019a9f3e-5c1b-7d4e-9b7a-3f2a8c6d1e50".to_owned())
}

pub fn currency(text: &str) -> Result<Currency, String> {
    text.parse().map_err(|error: crate::domain::currency::UnknownCurrency| error.to_string())
}

/// An amount with the text it was written as.
#[derive(Debug, Clone)]
pub struct Amount {
    pub text: String,
    pub number: JsonNumber,
}

/// A decimal text, `10.00`; whether it fits the account's currency is the core's to say.
pub fn amount(text: &str) -> Result<Amount, String> {
    let number = JsonNumber::parse(text)
        .ok_or_else(|| "write it with a decimal point and without separators, as 1500.00".to_owned())?;
    Ok(Amount { text: text.to_owned(), number })
}

pub fn display_name(text: &str) -> Result<CompactString, String> {
    if is_display_name(text) {
        Ok(text.into())
    } else {
        Err("1 to 10 letters, digits or dashes, as MC-1234".to_owned())
    }
}

pub fn date(text: &str) -> Result<String, String> {
    parse_date(text).map(|_| text.to_owned()).ok_or_else(|| "write a date as 2026-11-30".to_owned())
}

/// One of a fixed list of names.
pub fn one_of<T: Clone + Send + Sync + 'static>(
    names: impl IntoIterator<Item = &'static str>,
    parse: fn(&str) -> Option<T>,
) -> impl TypedValueParser<Value = T> {
    // clap has checked the name against the list by then.
    PossibleValuesParser::new(names).try_map(move |name| parse(&name).ok_or("it is not one of the list"))
}
