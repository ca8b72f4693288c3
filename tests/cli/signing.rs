//! `sign`.

use std::io::Write;
use std::process::Stdio;

use crate::program::{Desk, Ran, SIGNING_KEY};
use vna_partner::http::signature::sign;

const BODY: &str = "{\"AccountIdentifier\": \"4000000000001234\", \"Amount\": 1500.00}";

#[test]
fn a_body_is_signed_as_it_stands_from_a_file_and_from_standard_input() {
    let desk = Desk::new();
    let expected = format!("{}\n", sign(SIGNING_KEY.as_bytes(), BODY.as_bytes()));
    desk.write("body.json", BODY);
    assert_eq!(desk.well(&["sign", "body.json"]), expected);

    let mut child = desk.command(&["sign"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(BODY.as_bytes()).unwrap();
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).out, expected);

    let rotated = format!("{SIGNING_KEY},the-next-key-of-tests");
    let first = desk.command(&["sign", "body.json"]).env("VNA_SIGNING_KEYS", rotated).output().unwrap();
    assert_eq!(Ran::of(first).out, expected);
}

#[test]
fn a_signature_that_does_not_match_is_explained() {
    let desk = Desk::new();
    desk.write("body.json", &format!("{BODY}\n"));
    let verify =
        |key: &str, body: &str| desk.run(&["sign", "body.json", "--verify", &sign(key.as_bytes(), body.as_bytes())]);

    let right = verify(SIGNING_KEY, &format!("{BODY}\n"));
    assert_eq!((right.code, right.out.contains("right")), (0, true));
    for (key, body, said) in [
        (SIGNING_KEY.to_owned(), BODY.to_owned(), "without its last line end"),
        (
            SIGNING_KEY.to_owned(),
            "{\"AccountIdentifier\":\"4000000000001234\",\"Amount\":1500}".to_owned(),
            "JavaScript",
        ),
        (format!("{SIGNING_KEY}\n"), format!("{BODY}\n"), "a line end after the key"),
        ("another key".to_owned(), format!("{BODY}\n"), "another key"),
    ] {
        let ran = verify(&key, &body);
        assert_eq!(ran.code, 1);
        assert!(ran.out.contains(said), "{}", ran.out);
        assert!(!ran.out.contains(SIGNING_KEY) && !ran.err.contains(SIGNING_KEY));
    }
}

#[test]
fn nothing_is_signed_without_a_key() {
    let desk = Desk::new();
    let ran = desk.command(&["sign"]).env_remove("VNA_SIGNING_KEYS").output().unwrap();
    Ran::of(ran).fails(2, "VNA_SIGNING_KEYS");
}
