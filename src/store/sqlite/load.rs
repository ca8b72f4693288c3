//! All that a batch wants, in one statement: a branch for each kind of row, tagged with what it is.

use sqlx::SqliteConnection;

use super::rows::{
    account_row, ambiguous_row, authorization_row, credit_row, enrolment_row, event_row, json, person_row,
};
use super::store_error;
use crate::decide::{CANDIDATES, Loaded, Wanted};
use crate::domain::subject::tree;
use crate::store::StoreError;
use crate::store::rows::{parse, sort, wanted_subjects};

/// One parameter per branch, in the order in which [`load`] binds them. Keys that are objects are read by `jsonb_each`:
/// `json_each` would write each out as text, to be parsed again for every `->>`. `CROSS JOIN` keeps SQLite from ever
/// trying to scan the table and look for its rows among those wanted.
const LOAD: &str = concat!(
    "WITH prefix AS MATERIALIZED (
        SELECT w.value ->> 'kind' AS kind, w.value ->> 'key' AS key, w.value ->> 'currency' AS currency,
            w.value ->> 'upto' AS upto
        FROM jsonb_each(?) w),
    prefix_end AS (
        SELECT p.kind, p.key, p.currency, p.upto, e.at, e.number, e.running
        FROM prefix p CROSS JOIN events e
            ON e.kind = p.kind AND e.key = p.key AND e.currency = p.currency AND (e.at, e.number) = (
                SELECT at, number FROM events
                WHERE kind = p.kind AND key = p.key AND currency = p.currency AND at <= p.upto
                ORDER BY at DESC, number DESC LIMIT 1))
    SELECT 'account', ",
    account_row!(),
    " FROM accounts WHERE id IN (SELECT value FROM json_each(?))
    UNION ALL SELECT 'person', ",
    person_row!(),
    " FROM persons WHERE id IN (
        SELECT d.person FROM jsonb_each(?) w
        CROSS JOIN directory d ON d.kind = w.value ->> 'kind' AND d.value = w.value ->> 'value')
    UNION ALL SELECT 'person', ",
    person_row!(),
    " FROM persons WHERE id IN (SELECT value FROM json_each(?))
    UNION ALL SELECT 'subject',
        json_object('kind', s.kind, 'key', s.key, 'last_event_at', s.last_event_at, 'series', json(s.series))
    FROM jsonb_each(?) w CROSS JOIN subjects s ON s.kind = w.value ->> 'kind' AND s.key = w.value ->> 'key'
    UNION ALL SELECT 'event', ",
    event_row!(),
    " FROM jsonb_each(?) w CROSS JOIN events e
        ON e.kind = w.value ->> 'kind' AND e.key = w.value ->> 'key'
        AND e.due_at IS NOT NULL AND e.due_at <= w.value ->> 'until'
    UNION ALL SELECT 'prefix',
        json_object('kind', p.kind, 'key', p.key, 'currency', p.currency, 'upto', p.upto,
            'count', p.number, 'amount', p.running, 'released', json((
                SELECT json_group_array(json_array(released, count, amount)) FROM (
                    SELECT released, sum(count) AS count, sum(amount) AS amount FROM (
                        SELECT released, 1 AS count, amount FROM (
                            SELECT number, released, amount FROM events
                            WHERE kind = p.kind AND key = p.key AND currency = p.currency
                                AND (at, number) <= (p.at, p.number)
                            ORDER BY at DESC, number DESC LIMIT 31)
                        WHERE number > p.number / 32 * 32 AND released IS NOT NULL
                        UNION ALL
                        SELECT released, count, amount FROM release_nodes
                        WHERE kind = p.kind AND key = p.key AND currency = p.currency AND level = 1
                            AND block >= p.number / 1024 * 32 AND block < p.number / 32
                        UNION ALL
                        SELECT released, count, amount FROM release_nodes
                        WHERE kind = p.kind AND key = p.key AND currency = p.currency AND level = 2
                            AND block >= p.number / 32768 * 32 AND block < p.number / 1024
                        UNION ALL
                        SELECT released, count, amount FROM release_nodes
                        WHERE kind = p.kind AND key = p.key AND currency = p.currency AND level = 3
                            AND block >= p.number / 1048576 * 32 AND block < p.number / 32768
                        UNION ALL
                        SELECT released, count, amount FROM release_nodes
                        WHERE kind = p.kind AND key = p.key AND currency = p.currency AND level = 4
                            AND block < p.number / 1048576)
                    GROUP BY released))))
    FROM prefix_end p
    UNION ALL SELECT 'event', ",
    event_row!(),
    " FROM jsonb_each(?) w CROSS JOIN events e
        ON e.kind = w.value ->> 'kind' AND e.key = w.value ->> 'key' AND e.currency = w.value ->> 'currency'
        AND e.at = w.value ->> 'at' AND e.number = w.value ->> 'number'
    UNION ALL SELECT 'event', ",
    event_row!(),
    " FROM json_each(?) w CROSS JOIN authorizations a ON a.id = w.value CROSS JOIN json_each(a.counted) c
    CROSS JOIN events e
        ON e.kind = c.value ->> 'kind' AND e.key = c.value ->> 'key' AND e.currency = c.value ->> 'currency'
        AND e.at = c.value ->> 'at' AND e.number = c.value ->> 'number'
    UNION ALL SELECT 'authorization', ",
    authorization_row!(),
    " FROM authorizations WHERE id IN (SELECT value FROM json_each(?))
    UNION ALL SELECT 'authorization', ",
    authorization_row!(),
    " FROM authorizations WHERE id IN (
        SELECT u.id FROM jsonb_each(?) w CROSS JOIN authorizations u ON u.id IN (
            SELECT id FROM authorizations
            WHERE account = w.value ->> 'account' AND amount = w.value ->> 'amount'
                AND currency = w.value ->> 'currency' AND state = 'Open' AND state IN ('Open', 'Expired')
                AND expires_at > w.value ->> 'now'
            ORDER BY at LIMIT 512))
    UNION ALL SELECT 'authorization', ",
    authorization_row!(),
    " FROM authorizations WHERE id IN (
        SELECT u.id FROM jsonb_each(?) w CROSS JOIN authorizations u ON u.id IN (
            SELECT id FROM authorizations
            WHERE account = w.value ->> 'account' AND amount = w.value ->> 'amount'
                AND currency = w.value ->> 'currency' AND state = 'Open' AND state IN ('Open', 'Expired')
                AND expires_at > w.value ->> 'now'
                AND exchange_rate = w.value ->> 'exchange_rate'
            ORDER BY at LIMIT 512))
    UNION ALL SELECT 'authorization', ",
    authorization_row!(),
    " FROM authorizations WHERE id IN (
        SELECT u.id FROM jsonb_each(?) w CROSS JOIN authorizations u ON u.id IN (
            SELECT id FROM authorizations
            WHERE account = w.value ->> 'account' AND amount = w.value ->> 'amount'
                AND currency = w.value ->> 'currency' AND state = 'Expired' AND state IN ('Open', 'Expired')
                AND expires_at >= w.value ->> 'expired_since'
            ORDER BY at LIMIT 512))
    UNION ALL SELECT 'authorization', ",
    authorization_row!(),
    " FROM authorizations WHERE id IN (
        SELECT u.id FROM jsonb_each(?) w CROSS JOIN authorizations u ON u.id IN (
            SELECT id FROM authorizations
            WHERE account = w.value ->> 'account' AND amount = w.value ->> 'amount'
                AND currency = w.value ->> 'currency' AND state = 'Expired' AND state IN ('Open', 'Expired')
                AND expires_at >= w.value ->> 'expired_since' AND exchange_rate = w.value ->> 'exchange_rate'
            ORDER BY at LIMIT 512))
    UNION ALL SELECT 'credit', ",
    credit_row!(),
    " FROM credits WHERE id IN (SELECT value FROM json_each(?))
    UNION ALL SELECT 'credit', ",
    credit_row!(),
    " FROM credits WHERE id IN (
        SELECT u.id FROM jsonb_each(?) w CROSS JOIN credits u ON u.id IN (
            SELECT id FROM credits
            WHERE account = w.value ->> 'account' AND amount = w.value ->> 'amount'
                AND currency = w.value ->> 'currency' AND referenced = 0
            ORDER BY at DESC LIMIT 512))
    UNION ALL SELECT 'ambiguous', ",
    ambiguous_row!(),
    " FROM ambiguous_credits WHERE id IN (SELECT value FROM json_each(?))
    UNION ALL SELECT 'enrolment', ",
    enrolment_row!(),
    " FROM enrolments WHERE token_hash IN (SELECT value FROM json_each(?))
    UNION ALL SELECT 'idempotency',
        json_object('path', i.path, 'key', i.key, 'body_hash', i.body_hash, 'outcome', json(i.outcome), 'at', i.at)
    FROM jsonb_each(?) w CROSS JOIN idempotency i ON i.path = w.value ->> 'path' AND i.key = w.value ->> 'key'"
);

