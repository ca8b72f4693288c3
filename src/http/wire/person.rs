//! PersonalData and PersonalDocuments (contract, PersonalData; decision 4).

use chrono::NaiveDate;
use compact_str::CompactString;

use super::fields::{LONGEST_TEXT, Read, required, text};
use crate::domain::time::parse_date;
use crate::domain::{Address, Document, DocumentType, Gender, JsonNumber, PersonalData};
use crate::http::json::{Object, Value};

/// The most documents of one person. There are eight types; the rest is room for renewed ones. Each is a key that
/// CreateAccount looks up and locks.
pub const MOST_DOCUMENTS: usize = 32;

/// The person under `name`.
pub fn personal_data(object: &Object<'_>, name: &str) -> Read<PersonalData> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Object(data)) => person(data).map(Some).map_err(|note| format!("{name}.{note}")),
        Some(_) => Err(format!("{name} must be an object")),
    }
}

/// The documents under `name`; missing is the same as empty (decision 2).
pub fn documents(object: &Object<'_>, name: &str) -> Read<Vec<Document>> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Array(items)) if items.len() > MOST_DOCUMENTS => {
            Err(format!("{name} must not have more than {MOST_DOCUMENTS} items"))
        }
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| document(item).map_err(|note| format!("{name}[{index}]{note}")))
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Err(format!("{name} must be a list")),
    }
}

fn person(data: &Object<'_>) -> Result<PersonalData, String> {
    let personal_data = PersonalData {
        phone_number: optional_text(data, "PhoneNumber")?,
        email: optional_text(data, "Email")?,
        first_name: required_text(data, "FirstName")?,
        middle_name: optional_text(data, "MiddleName")?,
        last_name: required_text(data, "LastName")?,
        last_name2: optional_text(data, "LastName2")?,
        gender: gender(data)?,
        birth_date: birth_date(data)?,
        address: match data.get("Address") {
            None => return Err("Address is missing".to_owned()),
            Some(Value::Object(data)) => address(data).map_err(|note| format!("Address.{note}"))?,
            Some(_) => return Err("Address must be an object".to_owned()),
        },
    };
    if personal_data.phone_number.is_none() && personal_data.email.is_none() {
        return Err("PhoneNumber is missing, and so is Email: one of the two is needed".to_owned());
    }
    Ok(personal_data)
}

fn address(data: &Object<'_>) -> Result<Address, String> {
    let address = Address {
        address1: required_text(data, "Address1")?,
        address2: optional_text(data, "Address2")?,
        zip_code: required_text(data, "ZipCode")?,
        city: required_text(data, "City")?,
        country_code: required_text(data, "CountryCode")?,
        state_code: required_text(data, "StateCode")?,
    };
    if rust_iso3166::from_alpha2(&address.country_code).is_none() {
        return Err("CountryCode must be an ISO 3166-1 code of two capital letters".to_owned());
    }
    // Leap documents two letters and ISO 3166-2 has up to three: only the form is checked (decision 4).
    let state = address.state_code.as_bytes();
    if state.len() > 3 || !state.iter().all(u8::is_ascii_alphanumeric) {
        return Err("StateCode must be one to three letters or digits".to_owned());
    }
    Ok(address)
}

fn gender(data: &Object<'_>) -> Result<Gender, String> {
    match required_text(data, "Gender")?.as_str() {
        "Male" => Ok(Gender::Male),
        "Female" => Ok(Gender::Female),
        "Other" => Ok(Gender::Other),
        "None" => Ok(Gender::None),
        _ => Err("Gender must be Male, Female, Other or None".to_owned()),
    }
}

fn birth_date(data: &Object<'_>) -> Result<NaiveDate, String> {
    let text = required_text(data, "BirthDate")?;
    parse_date(&text).ok_or_else(|| "BirthDate must be a date that exists, written as YYYY-MM-dd".to_owned())
}

/// The note begins with a dot and a field's name, or stands for the whole item.
fn document(item: &Value<'_>) -> Result<Document, String> {
    let Value::Object(data) = item else { return Err(" must be an object".to_owned()) };
    let document_type = document_type(data.get("DocumentType")).map_err(|note| format!(".DocumentType {note}"))?;
    let number = required_text(data, "Number").map_err(|note| format!(".{note}"))?;
    // People are found by what is left of the number without punctuation: nothing left would make strangers one person.
    if !number.chars().any(char::is_alphanumeric) {
        return Err(".Number must have a letter or a digit".to_owned());
    }
    Ok(Document { document_type, number })
}

