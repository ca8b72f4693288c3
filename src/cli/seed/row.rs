//! One account of a seed file: from its text to what the core is asked to seed. The personal data are read as the edge
//! reads Leap's.

use compact_str::CompactString;

use crate::decide::command::{NewAccount, SeedAccount};
use crate::domain::account::{LONGEST_TIER, is_display_name};
use crate::domain::{AccountId, Currency, JsonNumber, Status};
use crate::http::json::{self, Object, Value};
use crate::http::wire::fields::{LONGEST_TEXT, currency, identifier, required, text};
use crate::http::wire::person::{documents, personal_data};

use super::fields;

/// Reads a row. The error names the field and repeats nothing of its value; before it, the AccountIdentifier where the
/// row has a sound one.
pub fn read(row: &str) -> Result<SeedAccount, (Option<CompactString>, String)> {
    let document = json::read(row.as_bytes()).map_err(|error| (None, format!("it {error}")))?;
    let object = &document.object;
    let id = identifier(object, "AccountIdentifier");
    let named = id.clone().ok().flatten();
    required(id, "AccountIdentifier").and_then(|id| account(object, &id)).map_err(|why| (named, why))
}

fn account(object: &Object<'_>, id: &str) -> Result<SeedAccount, String> {
    if !AccountId::may_name_an_account(id) {
        return Err("AccountIdentifier must be visible ASCII without / ? # % and \\".to_owned());
    }
    let id = AccountId::new(id);
    if let Some(unknown) = fields::unknown(object) {
        return Err(format!("unknown field {unknown}"));
    }
    let currency = required(currency(object.get("Currency"), "Currency"), "Currency")?;
    Ok(SeedAccount {
        status: status(object)?,
        opening_balance: opening_balance(object, currency)?,
        account: NewAccount {
            id: Some(id.clone()),
            currency,
            tier: text(object, "Tier", LONGEST_TIER)?,
            display_name: display_name(object)?,
            person: required(personal_data(object, "PersonalData"), "PersonalData")?,
            documents: documents(object, "PersonalDocuments")?.unwrap_or_default(),
        },
        id,
    })
}

fn status(object: &Object<'_>) -> Result<Option<Status>, String> {
    let Some(name) = text(object, "Status", LONGEST_TEXT)? else { return Ok(None) };
    Status::parse(&name)
        .map(Some)
        .ok_or_else(|| format!("Status must be one of {}", Status::ALL.map(Status::as_str).join(", ")))
}

fn display_name(object: &Object<'_>) -> Result<Option<CompactString>, String> {
    let name = text(object, "DisplayName", LONGEST_TEXT)?;
    match name {
        Some(name) if !is_display_name(&name) => {
            Err("DisplayName must be 1 to 10 letters, digits or dashes, as MC-1234".to_owned())
        }
        name => Ok(name),
    }
}

/// Minor units. A decimal text, as amounts are written outside the contract; zero is an amount here.
fn opening_balance(object: &Object<'_>, currency: Currency) -> Result<Option<i64>, String> {
    let wrong =
        || Err(format!("OpeningBalance must be a decimal text of zero or more that {currency} can hold, as \"0.00\""));
    let number = match object.get("OpeningBalance") {
        None => return Ok(None),
        Some(Value::Text(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::Text(text)) => JsonNumber::parse(text.trim()),
        Some(_) => None,
    };
    match number {
        Some(number) if number.is_zero() => Ok(Some(0)),
        Some(number) => currency.minor_units(&number).map(Some).map_or_else(wrong, Ok),
        None => wrong(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"AccountIdentifier":"4000000000001234","Currency":"MXN","Status":"Blocked","Tier":"gold",
        "DisplayName":"MC-1234","OpeningBalance":"12.50","PersonalData":{"PhoneNumber":"+525555123456",
        "FirstName":"Ana","LastName":"López","Gender":"Female","BirthDate":"1990-01-31","Address":{"Address1":"a",
        "ZipCode":"06700","City":"c","CountryCode":"MX","StateCode":"CMX"}},
        "PersonalDocuments":[{"DocumentType":"INE_IFE","Number":"1"}]}"#;

    fn wrong(old: &str, new: &str) -> (Option<CompactString>, String) {
        assert!(ROW.contains(old), "{old}");
        read(&ROW.replacen(old, new, 1)).unwrap_err()
    }

    #[test]
    fn a_whole_row_is_read() {
        let row = read(ROW).unwrap();
        assert_eq!(
            (row.id.as_str(), row.status, row.opening_balance),
            ("4000000000001234", Some(Status::Blocked), Some(1_250))
        );
        assert_eq!(row.account.tier.as_deref(), Some("gold"));
        assert_eq!(row.account.documents.len(), 1);
    }

    #[test]
    fn what_is_left_out_is_left_open() {
        let text = ROW.replace(r#""Status":"Blocked","Tier":"gold","#, "").replace("12.50", " ").replace("MC-1234", "");
        let row = read(&text).unwrap();
        assert_eq!(
            (row.status, row.opening_balance, row.account.tier, row.account.display_name),
            (None, None, None, None)
        );
    }

    #[test]
    fn zero_is_an_opening_balance() {
        assert_eq!(read(&ROW.replace("12.50", "0.00")).unwrap().opening_balance, Some(0));
    }

    #[test]
    fn an_error_names_account_and_field_and_repeats_no_value() {
        for (old, new, said) in [
            ("MXN", "XXX", "Currency must be"),
            ("Blocked", "Frozen", "Status must be one of"),
            ("MC-1234", "MC_1234", "DisplayName must be"),
            ("12.50", "-1", "OpeningBalance must be"),
            ("12.50", "1.005", "OpeningBalance must be"),
            ("\"12.50\"", "12.50", "OpeningBalance must be"),
            ("1990-01-31", "31.01.1990", "PersonalData.BirthDate"),
            ("\"Tier\"", "\"Teir\"", "unknown field Teir"),
            ("INE_IFE", "INE", "PersonalDocuments[0].DocumentType"),
        ] {
            let (id, why) = wrong(old, new);
            assert_eq!(id.as_deref(), Some("4000000000001234"));
            assert!(why.contains(said), "{why}");
            assert!(!why.contains("31.01"), "{why}");
        }
        assert_eq!(wrong("4000000000001234", " "), (None, "AccountIdentifier is missing".to_owned()));
        assert_eq!(wrong("\"Currency\":\"MXN\"", "\"Tier\":\"x\"").1, "it has an object with the same property twice");
    }
}
