//! All that a batch changed, in one text of statements.

use sqlx::SqliteConnection;

use super::rows::json;
use super::store_error;
use super::text::{Part, Text, needed};
use crate::decide::Changes;
use crate::domain::{Timestamp, TrackingId};
use crate::store::StoreError;

// Each takes its rows as one JSON array. With `json_each` each row would be written out as text, to be parsed again for
// its columns.

const PERSONS: &str = "
    INSERT INTO persons (id, data, documents)
    SELECT value ->> 'id', value ->> 'data', value ->> 'documents' FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET documents = excluded.documents";

const DIRECTORY: &str = "
    INSERT INTO directory (kind, value, person)
    SELECT k.value ->> 'kind', k.value ->> 'value', p.value ->> 'id'
    FROM jsonb_each(?) p, jsonb_each(p.value, '$.keys') k WHERE true
    ON CONFLICT DO NOTHING";

const ACCOUNTS: &str = "
    INSERT INTO accounts (id, person, currency, status, tier, display_name, created_at, balance, pending, receivable,
        opening_balance)
    SELECT value ->> 'id', value ->> 'person', value ->> 'currency', value ->> 'status', value ->> 'tier',
        value ->> 'display_name', value ->> 'created_at', value ->> 'balance', value ->> 'pending',
        value ->> 'receivable', value ->> 'opening_balance'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, tier = excluded.tier, balance = excluded.balance,
        pending = excluded.pending, receivable = excluded.receivable";

const SUBJECTS: &str = "
    INSERT INTO subjects (kind, key, last_event_at, series)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'last_event_at', value ->> 'series'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (kind, key) DO UPDATE SET last_event_at = excluded.last_event_at, series = excluded.series";

const EVENTS: &str = "
    INSERT INTO events (kind, key, currency, at, number, amount, running, authorization, due_at, released)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'currency', value ->> 'at', value ->> 'number',
        value ->> 'amount', value ->> 'running', value ->> 'authorization', value ->> 'due_at', value ->> 'released'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (kind, key, currency, at, number) DO UPDATE SET due_at = excluded.due_at, released = excluded.released";

const RELEASE_NODES: &str = "
    INSERT INTO release_nodes (kind, key, currency, level, block, released, count, amount)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'currency', value ->> 'level', value ->> 'block',
        value ->> 'released', value ->> 'count', value ->> 'amount'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (kind, key, currency, level, block, released) DO UPDATE SET count = count + excluded.count,
        amount = amount + excluded.amount";

const AUTHORIZATIONS: &str = "
    INSERT INTO authorizations (id, account, amount, currency, exchange_rate, at, expires_at, state, sender, counted,
        credit, bound_credit)
    SELECT value ->> 'id', value ->> 'account', value ->> 'amount', value ->> 'currency', value ->> 'exchange_rate',
        value ->> 'at', value ->> 'expires_at', value ->> 'state', value ->> 'sender', value ->> 'counted',
        value ->> 'credit', value ->> 'bound_credit'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit,
        bound_credit = excluded.bound_credit";

const CREDITS: &str = "
    INSERT INTO credits (id, account, authorization, amount, currency, exchange_rate, at, state, referenced, late,
        reason, note, reversal, idempotency_key, counted)
    SELECT value ->> 'id', value ->> 'account', value ->> 'authorization', value ->> 'amount', value ->> 'currency',
        value ->> 'exchange_rate', value ->> 'at', value ->> 'state', value ->> 'referenced', value ->> 'late',
        value ->> 'reason', value ->> 'note', value ->> 'reversal', value ->> 'idempotency_key', value ->> 'counted'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, reversal = excluded.reversal";

const REVERSALS: &str = "
    INSERT INTO reversals (id, credit, account, amount, currency, at)
    SELECT value ->> 'id', value ->> 'credit', value ->> 'account', value ->> 'amount', value ->> 'currency',
        value ->> 'at'
    FROM jsonb_each(?)";

const ENTRIES: &str = "
    INSERT INTO entries (id, account, kind, credit, currency, at)
    SELECT value ->> 'id', value ->> 'account', value ->> 'kind', value ->> 'credit', value ->> 'currency',
        value ->> 'at'
    FROM jsonb_each(?)";

const POSTINGS: &str = "
    INSERT INTO postings (account, entry, book, currency, amount)
    SELECT value ->> 'account', value ->> 'entry', value ->> 'book', value ->> 'currency', value ->> 'amount'
    FROM jsonb_each(?)";

