//! Credits, their reversals, and the calls that only an operator can tell apart.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::currency::{Currency, Money};
use super::ids::{AccountId, TrackingId};
use super::reason::Reason;
use super::subject::EventRef;
use super::time::Timestamp;

/// Where a credit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CreditState {
    /// In the account's pending book until the partner's core settles it.
    InProgress,
    Approved,
    Reversed,
    SettlementFailed,
    /// Refused for good: no money moved, and a retry is refused the same way (decision 7).
    Refused,
}

impl CreditState {
    pub const ALL: [Self; 5] =
        [Self::InProgress, Self::Approved, Self::Reversed, Self::SettlementFailed, Self::Refused];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Approved => "Approved",
            Self::Reversed => "Reversed",
            Self::SettlementFailed => "SettlementFailed",
            Self::Refused => "Refused",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Money was credited and has not been taken back.
    pub fn is_standing(self) -> bool {
        matches!(self, Self::InProgress | Self::Approved)
    }
}

/// How a credit came after its authorization's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lateness {
    /// The rules were run again and passed.
    Rechecked,
    /// Let in without a check (`late_credit = "accept"`); it counts, and may exceed a limit.
    Accepted,
}

impl Lateness {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rechecked => "Rechecked",
            Self::Accepted => "Accepted",
        }
    }
}

/// One CreditFunds that moved money, or was refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credit {
    pub id: TrackingId,
    pub account: AccountId,
    /// The authorization that it used up.
    pub authorization: TrackingId,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    /// As sent with the credit; `None` where it was not sent.
    pub exchange_rate: Option<Decimal>,
    pub at: Timestamp,
    pub state: CreditState,
    /// Whether the call named an AuthTrackingIdentifier.
    pub referenced: bool,
    pub late: Option<Lateness>,
    /// Why it was refused.
    pub reason: Option<Reason>,
    /// The same in words: a retry hears what the first call heard.
    pub note: Option<String>,
    /// The reversal that undid it.
    pub reversal: Option<TrackingId>,
    /// The `Idempotency-Key` it was asked with: two different ones are never a retry (decision 8).
    pub idempotency_key: Option<String>,
    /// A late credit's own count, at its own time; otherwise the authorization's count stands.
    pub counted: Vec<EventRef>,
}

impl Credit {
    pub fn money(&self) -> Money {
        Money::new(self.amount, self.currency)
    }
}

/// A total reversal of one credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    pub id: TrackingId,
    pub credit: TrackingId,
    pub account: AccountId,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub at: Timestamp,
}

/// Whether an operator has dealt with an [`AmbiguousCredit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AmbiguousState {
    Waiting,
    Credited,
}

impl AmbiguousState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Credited => "Credited",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Credited].into_iter().find(|state| state.as_str() == text)
    }
}

/// An unreferenced CreditFunds that may have been a retry or a second remittance (decision 8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmbiguousCredit {
    pub id: TrackingId,
    pub account: AccountId,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub exchange_rate: Option<Decimal>,
    pub at: Timestamp,
    /// The credit whose answer was given again; `None` where the call was refused.
    pub answered_with: Option<TrackingId>,
    pub state: AmbiguousState,
    /// The credit an operator made of it.
    pub credit: Option<TrackingId>,
}
