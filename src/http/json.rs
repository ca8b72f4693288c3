//! A request's body as a tree that keeps numbers as their text.
//!
//! serde_json checks the grammar and reads what has escapes; this module walks level by level over [`RawValue`], because
//! only raw text tells `1.10` from a float. A level is scanned once for every level above it, so the cost is the body's
//! size times its depth at most, and the depth is bounded. Recursion is as deep as the tree, never as the text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The deepest nesting of objects and arrays, the body's own object included (decision 2).
pub const MAX_DEPTH: usize = 64;

/// Why a body is no readable object (decision 2). Nothing of the body is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("is not valid UTF-8")]
    NotUtf8,
    /// Counted from 1, as serde_json does.
    #[error("is not JSON: see line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("is JSON, but not an object")]
    NotAnObject,
    #[error("has an object with the same property twice")]
    DuplicateKey,
    #[error("has a lone surrogate in a string")]
    LoneSurrogate,
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// A body that was read.
pub struct Document<'a> {
    /// The body's text without the space around it: JSON.
    pub text: &'a str,
    pub object: Object<'a>,
}

/// One JSON value.
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// As it was written.
    Number(&'a str),
    Text(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Object<'a>),
}

/// An object whose properties are distinct, in the order of their names. A list: an object of ours has a dozen properties,
/// for which a tree would take more memory than the body.
#[derive(Default)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The property's value; null is the same as absent, everywhere (decision 2).
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let place = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(place).map(|(_, value)| value).filter(|value| !matches!(value, Value::Null))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }
}

/// Reads a body.
///
/// # Errors
/// The first thing that makes it unreadable.
pub fn read(body: &[u8]) -> Result<Document<'_>, Unreadable> {
    let whole = std::str::from_utf8(body).map_err(|_| Unreadable::NotUtf8)?;
    let text = whole.trim_matches([' ', '\t', '\n', '\r']);
    let object = if text.starts_with('{') { object(text, MAX_DEPTH - 1) } else { Err(Unreadable::NotAnObject) };
    // What is no JSON at all is refused as that, whatever else was found first.
    let object = object.map_err(|refusal| check_grammar(whole).err().unwrap_or(refusal))?;
    Ok(Document { text, object })
}

fn check_grammar(text: &str) -> Result<(), Unreadable> {
    let checked = serde_json::from_str(text).map(|IgnoredAny| ());
    checked.map_err(|error| Unreadable::NotJson { line: error.line(), column: error.column() })
}

/// `depth_left` counts the objects and arrays that may still be opened.
fn value(raw: &RawValue, depth_left: usize) -> Result<Value<'_>, Unreadable> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') => Ok(Value::Object(object(text, inside(depth_left)?)?)),
        Some(b'[') => Ok(Value::Array(array(text, inside(depth_left)?)?)),
        Some(b'"') => string(text).map(Value::Text),
        Some(b't') => Ok(Value::Bool(true)),
        Some(b'f') => Ok(Value::Bool(false)),
        Some(b'n') => Ok(Value::Null),
        _ => Ok(Value::Number(text)),
    }
}

fn inside(depth_left: usize) -> Result<usize, Unreadable> {
    depth_left.checked_sub(1).ok_or(Unreadable::TooDeep)
}

fn array(text: &str, depth_left: usize) -> Result<Vec<Value<'_>>, Unreadable> {
    // Arrays of raw values cannot fail once the grammar is checked: nothing in them is unescaped.
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Unreadable::LoneSurrogate)?;
    items.into_iter().map(|item| value(item, depth_left)).collect()
}

fn object(text: &str, depth_left: usize) -> Result<Object<'_>, Unreadable> {
    let mut refusal = None;
    let members = Members { depth_left, refusal: &mut refusal };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = members.deserialize(&mut deserializer).and_then(|object| deserializer.end().map(|()| object));
    // What fails without a refusal of ours, and is JSON, is a property name with a lone surrogate.
    read.map_err(|_| refusal.unwrap_or(Unreadable::LoneSurrogate))
}

/// Where it is JSON, only a lone surrogate keeps a string from being read.
fn string(text: &str) -> Result<Cow<'_, str>, Unreadable> {
    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    if let Some(plain) = inside.filter(|inside| !inside.contains('\\')) {
        return Ok(Cow::Borrowed(plain));
    }
    Name.deserialize(&mut serde_json::Deserializer::from_str(text)).map_err(|_| Unreadable::LoneSurrogate)
}

/// Reads one object's members; serde's errors are text, so ours is left in `refusal`.
struct Members<'r> {
    depth_left: usize,
    refusal: &'r mut Option<Unreadable>,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Object<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Object<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut refuse = |refusal: Unreadable| {
            *self.refusal = Some(refusal);
            A::Error::custom(refusal)
        };
        let mut members = Vec::with_capacity(8);
        while let Some(name) = map.next_key_seed(Name)? {
            let raw: &RawValue = map.next_value()?;
            members.push((name, value(raw, self.depth_left).map_err(&mut refuse)?));
        }
        members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if members.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
            return Err(refuse(Unreadable::DuplicateKey));
        }
        Ok(Object(members))
    }
}

