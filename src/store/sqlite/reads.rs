//! Read paths on SQLite: the reader pool, never the writer. What was read is answered once it is on the disk.
//!
//! Rows travel as JSON in the serde form of their struct, so no code maps columns. A list is one statement, and so one
//! snapshot: its total and its page agree. `?1` and `?2` are a page's limit and offset, its filters follow as text. A
//! list without filters has a statement of its own, so that an index alone gives its total.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use sqlx::query_scalar;

use super::rows::{account_row, ambiguous_row, authorization_row, credit_row, decision_row, enrolment_row, person_row};
use super::{SqliteStore, store_error};
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousCredit, Authorization, AuthorizationState, Credit, CreditState,
    Decision, Enrolment, Person, Reason, Reversal, Timestamp, TrackingId,
};
use crate::store::rows::parse;
use crate::store::series::open_authorizations;
use crate::store::{
    AccountFilter, AmbiguousFilter, AuditCheck, AuthorizationFilter, ChangeFilter, CreditFilter, DecisionFilter,
    Listed, Page, Reads, ReversalFilter, StatementLine, StoreError,
};

/// One page of a list with its total, as the JSON of [`Listed`].
macro_rules! list {
    ($item:expr, $from:expr, newest first by $order:literal) => {
        list!($item, $from, counted in $from, newest first by $order)
    };
    ($item:expr, $from:expr, counted in $counted:expr, newest first by $order:literal) => {
        list!($item, concat!($from, " ORDER BY ", $order, " LIMIT ?1 OFFSET ?2"), counted in $counted)
    };
    ($item:expr, $page:expr, counted in $counted:expr) => {
        concat!(
            "SELECT '{\"total\":' || (SELECT count(*) FROM ",
            $counted,
            ") || ',\"items\":[' || coalesce((SELECT group_concat(item, ',') FROM (SELECT ",
            $item,
            " AS item FROM ",
            $page,
            ")), '') || ']}'"
        )
    };
}

/// The records of the account `?3` that are `$what`; `$page` orders and cuts them. The view `all_account_records` would do,
/// but for the order: SQLite takes it from a table's key only where all parts stand in the query itself, and the events are of
/// one currency.
macro_rules! records {
    ($what:literal) => {
        records!($what, "")
    };
    ($what:literal, $page:literal) => {
        concat!(
            "(SELECT id AS record, at AS recorded_at FROM account_records WHERE account = ?3 AND ",
            $what,
            " UNION ALL SELECT id, at FROM (
                SELECT r.value ->> 0 AS at, r.value ->> 1 AS id, r.value ->> 2 AS decision, r.value ->> 3 AS posted
                FROM accounts a CROSS JOIN json_each(a.unfiled) r WHERE a.id = ?3) unfiled
            WHERE ",
            $what,
            " UNION ALL SELECT id, at FROM (
                SELECT at, authorization AS id, 'Authorization' AS decision, 0 AS posted FROM events
                WHERE kind = 'account' AND key = ?3 AND currency = (SELECT currency FROM accounts WHERE id = ?3)
                    AND NOT late) counted
            WHERE ",
            $what,
            $page,
            ") records"
        )
    };
}

/// The rows of `$table` that an account's records lead to. Without filters the page is cut before they are looked up.
macro_rules! of_account {
    ($item:expr, $table:literal, $what:literal) => {
        list!(
            $item,
            concat!(
                records!($what, " ORDER BY recorded_at DESC, record DESC LIMIT ?1 OFFSET ?2"),
                " CROSS JOIN ", $table, " ON ", $table, ".id = record ORDER BY recorded_at DESC, record DESC"
            ),
            counted in records!($what)
        )
    };
    ($item:expr, $table:literal, $what:literal, filtered by $filters:literal) => {
        list!(
            $item,
            concat!(records!($what), " CROSS JOIN ", $table, " ON ", $table, ".id = record WHERE ", $filters),
            newest first by "recorded_at DESC, record DESC"
        )
    };
}

/// To the account's own books.
macro_rules! own_lines {
    () => {
        " CROSS JOIN postings p ON p.entry = record AND p.book IN ('Available', 'Pending', 'Receivable')"
    };
}

const ACCOUNT: &str = concat!(
    "SELECT json_array(",
    account_row!(),
    ", json((SELECT ",
    person_row!(),
    " FROM persons WHERE persons.id = accounts.person))) FROM accounts WHERE id = ?1"
);

const ACCOUNTS: &str = list!(account_row!(), "accounts", newest first by "created_at DESC, id DESC");

