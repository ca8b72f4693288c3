//! The statements of docs/scaling.md that spread the tables over several servers, as far as Postgres can tell.

use std::collections::BTreeSet;
use std::fs;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::database::Database;
use crate::program::in_repository;

/// The columns of each unique index, by table.
const UNIQUE_INDEXES: &str = "
    SELECT c.relname::text AS name, t.relname::text AS of_table, array_agg(a.attname::text) AS columns
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_class t ON t.oid = i.indrelid AND t.relnamespace = 'public'::regnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
    WHERE i.indisunique
    GROUP BY 1, 2";

#[tokio::test]
#[ignore = "needs Postgres: scripts/test brings it"]
async fn every_table_is_distributed_by_a_column_of_all_its_unique_constraints() {
    let page = fs::read_to_string(in_repository("docs/scaling.md")).unwrap();
    let blocks: Vec<&str> = page.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [keys, tables] = blocks[..] else { panic!("there are {} blocks of SQL", blocks.len()) };

    let database = Database::fresh().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    connection.execute(AssertSqlSafe(keys)).await.unwrap();

    let indexes = sqlx::query(UNIQUE_INDEXES).fetch_all(&mut connection).await.unwrap();
    let mut placed = BTreeSet::from(["_sqlx_migrations".to_owned()]);
    for line in tables.lines().filter(|line| line.starts_with("SELECT ")) {
        let named: Vec<&str> = line.split('\'').collect();
        let table = named[1];
        placed.insert(table.to_owned());
        if line.contains("create_reference_table") {
            continue;
        }
        for index in indexes.iter().filter(|index| index.get::<&str, _>("of_table") == table) {
            let columns: Vec<String> = index.get("columns");
            assert!(columns.iter().any(|column| column == named[3]), "{}: {columns:?}", index.get::<&str, _>("name"));
        }
    }
    let all: Vec<String> = sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), placed);
    connection.close().await.unwrap();
}
