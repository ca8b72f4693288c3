//! Several statements for SQLite's thread at once: each one sent alone costs a hop there and back.

use sqlx::encode::Encode;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Sqlite, Type};

use crate::store::StoreError;

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

    pub(super) fn bind<'a>(&mut self, value: impl Encode<'a, Sqlite> + Type<Sqlite>) -> Result<(), StoreError> {
        self.arguments.add(value).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    pub(super) fn query(self) -> Query<'static, Sqlite, SqliteArguments> {
        sqlx::query_with(AssertSqlSafe(self.sql), self.arguments)
    }
}
