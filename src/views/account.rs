//! Accounts, their statements and the journal of what operators did to them.

use compact_str::CompactString;
use serde::Serialize;

use super::amount;
use crate::domain::{Account, AccountChange, Document, Money, Person, PersonalData, Status, TrackingId};
use crate::store::StatementLine;

/// An account without its holder's data.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    pub account_identifier: String,
    pub display_name: CompactString,
    pub status: Status,
    pub currency: String,
    pub tier: CompactString,
    /// What the holder can spend.
    pub balance: String,
    /// Credited, not settled.
    pub pending: String,
    /// What the holder owes after a reversal of spent money.
    pub receivable: String,
    pub created_at: String,
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        Self {
            account_identifier: account.id.to_string(),
            display_name: account.display_name.clone(),
            status: account.status,
            currency: account.currency.to_string(),
            tier: account.tier.clone(),
            balance: amount(account.balance, account.currency),
            pending: amount(account.pending, account.currency),
            // The book runs below zero: what it has paid out for the holder is what the holder owes.
            receivable: amount(account.receivable.saturating_neg(), account.currency),
            created_at: account.created_at.to_string(),
        }
    }
}

/// An account with its holder's personal data, in the contract's own spelling.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountDetail {
    #[serde(flatten)]
    pub account: AccountView,
    /// Names the holder over all of their accounts.
    pub person_identifier: String,
    pub personal_data: PersonalData,
    pub personal_documents: Vec<Document>,
}

impl AccountDetail {
    pub fn new(account: &Account, person: &Person) -> Self {
        Self {
            account: AccountView::from(account),
            person_identifier: person.id.to_string(),
            personal_data: person.data.clone(),
            personal_documents: person.documents.clone(),
        }
    }
}

/// Money that left the wallet, and the account as it then stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DebitView {
    pub entry: String,
    pub amount: String,
    pub currency: String,
    pub account: AccountView,
}

impl DebitView {
    pub fn new(entry: TrackingId, money: Money, account: &Account) -> Self {
        Self {
            entry: entry.to_string(),
            amount: money.decimal(),
            currency: money.currency.to_string(),
            account: AccountView::from(account),
        }
    }
}

/// One posting to one of an account's books.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementLineView {
    /// The entry it belongs to: also the TrackingIdentifier of what made it.
    pub entry: String,
    pub kind: String,
    pub at: String,
    /// `Available`, `Pending` or `Receivable`.
    pub book: String,
    /// Into the book where positive.
    pub amount: String,
    pub currency: String,
    pub credit_tracking_number: Option<String>,
}

impl From<&StatementLine> for StatementLineView {
    fn from(line: &StatementLine) -> Self {
        Self {
            entry: line.entry.to_string(),
            kind: line.kind.to_string(),
            at: line.at.to_string(),
            book: line.book.as_str().to_owned(),
            amount: amount(line.amount, line.currency),
            currency: line.currency.to_string(),
            credit_tracking_number: line.credit.map(|credit| credit.to_string()),
        }
    }
}

/// One line of the journal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeView {
    pub id: String,
    pub account_identifier: String,
    pub at: String,
    pub who: String,
    pub action: String,
    pub reason: String,
    /// The record that was acted on, where it was not the account itself.
    pub target: Option<String>,
    pub change: String,
    pub case_number: Option<String>,
    pub review_date: Option<String>,
}

impl From<&AccountChange> for ChangeView {
    fn from(change: &AccountChange) -> Self {
        Self {
            id: change.id.to_string(),
            account_identifier: change.account.to_string(),
            at: change.at.to_string(),
            who: change.who.clone(),
            action: change.action.clone(),
            reason: change.why.clone(),
            target: change.target.map(|target| target.to_string()),
            change: change.change.clone(),
            case_number: change.case_number.clone(),
            review_date: change.review_date.clone(),
        }
    }
}
