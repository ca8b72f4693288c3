//! The working set of one batch: what was loaded, with what the batch has changed so far laid over it.
//!
//! A command reads through [`State`]. What is not loaded yet is noted in [`Wanted`] and reported as [`Missing`]; the
//! caller then loads all that is wanted in bulk and decides the whole batch again from the start, which a pure core
//! allows. So no command has to know beforehand what it will need, and a guess ([`Wanted::for_requests`]) is only speed.
//!
//! Where several servers write one database, a command also names what it must have to itself ([`State::lock`]). Locks
//! are asked for as they become known; all that was read before is then read again, because others could write it.

mod counting;
mod locking;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use self::locking::Locks;
use super::changes::Changes;
use super::lock::Lock;
use super::wanted::{
    IdempotencyKey, IdempotencyRecord, Loaded, PrefixEnd, PrefixKey, UnreferencedKey, UnusedKey, Wanted,
};
use super::{Context, Recollection, Request};
use crate::domain::person::DirectoryKey;
use crate::domain::subject::{Earliest, Released};
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousCredit, Authorization, AuthorizationState, Credit, Decision, Enrolment,
    Entry, Event, EventRef, Person, PersonId, Posting, ReleaseKind, Reversal, SeriesKey, Subject, SubjectKey,
    SubjectKind, Timestamp, TrackingId,
};

/// Something that a command needs is not loaded yet; the state has noted what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing;

/// One event that this batch released or moved between kinds.
#[derive(Debug, Clone, Copy)]
struct Release {
    number: i64,
    amount: i64,
    from: Option<ReleaseKind>,
    to: ReleaseKind,
}

/// What this batch has changed so far, with the indexes that reading it needs.
#[derive(Debug, Default)]
struct Overlay {
    changes: Changes,
    releases: HashMap<SeriesKey, Vec<Release>>,
    authorizations_of: HashMap<AccountId, BTreeSet<TrackingId>>,
    credits_of: HashMap<AccountId, BTreeSet<TrackingId>>,
    /// Accounts and persons that this batch made, which no loaded list knows.
    opened_by: HashMap<PersonId, Vec<AccountId>>,
}

/// The working set.
#[derive(Debug, Default)]
pub struct State {
    /// The latest receive time of the batch: what is due later than this need not be loaded.
    horizon: Timestamp,
    known: Wanted,
    wanted: Wanted,
    locks: Locks,
    /// What the command that is being decided has dated itself.
    dated: BTreeSet<SubjectKey>,
    accounts: HashMap<AccountId, Account>,
    persons: HashMap<PersonId, Person>,
    found_by: HashMap<DirectoryKey, BTreeSet<PersonId>>,
    holdings: HashMap<PersonId, BTreeSet<AccountId>>,
    subjects: HashMap<SubjectKey, Subject>,
    events: HashMap<EventRef, Event>,
    /// Those of `events` that wait, or waited until they were used.
    with_deadline: HashMap<SubjectKey, BTreeSet<EventRef>>,
    due_later: HashMap<SeriesKey, Earliest>,
    prefixes: HashMap<PrefixKey, PrefixEnd>,
    released_after: HashMap<EventRef, Released>,
    authorizations: HashMap<TrackingId, Authorization>,
    unused_of: HashMap<AccountId, BTreeSet<TrackingId>>,
    credits: HashMap<TrackingId, Credit>,
    unreferenced_of: HashMap<AccountId, BTreeSet<TrackingId>>,
    ambiguous: HashMap<TrackingId, AmbiguousCredit>,
    enrolments: HashMap<String, Enrolment>,
    idempotency: HashMap<IdempotencyKey, IdempotencyRecord>,
    overlay: Overlay,
}

impl State {
    /// An empty working set, which wants what `requests` name outright.
    pub fn for_requests(context: &Context, requests: &[Request], recollection: &Recollection) -> Self {
        let horizon = requests.iter().map(|request| request.received_at).max().unwrap_or_default();
        Self { horizon, wanted: Wanted::for_requests(context, requests, recollection), ..Self::default() }
    }

