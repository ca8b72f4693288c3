//! All that a batch changed, in one statement: a part for each table, which takes its rows as one JSON array.

use sqlx::PgConnection;

use super::rows::json;
use super::store_error;
use crate::decide::{Changes, IDEMPOTENCY_KEPT};
use crate::store::StoreError;

/// One parameter per table, in the order in which [`write`] binds them. All parts see the tables as they were before,
/// and no two of them write the same row. What the batch's locks do not guard, another server may have written meanwhile:
/// an account's identifier and an `Idempotency-Key` are therefore added, never replaced unseen.
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
    opened_accounts AS (
        INSERT INTO accounts SELECT * FROM json_populate_recordset(NULL::accounts, $16::json)),
    written_accounts AS (
        UPDATE accounts a SET status = n.status, tier = n.tier, balance = n.balance, pending = n.pending,
            receivable = n.receivable
        FROM json_populate_recordset(NULL::accounts, $2::json) n WHERE a.id = n.id),
    written_subjects AS (
        INSERT INTO subjects SELECT * FROM json_populate_recordset(NULL::subjects, $3::json)
        ON CONFLICT (kind, key) DO UPDATE SET last_event_at = excluded.last_event_at, series = excluded.series),
    written_events AS (
        INSERT INTO events SELECT * FROM json_populate_recordset(NULL::events, $4::json)
        ON CONFLICT (kind, key, currency, at, number) DO UPDATE SET due_at = excluded.due_at,
            released = excluded.released),
    written_release_nodes AS (
        INSERT INTO release_nodes AS n SELECT * FROM json_populate_recordset(NULL::release_nodes, $5::json)
        ON CONFLICT (kind, key, currency, level, block, released) DO UPDATE SET count = n.count + excluded.count,
            amount = n.amount + excluded.amount),
    written_authorizations AS (
        INSERT INTO authorizations SELECT * FROM json_populate_recordset(NULL::authorizations, $6::json)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit,
            bound_credit = excluded.bound_credit),
    written_credits AS (
        INSERT INTO credits SELECT * FROM json_populate_recordset(NULL::credits, $7::json)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, reversal = excluded.reversal),
    written_reversals AS (
        INSERT INTO reversals SELECT * FROM json_populate_recordset(NULL::reversals, $8::json)),
    written_entries AS (
        INSERT INTO entries SELECT * FROM json_populate_recordset(NULL::entries, $9::json)),
    written_postings AS (
        INSERT INTO postings SELECT * FROM json_populate_recordset(NULL::postings, $10::json)),
    written_decisions AS (
        INSERT INTO decisions SELECT * FROM json_populate_recordset(NULL::decisions, $11::json)),
    written_ambiguous_credits AS (
        INSERT INTO ambiguous_credits SELECT * FROM json_populate_recordset(NULL::ambiguous_credits, $12::json)
        ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit),
    written_enrolments AS (
        INSERT INTO enrolments SELECT * FROM json_populate_recordset(NULL::enrolments, $13::json)
        ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account),
    written_account_changes AS (
        INSERT INTO account_changes SELECT * FROM json_populate_recordset(NULL::account_changes, $14::json))
    INSERT INTO idempotency SELECT * FROM json_populate_recordset(NULL::idempotency, $15::json)
    ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome,
        at = excluded.at
        WHERE idempotency.at <= excluded.at - $17";

pub(super) async fn write(connection: &mut PgConnection, changes: &Changes) -> Result<(), StoreError> {
    let written = sqlx::query(WRITE)
        .bind(json(changes.persons.values())?)
        .bind(json(changes.changed_accounts())?)
        .bind(json(changes.subjects.values())?)
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
        .bind(json(changes.opened_accounts())?)
        .bind(IDEMPOTENCY_KEPT.0)
        .execute(connection)
        .await
        .map_err(|error| if is_held(&error) { StoreError::Held(error.to_string()) } else { store_error(error) })?;
    // The statement's count is that of its last part.
    if written.rows_affected() == changes.idempotency.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::Conflict("another server has used an Idempotency-Key meanwhile".to_owned()))
    }
}

/// `lock_not_available` and `deadlock_detected`: somebody else has a row that the batch needs, and the batch as a whole
/// is not at fault.
pub(super) fn is_held(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["55P03", "40P01"].contains(&code.as_ref()))
}
