//! One account of a seed file. Seeding the same twice changes nothing; a contradiction is told, never mended.

use super::command::SeedAccount;
use super::create_account::{find_persons, open};
use super::outcome::SeedAnswer;
use super::posting::{self, Movement};
use super::{Context, Missing, Request, State};
use crate::domain::{Account, AccountChange, Book, EntryKind, Status};

pub fn seed(context: &Context, state: &mut State, request: &Request, row: &SeedAccount) -> Result<SeedAnswer, Missing> {
    if let Some(stored) = state.account(&row.id)? {
        return compare(state, row, &stored);
    }
    let holder = match find_persons(state, &row.account.person, &row.account.documents)? {
        Ok(holders) => holders.into_iter().next(),
        Err(contradiction) => return Ok(SeedAnswer::Contradicts(contradiction.to_owned())),
    };
    let mut account = open(context, state, request, &row.account, holder)?;
    account.status = row.status.unwrap_or(Status::Active);
    account.opening_balance = row.opening_balance.unwrap_or(0);
    state.put_account(account.clone());
    if account.opening_balance > 0 {
        let lines = [(Book::Opening, -account.opening_balance), (Book::Available, account.opening_balance)];
        let movement =
            Movement { id: request.id, kind: EntryKind::Opening, credit: None, at: request.received_at, lines: &lines };
        if posting::post(state, &account, movement).is_none() {
            return Ok(SeedAnswer::Contradicts("OpeningBalance is more than the ledger holds".to_owned()));
        }
    }
    state.add_account_change(AccountChange {
        id: request.id,
        account: row.id.clone(),
        at: request.received_at,
        who: "seed".to_owned(),
        action: "seed".to_owned(),
        why: "seed file".to_owned(),
        target: None,
        change: format!("opened {} {}", account.status, account.currency),
        case_number: None,
        review_date: None,
    });
    Ok(SeedAnswer::Created)
}

/// What the file names must be what is stored; what it leaves out may have changed since.
fn compare(state: &mut State, row: &SeedAccount, stored: &Account) -> Result<SeedAnswer, Missing> {
    let holder = state.person(stored.person)?;
    let same_holder = holder.is_some_and(|holder| {
        holder.data == row.account.person || holder.is_same(&row.account.person, &row.account.documents)
    });
    let differs = |asked: Option<&String>, stored: &String| asked.is_some_and(|asked| asked != stored);
    let contradiction = if stored.currency != row.account.currency {
        Some("Currency")
    } else if row.status.is_some_and(|status| status != stored.status) {
        Some("Status")
    } else if differs(row.account.tier.as_ref(), &stored.tier) {
        Some("Tier")
    } else if differs(row.account.display_name.as_ref(), &stored.display_name) {
        Some("DisplayName")
    } else if row.opening_balance.is_some_and(|opening| opening != stored.opening_balance) {
        Some("OpeningBalance")
    } else if !same_holder {
        Some("PersonalData")
    } else {
        None
    };
    Ok(match contradiction {
        Some(field) => SeedAnswer::Contradicts(format!("{field} is not what is stored")),
        None => SeedAnswer::Unchanged,
    })
}
