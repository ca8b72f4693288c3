//! The working set of one batch: what was loaded, with what the batch has changed so far laid over it.
//!
//! A command reads through [`State`]. What is not loaded yet is noted in [`Wanted`] and reported as [`Missing`]; the
//! caller then loads all that is wanted in bulk and decides the whole batch again from the start, which a pure core
//! allows. So no command has to know beforehand what it will need, and a guess ([`Wanted::for_requests`]) is only speed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use crate::domain::person::DirectoryKey;
use crate::domain::subject::{ReleaseNode, tree};
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousCredit, Authorization, AuthorizationState, Counted, Credit, Currency,
    Decision, Enrolment, Entry, Event, EventRef, Person, PersonId, Posting, ReleaseKind, Reversal, Series, SeriesKey,
    Subject, SubjectKey, Tally, Timestamp, TrackingId,
};

/// Something that a command needs is not loaded yet; the state has noted what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing;

/// Keys of what a batch still has to load.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub accounts: BTreeSet<AccountId>,
    /// Persons found by these values, with their keys and their accounts.
    pub directory: BTreeSet<DirectoryKey>,
    /// These persons themselves, with their keys and their accounts.
    pub persons: BTreeSet<PersonId>,
    /// Subjects with their series, and what is due there up to the given moment.
    pub subjects: BTreeMap<SubjectKey, Timestamp>,
    /// What a series had counted up to and including the given moment.
    pub prefixes: BTreeSet<PrefixKey>,
    pub events: BTreeSet<EventRef>,
    pub authorizations: BTreeSet<TrackingId>,
    pub unused: BTreeSet<UnusedKey>,
    pub credits: BTreeSet<TrackingId>,
    pub unreferenced: BTreeSet<UnreferencedKey>,
    pub ambiguous: BTreeSet<TrackingId>,
    /// By token hash.
    pub enrolments: BTreeSet<String>,
    pub idempotency: BTreeSet<IdempotencyKey>,
}

/// A moment in a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PrefixKey {
    #[serde(flatten)]
    pub series: SeriesKey,
    pub upto: Timestamp,
}

/// Authorizations that an unreferenced credit may use: the oldest open ones, and the oldest expired ones whose deadline
/// is not before `expired_since`; of each also the oldest with this very rate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnusedKey {
    pub account: AccountId,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub exchange_rate: Option<Decimal>,
    pub expired_since: Timestamp,
}

/// The latest unreferenced credits of an amount.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnreferencedKey {
    pub account: AccountId,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
}

/// How many rows a store returns at most for one [`UnusedKey`] branch or one [`UnreferencedKey`].
///
/// Never fewer than the commands of a batch: each uses up one at most, so the list cannot run dry within a batch.
pub const CANDIDATES: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdempotencyKey {
    pub path: String,
    pub key: String,
}

/// The first answer to an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    #[serde(flatten)]
    pub key: IdempotencyKey,
    /// SHA-256 of the body, hexadecimal.
    pub body_hash: String,
    pub outcome: Outcome,
    pub at: Timestamp,
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, other: &Self) {
        self.accounts.extend(other.accounts.iter().cloned());
        self.directory.extend(other.directory.iter().cloned());
        self.persons.extend(other.persons.iter().copied());
        for (subject, until) in &other.subjects {
            let known = self.subjects.entry(subject.clone()).or_insert(*until);
            *known = (*known).max(*until);
        }
        self.prefixes.extend(other.prefixes.iter().cloned());
        self.events.extend(other.events.iter().cloned());
        self.authorizations.extend(other.authorizations.iter().copied());
        self.unused.extend(other.unused.iter().cloned());
        self.credits.extend(other.credits.iter().copied());
        self.unreferenced.extend(other.unreferenced.iter().cloned());
        self.ambiguous.extend(other.ambiguous.iter().copied());
        self.enrolments.extend(other.enrolments.iter().cloned());
        self.idempotency.extend(other.idempotency.iter().cloned());
    }
}