const ACCOUNTS_OF_PERSONS: &str =
    concat!("SELECT ", account_row!(), " FROM accounts WHERE person IN (SELECT value FROM json_each(?))");

/// Block sizes and limits are written out in [`LOAD`]: SQLite compiles a statement anew whenever a bound `LIMIT` changes
/// hands, which costs more than all the rest of a small batch.
const _: () = assert!(tree::FANOUT == 32 && tree::LEVELS == 4 && CANDIDATES == 512);

pub(super) async fn load(connection: &mut SqliteConnection, wanted: &Wanted) -> Result<Loaded, StoreError> {
    let (subjects, unused) = (json(wanted_subjects(wanted))?, json(&wanted.unused)?);
    let authorizations = json(&wanted.authorizations)?;
    let mut query = sqlx::query_as::<_, (String, String)>(LOAD)
        .bind(json(&wanted.prefixes)?)
        .bind(json(&wanted.accounts)?)
        .bind(json(&wanted.directory)?)
        .bind(json(&wanted.persons)?)
        .bind(subjects.clone())
        .bind(subjects)
        .bind(json(&wanted.events)?)
        .bind(authorizations.clone())
        .bind(authorizations);
    for _ in 0..4 {
        query = query.bind(unused.clone());
    }
    let rows = query
        .bind(json(&wanted.credits)?)
        .bind(json(&wanted.unreferenced)?)
        .bind(json(&wanted.ambiguous)?)
        .bind(json(&wanted.enrolments)?)
        .bind(json(&wanted.idempotency)?)
        .fetch_all(&mut *connection)
        .await
        .map_err(store_error)?;
    let mut loaded = sort(&rows)?;
    load_holdings(connection, &mut loaded).await?;
    Ok(loaded)
}

