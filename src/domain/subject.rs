//! What limits are counted by, and how a window stays flat however long the history grows.
//!
//! A *subject* (an account, a sender, a receiver) has one *series* of counted events per currency. Events are numbered
//! from 1 in the order of their time and carry running totals, so a window's sum is the difference of two rows. What was
//! given back since (a *release*) takes effect at the counted event's own place in the series: partial sums in a tree over
//! the event's number ([`tree`]) tell how much was released of all that comes after an event, by kind. A series also keeps
//! where the windows began that it was last counted over ([`WindowStart`]): the next ones begin there, too, or a few events
//! later.

use std::fmt;
use std::ops::{Deref, DerefMut, Range};

use compact_str::CompactString;
use litemap::LiteMap;
use serde::{Deserialize, Serialize, Serializer};

use super::currency::Currency;
use super::ids::{AccountId, TrackingId};
use super::record::AccountRecord;
use super::time::Timestamp;

/// What a rule counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    Account,
    Sender,
    Receiver,
}

impl SubjectKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        }
    }
}

/// One subject's name: an account identifier, a sender's phone or email with the birth date, or a person's id.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SubjectKey {
    pub kind: SubjectKind,
    pub key: CompactString,
}

impl SubjectKey {
    pub fn new(kind: SubjectKind, key: impl AsRef<str>) -> Self {
        Self { kind, key: CompactString::new(key) }
    }

    pub fn account(id: &AccountId) -> Self {
        Self::new(SubjectKind::Account, id.as_str())
    }
}

impl fmt::Debug for SubjectKey {
    /// The kind alone: a sender's key is personal data and belongs in no message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectKey({})", self.kind.as_str())
    }
}

/// The heads of a subject's series. There is one as a rule, for which a tree would take the room of eleven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Heads(LiteMap<Currency, Series>);

impl Deref for Heads {
    type Target = LiteMap<Currency, Series>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Heads {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Serialize for Heads {
    /// Always as an object: without entries, the list would say that it is a list.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// What is kept of a subject: a row of its own, or a part of its account's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    #[serde(flatten)]
    pub key: SubjectKey,
    /// Every command on this subject is dated after this (docs/adr/0017).
    pub last_event_at: Timestamp,
    pub series: Heads,
    /// An account's newest records, until they are filed; the latest first, so that most of the column stays as it was.
    /// Senders and receivers have no such column.
    #[serde(default)]
    pub unfiled: Vec<AccountRecord>,
}

impl Subject {
    /// One that was never named before.
    pub fn new(key: SubjectKey) -> Self {
        Self { key, last_event_at: Timestamp::default(), series: Heads::default(), unfiled: Vec::new() }
    }
}

/// A count of transactions and the sum of their amounts, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    pub count: i64,
    pub amount: i64,
}

impl Tally {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub fn one(amount: i64) -> Self {
        Self { count: 1, amount }
    }

    pub fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, amount: self.amount + other.amount }
    }

    pub fn minus(self, other: Self) -> Self {
        Self { count: self.count - other.count, amount: self.amount - other.amount }
    }
}

/// One currency of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    #[serde(flatten)]
    pub subject: SubjectKey,
    pub currency: Currency,
}

/// The head of a series: how many events it has, their sum, and how much of all that was released, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Number of the latest event; they start at 1.
    pub events: i64,
    /// Sum of all events' amounts, minor units.
    pub amount: i64,
    /// The time of the first event, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// Left out of the row while nothing was.
    #[serde(default, skip_serializing_if = "Released::is_nothing")]
    pub released: Released,
    /// What of it still waits for its credit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// Of the windows that were counted last and had events before them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<WindowStart>,
}

impl Series {
    /// Everything counted so far, releases included.
    pub fn total(&self) -> Counted {
        Counted { events: Tally { count: self.events, amount: self.amount }, released: self.released }
    }

    /// All that came up to and including `upto`, where the head alone tells.
    pub fn prefix(&self, upto: Timestamp) -> Option<Prefix> {
        if self.first_at.is_some_and(|first_at| upto < first_at) {
            return Some(Prefix { counted: Counted::default(), next_at: self.first_at });
        }
        let start = self.starts.iter().find(|start| start.reach().contains(&upto))?;
        Some(Prefix { counted: start.before(), next_at: start.next_at })
    }

