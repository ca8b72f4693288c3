//! `store`: the database as a whole, copied, compared and backed up.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use indicatif::ProgressBar;
use secrecy::SecretString;
use serde_json::json;

use super::arguments::Form;
use super::failure::Failure;
use super::{audit, desk, shown, terminal};
use crate::clock::Clock;
use crate::config::{DatabaseKind, DatabaseUrl, Settings};
use crate::copy::{self, CopyError, Proof, Step};
use crate::domain::Timestamp;
use crate::startup::{self, Purpose};
use crate::store::Database;
use crate::store::sqlite::SqliteStore;

/// Copy the database to another, compare the two, or back it up.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    Copy(Copy),
    Compare(Compare),
    Backup(Backup),
}

/// Copy everything into an empty database, of the same kind or the other, and prove it.
///
/// The copy is kept only once it is proven: every row is read back and compared, balances and counters are summed up on
/// both, the latest thousand decisions are judged again on both, and the copy is audited. Interrupted, it leaves nothing
/// behind: start it again.
///
/// Stop the servers first. What is written to the source meanwhile makes the copy fail at its end; nobody can write to the
/// target before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vna-partner store copy --from sqlite://vna-partner.db --to postgres://vna@db.internal/vna
  DATABASE_URL_FILE=/run/secrets/database vna-partner store copy --from sqlite://vna-partner.db
  VNA_COPY_FROM_FILE=/run/secrets/database vna-partner store copy --to sqlite://vna-partner.db

An address with a password goes into the environment or a file, never on the command line.
Exit codes: 0 copied and proven; 1 it is no copy, and what differs; 2 wrong use.")]
pub struct Copy {
    #[command(flatten)]
    pair: Pair,
    #[command(flatten)]
    form: Form,
}

/// Prove again that one database is a copy of the other; exit 1 and what differs where it is not.
///
/// It reads both and changes neither. As soon as a server works on one of them they differ.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  vna-partner store compare --from sqlite://vna-partner.db --to postgres://vna@db.internal/vna")]
pub struct Compare {
    #[command(flatten)]
    pair: Pair,
    #[command(flatten)]
    form: Form,
}

/// Two databases.
#[derive(Debug, clap::Args)]
struct Pair {
    /// The source [default: VNA_COPY_FROM, or what the file named by VNA_COPY_FROM_FILE holds]
    #[arg(long, value_name = "URL")]
    from: Option<SecretString>,
    /// The copy [default: the database of these settings, DATABASE_URL]
    #[arg(long, value_name = "URL")]
    to: Option<SecretString>,
}

/// Back up the SQLite file, while the server runs or not.
///
/// The backup is one file, checked and on the disk before it gets its name. On Postgres use pg_dump or pg_basebackup.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vna-partner store backup --to /backup/vna-$(date +%F).db
  vna-partner audit --database-url sqlite:///backup/vna-2026-11-30.db

It holds all that was answered before it began.")]
pub struct Backup {
    /// Where it goes; nothing may be there yet
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

pub async fn run(command: &StoreCommand, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    match command {
        StoreCommand::Copy(args) => {
            let (from, to) = args.pair.addresses(settings)?;
            go_through(&from, &to, args.form.json, Work::Copy { at: clock.now() }).await
        }
        StoreCommand::Compare(args) => {
            let (from, to) = args.pair.addresses(settings)?;
            desk::require_file(&to, "--to")?;
            go_through(&from, &to, args.form.json, Work::Compare).await
        }
        StoreCommand::Backup(args) => back_up(args, settings).await,
    }
}

impl Pair {
    fn addresses(&self, settings: &Settings) -> Result<(DatabaseUrl, DatabaseUrl), Failure> {
        let flag = |flag, text: &Option<SecretString>, variable| {
            text.as_ref().map(|text| DatabaseUrl::of_flag(flag, text, variable)).transpose().map_err(Failure::misused)
        };
        let from = flag("--from", &self.from, "VNA_COPY_FROM")?.or_else(|| settings.copy_from.clone());
        let to = flag("--to", &self.to, "DATABASE_URL")?.unwrap_or_else(|| settings.database_url.clone());
        let Some(from) = from else {
            return Err(Failure::misused(
                "there is no source; name it with --from, VNA_COPY_FROM or VNA_COPY_FROM_FILE",
            ));
        };
        if from.expose() == to.expose() {
            return Err(Failure::Misused(format!("{from} is both the source and the target; name two databases")));
        }
        desk::require_file(&from, "--from")?;
        Ok((from, to))
    }
}

/// What is done with a pair of databases.
#[derive(Clone, Copy)]
enum Work {
    Copy { at: Timestamp },
    Compare,
}

impl Work {
    /// What is said once it is proven.
    fn done(self, from: &DatabaseUrl, to: &DatabaseUrl) -> String {
        match self {
            Self::Copy { .. } => format!("Copied and proven: {from} to {to}"),
            Self::Compare => format!("Proven: {to} is a copy of {from}"),
        }
    }

