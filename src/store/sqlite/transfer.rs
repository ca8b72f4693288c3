//! Copying on SQLite: a snapshot is a read transaction on a reader, an intake one `BEGIN IMMEDIATE` on a connection of its own,
//! while it has the writer's turn.

use std::ops::DerefMut;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use futures_util::{future, stream};
use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions, Connection, query, query_as, query_scalar};

use super::rows::decision_row;
use super::writer::Writing;
use super::{SqliteStore, audit, load, store_error};
use crate::decide::{Loaded, Wanted};
use crate::domain::Decision;
use crate::store::rows::parse;
use crate::store::transfer::for_each_table;
use crate::store::{AuditCheck, Figure, Intake, Pulse, Snapshot, StoreError, Table, Transfer};

/// Pages of the file that the intake keeps in memory, here 32 MiB: an index is filled in no order, and what does not fit
/// is written again and again.
const INTAKE_CACHE: &str = "PRAGMA cache_size = -32768";

/// What is done with one table.
struct Statements {
    table: &'static str,
    count: &'static str,
    rows: &'static str,
    write: &'static str,
}

/// A column as a part of a row's JSON.
macro_rules! json_of {
    ($column:ident) => {
        stringify!($column)
    };
    ($column:ident json) => {
        concat!("json(", stringify!($column), ")")
    };
    ($column:ident flag) => {
        concat!("json(iif(", stringify!($column), ", 'true', 'false'))")
    };
}

macro_rules! row {
    ($first:ident $(, $key:ident)* $(; $($column:ident $($form:ident)?),+)?) => {
        concat!(
            "json_object('", stringify!($first), "', ", stringify!($first)
            $(, ", '", stringify!($key), "', ", stringify!($key))*
            $($(, ", '", stringify!($column), "', ", json_of!($column $($form)?))+)?
            , ")"
        )
    };
}

macro_rules! statements {
    ($($table:ident($first:ident $(, $key:ident)* $(; $($column:ident $($form:ident)?),+)?))+) => {
        &[$(Statements {
            table: stringify!($table),
            count: concat!("SELECT count(*) FROM ", stringify!($table)),
            rows: concat!(
                "SELECT ", row!($first $(, $key)* $(; $($column $($form)?),+)?), " FROM ", stringify!($table),
                " ORDER BY ", stringify!($first) $(, ", ", stringify!($key))*
            ),
            write: concat!(
                "INSERT INTO ", stringify!($table), " (", stringify!($first) $(, ", ", stringify!($key))*
                $($(, ", ", stringify!($column))+)?
                , ") SELECT value ->> '", stringify!($first), "'" $(, ", value ->> '", stringify!($key), "'")*
                $($(, ", value ->> '", stringify!($column), "'")+)?
                , " FROM json_each(?)"
            ),
        }),+]
    };
}

const STATEMENTS: &[Statements] = for_each_table!(statements);

fn of(table: &Table) -> Result<&'static Statements, StoreError> {
    let found = STATEMENTS.iter().find(|statements| statements.table == table.name);
    found.ok_or_else(|| StoreError::Corrupt(format!("there is no table {}", table.name)))
}

/// Each row: what it is of, and the number as text.
const BALANCES: &str = "
    SELECT currency || ' of accounts: ' || what, CAST(figure AS TEXT) FROM (
        SELECT currency, 'number' AS what, count(*) AS figure FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'balance', sum(balance) FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'pending', sum(pending) FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'receivable', sum(receivable) FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'opening', sum(opening_balance) FROM accounts GROUP BY currency)
    UNION ALL SELECT currency || ' posted to the book ' || book, CAST(sum(amount) AS TEXT)
    FROM postings GROUP BY currency, book";

const COUNTERS: &str = "
    WITH heads AS (
        SELECT kind, currency, count(*) AS series, sum(events) AS events, sum(amount) AS amount,
            sum(released ->> '$.expiry.count') + sum(released ->> '$.reversal.count')
                + sum(released ->> '$.always.count') AS released,
            sum(released ->> '$.expiry.amount') + sum(released ->> '$.reversal.amount')
                + sum(released ->> '$.always.amount') AS released_amount
        FROM series GROUP BY kind, currency)
    SELECT kind || ': subjects', count(*) || ', the last event at ' || max(last_event_at) FROM all_subjects GROUP BY kind
    UNION ALL SELECT kind || ' ' || currency || ': series', CAST(series AS TEXT) FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': events of series', CAST(events AS TEXT) FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': amount of series', CAST(amount AS TEXT) FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': released of series', CAST(released AS TEXT) FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': released amount of series', CAST(released_amount AS TEXT) FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': events, ' || coalesce('released for ' || released, 'counted'),
        count(*) || ' of ' || sum(amount) || ', ' || count(due_at) || ' due'
    FROM events GROUP BY kind, currency, released
    UNION ALL SELECT kind || ' ' || currency || ': release nodes of level ' || level || ' for ' || released,
        count(*) || ' of ' || sum(count) || ' events of ' || sum(amount)
    FROM release_nodes GROUP BY kind, currency, level, released";

