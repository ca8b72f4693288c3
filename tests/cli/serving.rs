//! `serve`, `migrate`, `healthcheck`, `rules`.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::program::{ADMIN_KEY, Desk, LOG, Ran, SIGNING_KEY, tamper};

#[test]
fn each_wrong_setting_is_one_telling_line_and_wrong_use() {
    let desk = Desk::new();
    desk.write("bad-rules.toml", "[[rules]]\nid = \"x\"\ntype = \"amnt\"\n");
    desk.write("bad.toml", "polcy = 1\n");
    desk.write("empty", "");
    for (variable, value, said) in [
        ("VNA_SIGNING_KEYS", "", "VNA_SIGNING_KEYS"),
        ("VNA_SIGNING_KEYS_FILE", "empty", "VNA_SIGNING_KEYS_FILE"),
        ("VNA_BIND", "localhost", "VNA_BIND"),
        ("VNA_BASE_PATH", "v 1", "VNA_BASE_PATH"),
        ("VNA_PUBLIC_URL", "wallet", "VNA_PUBLIC_URL"),
        ("VNA_RULES", "missing.toml", "missing.toml"),
        ("VNA_RULES", "missing.toml", "--rules, or none for the built-in rules"),
        ("VNA_RULES", "bad-rules.toml", "bad-rules.toml:3"),
        ("VNA_CONFIG", "bad.toml", "polcy"),
        ("VNA_CONFIG", "missing.toml", "missing.toml"),
        ("VNA_POLICY_LATE_CREDIT", "maybe", "VNA_POLICY_LATE_CREDIT"),
        ("VNA_POLICY_LATECREDIT", "refuse", "VNA_POLICY_LATECREDIT"),
        ("DATABASE_URL", "mysql://h/d", "DATABASE_URL"),
        ("DATABASE_URL", "sqlite://no/such/directory/vna.db", "its directory does not exist"),
        ("DATABASE_URL", "postgres://a,b:x/d", "DATABASE_URL"),
    ] {
        let mut command = desk.command(&["serve"]);
        if variable == "VNA_SIGNING_KEYS_FILE" {
            command.env_remove("VNA_SIGNING_KEYS");
        }
        Ran::of(command.env(variable, value).output().unwrap()).fails(2, said);
    }
    let without_keys = desk.command(&["serve"]).env_remove("VNA_SIGNING_KEYS").output().unwrap();
    Ran::of(without_keys).fails(2, "set VNA_SIGNING_KEYS");
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_is_not_ready_and_serves_on_while_it_drains() {
    let desk = Desk::new();
    desk.seed_demo();
    let server = desk.serve(&[("VNA_HTTP_DRAIN", "1h")]);
    let ready = async || reqwest::get(format!("{}/health/ready", server.url)).await.unwrap().status();
    assert_eq!(ready().await, 200);
    server.tell_to_stop();
    while ready().await != 503 {}
    let status =
        server.call("GetCreditStatus", r#"{"AccountIdentifier":"4000000000001234","CreditTrackingNumber":"x"}"#);
    assert_eq!(status.await["CreditStatus"], "Failed");
}

#[test]
fn an_address_in_use_is_named() {
    let desk = Desk::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    Ran::of(desk.command(&["serve"]).env("VNA_BIND", &address).output().unwrap()).fails(1, &address);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let desk = Desk::new();
    desk.well(&["migrate"]);
    tamper(
        &desk,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', 1, x'00', 0)",
    )
    .await;
    for command in [&["serve"][..], &["migrate"], &["account", "list"]] {
        desk.run(command).fails(1, "another version of this program");
    }
}

#[test]
fn a_server_says_what_it_serves_and_stops_in_order() {
    let desk = Desk::new();
    let server = desk.serve(&[("VNA_SIGNING_KEYS", "short"), ("VNA_BASE_PATH", "/v1")]);
    for said in ["under /v1", "sqlite://vna.db", "rules", "(built in)", "admin API  off"] {
        assert!(server.said.contains(said), "{}", server.said);
    }
    assert_eq!(server.stop(), 0);
    assert!(!desk.path("vna.db-wal").exists(), "the log is moved into the file when it closes");

    let server = desk.serve(&[("VNA_ADMIN_KEYS", &format!("ana={ADMIN_KEY}"))]);
    assert!(server.said.contains("admin API  on under /admin, 1 key"), "{}", server.said);
    assert!(!server.said.contains(ADMIN_KEY) && !server.said.contains(SIGNING_KEY));
}

#[tokio::test]
async fn a_request_id_leads_to_the_decision_through_the_log() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let answer = server.call("TxAuthorization", r#"{"AccountIdentifier":"1"}"#).await;
    server.stop();
    let log = fs::read_to_string(desk.path(LOG)).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["message"] == "answered").unwrap();
    assert_eq!((&line["route"], &line["status"]), (&json!("/TxAuthorization"), &json!(200)));
    assert_eq!(line["tracking"], answer["TrackingIdentifier"]);
    assert!(line["request_id"].is_string(), "{line}");
}

#[tokio::test]
async fn a_server_that_decides_otherwise_than_another_of_its_database_says_so_as_it_starts() {
    let desk = Desk::new();
    let _first = desk.serve(&[]);
    let second = desk.serve(&[("VNA_POLICY_LATE_CREDIT", "refuse")]);
    let metrics = reqwest::get(format!("{}/metrics", second.url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("vna_dissenting_servers 1\n"), "{metrics}");
    second.stop();
    let log = fs::read_to_string(desk.path(LOG)).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = lines.iter().find(|line| line["level"] == "ERROR").and_then(|line| line["dissent"].as_str());
    let different = "decides by policy.late_credit = \"recheck\", this server by \"refuse\"";
    assert!(said.is_some_and(|said| said.ends_with(different)), "{log}");
}

#[test]
fn a_health_check_tells_a_server_that_is_ready_from_one_that_is_not_there() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    assert_eq!(desk.well(&["healthcheck", &server.url]), "ready\n");
    let url = server.url.clone();
    server.stop();
    desk.run(&["healthcheck", &url]).fails(1, "cannot be reached");
}

#[test]
fn an_operator_is_not_given_an_empty_database_for_a_misspelt_one() {
    let desk = Desk::new();
    desk.run(&["audit"]).fails(2, "there is no database");
    assert!(!desk.path("vna.db").exists());
}

#[test]
fn a_rules_file_is_checked_line_by_line() {
    let desk = Desk::new();
    let file = "[[rules]]\nid = \"a\"\ntype = \"amnt\"\n\n[[rules]]\nid = \"b\"\ntype = \"velocity\"\nmax = \"ten\"\n";
    desk.write("rules.toml", file);
    let ran = desk.run(&["rules", "check", "rules.toml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("rules.toml:3:") && ran.err.contains("rules.toml:8:"), "{}", ran.err);
    desk.run(&["rules", "check", "missing.toml"]).fails(2, "missing.toml");
    assert!(desk.well(&["rules", "show"]).contains("1. "));
}
