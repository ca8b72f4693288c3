//! `store copy` and `store compare`.

use std::process::Stdio;

use sqlx::{Connection, Executor, SqliteConnection};

use crate::program::{Desk, Ran, tamper};

const COPY: [&str; 6] = ["store", "copy", "--from", "sqlite://vna.db", "--to", "sqlite://copy.db"];
const COMPARE: [&str; 6] = ["store", "compare", "--from", "sqlite://vna.db", "--to", "sqlite://copy.db"];

fn seeded() -> Desk {
    let desk = Desk::new();
    desk.seed_demo();
    desk
}

/// Runs the program with one more variable.
fn with(desk: &Desk, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    Ran::of(desk.command(arguments).envs(variables.iter().copied()).output().unwrap())
}

#[test]
fn a_copy_says_what_it_proved_and_can_be_compared_again() {
    let desk = seeded();
    let said = desk.well(&COPY);
    for claim in ["as many rows", "column by column", "balances of each", "counted and released", "judged again"] {
        assert!(said.contains(claim), "{claim}: {said}");
    }
    assert!(!said.contains("WRONG"), "{said}");
    assert!(said.contains("Copied and proven: sqlite://vna.db to sqlite://copy.db, "), "{said}");
    desk.well(&["audit", "--database-url", "sqlite://copy.db"]);
    let compared = desk.json(&COMPARE);
    assert_eq!(compared["checks"][0]["claim"], "each table has as many rows as in the source");
    assert_eq!(compared["replayed"]["decisions"], 0);
}

#[tokio::test]
async fn what_differs_is_named_and_the_exit_code_is_1() {
    let desk = seeded();
    desk.well(&COPY);
    tamper(&desk, "UPDATE accounts SET display_name = 'X' WHERE id = '4000000000020026'").await;
    let ran = desk.run(&COMPARE);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("WRONG") && ran.out.contains("accounts 4000000000020026: display_name differs"),
        "{}",
        ran.out
    );
    assert_eq!(ran.err, "vna-partner: sqlite://copy.db is not what sqlite://vna.db is; they differ\n");
    assert_eq!(desk.run(&[&COMPARE[..], &["--json"]].concat()).code, 1);
    desk.run(&COPY).fails(1, "the target is not empty");
}

#[test]
fn the_addresses_come_from_flags_or_the_environment() {
    let desk = seeded();
    desk.run(&["store", "copy", "--to", "sqlite://copy.db"]).fails(2, "there is no source");
    desk.write("address", "sqlite://vna.db\n");
    let copy = ["store", "copy"];
    let into = |name| ("DATABASE_URL", name);
    assert_eq!(with(&desk, &copy, &[("VNA_COPY_FROM", "sqlite://vna.db"), into("sqlite://one.db")]).code, 0);
    assert_eq!(with(&desk, &copy, &[("VNA_COPY_FROM_FILE", "address"), into("sqlite://two.db")]).code, 0);
    let both = [("VNA_COPY_FROM_FILE", "address"), ("VNA_COPY_FROM", "sqlite://vna.db")];
    with(&desk, &copy, &both).fails(2, "both VNA_COPY_FROM and VNA_COPY_FROM_FILE are set");
    with(&desk, &copy, &[("VNA_COPY_FROM", "mysql://host/name")]).fails(2, "VNA_COPY_FROM: it is no database address");
}

#[test]
fn a_wrong_address_is_refused_before_anything_is_made() {
    let desk = seeded();
    let copy = |from, to| desk.run(&["store", "copy", "--from", from, "--to", to]);
    copy("sqlite://vna.db", "sqlite://vna.db").fails(2, "both the source and the target");
    copy("sqlite://vnaa.db", "sqlite://copy.db").fails(2, "there is no database vnaa.db; check --from");
    copy("sqlite://vna.db", "copy.db").fails(2, "--to: it is no database address");
    copy("sqlite://:memory:", "sqlite://copy.db").fails(2, "--from: it is a database in memory");
    copy("sqlite://vna.db", "sqlite://nowhere/copy.db").fails(2, "its directory does not exist");
    desk.run(&COMPARE).fails(2, "there is no database copy.db; check --to");
    assert!(!desk.path("copy.db").exists() && !desk.path("vnaa.db").exists());
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_printed() {
    let desk = seeded();
    let secret = "postgres://vna:s3cret@127.0.0.1:1/vna";
    let refused = desk.run(&["store", "copy", "--from", "sqlite://vna.db", "--to", secret]);
    refused.fails(2, "--to: a password on the command line is seen by other users; put the address into DATABASE_URL");
    let refused = desk.run(&["store", "copy", "--from", secret, "--to", "sqlite://copy.db"]);
    refused.fails(2, "put the address into VNA_COPY_FROM or VNA_COPY_FROM_FILE");
    let unreachable = with(&desk, &["store", "copy", "--from", "sqlite://vna.db"], &[("DATABASE_URL", secret)]);
    unreachable.fails(1, "postgres://127.0.0.1:1/vna cannot be used");
    assert!(!unreachable.err.contains("s3cret"), "{}", unreachable.err);
}

/// Never comes to an end with the first row of a late table.
const ENDLESS: &str = "
    CREATE VIEW endless AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;
    CREATE TRIGGER endless BEFORE INSERT ON postings BEGIN SELECT count(*) FROM endless; END";

#[tokio::test]
async fn a_copy_that_is_killed_is_never_served_and_starts_again() {
    let desk = seeded();
    desk.well(&["migrate", "--database-url", "sqlite://copy.db"]);
    let url = format!("sqlite://{}?mode=rw", desk.path("copy.db").display());
    let mut target = SqliteConnection::connect(&url).await.unwrap();
    target.execute(ENDLESS).await.unwrap();
    target.execute("PRAGMA busy_timeout = 0").await.unwrap();
    let mut copying = desk.command(&COPY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while target.execute("BEGIN IMMEDIATE; ROLLBACK").await.is_ok() {
        assert!(copying.try_wait().unwrap().is_none(), "it ended");
        tokio::task::yield_now().await;
    }
    let served = desk.run(&["serve", "--database-url", "sqlite://copy.db"]);
    assert!(served.code == 1 && served.err.contains("database is locked"), "{}", served.err);
    copying.kill().unwrap();
    copying.wait().unwrap();
    target.execute("DROP TRIGGER endless; DROP VIEW endless").await.unwrap();
    target.close().await.unwrap();
    let accounts = desk.json(&["account", "list", "--database-url", "sqlite://copy.db"]);
    assert_eq!(accounts["pagination"]["total"], 0);
    desk.well(&COPY);
}