    /// Whether accounts and what is of them, with the authorizations that are named, are likely to be all that is needed.
    pub fn is_of_accounts_alone(&self, context: &Context, requests: &[Request]) -> bool {
        self.wanted.is_of_accounts_alone(context, requests)
    }

    /// What is to be loaded next.
    pub fn take_wanted(&mut self) -> Wanted {
        std::mem::take(&mut self.wanted)
    }

    /// Whether the last pass asked for something in vain.
    pub fn wants_more(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Takes in what a store found for `wanted`.
    pub fn absorb(&mut self, wanted: Wanted, loaded: Loaded) {
        self.known.add(wanted);
        for account in loaded.accounts {
            self.holdings.entry(account.person).or_default().insert(account.id.clone());
            self.accounts.insert(account.id.clone(), account);
        }
        for person in loaded.persons {
            for key in &person.keys {
                self.found_by.entry(key.clone()).or_default().insert(person.id);
            }
            self.persons.insert(person.id, person);
        }
        for subject in loaded.subjects {
            self.subjects.insert(subject.key.clone(), subject);
        }
        for event in loaded.events {
            if event.due_at.is_some() {
                self.with_deadline.entry(event.series.subject.clone()).or_default().insert(event.place());
            }
            self.events.insert(event.place(), event);
        }
        self.due_later.extend(loaded.due_later);
        self.prefixes.extend(loaded.prefixes);
        self.released_after.extend(loaded.released_after);
        for authorization in loaded.authorizations {
            if let Some(account) = &authorization.account {
                self.unused_of.entry(account.clone()).or_default().insert(authorization.id);
            }
            self.authorizations.insert(authorization.id, authorization);
        }
        for credit in loaded.credits {
            self.unreferenced_of.entry(credit.account.clone()).or_default().insert(credit.id);
            self.credits.insert(credit.id, credit);
        }
        self.ambiguous.extend(loaded.ambiguous.into_iter().map(|call| (call.id, call)));
        self.enrolments.extend(loaded.enrolments.into_iter().map(|offer| (offer.token_hash.clone(), offer)));
        self.idempotency.extend(loaded.idempotency.into_iter().map(|record| (record.key.clone(), record)));
    }

    /// Forgets what the batch changed, to decide it again.
    pub fn start_over(&mut self) {
        self.overlay = Overlay::default();
    }

    /// Ends the batch: everything it writes, and everything it has locked.
    pub fn into_changes(self) -> (Changes, BTreeSet<Lock>) {
        let mut changes = self.overlay.changes;
        changes.complete_accounts(self.accounts);
        debug_assert!(changes.have_their_accounts());
        changes.file_records();
        (changes, self.locks.into_granted())
    }

    pub fn account(&mut self, id: &AccountId) -> Result<Option<Account>, Missing> {
        let found = self.overlay.changes.accounts.get(id).or_else(|| self.accounts.get(id)).cloned();
        // One that was asked for with its lock has come with its subject.
        let is_known = || self.known.accounts.contains(id) || self.known.subjects.contains(&SubjectKey::account(id));
        if found.is_none() && !is_known() {
            self.wanted.accounts.insert(id.clone());
            return Err(Missing);
        }
        Ok(found)
    }

    pub fn put_account(&mut self, account: Account) {
        if !self.accounts.contains_key(&account.id) && !self.overlay.changes.accounts.contains_key(&account.id) {
            self.overlay.opened_by.entry(account.person).or_default().push(account.id.clone());
            self.overlay.changes.opened.insert(account.id.clone());
        }
        // They are one row.
        self.changed_subject(&SubjectKey::account(&account.id));
        self.overlay.changes.accounts.insert(account.id.clone(), account);
    }

    /// Everybody found by one of `keys`, in the order of their ids, which is the order of their arrival.
    pub fn persons_found_by(&mut self, keys: &BTreeSet<DirectoryKey>) -> Result<Vec<Person>, Missing> {
        let unknown: Vec<_> = keys.iter().filter(|key| !self.known.directory.contains(*key)).cloned().collect();
        if !unknown.is_empty() {
            self.wanted.directory.extend(unknown);
            return Err(Missing);
        }
        let stored = keys.iter().filter_map(|key| self.found_by.get(key)).flatten().copied();
        let changed = self.overlay.changes.persons.values().filter(|person| !person.keys.is_disjoint(keys));
        let ids: BTreeSet<PersonId> = stored.chain(changed.map(|person| person.id)).collect();
        Ok(ids.iter().filter_map(|id| self.loaded_person(*id)).collect())
    }

    pub fn person(&mut self, id: PersonId) -> Result<Option<Person>, Missing> {
        let changed = &self.overlay.changes.persons;
        find(&id, changed, &self.persons, &self.known.persons, &mut self.wanted.persons)
    }

    fn loaded_person(&self, id: PersonId) -> Option<Person> {
        self.overlay.changes.persons.get(&id).or_else(|| self.persons.get(&id)).cloned()
    }

    pub fn put_person(&mut self, person: Person) {
        self.overlay.changes.persons.insert(person.id, person);
    }

    /// A person's accounts, the oldest first. The person came from [`State::persons_found_by`].
    pub fn accounts_of(&mut self, person: PersonId) -> Result<Vec<Account>, Missing> {
        let stored = self.holdings.get(&person).into_iter().flatten();
        let opened = self.overlay.opened_by.get(&person).into_iter().flatten();
        let ids: Vec<AccountId> = stored.chain(opened).cloned().collect();
        let mut accounts = Vec::with_capacity(ids.len());
        for id in ids {
            accounts.extend(self.account(&id)?);
        }
        accounts.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        Ok(accounts)
    }

    pub fn authorization(&mut self, id: TrackingId) -> Result<Option<Authorization>, Missing> {
        let changed = &self.overlay.changes.authorizations;
        find(&id, changed, &self.authorizations, &self.known.authorizations, &mut self.wanted.authorizations)
    }

    fn loaded_authorization(&self, id: TrackingId) -> Option<&Authorization> {
        self.overlay.changes.authorizations.get(&id).or_else(|| self.authorizations.get(&id))
    }

    /// Its account's series counts it as open for as long as it is.
    pub fn put_authorization(&mut self, authorization: Authorization) -> Result<(), Missing> {
        let was_open =
            self.loaded_authorization(authorization.id).is_some_and(|before| before.state == AuthorizationState::Open);
        if was_open && authorization.state != AuthorizationState::Open {
            let of_account = |place: &&EventRef| place.series.subject.kind == SubjectKind::Account;
            for place in authorization.counted.iter().filter(of_account) {
                self.one_less_open(&place.series)?;
            }
        }
        if let Some(account) = &authorization.account {
            self.overlay.authorizations_of.entry(account.clone()).or_default().insert(authorization.id);
        }
        let id = authorization.id;
        if self.overlay.changes.authorizations.insert(id, authorization).is_none()
            && !self.authorizations.contains_key(&id)
        {
            self.overlay.changes.issued.insert(id);
        }
        Ok(())
    }

    /// Open and expired authorizations of this account, amount and currency, the oldest first.
    pub fn unused(&mut self, key: &UnusedKey) -> Result<Vec<Authorization>, Missing> {
        if !self.known.unused.contains(key) {
            self.wanted.unused.insert(key.clone());
            return Err(Missing);
        }
        let stored = self.unused_of.get(&key.account).into_iter().flatten();
        let changed = self.overlay.authorizations_of.get(&key.account).into_iter().flatten();
        let ids: BTreeSet<TrackingId> = stored.chain(changed).copied().collect();
        let mut unused: Vec<Authorization> = ids
            .into_iter()
            .filter_map(|id| self.loaded_authorization(id))
            .filter(|found| found.amount == key.amount && found.currency == Some(key.currency))
            .filter(|found| matches!(found.state, AuthorizationState::Open | AuthorizationState::Expired))
            .cloned()
            .collect();
        unused.sort_by_key(|found| (found.at, found.id));
        Ok(unused)
    }

    pub fn credit(&mut self, id: TrackingId) -> Result<Option<Credit>, Missing> {
        let changed = &self.overlay.changes.credits;
        find(&id, changed, &self.credits, &self.known.credits, &mut self.wanted.credits)
    }

    pub fn put_credit(&mut self, credit: Credit) {
        self.overlay.credits_of.entry(credit.account.clone()).or_default().insert(credit.id);
        let id = credit.id;
        if self.overlay.changes.credits.insert(id, credit).is_none() && !self.credits.contains_key(&id) {
            self.overlay.changes.issued.insert(id);
        }
    }

    /// Unreferenced credits of this account, amount and currency, made or refused for good, the latest first.
    pub fn unreferenced(&mut self, key: &UnreferencedKey) -> Result<Vec<Credit>, Missing> {
        if !self.known.unreferenced.contains(key) {
            self.wanted.unreferenced.insert(key.clone());
            return Err(Missing);
        }
        let stored = self.unreferenced_of.get(&key.account).into_iter().flatten();
        let changed = self.overlay.credits_of.get(&key.account).into_iter().flatten();
        let ids: BTreeSet<TrackingId> = stored.chain(changed).copied().collect();
        let mut credits: Vec<Credit> = ids
            .into_iter()
            .filter_map(|id| self.overlay.changes.credits.get(&id).or_else(|| self.credits.get(&id)))
            .filter(|credit| !credit.referenced)
            .filter(|credit| credit.amount == key.amount && credit.currency == key.currency)
            .cloned()
            .collect();
        credits.sort_by_key(|credit| std::cmp::Reverse((credit.at, credit.id)));
        Ok(credits)
    }

    pub fn ambiguous(&mut self, id: TrackingId) -> Result<Option<AmbiguousCredit>, Missing> {
        let changed = &self.overlay.changes.ambiguous;
        find(&id, changed, &self.ambiguous, &self.known.ambiguous, &mut self.wanted.ambiguous)
    }

    pub fn put_ambiguous(&mut self, call: AmbiguousCredit) {
        self.overlay.changes.ambiguous.insert(call.id, call);
    }

    pub fn enrolment(&mut self, token_hash: &str) -> Result<Option<Enrolment>, Missing> {
        let changed = &self.overlay.changes.enrolments;
        find(token_hash, changed, &self.enrolments, &self.known.enrolments, &mut self.wanted.enrolments)
    }

    pub fn put_enrolment(&mut self, offer: Enrolment) {
        self.overlay.changes.enrolments.insert(offer.token_hash.clone(), offer);
    }

    pub fn idempotency(&mut self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, Missing> {
        let changed = &self.overlay.changes.idempotency;
        find(key, changed, &self.idempotency, &self.known.idempotency, &mut self.wanted.idempotency)
    }

    pub fn put_idempotency(&mut self, record: IdempotencyRecord) {
        self.overlay.changes.idempotency.insert(record.key.clone(), record);
    }

    pub fn add_reversal(&mut self, reversal: Reversal) {
        self.overlay.changes.reversals.push(reversal);
    }

    pub fn add_entry(&mut self, entry: Entry, postings: Vec<Posting>) {
        self.overlay.changes.entries.push(entry);
        self.overlay.changes.postings.extend(postings);
    }

    pub fn add_decision(&mut self, decision: Decision) {
        self.overlay.changes.decisions.push(decision);
    }

    pub fn add_account_change(&mut self, change: AccountChange) {
        self.overlay.changes.account_changes.push(change);
    }
}

/// A row as the batch has left it, else as it was loaded. What nobody has asked for yet is wanted from now on.
fn find<K, Q, V>(
    key: &Q,
    changed: &BTreeMap<K, V>,
    loaded: &HashMap<K, V>,
    known: &BTreeSet<K>,
    wanted: &mut BTreeSet<K>,
) -> Result<Option<V>, Missing>
where
    K: Borrow<Q> + Ord + Hash,
    Q: ToOwned<Owned = K> + Ord + Hash + ?Sized,
    V: Clone,
{
    let found = changed.get(key).or_else(|| loaded.get(key));
    if found.is_some() || known.contains(key) {
        return Ok(found.cloned());
    }
    wanted.insert(key.to_owned());
    Err(Missing)
}
