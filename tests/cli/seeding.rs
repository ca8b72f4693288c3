//! `seed`.

use std::fs;

use crate::program::{Desk, Ran, in_repository};

const HEADER: &str = "AccountIdentifier,Currency,Status,Tier,OpeningBalance,PersonalData.PhoneNumber,\
                      PersonalData.FirstName,PersonalData.LastName,PersonalData.Gender,PersonalData.BirthDate,\
                      PersonalData.Address.Address1,PersonalData.Address.ZipCode,PersonalData.Address.City,\
                      PersonalData.Address.CountryCode,PersonalData.Address.StateCode,PersonalDocuments.1.DocumentType,\
                      PersonalDocuments.1.Number";

/// A row for account `number`, each held by a person of its own.
fn row(number: usize) -> String {
    format!(
        "{number},MXN,Active,standard,1.50,+5255{:08},Persona{number},Apellido,None,1990-01-31,Calle 1,06700,CDMX,MX,\
         CMX,INE_IFE,{number:013}",
        10_000_000 + number
    )
}

fn csv(rows: impl IntoIterator<Item = String>) -> String {
    let rows: Vec<String> = rows.into_iter().collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn accounts(desk: &Desk) -> i64 {
    desk.json(&["account", "list"])["pagination"]["total"].as_i64().unwrap()
}

#[test]
fn seeding_twice_changes_nothing() {
    let desk = Desk::new();
    let demo = in_repository("seeds/demo.json");
    assert!(desk.well(&["seed", &demo]).contains("12 created, 0 already there"));
    assert!(desk.well(&["seed", &demo]).contains("0 created, 12 already there"));
    assert_eq!(accounts(&desk), 12);
    assert_eq!(desk.balance("4000000000020026"), "2500.00");
    desk.well(&["audit"]);
}

#[test]
fn a_csv_file_longer_than_a_chunk_is_seeded_whole() {
    let desk = Desk::new();
    desk.write("accounts.csv", &csv((1..=2_500).map(row)));
    assert!(desk.well(&["seed", "accounts.csv"]).contains("2500 created"));
    assert!(desk.well(&["seed", "accounts.csv"]).contains("2500 already there"));
    let account = desk.json(&["account", "show", "2500"]);
    assert_eq!(account["balance"], "1.50");
    assert_eq!(account["personalDocuments"][0]["DocumentType"], "INE_IFE");
    desk.well(&["audit"]);
}

#[test]
fn a_contradiction_in_the_last_row_is_named_and_nothing_of_the_file_is_written() {
    let desk = Desk::new();
    desk.write("first.csv", &csv([row(1_500)]));
    desk.well(&["seed", "first.csv"]);
    desk.write(
        "second.csv",
        &csv((1..=1_500).map(
            |number| {
                if number == 1_500 { row(number).replace(",1.50,", ",2.50,") } else { row(number) }
            },
        )),
    );
    let ran = desk.run(&["seed", "second.csv"]);
    ran.fails(1, "second.csv: line 1501, account 1500: OpeningBalance is not what is stored");
    assert_eq!(accounts(&desk), 1);
}

#[test]
fn a_wrong_row_is_named_by_line_account_and_field_without_its_data() {
    let desk = Desk::new();
    for (old, new, said) in [
        ("1990-01-31", "1990-02-31", "PersonalData.BirthDate"),
        ("MXN", "PESOS", "Currency"),
        ("INE_IFE", "INE", "PersonalDocuments[0].DocumentType"),
        ("Active", "Asleep", "Status"),
    ] {
        desk.write("wrong.csv", &csv([row(1), row(2).replace(old, new), row(3)]));
        let ran = desk.run(&["seed", "wrong.csv"]);
        ran.fails(2, "wrong.csv: line 3, account 2: ");
        assert!(ran.err.contains(said), "{}", ran.err);
        assert!(!ran.err.contains("Persona2") && !ran.err.contains(new), "{}", ran.err);
    }
    let text = fs::read_to_string(in_repository("seeds/demo.json")).unwrap();
    desk.write("wrong.json", &text.replacen("\"Gender\": \"Male\"", "\"Gender\": \"male\"", 1));
    desk.run(&["seed", "wrong.json"])
        .fails(2, "wrong.json: accounts[2], account 4000000000020026: PersonalData.Gender");
    assert_eq!(accounts(&desk), 0);
}

#[test]
fn an_account_in_a_currency_that_is_not_taken_is_named_and_nothing_of_the_file_is_written() {
    let desk = Desk::new();
    desk.write("mixed.csv", &csv([row(1), row(2).replace("MXN", "USD")]));
    let seed = |currencies| {
        let mut command = desk.command(&["seed", "mixed.csv"]);
        Ran::of(command.env("VNA_POLICY_CURRENCIES", currencies).output().unwrap())
    };
    seed("MXN,EUR").fails(2, "mixed.csv: line 3, account 2: Currency USD is not one of `currencies`");
    assert_eq!(accounts(&desk), 0);
    assert_eq!(seed("MXN,USD").code, 0);
    assert_eq!(accounts(&desk), 2);
}

#[test]
fn each_file_stands_for_itself_and_a_wrong_name_is_told_before_any_is_written() {
    let desk = Desk::new();
    desk.write("right.csv", &csv([row(1)]));
    desk.write("wrong.csv", &csv([row(2).replace("MXN", "XXX")]));
    desk.write("accounts.txt", "");
    desk.run(&["seed", "right.csv", "accounts.txt"]).fails(2, "accounts.txt");
    desk.well(&["migrate"]);
    assert_eq!(accounts(&desk), 0);
    assert_eq!(desk.run(&["seed", "right.csv", "wrong.csv"]).code, 2);
    assert_eq!(accounts(&desk), 1);
}

#[test]
fn a_row_that_says_something_else_of_a_known_person_is_named() {
    let desk = Desk::new();
    desk.write("first.csv", &csv([row(1)]));
    desk.well(&["seed", "first.csv"]);
    let changed = [
        ("Calle 1", "Calle 2"),
        (",None,", ",Female,"),
        ("+525510000001", "+525510000009"),
        ("INE_IFE", "Passport"),
        ("Persona1", "Persona2"),
        (",1.50,", ",2.50,"),
    ];
    for (stored, said) in changed {
        desk.write("second.csv", &csv([row(1).replace(stored, said)]));
        let ran = desk.run(&["seed", "second.csv"]);
        ran.fails(1, "is not what is stored");
        assert!(!ran.err.contains(said.trim_matches(',')), "{}", ran.err);
    }
    assert_eq!(accounts(&desk), 1);
}

#[test]
fn a_closed_account_is_not_seeded_with_money() {
    let desk = Desk::new();
    desk.write("closed.csv", &csv([row(1).replace(",Active,", ",Closed,")]));
    desk.run(&["seed", "closed.csv"]).fails(1, "a closed account holds no OpeningBalance");
    assert_eq!(accounts(&desk), 0);
}
