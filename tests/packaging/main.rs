//! What stands in `compose.yaml` and `packaging/`, without a container engine: the files agree with each other and with
//! the program, and the proxy does what its file promises.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the command line's tests need more of it")]
mod program;

#[path = "../it/support/database.rs"]
#[expect(dead_code, reason = "the tests over HTTP need more of it")]
mod database;

mod compose;
mod proxied_servers;
mod proxy;
mod replays;
mod sharding;
mod unit;
