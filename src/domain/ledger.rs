//! Double entry: postings are only ever added, and every entry's postings sum to zero (decision 12).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::ids::{AccountId, TrackingId};
use super::time::Timestamp;

/// Where money stands. The account-side books belong to one External Account Object; the others are per currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Book {
    /// `account:<id>`: what the holder can spend.
    Available,
    /// `pending:<id>`: credited, not settled.
    Pending,
    /// `receivable:<id>`: owed by the holder after a reversal of spent money.
    Receivable,
    /// `leap:clearing:<CUR>`: what Leap moved.
    Clearing,
    /// `partner:payouts:<CUR>`: what left the wallets.
    Payouts,
    /// `partner:opening:<CUR>`: balances that accounts were opened with.
    Opening,
}

impl Book {
    pub const ALL: [Self; 6] =
        [Self::Available, Self::Pending, Self::Receivable, Self::Clearing, Self::Payouts, Self::Opening];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Pending => "Pending",
            Self::Receivable => "Receivable",
            Self::Clearing => "Clearing",
            Self::Payouts => "Payouts",
            Self::Opening => "Opening",
        }
    }

    /// The full name of the ledger account that this book is for one posting.
    pub fn name(self, account: &AccountId, currency: Currency) -> String {
        match self {
            Self::Available => format!("account:{account}"),
            Self::Pending => format!("pending:{account}"),
            Self::Receivable => format!("receivable:{account}"),
            Self::Clearing => format!("leap:clearing:{currency}"),
            Self::Payouts => format!("partner:payouts:{currency}"),
            Self::Opening => format!("partner:opening:{currency}"),
        }
    }
}

/// What an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EntryKind {
    Opening,
    Credit,
    Settlement,
    SettlementFailure,
    Reversal,
    Debit,
}

impl EntryKind {
    pub const ALL: [Self; 6] =
        [Self::Opening, Self::Credit, Self::Settlement, Self::SettlementFailure, Self::Reversal, Self::Debit];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "Opening",
            Self::Credit => "Credit",
            Self::Settlement => "Settlement",
            Self::SettlementFailure => "SettlementFailure",
            Self::Reversal => "Reversal",
            Self::Debit => "Debit",
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One movement, with the External Account Object it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: TrackingId,
    pub account: AccountId,
    pub kind: EntryKind,
    /// The credit that it is about; `None` for openings and debits.
    pub credit: Option<TrackingId>,
    pub currency: Currency,
    pub at: Timestamp,
}

/// One side of an entry: into a book where positive, out of it where negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    pub entry: TrackingId,
    pub account: AccountId,
    pub book: Book,
    pub currency: Currency,
    /// Minor units.
    pub amount: i64,
}