const ACCOUNTS_FILTERED: &str = list!(
    account_row!(),
    "accounts WHERE (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR currency = ?4) \
     AND (?5 IS NULL OR tier = ?5)",
    newest first by "created_at DESC, id DESC"
);

/// An entry has one line at least, so as many entries as lines are enough.
const STATEMENT: &str = list!(
    "json_object('entry', record, 'kind', e.kind, 'credit', e.credit, 'at', recorded_at, 'book', p.book, \
     'currency', p.currency, 'amount', p.amount)",
    concat!(
        records!("posted", " ORDER BY recorded_at DESC, record DESC LIMIT ?1 + ?2"),
        " CROSS JOIN entries e ON e.id = record ",
        own_lines!(),
        " ORDER BY recorded_at DESC, record DESC, p.book LIMIT ?1 OFFSET ?2"
    ),
    counted in concat!(records!("posted"), own_lines!())
);

const AUTHORIZATION: &str = concat!("SELECT ", authorization_row!(), " FROM current_authorizations WHERE id = ?1");

const AUTHORIZATIONS: &str =
    list!(authorization_row!(), "current_authorizations", counted in "authorizations", newest first by "id DESC");

const AUTHORIZATIONS_FILTERED: &str = list!(
    authorization_row!(),
    "current_authorizations WHERE (?4 IS NULL OR state = ?4) AND (?5 IS NULL OR amount = CAST(?5 AS INTEGER)) \
     AND (?6 IS NULL OR currency = ?6)",
    newest first by "id DESC"
);

const OPEN_AUTHORIZATIONS: &str = list!(
    authorization_row!(),
    concat!(
        "(SELECT id AS open_id FROM ",
        open_authorizations!(of "?5", "?6"),
        " ORDER BY id DESC LIMIT ?1 OFFSET ?2) CROSS JOIN current_authorizations ON id = open_id ORDER BY id DESC"
    ),
    counted in open_authorizations!(of "?5", "?6")
);

const AUTHORIZATIONS_OF_ACCOUNT: &str =
    of_account!(authorization_row!(), "current_authorizations", "decision = 'Authorization'");

const AUTHORIZATIONS_OF_ACCOUNT_FILTERED: &str = of_account!(
    authorization_row!(),
    "current_authorizations",
    "decision = 'Authorization'",
    filtered by "(?4 IS NULL OR state = ?4) AND (?5 IS NULL OR amount = CAST(?5 AS INTEGER)) \
     AND (?6 IS NULL OR currency = ?6)"
);

/// Twins, by the account's open events, as matching finds them: at once among a million that are used up.
const OPEN_AUTHORIZATIONS_OF_AMOUNT: &str = list!(
    authorization_row!(),
    "(SELECT e.at AS event_at, e.number AS event_number, e.authorization AS counted_for
      FROM accounts a
      CROSS JOIN events e ON e.kind = 'account' AND e.key = a.id AND e.currency = ?6
          AND e.at >= a.series -> ?6 -> 'open' ->> 'at' AND e.due_at IS NOT NULL AND e.amount = CAST(?5 AS INTEGER)
      WHERE a.id = ?3) CROSS JOIN current_authorizations ON id = counted_for AND state = 'Open'",
    newest first by "event_at DESC, event_number DESC"
);

const CREDIT: &str = concat!("SELECT ", credit_row!(), " FROM credits WHERE id = ?1");

const CREDITS: &str = list!(credit_row!(), "credits", newest first by "id DESC");

const CREDITS_FILTERED: &str = list!(credit_row!(), "credits WHERE state = ?4", newest first by "id DESC");

/// The waiting ones have an index of their own: they are few among many, and looked at every day.
const CREDITS_IN_PROGRESS: &str =
    list!(credit_row!(), "credits WHERE state = 'InProgress'", newest first by "at DESC, id DESC");

/// Not every decision about a credit leaves one.
const CREDITS_OF_ACCOUNT: &str = of_account!(credit_row!(), "credits", "decision = 'Credit'", filtered by "true");

const CREDITS_OF_ACCOUNT_FILTERED: &str =
    of_account!(credit_row!(), "credits", "decision = 'Credit'", filtered by "state = ?4");

macro_rules! reversal_row {
    () => {
        "json_object('id', id, 'credit', credit, 'account', account, 'amount', amount, 'currency', currency, 'at', at)"
    };
}

const REVERSALS: &str = list!(reversal_row!(), "reversals", newest first by "id DESC");

const REVERSALS_OF_ACCOUNT: &str =
    list!(reversal_row!(), "reversals WHERE account = ?3", newest first by "at DESC, id DESC");