/// A string, borrowed from the body where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: impl AsRef<[u8]>) -> Option<Unreadable> {
        read(body.as_ref()).err()
    }

    fn nested(open: &str, close: &str, levels: usize) -> String {
        format!("{}1{}", open.repeat(levels), close.repeat(levels))
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let document = read(br#"{"Amount": 92233720368547758.07, "Rate":1e2 }"#).unwrap();
        assert!(matches!(document.object.get("Amount"), Some(Value::Number("92233720368547758.07"))));
        assert!(matches!(document.object.get("Rate"), Some(Value::Number("1e2"))));
    }

    #[test]
    fn the_text_is_the_body_without_the_space_around_it() {
        assert_eq!(read(b" {\"A\" : 1}\r\n").unwrap().text, "{\"A\" : 1}");
    }

    #[test]
    fn strings_are_unescaped_and_null_is_absent() {
        let document = read(r#"{"A":"\u00e9\ud83d\ude00","B":null,"C":true}"#.as_bytes()).unwrap();
        assert!(matches!(document.object.get("A"), Some(Value::Text(text)) if text == "é😀"));
        assert!(document.object.get("B").is_none());
        assert!(matches!(document.object.get("C"), Some(Value::Bool(true))));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for body in [
            "",
            " ",
            "{",
            "}",
            "{]",
            "{\"A\":1,}",
            "{'A':1}",
            "{\"A\":01}",
            "{\"A\":.5}",
            "{\"A\":+1}",
            "{\"A\":NaN}",
            "{\"A\":1}x",
            "{} {}",
            "{\"A\":tru}",
            "{\"A\":\"\n\"}",
            "{\"A\":\"\\x\"}",
            "\u{feff}{}",
            "{\"A\" 1}",
            "{A:1}",
            "{\"A\":[1,]}",
            "{\"A\":1e}",
            "{\"A\":\"\\u12\"}",
        ] {
            assert!(matches!(refusal(body), Some(Unreadable::NotJson { .. })), "{body:?}");
        }
    }

    #[test]
    fn only_an_object_is_a_body() {
        for body in ["null", "1", "\"A\"", "true", "[]", "[{}]", r#"[{"A":1,"A":1}]"#, r#""\ud800""#] {
            assert_eq!(refusal(body), Some(Unreadable::NotAnObject), "{body:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        for body in [&b"{\"A\":\"\xff\"}"[..], b"\xff\xfe{\x00}\x00", b"{\"A\":\"\xed\xa0\x80\"}", b"{\"\xc0\xaf\":1}"]
        {
            assert_eq!(refusal(body), Some(Unreadable::NotUtf8));
        }
    }

    #[test]
    fn lone_surrogates_are_refused_wherever_they_stand() {
        for body in [
            r#"{"A":"\ud800"}"#,
            r#"{"A":"\udc00"}"#,
            r#"{"A":"\ud800\ud800"}"#,
            r#"{"A":"\ud800x"}"#,
            r#"{"\ud800":1}"#,
            r#"{"A":["\udfff"]}"#,
            r#"{"unknown":{"A":["\ud83d"]}}"#,
            r#"{"A":"\ud800\n"}"#,
        ] {
            assert_eq!(refusal(body), Some(Unreadable::LoneSurrogate), "{body}");
        }
    }

    #[test]
    fn the_same_property_twice_is_refused_wherever_and_however_it_is_written() {
        for body in [
            r#"{"A":1,"A":1}"#,
            r#"{"A":null,"A":1}"#,
            r#"{"A":1,"\u0041":2}"#,
            r#"{"U":{"A":1,"A":1}}"#,
            r#"{"U":[{"A":1,"B":2,"A":1}]}"#,
        ] {
            assert_eq!(refusal(body), Some(Unreadable::DuplicateKey), "{body}");
        }
        assert!(refusal(r#"{"A":1,"a":2,"B":{"A":1}}"#).is_none(), "names are exact, and per object");
    }

    #[test]
    fn the_sixty_fourth_level_is_the_last() {
        let objects = |levels| nested("{\"A\":", "}", levels);
        let arrays = |levels: usize| format!("{{\"A\":{}}}", nested("[", "]", levels - 1));
        for body in [objects(64), arrays(64)] {
            assert_eq!(refusal(body), None);
        }
        for body in [objects(65), arrays(65), arrays(30_000), objects(10_000)] {
            assert_eq!(refusal(body), Some(Unreadable::TooDeep));
        }
    }

    #[test]
    fn a_body_of_many_properties_and_many_levels_is_read() {
        let many: Vec<String> = (0..8_000).map(|number| format!("\"{number}\":1")).collect();
        let wide = format!("{{{}}}", many.join(","));
        assert_eq!(read(wide.as_bytes()).unwrap().object.names().count(), 8_000);
        let deep_and_wide = format!("{}[{}1]{}", "{\"A\":".repeat(62), "1,".repeat(30_000), "}".repeat(62));
        assert_eq!(refusal(deep_and_wide), None);
    }
}
