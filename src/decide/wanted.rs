//! What a batch still has to load, and what a store found of it.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::lock::Lock;
use super::outcome::Outcome;
use crate::domain::person::DirectoryKey;
use crate::domain::subject::{Earliest, Released};
use crate::domain::{
    Account, AccountId, AmbiguousCredit, Authorization, Credit, Currency, Enrolment, Event, EventRef, Person, PersonId,
    ReleaseKind, SeriesKey, Subject, SubjectKey, SubjectKind, Timestamp, TrackingId,
};

/// Keys of what a batch still has to load.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Accounts that are looked at, each with its subject. No lock is asked for before a command needs it.
    pub accounts: BTreeSet<AccountId>,
    /// Persons found by these values, with their keys and their accounts.
    pub directory: BTreeSet<DirectoryKey>,
    /// These persons themselves, with their keys and their accounts.
    pub persons: BTreeSet<PersonId>,
    /// What commands are about: asked for with their locks. An account comes with its subject.
    pub subjects: BTreeSet<SubjectKey>,
    /// What is due of series that have something due.
    pub due: BTreeMap<SeriesKey, DueRange>,
    /// The last events of a series up to and including the given moment.
    pub prefixes: BTreeSet<PrefixKey>,
    /// How much was released of all events that come after these.
    pub released_after: BTreeSet<EventRef>,
    pub events: BTreeSet<EventRef>,
    /// With the senders' and receivers' events that they are counted as.
    pub authorizations: BTreeSet<TrackingId>,
    pub unused: BTreeSet<UnusedKey>,
    pub credits: BTreeSet<TrackingId>,
    pub unreferenced: BTreeSet<UnreferencedKey>,
    pub ambiguous: BTreeSet<TrackingId>,
    /// By token hash.
    pub enrolments: BTreeSet<String>,
    pub idempotency: BTreeSet<IdempotencyKey>,
    /// What the batch must have to itself before anything is loaded.
    pub locks: BTreeSet<Lock>,
}

/// Open events, none of them before `from`, that are due at or before `until`; and the earliest of those that are not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueRange {
    pub from: Timestamp,
    pub until: Timestamp,
}

impl DueRange {
    fn or_wider(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), until: self.until.max(other.until) }
    }

    /// Whether all that `other` holds is in this one.
    pub(super) fn covers(self, other: Self) -> bool {
        self.or_wider(other) == self
    }
}

/// A moment in a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PrefixKey {
    #[serde(flatten)]
    pub series: SeriesKey,
    pub upto: Timestamp,
}

/// Where a prefix ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixEnd {
    /// Its last events, the latest first, at most [`PREFIX_EVENTS`].
    pub last: Vec<PrefixEvent>,
    /// The time of the first event that it does not hold, if there is one.
    pub next_at: Option<Timestamp>,
}

/// One of the last events of a prefix, as stored: an array of these, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct PrefixEvent {
    pub at: Timestamp,
    pub number: i64,
    /// Minor units.
    pub amount: i64,
    /// Sum of the amounts of this and all earlier events of the series, minor units.
    pub running: i64,
    pub released: Option<ReleaseKind>,
}

/// How many of the last events of a prefix a store returns. So many may have passed the start of a window since it was
/// last counted, and what was released of the prefix is still known at once ([`WindowStart`]).
///
/// [`WindowStart`]: crate::domain::WindowStart
pub const PREFIX_EVENTS: usize = 4;

/// Authorizations that an unreferenced credit may use: the oldest open ones, and the oldest expired ones whose deadline
/// is not before `expired_since`; of each also the oldest with this very rate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnusedKey {
    pub account: AccountId,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub exchange_rate: Option<Decimal>,
    /// What is overdue by then is not open any more, whether or not it was swept.
    pub now: Timestamp,
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

    /// Whether this is about nothing but series that all are `of_those`, and authorizations, whose accounts show once they are
    /// loaded.
    pub fn is_of_series(&self, of_those: impl Fn(&SeriesKey) -> bool) -> bool {
        let Self {
            due,
            prefixes,
            released_after,
            events,
            authorizations: _,
            accounts,
            directory,
            persons,
            subjects,
            unused,
            credits,
            unreferenced,
            ambiguous,
            enrolments,
            idempotency,
            locks,
        } = self;
        let has_nothing_else = accounts.is_empty()
            && directory.is_empty()
            && persons.is_empty()
            && subjects.is_empty()
            && unused.is_empty()
            && credits.is_empty()
            && unreferenced.is_empty()
            && ambiguous.is_empty()
            && enrolments.is_empty()
            && idempotency.is_empty()
            && locks.is_empty();
        let of_prefixes = prefixes.iter().map(|prefix| &prefix.series);
        let of_events = released_after.iter().chain(events).map(|event| &event.series);
        has_nothing_else && due.keys().chain(of_prefixes).chain(of_events).all(of_those)
    }

    /// The identifiers of all accounts that are wanted, each once.
    pub fn all_accounts(&self) -> BTreeSet<&str> {
        let subjects = self.subjects.iter().filter(|subject| subject.kind == SubjectKind::Account);
        subjects.map(|subject| subject.key.as_str()).chain(self.accounts.iter().map(AccountId::as_str)).collect()
    }

    pub fn senders_and_receivers(&self) -> impl Iterator<Item = &SubjectKey> {
        self.subjects.iter().filter(|subject| subject.kind != SubjectKind::Account)
    }

    pub(super) fn add(&mut self, mut other: Self) {
        self.accounts.append(&mut other.accounts);
        self.directory.append(&mut other.directory);
        self.persons.append(&mut other.persons);
        self.subjects.append(&mut other.subjects);
        for (series, range) in other.due {
            let known = self.due.entry(series).or_insert(range);
            *known = known.or_wider(range);
        }
        self.prefixes.append(&mut other.prefixes);
        self.released_after.append(&mut other.released_after);
        self.events.append(&mut other.events);
        self.authorizations.append(&mut other.authorizations);
        self.unused.append(&mut other.unused);
        self.credits.append(&mut other.credits);
        self.unreferenced.append(&mut other.unreferenced);
        self.ambiguous.append(&mut other.ambiguous);
        self.enrolments.append(&mut other.enrolments);
        self.idempotency.append(&mut other.idempotency);
        self.locks.append(&mut other.locks);
    }
}

/// Rows that a store found. What was wanted and is not among them does not exist.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Each with its subject.
    pub accounts: Vec<Account>,
    pub persons: Vec<Person>,
    pub subjects: Vec<Subject>,
    /// Events asked for, those that are due, and the senders' and receivers' ones of the authorizations asked for.
    pub events: Vec<Event>,
    /// Of series that were asked for what is due: what is open there and due later.
    pub due_later: Vec<(SeriesKey, Earliest)>,
    /// Those that are not there are empty.
    pub prefixes: Vec<(PrefixKey, PrefixEnd)>,
    pub released_after: Vec<(EventRef, Released)>,
    /// Authorizations asked for, and those that an [`UnusedKey`] found.
    pub authorizations: Vec<Authorization>,
    /// Credits asked for, and those that an [`UnreferencedKey`] found.
    pub credits: Vec<Credit>,
    pub ambiguous: Vec<AmbiguousCredit>,
    pub enrolments: Vec<Enrolment>,
    pub idempotency: Vec<IdempotencyRecord>,
}