    /// The moments for which [`Series::prefix`] tells.
    pub fn told(&self) -> impl Iterator<Item = Range<Timestamp>> + '_ {
        let empty = self.first_at.map(|first_at| Timestamp::MIN..first_at);
        empty.into_iter().chain(self.starts.iter().map(WindowStart::reach))
    }

    /// One more event is counted, after all others.
    pub fn counted(&mut self, at: Timestamp) {
        self.events += 1;
        self.first_at.get_or_insert(at);
        for start in &mut self.starts {
            start.next_at.get_or_insert(at);
        }
    }

    /// One more event waits, until `due_at`.
    pub fn opened(&mut self, at: Timestamp, due_at: Timestamp) {
        let open = self.open.get_or_insert(Open { count: 0, since: Earliest { at, due_at } });
        open.count += 1;
        open.since = open.since.or_earlier(Earliest { at, due_at });
    }

    /// One that waited does not any more.
    pub fn closed(&mut self) {
        self.open = self.open.and_then(|open| (open.count > 1).then(|| Open { count: open.count - 1, ..open }));
    }
}

/// The open events of a series: neither used nor given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub count: i64,
    /// None of them is earlier, or due earlier. When the first falls due, what is left is looked at: the time is then exact,
    /// and the deadline the earliest of all events since that time, used up or not.
    #[serde(flatten)]
    pub since: Earliest,
}

/// The earliest time and the earliest deadline among some events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earliest {
    pub at: Timestamp,
    pub due_at: Timestamp,
}

impl Earliest {
    pub fn or_earlier(self, other: Self) -> Self {
        Self { at: self.at.min(other.at), due_at: self.due_at.min(other.due_at) }
    }
}

/// Where a window began that was counted, and what lay before it. Releases since are taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowStart {
    /// The window holds what came after this moment.
    pub upto: Timestamp,
    /// Number of the last event before it.
    pub events: i64,
    /// Sum of the amounts of all events before it, minor units.
    pub amount: i64,
    /// How much was released of the events before it.
    #[serde(default, skip_serializing_if = "Released::is_nothing")]
    pub released: Released,
    /// When the first event came that is not before it, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

impl WindowStart {
    /// `before` is all that came up to and including `upto`.
    pub fn new(upto: Timestamp, before: Prefix) -> Self {
        let Prefix { counted: Counted { events: Tally { count, amount }, released }, next_at } = before;
        Self { upto, events: count, amount, released, next_at }
    }

    fn before(&self) -> Counted {
        Counted { events: Tally { count: self.events, amount: self.amount }, released: self.released }
    }

    /// A window that begins at any of these moments begins after the same events.
    fn reach(&self) -> Range<Timestamp> {
        self.upto..self.next_at.unwrap_or(Timestamp::MAX)
    }
}

/// All of a series up to some moment, and when it went on, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefix {
    pub counted: Counted,
    pub next_at: Option<Timestamp>,
}

/// Why a counted event was given back. Whether it then counts is each rule's own choice, but for `Always`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReleaseKind {
    /// The authorization expired or was voided (`on_expiry`).
    Expiry,
    /// The credit was reversed or its settlement failed (`on_reversal`).
    Reversal,
    /// A refused credit, or the earlier count of a late credit: gives back under every rule.
    Always,
}

impl ReleaseKind {
    pub const ALL: [Self; 3] = [Self::Expiry, Self::Reversal, Self::Always];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expiry => "Expiry",
            Self::Reversal => "Reversal",
            Self::Always => "Always",
        }
    }
}

/// Released tallies by kind. An event is in one kind at most; a later release moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Released {
    #[serde(skip_serializing_if = "Tally::is_nothing")]
    pub expiry: Tally,
    #[serde(skip_serializing_if = "Tally::is_nothing")]
    pub reversal: Tally,
    #[serde(skip_serializing_if = "Tally::is_nothing")]
    pub always: Tally,
}

