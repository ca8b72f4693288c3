//! Several statements for SQLite's thread at once: each one sent alone costs a hop there and back.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Sqlite};

use crate::store::StoreError;

/// SQL that takes the same rows or keys, a JSON array, each piece of it as its one parameter.
pub(super) struct Part {
    pub rows: String,
    pub sql: &'static [&'static str],
}

/// The pieces that have something to do, each with its parameter.
pub(super) fn needed(parts: impl IntoIterator<Item = Part>) -> impl Iterator<Item = (Arc<str>, &'static str)> {
    parts.into_iter().filter(|part| part.rows != "[]").flat_map(|part| {
        let rows: Arc<str> = part.rows.into();
        part.sql.iter().map(move |sql| (rows.clone(), *sql))
    })
}

/// A text of statements and what they bind, in order. It is composed anew each time, but of so few kinds that SQLite has
/// nearly always compiled it before.
#[derive(Default)]
pub(super) struct Text {
    sql: String,
    arguments: SqliteArguments,
}

impl Text {
    pub(super) fn add(&mut self, statement: &str) {
        self.sql.push_str(statement);
        self.sql.push_str(";\n");
    }

    pub(super) fn bind(&mut self, rows: Arc<str>) -> Result<(), StoreError> {
        self.arguments.add(rows).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    /// Statements with their parameters.
    pub(super) fn add_all(
        &mut self,
        statements: impl IntoIterator<Item = (Arc<str>, &'static str)>,
    ) -> Result<(), StoreError> {
        for (rows, statement) in statements {
            self.add(statement);
            self.bind(rows)?;
        }
        Ok(())
    }

    pub(super) fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        sqlx::query_with(AssertSqlSafe(self.sql), self.arguments)
    }
}