/// Rows that a store found. What was wanted and is not among them does not exist.
#[derive(Debug, Default)]
pub struct Loaded {
    pub accounts: Vec<Account>,
    pub persons: Vec<Person>,
    pub subjects: Vec<Subject>,
    pub series: Vec<Series>,
    /// Events asked for, and events due on the subjects asked for.
    pub events: Vec<Event>,
    pub prefixes: Vec<(PrefixKey, Counted)>,
    /// Authorizations asked for, and those that an [`UnusedKey`] found.
    pub authorizations: Vec<Authorization>,
    /// Credits asked for, and those that an [`UnreferencedKey`] found.
    pub credits: Vec<Credit>,
    pub ambiguous: Vec<AmbiguousCredit>,
    pub enrolments: Vec<Enrolment>,
    pub idempotency: Vec<IdempotencyRecord>,
}

/// Everything that a batch writes. Maps hold whole rows as they now are; lists are only added to.
#[derive(Debug, Default)]
pub struct Changes {
    pub persons: BTreeMap<PersonId, Person>,
    pub accounts: BTreeMap<AccountId, Account>,
    pub subjects: BTreeMap<SubjectKey, Subject>,
    pub series: BTreeMap<SeriesKey, Series>,
    pub events: BTreeMap<EventRef, Event>,
    /// To be added to the stored nodes.
    pub release_nodes: BTreeMap<NodeKey, Tally>,
    pub authorizations: BTreeMap<TrackingId, Authorization>,
    pub credits: BTreeMap<TrackingId, Credit>,
    pub ambiguous: BTreeMap<TrackingId, AmbiguousCredit>,
    pub enrolments: BTreeMap<String, Enrolment>,
    pub idempotency: BTreeMap<IdempotencyKey, IdempotencyRecord>,
    pub reversals: Vec<Reversal>,
    pub entries: Vec<Entry>,
    pub postings: Vec<Posting>,
    pub decisions: Vec<Decision>,
    pub account_changes: Vec<AccountChange>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.persons.is_empty()
            && self.accounts.is_empty()
            && self.subjects.is_empty()
            && self.series.is_empty()
            && self.events.is_empty()
            && self.authorizations.is_empty()
            && self.credits.is_empty()
            && self.ambiguous.is_empty()
            && self.enrolments.is_empty()
            && self.idempotency.is_empty()
            && self.decisions.is_empty()
            && self.account_changes.is_empty()
    }

    /// The release tree's changes as rows.
    pub fn release_node_rows(&self) -> impl Iterator<Item = ReleaseNode> + '_ {
        self.release_nodes.iter().map(|(node, tally)| ReleaseNode {
            series: node.series.clone(),
            released: node.released,
            level: node.level,
            block: node.block,
            tally: *tally,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeKey {
    pub series: SeriesKey,
    pub level: i64,
    pub block: i64,
    pub released: ReleaseKind,
}

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
    accounts: HashMap<AccountId, Account>,
    persons: HashMap<PersonId, Person>,
    found_by: HashMap<DirectoryKey, BTreeSet<PersonId>>,
    holdings: HashMap<PersonId, BTreeSet<AccountId>>,
    subjects: HashMap<SubjectKey, Subject>,
    series: HashMap<SubjectKey, BTreeMap<Currency, Series>>,
    events: HashMap<EventRef, Event>,
    due: HashMap<SubjectKey, BTreeSet<(Timestamp, Currency, i64)>>,
    prefixes: HashMap<PrefixKey, Counted>,
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
    /// An empty working set for commands received up to `horizon`.
    pub fn until(horizon: Timestamp) -> Self {
        Self { horizon, ..Self::default() }
    }

    /// What the last pass asked for in vain; empty where it found everything.
    pub fn take_wanted(&mut self) -> Wanted {
        std::mem::take(&mut self.wanted)
    }

    /// Takes in what a store found for `wanted`.
    pub fn absorb(&mut self, wanted: &Wanted, loaded: Loaded) {
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
            self.subjects.insert(SubjectKey::new(subject.kind, subject.key.clone()), subject);
        }
        for series in loaded.series {
            self.series.entry(series.key.subject.clone()).or_default().insert(series.key.currency, series);
        }
        for event in loaded.events {
            if let Some(due_at) = event.due_at {
                let place = (due_at, event.series.currency, event.number);
                self.due.entry(event.series.subject.clone()).or_default().insert(place);
            }
            self.events.insert(EventRef { series: event.series.clone(), number: event.number }, event);
        }
        self.prefixes.extend(loaded.prefixes);
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

    /// Ends the batch: everything it writes.
    pub fn into_changes(self) -> Changes {
        self.overlay.changes
    }

    /// What the batch has changed so far.
    pub fn changes(&self) -> &Changes {
        &self.overlay.changes
    }

    // Accounts and persons.

    pub fn account(&mut self, id: &AccountId) -> Result<Option<Account>, Missing> {
        if let Some(account) = self.overlay.changes.accounts.get(id).or_else(|| self.accounts.get(id)) {
            return Ok(Some(account.clone()));
        }
        if self.known.accounts.contains(id) {
            return Ok(None);
        }
        self.wanted.accounts.insert(id.clone());
        Err(Missing)
    }

    pub fn put_account(&mut self, account: Account) {
        if !self.accounts.contains_key(&account.id) && !self.overlay.changes.accounts.contains_key(&account.id) {
            self.overlay.opened_by.entry(account.person).or_default().push(account.id.clone());
        }
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
        if let Some(person) = self.loaded_person(id) {
            return Ok(Some(person));
        }
        if self.known.persons.contains(&id) {
            return Ok(None);
        }
        self.wanted.persons.insert(id);
        Err(Missing)
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

    // Subjects, series, events.

    /// The latest moment that any of `subjects` has seen; `None` where none was ever named.
    pub fn last_event(
        &mut self,
        subjects: &BTreeSet<SubjectKey>,
        received_at: Timestamp,
    ) -> Result<Timestamp, Missing> {
        let unknown: Vec<_> = subjects.iter().filter(|key| !self.known.subjects.contains_key(*key)).cloned().collect();
        if !unknown.is_empty() {
            let until = self.horizon.max(received_at);
            self.wanted.subjects.extend(unknown.into_iter().map(|subject| (subject, until)));
            return Err(Missing);
        }
        let seen = subjects.iter().filter_map(|key| self.subject(key)).map(|subject| subject.last_event_at);
        Ok(seen.max().unwrap_or(received_at).max(received_at))
    }

    /// Dates every one of `subjects`: nothing on them happens before `now` any more.
    pub fn touch(&mut self, subjects: &BTreeSet<SubjectKey>, now: Timestamp) {
        for key in subjects {
            let subject = Subject { kind: key.kind, key: key.key.clone(), last_event_at: now };
            self.overlay.changes.subjects.insert(key.clone(), subject);
        }
    }

    fn subject(&self, key: &SubjectKey) -> Option<&Subject> {
        self.overlay.changes.subjects.get(key).or_else(|| self.subjects.get(key))
    }

    /// Events of `subject` that are due at or before `now` and not given back yet, the earliest deadline first.
    pub fn due(&mut self, subject: &SubjectKey, now: Timestamp) -> Result<Vec<Event>, Missing> {
        if self.known.subjects.get(subject).is_none_or(|until| *until < now) {
            self.wanted.subjects.insert(subject.clone(), self.horizon.max(now));
            return Err(Missing);
        }
        let loaded = self.due.get(subject).into_iter().flatten();
        let mut due: Vec<Event> = loaded
            .take_while(|(due_at, ..)| *due_at <= now)
            .filter_map(|(_, currency, number)| {
                let series = SeriesKey { subject: subject.clone(), currency: *currency };
                self.loaded_event(&EventRef { series, number: *number })
            })
            .cloned()
            .collect();
        let made_now = self.overlay.changes.events.range(first_of(subject)..).map(|(_, event)| event);
        due.extend(made_now.take_while(|event| event.series.subject == *subject).cloned());
        due.retain(|event| event.due_at.is_some_and(|due_at| due_at <= now));
        due.sort_by_key(|event| (event.due_at, event.series.currency, event.number));
        due.dedup_by_key(|event| (event.series.currency, event.number));
        Ok(due)
    }

    /// The head of a series; its subject has been dated by now.
    pub fn series(&mut self, key: &SeriesKey) -> Result<Series, Missing> {
        if let Some(series) = self.overlay.changes.series.get(key) {
            return Ok(series.clone());
        }
        self.require_subject(&key.subject)?;
        let stored = self.series.get(&key.subject).and_then(|of| of.get(&key.currency));
        Ok(stored.cloned().unwrap_or_else(|| Series::empty(key.clone())))
    }

    /// The currencies in which `subject` was ever counted.
    pub fn currencies_of(&mut self, subject: &SubjectKey) -> Result<Vec<Currency>, Missing> {
        self.require_subject(subject)?;
        let stored = self.series.get(subject).into_iter().flat_map(|of| of.keys().copied());
        let counted_now = self.overlay.changes.series.keys().filter(|key| key.subject == *subject);
        let all: BTreeSet<Currency> = stored.chain(counted_now.map(|key| key.currency)).collect();
        Ok(all.into_iter().collect())
    }

    fn require_subject(&mut self, subject: &SubjectKey) -> Result<(), Missing> {
        if self.known.subjects.contains_key(subject) {
            return Ok(());
        }
        self.wanted.subjects.insert(subject.clone(), self.horizon);
        Err(Missing)
    }

    /// Everything that `series` had counted up to and including `upto`.
    pub fn prefix(&mut self, series: &SeriesKey, upto: Timestamp) -> Result<Counted, Missing> {
        let head = self.series(series)?;
        if head.events == 0 {
            return Ok(Counted::default());
        }
        let stored_events =
            self.series.get(&series.subject).and_then(|of| of.get(&series.currency)).map_or(0, |stored| stored.events);
        let mut counted = if stored_events == 0 {
            Counted::default()
        } else {
            let key = PrefixKey { series: series.clone(), upto };
            match self.prefixes.get(&key) {
                Some(counted) => *counted,
                None if self.known.prefixes.contains(&key) => Counted::default(),
                None => {
                    self.wanted.prefixes.insert(key);
                    return Err(Missing);
                }
            }
        };
        let made_now = EventRef { series: series.clone(), number: stored_events + 1 };
        let latest = self
            .overlay
            .changes
            .events
            .range(made_now..)
            .take_while(|(place, event)| place.series == *series && event.at <= upto)
            .last();
        if let Some((_, event)) = latest {
            counted.events = Tally { count: event.number, amount: event.running };
        }
        for release in self.overlay.releases.get(series).into_iter().flatten() {
            if release.number <= counted.events.count {
                let tally = Tally::one(release.amount);
                if let Some(from) = release.from {
                    let kind = counted.released.of_mut(from);
                    *kind = kind.minus(tally);
                }
                let kind = counted.released.of_mut(release.to);
                *kind = kind.plus(tally);
            }
        }
        Ok(counted)
    }

    /// Counts one transaction. The caller has made sure that the running sum fits.
    pub fn count(&mut self, head: Series, event: Event) -> EventRef {
        let place = EventRef { series: event.series.clone(), number: event.number };
        self.overlay.changes.series.insert(head.key.clone(), head);
        self.overlay.changes.events.insert(place.clone(), event);
        place
    }

    fn loaded_event(&self, place: &EventRef) -> Option<&Event> {
        self.overlay.changes.events.get(place).or_else(|| self.events.get(place))
    }

    /// The events at `places`, all of them asked for at once.
    pub fn events(&mut self, places: &[EventRef]) -> Result<Vec<Event>, Missing> {
        let unknown: Vec<EventRef> =
            places.iter().filter(|place| self.loaded_event(place).is_none()).cloned().collect();
        if unknown.iter().any(|place| !self.known.events.contains(place)) {
            self.wanted.events.extend(unknown);
            return Err(Missing);
        }
        Ok(places.iter().filter_map(|place| self.loaded_event(place)).cloned().collect())
    }

    /// Takes an event off the due list: its authorization was used or has ended.
    pub fn settle_due(&mut self, mut event: Event) {
        event.due_at = None;
        let place = EventRef { series: event.series.clone(), number: event.number };
        self.overlay.changes.events.insert(place, event);
    }

    /// Gives an event back, or moves it from one kind of release to another. It leaves the due list.
    pub fn release(&mut self, mut event: Event, kind: ReleaseKind) -> Result<(), Missing> {
        let mut head = self.series(&event.series)?;
        let tally = Tally::one(event.amount);
        let from = event.released;
        if from != Some(kind) {
            if let Some(from) = from {
                let released = head.released.of_mut(from);
                *released = released.minus(tally);
                self.add_to_tree(&event, from, Tally::default().minus(tally));
            }
            let released = head.released.of_mut(kind);
            *released = released.plus(tally);
            self.add_to_tree(&event, kind, tally);
            let release = Release { number: event.number, amount: event.amount, from, to: kind };
            self.overlay.releases.entry(event.series.clone()).or_default().push(release);
            self.overlay.changes.series.insert(head.key.clone(), head);
        }
        event.released = Some(kind);
        self.settle_due(event);
        Ok(())
    }

    fn add_to_tree(&mut self, event: &Event, released: ReleaseKind, tally: Tally) {
        for level in 1..=tree::LEVELS {
            let block = tree::block_of(event.number, level);
            let node = NodeKey { series: event.series.clone(), level, block, released };
            let sum = self.overlay.changes.release_nodes.entry(node).or_default();
            *sum = sum.plus(tally);
        }
    }

    // Authorizations and credits.

    pub fn authorization(&mut self, id: TrackingId) -> Result<Option<Authorization>, Missing> {
        if let Some(found) = self.loaded_authorization(id) {
            return Ok(Some(found.clone()));
        }
        if self.known.authorizations.contains(&id) {
            return Ok(None);
        }
        self.wanted.authorizations.insert(id);
        Err(Missing)
    }

    fn loaded_authorization(&self, id: TrackingId) -> Option<&Authorization> {
        self.overlay.changes.authorizations.get(&id).or_else(|| self.authorizations.get(&id))
    }

    pub fn put_authorization(&mut self, authorization: Authorization) {
        if let Some(account) = &authorization.account {
            self.overlay.authorizations_of.entry(account.clone()).or_default().insert(authorization.id);
        }
        self.overlay.changes.authorizations.insert(authorization.id, authorization);
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
        if let Some(credit) = self.overlay.changes.credits.get(&id).or_else(|| self.credits.get(&id)) {
            return Ok(Some(credit.clone()));
        }
        if self.known.credits.contains(&id) {
            return Ok(None);
        }
        self.wanted.credits.insert(id);
        Err(Missing)
    }

    pub fn put_credit(&mut self, credit: Credit) {
        self.overlay.credits_of.entry(credit.account.clone()).or_default().insert(credit.id);
        self.overlay.changes.credits.insert(credit.id, credit);
    }

    /// Unreferenced credits of this account, amount and currency, refused ones apart, the latest first.
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
            .filter(|credit| !credit.referenced && credit.reason.is_none())
            .filter(|credit| credit.amount == key.amount && credit.currency == key.currency)
            .cloned()
            .collect();
        credits.sort_by_key(|credit| std::cmp::Reverse((credit.at, credit.id)));
        Ok(credits)
    }

    pub fn ambiguous(&mut self, id: TrackingId) -> Result<Option<AmbiguousCredit>, Missing> {
        if let Some(call) = self.overlay.changes.ambiguous.get(&id).or_else(|| self.ambiguous.get(&id)) {
            return Ok(Some(call.clone()));
        }
        if self.known.ambiguous.contains(&id) {
            return Ok(None);
        }
        self.wanted.ambiguous.insert(id);
        Err(Missing)
    }

    pub fn put_ambiguous(&mut self, call: AmbiguousCredit) {
        self.overlay.changes.ambiguous.insert(call.id, call);
    }

    // Enrolments, idempotency, and what is only ever added.

    pub fn enrolment(&mut self, token_hash: &str) -> Result<Option<Enrolment>, Missing> {
        let changed = self.overlay.changes.enrolments.get(token_hash);
        if let Some(offer) = changed.or_else(|| self.enrolments.get(token_hash)) {
            return Ok(Some(offer.clone()));
        }
        if self.known.enrolments.contains(token_hash) {
            return Ok(None);
        }
        self.wanted.enrolments.insert(token_hash.to_owned());
        Err(Missing)
    }

    pub fn put_enrolment(&mut self, offer: Enrolment) {
        self.overlay.changes.enrolments.insert(offer.token_hash.clone(), offer);
    }

    pub fn idempotency(&mut self, key: &IdempotencyKey) -> Result<Option<IdempotencyRecord>, Missing> {
        if let Some(record) = self.overlay.changes.idempotency.get(key).or_else(|| self.idempotency.get(key)) {
            return Ok(Some(record.clone()));
        }
        if self.known.idempotency.contains(key) {
            return Ok(None);
        }
        self.wanted.idempotency.insert(key.clone());
        Err(Missing)
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

/// The smallest place that an event of `subject` can have.
fn first_of(subject: &SubjectKey) -> EventRef {
    let currency = Currency::FIRST;
    EventRef { series: SeriesKey { subject: subject.clone(), currency }, number: 0 }
}