/// Its name or its .NET number.
fn document_type(value: Option<&Value<'_>>) -> Result<DocumentType, &'static str> {
    let found = match value {
        None => return Err("is missing"),
        Some(Value::Text(text)) if text.trim().is_empty() => return Err("is missing"),
        Some(Value::Text(text)) => DocumentType::ALL.iter().find(|(_, name, _)| name == text),
        Some(Value::Number(text)) => {
            let number = JsonNumber::parse(text).and_then(|number| number.scaled(0));
            DocumentType::ALL.iter().find(|(.., code)| Some(*code) == number)
        }
        Some(_) => None,
    };
    found.map(|(kind, ..)| *kind).ok_or("is not one of the contract's types")
}

fn optional_text(data: &Object<'_>, name: &str) -> Read<CompactString> {
    text(data, name, LONGEST_TEXT)
}

fn required_text(data: &Object<'_>, name: &str) -> Result<CompactString, String> {
    required(optional_text(data, name), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json;

    const PERSON: &str = r#"{"PhoneNumber":"+525555123456","FirstName":"Ana","LastName":"López","Gender":"Female",
        "BirthDate":"1990-01-31","Address":{"Address1":"Calle Durango 12","ZipCode":"06700","City":"CDMX",
        "CountryCode":"MX","StateCode":"CMX"}}"#;

    fn read(person: &str) -> Read<PersonalData> {
        let body = format!("{{\"PersonalData\":{person}}}");
        personal_data(&json::read(body.as_bytes()).unwrap().object, "PersonalData")
    }

    fn read_documents(list: &str) -> Read<Vec<Document>> {
        let body = format!("{{\"PersonalDocuments\":{list}}}");
        documents(&json::read(body.as_bytes()).unwrap().object, "PersonalDocuments")
    }

    fn with(old: &str, new: &str) -> Read<PersonalData> {
        assert!(PERSON.contains(old));
        read(&PERSON.replace(old, new))
    }

    #[test]
    fn a_person_is_kept_as_sent() {
        let person = read(PERSON).unwrap().unwrap();
        assert_eq!(person.phone_number.as_deref(), Some("+525555123456"));
        assert_eq!(person.address.state_code, "CMX");
        assert_eq!(person.birth_date.to_string(), "1990-01-31");
        assert_eq!(person.middle_name, None);
    }

    #[test]
    fn the_note_says_which_field_and_repeats_nothing() {
        let note = |read: Read<PersonalData>| read.unwrap_err();
        assert_eq!(note(with("\"Ana\"", "\" \"")), "PersonalData.FirstName is missing");
        assert_eq!(note(with("\"06700\"", "6700")), "PersonalData.Address.ZipCode must be a string");
        assert_eq!(note(read("[]")), "PersonalData must be an object");
        assert!(!note(with("1990-01-31", "31/01/1990")).contains("31/01"));
    }

    #[test]
    fn every_required_field_is_required() {
        for field in ["FirstName", "LastName", "Gender", "BirthDate", "Address", "Address1", "ZipCode", "City"] {
            assert!(with(&format!("\"{field}\""), "\"Other\"").is_err(), "{field}");
        }
        for field in ["CountryCode", "StateCode", "PhoneNumber"] {
            assert!(with(&format!("\"{field}\""), "\"Other\"").is_err(), "{field}");
        }
    }

    #[test]
    fn an_email_serves_where_there_is_no_phone() {
        assert!(
            with("\"PhoneNumber\":\"+525555123456\"", "\"PhoneNumber\":null,\"Email\":\"ana@example.com\"").is_ok()
        );
        assert!(with("\"PhoneNumber\":\"+525555123456\"", "\"PhoneNumber\":\"\",\"Email\":\" \"").is_err());
    }

    #[test]
    fn dates_are_real_and_in_the_one_form() {
        assert!(with("1990-01-31", "2000-02-29").is_ok());
        for date in [
            "1990-02-30",
            "1900-02-29",
            "1990-1-31",
            "1990/01/31",
            "19900131",
            "0000-01-01",
            "1990-01-31T00:00",
            "+990-01-31",
        ] {
            assert!(with("1990-01-31", date).is_err(), "{date}");
        }
    }

    #[test]
    fn codes_are_checked_as_far_as_callers_can_be_trusted() {
        assert!(with("\"CMX\"", "\"JA\"").is_ok(), "no subdivision of Mexico, and taken all the same");
        for (old, new) in [
            ("\"MX\"", "\"XX\""),
            ("\"MX\"", "\"mx\""),
            ("\"MX\"", "\"MEX\""),
            ("\"CMX\"", "\"MX-CMX\""),
            ("\"CMX\"", "\"É\""),
            ("\"Female\"", "\"female\""),
        ] {
            assert!(with(old, new).is_err(), "{new}");
        }
    }

    #[test]
    fn documents_are_named_or_numbered() {
        let list = r#"[{"DocumentType":"INE_IFE","Number":"1"},{"DocumentType":14,"Number":"2"},{"DocumentType":1.0,"Number":"3"}]"#;
        let types: Vec<_> =
            read_documents(list).unwrap().unwrap().iter().map(|document| document.document_type).collect();
        assert_eq!(types, [DocumentType::IneIfe, DocumentType::IneIfe, DocumentType::Passport]);
        assert_eq!(read_documents("[]"), Ok(Some(vec![])));
        assert_eq!(read_documents("null"), Ok(None));
    }

    #[test]
    fn a_wrong_document_is_named_by_its_place() {
        let note = |list: &str| read_documents(list).unwrap_err();
        assert_eq!(note("[null]"), "PersonalDocuments[0] must be an object");
        assert_eq!(
            note(r#"[{"DocumentType":1,"Number":"A1"},{"DocumentType":1}]"#),
            "PersonalDocuments[1].Number is missing"
        );
        for list in [
            r#"[{"Number":"1"}]"#,
            r#"[{"DocumentType":2,"Number":"1"}]"#,
            r#"[{"DocumentType":"Passport","Number":" -- "}]"#,
            r#"[{"DocumentType":"passport","Number":"1"}]"#,
            r#"[{"DocumentType":true,"Number":"1"}]"#,
            "{}",
            "\"x\"",
        ] {
            assert!(read_documents(list).is_err(), "{list}");
        }
        assert!(read_documents(&format!("[{}]", vec![r#"{"DocumentType":1,"Number":"A1"}"#; 33].join(","))).is_err());
    }
}
