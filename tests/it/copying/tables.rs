//! Nothing is forgotten: no table, no column, no row.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection, SqliteConnection};
use vna_partner::store::{NOT_COPIED, TABLES};

use super::{NOW, open, pair, pairs, rows_of, traffic};
use crate::support::Database;

/// Each table of a database with its columns.
async fn schema(database: &Database) -> BTreeMap<String, BTreeSet<String>> {
    let columns: Vec<(String, String)> = if database.is_sqlite() {
        let tables = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'";
        let mut connection = SqliteConnection::connect(&database.url).await.unwrap();
        sqlx::query_as(tables).fetch_all(&mut connection).await.unwrap()
    } else {
        let tables = "SELECT table_name::text, column_name::text FROM information_schema.columns \
                      JOIN information_schema.tables USING (table_schema, table_name) \
                      WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'";
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        sqlx::query_as(tables).fetch_all(&mut connection).await.unwrap()
    };
    let mut schema: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (table, column) in columns {
        schema.entry(table).or_default().insert(column);
    }
    schema
}

#[tokio::test]
async fn every_table_and_column_of_the_migrations_is_copied_or_named_as_left_behind() {
    let database = Database::fresh().await;
    open(&database).await.close().await;
    let mut schema = schema(&database).await;
    for left in NOT_COPIED {
        assert!(schema.remove(left).is_some(), "there is no table {left} to leave behind");
    }
    let copied = TABLES.iter().map(|table| {
        let columns = table.key.iter().chain(table.columns).map(|column| (*column).to_owned()).collect();
        (table.name.to_owned(), columns)
    });
    assert_eq!(schema, copied.collect());
}

#[tokio::test]
async fn every_table_is_filled_and_no_chunk_of_rows_is_lost() {
    for pair in pairs().await {
        let told = traffic(&pair.source).await;
        // More than one statement takes: some 30,000 rows, of 80 bytes each.
        let numbers = if pair.source.is_sqlite() {
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
             INSERT INTO batches SELECT printf('00000000-0000-7000-8000-%012d', i), i FROM n"
        } else {
            "INSERT INTO batches
             SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, i FROM generate_series(1, 30000) i"
        };
        pair.source.run(numbers).await.unwrap();
        let proof = pair.copy(told.now).await.unwrap();
        let target = open(&pair.target).await;
        let mut snapshot = target.snapshot().await.unwrap();
        for table in TABLES {
            assert!(snapshot.count(table).await.unwrap() > 0, "the test brings no row into {}", table.name);
        }
        drop(snapshot);
        target.close().await;
        assert_eq!(proof.rows, rows_of(&pair.source).await);
        assert_eq!(proof.rows, rows_of(&pair.target).await);
    }
}

#[tokio::test]
async fn a_target_that_holds_anything_is_refused() {
    let pair = pair().await;
    traffic(&pair.source).await;
    open(&pair.target).await.close().await;
    pair.target.run("INSERT INTO subjects VALUES ('sender', '4000', 5, '{}')").await.unwrap();
    let refused = pair.copy(NOW).await.unwrap_err().to_string();
    assert_eq!(refused, "the target is not empty, it has rows in subjects; copy into an empty database");
    assert_eq!(rows_of(&pair.target).await, 1);
}
