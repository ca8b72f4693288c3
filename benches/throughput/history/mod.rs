//! Books with a past: authorizations made long before the run, as the product would have left them.
//!
//! One authorization is made by the product itself; the rest are copies of its rows under other numbers, by
//! `INSERT … SELECT`, with running sums, releases and the release tree as the audit demands them.

mod postgres;
mod sqlite;

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use vna_partner::telemetry::Stopwatch;

use super::arguments::Arguments;
use super::cells::Where;
use super::load::{self, Supply};
use super::servers::{self, Server};

/// Microseconds.
const DAY: i64 = 86_400_000_000;

/// Rows that are filled in one go.
const CHUNK: i64 = 500_000;

/// What a past looks like.
#[derive(Debug, Clone, Copy)]
pub struct Past {
    /// The first account that has it, as a place among all accounts.
    pub first_account: usize,
    pub accounts: usize,
    /// Authorizations of each account.
    pub each: i64,
    pub ended: Ended,
    /// When it began and ended, microseconds before now.
    pub from: i64,
    pub to: i64,
}

/// What became of the authorizations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// One in ten was credited, the others expired.
    Long,
    /// Half of them were voided, by chance; the others are still open.
    HalfVoided,
}

impl Past {
    /// A month that ended two days ago.
    pub fn long(accounts: usize, authorizations: usize) -> Self {
        let each = (authorizations / accounts.max(1)) as i64;
        Self { first_account: 0, accounts, each, ended: Ended::Long, from: 30 * DAY, to: 2 * DAY }
    }

    /// The last eleven days of one account, half of them given back.
    pub fn of_one(account: usize, each: i64) -> Self {
        Self { first_account: account, accounts: 1, each, ended: Ended::HalfVoided, from: 11 * DAY, to: DAY / 1_440 }
    }

    fn total(&self) -> i64 {
        self.each * self.accounts as i64
    }

    /// How far the `number`s of its authorizations are from those of another past.
    fn base(&self) -> i64 {
        self.first_account as i64 * 1_000_000_000
    }

    /// Which authorizations were released, in SQL over `number`; pseudo-random where half of them were.
    fn released(&self) -> &'static str {
        match self.ended {
            Ended::Long => "number % 10 <> 0",
            Ended::HalfVoided => "(number * 2654435761 / 65536) % 2 = 0",
        }
    }

    /// Words that stand in both stores' statements.
    fn fill_in(&self, statement: &str, now: i64) -> String {
        let (state, open, ttl) = match self.ended {
            Ended::Long => ("Expired", "false", DAY),
            Ended::HalfVoided => ("Voided", "true", 90 * DAY),
        };
        let apart = (self.from - self.to) / self.each.max(1);
        [
            ("{released}", self.released().to_owned()),
            ("{released_state}", state.to_owned()),
            ("{open}", open.to_owned()),
            ("{ttl}", ttl.to_string()),
            ("{begin}", (now - self.from).to_string()),
            ("{apart}", apart.to_string()),
            ("{first_account}", (4_000_000_000_000_000_i64 + self.first_account as i64).to_string()),
            ("{accounts}", self.accounts.to_string()),
            ("{each}", self.each.to_string()),
            ("{base}", self.base().to_string()),
        ]
        .into_iter()
        .fold(statement.to_owned(), |text, (word, value)| text.replace(word, &value))
    }
}

/// Fills new books; how long that took.
pub async fn fill(
    arguments: &Arguments,
    place: Where,
    database: &str,
    rules: &str,
    pasts: &[Past],
    calls: &[Vec<u8>],
) -> anyhow::Result<Duration> {
    let watch = Stopwatch::start();
    servers::seed(arguments, database)?;
    // The one that all others are copied from; its account has no past of its own.
    let server = Server::start(servers::product(arguments, database, rules, &["serve"])?)?;
    let last = &calls[calls.len() - 1..];
    load::run(server.address, 1, Duration::from_secs(1), Supply::Once(last), load::AUTHORIZED).await?;
    server.stop()?;
    for past in pasts {
        ensure!(past.first_account + past.accounts < calls.len(), "the last account has no past");
        match place {
            Where::Postgres => postgres::fill(database, past).await?,
            _ => sqlite::fill(database, past).await?,
        }
    }
    match place {
        Where::Postgres => postgres::settle(database).await?,
        _ => sqlite::settle(database).await?,
    }
    Ok(watch.elapsed())
}

/// Has the product recount everything; how long that took.
pub fn audit(arguments: &Arguments, database: &str, rules: &str) -> anyhow::Result<Duration> {
    let watch = Stopwatch::start();
    let mut command: Command = servers::product(arguments, database, rules, &["audit"])?;
    let output = command.stdout(Stdio::piped()).output()?;
    ensure!(output.status.success(), "the audit fails: {}", String::from_utf8_lossy(&output.stdout));
    Ok(watch.elapsed())
}

/// Ranges of numbers, from and up to, that are filled one after the other.
fn chunks(past: &Past) -> impl Iterator<Item = (i64, i64)> + use<> {
    let (each, step) = (past.each, (CHUNK / past.accounts as i64).max(1));
    (0..each).step_by(usize::try_from(step).unwrap_or(1)).map(move |from| (from + 1, (from + step).min(each)))
}

fn say_progress(past: &Past, upto: i64) {
    eprintln!("  {} of {} filled", upto * past.accounts as i64, past.total());
}
