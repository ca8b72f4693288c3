//! A past on Postgres.

use vna_partner::clock::Clock;

use super::{Ended, Past, chunks, say_progress};
use crate::postgres::execute;

/// The numbers of one chunk: {from} to {upto} of every account, in the order of time.
const MADE: &str = "
    CREATE TEMPORARY TABLE made AS
    SELECT number, {base} + (number - 1) * {accounts} + a AS k, ({first_account} + a)::text AS account,
        {begin} + number * {apart} AS at, {released} AS released
    FROM generate_series({from}::bigint, {upto}) number CROSS JOIN generate_series(0::bigint, {accounts} - 1) a;
    ALTER TABLE made ADD id uuid, ADD credit uuid;
    UPDATE made SET id = lpad(to_hex(k), 32, '0')::uuid,
        credit = CASE WHEN NOT released THEN ('00000001' || lpad(to_hex(k), 24, '0'))::uuid END;
    CREATE TEMPORARY TABLE template AS SELECT a.account AS template_account, to_jsonb(a) AS authorization_row,
        to_jsonb(d) AS decision_row FROM authorizations a JOIN decisions d ON d.id = a.id
        WHERE d.request <> '' ORDER BY a.id DESC LIMIT 1;";

const AUTHORIZED: &str = "
    INSERT INTO events
    SELECT 'account', account, 'MXN', at, number, 12050, 12050 * number, id,
        CASE WHEN NOT released THEN at + {ttl} END, CASE WHEN released THEN 'Expiry' END, false
    FROM made ORDER BY k;
    INSERT INTO authorizations
    SELECT r.id, m.account, r.amount, r.currency, r.exchange_rate, m.at, m.at + {ttl},
        CASE WHEN m.released THEN '{released_state}' ELSE 'Open' END, r.sender,
        jsonb_build_array(jsonb_build_object('kind', 'account', 'key', m.account, 'currency', 'MXN', 'at', m.at,
            'number', m.number)),
        NULL
    FROM made m, template t, LATERAL (SELECT m.id, (x).amount, (x).currency, (x).exchange_rate, (x).sender
        FROM (SELECT jsonb_populate_record(NULL::authorizations, t.authorization_row) AS x) one) r
    ORDER BY m.k;
    INSERT INTO decisions
    SELECT m.id, d.kind, m.account, m.at, m.at, d.approved, d.reason, d.note, d.reference, d.amount, d.currency,
        d.exchange_rate, d.rules_version, d.findings, replace(d.request, t.template_account, m.account)
    FROM made m, template t JOIN decisions d ON d.id = (t.decision_row ->> 'id')::uuid
    ORDER BY m.k;";

const CREDITED: &str = "
    INSERT INTO credits
    SELECT credit, account, id, 12050, 'MXN', NULL, at + 1000000, 'Approved', true, NULL, NULL, NULL, NULL, NULL, '[]'
    FROM made WHERE credit IS NOT NULL ORDER BY k;
    INSERT INTO entries SELECT account, credit, 'Credit', credit, 'MXN', at + 1000000
    FROM made WHERE credit IS NOT NULL ORDER BY k;
    INSERT INTO postings SELECT account, credit, book, 'MXN', amount
    FROM made CROSS JOIN (VALUES ('Clearing', -12050), ('Available', 12050)) AS b (book, amount)
    WHERE credit IS NOT NULL ORDER BY k;
    INSERT INTO decisions
    SELECT credit, 'Credit', account, at + 1000000, at + 1000000, true, NULL, NULL, id, 12050, 'MXN', NULL, NULL, '[]',
        '{\"AccountIdentifier\":\"' || account || '\",\"AuthTrackingIdentifier\":\"' || id || '\"}'
    FROM made WHERE credit IS NOT NULL ORDER BY k;
    INSERT INTO account_records SELECT account, at + 1000000, credit, 'Credit', true
    FROM made WHERE credit IS NOT NULL ORDER BY account, number;";

/// Once all events of the past are there.
const HEADS: &str = "
    UPDATE accounts SET last_event_at = greatest(accounts.last_event_at, p.last_at), series = p.series
    FROM (SELECT key, max(at) + 1000000 AS last_at, jsonb_strip_nulls(jsonb_build_object('MXN', jsonb_build_object(
        'events', count(*), 'amount', sum(amount), 'first_at', min(at),
        'released', jsonb_build_object('expiry', jsonb_build_object(
            'count', count(released), 'amount', coalesce(sum(amount) FILTER (WHERE released IS NOT NULL), 0))),
        'open', CASE WHEN {open} AND count(due_at) > 0 THEN jsonb_build_object(
            'count', count(due_at), 'at', min(at) FILTER (WHERE due_at IS NOT NULL), 'due_at', min(due_at)) END)))
        AS series
    FROM events
    WHERE kind = 'account' AND key BETWEEN '{first_account}' AND ({first_account} + {accounts} - 1)::text
    GROUP BY key) p
    WHERE p.key = accounts.id;
    INSERT INTO release_nodes
    SELECT 'account', key, 'MXN', level, (number - 1) / size, 'Expiry', count(*), sum(amount)
    FROM events CROSS JOIN (VALUES (1, 32), (2, 1024), (3, 32768), (4, 1048576)) AS l (level, size)
    WHERE kind = 'account' AND key BETWEEN '{first_account}' AND ({first_account} + {accounts} - 1)::text
        AND released IS NOT NULL
    GROUP BY key, level, size, (number - 1) / size;
    UPDATE accounts a SET balance = p.sum
    FROM (SELECT account, sum(amount) AS sum FROM postings WHERE book = 'Available' GROUP BY account) p
    WHERE p.account = a.id;";

pub async fn fill(database: &str, past: &Past) -> anyhow::Result<()> {
    let now = Clock::system().now().0;
    for (from, upto) in chunks(past) {
        let credited = if past.ended == Ended::Long { CREDITED } else { "" };
        let chunk = [MADE, AUTHORIZED, credited].concat();
        let chunk = chunk.replace("{from}", &from.to_string()).replace("{upto}", &upto.to_string());
        execute(database, past.fill_in(&chunk, now)).await?;
        say_progress(past, upto);
    }
    execute(database, past.fill_in(HEADS, now)).await
}

/// What a database does by itself after a while: otherwise it would do so during the first run.
pub async fn settle(database: &str) -> anyhow::Result<()> {
    for statement in ["VACUUM (ANALYZE)", "CHECKPOINT"] {
        execute(database, statement.to_owned()).await?;
    }
    Ok(())
}
