//! Read paths on Postgres: the reader pools, never the writers.
//!
//! Rows travel as JSON in the serde form of their struct, so no code maps columns. A list is one statement, and so one
//! snapshot: its total and its page agree. `$1` and `$2` are a page's limit and offset, its filters follow as text. A
//! list without filters has a statement of its own, so that an index alone gives its total.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryScalar;
use sqlx::{FromRow, Postgres, query_scalar};

use super::rows::{STAND_IN_FOR_NUL, person_row};
use super::{PostgresStore, store_error, transaction};
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
        list!($item, concat!($from, " ORDER BY ", $order, " LIMIT $1 OFFSET $2"), counted in $counted)
    };
    ($item:expr, $page:expr, counted in $counted:expr) => {
        concat!(
            "SELECT json_build_object('total', (SELECT count(*) FROM ",
            $counted,
            "), 'items', (SELECT coalesce(json_agg(item), '[]') FROM (SELECT ",
            $item,
            " AS item FROM ",
            $page,
            ") page))::text"
        )
    };
}

/// The records of the account `$3` that are `$what`; the newest first, where `$page` cuts them. The view `all_account_records`
/// would do, but for the order: Postgres takes it from the tables' keys only where each part asks for it, and the events are of
/// one currency.
macro_rules! records {
    ($what:literal) => {
        records!($what, "", "")
    };
    ($what:literal, $page:literal) => {
        records!($what, " ORDER BY at DESC, id DESC", $page)
    };
    ($what:literal, $order:literal, $page:literal) => {
        concat!(
            "(SELECT id AS record, at AS recorded_at FROM (
                (SELECT id, at, decision, posted FROM account_records WHERE account = $3",
            $order,
            ")
                UNION ALL SELECT (r.value ->> 1)::uuid, (r.value ->> 0)::bigint, r.value ->> 2, (r.value ->> 3)::boolean
                FROM accounts a, json_array_elements(a.unfiled) r WHERE a.id = $3
                UNION ALL (SELECT \"authorization\" AS id, at, 'Authorization', false FROM events
                WHERE kind = 'account' AND key = $3 AND currency = (SELECT currency FROM accounts WHERE id = $3)
                    AND NOT late",
            $order,
            ")) found
             WHERE ",
            $what,
            $order,
            $page,
            ") records"
        )
    };
}

/// The row of `$table` that a record leads to, looked up by its key.
macro_rules! led_to {
    ($table:literal) => {
        concat!(" CROSS JOIN LATERAL (SELECT * FROM ", $table, " WHERE id = record OFFSET 0) ", $table)
    };
}

/// The rows of `$table` that an account's records lead to. Without filters the page is cut before they are looked up.
macro_rules! of_account {
    ($table:literal, $what:literal) => {
        list!(
            concat!("row_to_json(", $table, ")"),
            concat!(
                records!($what, " LIMIT $1 OFFSET $2"),
                led_to!($table),
                " ORDER BY recorded_at DESC, record DESC"
            ),
            counted in records!($what)
        )
    };
    ($table:literal, $what:literal, filtered by $filters:literal) => {
        list!(
            concat!("row_to_json(", $table, ")"),
            concat!(records!($what), led_to!($table), " WHERE ", $filters),
            newest first by "recorded_at DESC, record DESC"
        )
    };
}

/// What an entry says of the account's own books.
macro_rules! own_lines {
    () => {
        " CROSS JOIN LATERAL (SELECT book, currency, amount FROM postings \
         WHERE entry = record AND book IN ('Available', 'Pending', 'Receivable') OFFSET 0) p"
    };
}

/// As people are shown it, without what is counted for it.
macro_rules! account_row {
    () => {
        "json_build_object('id', id, 'person', person, 'currency', currency, 'status', status, 'tier', tier,
            'display_name', display_name, 'created_at', created_at, 'balance', balance, 'pending', pending,
            'receivable', receivable, 'opening_balance', opening_balance)"
    };
}

const ACCOUNT: &str = concat!(
    "SELECT json_build_array(",
    account_row!(),
    ", (SELECT ",
    person_row!(),
    " FROM persons WHERE persons.id = accounts.person))::text FROM accounts WHERE id = $1"
);

const ACCOUNTS: &str = list!(account_row!(), "accounts", newest first by "created_at DESC, id DESC");

const ACCOUNTS_FILTERED: &str = list!(
    account_row!(),
    "accounts WHERE ($3 IS NULL OR status = $3) AND ($4 IS NULL OR currency = $4) \
     AND ($5 IS NULL OR tier = $5)",
    newest first by "created_at DESC, id DESC"
);

/// An entry has one line at least, so as many entries as lines are enough.
const STATEMENT: &str = list!(
    "json_build_object('entry', record, 'kind', entries.kind, 'credit', entries.credit, 'at', recorded_at, \
     'book', p.book, 'currency', p.currency, 'amount', p.amount)",
    concat!(
        records!("posted", " LIMIT $1 + $2"),
        led_to!("entries"),
        own_lines!(),
        " ORDER BY recorded_at DESC, record DESC, p.book LIMIT $1 OFFSET $2"
    ),
    counted in concat!(records!("posted"), own_lines!())
);

const AUTHORIZATION: &str =
    "SELECT row_to_json(current_authorizations)::text FROM current_authorizations WHERE id = $1::uuid";

const AUTHORIZATIONS: &str = list!("row_to_json(current_authorizations)", "current_authorizations", counted in "authorizations", newest first by "id DESC");

const AUTHORIZATIONS_FILTERED: &str = list!(
    "row_to_json(current_authorizations)",
    "current_authorizations WHERE ($4 IS NULL OR state = $4) AND ($5 IS NULL OR amount = $5::bigint) \
     AND ($6 IS NULL OR currency = $6)",
    newest first by "id DESC"
);

pub(super) const OPEN_AUTHORIZATIONS: &str = list!(
    "row_to_json(current_authorizations)",
    concat!(
        "(SELECT id AS open_id FROM ",
        open_authorizations!(of "$5", "$6"),
        " ORDER BY id DESC LIMIT $1 OFFSET $2) page_of_ids
         CROSS JOIN LATERAL (SELECT * FROM current_authorizations WHERE id = open_id LIMIT 1) current_authorizations
         ORDER BY id DESC"
    ),
    counted in open_authorizations!(of "$5", "$6")
);

const AUTHORIZATIONS_OF_ACCOUNT: &str = of_account!("current_authorizations", "decision = 'Authorization'");

const AUTHORIZATIONS_OF_ACCOUNT_FILTERED: &str = of_account!(
    "current_authorizations",
    "decision = 'Authorization'",
    filtered by "($4 IS NULL OR state = $4) AND ($5 IS NULL OR amount = $5::bigint) AND ($6 IS NULL OR currency = $6)"
);

/// Twins, by the account's open events, as matching finds them: at once among a million that are used up.
const OPEN_AUTHORIZATIONS_OF_AMOUNT: &str = list!(
    "row_to_json(current_authorizations)",
    "(SELECT at AS event_at, number, \"authorization\" AS counted_for FROM events
      WHERE kind = 'account' AND key = $3 AND currency = $6 AND due_at IS NOT NULL AND amount = $5::bigint
        AND at >= (SELECT (series #>> ARRAY[$6, 'open', 'at'])::bigint FROM accounts WHERE id = $3)) e
     CROSS JOIN LATERAL (SELECT * FROM current_authorizations WHERE id = e.counted_for LIMIT 1) current_authorizations
     WHERE state = 'Open'",
    newest first by "event_at DESC, e.number DESC"
);

const CREDIT: &str = "SELECT row_to_json(credits)::text FROM credits WHERE id = $1::uuid";

const CREDITS: &str = list!("row_to_json(credits)", "credits", newest first by "id DESC");

const CREDITS_FILTERED: &str = list!("row_to_json(credits)", "credits WHERE state = $4", newest first by "id DESC");

/// The waiting ones have an index of their own: they are few among many, and looked at every day.
const CREDITS_IN_PROGRESS: &str =
    list!("row_to_json(credits)", "credits WHERE state = 'InProgress'", newest first by "at DESC, id DESC");

/// Not every decision about a credit leaves one.
const CREDITS_OF_ACCOUNT: &str = of_account!("credits", "decision = 'Credit'", filtered by "true");

const CREDITS_OF_ACCOUNT_FILTERED: &str = of_account!("credits", "decision = 'Credit'", filtered by "state = $4");

const REVERSALS: &str = list!("row_to_json(reversals)", "reversals", newest first by "id DESC");

const REVERSALS_OF_ACCOUNT: &str =
    list!("row_to_json(reversals)", "reversals WHERE account = $3", newest first by "at DESC, id DESC");

const AMBIGUOUS_CREDITS: &str = list!("row_to_json(ambiguous_credits)", "ambiguous_credits WHERE ($4 IS NULL OR state = $4)", newest first by "id DESC");

const AMBIGUOUS_CREDITS_OF_ACCOUNT: &str = list!(
    "row_to_json(ambiguous_credits)",
    "ambiguous_credits WHERE account = $3 AND ($4 IS NULL OR state = $4)",
    newest first by "at DESC, id DESC"
);

const DECISION: &str = "SELECT row_to_json(decisions)::text FROM decisions WHERE id = $1::uuid";

const DECISIONS: &str = list!("row_to_json(decisions)", "decisions", newest first by "id DESC");

const DECISIONS_FILTERED: &str = list!(
    "row_to_json(decisions)",
    "decisions WHERE ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR approved = $5::boolean) \
     AND ($6 IS NULL OR reason = $6)",
    newest first by "id DESC"
);

const DECISIONS_OF_ACCOUNT: &str = of_account!("decisions", "decision IS NOT NULL");

const DECISIONS_OF_ACCOUNT_FILTERED: &str = of_account!(
    "decisions",
    "decision IS NOT NULL",
    filtered by "($4 IS NULL OR kind = $4) AND ($5 IS NULL OR approved = $5::boolean) AND ($6 IS NULL OR reason = $6)"
);

const CHANGES: &str = list!("row_to_json(account_changes)", "account_changes", newest first by "id DESC");

const CHANGES_OF_ACCOUNT: &str =
    list!("row_to_json(account_changes)", "account_changes WHERE account = $3", newest first by "id DESC");

const ENROLMENT: &str = "SELECT row_to_json(enrolments)::text FROM enrolments WHERE token_hash = $1";

pub(super) const RULES_TEXT: &str = "SELECT text FROM rule_sets WHERE version = $1";

const LATEST_BATCH: &str = "SELECT max(committed_at) FROM batches";

const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// What is asked about one account, which must not take longer the more there is of others. Of records without filters, all
/// parts are read in order, as far as the page reaches.
#[cfg(test)]
pub(super) const PAGES_OF_RECORDS: [&str; 3] = [STATEMENT, AUTHORIZATIONS_OF_ACCOUNT, DECISIONS_OF_ACCOUNT];

/// All of the account's records are looked through, and what is found is sorted.
#[cfg(test)]
pub(super) const FILTERED_RECORDS: [&str; 4] = [
    AUTHORIZATIONS_OF_ACCOUNT_FILTERED,
    CREDITS_OF_ACCOUNT,
    CREDITS_OF_ACCOUNT_FILTERED,
    DECISIONS_OF_ACCOUNT_FILTERED,
];

#[cfg(test)]
pub(super) const LISTS_IN_THE_ORDER_OF_AN_INDEX: [&str; 4] =
    [OPEN_AUTHORIZATIONS_OF_AMOUNT, REVERSALS_OF_ACCOUNT, AMBIGUOUS_CREDITS_OF_ACCOUNT, CHANGES_OF_ACCOUNT];

#[async_trait]
impl Reads for PostgresStore {
    async fn takes_writes(&self) -> Result<(), StoreError> {
        self.probe.takes_writes().await
    }

    async fn latest_batch_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let latest: Option<i64> = self.read_one(query_scalar(LATEST_BATCH)).await?;
        Ok(latest.map(Timestamp))
    }

    async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.read_one(query_scalar(CLOCK)).await?;
        Ok(Some(Timestamp(now)))
    }

    async fn account(&self, id: &AccountId) -> Result<Option<(Account, Person)>, StoreError> {
        self.find(ACCOUNT, id).await
    }

    async fn accounts(&self, filter: &AccountFilter, page: Page) -> Result<Listed<Account>, StoreError> {
        let filters = [text(filter.status), text(filter.currency), text(filter.tier.as_ref())];
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
        let filters =
            [text(filter.account.as_ref()), kind, text(filter.approved), text(filter.reason.map(Reason::as_str))];
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
        Ok(self.read(query_scalar(RULES_TEXT).bind(version.to_owned())).await?.pop())
    }

    async fn audit(&self) -> Result<Vec<AuditCheck>, StoreError> {
        super::audit::audit(self).await
    }
}

impl PostgresStore {
    /// All that one statement finds, in a transaction of its own, for as long as the host lives. Every short read comes
    /// this way.
    pub(super) async fn read<T>(&self, query: QueryScalar<'_, Postgres, T, PgArguments>) -> Result<Vec<T>, StoreError>
    where
        T: Send + Unpin,
        (T,): for<'r> FromRow<'r, PgRow>,
    {
        let mut reader = self.readers.begin(transaction::READ).await?;
        let found = query.fetch_all(&mut *reader);
        self.readers.watch(async { found.await.map_err(store_error) }).await
    }

    /// The same of a statement that always finds one row.
    async fn read_one<T>(&self, query: QueryScalar<'_, Postgres, T, PgArguments>) -> Result<T, StoreError>
    where
        T: Send + Unpin,
        (T,): for<'r> FromRow<'r, PgRow>,
    {
        self.read(query).await?.pop().ok_or_else(|| store_error(sqlx::Error::RowNotFound))
    }

    /// The one row that `query` names by `key`.
    async fn find<T: DeserializeOwned>(
        &self,
        query: &'static str,
        key: impl ToString,
    ) -> Result<Option<T>, StoreError> {
        let found: Vec<String> = self.read(query_scalar(query).bind(bindable(&key))).await?;
        found.first().map(|row| parse(row)).transpose()
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
        let rows: String = self.read_one(bound).await?;
        parse(&rows)
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| bindable(&value))
}

fn bindable(value: &impl ToString) -> String {
    value.to_string().replace('\0', STAND_IN_FOR_NUL)
}
