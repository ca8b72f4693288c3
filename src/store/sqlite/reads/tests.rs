use tempfile::TempDir;

use super::super::execute;
use super::super::plans::steps;
use super::*;

/// A store on a file of its own.
async fn fresh_store() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("books.db");
    let store = SqliteStore::open(&format!("sqlite://{}", file.display())).await.unwrap();
    (directory, store)
}

/// What is read of a list of records without filters: all parts in order, as far as the page reaches.
const PAGES_OF_RECORDS: [&str; 3] = [STATEMENT, AUTHORIZATIONS_OF_ACCOUNT, DECISIONS_OF_ACCOUNT];

/// All of an account's records are looked through, and what is found is sorted.
const FILTERED_RECORDS: [&str; 4] = [
    AUTHORIZATIONS_OF_ACCOUNT_FILTERED,
    CREDITS_OF_ACCOUNT,
    CREDITS_OF_ACCOUNT_FILTERED,
    DECISIONS_OF_ACCOUNT_FILTERED,
];

const LISTS_IN_THE_ORDER_OF_AN_INDEX: [&str; 5] =
    [ACCOUNT, OPEN_AUTHORIZATIONS_OF_AMOUNT, REVERSALS_OF_ACCOUNT, AMBIGUOUS_CREDITS_OF_ACCOUNT, CHANGES_OF_ACCOUNT];

#[tokio::test]
async fn what_one_account_did_is_found_without_reading_the_rest() {
    let (_directory, store) = fresh_store().await;
    for query in PAGES_OF_RECORDS {
        let steps = plan_of_a_list(&store, query).await;
        assert!(steps.iter().any(|step| step == "MERGE (UNION ALL)"), "{steps:?}: {query}");
        // What stands in the account's row has no order; the events need no more than that of one moment.
        assert_eq!(
            steps.iter().filter(|step| *step == "USE TEMP B-TREE FOR ORDER BY").count(),
            1,
            "{steps:?}: {query}"
        );
        let of_events = "SEARCH events USING PRIMARY KEY (key=? AND kind=? AND currency=?)";
        assert!(steps.iter().any(|step| step == of_events), "{steps:?}: {query}");
    }
    for query in FILTERED_RECORDS {
        plan_of_a_list(&store, query).await;
    }
    for query in LISTS_IN_THE_ORDER_OF_AN_INDEX {
        let steps = plan_of_a_list(&store, query).await;
        assert!(!steps.iter().any(|step| step.contains("B-TREE FOR ORDER BY")), "{steps:?}: {query}");
    }
    let twins = steps(&store.readers, OPEN_AUTHORIZATIONS_OF_AMOUNT).await;
    assert!(twins.iter().any(|step| step.starts_with("SEARCH e USING PRIMARY KEY")), "{twins:?}");
    let waiting = steps(&store.readers, CREDITS_IN_PROGRESS).await;
    assert!(waiting.iter().any(|step| step == "SCAN credits USING INDEX credits_in_progress"), "{waiting:?}");
}

#[tokio::test]
async fn what_is_overdue_and_what_is_open_is_found_by_its_deadline() {
    let (_directory, store) = fresh_store().await;
    let accounts = steps(&store.readers, super::super::OVERDUE_ACCOUNTS).await;
    let others = steps(&store.readers, super::super::OVERDUE_OTHERS).await;
    let open = steps(&store.readers, OPEN_AUTHORIZATIONS).await;
    for (steps, search) in [
        (&accounts, "SEARCH authorizations USING INDEX authorizations_by_deadline"),
        (&accounts, "SEARCH credits USING"),
        (&open, "SEARCH authorizations USING INDEX authorizations_by_deadline"),
        (&others, "SEARCH events USING COVERING INDEX events_overdue"),
    ] {
        assert!(steps.iter().any(|step| step.starts_with(search)), "{steps:?}");
    }
}

/// How a list of one account is found: by indexes alone.
async fn plan_of_a_list(store: &SqliteStore, query: &str) -> Vec<String> {
    let steps = steps(&store.readers, query).await;
    assert!(steps.iter().any(|step| step.starts_with("SEARCH ")), "{steps:?}: {query}");
    let small = ["SCAN (", "CONSTANT ROW", "SCAN records", "VIRTUAL TABLE"];
    let reads_a_table = |step: &String| step.starts_with("SCAN ") && !small.iter().any(|small| step.contains(small));
    assert!(!steps.iter().any(reads_a_table), "{steps:?}: {query}");
    steps
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
    let holder = store.writer.take().await.unwrap();
    execute(&holder.connection, "BEGIN IMMEDIATE").unwrap();
    assert!(store.takes_writes().await.is_err());
    execute(&holder.connection, "ROLLBACK").unwrap();
    store.takes_writes().await.unwrap();
}
