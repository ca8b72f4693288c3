//! Rows travel as the JSON of their domain structs: how what a store returns becomes what the core takes in. The same
//! for every store, which differ in SQL alone.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::decide::{Loaded, PrefixKey, Wanted};
use crate::domain::subject::Released;
use crate::domain::{Counted, ReleaseKind, SeriesKey, SubjectKey, Tally, Timestamp};

/// Reads one row. The error repeats nothing of it: rows hold personal data, and errors go to the log.
pub(super) fn parse<T: DeserializeOwned>(row: &str) -> Result<T, StoreError> {
    serde_json::from_str(row).map_err(|error| {
        let kind = std::any::type_name::<T>();
        StoreError::Corrupt(format!("{kind}: {:?} error at column {}", error.classify(), error.column()))
    })
}

/// Sorts the rows of one load, each tagged with what it is.
pub(super) fn sort(rows: &[(String, String)]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for (kind, row) in rows {
        match kind.as_str() {
            "account" => loaded.accounts.push(parse(row)?),
            "person" => loaded.persons.push(parse(row)?),
            "subject" => loaded.subjects.push(parse(row)?),
            "event" => loaded.events.push(parse(row)?),
            "prefix" => loaded.prefixes.push(parse::<PrefixRow>(row)?.into_prefix()),
            "authorization" => loaded.authorizations.push(parse(row)?),
            "credit" => loaded.credits.push(parse(row)?),
            "ambiguous" => loaded.ambiguous.push(parse(row)?),
            "enrolment" => loaded.enrolments.push(parse(row)?),
            "idempotency" => loaded.idempotency.push(parse(row)?),
            other => return Err(StoreError::Corrupt(format!("a row of kind {other}"))),
        }
    }
    Ok(loaded)
}

/// Takes in the rows of one kind, a JSON array.
pub(super) fn take_in(loaded: &mut Loaded, kind: &str, rows: &str) -> Result<(), StoreError> {
    match kind {
        "account" => loaded.accounts.append(&mut parse(rows)?),
        "person" => loaded.persons.append(&mut parse(rows)?),
        "subject" => loaded.subjects.append(&mut parse(rows)?),
        "event" => loaded.events.append(&mut parse(rows)?),
        "prefix" => loaded.prefixes.extend(parse::<Vec<PrefixRow>>(rows)?.into_iter().map(PrefixRow::into_prefix)),
        "authorization" => loaded.authorizations.append(&mut parse(rows)?),
        "credit" => loaded.credits.append(&mut parse(rows)?),
        "ambiguous" => loaded.ambiguous.append(&mut parse(rows)?),
        "enrolment" => loaded.enrolments.append(&mut parse(rows)?),
        "idempotency" => loaded.idempotency.append(&mut parse(rows)?),
        other => return Err(StoreError::Corrupt(format!("rows of kind {other}"))),
    }
    Ok(())
}

/// The subjects that are wanted, as a statement takes them.
pub(super) fn wanted_subjects(wanted: &Wanted) -> impl Iterator<Item = WantedSubject<'_>> {
    wanted.subjects.iter().map(|(subject, until)| WantedSubject { subject, until: *until })
}

#[derive(Serialize)]
pub(super) struct WantedSubject<'a> {
    #[serde(flatten)]
    subject: &'a SubjectKey,
    until: Timestamp,
}

#[derive(Deserialize)]
struct PrefixRow {
    #[serde(flatten)]
    series: SeriesKey,
    upto: Timestamp,
    #[serde(flatten)]
    events: Tally,
    released: Vec<(ReleaseKind, i64, i64)>,
}

impl PrefixRow {
    fn into_prefix(self) -> (PrefixKey, Counted) {
        let mut released = Released::default();
        for (kind, count, amount) in self.released {
            *released.of_mut(kind) = Tally { count, amount };
        }
        (PrefixKey { series: self.series, upto: self.upto }, Counted { events: self.events, released })
    }
}