const AMBIGUOUS_CREDITS: &str =
    list!(ambiguous_row!(), "ambiguous_credits WHERE (?4 IS NULL OR state = ?4)", newest first by "id DESC");

const AMBIGUOUS_CREDITS_OF_ACCOUNT: &str = list!(
    ambiguous_row!(),
    "ambiguous_credits WHERE account = ?3 AND (?4 IS NULL OR state = ?4)",
    newest first by "at DESC, id DESC"
);

const DECISION: &str = concat!("SELECT ", decision_row!("request"), " FROM decisions WHERE id = ?1");

const DECISIONS: &str = list!(decision_row!("request"), "decisions", newest first by "id DESC");

const DECISIONS_FILTERED: &str = list!(
    decision_row!("request"),
    "decisions WHERE (?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR approved = CAST(?5 AS INTEGER)) \
     AND (?6 IS NULL OR reason = ?6)",
    newest first by "id DESC"
);

const DECISIONS_OF_ACCOUNT: &str = of_account!(decision_row!("request"), "decisions", "decision IS NOT NULL");

const DECISIONS_OF_ACCOUNT_FILTERED: &str = of_account!(
    decision_row!("request"),
    "decisions",
    "decision IS NOT NULL",
    filtered by "(?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR approved = CAST(?5 AS INTEGER)) \
     AND (?6 IS NULL OR reason = ?6)"
);

macro_rules! change_row {
    () => {
        "json_object('id', id, 'account', account, 'at', at, 'who', who, 'action', action, 'why', why, \
         'target', target, 'change', change, 'case_number', case_number, 'review_date', review_date)"
    };
}

const CHANGES: &str = list!(change_row!(), "account_changes", newest first by "id DESC");

const CHANGES_OF_ACCOUNT: &str = list!(change_row!(), "account_changes WHERE account = ?3", newest first by "id DESC");

const ENROLMENT: &str = concat!("SELECT ", enrolment_row!(), " FROM enrolments WHERE token_hash = ?1");

pub(super) const RULES_TEXT: &str = "SELECT text FROM rule_sets WHERE version = ?1";

/// Identifiers are in the order of time, so the latest is among the last of them; asked at every look at the server's health.
const LATEST_BATCH: &str =
    "SELECT max(committed_at) FROM (SELECT committed_at FROM batches ORDER BY id DESC LIMIT 100)";

#[async_trait]
impl Reads for SqliteStore {
    async fn takes_writes(&self) -> Result<(), StoreError> {
        self.probe.takes_writes().await
    }