const DECISIONS: &str = "
    INSERT INTO decisions (id, kind, account, at, received_at, approved, reason, note, reference, amount, currency,
        exchange_rate, rules_version, findings, request)
    SELECT value ->> 'id', value ->> 'kind', value ->> 'account', value ->> 'at', value ->> 'received_at',
        value ->> 'approved', value ->> 'reason', value ->> 'note', value ->> 'reference', value ->> 'amount',
        value ->> 'currency', value ->> 'exchange_rate', value ->> 'rules_version', value ->> 'findings',
        value ->> 'request'
    FROM jsonb_each(?)";

const AMBIGUOUS_CREDITS: &str = "
    INSERT INTO ambiguous_credits (id, account, amount, currency, exchange_rate, at, answered_with, state, credit)
    SELECT value ->> 'id', value ->> 'account', value ->> 'amount', value ->> 'currency', value ->> 'exchange_rate',
        value ->> 'at', value ->> 'answered_with', value ->> 'state', value ->> 'credit'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit";

const ENROLMENTS: &str = "
    INSERT INTO enrolments (token_hash, person, documents, created_at, expires_at, account)
    SELECT value ->> 'token_hash', value ->> 'person', value ->> 'documents', value ->> 'created_at',
        value ->> 'expires_at', value ->> 'account'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account";

const ACCOUNT_CHANGES: &str = "
    INSERT INTO account_changes (id, account, at, who, action, why, target, change, case_number, review_date)
    SELECT value ->> 'id', value ->> 'account', value ->> 'at', value ->> 'who', value ->> 'action', value ->> 'why',
        value ->> 'target', value ->> 'change', value ->> 'case_number', value ->> 'review_date'
    FROM jsonb_each(?)";

const IDEMPOTENCY: &str = "
    INSERT INTO idempotency (path, key, body_hash, outcome, at)
    SELECT value ->> 'path', value ->> 'key', value ->> 'body_hash', value ->> 'outcome', value ->> 'at'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome, at = excluded.at";

const BATCH: &str = "INSERT INTO batches (id, committed_at) SELECT value ->> 0, value ->> 1 FROM json_each(?)";

fn parts(changes: &Changes) -> Result<[Part; 15], StoreError> {
    Ok([
        Part { rows: json(changes.persons.values())?, sql: &[PERSONS, DIRECTORY] },
        Part { rows: json(changes.accounts.values())?, sql: &[ACCOUNTS] },
        Part { rows: json(changes.subjects.values())?, sql: &[SUBJECTS] },
        Part { rows: json(changes.events.values())?, sql: &[EVENTS] },
        Part { rows: json(changes.release_node_rows())?, sql: &[RELEASE_NODES] },
        Part { rows: json(changes.authorizations.values())?, sql: &[AUTHORIZATIONS] },
        Part { rows: json(changes.credits.values())?, sql: &[CREDITS] },
        Part { rows: json(&changes.reversals)?, sql: &[REVERSALS] },
        Part { rows: json(&changes.entries)?, sql: &[ENTRIES] },
        Part { rows: json(&changes.postings)?, sql: &[POSTINGS] },
        Part { rows: json(&changes.decisions)?, sql: &[DECISIONS] },
        Part { rows: json(changes.ambiguous.values())?, sql: &[AMBIGUOUS_CREDITS] },
        Part { rows: json(changes.enrolments.values())?, sql: &[ENROLMENTS] },
        Part { rows: json(&changes.account_changes)?, sql: &[ACCOUNT_CHANGES] },
        Part { rows: json(changes.idempotency.values())?, sql: &[IDEMPOTENCY] },
    ])
}

/// `text` is what comes first, in the same hop.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    mut text: Text,
    changes: &Changes,
) -> Result<(), StoreError> {
    text.add_all(needed(parts(changes)?))?;
    text.query().execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// The same, and commits under the batch's id.
pub(super) async fn commit(
    connection: &mut SqliteConnection,
    mut text: Text,
    changes: &Changes,
    batch: TrackingId,
    at: Timestamp,
) -> Result<(), StoreError> {
    text.add_all(needed(parts(changes)?))?;
    text.add_all([(json([(batch, at)])?.into(), BATCH)])?;
    text.add("COMMIT");
    text.query().execute(connection).await.map_err(store_error)?;
    Ok(())
}
