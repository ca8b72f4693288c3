//! A person from a file, as Leap writes one.

use std::path::Path;

use super::failure::Failure;
use super::input;
use crate::domain::{Document, PersonalData};
use crate::http::json;
use crate::http::wire::fields::required;
use crate::http::wire::person::{documents, personal_data};

/// Reads `{"PersonalData":{…},"PersonalDocuments":[…]}`; the documents may be missing. An error repeats no data.
pub fn read(path: &Path) -> Result<(PersonalData, Vec<Document>), Failure> {
    let bytes = input::read(path)?;
    let wrong = |why: String| Failure::misused(format!("{}: {why}", path.display()));
    let document = json::read(&bytes).map_err(|error| wrong(format!("it {error}")))?;
    let person = required(personal_data(&document.object, "PersonalData"), "PersonalData").map_err(wrong)?;
    let documents = documents(&document.object, "PersonalDocuments").map_err(wrong)?;
    Ok((person, documents.unwrap_or_default()))
}
