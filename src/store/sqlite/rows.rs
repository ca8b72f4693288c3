//! Each table's row as the JSON of its domain struct: one spelling for whoever selects it.

use serde::Serialize;

use crate::store::StoreError;

/// Keys or rows as one JSON array, without a copy in between.
pub(super) fn json<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<String, StoreError> {
    let mut text = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::new(&mut text);
    serde::Serializer::collect_seq(&mut serializer, rows).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    String::from_utf8(text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The same; `None` where there are none.
pub(super) fn listed<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<Option<String>, StoreError> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_some() { json(rows).map(Some) } else { Ok(None) }
}

/// `with subject` as a batch takes it, with what is counted for the account. People are shown the account alone.
macro_rules! account_row {
    () => {
        account_row!(and "")
    };
    (with subject) => {
        account_row!(and ", 'last_event_at', last_event_at, 'series', json(series), 'unfiled', json(unfiled)")
    };
    (and $subject:literal) => {
        concat!(
            "json_object('id', id, 'person', person, 'currency', currency, 'status', status, 'tier', tier,
                'display_name', display_name, 'created_at', created_at, 'balance', balance, 'pending', pending,
                'receivable', receivable, 'opening_balance', opening_balance",
            $subject,
            ")"
        )
    };
}

macro_rules! person_row {
    () => {
        "json_object('id', id, 'data', json(data), 'documents', json(documents), 'keys', json(
            (SELECT json_group_array(json_object('kind', kind, 'value', value)) FROM directory WHERE person = id)))"
    };
}

macro_rules! event_row {
    () => {
        "json_object('kind', e.kind, 'key', e.key, 'currency', e.currency, 'number', e.number, 'at', e.at,
            'amount', e.amount, 'running', e.running, 'authorization', e.authorization, 'due_at', e.due_at,
            'released', e.released, 'late', json(iif(e.late, 'true', 'false')))"
    };
}

macro_rules! authorization_row {
    () => {
        "json_object('id', id, 'account', account, 'amount', amount, 'currency', currency,
            'exchange_rate', exchange_rate, 'at', at, 'expires_at', expires_at, 'state', state, 'sender', sender,
            'counted', json(counted), 'credit', credit, 'bound_credit', bound_credit)"
    };
}

/// `$request` is the column, or a text in its place.
macro_rules! decision_row {
    ($request:literal) => {
        concat!(
            "json_object('id', id, 'kind', kind, 'account', account, 'at', at, 'received_at', received_at,
                'approved', json(iif(approved, 'true', 'false')), 'reason', reason, 'note', note,
                'reference', reference, 'amount', amount, 'currency', currency, 'exchange_rate', exchange_rate,
                'rules_version', rules_version, 'findings', json(findings), 'request', ",
            $request,
            ")"
        )
    };
}

macro_rules! credit_row {
    () => {
        "json_object('id', id, 'account', account, 'authorization', authorization, 'amount', amount,
            'currency', currency, 'exchange_rate', exchange_rate, 'at', at, 'state', state,
            'referenced', json(iif(referenced, 'true', 'false')), 'late', late, 'reason', reason, 'note', note,
            'reversal', reversal, 'idempotency_key', idempotency_key, 'counted', json(counted))"
    };
}

macro_rules! ambiguous_row {
    () => {
        "json_object('id', id, 'account', account, 'amount', amount, 'currency', currency,
            'exchange_rate', exchange_rate, 'at', at, 'answered_with', answered_with, 'state', state,
            'credit', credit)"
    };
}

macro_rules! enrolment_row {
    () => {
        "json_object('token_hash', token_hash, 'person', json(person), 'documents', json(documents),
            'created_at', created_at, 'expires_at', expires_at, 'account', account)"
    };
}

pub(super) use {
    account_row, ambiguous_row, authorization_row, credit_row, decision_row, enrolment_row, event_row, person_row,
};
