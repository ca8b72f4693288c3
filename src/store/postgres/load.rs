//! All that a batch wants, in one statement: a part for each kind of key, whose rows are tagged with what they are.

use sqlx::{AssertSqlSafe, PgConnection};

use super::parts::with_keys;
use super::rows::{keys, person_row};
use super::store_error;
use crate::decide::{CANDIDATES, Loaded, PREFIX_EVENTS, Wanted};
use crate::store::StoreError;
use crate::store::rows::{Rows, take_in, wanted_due};
use crate::store::series::{released_after, waits};

/// What is found by one kind of key; `$0` stands for the keys.
pub(super) struct Part {
    pub text: &'static str,
    /// The keys, if any are wanted.
    keys: fn(&Wanted) -> Result<Option<String>, StoreError>,
}

/// The accounts of each `holder`, and the person.
macro_rules! of_holders {
    ($holders:literal) => {
        concat!(
            "WITH holder AS (",
            $holders,
            ")
            SELECT 'account', row_to_json(a)::text
            FROM holder h CROSS JOIN LATERAL (SELECT * FROM accounts WHERE person = h.id OFFSET 0) a
            UNION ALL SELECT 'person', p.row::text
            FROM holder h CROSS JOIN LATERAL (SELECT ",
            person_row!(),
            " AS row FROM persons WHERE id = h.id LIMIT 1) p"
        )
    };
}

/// The oldest open authorizations of the account, amount and currency of each `unused` that fit: those of the account's
/// open events.
macro_rules! open {
    ($fits:literal) => {
        concat!(
            "SELECT 'authorization', row_to_json(a)::text
            FROM unused w CROSS JOIN LATERAL (
                SELECT a.* FROM (
                    SELECT \"authorization\" FROM events
                    WHERE kind = 'account' AND key = w.account AND currency = w.currency AND due_at > w.now
                        AND amount = w.amount AND at >= (
                            SELECT (series #>> ARRAY[w.currency, 'open', 'at'])::bigint FROM accounts
                            WHERE id = w.account)
                    ORDER BY at, number OFFSET 0) e
                CROSS JOIN LATERAL (SELECT * FROM current_authorizations WHERE id = e.\"authorization\" LIMIT 1) a
                WHERE a.state = 'Open' AND ",
            $fits,
            " LIMIT 512) a"
        )
    };
}

/// The oldest expired ones. A late credit leaves them in the index.
macro_rules! expired {
    ($fits:literal) => {
        concat!(
            "SELECT 'authorization', row_to_json(a)::text
            FROM unused w CROSS JOIN LATERAL (
                SELECT * FROM authorizations u
                WHERE account = w.account AND amount = w.amount AND currency = w.currency AND state = 'Expired'
                    AND expires_at >= w.expired_since
                    AND NOT EXISTS (SELECT FROM credits WHERE \"authorization\" = u.id) AND ",
            $fits,
            " ORDER BY at LIMIT 512) a"
        )
    };
}

/// Every row is looked up by `LATERAL (… LIMIT)`: the planner may not turn that into a join that reads the whole table
/// and looks for its rows among those wanted, whatever it believes of the table's size when it makes the plan. `OFFSET
/// 0` does the same where there is no limit.
pub(super) const PARTS: &[Part] = &[
    Part {
        keys: |wanted| keys(wanted.all_accounts()),
        text: "SELECT 'account', row_to_json(a)::text
            FROM json_array_elements_text($0::json) w
            CROSS JOIN LATERAL (SELECT * FROM accounts WHERE id = w LIMIT 1) a",
    },
    Part {
        keys: |wanted| keys(&wanted.directory),
        text: of_holders!(
            "SELECT DISTINCT d.person AS id
            FROM json_to_recordset($0::json) AS w (kind text, value text)
            CROSS JOIN LATERAL (
                SELECT person FROM directory d WHERE d.kind = w.kind AND d.value = w.value OFFSET 0) d"
        ),
    },
    Part {
        keys: |wanted| keys(&wanted.persons),
        text: of_holders!("SELECT w::uuid AS id FROM json_array_elements_text($0::json) w"),
    },
    Part {
        keys: |wanted| keys(wanted.senders_and_receivers()),
        text: "SELECT 'subject', row_to_json(s)::text
            FROM json_to_recordset($0::json) AS w (kind text, key text)
            CROSS JOIN LATERAL (SELECT * FROM subjects WHERE kind = w.kind AND key = w.key LIMIT 1) s",
    },
    Part {
        keys: |wanted| keys(wanted_due(wanted)),
        text: concat!(
            "WITH due AS (
                SELECT * FROM json_to_recordset($0::json)
                    AS w (kind text, key text, currency text, \"from\" bigint, until bigint))
            SELECT 'event', row_to_json(e)::text
            FROM due w CROSS JOIN LATERAL (
                SELECT * FROM events e
                WHERE kind = w.kind AND key = w.key AND currency = w.currency AND at >= w.\"from\"
                    AND due_at <= w.until AND ",
            waits!(),
            " OFFSET 0) e
            UNION ALL SELECT 'due_later', json_build_object('kind', w.kind, 'key', w.key, 'currency', w.currency,
                'at', first.at, 'due_at', least.due_at)::text
            FROM due w CROSS JOIN LATERAL (
                SELECT at FROM events e
                WHERE kind = w.kind AND key = w.key AND currency = w.currency AND at >= w.\"from\"
                    AND due_at > w.until AND ",
            waits!(),
            " ORDER BY at, number LIMIT 1) first
            CROSS JOIN LATERAL (
                SELECT min(due_at) AS due_at FROM events
                WHERE kind = w.kind AND key = w.key AND currency = w.currency AND at >= first.at
                    AND due_at > w.until) least"
        ),
    },
    Part {
        keys: |wanted| keys(&wanted.prefixes),
        text: "SELECT 'prefix', json_build_object('kind', w.kind, 'key', w.key, 'currency', w.currency, 'upto', w.upto,
                'last', e.last, 'next_at', (
                    SELECT min(at) FROM events
                    WHERE kind = w.kind AND key = w.key AND currency = w.currency AND at > w.upto))::text
            FROM json_to_recordset($0::json) AS w (kind text, key text, currency text, upto bigint)
            CROSS JOIN LATERAL (
                SELECT json_agg(json_build_array(at, number, amount, running, released)) AS last FROM (
                    SELECT at, number, amount, running, released FROM events
                    WHERE kind = w.kind AND key = w.key AND currency = w.currency AND at <= w.upto
                    ORDER BY at DESC, number DESC LIMIT 4) last) e
            WHERE e.last IS NOT NULL",
    },
    Part {
        keys: |wanted| keys(&wanted.released_after),
        text: concat!(
            "SELECT 'released_after', json_build_object('kind', p.kind, 'key', p.key, 'currency', p.currency, 'at', p.at,
                'number', p.number, 'released', r.released)::text
            FROM json_to_recordset($0::json) AS p (kind text, key text, currency text, at bigint, number bigint)
            CROSS JOIN LATERAL (
                SELECT coalesce(json_agg(json_build_array(released, count, amount)), '[]') AS released FROM (
                    SELECT released, sum(count)::bigint AS count, sum(amount)::bigint AS amount FROM (",
            released_after!(),
            ") parts
                    GROUP BY released) sums) r"
        ),
    },
    Part {
        keys: |wanted| keys(&wanted.events),
        text: "SELECT 'event', row_to_json(e)::text
            FROM json_to_recordset($0::json) AS w (kind text, key text, currency text, at bigint, number bigint)
            CROSS JOIN LATERAL (
                SELECT * FROM events
                WHERE kind = w.kind AND key = w.key AND currency = w.currency AND at = w.at
                    AND number = w.number
                LIMIT 1) e",
    },
    // Most are counted for their account alone, and are not taken apart.
    Part {
        keys: |wanted| keys(&wanted.authorizations),
        text: "WITH found AS (
                SELECT a.* FROM json_array_elements_text($0::json) w
                CROSS JOIN LATERAL (SELECT * FROM current_authorizations WHERE id = w::uuid LIMIT 1) a)
            SELECT 'authorization', row_to_json(a)::text FROM found a
            UNION ALL SELECT 'event', row_to_json(e)::text
            FROM (SELECT * FROM found WHERE json_array_length(counted) > 1 OFFSET 0) a
            CROSS JOIN json_to_recordset(a.counted) AS c (kind text, key text, currency text, at bigint, number bigint)
            CROSS JOIN LATERAL (
                SELECT * FROM events
                WHERE kind = c.kind AND key = c.key AND currency = c.currency AND at = c.at
                    AND number = c.number
                LIMIT 1) e
            WHERE c.kind <> 'account'",
    },
    Part {
        keys: |wanted| keys(&wanted.unused),
        text: concat!(
            "WITH unused AS (
                SELECT * FROM json_to_recordset($0::json) AS w (account text, amount bigint, currency text,
                    exchange_rate text, now bigint, expired_since bigint)) ",
            open!("true"),
            " UNION ALL ",
            open!("a.exchange_rate = w.exchange_rate"),
            " UNION ALL ",
            expired!("true"),
            " UNION ALL ",
            expired!("exchange_rate = w.exchange_rate")
        ),
    },
    Part {
        keys: |wanted| keys(&wanted.credits),
        text: "SELECT 'credit', row_to_json(c)::text
            FROM json_array_elements_text($0::json) w
            CROSS JOIN LATERAL (SELECT * FROM credits WHERE id = w::uuid LIMIT 1) c",
    },
    Part {
        keys: |wanted| keys(&wanted.unreferenced),
        text: "SELECT 'credit', row_to_json(c)::text
            FROM json_to_recordset($0::json) AS w (account text, amount bigint, currency text)
            CROSS JOIN LATERAL (
                SELECT * FROM credits
                WHERE account = w.account AND amount = w.amount AND currency = w.currency AND NOT referenced
                ORDER BY at DESC LIMIT 512) c",
    },
    Part {
        keys: |wanted| keys(&wanted.ambiguous),
        text: "SELECT 'ambiguous', row_to_json(a)::text
            FROM json_array_elements_text($0::json) w
            CROSS JOIN LATERAL (SELECT * FROM ambiguous_credits WHERE id = w::uuid LIMIT 1) a",
    },
    Part {
        keys: |wanted| keys(&wanted.enrolments),
        text: "SELECT 'enrolment', row_to_json(e)::text
            FROM json_array_elements_text($0::json) w
            CROSS JOIN LATERAL (SELECT * FROM enrolments WHERE token_hash = w LIMIT 1) e",
    },
    Part {
        keys: |wanted| keys(&wanted.idempotency),
        text: "SELECT 'idempotency', row_to_json(i)::text
            FROM json_to_recordset($0::json) AS w (path text, key text)
            CROSS JOIN LATERAL (SELECT * FROM idempotency WHERE path = w.path AND key = w.key LIMIT 1) i",
    },
];

/// They are written out in [`PARTS`], as in SQLite's.
const _: () = assert!(CANDIDATES == 512 && PREFIX_EVENTS == 4);

pub(super) async fn load(connection: &mut PgConnection, wanted: &Wanted) -> Result<Loaded, StoreError> {
    let asked = with_keys(PARTS.iter().map(|part| (part.text, (part.keys)(wanted))))?;
    let Some((text, arguments)) = asked else { return Ok(Loaded::default()) };
    let rows: Vec<(String, String)> =
        sqlx::query_as_with(AssertSqlSafe(text), arguments).fetch_all(connection).await.map_err(store_error)?;
    let mut loaded = Loaded::default();
    for (kind, row) in &rows {
        take_in(&mut loaded, kind, Rows::One(row))?;
    }
    Ok(loaded)
}
