//! A past on SQLite.

use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use vna_partner::clock::Clock;

use super::{Ended, Past, chunks, say_progress};

/// The numbers of one chunk: {from} to {upto} of every account, in the order of time.
const MADE: &str = "
    DROP TABLE IF EXISTS temp.made;
    CREATE TEMPORARY TABLE made AS
    WITH RECURSIVE numbers (number) AS (SELECT {from} UNION ALL SELECT number + 1 FROM numbers WHERE number < {upto}),
    places (a) AS (SELECT 0 UNION ALL SELECT a + 1 FROM places WHERE a < {accounts} - 1)
    SELECT number, {base} + (number - 1) * {accounts} + a AS k, CAST({first_account} + a AS TEXT) AS account,
        {begin} + number * {apart} AS at, {released} AS released,
        printf('00000000-0000-0000-%04x-%012x', 0, {base} + (number - 1) * {accounts} + a) AS id,
        CASE WHEN NOT ({released}) THEN printf('00000001-0000-0000-%04x-%012x', 0, {base} + (number - 1) * {accounts} + a) END
            AS credit
    FROM numbers CROSS JOIN places;
    DROP TABLE IF EXISTS temp.template;
    CREATE TEMPORARY TABLE template AS SELECT id AS template_id, account AS template_account
    FROM authorizations ORDER BY id DESC LIMIT 1;";

const AUTHORIZED: &str = "
    INSERT INTO events
    SELECT 'account', account, 'MXN', at, number, 12050, 12050 * number, id,
        CASE WHEN NOT released THEN at + {ttl} END, CASE WHEN released THEN 'Expiry' END, 0
    FROM made ORDER BY account, number;
    INSERT INTO authorizations
    SELECT m.id, m.account, a.amount, a.currency, a.exchange_rate, m.at, m.at + {ttl},
        CASE WHEN m.released THEN '{released_state}' ELSE 'Open' END, a.sender,
        json_array(json_object('kind', 'account', 'key', m.account, 'currency', 'MXN', 'at', m.at,
            'number', m.number)),
        NULL
    FROM template t JOIN authorizations a ON a.id = t.template_id CROSS JOIN made m
    ORDER BY m.k;
    INSERT INTO decisions
    SELECT m.id, d.kind, m.account, m.at, m.at, d.approved, d.reason, d.note, d.reference, d.amount, d.currency,
        d.exchange_rate, d.rules_version, d.findings, replace(d.request, t.template_account, m.account)
    FROM template t JOIN decisions d ON d.id = t.template_id CROSS JOIN made m
    ORDER BY m.k;";

const CREDITED: &str = "
    INSERT INTO credits
    SELECT credit, account, id, 12050, 'MXN', NULL, at + 1000000, 'Approved', 1, NULL, NULL, NULL, NULL, NULL, '[]'
    FROM made WHERE credit IS NOT NULL ORDER BY k;
    INSERT INTO entries SELECT account, credit, 'Credit', credit, 'MXN', at + 1000000
    FROM made WHERE credit IS NOT NULL ORDER BY account, k;
    INSERT INTO postings SELECT account, credit, b.book, 'MXN', b.amount
    FROM made CROSS JOIN (SELECT 'Clearing' AS book, -12050 AS amount UNION ALL SELECT 'Available', 12050) b
    WHERE credit IS NOT NULL ORDER BY account, k;
    INSERT INTO decisions
    SELECT credit, 'Credit', account, at + 1000000, at + 1000000, 1, NULL, NULL, id, 12050, 'MXN', NULL, NULL, '[]',
        json_object('AccountIdentifier', account, 'AuthTrackingIdentifier', id)
    FROM made WHERE credit IS NOT NULL ORDER BY k;
    INSERT INTO account_records SELECT account, at + 1000000, credit, 'Credit', 1
    FROM made WHERE credit IS NOT NULL ORDER BY account, number;";

/// Once all events of the past are there.
const HEADS: &str = "
    UPDATE accounts SET last_event_at = max(accounts.last_event_at, p.last_at), series = p.series
    FROM (SELECT key, max(at) + 1000000 AS last_at, json_object('MXN', json_object(
        'events', count(*), 'amount', sum(amount), 'first_at', min(at),
        'released', json_object('expiry', json_object(
            'count', count(released), 'amount', coalesce(sum(amount) FILTER (WHERE released IS NOT NULL), 0))),
        'open', json(iif({open} AND count(due_at) > 0, json_object(
            'count', count(due_at), 'at', min(at) FILTER (WHERE due_at IS NOT NULL), 'due_at', min(due_at)), 'null'))))
        AS series
    FROM events
    WHERE kind = 'account' AND key BETWEEN '{first_account}' AND CAST({first_account} + {accounts} - 1 AS TEXT)
    GROUP BY key) p
    WHERE p.key = accounts.id;
    INSERT INTO release_nodes
    WITH levels (level, size) AS (VALUES (1, 32), (2, 1024), (3, 32768), (4, 1048576))
    SELECT 'account', key, 'MXN', level, (number - 1) / size, 'Expiry', count(*), sum(amount)
    FROM events CROSS JOIN levels
    WHERE kind = 'account' AND key BETWEEN '{first_account}' AND CAST({first_account} + {accounts} - 1 AS TEXT)
        AND released IS NOT NULL
    GROUP BY key, level, size, (number - 1) / size;
    UPDATE accounts SET balance = p.sum
    FROM (SELECT account, sum(amount) AS sum FROM postings WHERE book = 'Available' GROUP BY account) p
    WHERE p.account = accounts.id;";

pub async fn fill(database: &str, past: &Past) -> anyhow::Result<()> {
    let now = Clock::system().now().0;
    let long = past.ended == Ended::Long;
    for (from, upto) in chunks(past) {
        let chunk = [MADE, AUTHORIZED, if long { CREDITED } else { "" }].concat();
        let chunk = chunk.replace("{from}", &from.to_string()).replace("{upto}", &upto.to_string());
        execute(database, past.fill_in(&chunk, now)).await?;
        say_progress(past, upto);
    }
    execute(database, past.fill_in(HEADS, now)).await
}

/// Moves the log into the file: otherwise the first run would do so.
pub async fn settle(database: &str) -> anyhow::Result<()> {
    execute(database, "PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await
}

async fn execute(database: &str, statements: String) -> anyhow::Result<()> {
    // A large cache for filling alone: pages that are touched often are then written once.
    let options = SqliteConnectOptions::from_str(database)?.pragma("cache_size", "-1000000");
    let mut connection = options.connect().await?;
    let statements = format!("BEGIN; {statements}; COMMIT");
    let statements =
        if statements.contains("wal_checkpoint") { "PRAGMA wal_checkpoint(TRUNCATE)".to_owned() } else { statements };
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
