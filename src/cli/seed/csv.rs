//! A CSV seed file: the columns are the fields of the JSON form, nested names joined by dots, list items numbered.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};

use csv::{ErrorKind, ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::fields;
use super::file::{Emit, Row, Stop};

/// Hands every record on as the JSON object it stands for. An empty cell is an absent field.
pub fn read(file: impl Read, emit: Emit<'_>) -> Result<(), Stop> {
    let mut csv = ReaderBuilder::new().from_reader(BufReader::with_capacity(1 << 16, file));
    let columns = columns(csv.headers().map_err(|error| Stop::Wrong(said(&error)))?)?;
    let mut record = StringRecord::new();
    while csv.read_record(&mut record).map_err(|error| Stop::Wrong(said(&error)))? {
        let line = record.position().map_or(0, |position| position.line());
        let text = Value::Object(object(&columns, &record)).to_string();
        emit(Row { place: format!("line {line}"), text })?;
    }
    Ok(())
}

/// Where a column's cells go.
enum Column {
    /// Names from the outermost in.
    Field(Vec<String>),
    Document {
        number: u32,
        field: String,
    },
}

fn columns(headers: &StringRecord) -> Result<Vec<Column>, Stop> {
    let mut seen = BTreeSet::new();
    let mut columns = Vec::new();
    for (at, name) in headers.iter().enumerate() {
        // Spreadsheets put an invisible mark in front of the first name.
        let name = if at == 0 { name.trim_start_matches('\u{feff}') } else { name }.trim();
        if !seen.insert(name.to_owned()) {
            return Err(Stop::Wrong(format!("line 1: the column {name} occurs twice")));
        }
        columns.push(column(name).ok_or_else(|| {
            let known = fields::paths().join(", ");
            Stop::Wrong(format!("line 1: unknown column {name}; the columns are {known} (and so on for .2, .3, …)"))
        })?);
    }
    for required in fields::REQUIRED_COLUMNS {
        if !seen.contains(*required) {
            return Err(Stop::Wrong(format!("line 1: the column {required} is missing")));
        }
    }
    Ok(columns)
}

fn column(name: &str) -> Option<Column> {
    if let Some((number, field)) = name.strip_prefix("PersonalDocuments.").and_then(|rest| rest.split_once('.')) {
        let is_plain = !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|_| is_plain)?;
        return fields::DOCUMENT.contains(&field).then(|| Column::Document { number, field: field.to_owned() });
    }
    let is_known = fields::paths().iter().any(|path| path == name);
    is_known.then(|| Column::Field(name.split('.').map(str::to_owned).collect()))
}

fn object(columns: &[Column], record: &StringRecord) -> Map<String, Value> {
    let mut object = Map::new();
    let mut documents: BTreeMap<u32, Map<String, Value>> = BTreeMap::new();
    for (column, cell) in columns.iter().zip(record) {
        if cell.trim().is_empty() {
            continue;
        }
        match column {
            Column::Field(path) => insert(&mut object, path, cell),
            Column::Document { number, field } => {
                documents.entry(*number).or_default().insert(field.clone(), document_value(field, cell));
            }
        }
    }
    if !documents.is_empty() {
        let list = documents.into_values().map(Value::Object).collect();
        object.insert("PersonalDocuments".to_owned(), Value::Array(list));
    }
    object
}

fn insert(object: &mut Map<String, Value>, path: &[String], cell: &str) {
    match path {
        [] => {}
        [name] => _ = object.insert(name.clone(), Value::from(cell)),
        [name, rest @ ..] => {
            if let Value::Object(inner) = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new())) {
                insert(inner, rest, cell);
            }
        }
    }
}

/// A document's type may be its number (contract, CreateAccount), which JSON writes without quotes.
fn document_value(field: &str, cell: &str) -> Value {
    match cell.trim().parse::<u32>() {
        Ok(number) if field == "DocumentType" => Value::from(number),
        _ => Value::from(cell),
    }
}

/// What is wrong, without a word of the data.
fn said(error: &csv::Error) -> String {
    let line = error.position().map_or_else(String::new, |position| format!("line {}: ", position.line()));
    match error.kind() {
        ErrorKind::Io(error) => format!("cannot be read: {error}"),
        ErrorKind::Utf8 { .. } => format!("{line}this is not UTF-8"),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{line}there are {len} cells where the first line names {expected_len} columns")
        }
        _ => format!("{line}this is no CSV"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "AccountIdentifier,Currency,PersonalData.FirstName,PersonalData.LastName,PersonalData.Gender,\
                          PersonalData.BirthDate,PersonalData.Address.Address1,PersonalData.Address.ZipCode,\
                          PersonalData.Address.City,PersonalData.Address.CountryCode,PersonalData.Address.StateCode,\
                          PersonalData.PhoneNumber,PersonalDocuments.2.Number,PersonalDocuments.2.DocumentType,\
                          PersonalDocuments.1.Number,PersonalDocuments.1.DocumentType";

    fn rows(text: &str) -> Result<Vec<(String, String)>, String> {
        let mut rows = Vec::new();
        let read = read(text.as_bytes(), &mut |row| {
            rows.push((row.place, row.text));
            Ok(())
        });
        match read {
            Ok(()) => Ok(rows),
            Err(stop) => Err(stop.to_string()),
        }
    }

    #[test]
    fn a_record_is_the_json_object_it_stands_for() {
        let text = format!("\u{feff}{HEADER}\n1,MXN,Ana,\"López, R\",Female,1990-01-31,a,06700,c,MX,CMX, ,22,14,,\n");
        let rows = rows(&text).unwrap();
        assert_eq!(rows[0].0, "line 2");
        let expected = serde_json::json!({
            "AccountIdentifier": "1", "Currency": "MXN",
            "PersonalData": {
                "FirstName": "Ana", "LastName": "López, R", "Gender": "Female", "BirthDate": "1990-01-31",
                "Address": {"Address1": "a", "ZipCode": "06700", "City": "c", "CountryCode": "MX", "StateCode": "CMX"},
            },
            "PersonalDocuments": [{"Number": "22", "DocumentType": 14}],
        });
        assert_eq!(serde_json::from_str::<Value>(&rows[0].1).unwrap(), expected);
    }

    #[test]
    fn the_line_of_a_record_is_counted_through_line_ends_in_quotes() {
        let record = "1,MXN,Ana,\"L\nR\",Female,1990-01-31,a,06700,c,MX,CMX,,,,,";
        let rows = rows(&format!("{HEADER}\n{record}\n{record}\n")).unwrap();
        assert_eq!((rows[0].0.as_str(), rows[1].0.as_str()), ("line 2", "line 4"));
    }

    #[test]
    fn a_wrong_file_is_refused_by_line_without_its_data() {
        for (text, said) in [
            (HEADER.replace("City", "Town"), "unknown column PersonalData.Address.Town"),
            (format!("{HEADER},PersonalDocuments.01.Number"), "unknown column PersonalDocuments.01.Number"),
            (format!("{HEADER},Currency"), "the column Currency occurs twice"),
            (HEADER.replace("AccountIdentifier,", ""), "the column AccountIdentifier is missing"),
            (format!("{HEADER}\nsecret,MXN\n"), "line 2: there are 2 cells where the first line names 16 columns"),
        ] {
            let error = rows(&text).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{error}");
        }
    }
}
