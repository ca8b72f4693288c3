//! What TxAuthorization leaves behind.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::currency::{Currency, Money};
use super::ids::{AccountId, TrackingId};
use super::person::SenderKey;
use super::subject::EventRef;
use super::time::Timestamp;

/// Where an authorization stands. Its state belongs to its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AuthorizationState {
    /// Approved, reserves its limits, may be credited.
    Open,
    /// Not used before its deadline; may still be credited late (`late_credit`).
    Expired,
    /// Taken back by an operator.
    Voided,
    /// Refused at once: only remembered, so that a credit naming it is told apart from an unknown one.
    Refused,
    /// Used by a credit, which alone says so.
    Credited,
    /// Its credit was refused for good (decision 7).
    CreditRefused,
}

impl AuthorizationState {
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Expired, Self::Voided, Self::Refused, Self::Credited, Self::CreditRefused];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::Expired => "Expired",
            Self::Voided => "Voided",
            Self::Refused => "Refused",
            Self::Credited => "Credited",
            Self::CreditRefused => "CreditRefused",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// What is kept with the authorization itself: that it was used up, its credit says.
    pub fn without_credit(self) -> Self {
        match self {
            Self::Credited | Self::CreditRefused => Self::Open,
            kept => kept,
        }
    }
}

/// One TxAuthorization, approved or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    pub id: TrackingId,
    /// `None` only where the call was refused because no account was found.
    pub account: Option<AccountId>,
    /// Minor units; 0 where it was refused for its amount.
    pub amount: i64,
    /// `None` only where it was refused and no currency could be told.
    pub currency: Option<Currency>,
    /// `None`: not sent, recorded as unknown (decision 5).
    pub exchange_rate: Option<Decimal>,
    pub at: Timestamp,
    pub expires_at: Timestamp,
    pub state: AuthorizationState,
    /// The sender as rules count them; `None` without sender data.
    pub sender: Option<SenderKey>,
    /// Where it is counted.
    pub counted: Vec<EventRef>,
    /// The credit, made or refused, that ended it.
    pub credit: Option<TrackingId>,
    /// The credit that a CreditFunds naming this authorization gets for ever (decision 8, mixed forms).
    pub bound_credit: Option<TrackingId>,
}

impl Authorization {
    pub fn money(&self) -> Option<Money> {
        self.currency.map(|currency| Money::new(self.amount, currency))
    }
}
