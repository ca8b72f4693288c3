//! `demo`, and what its accounts provoke.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::program::{Desk, in_repository, post, stop};

#[test]
fn every_answer_of_the_story_is_as_it_should_be() {
    let desk = Desk::new();
    let told = desk.well(&["demo", "--once"]);
    for said in [
        "POST /CreateAccount",
        "POST /GetCreateAccountUrl",
        "POST /TxAuthorization",
        "POST /CreditFunds",
        "POST /GetCreditStatus",
        "POST /ReverseCreditFunds",
        "X-Signature: ",
        "\"NonAuthorizedReason\":\"ByVelocity\"",
        "REFUSED: ByAmountLimit",
        "AccountBlockedByLaw",
        "The books are sound",
        "Every answer was as it should be.",
    ] {
        assert!(told.contains(said), "`{said}` is missing");
    }
    assert!(!told.contains('\u{1b}'), "colours are for terminals");
}

#[test]
fn the_demo_keeps_its_directory_and_takes_only_a_fresh_one() {
    let desk = Desk::new();
    desk.well(&["demo", "--once", "--directory", "kept"]);
    assert!(desk.path("kept/demo.db").exists());
    desk.run(&["demo", "--once", "--directory", "kept"]).fails(2, "kept holds a demo already");
    desk.run(&["demo", "--once", "--rules", "x.toml"]).fails(2, "--bind and --port alone");
}

#[tokio::test]
async fn the_signed_request_that_the_demo_prints_works_when_it_is_pasted() {
    let desk = Desk::new();
    let mut child = desk.command(&["demo", "--port", "0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let curl = lines.find(|line| line.starts_with("curl ")).unwrap();
    let url = curl.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let quoted: Vec<&str> = curl.split('\'').skip(1).step_by(2).collect();
    let signature = quoted.iter().find_map(|part| part.strip_prefix("X-Signature: ")).unwrap();
    let body = quoted.last().unwrap();
    assert_eq!(post(url, signature, body).await["Authorized"], true);

    let admin = lines.find(|line| line.starts_with("curl ")).unwrap();
    let url = admin.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let key = admin.split("X-API-Key: ").nth(1).unwrap().trim_end_matches('\'');
    let account = reqwest::Client::new().get(url).header("X-API-Key", key).send().await.unwrap();
    assert_eq!(account.json::<Value>().await.unwrap()["data"]["displayName"], "MC-1234");
    assert_eq!(stop(&mut child), 0);
}

#[tokio::test]
async fn each_demo_account_provokes_the_refusal_that_the_page_says() {
    let desk = Desk::new();
    desk.seed_demo();
    let server = desk.serve(&[("VNA_RULES", &in_repository("seeds/demo-rules.toml"))]);
    let seeds: Value = serde_json::from_str(&fs::read_to_string(in_repository("seeds/demo.json")).unwrap()).unwrap();
    let page = fs::read_to_string(in_repository("docs/demo-accounts.md")).unwrap();
    let mut provoked = 0;
    for row in page.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>()) {
        let ["", account, _, ask_for, asked, reason, ""] = row.as_slice() else { continue };
        let (Some((amount, currency)), Ok(asked)) = (ask_for.split_once(' '), asked.parse::<usize>()) else { continue };
        let account = account.trim_matches('`');
        let accounts = seeds["accounts"].as_array().unwrap();
        let seed = accounts.iter().find(|seed| seed["AccountIdentifier"] == account).unwrap();
        let body = format!(
            r#"{{"ReceiverPersonalData":{},"AccountIdentifier":"{account}","Amount":{amount},"Currency":"{currency}"}}"#,
            seed["PersonalData"]
        );
        for time in 1..=asked {
            let answer = server.call("TxAuthorization", &body).await;
            assert_eq!(answer["Authorized"], time < asked, "{account}, {time}: {answer}");
            if time == asked {
                assert_eq!(answer["NonAuthorizedReason"], reason.trim_matches('`'), "{account}");
                provoked += 1;
            }
        }
    }
    assert_eq!(provoked, 8, "every reason that an account can cause");
}
