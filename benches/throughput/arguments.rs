//! What can be asked of a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use super::cells::Where;

/// Measures `vna-partner serve` against one transaction per request.
#[derive(Debug, Clone, clap::Parser)]
pub struct Arguments {
    /// Address of a Postgres without a database's name, as postgres://postgres@127.0.0.1:5433.
    #[arg(long, default_value = "")]
    pub postgres: String,
    /// Process id of that Postgres' postmaster, for its CPU time.
    #[arg(long, default_value_t = 0)]
    pub postmaster: u32,
    /// Where pgbench is.
    #[arg(long, default_value = "pgbench")]
    pub pgbench: PathBuf,
    /// A folder on a real disk, for SQLite's files and what else is written.
    #[arg(long, default_value = ".")]
    pub folder: PathBuf,
    /// Two rounds of short runs, to see whether it works.
    #[arg(long)]
    pub quick: bool,
    /// How often everything is run in turn.
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Seconds of each run.
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Accounts that the traffic is spread over.
    #[arg(long, default_value_t = 10_000)]
    pub accounts: usize,
    /// Events of the account with a long history.
    #[arg(long, default_value_t = 1_000_000)]
    pub events: i64,
    /// Instead of everything else: this many authorizations are stored first, and the throughput is held against that of
    /// empty books. 10,000,000 of them take 40 GB of disk.
    #[arg(long)]
    pub stored: Option<usize>,
    /// Instead of everything else: this build of vna-partner in turn with others, each held against the first. Given once
    /// for each, as in --build old/vna-partner --build new/vna-partner.
    #[arg(long, value_name = "PROGRAM", conflicts_with = "stored")]
    pub build: Vec<PathBuf>,
    /// Has the product audit what was stored, and what was added to it, at the end.
    #[arg(long)]
    pub audit: bool,
    /// What is measured; everything where none is named.
    #[arg(long, value_enum)]
    pub only: Vec<Part>,
    /// The servers' log filter; the product's own default where none is given.
    #[arg(long)]
    pub log_filter: Option<String>,
    /// The product that is measured, built as it is released.
    #[arg(skip = env!("CARGO_BIN_EXE_vna-partner"))]
    pub program: PathBuf,
    /// Serves as a baseline instead.
    #[arg(long, value_enum, hide = true)]
    pub role: Option<Role>,
    /// The baseline's database.
    #[arg(long, default_value = "", hide = true)]
    pub database: String,
    /// The baseline's connections to it.
    #[arg(long, default_value_t = 1, hide = true)]
    pub pool: u32,
    /// Given by cargo to every benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A part of the contest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    Postgres,
    Sqlite,
    Edge,
    /// The account with a long history, on the stores that are measured too.
    Windows,
}

/// What this program serves as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Postgres,
    Sqlite,
    Hello,
}

impl Arguments {
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    /// How long each run lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 1.0 } else { 3.0 }))
    }

    /// The stores that are measured.
    pub fn stores(&self) -> impl Iterator<Item = Where> {
        let stores = [(Part::Postgres, Where::Postgres), (Part::Sqlite, Where::Sqlite)];
        stores.into_iter().filter(|(part, _)| self.includes(*part)).map(|(_, place)| place)
    }

    /// The postmaster that what is done there costs something, too.
    pub fn postmaster_of(&self, place: Where) -> Option<u32> {
        (place == Where::Postgres).then_some(self.postmaster)
    }

    pub fn includes(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
