//! What people, status queries and audits read. None of it passes through the queue.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousCredit, AmbiguousState, Authorization, AuthorizationState, Book,
    Credit, CreditState, Currency, Decision, DecisionKind, Enrolment, EntryKind, Person, Reason, Reversal, Status,
    Timestamp, TrackingId,
};

/// A part of a list: at most `limit` items after the first `offset`. Lists are newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// 1 to 100.
    pub limit: i64,
    pub offset: i64,
}

/// Items of one page and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub total: i64,
}

#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    pub status: Option<Status>,
    pub currency: Option<Currency>,
    pub tier: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct AuthorizationFilter {
    pub account: Option<AccountId>,
    pub state: Option<AuthorizationState>,
    /// Minor units.
    pub amount: Option<i64>,
    pub currency: Option<Currency>,
}

#[derive(Debug, Clone, Default)]
pub struct CreditFilter {
    pub account: Option<AccountId>,
    pub state: Option<CreditState>,
}

#[derive(Debug, Clone, Default)]
pub struct ReversalFilter {
    pub account: Option<AccountId>,
}

#[derive(Debug, Clone, Default)]
pub struct AmbiguousFilter {
    pub account: Option<AccountId>,
    pub state: Option<AmbiguousState>,
}

#[derive(Debug, Clone, Default)]
pub struct DecisionFilter {
    pub account: Option<AccountId>,
    pub kind: Option<DecisionKind>,
    pub approved: Option<bool>,
    pub reason: Option<Reason>,
}

#[derive(Debug, Clone, Default)]
pub struct ChangeFilter {
    pub account: Option<AccountId>,
}

/// One posting to one of an account's own books, with the entry it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatementLine {
    pub entry: TrackingId,
    pub kind: EntryKind,
    pub credit: Option<TrackingId>,
    pub at: Timestamp,
    pub book: Book,
    pub currency: Currency,
    /// Minor units; into the book where positive.
    pub amount: i64,
}

/// One check of an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheck {
    /// What must hold, as a sentence.
    pub claim: &'static str,
    /// How many rows it was checked on.
    pub checked: i64,
    /// The rows that break it (at most 100), each as a sentence.
    pub offenders: Vec<String>,
}

impl AuditCheck {
    pub fn holds(&self) -> bool {
        self.offenders.is_empty()
    }
}

/// Read paths.
#[async_trait]
pub trait Reads: Send + Sync + 'static {
    /// Proves that the store takes a write now; the error says why it does not.
    async fn takes_writes(&self) -> Result<(), StoreError>;
    /// When the latest batch was committed, by the clock of the server that wrote it.
    async fn latest_batch_at(&self) -> Result<Option<Timestamp>, StoreError>;
    /// What the store's own clock shows; `None` where it has none but this machine's.
    async fn clock(&self) -> Result<Option<Timestamp>, StoreError>;

    async fn account(&self, id: &AccountId) -> Result<Option<(Account, Person)>, StoreError>;
    async fn accounts(&self, filter: &AccountFilter, page: Page) -> Result<Listed<Account>, StoreError>;
    async fn statement(&self, account: &AccountId, page: Page) -> Result<Listed<StatementLine>, StoreError>;
    async fn authorization(&self, id: TrackingId) -> Result<Option<Authorization>, StoreError>;
    async fn authorizations(
        &self,
        filter: &AuthorizationFilter,
        page: Page,
    ) -> Result<Listed<Authorization>, StoreError>;
    async fn credit(&self, id: TrackingId) -> Result<Option<Credit>, StoreError>;
    async fn credits(&self, filter: &CreditFilter, page: Page) -> Result<Listed<Credit>, StoreError>;
    async fn reversals(&self, filter: &ReversalFilter, page: Page) -> Result<Listed<Reversal>, StoreError>;
    async fn ambiguous_credits(
        &self,
        filter: &AmbiguousFilter,
        page: Page,
    ) -> Result<Listed<AmbiguousCredit>, StoreError>;
    async fn decision(&self, id: TrackingId) -> Result<Option<Decision>, StoreError>;
    async fn decisions(&self, filter: &DecisionFilter, page: Page) -> Result<Listed<Decision>, StoreError>;
    async fn changes(&self, filter: &ChangeFilter, page: Page) -> Result<Listed<AccountChange>, StoreError>;
    async fn enrolment(&self, token_hash: &str) -> Result<Option<Enrolment>, StoreError>;
    /// The text of a rule set that has judged something.
    async fn rules_text(&self, version: &str) -> Result<Option<String>, StoreError>;

    /// Recounts the books (design, decision 12); one check per claim, in the order they are printed.
    async fn audit(&self) -> Result<Vec<AuditCheck>, StoreError>;
}
