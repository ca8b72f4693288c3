//! Rows travel as the JSON of their domain structs: how what a store returns becomes what the core takes in. The same
//! for every store, which differ in SQL alone. An account's row is taken apart into two: [`AccountRow`].

use compact_str::CompactString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::decide::{DueRange, Loaded, PrefixEnd, PrefixEvent, PrefixKey, Wanted};
use crate::domain::record::AccountRecord;
use crate::domain::subject::{Earliest, Heads, Released};
use crate::domain::{
    Account, AccountId, Currency, EventRef, PersonId, ReleaseKind, SeriesKey, Status, Subject, SubjectKey, SubjectKind,
    Tally, Timestamp,
};

/// Reads one row. The error repeats nothing of it: rows hold personal data, and errors go to the log.
pub(super) fn parse<T: DeserializeOwned>(row: &str) -> Result<T, StoreError> {
    serde_json::from_str(row).map_err(|error| {
        let kind = std::any::type_name::<T>();
        StoreError::Corrupt(format!("{kind}: {:?} error at column {}", error.classify(), error.column()))
    })
}

/// What a store returns of one kind.
#[derive(Clone, Copy)]
pub(super) enum Rows<'a> {
    One(&'a str),
    /// A JSON array.
    Listed(&'a str),
}

impl Rows<'_> {
    fn read_into<T: DeserializeOwned>(self, found: &mut Vec<T>) -> Result<(), StoreError> {
        match self {
            Self::One(row) => found.push(parse(row)?),
            Self::Listed(rows) => found.append(&mut parse(rows)?),
        }
        Ok(())
    }

    /// What is not stored in the shape that the core takes in.
    fn read_as<R: DeserializeOwned + Into<T>, T>(self, found: &mut Vec<T>) -> Result<(), StoreError> {
        let mut rows: Vec<R> = Vec::new();
        self.read_into(&mut rows)?;
        found.extend(rows.into_iter().map(Into::into));
        Ok(())
    }
}

/// Takes in rows of the kind that they are tagged with.
pub(super) fn take_in(loaded: &mut Loaded, kind: &str, rows: Rows<'_>) -> Result<(), StoreError> {
    match kind {
        "account" => {
            let mut found: Vec<(Account, Subject)> = Vec::new();
            rows.read_as::<AccountRow, _>(&mut found)?;
            for (account, subject) in found {
                loaded.accounts.push(account);
                loaded.subjects.push(subject);
            }
            Ok(())
        }
        "person" => rows.read_into(&mut loaded.persons),
        "subject" => rows.read_into(&mut loaded.subjects),
        "event" => rows.read_into(&mut loaded.events),
        "due_later" => rows.read_as::<DueLaterRow, _>(&mut loaded.due_later),
        "prefix" => rows.read_as::<PrefixRow, _>(&mut loaded.prefixes),
        "released_after" => rows.read_as::<ReleasedAfterRow, _>(&mut loaded.released_after),
        "authorization" => rows.read_into(&mut loaded.authorizations),
        "credit" => rows.read_into(&mut loaded.credits),
        "ambiguous" => rows.read_into(&mut loaded.ambiguous),
        "enrolment" => rows.read_into(&mut loaded.enrolments),
        "idempotency" => rows.read_into(&mut loaded.idempotency),
        other => Err(StoreError::Corrupt(format!("rows of kind {other}"))),
    }
}

/// An account with its subject. Without `flatten`, which would take each row apart twice.
#[derive(Deserialize)]
struct AccountRow {
    id: AccountId,
    person: PersonId,
    currency: Currency,
    status: Status,
    tier: CompactString,
    display_name: CompactString,
    created_at: Timestamp,
    balance: i64,
    pending: i64,
    receivable: i64,
    opening_balance: i64,
    last_event_at: Timestamp,
    series: Heads,
    unfiled: Vec<AccountRecord>,
}

impl From<AccountRow> for (Account, Subject) {
    fn from(row: AccountRow) -> Self {
        let subject = Subject {
            key: SubjectKey::account(&row.id),
            last_event_at: row.last_event_at,
            series: row.series,
            unfiled: row.unfiled,
        };
        let account = Account {
            id: row.id,
            person: row.person,
            currency: row.currency,
            status: row.status,
            tier: row.tier,
            display_name: row.display_name,
            created_at: row.created_at,
            balance: row.balance,
            pending: row.pending,
            receivable: row.receivable,
            opening_balance: row.opening_balance,
        };
        (account, subject)
    }
}

/// What is wanted of the events that are due, as a statement takes it.
pub(super) fn wanted_due(wanted: &Wanted) -> impl Iterator<Item = WantedDue<'_>> {
    wanted.due.iter().map(|(series, range)| WantedDue { series, range: *range })
}

#[derive(Serialize)]
pub(super) struct WantedDue<'a> {
    #[serde(flatten)]
    series: &'a SeriesKey,
    #[serde(flatten)]
    range: DueRange,
}

#[derive(Deserialize)]
struct DueLaterRow {
    #[serde(flatten)]
    series: SeriesKey,
    #[serde(flatten)]
    since: Earliest,
}

impl From<DueLaterRow> for (SeriesKey, Earliest) {
    fn from(row: DueLaterRow) -> Self {
        (row.series, row.since)
    }
}

/// Without `flatten`, which would take each of these many rows apart twice.
#[derive(Deserialize)]
struct PrefixRow {
    kind: SubjectKind,
    key: CompactString,
    currency: Currency,
    upto: Timestamp,
    last: Vec<PrefixEvent>,
    next_at: Option<Timestamp>,
}

impl From<PrefixRow> for (PrefixKey, PrefixEnd) {
    fn from(mut row: PrefixRow) -> Self {
        // Aggregates promise no order.
        row.last.sort_by_key(|event| std::cmp::Reverse(event.number));
        let series = SeriesKey { subject: SubjectKey { kind: row.kind, key: row.key }, currency: row.currency };
        (PrefixKey { series, upto: row.upto }, PrefixEnd { last: row.last, next_at: row.next_at })
    }
}

#[derive(Deserialize)]
struct ReleasedAfterRow {
    #[serde(flatten)]
    end: EventRef,
    /// By kind: how many, and the sum of their amounts.
    released: Vec<(ReleaseKind, i64, i64)>,
}

impl From<ReleasedAfterRow> for (EventRef, Released) {
    fn from(row: ReleasedAfterRow) -> Self {
        let mut released = Released::default();
        for (kind, count, amount) in row.released {
            *released.of_mut(kind) = Tally { count, amount };
        }
        (row.end, released)
    }
}
