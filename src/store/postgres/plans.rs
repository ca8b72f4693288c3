//! How Postgres finds the rows: a branch that scans a table grows slower with every remittance.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::reads::{FILTERED_RECORDS, LISTS_IN_THE_ORDER_OF_AN_INDEX, OPEN_AUTHORIZATIONS, PAGES_OF_RECORDS};
use super::throw_away::cluster;
use super::transaction::Settings;
use super::{OVERDUE_ACCOUNTS, OVERDUE_OTHERS, load, lock, parts, write};

/// A connection to the test run's cluster with empty tables of its own, gone when it closes. Tables are never read in
/// full there where an index serves, as on any table that has grown.
async fn connect() -> PgConnection {
    let mut connection = PgConnection::connect(&format!("{}/postgres", cluster())).await.unwrap();
    let schema = format!("plans_{}", crate::clock::fresh_id().0.simple());
    let own = format!(
        "BEGIN; CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}; SET LOCAL enable_seqscan = off; \
         SET LOCAL plan_cache_mode = force_generic_plan"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(own))).await.unwrap();
    connection.execute(sqlx::raw_sql(include_str!("../../../migrations/postgres/0001_initial.sql"))).await.unwrap();
    connection
}

/// The same, as a batch has it.
async fn connect_as_a_batch() -> PgConnection {
    let mut connection = connect().await;
    let settings = Settings::OF_BATCHES.for_the_transaction().unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await.unwrap();
    connection
}

async fn plan(connection: &mut PgConnection, query: &str, types: &str, arguments: &str) -> Vec<String> {
    let prepare = format!("PREPARE planned ({types}) AS {query}");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(prepare))).await.unwrap();
    let explain = format!("EXPLAIN EXECUTE planned ({arguments})");
    let steps = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut *connection).await.unwrap();
    connection.execute("DEALLOCATE planned").await.unwrap();
    steps.iter().map(|row| sqlx::Row::get(row, 0)).collect()
}

fn finds_every_row_by_its_key(steps: &[String]) {
    let wrong = ["Seq Scan", "Hash Join", "Merge Join"];
    let offenders: Vec<_> = steps.iter().filter(|step| wrong.iter().any(|wrong| step.contains(wrong))).collect();
    assert!(offenders.is_empty(), "{offenders:#?} in {steps:#?}");
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn every_part_finds_its_rows_by_an_index() {
    let mut connection = connect_as_a_batch().await;
    let parts: Vec<&str> = load::PARTS.iter().map(|part| part.text).collect();
    let (types, arguments) = (vec!["text"; parts.len()].join(", "), vec!["'[]'"; parts.len()].join(", "));
    let steps = plan(&mut connection, &parts::union(&parts), &types, &arguments).await;
    finds_every_row_by_its_key(&steps);
    for (index, uses) in [
        ("events_pkey", 10),
        ("authorizations_expired", 2),
        ("authorizations_by_deadline", 0),
        ("credits_unreferenced", 1),
    ] {
        let using = format!("using {index} ");
        assert_eq!(steps.iter().filter(|step| step.contains(&using)).count(), uses, "{index}: {steps:#?}");
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn every_row_that_is_changed_is_found_by_its_key() {
    let mut connection = connect_as_a_batch().await;
    for part in write::PARTS {
        let (_, after) = part.text.split_once("$0::").unwrap();
        let (table, _) = after.split_once("[]").unwrap();
        let steps = plan(&mut connection, &write::compose(&[part.text]).unwrap(), &format!("{table}[]"), "'{}'").await;
        finds_every_row_by_its_key(&steps);
        let if_unchanged = write::compose_if_unchanged(&[part.text]).unwrap();
        let steps = plan(&mut connection, &if_unchanged, &format!("{table}[], integer[]"), "'{}', '{}'").await;
        finds_every_row_by_its_key(&steps);
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_lock_is_found_by_its_key() {
    let mut connection = connect_as_a_batch().await;
    for (texts, looks) in [(lock::PARTS.map(|part| part.lock), 2), (lock::PARTS.map(|part| part.wait), 1)] {
        let steps = plan(&mut connection, &parts::union(&texts), "text, text", "'[]', '[]'").await;
        for table in ["accounts", "subjects"] {
            let reads: Vec<_> = steps.iter().filter(|step| step.contains(&format!("on {table}"))).collect();
            assert_eq!(reads.len(), looks, "{steps:#?}");
            assert!(reads.iter().all(|step| step.contains(&format!("using {table}_pkey"))), "{steps:#?}");
        }
        let by_key = steps.iter().filter(|step| step.contains("Index Cond")).count();
        assert_eq!(by_key, 2 * looks, "{steps:#?}");
    }
    let looked_at = parts::union(&[lock::LOOK, lock::LOOK_AT_NAMED]);
    for (texts, types, arguments) in
        [(parts::union(&[lock::NAMED]), "text", "'[]'"), (looked_at, "text, text", "'[]', '[]'")]
    {
        let steps = plan(&mut connection, &texts, types, arguments).await;
        for key in ["authorizations_pkey", "credits_authorization_key", "accounts_pkey"] {
            assert!(steps.iter().any(|step| step.contains(&format!("using {key} "))), "{steps:#?}");
        }
        finds_every_row_by_its_key(&steps);
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_one_account_did_is_found_without_reading_the_rest() {
    let mut connection = connect().await;
    connection.execute(sqlx::raw_sql("SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off")).await.unwrap();
    for query in PAGES_OF_RECORDS {
        let steps = plan_of_a_list(&mut connection, query).await;
        assert!(steps.iter().any(|step| step.contains("Merge Append")), "{steps:#?}: {query}");
        // Where an account's events are among them, they need no more than the order of one moment.
        let has = |what: &str| steps.iter().any(|step| step.contains(what));
        assert_eq!(has(" on events "), has("Presorted Key: events"), "{steps:#?}: {query}");
    }
    for query in FILTERED_RECORDS {
        plan_of_a_list(&mut connection, query).await;
    }
    for query in LISTS_IN_THE_ORDER_OF_AN_INDEX {
        let steps = plan_of_a_list(&mut connection, query).await;
        let sorts = |step: &String| step.contains("Sort ") && !step.contains("Incremental Sort");
        assert!(!steps.iter().any(sorts), "{steps:#?}: {query}");
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_is_overdue_and_what_is_open_is_found_by_its_deadline() {
    let mut connection = connect().await;
    let accounts = plan(&mut connection, OVERDUE_ACCOUNTS, "bigint, uuid, bigint, bigint", "1, NULL, 2, 3").await;
    let others = plan(&mut connection, OVERDUE_OTHERS, "bigint, bigint", "1, 2").await;
    let open = plan_of_a_list(&mut connection, OPEN_AUTHORIZATIONS).await;
    for (steps, index) in [
        (&accounts, "authorizations_by_deadline"),
        (&accounts, "credits_authorization_key"),
        (&open, "authorizations_by_deadline"),
        (&others, "events_overdue"),
    ] {
        assert!(steps.iter().any(|step| step.contains(index)), "{steps:#?}");
    }
}

/// How a list of one account is found: by indexes alone.
async fn plan_of_a_list(connection: &mut PgConnection, query: &str) -> Vec<String> {
    let types = "bigint, bigint, text, text, text, text";
    let steps = plan(connection, query, types, "20, 0, '4000', 'Open', '1', 'MXN'").await;
    assert!(steps.iter().any(|step| step.contains("Index")), "{steps:#?}: {query}");
    assert!(!steps.iter().any(|step| step.contains("Seq Scan")), "{steps:#?}: {query}");
    steps
}
