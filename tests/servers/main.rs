//! Four servers, each the real program in a process of its own, on one Postgres: mixed traffic on few accounts, from
//! callers who come to every server and remember what they were told.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../it/support/database.rs"]
#[expect(dead_code, reason = "the servers' desks are folders of their own")]
mod database;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the command line's tests need more of it")]
mod program;

mod caller;
mod fleet;
mod scenes;
mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use fleet::{BY_ACCOUNT, BY_PERSON, Fleet};

/// More than there are accounts, so that they meet on each of them.
const MANY: usize = 64;

/// So that most batches are of one call, and many of a remittance.
const FEW: usize = 6;

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn four_servers_in_mixed_traffic_do_not_deadlock_and_contradict_nobody() {
    torture(&[BY_ACCOUNT, BY_PERSON], MANY, Duration::from_secs(30)).await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn four_servers_that_lock_little_do_not_deadlock_and_contradict_nobody() {
    let without_locks = torture(&[BY_ACCOUNT], FEW, Duration::from_secs(30)).await;
    assert!(without_locks.contains_key("carried_out"), "{without_locks:?}");
}

/// The same for long: see docs/testing.md.
#[tokio::test]
#[ignore = "takes ten minutes, and needs a Postgres"]
async fn long_mixed_traffic() {
    torture(&[BY_ACCOUNT, BY_PERSON], MANY, Duration::from_secs(600)).await;
}

#[tokio::test]
#[ignore = "takes ten minutes, and needs a Postgres"]
async fn long_mixed_traffic_that_locks_little() {
    torture(&[BY_ACCOUNT], FEW, Duration::from_secs(600)).await;
}

/// The time is the promise: no deadlock in so long. How many batches took no locks, by what became of them.
async fn torture(rules: &[&str], callers: usize, time: Duration) -> BTreeMap<String, u64> {
    let fleet = Fleet::start(&rules.concat()).await;
    let told = fleet.traffic(callers, time).await;
    let without_locks = fleet.batches_without_locks().await;
    let calls = told.calls;
    println!(
        "{calls} calls in {} s ({} a second), {} of them 503s; {} credits, {} reversals, {} debits, {} new accounts",
        time.as_secs(),
        calls / time.as_secs(),
        told.refused,
        told.credits.len(),
        told.reversed.len(),
        told.debited.len(),
        told.opened.len()
    );
    println!("batches without locks: {without_locks:?}");
    fleet.end_and_hold_to(&told).await;
    assert!(told.refused * 100 <= calls, "{} of {calls} calls were put off with a 503", told.refused);
    without_locks
}
