//! CreateAccount: idempotent by person and currency (decision 11), and how any account is opened.

use compact_str::format_compact;

use super::command::{CreateAccountCall, NewAccount};
use super::fields::{self, WrongField};
use super::outcome::AccountAnswer;
use super::{Context, Missing, Request, State};
use crate::domain::account::DEFAULT_TIER;
use crate::domain::person::directory_keys;
use crate::domain::{Account, AccountId, Currency, Document, Person, PersonId, PersonalData, Reason, Status};

pub fn create_account(
    context: &Context,
    state: &mut State,
    request: &Request,
    call: &CreateAccountCall,
) -> Result<AccountAnswer, Missing> {
    if !context.policy.account_creation.allows_dynamic() {
        return Ok(refused("this partner does not open accounts by CreateAccount"));
    }
    match check_fields(context, call) {
        Ok((person, currency)) => {
            let documents = call.documents.given().map(Vec::as_slice).unwrap_or_default();
            find_or_open(context, state, request, person, documents, currency)
        }
        Err(wrong) => Ok(refused(&wrong.note)),
    }
}

pub fn refused(description: &str) -> AccountAnswer {
    AccountAnswer { success: false, account: None, display_name: None, description: description.to_owned() }
}

/// Decision 2's order.
fn check_fields<'a>(
    context: &Context,
    call: &'a CreateAccountCall,
) -> Result<(&'a PersonalData, Currency), WrongField> {
    fields::amount(&call.amount, call.currency.given().copied())?;
    let Some(currency) = fields::currency(&call.currency, &context.policy)? else {
        return Err(WrongField::new(Reason::InvalidCurrency, "Currency is missing"));
    };
    if fields::exchange_rate(&call.exchange_rate)?.is_none() {
        return Err(WrongField::new(Reason::InvalidExchangeRate, "ExchangeRate is missing"));
    }
    let person = fields::required(&call.person, "PersonalData", Reason::InvalidDestinationData)?;
    fields::optional(&call.documents, Reason::InvalidParameter)?;
    Ok((person, currency))
}

/// The person's oldest account in that currency that is not closed, blocked ones too: a block is never escaped by a new
/// account. Else a new one.
pub fn find_or_open(
    context: &Context,
    state: &mut State,
    request: &Request,
    person: &PersonalData,
    documents: &[Document],
    currency: Currency,
) -> Result<AccountAnswer, Missing> {
    let holders = match find_persons(state, person, documents)? {
        Ok(holders) => holders,
        Err(contradiction) => return Ok(refused(contradiction)),
    };
    if let Some(account) = oldest_open_account(state, &holders, currency)? {
        let holder = holders.into_iter().find(|holder| holder.id == account.person);
        add_keys(state, holder, person, documents);
        return Ok(answer(&account, "the person has an account already"));
    }
    let account = NewAccount {
        id: None,
        currency,
        tier: None,
        display_name: None,
        person: person.clone(),
        documents: documents.to_vec(),
    };
    let opened = open(context, state, request, &account, holders.into_iter().next())?;
    Ok(answer(&opened, "the account is open"))
}

fn answer(account: &Account, description: &str) -> AccountAnswer {
    AccountAnswer {
        success: true,
        account: Some(account.id.clone()),
        display_name: Some(account.display_name.clone()),
        description: description.to_owned(),
    }
}

/// The oldest of all accounts of `holders` in `currency` that are not closed.
pub fn oldest_open_account(
    state: &mut State,
    holders: &[Person],
    currency: Currency,
) -> Result<Option<Account>, Missing> {
    let mut accounts = Vec::new();
    for holder in holders {
        accounts.extend(state.accounts_of(holder.id)?);
    }
    accounts.retain(|account| account.currency == currency && account.status != Status::Closed);
    Ok(accounts.into_iter().min_by_key(|account| (account.created_at, account.id.clone())))
}

/// Everybody who this is (decision 4), the first to arrive first: who came once with a phone and once with a document
/// alone was taken for two. The inner error where a personal number is known under another birth date.
pub fn find_persons(
    state: &mut State,
    person: &PersonalData,
    documents: &[Document],
) -> Result<Result<Vec<Person>, &'static str>, Missing> {
    let keys = directory_keys(person, documents);
    let locked = state.lock_directory(&keys);
    let found = state.persons_found_by(&keys)?;
    locked?;
    if found.iter().any(|other| other.contradicts(person, documents)) {
        return Ok(Err("a document's number is known under another birth date"));
    }
    let same: Vec<Person> = found.into_iter().filter(|other| other.is_same(person, documents)).collect();
    // Two calls may name one person by different keys.
    state.lock_directory(same.iter().flat_map(|known| &known.keys))?;
    Ok(Ok(same))
}

/// What later calls say of a known person is what they are found by from then on, too.
fn add_keys(state: &mut State, holder: Option<Person>, person: &PersonalData, documents: &[Document]) {
    if let Some(mut holder) = holder {
        let keys = directory_keys(person, documents);
        if keys.is_subset(&holder.keys) {
            return;
        }
        let known: Vec<String> = holder.documents.iter().map(Document::key).collect();
        holder.documents.extend(documents.iter().filter(|document| !known.contains(&document.key())).cloned());
        holder.keys.extend(keys);
        state.put_person(holder);
    }
}

/// Opens an account for `holder`, or for a new person where there is none. An identifier that is given is free.
pub fn open(
    context: &Context,
    state: &mut State,
    request: &Request,
    new: &NewAccount,
    holder: Option<Person>,
) -> Result<Account, Missing> {
    let id = match &new.id {
        Some(id) => id.clone(),
        None => free_identifier(state, request.random)?,
    };
    let person = match &holder {
        Some(holder) => holder.id,
        None => PersonId(request.id.0),
    };
    if holder.is_none() {
        state.put_person(Person::new(person, new.person.clone(), new.documents.clone()));
    }
    add_keys(state, holder, &new.person, &new.documents);
    let display_name =
        new.display_name.clone().unwrap_or_else(|| format_compact!("{}-{}", context.display_prefix, id.last_four()));
    let account = Account {
        id,
        person,
        currency: new.currency,
        status: Status::Active,
        tier: new.tier.clone().unwrap_or_else(|| DEFAULT_TIER.into()),
        display_name,
        created_at: request.received_at,
        balance: 0,
        pending: 0,
        receivable: 0,
        opening_balance: 0,
    };
    state.put_account(account.clone());
    Ok(account)
}

fn free_identifier(state: &mut State, random: u64) -> Result<AccountId, Missing> {
    let mut number = random;
    loop {
        let id = AccountId::from_random(number);
        if state.account(&id)?.is_none() {
            return Ok(id);
        }
        number = number.wrapping_add(1);
    }
}
