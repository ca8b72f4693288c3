//! Copying on Postgres: a snapshot is a transaction in REPEATABLE READ, an intake one that has locked every table against
//! all other writers.

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use futures_util::{future, stream};
use sqlx::{Executor, Postgres, Transaction, query, query_as, query_scalar};

use super::{PostgresStore, audit, load, store_error, transaction};
use crate::decide::{Loaded, Wanted};
use crate::domain::Decision;
use crate::store::rows::parse;
use crate::store::transfer::for_each_table;
use crate::store::{AuditCheck, Figure, Intake, Pulse, Snapshot, StoreError, Table, Transfer};

/// What is done with one table. Columns are told apart by their names, so a row needs no list of them.
struct Statements {
    table: &'static str,
    lock: &'static str,
    count: &'static str,
    rows: &'static str,
    write: &'static str,
    analyze: &'static str,
}

macro_rules! statements {
    ($($table:ident($first:ident $(, $key:ident)* $(; $($column:ident $($form:ident)?),+)?))+) => {
        &[$(Statements {
            table: stringify!($table),
            lock: concat!("LOCK TABLE ", stringify!($table), " IN EXCLUSIVE MODE"),
            count: concat!("SELECT count(*) FROM ", stringify!($table)),
            rows: concat!(
                "SELECT row_to_json(t)::text FROM ", stringify!($table),
                " t ORDER BY ", stringify!($first) $(, ", ", stringify!($key))*
            ),
            write: concat!(
                "INSERT INTO ", stringify!($table),
                " SELECT * FROM json_populate_recordset(NULL::", stringify!($table), ", $1::json)"
            ),
            analyze: concat!("ANALYZE ", stringify!($table)),
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
    SELECT currency || ' of accounts: ' || what, figure::text FROM (
        SELECT currency, 'number' AS what, count(*)::numeric AS figure FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'balance', sum(balance) FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'pending', sum(pending) FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'receivable', sum(receivable) FROM accounts GROUP BY currency
        UNION ALL SELECT currency, 'opening', sum(opening_balance) FROM accounts GROUP BY currency) held
    UNION ALL SELECT currency || ' posted to the book ' || book, sum(amount)::text
    FROM postings GROUP BY currency, book";

const COUNTERS: &str = "
    WITH heads AS (
        SELECT kind, currency, count(*) AS series, sum(events) AS events, sum(amount) AS amount,
            sum((released #>> '{expiry,count}')::bigint) + sum((released #>> '{reversal,count}')::bigint)
                + sum((released #>> '{always,count}')::bigint) AS released,
            sum((released #>> '{expiry,amount}')::bigint) + sum((released #>> '{reversal,amount}')::bigint)
                + sum((released #>> '{always,amount}')::bigint) AS released_amount
        FROM series GROUP BY kind, currency)
    SELECT kind || ': subjects', count(*) || ', the last event at ' || max(last_event_at) FROM all_subjects GROUP BY kind
    UNION ALL SELECT kind || ' ' || currency || ': series', series::text FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': events of series', events::text FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': amount of series', amount::text FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': released of series', released::text FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': released amount of series', released_amount::text FROM heads
    UNION ALL SELECT kind || ' ' || currency || ': events, ' || coalesce('released for ' || released, 'counted'),
        count(*) || ' of ' || sum(amount) || ', ' || count(due_at) || ' due'
    FROM events GROUP BY kind, currency, released
    UNION ALL SELECT kind || ' ' || currency || ': release nodes of level ' || level || ' for ' || released,
        count(*) || ' of ' || sum(count) || ' events of ' || sum(amount)
    FROM release_nodes GROUP BY kind, currency, level, released";

const LATEST_DECISIONS: &str = "
    SELECT (to_jsonb(d) || '{\"request\": \"{}\"}')::text
    FROM (SELECT * FROM decisions ORDER BY id DESC LIMIT $1 OFFSET $2) d
    ORDER BY id DESC";

const PULSE: &str = "
    SELECT json_build_object('batches', count(*), 'latest_batch', max(committed_at),
        'rule_sets', (SELECT count(*) FROM rule_sets), 'idempotency', (SELECT count(*) FROM idempotency),
        'enrolments', (SELECT count(*) FROM enrolments))::text
    FROM batches";

/// The transaction of a snapshot or of an intake.
struct Moment {
    transaction: Transaction<'static, Postgres>,
}

#[async_trait]
impl Transfer for PostgresStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(Moment { transaction: self.readers.begin(transaction::COPIED).await? }))
    }

    async fn intake(&self) -> Result<Box<dyn Intake>, StoreError> {
        let mut transaction = self.writers.begin(transaction::INTAKE).await?;
        for statements in STATEMENTS {
            query(statements.lock).execute(&mut *transaction).await.map_err(store_error)?;
        }
        Ok(Box::new(Moment { transaction }))
    }
}

#[async_trait]
impl Snapshot for Moment {
    async fn count(&mut self, table: &'static Table) -> Result<i64, StoreError> {
        query_scalar(of(table)?.count).fetch_one(&mut *self.transaction).await.map_err(store_error)
    }

    fn rows(&mut self, table: &'static Table) -> BoxStream<'_, Result<String, StoreError>> {
        match of(table) {
            Ok(statements) => {
                query_scalar(statements.rows).fetch(&mut *self.transaction).map(|row| row.map_err(store_error)).boxed()
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
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| parse(row)).collect()
    }

    async fn rules_text(&mut self, version: &str) -> Result<Option<String>, StoreError> {
        query_scalar(super::reads::RULES_TEXT)
            .bind(version)
            .fetch_optional(&mut *self.transaction)
            .await
            .map_err(store_error)
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        load::load(&mut self.transaction, wanted).await
    }

    async fn audit(&mut self) -> Result<Vec<AuditCheck>, StoreError> {
        audit::run_all(&mut self.transaction).await
    }

    async fn pulse(&mut self) -> Result<Pulse, StoreError> {
        let row: String = query_scalar(PULSE).fetch_one(&mut *self.transaction).await.map_err(store_error)?;
        parse(&row)
    }
}

#[async_trait]
impl Intake for Moment {
    async fn write(&mut self, table: &'static Table, rows: &str) -> Result<(), StoreError> {
        query(of(table)?.write).bind(rows).execute(&mut *self.transaction).await.map_err(store_error)?;
        Ok(())
    }

    /// The planner has to know how large the tables have become, or the audit takes for ever.
    async fn written(&mut self) -> Result<(), StoreError> {
        for statements in STATEMENTS {
            self.transaction.execute(sqlx::raw_sql(statements.analyze)).await.map_err(store_error)?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(store_error)
    }
}

impl Moment {
    async fn figures(&mut self, statement: &'static str) -> Result<Vec<Figure>, StoreError> {
        let rows: Vec<(String, String)> =
            query_as(statement).fetch_all(&mut *self.transaction).await.map_err(store_error)?;
        Ok(rows.into_iter().map(|(of, figure)| Figure { of, figure }).collect())
    }
}
