//! All that a batch changed, in one statement: a part for each table, which takes its rows as one JSON array.

use sqlx::PgConnection;

use super::rows::json;
use super::store_error;
use crate::decide::Changes;
use crate::store::StoreError;

/// One parameter per table, in the order in which [`write`] binds them. All parts see the tables as they were before,
/// and no two of them write the same one.
const WRITE: &str = "
    WITH written_persons AS (
        INSERT INTO persons SELECT * FROM json_populate_recordset(NULL::persons, $1::json)
        ON CONFLICT (id) DO UPDATE SET documents = excluded.documents),
    written_directory AS (
        INSERT INTO directory (kind, value, person)
        SELECT k.kind, k.value, p.id
        FROM json_to_recordset($1::json) AS p (id uuid, keys json)
        CROSS JOIN LATERAL json_to_recordset(p.keys) AS k (kind text, value text)
        ON CONFLICT DO NOTHING),
    written_accounts AS (
        INSERT INTO accounts SELECT * FROM json_populate_recordset(NULL::accounts, $2::json)
        ON CONFLICT (id) DO UPDATE SET status = excluded.status, tier = excluded.tier, balance = excluded.balance,
            pending = excluded.pending, receivable = excluded.receivable),
    written_subjects AS (
        INSERT INTO subjects SELECT * FROM json_populate_recordset(NULL::subjects, $3::json)
        ON CONFLICT (kind, key) DO UPDATE SET last_event_at = excluded.last_event_at),
    written_series AS (
        INSERT INTO series SELECT * FROM json_populate_recordset(NULL::series, $4::json)
        ON CONFLICT (kind, key, currency) DO UPDATE SET events = excluded.events, amount = excluded.amount,
            released = excluded.released),
    written_events AS (
        INSERT INTO events SELECT * FROM json_populate_recordset(NULL::events, $5::json)
        ON CONFLICT (kind, key, currency, number) DO UPDATE SET due_at = excluded.due_at,
            released = excluded.released),
    written_release_nodes AS (
        INSERT INTO release_nodes AS n SELECT * FROM json_populate_recordset(NULL::release_nodes, $6::json)
        ON CONFLICT (kind, key, currency, level, block, released) DO UPDATE SET count = n.count + excluded.count,
            amount = n.amount + excluded.amount),
    written_authorizations AS (
        INSERT INTO authorizations SELECT * FROM json_populate_recordset(NULL::authorizations, $7::json)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit,
            bound_credit = excluded.bound_credit),
    written_credits AS (
        INSERT INTO credits SELECT * FROM json_populate_recordset(NULL::credits, $8::json)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, reversal = excluded.reversal),
    written_reversals AS (
        INSERT INTO reversals SELECT * FROM json_populate_recordset(NULL::reversals, $9::json)),
    written_entries AS (
        INSERT INTO entries SELECT * FROM json_populate_recordset(NULL::entries, $10::json)),
    written_postings AS (
        INSERT INTO postings SELECT * FROM json_populate_recordset(NULL::postings, $11::json)),
    written_decisions AS (
        INSERT INTO decisions SELECT * FROM json_populate_recordset(NULL::decisions, $12::json)),
    written_ambiguous_credits AS (
        INSERT INTO ambiguous_credits SELECT * FROM json_populate_recordset(NULL::ambiguous_credits, $13::json)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit),
    written_enrolments AS (
        INSERT INTO enrolments SELECT * FROM json_populate_recordset(NULL::enrolments, $14::json)
        ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account),
    written_account_changes AS (
        INSERT INTO account_changes SELECT * FROM json_populate_recordset(NULL::account_changes, $15::json))
    INSERT INTO idempotency SELECT * FROM json_populate_recordset(NULL::idempotency, $16::json)
    ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome,
        at = excluded.at";

pub(super) async fn write(connection: &mut PgConnection, changes: &Changes) -> Result<(), StoreError> {
    sqlx::query(WRITE)
        .bind(json(changes.persons.values())?)
        .bind(json(changes.accounts.values())?)
        .bind(json(changes.subjects.values())?)
        .bind(json(changes.series.values())?)
        .bind(json(changes.events.values())?)
        .bind(json(changes.release_node_rows())?)
        .bind(json(changes.authorizations.values())?)
        .bind(json(changes.credits.values())?)
        .bind(json(&changes.reversals)?)
        .bind(json(&changes.entries)?)
        .bind(json(&changes.postings)?)
        .bind(json(&changes.decisions)?)
        .bind(json(changes.ambiguous.values())?)
        .bind(json(changes.enrolments.values())?)
        .bind(json(&changes.account_changes)?)
        .bind(json(changes.idempotency.values())?)
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}
