//! The ways in which senders write the same JSON: which spacing, which numbers, which escapes.
//!
//! Works on the text alone and keeps the order of keys, as a sender's own serialiser would have.

/// How the parts of a JSON text are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// As it stands.
    Kept,
    /// Nothing between the parts, as `JSON.stringify` and most serialisers write.
    Compact,
    /// A space after `:` and `,`, as Python's `json.dumps` writes.
    OneSpace,
    /// A line for each item, indented by so many spaces.
    Indented(usize),
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    Kept,
    /// The shortest form, as JavaScript writes: `1500.00` becomes `1500`.
    Shortest,
    /// The shortest form with at least one decimal where there were any, as Python writes: `1500.00` becomes `1500.0`.
    OneDecimal,
}

/// How texts are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    Kept,
    /// Everything beyond ASCII as `\uXXXX`, as Python, PHP and .NET do by default.
    Ascii,
    /// `/` as `\/` too, as PHP does.
    AsciiAndSlash,
    /// `\uXXXX` and `\/` written out, as JavaScript does.
    Plain,
}

/// A piece of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Open(char),
    Close(char),
    Comma,
    Colon,
    /// With its quotes.
    Text(&'a str),
    Number(&'a str),
    Word(&'a str),
}

/// `json` written another way; `None` where it is no JSON text.
pub fn respace(json: &str, spacing: Spacing, numbers: Numbers, escapes: Escapes) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(json).ok()?;
    let mut out = String::with_capacity(json.len());
    let mut depth = 0;
    let mut rest = json;
    let mut last = None;
    while let Some((before, token, after)) = next_token(rest) {
        match spacing {
            Spacing::Kept => out.push_str(before),
            Spacing::Compact => {}
            Spacing::OneSpace if matches!(last, Some(Token::Comma | Token::Colon)) => out.push(' '),
            Spacing::OneSpace => {}
            Spacing::Indented(width) => {
                if matches!(token, Token::Close(_)) {
                    depth -= 1;
                }
                let is_empty = matches!((last, token), (Some(Token::Open(_)), Token::Close(_)));
                match (last, token) {
                    _ if is_empty => {}
                    (Some(Token::Open(_) | Token::Comma), _) | (_, Token::Close(_)) => {
                        out.push('\n');
                        out.push_str(&" ".repeat(width * depth));
                    }
                    (Some(Token::Colon), _) => out.push(' '),
                    _ => {}
                }
                if matches!(token, Token::Open(_)) {
                    depth += 1;
                }
            }
        }
        match token {
            Token::Open(bracket) | Token::Close(bracket) => out.push(bracket),
            Token::Comma => out.push(','),
            Token::Colon => out.push(':'),
            Token::Text(text) => out.push_str(&escaped(text, escapes)),
            Token::Number(text) => out.push_str(&number(text, numbers)),
            Token::Word(word) => out.push_str(word),
        }
        last = Some(token);
        rest = after;
    }
    if spacing == Spacing::Kept {
        out.push_str(rest);
    }
    Some(out)
}

/// The blanks before the next token, the token, and what follows it. The text is known to be JSON.
fn next_token(text: &str) -> Option<(&str, Token<'_>, &str)> {
    let blanks = text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len();
    let (before, text) = text.split_at_checked(blanks)?;
    let first = text.chars().next()?;
    let (token, length) = match first {
        '{' | '[' => (Token::Open(first), 1),
        '}' | ']' => (Token::Close(first), 1),
        ',' => (Token::Comma, 1),
        ':' => (Token::Colon, 1),
        '"' => {
            let length = text_length(text)?;
            (Token::Text(text.get(..length)?), length)
        }
        '-' | '0'..='9' => {
            let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
            let length = text.find(|c| !is_part(c)).unwrap_or(text.len());
            (Token::Number(text.get(..length)?), length)
        }
        _ => {
            let length = text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len()).max(first.len_utf8());
            (Token::Word(text.get(..length)?), length)
        }
    };
    Some((before, token, text.get(length..)?))
}

/// The length of a JSON text with both its quotes.
fn text_length(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn number(text: &str, numbers: Numbers) -> String {
    let has_decimals = text.contains(['.', 'e', 'E']);
    match (numbers, text.parse::<f64>()) {
        (Numbers::Shortest, Ok(value)) => value.to_string(),
        (Numbers::OneDecimal, Ok(value)) if has_decimals => format!("{value:?}"),
        _ => text.to_owned(),
    }
}

fn escaped(text: &str, escapes: Escapes) -> String {
    let Ok(plain) = serde_json::from_str::<String>(text) else { return text.to_owned() };
    match escapes {
        Escapes::Kept => text.to_owned(),
        Escapes::Plain => serde_json::Value::String(plain).to_string(),
        Escapes::Ascii => ascii(&plain),
        Escapes::AsciiAndSlash => ascii(&plain).replace('/', "\\/"),
    }
}

fn ascii(plain: &str) -> String {
    let mut out = String::new();
    for character in serde_json::Value::String(plain.to_owned()).to_string().chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "{ \"Name\": \"José/\\\"x\\\"\",\n \"Amount\":1500.00, \"Empty\":[], \"List\":[1, null] }\n";

    fn written(spacing: Spacing, numbers: Numbers, escapes: Escapes) -> String {
        respace(BODY, spacing, numbers, escapes).unwrap()
    }

    #[test]
    fn kept_is_the_same_text() {
        assert_eq!(written(Spacing::Kept, Numbers::Kept, Escapes::Kept), BODY);
    }

    #[test]
    fn as_javascript_writes() {
        assert_eq!(
            written(Spacing::Compact, Numbers::Shortest, Escapes::Plain),
            r#"{"Name":"José/\"x\"","Amount":1500,"Empty":[],"List":[1,null]}"#
        );
    }

    #[test]
    fn as_python_writes() {
        assert_eq!(
            written(Spacing::OneSpace, Numbers::OneDecimal, Escapes::Ascii),
            r#"{"Name": "Jos\u00e9/\"x\"", "Amount": 1500.0, "Empty": [], "List": [1, null]}"#
        );
    }

    #[test]
    fn as_php_writes() {
        assert_eq!(
            written(Spacing::Compact, Numbers::Kept, Escapes::AsciiAndSlash),
            r#"{"Name":"Jos\u00e9\/\"x\"","Amount":1500.00,"Empty":[],"List":[1,null]}"#
        );
    }

    #[test]
    fn indented_as_every_pretty_printer_does() {
        assert_eq!(
            written(Spacing::Indented(2), Numbers::Kept, Escapes::Kept),
            "{\n  \"Name\": \"José/\\\"x\\\"\",\n  \"Amount\": 1500.00,\n  \"Empty\": [],\n  \"List\": [\n    1,\n    \
             null\n  ]\n}"
        );
    }

    #[test]
    fn what_is_no_json_is_left_alone() {
        assert_eq!(respace("Amount=1", Spacing::Compact, Numbers::Kept, Escapes::Kept), None);
        assert_eq!(respace("", Spacing::Compact, Numbers::Kept, Escapes::Kept), None);
    }
}
