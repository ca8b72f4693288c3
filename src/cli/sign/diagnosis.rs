//! Why a signature does not match: tries what senders get wrong until one of it gives the signature they sent.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use sha2::{Digest, Sha256};

use super::respace::{Escapes, Numbers, Spacing, respace};
use crate::config::SigningKey;
use crate::http::signature;

/// What was found out about a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is right; the place of the key in the settings, from 1.
    Valid { key: usize },
    /// It is wrong, and this is how it was made or what is wrong with its form.
    Explained(String),
    /// It is wrong, and nothing that was tried gives it.
    Unexplained,
}

/// The same bytes altered in one way, and how to say so.
struct Variant<'a> {
    bytes: Cow<'a, [u8]>,
    /// Continues the sentence "It was made …".
    said: String,
}

/// Compares `sent` with what `keys` make of `body`, and looks for the reason where they differ.
pub fn diagnose(sent: &str, body: &[u8], keys: &[SigningKey]) -> Finding {
    let found = wanted_digits(sent);
    if let Ok(wanted) = &found {
        if let Some(at) = keys.iter().position(|key| signature::sign(key.bytes(), body) == *wanted) {
            return match wrong_form(sent) {
                None => Finding::Valid { key: at + 1 },
                Some(problem) => Finding::Explained(format!("The digest is right, but its form is not: {problem}.")),
            };
        }
        if let Some(said) = other_making(wanted, body, keys) {
            return Finding::Explained(format!("It was made {said}."));
        }
    }
    match found {
        Err(problem) => Finding::Explained(problem),
        Ok(_) => wrong_form(sent).map_or(Finding::Unexplained, |problem| {
            Finding::Explained(format!("Its form is wrong: {problem}. With that put right it still does not match."))
        }),
    }
}

/// The 64 small hexadecimal digits that the text stands for, however it is dressed; else what its form says about how
/// it was made.
fn wanted_digits(sent: &str) -> Result<String, String> {
    let bare = bare(sent);
    if bare.is_empty() {
        return Err("The signature is empty.".to_owned());
    }
    let bytes = match hex::decode(bare) {
        Ok(bytes) => bytes,
        Err(_) => base64(bare).ok_or(
            "It is neither hexadecimal nor Base64. X-Signature is the 64 hexadecimal digits of an HMAC-SHA256."
                .to_owned(),
        )?,
    };
    match bytes.len() {
        32 => Ok(hex::encode(bytes)),
        // The digest's hexadecimal text, encoded once more.
        64 if bytes.iter().all(u8::is_ascii_hexdigit) => Ok(String::from_utf8_lossy(&bytes).to_lowercase()),
        20 => Err("It has 20 bytes, as an HMAC-SHA1 has. The contract's is HMAC-SHA256: 32 bytes.".to_owned()),
        16 => Err("It has 16 bytes, as an HMAC-MD5 has. The contract's is HMAC-SHA256: 32 bytes.".to_owned()),
        64 => Err("It has 64 bytes, as an HMAC-SHA512 has. The contract's is HMAC-SHA256: 32 bytes.".to_owned()),
        48 => Err("It has 48 bytes, as an HMAC-SHA384 has. The contract's is HMAC-SHA256: 32 bytes.".to_owned()),
        length => Err(format!("It stands for {length} bytes, and an HMAC-SHA256 has 32: a part is missing or added.")),
    }
}

/// What is wrong with the form of a signature that stands for 32 bytes.
fn wrong_form(sent: &str) -> Option<String> {
    let bare = bare(sent);
    if sent.trim() != bare {
        return Some("it has a prefix or quotes, and the header holds the 64 hexadecimal digits alone".to_owned());
    }
    if bare.len() != 64 {
        return Some("it is Base64, and the header holds 64 hexadecimal digits".to_owned());
    }
    None
}

