//! The names that a seed file may use. Another name is a slip of the pen, and its data would be lost without a word.

use crate::http::json::{Object, Value};

const ACCOUNT: &[&str] = &["AccountIdentifier", "Currency", "Status", "Tier", "DisplayName", "OpeningBalance"];
const PERSON: &[&str] =
    &["PhoneNumber", "Email", "FirstName", "MiddleName", "LastName", "LastName2", "Gender", "BirthDate"];
const ADDRESS: &[&str] = &["Address1", "Address2", "ZipCode", "City", "CountryCode", "StateCode"];
pub const DOCUMENT: &[&str] = &["DocumentType", "Number"];

/// The columns that a CSV file cannot do without.
pub const REQUIRED_COLUMNS: &[&str] = &["AccountIdentifier", "Currency", "PersonalData.FirstName"];

/// Every field as a column is named, the first document standing for all.
pub fn paths() -> Vec<String> {
    let under = |prefix: &'static str, names: &'static [&str]| names.iter().map(move |name| format!("{prefix}{name}"));
    under("", ACCOUNT)
        .chain(under("PersonalData.", PERSON))
        .chain(under("PersonalData.Address.", ADDRESS))
        .chain(under("PersonalDocuments.1.", DOCUMENT))
        .collect()
}

/// The first name in an account's object that no seed file has, as a path.
pub fn unknown(account: &Object<'_>) -> Option<String> {
    stranger(account, "", ACCOUNT, &["PersonalData", "PersonalDocuments"])
        .or_else(|| {
            let person = inner(account, "PersonalData")?;
            stranger(person, "PersonalData.", PERSON, &["Address"])
                .or_else(|| stranger(inner(person, "Address")?, "PersonalData.Address.", ADDRESS, &[]))
        })
        .or_else(|| {
            let Some(Value::Array(documents)) = account.get("PersonalDocuments") else { return None };
            documents.iter().enumerate().find_map(|(at, document)| {
                let Value::Object(document) = document else { return None };
                stranger(document, &format!("PersonalDocuments.{}.", at + 1), DOCUMENT, &[])
            })
        })
}

fn stranger(object: &Object<'_>, prefix: &str, plain: &[&str], nested: &[&str]) -> Option<String> {
    let name = object.names().find(|name| !plain.contains(name) && !nested.contains(name))?;
    Some(format!("{prefix}{name}"))
}

fn inner<'o, 'a>(object: &'o Object<'a>, name: &str) -> Option<&'o Object<'a>> {
    match object.get(name) {
        Some(Value::Object(inner)) => Some(inner),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json;

    #[test]
    fn every_unknown_name_is_found_at_any_depth() {
        for (account, path) in [
            (r#"{"Curency":"MXN"}"#, Some("Curency")),
            (r#"{"PersonalData":{"Name":""}}"#, Some("PersonalData.Name")),
            (r#"{"PersonalData":{"Address":{"Zip":""}}}"#, Some("PersonalData.Address.Zip")),
            (r#"{"PersonalDocuments":[{},{"Type":""}]}"#, Some("PersonalDocuments.2.Type")),
            (r#"{"Tier":1,"PersonalData":{"Address":{"City":""}},"PersonalDocuments":[{"Number":""}]}"#, None),
        ] {
            assert_eq!(unknown(&json::read(account.as_bytes()).unwrap().object).as_deref(), path);
        }
    }
}
