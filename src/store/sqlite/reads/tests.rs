use sqlx::{AssertSqlSafe, Executor, Row, raw_sql};
use tempfile::TempDir;

use super::*;

/// A store on a file of its own.
async fn fresh_store() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("books.db");
    let store = SqliteStore::open(&format!("sqlite://{}", file.display())).await.unwrap();
    (directory, store)
}

#[tokio::test]
async fn what_one_account_did_is_found_without_reading_the_rest() {
    let (_directory, store) = fresh_store().await;
    for query in [
        ACCOUNT,
        STATEMENT,
        AUTHORIZATIONS_OF_ACCOUNT,
        AUTHORIZATIONS_OF_ACCOUNT_FILTERED,
        OPEN_AUTHORIZATIONS_OF_AMOUNT,
        CREDITS_OF_ACCOUNT,
        CREDITS_OF_ACCOUNT_FILTERED,
        REVERSALS_OF_ACCOUNT,
        AMBIGUOUS_CREDITS_OF_ACCOUNT,
        DECISIONS_OF_ACCOUNT,
        DECISIONS_OF_ACCOUNT_FILTERED,
        CHANGES_OF_ACCOUNT,
    ] {
        let steps = plan(&store, query).await;
        assert!(steps.iter().any(|step| step.starts_with("SEARCH ")), "{steps:?}: {query}");
        for step in steps {
            let reads_a_table =
                step.starts_with("SCAN ") && !step.starts_with("SCAN (") && !step.contains("CONSTANT ROW");
            assert!(!reads_a_table && !step.contains("B-TREE FOR ORDER BY"), "{step}: {query}");
        }
    }
    let twins = plan(&store, OPEN_AUTHORIZATIONS_OF_AMOUNT).await;
    assert!(twins.iter().any(|step| step.starts_with("SEARCH e USING PRIMARY KEY")), "{twins:?}");
    let waiting = plan(&store, CREDITS_IN_PROGRESS).await;
    assert!(waiting.iter().any(|step| step == "SCAN credits USING INDEX credits_in_progress"), "{waiting:?}");
}

async fn plan(store: &SqliteStore, query: &str) -> Vec<String> {
    let steps = raw_sql(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"))).fetch_all(&store.readers).await.unwrap();
    steps.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn a_write_probe_commits_and_leaves_nothing_behind() {
    let (_directory, store) = fresh_store().await;
    let mut onlooker = store.readers.acquire().await.unwrap();
    let before: i64 = query_scalar("PRAGMA data_version").fetch_one(&mut *onlooker).await.unwrap();
    store.takes_writes().await.unwrap();
    let after: i64 = query_scalar("PRAGMA data_version").fetch_one(&mut *onlooker).await.unwrap();
    assert_ne!(before, after, "the probe committed");
    assert_eq!(store.latest_batch_at().await.unwrap(), None);
}

#[tokio::test]
async fn a_write_lock_that_nobody_lets_go_of_is_no_store_that_takes_writes() {
    let (_directory, store) = fresh_store().await;
    let mut holder = store.writer.take().await.unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    assert!(store.takes_writes().await.is_err());
    holder.execute("ROLLBACK").await.unwrap();
    store.takes_writes().await.unwrap();
}