impl Released {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub fn of(&self, kind: ReleaseKind) -> Tally {
        match kind {
            ReleaseKind::Expiry => self.expiry,
            ReleaseKind::Reversal => self.reversal,
            ReleaseKind::Always => self.always,
        }
    }

    pub fn of_mut(&mut self, kind: ReleaseKind) -> &mut Tally {
        match kind {
            ReleaseKind::Expiry => &mut self.expiry,
            ReleaseKind::Reversal => &mut self.reversal,
            ReleaseKind::Always => &mut self.always,
        }
    }

    /// Moves one event of `amount` minor units from one kind to another.
    pub fn reassign(&mut self, amount: i64, from: Option<ReleaseKind>, to: ReleaseKind) {
        let tally = Tally::one(amount);
        if let Some(from) = from {
            let released = self.of_mut(from);
            *released = released.minus(tally);
        }
        let released = self.of_mut(to);
        *released = released.plus(tally);
    }

    pub fn minus(self, other: Self) -> Self {
        Self {
            expiry: self.expiry.minus(other.expiry),
            reversal: self.reversal.minus(other.reversal),
            always: self.always.minus(other.always),
        }
    }
}

/// Totals of a prefix of a series: of all events up to some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counted {
    pub events: Tally,
    pub released: Released,
}

impl Counted {
    /// What lies between an earlier prefix and this one.
    pub fn since(self, earlier: Self) -> Self {
        Self { events: self.events.minus(earlier.events), released: self.released.minus(earlier.released) }
    }
}

/// One counted transaction of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    #[serde(flatten)]
    pub series: SeriesKey,
    /// Its number in the series.
    pub number: i64,
    pub at: Timestamp,
    /// Minor units.
    pub amount: i64,
    /// Sum of the amounts of this and all earlier events of the series, minor units.
    pub running: i64,
    /// The authorization that is counted.
    pub authorization: TrackingId,
    /// When it is given back unless it is used before; `None` once it was given back. Where it was used, a sender's or a
    /// receiver's is `None`, too. An account's stays as it is: it waits for as long as its authorization is open.
    pub due_at: Option<Timestamp>,
    pub released: Option<ReleaseKind>,
    /// Counted anew, for a credit that came after the authorization had expired.
    pub late: bool,
}

impl Event {
    pub fn place(&self) -> EventRef {
        EventRef { series: self.series.clone(), at: self.at, number: self.number }
    }
}

/// Where an authorization or a late credit is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EventRef {
    #[serde(flatten)]
    pub series: SeriesKey,
    /// The event's time. Rows are in the order of it, which is that of their numbers.
    pub at: Timestamp,
    pub number: i64,
}

/// A node of the release tree: how much of one kind was released in a block of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseNode {
    #[serde(flatten)]
    pub series: SeriesKey,
    pub released: ReleaseKind,
    pub level: i64,
    pub block: i64,
    #[serde(flatten)]
    pub tally: Tally,
}

/// The shape of the release tree: blocks of 32, 32², 32³ and 32⁴ events.
///
/// The events themselves are the leaves. Four levels serve a million events with at most 31 rows read per level; above
/// that the top level is scanned, one row per million events, so no history makes it slow. What is read lies after the
/// window's start, so a long past costs nothing that the window does not hold.
pub mod tree {
    pub const FANOUT: i64 = 32;
    pub const LEVELS: i64 = 4;

    /// Events in one block of `level`.
    pub fn block_size(level: i64) -> i64 {
        (0..level).fold(1, |size, _| size * FANOUT)
    }

    /// The block of `level` that event `number` (from 1) belongs to.
    pub fn block_of(number: i64, level: i64) -> i64 {
        (number - 1) / block_size(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_stored_as_an_object_even_where_there_are_none() {
        let mut heads = Heads::default();
        assert_eq!(serde_json::to_string(&heads).unwrap(), "{}");
        heads.insert("MXN".parse().unwrap(), Series::default());
        let stored = serde_json::to_string(&heads).unwrap();
        assert!(stored.starts_with("{\"MXN\":{"), "{stored}");
        assert_eq!(serde_json::from_str::<Heads>(&stored).unwrap(), heads);
    }
}