const LATEST_DECISIONS: &str =
    concat!("SELECT ", decision_row!("'{}'"), " FROM decisions ORDER BY id DESC LIMIT ? OFFSET ?");

const PULSE: &str = "
    SELECT json_object('batches', count(*), 'latest_batch', max(committed_at),
        'rule_sets', (SELECT count(*) FROM rule_sets), 'idempotency', (SELECT count(*) FROM idempotency),
        'enrolments', (SELECT count(*) FROM enrolments))
    FROM batches";

/// The transaction of a snapshot or of an intake.
struct Moment<C, T> {
    connection: C,
    /// The writer's, where the moment is an intake's. It ends after the connection.
    turn: T,
}

#[async_trait]
impl Transfer for SqliteStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let mut moment = Moment { connection: self.readers.begin().await.map_err(store_error)?, turn: () };
        // The moment is that of the first read.
        moment.pulse().await?;
        Ok(Box::new(moment))
    }

    async fn intake(&self) -> Result<Box<dyn Intake>, StoreError> {
        let turn = self.writer.take().await?;
        let mut connection = self.intake.connect().await.map_err(store_error)?;
        query(INTAKE_CACHE).execute(&mut connection).await.map_err(store_error)?;
        query("BEGIN IMMEDIATE").execute(&mut connection).await.map_err(store_error)?;
        Ok(Box::new(Moment { connection: Box::new(connection), turn }))
    }
}

#[async_trait]
impl<C: DerefMut<Target = SqliteConnection> + Send, T: Send> Snapshot for Moment<C, T> {
    async fn count(&mut self, table: &'static Table) -> Result<i64, StoreError> {
        query_scalar(of(table)?.count).fetch_one(&mut *self.connection).await.map_err(store_error)
    }

    fn rows(&mut self, table: &'static Table) -> BoxStream<'_, Result<String, StoreError>> {
        match of(table) {
            Ok(statements) => {
                query_scalar(statements.rows).fetch(&mut *self.connection).map(|row| row.map_err(store_error)).boxed()
            }
            Err(error) => stream::once(future::ready(Err(error))).boxed(),
        }
    }

    async fn balances(&mut self) -> Result<Vec<Figure>, StoreError> {
        self.figures(BALANCES).await
    }

    async fn counters(&mut self) -> Result<Vec<Figure>, StoreError> {
        self.figures(COUNTERS).await
    }

    async fn latest_decisions(&mut self, limit: i64, offset: i64) -> Result<Vec<Decision>, StoreError> {
        let rows: Vec<String> = query_scalar(LATEST_DECISIONS)
            .bind(limit)
            .bind(offset)
            .fetch_all(&mut *self.connection)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| parse(row)).collect()
    }

    async fn rules_text(&mut self, version: &str) -> Result<Option<String>, StoreError> {
        query_scalar(super::reads::RULES_TEXT)
            .bind(version)
            .fetch_optional(&mut *self.connection)
            .await
            .map_err(store_error)
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        load::load(&mut self.connection, wanted).await
    }

    async fn audit(&mut self) -> Result<Vec<AuditCheck>, StoreError> {
        audit::run_all(&mut self.connection).await
    }

    async fn pulse(&mut self) -> Result<Pulse, StoreError> {
        let row: String = query_scalar(PULSE).fetch_one(&mut *self.connection).await.map_err(store_error)?;
        parse(&row)
    }
}

#[async_trait]
impl Intake for Moment<Box<SqliteConnection>, Writing> {
    async fn write(&mut self, table: &'static Table, rows: &str) -> Result<(), StoreError> {
        query(of(table)?.write).bind(rows).execute(&mut *self.connection).await.map_err(store_error)?;
        Ok(())
    }

    async fn written(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self { mut connection, turn } = *self;
        query("COMMIT").execute(&mut *connection).await.map_err(store_error)?;
        if let Err(error) = connection.close().await {
            tracing::debug!(%error, "the intake's connection was not closed in order");
        }
        turn.hand_back_committed().reached().await
    }
}

impl<C: DerefMut<Target = SqliteConnection> + Send, T> Moment<C, T> {
    async fn figures(&mut self, statement: &'static str) -> Result<Vec<Figure>, StoreError> {
        let rows: Vec<(String, String)> =
            query_as(statement).fetch_all(&mut *self.connection).await.map_err(store_error)?;
        Ok(rows.into_iter().map(|(of, figure)| Figure { of, figure }).collect())
    }
}