fn bare(sent: &str) -> &str {
    let text = sent.trim().trim_matches(['"', '\'']);
    let text = text.strip_prefix("X-Signature:").unwrap_or(text).trim();
    let is_prefix = |prefix: &str| prefix.eq_ignore_ascii_case("sha256") || prefix.eq_ignore_ascii_case("v1");
    match text.split_once('=') {
        Some((prefix, rest)) if is_prefix(prefix) => rest,
        _ => text,
    }
}

fn other_making(wanted: &str, body: &[u8], keys: &[SigningKey]) -> Option<String> {
    let bodies = body_variants(body);
    for (at, key) in keys.iter().enumerate() {
        let which = if keys.len() == 1 { String::new() } else { format!(" (key {})", at + 1) };
        // The body alone first, then the key alone, then both: the simplest explanation is the likeliest.
        for key in key_variants(key.bytes()) {
            for body in &bodies {
                if signature::sign(&key.bytes, &body.bytes) == wanted {
                    let said: Vec<&str> =
                        [body.said.as_str(), key.said.as_str()].into_iter().filter(|said| !said.is_empty()).collect();
                    return Some(format!("{}{which}", said.join(", and ")));
                }
            }
        }
        let makings = [
            (hex::encode(Sha256::digest(body)), "as a plain SHA-256 of the body, without the key"),
            (
                hex::encode(Sha256::digest([key.bytes(), body].concat())),
                "as SHA-256 of the key and the body, not as HMAC",
            ),
            (
                hex::encode(Sha256::digest([body, key.bytes()].concat())),
                "as SHA-256 of the body and the key, not as HMAC",
            ),
            (signature::sign(body, key.bytes()), "with the key and the body in each other's place"),
        ];
        if let Some((_, said)) = makings.into_iter().find(|(made, _)| made == wanted) {
            return Some(format!("{said}{which}"));
        }
    }
    None
}

/// The body as it stands first, then as other hands would have written it.
fn body_variants(body: &[u8]) -> Vec<Variant<'_>> {
    let mut variants = vec![Variant { bytes: Cow::Borrowed(body), said: String::new() }];
    let mut add = |bytes: Cow<'_, [u8]>, said: &str| {
        variants.push(Variant {
            bytes: Cow::Owned(bytes.into_owned()),
            said: format!("{said}; the bytes that are signed must be the bytes that are sent"),
        });
    };
    let trimmed = body.trim_ascii();
    if let Some(shorter) = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n")) {
        add(
            shorter.into(),
            "over the body without its last line end (an editor, `echo` or `curl -d @file` adds or drops it)",
        );
    }
    add([body, b"\n"].concat().into(), "over the body with one more line end after it");
    add([body, b"\r\n"].concat().into(), "over the body with one more Windows line end after it");
    if trimmed != body {
        add(trimmed.into(), "over the body without the blanks around it");
    }
    match body.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => add(rest.into(), "over the body without the byte order mark in front of it"),
        None => add([b"\xef\xbb\xbf", body].concat().into(), "over the body with a byte order mark in front of it"),
    }
    add(b"".as_slice().into(), "over an empty body");
    let Ok(text) = std::str::from_utf8(trimmed) else { return variants };
    if text.contains('\n') {
        add(text.replace("\r\n", "\n").into_bytes().into(), "over the body with Unix line ends");
        add(
            text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes().into(),
            "over the body with Windows line ends",
        );
    }
    let spacings = [
        (Spacing::Kept, ""),
        (Spacing::Compact, "without blanks, as `JSON.stringify` writes"),
        (Spacing::OneSpace, "with a space after `:` and `,`, as Python's `json.dumps` writes"),
        (Spacing::Indented(2), "indented by two spaces"),
        (Spacing::Indented(4), "indented by four spaces"),
    ];
    let numbers = [
        (Numbers::Kept, ""),
        (Numbers::Shortest, "with numbers as JavaScript writes them (1500.00 as 1500)"),
        (Numbers::OneDecimal, "with numbers as Python writes them (1500.00 as 1500.0)"),
    ];
    let escapes = [
        (Escapes::Kept, ""),
        (Escapes::Ascii, "with letters beyond ASCII as \\uXXXX"),
        (Escapes::AsciiAndSlash, "with letters beyond ASCII as \\uXXXX and / as \\/, as PHP writes"),
        (Escapes::Plain, "with \\uXXXX and \\/ written out"),
    ];
    for (spacing, spaced) in spacings {
        for (numbers, numbered) in numbers {
            for (escapes, escaped) in escapes {
                let Some(written) = respace(text, spacing, numbers, escapes) else { continue };
                let how: Vec<&str> = [spaced, numbered, escaped].into_iter().filter(|part| !part.is_empty()).collect();
                if !how.is_empty() {
                    add(written.into_bytes().into(), &format!("over the same JSON {}", how.join(", ")));
                }
            }
        }
    }
    if let Some(sorted) = with_sorted_keys(text) {
        add(sorted.into_bytes().into(), "over the same JSON without blanks and with its keys sorted");
    }
    with_line_ends(&mut variants);
    variants
}

