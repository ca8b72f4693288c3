//! All that a batch wants, in one statement: a branch for each kind of row, tagged with what it is.

use sqlx::PgConnection;

use super::rows::{json, person_row};
use super::store_error;
use crate::decide::{CANDIDATES, Loaded, Wanted};
use crate::domain::subject::tree;
use crate::store::StoreError;
use crate::store::rows::{sort, wanted_subjects};

/// One parameter per kind of key, in the order in which [`load`] binds them.
///
/// Every row is looked up by `LATERAL (… LIMIT)`: the planner may not turn that into a join that reads the whole table
/// and looks for its rows among those wanted, whatever it believes of the table's size when it makes the plan. `OFFSET
/// 0` does the same where there is no limit.
pub(super) const LOAD: &str = concat!(
    "WITH prefix AS (
        SELECT * FROM json_to_recordset($1::json) AS w (kind text, key text, currency text, upto bigint)),
    prefix_end AS (
        SELECT p.kind, p.key, p.currency, p.upto, e.at, e.number, e.running
        FROM prefix p CROSS JOIN LATERAL (
            SELECT at, number, running FROM events
            WHERE kind = p.kind AND key = p.key AND currency = p.currency AND at <= p.upto
            ORDER BY at DESC, number DESC LIMIT 1) e),
    subject AS (
        SELECT * FROM json_to_recordset($5::json) AS w (kind text, key text, until bigint)),
    unused AS (
        SELECT * FROM json_to_recordset($8::json)
            AS w (account text, amount bigint, currency text, exchange_rate text, now bigint, expired_since bigint)),
    holder AS (
        SELECT d.person AS id
        FROM json_to_recordset($3::json) AS w (kind text, value text)
        CROSS JOIN LATERAL (
            SELECT person FROM directory d WHERE d.kind = w.kind AND d.value = w.value OFFSET 0) d
        UNION
        SELECT w::uuid FROM json_array_elements_text($4::json) w)
    SELECT 'account', row_to_json(a)::text
    FROM json_array_elements_text($2::json) w
    CROSS JOIN LATERAL (SELECT * FROM accounts WHERE id = w LIMIT 1) a
    UNION ALL SELECT 'account', row_to_json(a)::text
    FROM holder h CROSS JOIN LATERAL (SELECT * FROM accounts WHERE person = h.id OFFSET 0) a
    UNION ALL SELECT 'person', p.row::text
    FROM holder h CROSS JOIN LATERAL (SELECT ",
    person_row!(),
    " AS row FROM persons WHERE id = h.id LIMIT 1) p
    UNION ALL SELECT 'subject', row_to_json(s)::text
    FROM subject w CROSS JOIN LATERAL (SELECT * FROM subjects WHERE kind = w.kind AND key = w.key LIMIT 1) s
    UNION ALL SELECT 'event', row_to_json(e)::text
    FROM subject w CROSS JOIN LATERAL (
        SELECT * FROM events WHERE kind = w.kind AND key = w.key AND due_at IS NOT NULL AND due_at <= w.until
        OFFSET 0) e
    UNION ALL SELECT 'prefix',
        json_build_object('kind', p.kind, 'key', p.key, 'currency', p.currency, 'upto', p.upto,
            'count', p.number, 'amount', p.running, 'released', (
                SELECT coalesce(json_agg(json_build_array(released, count, amount)), '[]') FROM (
                    SELECT released, sum(count)::bigint AS count, sum(amount)::bigint AS amount FROM (
                        SELECT released, 1 AS count, amount FROM (
                            SELECT number, released, amount FROM events
                            WHERE kind = p.kind AND key = p.key AND currency = p.currency
                                AND (at, number) <= (p.at, p.number)
                            ORDER BY at DESC, number DESC LIMIT 31) latest
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
                            AND block < p.number / 1048576) parts
                    GROUP BY released) sums))::text
    FROM prefix_end p
    UNION ALL SELECT 'event', row_to_json(e)::text
    FROM json_to_recordset($6::json) AS w (kind text, key text, currency text, at bigint, number bigint)
    CROSS JOIN LATERAL (
        SELECT * FROM events
        WHERE kind = w.kind AND key = w.key AND currency = w.currency AND at = w.at AND number = w.number LIMIT 1) e
    UNION ALL SELECT 'event', row_to_json(e)::text
    FROM json_array_elements_text($7::json) w
    CROSS JOIN LATERAL (SELECT counted FROM authorizations WHERE id = w::uuid LIMIT 1) a
    CROSS JOIN jsonb_to_recordset(a.counted) AS c (kind text, key text, currency text, at bigint, number bigint)
    CROSS JOIN LATERAL (
        SELECT * FROM events
        WHERE kind = c.kind AND key = c.key AND currency = c.currency AND at = c.at AND number = c.number LIMIT 1) e
    UNION ALL SELECT 'authorization', row_to_json(a)::text
    FROM json_array_elements_text($7::json) w
    CROSS JOIN LATERAL (SELECT * FROM authorizations WHERE id = w::uuid LIMIT 1) a
    UNION ALL SELECT 'authorization', row_to_json(a)::text
    FROM unused w CROSS JOIN LATERAL (
        SELECT * FROM authorizations
        WHERE account = w.account AND amount = w.amount AND currency = w.currency AND state = 'Open'
            AND expires_at > w.now
        ORDER BY at LIMIT 512) a
    UNION ALL SELECT 'authorization', row_to_json(a)::text
    FROM unused w CROSS JOIN LATERAL (
        SELECT * FROM authorizations
        WHERE account = w.account AND amount = w.amount AND currency = w.currency AND state = 'Open'
            AND expires_at > w.now
            AND exchange_rate = w.exchange_rate
        ORDER BY at LIMIT 512) a
    UNION ALL SELECT 'authorization', row_to_json(a)::text
    FROM unused w CROSS JOIN LATERAL (
        SELECT * FROM authorizations
        WHERE account = w.account AND amount = w.amount AND currency = w.currency AND state = 'Expired'
            AND expires_at >= w.expired_since
        ORDER BY at LIMIT 512) a
    UNION ALL SELECT 'authorization', row_to_json(a)::text
    FROM unused w CROSS JOIN LATERAL (
        SELECT * FROM authorizations
        WHERE account = w.account AND amount = w.amount AND currency = w.currency AND state = 'Expired'
            AND expires_at >= w.expired_since AND exchange_rate = w.exchange_rate
        ORDER BY at LIMIT 512) a
    UNION ALL SELECT 'credit', row_to_json(c)::text
    FROM json_array_elements_text($9::json) w
    CROSS JOIN LATERAL (SELECT * FROM credits WHERE id = w::uuid LIMIT 1) c
    UNION ALL SELECT 'credit', row_to_json(c)::text
    FROM json_to_recordset($10::json) AS w (account text, amount bigint, currency text)
    CROSS JOIN LATERAL (
        SELECT * FROM credits
        WHERE account = w.account AND amount = w.amount AND currency = w.currency AND NOT referenced
        ORDER BY at DESC LIMIT 512) c
    UNION ALL SELECT 'ambiguous', row_to_json(a)::text
    FROM json_array_elements_text($11::json) w
    CROSS JOIN LATERAL (SELECT * FROM ambiguous_credits WHERE id = w::uuid LIMIT 1) a
    UNION ALL SELECT 'enrolment', row_to_json(e)::text
    FROM json_array_elements_text($12::json) w
    CROSS JOIN LATERAL (SELECT * FROM enrolments WHERE token_hash = w LIMIT 1) e
    UNION ALL SELECT 'idempotency', row_to_json(i)::text
    FROM json_to_recordset($13::json) AS w (path text, key text)
    CROSS JOIN LATERAL (SELECT * FROM idempotency WHERE path = w.path AND key = w.key LIMIT 1) i"
);

/// Block sizes and limits are written out in [`LOAD`], as in SQLite's.
const _: () = assert!(tree::FANOUT == 32 && tree::LEVELS == 4 && CANDIDATES == 512);

pub(super) async fn load(connection: &mut PgConnection, wanted: &Wanted) -> Result<Loaded, StoreError> {
    let rows = sqlx::query_as::<_, (String, String)>(LOAD)
        .bind(json(&wanted.prefixes)?)
        .bind(json(&wanted.accounts)?)
        .bind(json(&wanted.directory)?)
        .bind(json(&wanted.persons)?)
        .bind(json(wanted_subjects(wanted))?)
        .bind(json(&wanted.events)?)
        .bind(json(&wanted.authorizations)?)
        .bind(json(&wanted.unused)?)
        .bind(json(&wanted.credits)?)
        .bind(json(&wanted.unreferenced)?)
        .bind(json(&wanted.ambiguous)?)
        .bind(json(&wanted.enrolments)?)
        .bind(json(&wanted.idempotency)?)
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    sort(&rows)
}
