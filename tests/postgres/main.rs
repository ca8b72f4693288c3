//! The real program on Postgres clusters that are restarted, killed, failed over and pooled in mid-traffic: callers hear
//! right answers or a 503, nothing acknowledged is lost, and nothing happens twice.
//!
//! Each test builds its own clusters, so it needs Postgres' and pgbouncer's programs and nothing that runs.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "the command line's tests need more of it")]
mod program;

mod backups;
mod cluster;
mod copying;
mod encryption;
mod failing_over;
mod lost_commits;
mod pooler;
mod pooling;
mod relay;
mod restarting;
mod traffic;

use tokio::sync::{Mutex, MutexGuard};

/// Deadlines are promised to a machine that does not run other tests of these at the same time.
async fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    ONE_AT_A_TIME.lock().await
}
