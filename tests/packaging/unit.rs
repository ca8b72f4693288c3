//! The systemd unit's settings, as the program takes them.

use std::fs;
use std::process::Stdio;

use crate::program::{Desk, SIGNING_KEY, Server, in_repository};

#[test]
fn the_units_settings_and_credentials_start_a_server() {
    let desk = Desk::new();
    desk.write("signing_keys", SIGNING_KEY);
    desk.write("admin_keys", "operator=a-key-of-the-tests");
    desk.write("database_url", &format!("sqlite://{}", desk.path("vna.db").display()));
    let unit = fs::read_to_string(in_repository("packaging/vna-partner.service")).unwrap();
    let values = |key: &'static str| unit.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='));
    let mut command = desk.command(&["serve"]);
    command.env_clear().env("VNA_BIND", "127.0.0.1:0").stdout(Stdio::null());
    for (name, value) in values("Environment").map(|variable| variable.split_once('=').unwrap()) {
        let credential = value.strip_prefix("%d/").unwrap_or_else(|| panic!("{name} is no credential"));
        let is_loaded = values("LoadCredential").any(|loaded| loaded.split_once(':').unwrap().0 == credential);
        assert!(is_loaded, "{name} names a credential that is not loaded");
        command.env(name, desk.path(credential));
    }
    let server = Server::start(command);
    assert!(server.said.contains("1 key accepted") && server.said.contains("on under /admin"), "{}", server.said);
    assert_eq!(server.stop(), 0);
}
