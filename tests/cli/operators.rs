//! What operators do at the command line.

use crate::program::{Desk, tamper};

const ACCOUNT: &str = "4000000000020026";

fn seeded() -> Desk {
    let desk = Desk::new();
    desk.seed_demo();
    desk
}

#[test]
fn a_block_is_recorded_with_who_when_and_why() {
    let desk = seeded();
    let case = ["--status", "BlockedByLaw", "--case-number", "12/2026", "--review-date", "2027-01-31"];
    desk.well(&[&["account", "block", ACCOUNT, "--reason", "court order"][..], &case].concat());
    assert_eq!(desk.json(&["account", "show", ACCOUNT])["status"], "BlockedByLaw");
    let change = desk.json(&["account", "changes", ACCOUNT])["items"][0].clone();
    assert_eq!(change["action"], "block");
    assert_eq!(change["reason"], "court order");
    assert_eq!(change["caseNumber"], "12/2026");
    assert!(!change["who"].as_str().unwrap().is_empty());

    desk.run(&["account", "close", ACCOUNT, "--reason", "left"]).fails(1, "unblock it first");
    desk.well(&["account", "unblock", ACCOUNT, "--reason", "order lifted"]);
    assert_eq!(desk.json(&["account", "show", ACCOUNT])["status"], "Active");
}

#[test]
fn what_changes_something_needs_a_reason() {
    let desk = seeded();
    for arguments in [
        &["account", "block", ACCOUNT][..],
        &["account", "close", ACCOUNT],
        &["account", "tier", ACCOUNT, "gold"],
        &["account", "close", ACCOUNT, "--reason", " "],
        &["account", "debit", ACCOUNT, "1.00", "--reason", "without a key"],
    ] {
        let ran = desk.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.err.contains("--reason") || ran.err.contains("--idempotency-key"), "{}", ran.err);
    }
}

#[test]
fn a_debit_under_one_key_happens_once() {
    let desk = seeded();
    let debit = |amount| ["account", "debit", ACCOUNT, amount, "--reason", "card", "--idempotency-key", "payment-7"];
    let first = desk.well(&debit("10.00"));
    assert_eq!(desk.well(&debit("10.00")), first);
    desk.run(&debit("11.00")).fails(1, "used for something else");
    assert_eq!(desk.balance(ACCOUNT), "2490.00");
    let statement = desk.json(&["account", "statement", ACCOUNT]);
    assert_eq!(statement["pagination"]["total"], 2);
    desk.run(&["account", "debit", ACCOUNT, "2490.01", "--reason", "card", "--idempotency-key", "payment-8"])
        .fails(1, "lower than the debit");
    for no_key in ["", "payment 9", "año", &"k".repeat(256)] {
        let ran = desk.run(&["account", "debit", ACCOUNT, "1.00", "--reason", "card", "--idempotency-key", no_key]);
        assert_eq!(ran.code, 2, "{no_key:?}");
        assert!(ran.err.contains("1 to 255 visible ASCII characters"), "{}", ran.err);
    }
    desk.well(&["audit"]);
}

#[test]
fn an_account_is_opened_from_a_person_once() {
    let desk = seeded();
    desk.write(
        "person.json",
        r#"{"PersonalData":{"PhoneNumber":"+525555999999","FirstName":"Eva","LastName":"Sol","Gender":"None",
            "BirthDate":"1999-12-31","Address":{"Address1":"Calle 1","ZipCode":"06700","City":"CDMX",
            "CountryCode":"MX","StateCode":"CMX"}}}"#,
    );
    let create = ["account", "create", "--currency", "MXN", "--person", "person.json"];
    let opened = desk.json(&[&create[..], &["--tier", "gold"]].concat());
    assert_eq!(opened["tier"], "gold");
    desk.run(&create).fails(1, opened["accountIdentifier"].as_str().unwrap());
    desk.write("person.json", r#"{"PersonalData":{"FirstName":"Secreto"}}"#);
    let ran = desk.run(&create);
    ran.fails(2, "PersonalData.LastName is missing");
    assert!(!ran.err.contains("Secreto"));
}

#[test]
fn lists_are_filtered_and_paged() {
    let desk = seeded();
    let total =
        |filter: &[&str]| desk.json(&[&["account", "list"], filter].concat())["pagination"]["total"].as_i64().unwrap();
    assert_eq!(total(&["--status", "BlockedByLaw"]), 1);
    assert_eq!(total(&["--currency", "USD"]), 3);
    assert_eq!(total(&["--tier", "one-a-day"]), 1);
    let page = desk.well(&["account", "list", "--limit", "5"]);
    assert!(page.ends_with("5 of 12; --offset 5 shows more\n"), "{page}");
    for wrong in [["--limit", "0"], ["--limit", "101"], ["--status", "Asleep"], ["--currency", "XXX"]] {
        assert_eq!(desk.run(&[&["account", "list"], &wrong[..]].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn what_is_not_there_is_said_so() {
    let desk = seeded();
    let id = "019a9f3e-5c1b-7d4e-9b7a-3f2a8c6d1e50";
    for arguments in [
        &["account", "show", "1"][..],
        &["account", "statement", "1"],
        &["account", "unblock", "1", "--reason", "x"],
        &["authorization", "show", id],
        &["authorization", "void", id, "--reason", "x"],
        &["credit", "show", id],
        &["credit", "settle", id, "--outcome", "Approved", "--reason", "x"],
        &["ambiguous", "credit", id, "--reason", "x"],
        &["explain", id],
    ] {
        desk.run(arguments).fails(1, "no");
    }
    assert_eq!(desk.run(&["explain", "not-an-identifier"]).code, 2);
}

#[test]
fn what_the_admin_api_refuses_the_command_line_refuses_too() {
    let desk = seeded();
    let (long_tier, long_reason) = ("x".repeat(65), "x".repeat(501));
    for wrong in [
        &["account", "block", ACCOUNT, "--reason", "x", "--review-date", "+2027-1-31"][..],
        &["account", "block", ACCOUNT, "--reason", &long_reason],
        &["account", "tier", ACCOUNT, &long_tier, "--reason", "x"],
        &["explain", "{019a9f3e-5c1b-7d4e-9b7a-3f2a8c6d1e50}"],
        &["decision", "list", "--reason", "ByVelocty"],
    ] {
        let ran = desk.run(wrong);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{wrong:?}");
        assert!(ran.err.contains("invalid value"), "{}", ran.err);
    }
}

#[tokio::test]
async fn an_audit_of_altered_books_names_the_account_and_fails() {
    let desk = seeded();
    desk.well(&["audit"]);
    tamper(&desk, "UPDATE accounts SET balance = balance + 1 WHERE id = '4000000000020026'").await;
    let ran = desk.run(&["audit"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("WRONG") && ran.out.contains(ACCOUNT), "{}", ran.out);
    assert_eq!(desk.run(&["audit", "--json"]).code, 1);
}

#[test]
fn every_command_explains_itself() {
    let desk = Desk::new();
    for command in [
        "demo",
        "serve",
        "migrate",
        "seed",
        "account",
        "authorization",
        "credit",
        "ambiguous",
        "reversal",
        "decision",
        "explain",
        "rules",
        "sign",
        "audit",
        "store",
        "store copy",
        "store compare",
        "store backup",
        "healthcheck",
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        assert!(desk.well(&arguments).contains("Usage:"), "{command}");
    }
}