    /// What it means where it is not.
    fn not_done(self) -> &'static str {
        match self {
            Self::Copy { .. } => "nothing of it was kept",
            Self::Compare => "they differ",
        }
    }
}

async fn go_through(from: &DatabaseUrl, to: &DatabaseUrl, as_json: bool, work: Work) -> Result<(), Failure> {
    let source = open(from).await?;
    let target = match open(to).await {
        Ok(target) => target,
        Err(failure) => {
            source.close().await;
            return Err(failure);
        }
    };
    let bar = terminal::progress(0, String::new());
    let watcher = |step| show(&bar, step);
    let proof = match work {
        Work::Copy { at } => Box::pin(copy::copy(&*source, &*target, at, &watcher)).await,
        Work::Compare => Box::pin(copy::compare(&*source, &*target, &watcher)).await,
    };
    bar.finish_and_clear();
    source.close().await;
    target.close().await;
    match proof {
        Ok(proof) => {
            print(&proof, as_json)?;
            if as_json { Ok(()) } else { terminal::print_line(&format!("{}, {}.", work.done(from, to), rows(&proof))) }
        }
        Err(CopyError::NotProven(proof)) => {
            print(&proof, as_json)?;
            Err(Failure::Refused(format!("{to} is not what {from} is; {}", work.not_done())))
        }
        Err(error) => Err(Failure::Refused(format!("{from} to {to}: {error}; {}", work.not_done()))),
    }
}

async fn open(url: &DatabaseUrl) -> Result<Arc<dyn Database>, Failure> {
    startup::open_store(url, Purpose::Command).await.map_err(desk::start_failure)
}

fn rows(proof: &Proof) -> String {
    terminal::counted(usize::try_from(proof.rows).unwrap_or_default(), "row")
}

fn print(proof: &Proof, as_json: bool) -> Result<(), Failure> {
    let replayed = proof.replayed;
    if as_json {
        return shown::json(&json!({
            "checks": audit::json_of(&proof.checks),
            "replayed": {
                "decisions": replayed.decisions,
                "judged": replayed.judged,
                "asRecorded": replayed.as_recorded,
                "givenBackSince": replayed.given_back_since,
                "otherwise": replayed.otherwise(),
            },
        }));
    }
    let mut text = audit::lines(&proof.checks);
    // Writing to a String cannot fail.
    _ = writeln!(
        text,
        "Of the latest {} decisions rules had judged {}: {} come out as they were recorded, and {} so far as can be told, \
         because something counted then was given back since.",
        replayed.decisions, replayed.judged, replayed.as_recorded, replayed.given_back_since
    );
    if replayed.otherwise() > 0 {
        _ = writeln!(
            text,
            "{} come out otherwise, in both databases alike: the account's tier was changed since, or another version of \
             this program judged them.",
            replayed.otherwise()
        );
    }
    terminal::print(&text)
}

fn show(bar: &ProgressBar, step: Step) {
    match step {
        Step::Rows(rows) => bar.set_length(rows),
        Step::Copying(table) => {
            bar.set_prefix("copying");
            bar.set_message(table);
        }
        Step::Proving(claim) => {
            bar.set_prefix("proving");
            bar.set_message(claim);
        }
        Step::Done(rows) => bar.inc(rows),
    }
}

async fn back_up(args: &Backup, settings: &Settings) -> Result<(), Failure> {
    let url = &settings.database_url;
    if url.kind() == DatabaseKind::Postgres {
        return Err(Failure::Misused(format!(
            "{url} is a Postgres database; back it up with pg_dump or pg_basebackup, as docs/operating.md shows"
        )));
    }
    desk::require_file(url, "DATABASE_URL")?;
    if args.to.exists() {
        return Err(Failure::Misused(format!("{} is there already; name another file", args.to.display())));
    }
    let store = SqliteStore::open(url.expose()).await.map_err(desk::unreadable)?;
    let backed_up = store.back_up(&args.to).await;
    crate::store::Store::close(&store).await;
    let to = args.to.display();
    let size = backed_up.map_err(|error| Failure::Refused(format!("{to}: {error}")))?;
    terminal::print_line(&format!("{url} is backed up to {to}, {size} bytes."))
}
