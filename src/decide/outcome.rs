//! What the core answers. An outcome is durable before anybody hears of it.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::command::EdgeAnswer;
use crate::domain::{Account, AccountId, AmbiguousCredit, Authorization, Credit, Money, Reason, TrackingId};

/// The answer to one command; kept with an `Idempotency-Key` so that a retry gets the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Authorization(AuthorizationAnswer),
    Credit(CreditAnswer),
    Reversal(ReversalAnswer),
    Account(AccountAnswer),
    Enrolment(EnrolmentAnswer),
    Operation(OperationAnswer),
    Seeded(SeedAnswer),
    /// What was due is given back.
    Swept {
        released: usize,
    },
    Edge(EdgeAnswer),
    /// The `Idempotency-Key` was used with other bytes; nothing was written.
    KeyReused,
}

/// TxAuthorization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationAnswer {
    pub tracking: TrackingId,
    pub authorized: bool,
    /// As sent, or as found; `None`: no account was found, and Leap may create one.
    pub account: Option<AccountId>,
    pub display_name: CompactString,
    pub reason: Option<Reason>,
}

/// CreditFunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditAnswer {
    pub tracking: TrackingId,
    pub success: bool,
    pub reason: Option<Reason>,
    /// Where it failed: why, in words.
    pub description: Option<String>,
}

/// ReverseCreditFunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReversalAnswer {
    pub tracking: TrackingId,
    pub success: bool,
    /// `NonReverseReason` is `NotSupported`.
    pub not_supported: bool,
    pub description: String,
}

/// CreateAccount, and the enrolment page's confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountAnswer {
    pub success: bool,
    pub account: Option<AccountId>,
    pub display_name: Option<CompactString>,
    pub description: String,
}

/// GetCreateAccountUrl. The link's token is derived from `tracking` at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolmentAnswer {
    pub tracking: TrackingId,
    pub success: bool,
    pub description: String,
}

/// An operator's command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationAnswer {
    /// A new account.
    Opened(Account),
    /// The account after a change of status or tier.
    Changed(Account),
    Debited {
        entry: TrackingId,
        money: Money,
        account: Account,
    },
    Voided(Authorization),
    Settled(Credit),
    Credited {
        ambiguous: AmbiguousCredit,
        credit: Credit,
    },
    Refused(Refusal),
}

/// Why an operator's command was not carried out. The text is for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    NotFound(String),
    /// The state forbids it.
    Conflict(String),
    Invalid(String),
}

/// One row of a seed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedAnswer {
    Created,
    /// Already there, and equal.
    Unchanged,
    /// Contradicts what is stored; the text says how.
    Contradicts(String),
}
