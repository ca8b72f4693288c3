//! A whole database, table by table: what a copy is read from, written into and proven by.
//!
//! A row travels as the JSON of its columns, in the same form from every store. Tables are listed here, once, with their
//! columns; each store makes its statements from the list, and a test holds it against the migrations.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::{AuditCheck, StoreError};
use crate::decide::{Loaded, Wanted};
use crate::domain::{Decision, Timestamp};

/// Calls another macro with every table that a copy carries: its name, the columns of its key, and after `;` the others.
/// `json` marks what SQLite keeps as the text of JSON, `flag` what it keeps as 0 or 1.
macro_rules! for_each_table {
    ($with:ident) => {
        $with! {
            batches(id; committed_at)
            marks(name; at)
            rule_sets(version; text, first_seen_at)
            persons(id; data json, documents json)
            directory(kind, value, person)
            accounts(id; person, currency, status, tier, display_name, created_at, balance, pending, receivable,
                opening_balance, last_event_at, series json, unfiled json)
            subjects(key, kind; last_event_at, series json)
            events(key, kind, currency, at, number; amount, running, authorization, due_at, released, late flag)
            release_nodes(key, kind, currency, level, block, released; count, amount)
            authorizations(id; account, amount, currency, exchange_rate, at, expires_at, state, sender, counted json,
                bound_credit)
            credits(id; account, authorization, amount, currency, exchange_rate, at, state, referenced flag, late,
                reason, note, reversal, idempotency_key, counted json)
            reversals(id; credit, account, amount, currency, at)
            ambiguous_credits(id; account, amount, currency, exchange_rate, at, answered_with, state, credit)
            entries(id; account, kind, credit, currency, at)
            postings(entry, book; account, currency, amount)
            decisions(id; kind, account, at, received_at, approved flag, reason, note, reference, amount, currency,
                exchange_rate, rules_version, findings json, request)
            account_records(account, at, id; decision, posted flag)
            account_changes(account, id; at, who, action, why, target, change, case_number, review_date)
            enrolments(token_hash; person json, documents json, created_at, expires_at, account)
            idempotency(path, key; body_hash, outcome json, at)
        }
    };
}

pub(super) use for_each_table;

/// Tables that a copy leaves behind: what they say is of the database that they are in.
pub const NOT_COPIED: [&str; 2] = ["_sqlx_migrations", "servers"];

/// A table that a copy carries.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// Its rows are read in the order of these, byte by byte.
    pub key: &'static [&'static str],
    /// The other columns.
    pub columns: &'static [&'static str],
}

macro_rules! tables {
    ($($table:ident($($key:ident),+ $(; $($column:ident $($form:ident)?),+)?))+) => {
        &[$(Table {
            name: stringify!($table),
            key: &[$(stringify!($key)),+],
            columns: &[$($(stringify!($column)),+)?],
        }),+]
    };
}

/// Every table that a copy carries, in the order in which it is copied.
pub const TABLES: &[Table] = for_each_table!(tables);

/// A sum or a number that must be the same in a copy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure {
    /// What it is of, for a person.
    pub of: String,
    pub figure: String,
}

/// Reading a database whole, and filling one.
#[async_trait]
pub trait Transfer: Send + Sync + 'static {
    /// The database as it is at one moment, to read from for as long as it takes.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// The one transaction that a copy is written in. Until it ends nobody else can write to the database.
    async fn intake(&self) -> Result<Box<dyn Intake>, StoreError>;
}

/// A database as it is at one moment.
#[async_trait]
pub trait Snapshot: Send {
    async fn count(&mut self, table: &'static Table) -> Result<i64, StoreError>;

    /// Every row of a table in the order of its key, each the JSON of its columns. They come as they are taken: no table
    /// is ever held in memory.
    fn rows(&mut self, table: &'static Table) -> BoxStream<'_, Result<String, StoreError>>;

    /// What the accounts of each currency hold, and what the postings to each book sum to, in minor units.
    async fn balances(&mut self) -> Result<Vec<Figure>, StoreError>;

    /// What is counted for each kind of subject in each currency: series, events and nodes of the release tree.
    async fn counters(&mut self) -> Result<Vec<Figure>, StoreError>;

    /// Decisions, the latest first, `limit` of them after the first `offset`; without their requests.
    async fn latest_decisions(&mut self, limit: i64, offset: i64) -> Result<Vec<Decision>, StoreError>;

    /// The text of the rules of a version.
    async fn rules_text(&mut self, version: &str) -> Result<Option<String>, StoreError>;

    /// Loads as for a batch, by the same statement.
    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError>;

    /// Recounts the books, as [`super::Reads::audit`] does.
    async fn audit(&mut self) -> Result<Vec<AuditCheck>, StoreError>;

    /// Changes whenever this program writes to the database.
    async fn pulse(&mut self) -> Result<Pulse, StoreError>;
}

/// What a write leaves a trace in: each batch adds its id, and what is forgotten or kept beside the batches changes a
/// number of rows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Pulse {
    pub batches: i64,
    pub latest_batch: Option<Timestamp>,
    pub rule_sets: i64,
    pub idempotency: i64,
    pub enrolments: i64,
}

/// A database that is being filled. Dropping it leaves the database as it was.
#[async_trait]
pub trait Intake: Snapshot {
    /// Adds rows, a JSON array in the form that [`Snapshot::rows`] gives them.
    async fn write(&mut self, table: &'static Table, rows: &str) -> Result<(), StoreError>;

    /// Tells the database that everything is written, before it is read.
    async fn written(&mut self) -> Result<(), StoreError>;

    /// Keeps everything, durably.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
