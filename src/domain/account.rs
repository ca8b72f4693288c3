//! External Account Objects and what was done to them.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::currency::{Currency, Money};
use super::ids::{AccountId, PersonId, TrackingId};
use super::reason::Reason;
use super::time::Timestamp;

/// Whether an account takes money, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    Active,
    /// By the partner's own decision.
    Blocked,
    BlockedByLaw,
    BlockedByGovernment,
    Closed,
}

impl Status {
    pub const ALL: [Self; 5] =
        [Self::Active, Self::Blocked, Self::BlockedByLaw, Self::BlockedByGovernment, Self::Closed];

    /// The refusal that this state causes (decision 3); `None` where money may come in.
    pub fn refusal(self) -> Option<Reason> {
        match self {
            Self::Active => None,
            Self::Blocked => Some(Reason::AccountBlocked),
            Self::BlockedByLaw => Some(Reason::AccountBlockedByLaw),
            Self::BlockedByGovernment => Some(Reason::AccountBlockedByGovernment),
            Self::Closed => Some(Reason::InvalidAccount),
        }
    }

    /// Blocked by somebody other than the partner: such an account is not debited (decision 9).
    pub fn is_frozen_by_others(self) -> bool {
        matches!(self, Self::BlockedByLaw | Self::BlockedByGovernment)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Blocked => "Blocked",
            Self::BlockedByLaw => "BlockedByLaw",
            Self::BlockedByGovernment => "BlockedByGovernment",
            Self::Closed => "Closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An External Account Object as it now stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub person: PersonId,
    pub currency: Currency,
    pub status: Status,
    pub tier: CompactString,
    /// At most ten of `[A-Za-z0-9-]` (contract.md, TxAuthorization).
    pub display_name: CompactString,
    pub created_at: Timestamp,
    /// What the holder can spend, minor units: always the sum of the account's available postings.
    pub balance: i64,
    /// Credited and not yet settled, minor units (`settlement = "confirmed"`).
    pub pending: i64,
    /// Owed to the partner after reversals of spent money, minor units (`on_shortfall = "receivable"`).
    pub receivable: i64,
    /// What it was opened with, minor units.
    pub opening_balance: i64,
}

impl Account {
    pub fn balance(&self) -> Money {
        Money::new(self.balance, self.currency)
    }
}

/// The tier of an account that names none.
pub const DEFAULT_TIER: &str = "standard";

/// The longest name of a tier, in characters: it stands in rules files and tables.
pub const LONGEST_TIER: usize = 64;

/// The longest reason and case number of an operator, in characters: a sentence or two.
pub const LONGEST_NOTE: usize = 500;

/// Whether `text` may be shown as a `DisplayName`: 1 to 10 of `[A-Za-z0-9-]`.
pub fn is_display_name(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// One line of the operators' journal: who did what to which record, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountChange {
    pub id: TrackingId,
    pub account: AccountId,
    pub at: Timestamp,
    pub who: String,
    /// What was done, as `block` or `void`.
    pub action: String,
    pub why: String,
    /// The authorization, credit or ambiguous call that was acted on, where it was not the account itself.
    pub target: Option<TrackingId>,
    /// What changed, as `Active -> BlockedByLaw`.
    pub change: String,
    /// The court's or authority's number of the case.
    pub case_number: Option<String>,
    /// When the block is to be looked at again, `YYYY-MM-DD`.
    pub review_date: Option<String>,
}