/// A person comes with all of their accounts.
async fn load_holdings(connection: &mut SqliteConnection, loaded: &mut Loaded) -> Result<(), StoreError> {
    if loaded.persons.is_empty() {
        return Ok(());
    }
    let persons = loaded.persons.iter().map(|person| person.id);
    let rows: Vec<String> = sqlx::query_scalar(ACCOUNTS_OF_PERSONS)
        .bind(json(persons)?)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    for row in &rows {
        loaded.accounts.push(parse(row)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::Row;
    use sqlx::sqlite::SqlitePool;

    use super::*;

    /// A branch that scans a table grows slower with every remittance.
    #[tokio::test]
    async fn every_branch_finds_its_rows_by_an_index() {
        let pool = SqlitePool::connect("sqlite::memory:").await.unwrap();
        super::super::MIGRATIONS.run(&pool).await.unwrap();
        for statement in [LOAD, ACCOUNTS_OF_PERSONS] {
            let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
                .fetch_all(&pool)
                .await
                .unwrap();
            let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
            let scans: Vec<_> = steps
                .iter()
                .filter(|step| {
                    let wanted = step.contains("VIRTUAL TABLE") || step.contains("subquery") || *step == "SCAN p";
                    step.starts_with("SCAN") && !wanted
                })
                .collect();
            assert!(scans.is_empty(), "{scans:#?}");
        }
    }
}