    async fn latest_batch_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let latest: Option<i64> = query_scalar(LATEST_BATCH).fetch_one(&self.readers).await.map_err(store_error)?;
        Ok(latest.map(Timestamp))
    }

    async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    async fn account(&self, id: &AccountId) -> Result<Option<(Account, Person)>, StoreError> {
        self.find(ACCOUNT, id).await
    }

    async fn accounts(&self, filter: &AccountFilter, page: Page) -> Result<Listed<Account>, StoreError> {
        let filters = [text(filter.status), text(filter.currency), filter.tier.clone()];
        let query = if filters.iter().all(Option::is_none) { ACCOUNTS } else { ACCOUNTS_FILTERED };
        self.list(query, page, filters).await
    }

    async fn statement(&self, account: &AccountId, page: Page) -> Result<Listed<StatementLine>, StoreError> {
        self.list(STATEMENT, page, [text(Some(account))]).await
    }

    async fn authorization(&self, id: TrackingId) -> Result<Option<Authorization>, StoreError> {
        self.find(AUTHORIZATION, id).await
    }

    async fn authorizations(
        &self,
        filter: &AuthorizationFilter,
        page: Page,
    ) -> Result<Listed<Authorization>, StoreError> {
        let AuthorizationFilter { account, state, amount, currency } = filter;
        let unfiltered = state.is_none() && amount.is_none() && currency.is_none();
        let query = match (account, state) {
            (Some(_), Some(AuthorizationState::Open)) if amount.is_some() && currency.is_some() => {
                OPEN_AUTHORIZATIONS_OF_AMOUNT
            }
            (Some(_), _) if unfiltered => AUTHORIZATIONS_OF_ACCOUNT,
            (Some(_), _) => AUTHORIZATIONS_OF_ACCOUNT_FILTERED,
            (None, _) if unfiltered => AUTHORIZATIONS,
            (None, Some(AuthorizationState::Open)) => OPEN_AUTHORIZATIONS,
            (None, _) => AUTHORIZATIONS_FILTERED,
        };
        let state = state.map(|state| state.as_str().to_owned());
        let filters = [text(account.as_ref()), state, text(*amount), text(*currency)];
        self.list(query, page, filters).await
    }

    async fn credit(&self, id: TrackingId) -> Result<Option<Credit>, StoreError> {
        self.find(CREDIT, id).await
    }

    async fn credits(&self, filter: &CreditFilter, page: Page) -> Result<Listed<Credit>, StoreError> {
        let query = match (&filter.account, filter.state) {
            (Some(_), Some(_)) => CREDITS_OF_ACCOUNT_FILTERED,
            (Some(_), None) => CREDITS_OF_ACCOUNT,
            (None, Some(CreditState::InProgress)) => CREDITS_IN_PROGRESS,
            (None, Some(_)) => CREDITS_FILTERED,
            (None, None) => CREDITS,
        };
        let filters = [text(filter.account.as_ref()), filter.state.map(|state| state.as_str().to_owned())];
        self.list(query, page, filters).await
    }

    async fn reversals(&self, filter: &ReversalFilter, page: Page) -> Result<Listed<Reversal>, StoreError> {
        let query = if filter.account.is_some() { REVERSALS_OF_ACCOUNT } else { REVERSALS };
        self.list(query, page, [text(filter.account.as_ref())]).await
    }

    async fn ambiguous_credits(
        &self,
        filter: &AmbiguousFilter,
        page: Page,
    ) -> Result<Listed<AmbiguousCredit>, StoreError> {
        let query = if filter.account.is_some() { AMBIGUOUS_CREDITS_OF_ACCOUNT } else { AMBIGUOUS_CREDITS };
        let filters = [text(filter.account.as_ref()), filter.state.map(|state| state.as_str().to_owned())];
        self.list(query, page, filters).await
    }

    async fn decision(&self, id: TrackingId) -> Result<Option<Decision>, StoreError> {
        self.find(DECISION, id).await
    }

    async fn decisions(&self, filter: &DecisionFilter, page: Page) -> Result<Listed<Decision>, StoreError> {
        let unfiltered = filter.kind.is_none() && filter.approved.is_none() && filter.reason.is_none();
        let query = match (&filter.account, unfiltered) {
            (Some(_), true) => DECISIONS_OF_ACCOUNT,
            (Some(_), false) => DECISIONS_OF_ACCOUNT_FILTERED,
            (None, true) => DECISIONS,
            (None, false) => DECISIONS_FILTERED,
        };
        let kind = filter.kind.map(|kind| kind.as_str().to_owned());
        let filters = [
            text(filter.account.as_ref()),
            kind,
            text(filter.approved.map(i64::from)),
            text(filter.reason.map(Reason::as_str)),
        ];
        self.list(query, page, filters).await
    }

    async fn changes(&self, filter: &ChangeFilter, page: Page) -> Result<Listed<AccountChange>, StoreError> {
        let query = if filter.account.is_some() { CHANGES_OF_ACCOUNT } else { CHANGES };
        self.list(query, page, [text(filter.account.as_ref())]).await
    }

    async fn enrolment(&self, token_hash: &str) -> Result<Option<Enrolment>, StoreError> {
        self.find(ENROLMENT, token_hash).await
    }

    async fn rules_text(&self, version: &str) -> Result<Option<String>, StoreError> {
        Ok(query_scalar(RULES_TEXT)
            .bind(version.to_owned())
            .fetch_optional(&self.readers)
            .await
            .map_err(store_error)?)
    }

    async fn audit(&self) -> Result<Vec<AuditCheck>, StoreError> {
        super::audit::audit(&self.readers).await
    }
}

impl SqliteStore {
    /// The one row that `query` names by `key`.
    async fn find<T: DeserializeOwned>(
        &self,
        query: &'static str,
        key: impl ToString,
    ) -> Result<Option<T>, StoreError> {
        let row: Option<String> =
            query_scalar(query).bind(key.to_string()).fetch_optional(&self.readers).await.map_err(store_error)?;
        self.log.settle().await;
        row.as_deref().map(parse).transpose()
    }

    /// One page of a list.
    async fn list<T: DeserializeOwned, const FILTERS: usize>(
        &self,
        query: &'static str,
        page: Page,
        filters: [Option<String>; FILTERS],
    ) -> Result<Listed<T>, StoreError> {
        let mut bound = query_scalar(query).bind(page.limit).bind(page.offset);
        for filter in filters {
            bound = bound.bind(filter);
        }
        let rows: String = bound.fetch_one(&self.readers).await.map_err(store_error)?;
        self.log.settle().await;
        parse(&rows)
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

#[cfg(test)]
mod tests;
