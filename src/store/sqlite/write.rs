//! All that a batch changed, in one text of statements: each takes its rows as one JSON array.

use sqlx::SqliteConnection;

use super::rows::json;
use super::store_error;
use crate::decide::Changes;
use crate::store::StoreError;

/// One parameter per statement, in the order in which [`write`] binds them. With `json_each` each row would be written
/// out as text, to be parsed again for its columns.
const WRITE: &str = "
    INSERT INTO persons (id, data, documents)
    SELECT value ->> 'id', value ->> 'data', value ->> 'documents' FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET documents = excluded.documents;

    INSERT INTO directory (kind, value, person)
    SELECT k.value ->> 'kind', k.value ->> 'value', p.value ->> 'id'
    FROM jsonb_each(?) p, jsonb_each(p.value, '$.keys') k WHERE true
    ON CONFLICT DO NOTHING;

    INSERT INTO accounts (id, person, currency, status, tier, display_name, created_at, balance, pending, receivable,
        opening_balance)
    SELECT value ->> 'id', value ->> 'person', value ->> 'currency', value ->> 'status', value ->> 'tier',
        value ->> 'display_name', value ->> 'created_at', value ->> 'balance', value ->> 'pending',
        value ->> 'receivable', value ->> 'opening_balance'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, tier = excluded.tier, balance = excluded.balance,
        pending = excluded.pending, receivable = excluded.receivable;

    INSERT INTO subjects (kind, key, last_event_at, series)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'last_event_at', value ->> 'series'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (kind, key) DO UPDATE SET last_event_at = excluded.last_event_at, series = excluded.series;

    INSERT INTO events (kind, key, currency, at, number, amount, running, authorization, due_at, released)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'currency', value ->> 'at', value ->> 'number',
        value ->> 'amount', value ->> 'running', value ->> 'authorization', value ->> 'due_at', value ->> 'released'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (kind, key, currency, at, number) DO UPDATE SET due_at = excluded.due_at, released = excluded.released;

    INSERT INTO release_nodes (kind, key, currency, level, block, released, count, amount)
    SELECT value ->> 'kind', value ->> 'key', value ->> 'currency', value ->> 'level', value ->> 'block',
        value ->> 'released', value ->> 'count', value ->> 'amount'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (kind, key, currency, level, block, released) DO UPDATE SET count = count + excluded.count,
        amount = amount + excluded.amount;

    INSERT INTO authorizations (id, account, amount, currency, exchange_rate, at, expires_at, state, sender, counted,
        credit, bound_credit)
    SELECT value ->> 'id', value ->> 'account', value ->> 'amount', value ->> 'currency', value ->> 'exchange_rate',
        value ->> 'at', value ->> 'expires_at', value ->> 'state', value ->> 'sender', value ->> 'counted',
        value ->> 'credit', value ->> 'bound_credit'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit,
        bound_credit = excluded.bound_credit;

    INSERT INTO credits (id, account, authorization, amount, currency, exchange_rate, at, state, referenced, late,
        reason, note, reversal, idempotency_key, counted)
    SELECT value ->> 'id', value ->> 'account', value ->> 'authorization', value ->> 'amount', value ->> 'currency',
        value ->> 'exchange_rate', value ->> 'at', value ->> 'state', value ->> 'referenced', value ->> 'late',
        value ->> 'reason', value ->> 'note', value ->> 'reversal', value ->> 'idempotency_key', value ->> 'counted'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, reversal = excluded.reversal;

    INSERT INTO reversals (id, credit, account, amount, currency, at)
    SELECT value ->> 'id', value ->> 'credit', value ->> 'account', value ->> 'amount', value ->> 'currency',
        value ->> 'at'
    FROM jsonb_each(?);

    INSERT INTO entries (id, account, kind, credit, currency, at)
    SELECT value ->> 'id', value ->> 'account', value ->> 'kind', value ->> 'credit', value ->> 'currency',
        value ->> 'at'
    FROM jsonb_each(?);

    INSERT INTO postings (account, entry, book, currency, amount)
    SELECT value ->> 'account', value ->> 'entry', value ->> 'book', value ->> 'currency', value ->> 'amount'
    FROM jsonb_each(?);

    INSERT INTO decisions (id, kind, account, at, received_at, approved, reason, note, reference, amount, currency,
        exchange_rate, rules_version, findings, request)
    SELECT value ->> 'id', value ->> 'kind', value ->> 'account', value ->> 'at', value ->> 'received_at',
        value ->> 'approved', value ->> 'reason', value ->> 'note', value ->> 'reference', value ->> 'amount',
        value ->> 'currency', value ->> 'exchange_rate', value ->> 'rules_version', value ->> 'findings',
        value ->> 'request'
    FROM jsonb_each(?);

    INSERT INTO ambiguous_credits (id, account, amount, currency, exchange_rate, at, answered_with, state, credit)
    SELECT value ->> 'id', value ->> 'account', value ->> 'amount', value ->> 'currency', value ->> 'exchange_rate',
        value ->> 'at', value ->> 'answered_with', value ->> 'state', value ->> 'credit'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit;

    INSERT INTO enrolments (token_hash, person, documents, created_at, expires_at, account)
    SELECT value ->> 'token_hash', value ->> 'person', value ->> 'documents', value ->> 'created_at',
        value ->> 'expires_at', value ->> 'account'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account;

    INSERT INTO account_changes (id, account, at, who, action, why, target, change, case_number, review_date)
    SELECT value ->> 'id', value ->> 'account', value ->> 'at', value ->> 'who', value ->> 'action', value ->> 'why',
        value ->> 'target', value ->> 'change', value ->> 'case_number', value ->> 'review_date'
    FROM jsonb_each(?);

    INSERT INTO idempotency (path, key, body_hash, outcome, at)
    SELECT value ->> 'path', value ->> 'key', value ->> 'body_hash', value ->> 'outcome', value ->> 'at'
    FROM jsonb_each(?) WHERE true
    ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome, at = excluded.at;
";

pub(super) async fn write(connection: &mut SqliteConnection, changes: &Changes) -> Result<(), StoreError> {
    let persons = json(changes.persons.values())?;
    sqlx::query(WRITE)
        .bind(persons.clone())
        .bind(persons)
        .bind(json(changes.accounts.values())?)
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
        .execute(connection)
        .await
        .map_err(store_error)?;
    Ok(())
}