/// Each again with a line end after it, as a program prints what it signs.
fn with_line_ends(variants: &mut Vec<Variant<'_>>) {
    let ended: Vec<Variant<'_>> = variants
        .iter()
        .filter(|variant| variant.said.contains("the same JSON"))
        .map(|variant| Variant {
            bytes: [&*variant.bytes, b"\n"].concat().into(),
            said: variant.said.replacen("over the same JSON", "over the same JSON with a line end after it,", 1),
        })
        .collect();
    variants.extend(ended);
}

fn with_sorted_keys(text: &str) -> Option<String> {
    // Without serde_json's `preserve_order` an object is a sorted map.
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(value.to_string())
}

/// The key as it stands first, then as a hand or a tool may have altered it.
fn key_variants(key: &[u8]) -> Vec<Variant<'_>> {
    let mut variants = vec![Variant { bytes: Cow::Borrowed(key), said: String::new() }];
    let mut add = |bytes: Vec<u8>, said: &str| {
        if bytes != key {
            variants.push(Variant { bytes: bytes.into(), said: said.to_owned() });
        }
    };
    add(key.trim_ascii().to_vec(), "with the key without the blanks around it");
    add([key, b"\n"].concat(), "with a line end after the key (as when it is read from a file)");
    add([key, b"\r\n"].concat(), "with a Windows line end after the key (as when it is read from a file)");
    add([key, b" "].concat(), "with a space after the key");
    add([b" ", key].concat(), "with a space before the key");
    add([b"\"", key, b"\""].concat(), "with the key in quotes");
    if let Some(bare) = key.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        add(bare.to_vec(), "with the key without its quotes");
    }
    if let Ok(bytes) = hex::decode(key) {
        add(bytes, "with the bytes that the key stands for in hexadecimal; its text as it stands is the key");
    }
    if let Some(bytes) = std::str::from_utf8(key).ok().and_then(base64) {
        add(bytes, "with the bytes that the key stands for in Base64; its text as it stands is the key");
    }
    add(hex::encode(key).into_bytes(), "with the key's bytes written in hexadecimal");
    add(key.to_ascii_lowercase(), "with the key in small letters");
    add(key.to_ascii_uppercase(), "with the key in capital letters");
    add(Vec::new(), "with an empty key");
    variants
}

