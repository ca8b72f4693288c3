//! One account of a seed file. Seeding the same twice changes nothing; a contradiction is told, never mended.

use compact_str::CompactString;

use super::command::SeedAccount;
use super::create_account::{find_persons, open};
use super::outcome::SeedAnswer;
use super::posting::{self, Movement};
use super::{Context, Missing, Request, State};
use crate::domain::person::directory_keys;
use crate::domain::{Account, AccountChange, Book, EntryKind, Status};

pub fn seed(context: &Context, state: &mut State, request: &Request, row: &SeedAccount) -> Result<SeedAnswer, Missing> {
    if let Some(stored) = state.account(&row.id)? {
        return compare(state, row, &stored);
    }
    let holder = match find_persons(state, &row.account.person, &row.account.documents)? {
        Ok(holders) => holders.into_iter().next(),
        Err(contradiction) => return Ok(SeedAnswer::Contradicts(contradiction.to_owned())),
    };
    let opening = row.opening_balance.unwrap_or(0);
    if row.status == Some(Status::Closed) && opening > 0 {
        return Ok(SeedAnswer::Contradicts("a closed account holds no OpeningBalance".to_owned()));
    }
    // A person's further account may bring new contacts and documents; whatever else it says must be what is known.
    if holder.as_ref().is_some_and(|holder| !holder.agrees_with(&row.account.person)) {
        return Ok(contradiction("PersonalData"));
    }
    let mut account = open(context, state, request, &row.account, holder)?;
    account.status = row.status.unwrap_or(Status::Active);
    account.opening_balance = opening;
    state.put_account(account.clone());
    if opening > 0 {
        let lines = [(Book::Opening, -opening), (Book::Available, opening)];
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
    let same_holder = state.person(stored.person)?.is_some_and(|holder| {
        holder.agrees_with(&row.account.person)
            && directory_keys(&row.account.person, &row.account.documents).is_subset(&holder.keys)
    });
    let differs = |asked: Option<&CompactString>, stored: &CompactString| asked.is_some_and(|asked| asked != stored);
    let differing = if stored.currency != row.account.currency {
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
    Ok(differing.map_or(SeedAnswer::Unchanged, contradiction))
}

fn contradiction(field: &str) -> SeedAnswer {
    SeedAnswer::Contradicts(format!("{field} is not what is stored"))
}
