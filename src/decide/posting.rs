//! Moving money: one entry, postings that sum to zero, and the account's books kept equal to them (decision 12).

use super::State;
use crate::domain::{Account, Book, Entry, EntryKind, Posting, Timestamp, TrackingId};

/// One movement of an account's money.
#[derive(Debug, Clone, Copy)]
pub struct Movement<'a> {
    pub id: TrackingId,
    pub kind: EntryKind,
    pub credit: Option<TrackingId>,
    pub at: Timestamp,
    /// Into a book where positive, minor units; they sum to zero.
    pub lines: &'a [(Book, i64)],
}

/// Posts a movement and returns the account as it then stands; `None`, and nothing posted, where a book would overflow.
pub fn post(state: &mut State, account: &Account, movement: Movement<'_>) -> Option<Account> {
    let mut account = account.clone();
    for (book, amount) in movement.lines {
        let balance = match book {
            Book::Available => &mut account.balance,
            Book::Pending => &mut account.pending,
            Book::Receivable => &mut account.receivable,
            Book::Clearing | Book::Payouts | Book::Opening => continue,
        };
        *balance = balance.checked_add(*amount)?;
    }
    // What is pending becomes available later: both together must fit.
    account.balance.checked_add(account.pending)?;
    debug_assert_eq!(movement.lines.iter().map(|(_, amount)| i128::from(*amount)).sum::<i128>(), 0);
    let entry = Entry {
        id: movement.id,
        account: account.id.clone(),
        kind: movement.kind,
        credit: movement.credit,
        currency: account.currency,
        at: movement.at,
    };
    let postings = movement.lines.iter().filter(|(_, amount)| *amount != 0).map(|(book, amount)| Posting {
        entry: movement.id,
        account: account.id.clone(),
        book: *book,
        currency: account.currency,
        amount: *amount,
    });
    state.add_entry(entry, postings.collect());
    state.put_account(account.clone());
    Some(account)
}
