//! `seed`: accounts from files, each file whole or not at all.
//!
//! A file is read on a thread of its own, a chunk at a time, and never held whole; its chunks are decided and written
//! in one transaction. So a million accounts need no more memory than a thousand, and a file that is wrong on its last
//! line has written nothing.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::failure::Failure;
use super::{desk, input, terminal};
use crate::clock::{Clock, fresh_id};
use crate::commit;
use crate::config::Settings;
use crate::decide::command::SeedAccount;
use crate::decide::outcome::SeedAnswer;
use crate::decide::{Changes, Command, Outcome, Request};
use crate::domain::Policy;
use crate::startup::Books;
use file::{Row, Stop};

mod csv;
mod fields;
mod file;
mod json;
mod row;

/// Rows that are loaded and written together: enough to share the statements' cost, few enough to hold.
const CHUNK: usize = 1_000;

/// Chunks that are read ahead of the writer.
const AHEAD: usize = 2;

/// Load accounts from files: JSON, or CSV for bulk.
///
/// Each file is written whole or not at all, and seeding it again changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  vna-partner seed seeds/demo.json
  vna-partner seed accounts.csv more.csv

JSON:
  {\"accounts\":[{\"AccountIdentifier\":\"4000000000001234\",\"Currency\":\"MXN\",\"Status\":\"Active\",\"Tier\":\"standard\",
    \"DisplayName\":\"MC-1234\",\"OpeningBalance\":\"0.00\",\"PersonalData\":{…},
    \"PersonalDocuments\":[{\"DocumentType\":\"INE_IFE\",\"Number\":\"…\"}]}]}
Status, Tier, DisplayName, OpeningBalance and PersonalDocuments may be left out. Status is Active, Blocked,
BlockedByLaw, BlockedByGovernment or Closed.

CSV: the same names as columns, nested ones joined by dots, list items numbered, as PersonalData.Address.City and
PersonalDocuments.1.Number. An empty cell is an absent field.

A row that contradicts what is stored is an error that names it, and nothing of its file is written. While a large file
is written, a server on the same SQLite file answers 503, and one on the same Postgres to calls that open accounts: seed
before it starts, or at a quiet hour.")]
pub struct Seed {
    /// Files to load, .json or .csv
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub async fn run(args: &Seed, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    // A wrong name among the files is told before the first of them is written.
    for path in &args.files {
        Form::of(path)?;
    }
    let books = desk::open_books(settings, clock).await?;
    let mut seeded = Ok(());
    for path in &args.files {
        seeded = match seed_file(&books, path).await {
            Ok(count) => terminal::print_line(&format!(
                "{}: {} created, {} already there",
                path.display(),
                count.created,
                count.unchanged
            )),
            Err(failure) => Err(failure),
        };
        if seeded.is_err() {
            break;
        }
    }
    books.close().await;
    seeded
}

/// What became of a file's rows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub created: u64,
    pub unchanged: u64,
}

/// Writes all accounts of a file, or none.
pub async fn seed_file(books: &Books, path: &Path) -> Result<Count, Failure> {
    let form = Form::of(path)?;
    let file = File::open(path).map_err(|error| input::unreadable(path, &error))?;
    let size = file.metadata().map_err(|error| input::unreadable(path, &error))?.len();
    let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let progress = terminal::progress(size, file_name);
    let name = path.display().to_string();
    let count = seed(books, &name, form, progress.wrap_read(file), &progress).await;
    progress.finish_and_clear();
    count
}

/// The same from memory, for what is built in.
pub async fn seed_text(books: &Books, name: &str, text: &'static str) -> Result<Count, Failure> {
    seed(books, name, Form::Json, text.as_bytes(), &ProgressBar::hidden()).await
}

/// A row with its place, ready for the core.
struct ReadRow {
    place: String,
    account: SeedAccount,
}

async fn seed(
    books: &Books,
    name: &str,
    form: Form,
    file: impl Read + Send + 'static,
    progress: &ProgressBar,
) -> Result<Count, Failure> {
    let failed =
        |error: crate::store::StoreError| Failure::refused(format!("{name}: {error}; nothing of it was written"));
    let (mut chunks, reader) = read_ahead(form, file);
    let mut batch = commit::begin_with_the_directory(&*books.store).await.map_err(failed)?;
    let mut count = Count::default();
    while let Some(chunk) = chunks.recv().await {
        check_currencies(&books.context.policy, name, &chunk)?;
        let (places, requests) = requests(&books.clock, chunk);
        let executed = commit::execute(batch.as_mut(), &books.context, &requests)
            .await
            .map_err(|error| Failure::refused(format!("{name}: {error}; nothing of it was written")))?;
        for (place, outcome) in places.iter().zip(executed.outcomes) {
            match outcome {
                Outcome::Seeded(SeedAnswer::Created) => count.created += 1,
                Outcome::Seeded(SeedAnswer::Unchanged) => count.unchanged += 1,
                Outcome::Seeded(SeedAnswer::Contradicts(why)) => {
                    return Err(Failure::refused(format!("{name}: {place}: {why}; nothing of the file was written")));
                }
                _ => return Err(Failure::refused("the core gave another command's answer; nothing was written")),
            }
        }
        progress.set_message(format!("{} accounts", count.created + count.unchanged));
    }
    match reader.await {
        Ok(Ok(())) => {}
        Ok(Err(stop)) => return Err(stop.of_file(name)),
        Err(error) => return Err(Failure::refused(format!("{name}: the reader failed: {error}; nothing was written"))),
    }
    let committed = batch.commit(&Changes::default(), fresh_id(), books.clock.now()).await.map_err(failed)?;
    committed.reached().await.map_err(failed)?;
    Ok(count)
}

/// Reads the file on a thread of its own; the channel's bound is what keeps the memory small.
fn read_ahead(
    form: Form,
    file: impl Read + Send + 'static,
) -> (mpsc::Receiver<Vec<ReadRow>>, JoinHandle<Result<(), Stop>>) {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let reader = tokio::task::spawn_blocking(move || {
        let mut chunk = Vec::with_capacity(CHUNK);
        form.read(file, &mut |row: Row| {
            chunk.push(read_row(row)?);
            if chunk.len() == CHUNK {
                sender.blocking_send(std::mem::take(&mut chunk)).map_err(|_| Stop::Unwanted)?;
            }
            Ok(())
        })?;
        sender.blocking_send(chunk).map_err(|_| Stop::Unwanted)
    });
    (receiver, reader)
}

fn read_row(row: Row) -> Result<ReadRow, Stop> {
    match row::read(&row.text) {
        Ok(account) => Ok(ReadRow { place: format!("{}, account {}", row.place, account.id), account }),
        Err((Some(id), why)) => Err(Stop::Wrong(format!("{}, account {id}: {why}", row.place))),
        Err((None, why)) => Err(Stop::Wrong(format!("{}: {why}", row.place))),
    }
}

/// An account in a currency that is not taken could never be credited.
fn check_currencies(policy: &Policy, name: &str, chunk: &[ReadRow]) -> Result<(), Failure> {
    match chunk.iter().find(|row| !policy.takes(row.account.account.currency)) {
        Some(ReadRow { place, account }) => Err(Failure::misused(format!(
            "{name}: {place}: Currency {} is not one of `currencies` in [policy]; nothing of the file was written",
            account.account.currency
        ))),
        None => Ok(()),
    }
}

fn requests(clock: &Clock, chunk: Vec<ReadRow>) -> (Vec<String>, Vec<Request>) {
    chunk.into_iter().map(|row| (row.place, clock.receive(Command::Seed(row.account), None))).unzip()
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
}

impl Form {
    fn of(path: &Path) -> Result<Self, Failure> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            _ => Err(Failure::misused(format!("{}: a seed file's name ends in .json or .csv", path.display()))),
        }
    }

    fn read(self, file: impl Read, emit: file::Emit<'_>) -> Result<(), Stop> {
        match self {
            Self::Json => json::read(file, emit),
            Self::Csv => csv::read(file, emit),
        }
    }
}
