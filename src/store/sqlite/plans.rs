//! How SQLite would find the rows of a statement, for tests: one that scans a table grows slower with every remittance.

use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, Row};

/// Empty tables in memory.
pub(super) async fn empty_tables() -> SqlitePool {
    let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
    super::MIGRATIONS.run(&pool).await.unwrap();
    pool
}

/// Each step, and the number of the one that it is a part of.
pub(super) async fn nested_steps(pool: &SqlitePool, statement: &str) -> Vec<(i64, String)> {
    let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let plan = sqlx::raw_sql(explained).fetch_all(pool).await.unwrap();
    plan.iter().map(|row| (row.get("parent"), row.get("detail"))).collect()
}

pub(super) async fn steps(pool: &SqlitePool, statement: &str) -> Vec<String> {
    nested_steps(pool, statement).await.into_iter().map(|(_, step)| step).collect()
}
