//! `store backup`, while calls come in.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::program::{Desk, Ran, Server, in_repository};

const ACCOUNTS: [&str; 2] = ["4000000000020026", "4000000000001234"];

/// CreditFunds as it was answered: its body and the TrackingIdentifier.
type Acknowledged = (String, String);

/// Remits 1.00 over and over until `stop` says so, and notes what was acknowledged.
async fn remit(server: &Server, account: &str, told: &RefCell<Vec<Acknowledged>>, stop: &RefCell<bool>) {
    while !*stop.borrow() {
        let person = json!({"PhoneNumber": "+13125550142", "FirstName": "Luis", "LastName": "Ortega", "Gender": "None",
            "BirthDate": "1984-07-30", "Address": {"Address1": "1200 W Fulton Market", "ZipCode": "60607",
            "City": "Chicago", "CountryCode": "US", "StateCode": "IL"}});
        let call = json!({"SenderPersonalData": person, "ReceiverPersonalData": person, "AccountIdentifier": account,
            "Amount": 1});
        let authorized = server.call("TxAuthorization", &call.to_string()).await;
        let credit = json!({"AccountIdentifier": account, "AuthTrackingIdentifier": authorized["TrackingIdentifier"]});
        let answer = server.call("CreditFunds", &credit.to_string()).await;
        assert_eq!(answer["Success"], true, "{answer}");
        told.borrow_mut().push((credit.to_string(), answer["TrackingIdentifier"].as_str().unwrap().to_owned()));
    }
}

fn without_limits() -> Desk {
    let desk = Desk::new();
    desk.write("vna.toml", "rules = \"rules.toml\"");
    desk.write("rules.toml", "rules = []");
    desk.well(&["seed", &in_repository("seeds/demo.json")]);
    desk
}

#[tokio::test]
async fn a_backup_taken_in_traffic_is_sound_and_holds_all_that_was_acknowledged_before() {
    let desk = without_limits();
    let server = desk.serve(&[]);
    let (told, stop) = (RefCell::default(), RefCell::new(false));
    let traffic = join_all(ACCOUNTS.map(|account| remit(&server, account, &told, &stop)));
    let back_up = async {
        // Until calls were answered while it was written.
        for number in 0.. {
            while told.borrow().len() < 20 * (number + 1) {
                tokio::task::yield_now().await;
            }
            let before = told.borrow().clone();
            let name = format!("backup-{number}.db");
            let mut command = desk.command(&["store", "backup", "--to", &name]);
            let ran = tokio::task::spawn_blocking(move || Ran::of(command.output().unwrap())).await.unwrap();
            assert_eq!(ran.code, 0, "{}", ran.err);
            if told.borrow().len() > before.len() {
                stop.replace(true);
                return (name, before);
            }
        }
        unreachable!("there is always another number")
    };
    let (_, (name, before)) = join(traffic, back_up).await;
    assert_eq!(server.stop(), 0);

    let restored = without_limits();
    fs::remove_file(restored.path("vna.db")).unwrap();
    fs::copy(desk.path(&name), restored.path("vna.db")).unwrap();
    restored.well(&["audit"]);
    let server = restored.serve(&[]);
    for (body, tracking) in before {
        assert_eq!(server.call("CreditFunds", &body).await["TrackingIdentifier"], *tracking);
    }
}

#[test]
fn a_backup_is_its_owners_alone_and_overwrites_nothing() {
    let desk = without_limits();
    let said = desk.well(&["store", "backup", "--to", "backup.db"]);
    assert!(said.starts_with("sqlite://vna.db is backed up to backup.db, "), "{said}");
    let mode = fs::metadata(desk.path("backup.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    desk.well(&["store", "compare", "--from", "sqlite://vna.db", "--to", "sqlite://backup.db"]);
    let before = fs::read(desk.path("backup.db")).unwrap();
    desk.run(&["store", "backup", "--to", "backup.db"]).fails(2, "backup.db is there already");
    assert_eq!(fs::read(desk.path("backup.db")).unwrap(), before);
    desk.run(&["store", "backup", "--to", "nowhere/backup.db"]).fails(1, "No such file");
    assert!(!desk.path("backup.db.part").exists());
}

#[test]
fn what_an_interrupted_backup_left_behind_is_in_nobodys_way() {
    let desk = without_limits();
    desk.write("backup.db.part", "half a backup");
    desk.well(&["store", "backup", "--to", "backup.db"]);
    assert!(!desk.path("backup.db.part").exists());
    desk.well(&["audit", "--database-url", "sqlite://backup.db"]);
}

#[test]
fn a_postgres_database_is_backed_up_by_its_own_programs() {
    let desk = Desk::new();
    let url = ["--database-url", "postgres://vna@127.0.0.1:1/vna"];
    desk.run(&[&["store", "backup", "--to", "backup.db"], &url[..]].concat()).fails(2, "pg_dump or pg_basebackup");
    desk.run(&["store", "backup", "--to", "backup.db"]).fails(2, "there is no database vna.db");
}