/// Standard or URL-safe Base64, padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let engines = [STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT];
    engines.iter().find_map(|engine| engine.decode(text).ok()).filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a-key-of-the-tests-1";
    const BODY: &[u8] = b"{\"Name\": \"Jos\xc3\xa9\", \"Amount\": 1500.00}\n";

    fn signed(key: &[u8], body: &[u8]) -> String {
        signature::sign(key, body)
    }

    fn explained(sent: &str) -> String {
        match diagnose(sent, BODY, &[SigningKey::new(KEY)]) {
            Finding::Explained(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_right_signature_is_valid_in_either_case_and_names_its_key() {
        let keys = [SigningKey::new("another-key-of-tests"), SigningKey::new(KEY)];
        let sent = signed(KEY.as_bytes(), BODY);
        assert_eq!(diagnose(&sent, BODY, &keys), Finding::Valid { key: 2 });
        assert_eq!(diagnose(&sent.to_uppercase(), BODY, &keys), Finding::Valid { key: 2 });
    }

    #[test]
    fn a_line_end_too_few_or_too_many_is_found() {
        assert!(explained(&signed(KEY.as_bytes(), BODY.trim_ascii_end())).contains("without its last line end"));
        assert!(explained(&signed(KEY.as_bytes(), &[BODY, b"\n"].concat())).contains("one more line end"));
    }

    #[test]
    fn json_that_was_serialised_again_is_found() {
        let stringified = "{\"Name\":\"José\",\"Amount\":1500}".as_bytes();
        assert!(explained(&signed(KEY.as_bytes(), stringified)).contains("JavaScript"));
        let compact = "{\"Name\":\"José\",\"Amount\":1500.00}".as_bytes();
        assert!(explained(&signed(KEY.as_bytes(), compact)).contains("without blanks"));
        let dumped = br#"{"Name": "Jos\u00e9", "Amount": 1500.0}"#;
        assert!(explained(&signed(KEY.as_bytes(), dumped)).contains("Python"));
        let sorted = "{\"Amount\":1500.0,\"Name\":\"José\"}".as_bytes();
        assert!(explained(&signed(KEY.as_bytes(), sorted)).contains("keys sorted"));
    }

    #[test]
    fn json_that_another_program_printed_is_found() {
        let printed = "{\n  \"Name\": \"José\",\n  \"Amount\": 1500.00\n}\n".as_bytes();
        let text = explained(&signed(KEY.as_bytes(), printed));
        assert!(text.contains("indented by two spaces") && text.contains("line end after it"), "{text}");
    }

    #[test]
    fn an_altered_key_is_found_and_never_printed() {
        for (key, word) in [
            (format!("{KEY}\n"), "line end after the key"),
            (format!(" {KEY}"), "space before the key"),
            (format!("\"{KEY}\""), "key in quotes"),
            (hex::encode(KEY), "written in hexadecimal"),
        ] {
            let text = explained(&signed(key.as_bytes(), BODY));
            assert!(text.contains(word), "{text}");
            assert!(!text.contains(KEY), "{text}");
        }
    }

    #[test]
    fn an_altered_key_and_an_altered_body_are_found_together() {
        let text = explained(&signed(format!("{KEY}\n").as_bytes(), BODY.trim_ascii_end()));
        assert!(text.contains("without its last line end") && text.contains("line end after the key"), "{text}");
    }

    #[test]
    fn other_algorithms_are_found() {
        assert!(explained(&hex::encode(Sha256::digest(BODY))).contains("without the key"));
        assert!(explained(&signed(BODY, KEY.as_bytes())).contains("each other's place"));
        assert!(explained(&"ab".repeat(64)).contains("SHA512"));
        assert!(explained(&"ab".repeat(20)).contains("SHA1"));
    }

    #[test]
    fn a_wrong_form_of_the_right_digest_is_found() {
        let right = signed(KEY.as_bytes(), BODY);
        assert!(explained(&format!("sha256={right}")).contains("prefix"));
        assert!(explained(&STANDARD_PAD_INDIFFERENT.encode(hex::decode(&right).unwrap())).contains("Base64"));
        assert!(explained(&right[..60]).contains("30 bytes"));
        assert!(explained("").contains("empty"));
        assert!(explained("not a signature!").contains("neither"));
    }

    #[test]
    fn what_nothing_explains_is_said_so() {
        let sent = signed(b"quite another key", BODY);
        assert_eq!(diagnose(&sent, BODY, &[SigningKey::new(KEY)]), Finding::Unexplained);
    }
}
