//! Copying a database into another, of whatever kind, and proving the copy before it is kept.
//!
//! The source is read as it is at one moment. The target is written in one transaction, which keeps every other writer
//! out; the proof runs inside it, and only a proven copy is committed. So an interruption leaves nothing behind, no server
//! can serve a half-made copy, and a copy that is there is a proven one. Rows are streamed table by table: memory is
//! bounded by [`CHUNK_BYTES`], whatever the size of the books.

use futures_util::StreamExt;
use futures_util::future::try_join;
use futures_util::stream::BoxStream;

use crate::domain::Timestamp;
use crate::peers::SEEN_WITHIN;
use crate::store::{AuditCheck, Database, Intake, RunningServer, Snapshot, StoreError, TABLES, Table};

mod contents;
mod proof;
mod replay;

pub use replay::Replayed;

/// Bytes of rows that are written in one statement, passed by the last row at most: enough to share its cost, few enough
/// to hold twice.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Why there is no copy. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("the source: {0}")]
    Source(StoreError),
    #[error("the target: {0}")]
    Target(StoreError),
    #[error("the target is not empty, it has rows in {0}; copy into an empty database")]
    NotEmpty(String),
    #[error("{servers} still runs on the {which}; stop every server and copy again")]
    Served { which: &'static str, servers: String },
    #[error("the source was written to while it was copied; stop every server on it and copy again")]
    Moved,
    /// The checks of [`Proof`] say what differs.
    #[error("the copy is not what the source is")]
    NotProven(Proof),
}

/// What was compared, and what came of it.
#[derive(Debug, Clone)]
pub struct Proof {
    /// One per claim, in the order in which they are printed; the audit's last.
    pub checks: Vec<AuditCheck>,
    /// Rows that the source has.
    pub rows: i64,
    pub replayed: Replayed,
}

impl Proof {
    pub fn holds(&self) -> bool {
        self.checks.iter().all(AuditCheck::holds)
    }
}

/// How far it has come, for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There are so many rows to go through, those that are read twice counted twice.
    Rows(u64),
    /// A table is about to be copied.
    Copying(&'static str),
    /// A claim is about to be checked.
    Proving(&'static str),
    /// So many rows more are done.
    Done(u64),
}

/// Hears of each [`Step`].
pub type Watcher<'a> = &'a (dyn Fn(Step) + Send + Sync);

/// Copies everything that `source` holds into the empty `target`, and proves it.
///
/// A server that works on either is found by the list that servers keep, as of `now`; one that does not keep it, by what
/// it has written in the end.
///
/// # Errors
/// [`CopyError`]; the target is then as it was.
pub async fn copy(
    source: &dyn Database,
    target: &dyn Database,
    now: Timestamp,
    watcher: Watcher<'_>,
) -> Result<Proof, CopyError> {
    let since = now.minus(SEEN_WITHIN);
    refuse_served("source", source.servers_seen(since).await.map_err(CopyError::Source)?)?;
    refuse_served("target", target.servers_seen(since).await.map_err(CopyError::Target)?)?;
    let mut intake = target.intake().await.map_err(CopyError::Target)?;
    refuse_rows(intake.as_mut()).await?;
    let mut snapshot = source.snapshot().await.map_err(CopyError::Source)?;
    let pulse = snapshot.pulse().await.map_err(CopyError::Source)?;
    watcher(Step::Rows(2 * count(snapshot.as_mut()).await.map_err(CopyError::Source)?));
    for table in TABLES {
        watcher(Step::Copying(table.name));
        copy_table(snapshot.as_mut(), intake.as_mut(), table, watcher).await?;
    }
    intake.written().await.map_err(CopyError::Target)?;
    let proof = proof::prove(snapshot.as_mut(), intake.as_mut(), watcher).await?;
    drop(snapshot);
    let mut later = source.snapshot().await.map_err(CopyError::Source)?;
    if later.pulse().await.map_err(CopyError::Source)? != pulse {
        return Err(CopyError::Moved);
    }
    if !proof.holds() {
        return Err(CopyError::NotProven(proof));
    }
    intake.commit().await.map_err(CopyError::Target)?;
    Ok(proof)
}

/// Proves again that `target` is a copy of `source`, without changing either.
///
/// # Errors
/// [`CopyError`]
pub async fn compare(source: &dyn Database, target: &dyn Database, watcher: Watcher<'_>) -> Result<Proof, CopyError> {
    let mut source = source.snapshot().await.map_err(CopyError::Source)?;
    let mut target = target.snapshot().await.map_err(CopyError::Target)?;
    watcher(Step::Rows(count(source.as_mut()).await.map_err(CopyError::Source)?));
    let proof = proof::prove(source.as_mut(), target.as_mut(), watcher).await?;
    if proof.holds() { Ok(proof) } else { Err(CopyError::NotProven(proof)) }
}

fn refuse_served(which: &'static str, running: Vec<RunningServer>) -> Result<(), CopyError> {
    let names: Vec<String> = running.into_iter().map(|server| server.name).collect();
    if names.is_empty() { Ok(()) } else { Err(CopyError::Served { which, servers: names.join(", ") }) }
}

async fn refuse_rows(target: &mut dyn Intake) -> Result<(), CopyError> {
    let mut filled = Vec::new();
    for table in TABLES {
        if target.count(table).await.map_err(CopyError::Target)? > 0 {
            filled.push(table.name);
        }
    }
    if filled.is_empty() { Ok(()) } else { Err(CopyError::NotEmpty(filled.join(", "))) }
}

async fn count(snapshot: &mut dyn Snapshot) -> Result<u64, StoreError> {
    let mut rows = 0;
    for table in TABLES {
        rows += snapshot.count(table).await?.unsigned_abs();
    }
    Ok(rows)
}

/// The next rows are read while the last are written.
async fn copy_table(
    source: &mut dyn Snapshot,
    target: &mut dyn Intake,
    table: &'static Table,
    watcher: Watcher<'_>,
) -> Result<(), CopyError> {
    let mut rows = source.rows(table);
    let mut chunk = next_chunk(&mut rows).await?;
    while let Some(Chunk { json, rows: number }) = chunk {
        let write = async { target.write(table, &json).await.map_err(CopyError::Target) };
        ((), chunk) = try_join(write, next_chunk(&mut rows)).await?;
        watcher(Step::Done(number));
    }
    Ok(())
}

/// Rows as one JSON array.
struct Chunk {
    json: String,
    rows: u64,
}

async fn next_chunk(rows: &mut BoxStream<'_, Result<String, StoreError>>) -> Result<Option<Chunk>, CopyError> {
    let mut chunk = Chunk { json: String::new(), rows: 0 };
    while chunk.json.len() < CHUNK_BYTES
        && let Some(row) = rows.next().await
    {
        chunk.json.push(if chunk.rows == 0 { '[' } else { ',' });
        chunk.json.push_str(&row.map_err(CopyError::Source)?);
        chunk.rows += 1;
    }
    chunk.json.push(']');
    Ok((chunk.rows > 0).then_some(chunk))
}
