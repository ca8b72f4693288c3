//! A JSON seed file, `{"accounts":[…]}`, read one account at a time.

use std::fmt;
use std::io::{BufReader, Read};

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::file::{Emit, Row, Stop};

/// Hands every element of `accounts` on, as the text that stands in the file.
pub fn read(file: impl Read, emit: Emit<'_>) -> Result<(), Stop> {
    let mut stop = None;
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, file));
    let read = json.deserialize_map(File { emit, stop: &mut stop }).and_then(|()| json.end());
    match (stop, read) {
        (Some(stop), _) => Err(stop),
        (None, Ok(())) => Ok(()),
        // serde's own words may quote the data.
        (None, Err(error)) => Err(Stop::Wrong(match error.classify() {
            serde_json::error::Category::Io => format!("cannot be read: {error}"),
            serde_json::error::Category::Eof => "ends in the middle of the JSON".to_owned(),
            serde_json::error::Category::Syntax => {
                format!("line {}, column {}: this is no JSON", error.line(), error.column())
            }
            serde_json::error::Category::Data => format!(
                "line {}, column {}: a seed file is one object with the one list `accounts`",
                error.line(),
                error.column()
            ),
        })),
    }
}

/// The whole file; the first trouble of an element goes to `stop`.
struct File<'a, 'e> {
    emit: Emit<'e>,
    stop: &'a mut Option<Stop>,
}

impl<'de> Visitor<'de> for File<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the one list `accounts`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match map.next_key::<String>()? {
            Some(key) if key == "accounts" => {}
            _ => return Err(A::Error::custom("`accounts` is missing")),
        }
        map.next_value_seed(Accounts { emit: self.emit, stop: self.stop })?;
        match map.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(A::Error::custom("a second key")),
        }
    }
}

struct Accounts<'a, 'e> {
    emit: Emit<'e>,
    stop: &'a mut Option<Stop>,
}

impl<'de> DeserializeSeed<'de> for Accounts<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Accounts<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of accounts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0_u64;
        while let Some(element) = list.next_element::<Box<RawValue>>()? {
            let row = Row { place: format!("accounts[{index}]"), text: element.get().to_owned() };
            if let Err(stop) = (self.emit)(row) {
                *self.stop = Some(stop);
                return Err(A::Error::custom("stopped"));
            }
            index += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn every_account_is_handed_on_as_it_stands_with_its_place() {
        let rows = rows(r#"{"accounts":[{"a":1.00}, {"a":2,"a":3}]}"#).unwrap();
        let expected = [("accounts[0]", r#"{"a":1.00}"#), ("accounts[1]", r#"{"a":2,"a":3}"#)];
        assert_eq!(rows, expected.map(|(place, text)| (place.to_owned(), text.to_owned())));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_its_data() {
        for (text, said) in [
            ("{\"accounts\":[\n{\"a\":secret}]}", "line 2, column 6: this is no JSON"),
            ("{\"accounts\":[{}", "ends in the middle"),
            ("{\"accounts\":\"secret\"}", "the one list `accounts`"),
            ("{\"secret\":[]}", "the one list `accounts`"),
            ("{\"accounts\":[],\"secret\":1}", "the one list `accounts`"),
            ("[\"secret\"]", "the one list `accounts`"),
            ("{}", "the one list `accounts`"),
            ("", "ends in the middle"),
        ] {
            let error = rows(text).unwrap_err();
            assert!(error.contains(said) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_reader_that_stops_is_asked_no_further() {
        let mut seen = 0;
        let stopped = read(r#"{"accounts":[{},{},{}]}"#.as_bytes(), &mut |_| {
            seen += 1;
            if seen == 2 { Err(Stop::Wrong("enough".to_owned())) } else { Ok(()) }
        });
        assert_eq!((stopped.unwrap_err().to_string().as_str(), seen), ("enough", 2));
    }
}
