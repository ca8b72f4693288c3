//! What operators see: the admin API's views, as a table, as fields, or as JSON.

use serde::Serialize;
use serde_json::Value;

use super::failure::Failure;
use super::terminal;

/// A column of a table: its heading, and which field of an item it shows.
pub type Column = (&'static str, &'static str);

/// Prints one page of a list (`items` and `pagination`).
pub fn list(list: &impl Serialize, columns: &[Column], as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(list);
    }
    let value = to_value(list)?;
    let items = value.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| columns.iter().map(|(_, field)| item.get(field).map_or_else(|| "-".to_owned(), cell)).collect())
        .collect();
    let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    terminal::print(&terminal::table(&headings, &rows))?;
    let number = |name| value.pointer(&format!("/pagination/{name}")).and_then(Value::as_i64).unwrap_or_default();
    let next = number("offset") + rows.len() as i64;
    let more = match value.pointer("/pagination/hasMore") {
        Some(Value::Bool(true)) => format!("; --offset {next} shows more"),
        _ => String::new(),
    };
    terminal::print_line(&format!("{} of {}{more}", rows.len(), number("total")))
}

/// Prints one thing.
pub fn one(thing: &impl Serialize, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(thing);
    }
    let value = to_value(thing)?;
    let mut pairs = Vec::new();
    flatten("", &value, &mut pairs);
    terminal::print(&terminal::fields(&pairs))
}

/// Prints a view for machines, as the admin API would answer it.
pub fn json(view: &impl Serialize) -> Result<(), Failure> {
    terminal::print_line(&serde_json::to_string_pretty(view).map_err(Failure::refused)?)
}

fn to_value(thing: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(thing).map_err(Failure::refused)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

/// Nested names joined by dots, list items numbered, as in a seed file.
fn flatten(name: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let inside = |inner: &str| if name.is_empty() { inner.to_owned() } else { format!("{name}.{inner}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(inner, value)| flatten(&inside(inner), value, pairs)),
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, value)| flatten(&inside(&(at + 1).to_string()), value, pairs));
        }
        Value::Array(_) | Value::Null => {}
        scalar => pairs.push((name.to_owned(), cell(scalar))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_fields_are_named_as_in_a_seed_file_and_absent_ones_left_out() {
        let mut pairs = Vec::new();
        flatten("", &json!({"a": {"b": 1, "n": null}, "list": [{"c": "x"}, {"c": true}], "none": []}), &mut pairs);
        let expected = [("a.b", "1"), ("list.1.c", "x"), ("list.2.c", "yes")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
