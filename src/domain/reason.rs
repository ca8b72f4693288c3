//! Why an authorization or a credit was refused, in the contract's spelling.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `NonAuthorizedReason` and `NonCreditReason` (contract.md, TxAuthorization and CreditFunds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    AccountBlocked,
    AccountBlockedByLaw,
    AccountBlockedByGovernment,
    ByVelocity,
    ByAmountLimit,
    ByAccumulateAmountLimit,
    None,
    InvalidAccount,
    InvalidParameter,
    InvalidCurrency,
    InvalidSenderData,
    InvalidDestinationData,
    InvalidExchangeRate,
    NonMatchingCurrencyAccount,
    InvalidAmount,
    NotPreviouslyValidated,
    InvalidReferenceId,
}

impl Reason {
    pub const ALL: [Self; 17] = [
        Self::AccountBlocked,
        Self::AccountBlockedByLaw,
        Self::AccountBlockedByGovernment,
        Self::ByVelocity,
        Self::ByAmountLimit,
        Self::ByAccumulateAmountLimit,
        Self::None,
        Self::InvalidAccount,
        Self::InvalidParameter,
        Self::InvalidCurrency,
        Self::InvalidSenderData,
        Self::InvalidDestinationData,
        Self::InvalidExchangeRate,
        Self::NonMatchingCurrencyAccount,
        Self::InvalidAmount,
        Self::NotPreviouslyValidated,
        Self::InvalidReferenceId,
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// Whether version 1.0 of the contract already knew it (decision 15: others are left out for such a caller).
    pub fn known_to_v1(self) -> bool {
        use Reason::*;
        matches!(
            self,
            AccountBlocked
                | AccountBlockedByLaw
                | AccountBlockedByGovernment
                | ByVelocity
                | ByAmountLimit
                | ByAccumulateAmountLimit
        )
    }

    /// The contract's spelling.
    pub fn as_str(self) -> &'static str {
        use Reason::*;
        match self {
            AccountBlocked => "AccountBlocked",
            AccountBlockedByLaw => "AccountBlockedByLaw",
            AccountBlockedByGovernment => "AccountBlockedByGovernment",
            ByVelocity => "ByVelocity",
            ByAmountLimit => "ByAmountLimit",
            ByAccumulateAmountLimit => "ByAccumulateAmountLimit",
            None => "None",
            InvalidAccount => "InvalidAccount",
            InvalidParameter => "InvalidParameter",
            InvalidCurrency => "InvalidCurrency",
            InvalidSenderData => "InvalidSenderData",
            InvalidDestinationData => "InvalidDestinationData",
            InvalidExchangeRate => "InvalidExchangeRate",
            NonMatchingCurrencyAccount => "NonMatchingCurrencyAccount",
            InvalidAmount => "InvalidAmount",
            NotPreviouslyValidated => "NotPreviouslyValidated",
            InvalidReferenceId => "InvalidReferenceId",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
