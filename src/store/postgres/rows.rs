//! What travels as JSON: keys that are looked up, and rows that are read, each as its domain struct. Columns are named as
//! the struct's fields, so a row needs no list of them. How rows are written: [`super::record`].

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::store::StoreError;

/// Keys as one JSON array; `None` where there are none.
pub(super) fn keys<T: Serialize>(keys: impl IntoIterator<Item = T>) -> Result<Option<String>, StoreError> {
    let mut keys = keys.into_iter().peekable();
    if keys.peek().is_some() { json(keys).map(Some) } else { Ok(None) }
}

/// The same, also where there are none.
pub(super) fn json<T: Serialize>(keys: impl IntoIterator<Item = T>) -> Result<String, StoreError> {
    let mut text = Vec::with_capacity(256);
    let mut serializer = Serializer::with_formatter(&mut text, WithoutNul);
    serde::Serializer::collect_seq(&mut serializer, keys).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    String::from_utf8(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Appends one value.
pub(super) fn write_json<T: Serialize>(value: &T, text: &mut Vec<u8>) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(text, WithoutNul))
}

/// What stands for U+0000, which no text in Postgres can hold. The edge lets it into no field; in a path of the admin
/// API it then names what does not exist, as on SQLite.
pub(super) const STAND_IN_FOR_NUL: &str = "\u{fffd}";

struct WithoutNul;

impl Formatter for WithoutNul {
    fn write_char_escape<W: std::io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> std::io::Result<()> {
        match escape {
            CharEscape::AsciiControl(0) => writer.write_all(STAND_IN_FOR_NUL.as_bytes()),
            escape => CompactFormatter.write_char_escape(writer, escape),
        }
    }
}

macro_rules! person_row {
    () => {
        "json_build_object('id', persons.id, 'data', persons.data, 'documents', persons.documents, 'keys',
            (SELECT coalesce(json_agg(json_build_object('kind', d.kind, 'value', d.value)), '[]')
             FROM directory d WHERE d.person = persons.id))"
    };
}

pub(super) use person_row;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_carries_what_postgres_cannot_hold() {
        assert_eq!(json(["a\0b", "\\u0000", "\n"]).unwrap(), "[\"a\u{fffd}b\",\"\\\\u0000\",\"\\n\"]");
    }
}
