//! Every dependency is under a licence that lets a partner ship the binary, whatever it combines (SPDX, annex D).

#![expect(clippy::expect_used, reason = "a check that cannot run has failed")]

use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than their notice. A new one is added after it was read.
const ALLOWED: [&str; 10] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

#[test]
fn every_dependency_is_under_an_allowed_licence() {
    let offenders: Vec<String> = packages()
        .iter()
        .filter_map(|package| {
            let name = format!("{} {}", package["name"], package["version"]);
            match package["license"].as_str() {
                None => Some(format!("{name} names no licence")),
                Some(expression) => match is_allowed(expression) {
                    Ok(true) => None,
                    Ok(false) => Some(format!("{name} is under {expression}")),
                    Err(why) => Some(format!("{name}: cannot read `{expression}`: {why}")),
                },
            }
        })
        .collect();
    assert!(offenders.is_empty(), "look at these and add what is permissive to ALLOWED:\n{}", offenders.join("\n"));
}

#[test]
fn a_choice_needs_one_allowed_licence_and_a_combination_all() {
    for allowed in [
        "MIT",
        "MIT OR GPL-3.0-only",
        "GPL-3.0-only OR MIT",
        "GPL-3.0-only/MIT",
        "(MIT OR GPL-3.0-only) AND Zlib",
        "GPL-3.0-only AND Zlib OR MIT",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert_eq!(is_allowed(allowed), Ok(true), "{allowed}");
    }
    for refused in [
        "GPL-3.0-only",
        "AGPL-3.0-only OR GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "MIT AND (GPL-3.0-only OR AGPL-3.0-only)",
        "MIT WITH Something-exception",
    ] {
        assert_eq!(is_allowed(refused), Ok(false), "{refused}");
    }
    for unreadable in ["", "MIT OR", "(MIT", "MIT)", "MIT Zlib", "AND MIT"] {
        assert!(is_allowed(unreadable).is_err(), "{unreadable}");
    }
}

/// What is built into the image, and what builds and tests it.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("cargo metadata lists packages").clone()
}

/// Evaluates an SPDX expression; `OR` (and the older `/`) binds weaker than `AND`.
fn is_allowed(expression: &str) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let allowed = any(&mut rest)?;
    if rest.is_empty() { Ok(allowed) } else { Err(format!("`{}` is left over", rest.join(" "))) }
}

fn any(rest: &mut &[&str]) -> Result<bool, String> {
    let mut allowed = all(rest)?;
    while took(rest, "OR") {
        allowed |= all(rest)?;
    }
    Ok(allowed)
}

fn all(rest: &mut &[&str]) -> Result<bool, String> {
    let mut allowed = one(rest)?;
    while took(rest, "AND") {
        allowed &= one(rest)?;
    }
    Ok(allowed)
}

fn one(rest: &mut &[&str]) -> Result<bool, String> {
    if took(rest, "(") {
        let allowed = any(rest)?;
        return if took(rest, ")") { Ok(allowed) } else { Err("a parenthesis is not closed".to_owned()) };
    }
    let licence = word(rest)?;
    if took(rest, "WITH") {
        let exception = word(rest)?;
        return Ok(ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()));
    }
    Ok(ALLOWED.contains(&licence))
}

fn took(rest: &mut &[&str], expected: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == expected => {
            *rest = after;
            true
        }
        _ => false,
    }
}

fn word<'a>(rest: &mut &[&'a str]) -> Result<&'a str, String> {
    match rest.split_first() {
        Some((first, after)) if !["AND", "OR", "WITH", "(", ")"].contains(first) => {
            *rest = after;
            Ok(first)
        }
        _ => Err("a licence is missing".to_owned()),
    }
}
