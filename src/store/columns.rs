//! What each table's row holds, column by column, in the tables' order: one list for every store. They differ in how they
//! take a value ([`Record`]).

use compact_str::CompactString;
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::written::{AuthorizationRow, Committed};
use crate::decide::IdempotencyRecord;
use crate::domain::person::{DirectoryKey, DirectoryKind, SenderKey};
use crate::domain::subject::ReleaseNode;
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousCredit, AmbiguousState, AuthorizationState, Body, Book, Credit,
    CreditState, Currency, Decision, DecisionKind, Enrolment, Entry, EntryKind, Event, FiledRecord, Lateness, Person,
    PersonId, Posting, Reason, ReleaseKind, Reversal, Status, Subject, SubjectKind, Timestamp, TrackingId,
};

/// A row of one table.
pub(super) trait Row {
    const TABLE: &'static str;

    /// Puts down its columns, in the table's order.
    fn put_down<R: Record>(&self, record: &mut R) -> Result<(), R::Error>;
}

impl<T: Row> Row for &T {
    const TABLE: &'static str = T::TABLE;

    fn put_down<R: Record>(&self, record: &mut R) -> Result<(), R::Error> {
        T::put_down(self, record)
    }
}

/// Takes the columns of one row, one after the other.
pub(super) trait Record {
    type Error;

    fn null(&mut self, kind: Kind) -> Result<(), Self::Error>;
    fn flag(&mut self, value: bool) -> Result<(), Self::Error>;
    fn number(&mut self, value: i64) -> Result<(), Self::Error>;
    fn id(&mut self, value: &Uuid) -> Result<(), Self::Error>;
    fn text(&mut self, value: &str) -> Result<(), Self::Error>;
    /// `kind` is one of the two of JSON.
    fn json<T: Serialize>(&mut self, kind: Kind, value: &T) -> Result<(), Self::Error>;
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Flag,
    Number,
    Id,
    Text,
    /// That is only kept.
    Json,
    /// That statements look into.
    Jsonb,
}

/// A person's entry in the directory.
pub(super) struct Listing<'a> {
    pub key: &'a DirectoryKey,
    pub person: PersonId,
}

impl<'a> Listing<'a> {
    pub fn of(person: &'a Person) -> impl Iterator<Item = Self> {
        person.keys.iter().map(|key| Self { key, person: person.id })
    }
}

macro_rules! rows {
    ($($table:literal: $of:ty, |$row:ident| $($column:expr),+;)+) => {
        $(impl Row for $of {
            const TABLE: &'static str = $table;

            fn put_down<R: Record>(&self, record: &mut R) -> Result<(), R::Error> {
                let $row = self;
                $((&$column).put(record)?;)+
                Ok(())
            }
        })+
    };
}

rows! {
    "batches": Committed, |b| b.id, b.at;
    "persons": Person, |p| p.id, Jsonb(&p.data), Jsonb(&p.documents);
    "directory": Listing<'_>, |l| l.key.kind, l.key.value, l.person;
    "accounts": (&Account, &Subject), |a|
        a.0.id, a.0.person, a.0.currency, a.0.status, a.0.tier, a.0.display_name, a.0.created_at, a.0.balance,
        a.0.pending, a.0.receivable, a.0.opening_balance, a.1.last_event_at, Json(&a.1.series), Json(&a.1.unfiled);
    "subjects": Subject, |s| s.key.kind, s.key.key, s.last_event_at, Json(&s.series);
    "events": Event, |e|
        e.series.subject.kind, e.series.subject.key, e.series.currency, e.at, e.number, e.amount, e.running,
        e.authorization, e.due_at, e.released, e.late;
    "release_nodes": ReleaseNode, |n|
        n.series.subject.kind, n.series.subject.key, n.series.currency, n.level, n.block, n.released, n.tally.count,
        n.tally.amount;
    "authorizations": AuthorizationRow<'_>, |a|
        a.id, a.account, a.amount, a.currency, a.exchange_rate, a.at, a.expires_at, a.state, a.sender,
        Json(&a.counted), a.bound_credit;
    "credits": Credit, |c|
        c.id, c.account, c.authorization, c.amount, c.currency, c.exchange_rate, c.at, c.state, c.referenced, c.late,
        c.reason, c.note, c.reversal, c.idempotency_key, Json(&c.counted);
    "reversals": Reversal, |r| r.id, r.credit, r.account, r.amount, r.currency, r.at;
    "ambiguous_credits": AmbiguousCredit, |a|
        a.id, a.account, a.amount, a.currency, a.exchange_rate, a.at, a.answered_with, a.state, a.credit;
    "entries": Entry, |e| e.account, e.id, e.kind, e.credit, e.currency, e.at;
    "postings": Posting, |p| p.account, p.entry, p.book, p.currency, p.amount;
    "decisions": Decision, |d|
        d.id, d.kind, d.account, d.at, d.received_at, d.approved, d.reason, d.note, d.reference, d.amount, d.currency,
        d.exchange_rate, d.rules_version, Json(&d.findings), d.request;
    "account_records": FiledRecord, |f| f.account, f.record.at, f.record.id, f.record.decision, f.record.posted;
    "account_changes": AccountChange, |c|
        c.account, c.id, c.at, c.who, c.action, c.why, c.target, c.change, c.case_number, c.review_date;
    "enrolments": Enrolment, |e|
        e.token_hash, Jsonb(&e.person), Jsonb(&e.documents), e.created_at, e.expires_at, e.account;
    "idempotency": IdempotencyRecord, |i| i.key.path, i.key.key, i.body_hash, Jsonb(&i.outcome), i.at;
}

/// One value.
trait Column {
    const KIND: Kind;

    fn put<R: Record>(&self, record: &mut R) -> Result<(), R::Error>;
}

impl<C: Column> Column for &C {
    const KIND: Kind = C::KIND;

    fn put<R: Record>(&self, record: &mut R) -> Result<(), R::Error> {
        C::put(self, record)
    }
}

impl<C: Column> Column for Option<C> {
    const KIND: Kind = C::KIND;

    fn put<R: Record>(&self, record: &mut R) -> Result<(), R::Error> {
        match self {
            Some(column) => column.put(record),
            None => record.null(C::KIND),
        }
    }
}

macro_rules! columns {
    ($kind:ident, |$value:ident, $record:ident| $put:expr => $($of:ty),+) => {
        $(impl Column for $of {
            const KIND: Kind = Kind::$kind;

            fn put<R: Record>(&self, $record: &mut R) -> Result<(), R::Error> {
                let $value = self;
                $put
            }
        })+
    };
}

columns!(Flag, |value, record| record.flag(*value) => bool);
columns!(Number, |value, record| record.number(*value) => i64);
columns!(Number, |value, record| record.number(value.0) => Timestamp);
columns!(Id, |value, record| record.id(&value.0) => TrackingId, PersonId);
columns!(Text, |value, record| record.text(&value.to_string()) => Decimal);
columns!(Text, |value, record| record.text(value.text()) => Body);
columns!(Text, |value, record| record.text(value) => String, CompactString);
columns!(Text, |value, record| record.text(value.as_str()) => AccountId, AmbiguousState, AuthorizationState, Book,
    CreditState, Currency, DecisionKind, DirectoryKind, EntryKind, Lateness, Reason, ReleaseKind, SenderKey, Status,
    SubjectKind);

struct Jsonb<'a, T>(&'a T);

impl<T: Serialize> Column for Jsonb<'_, T> {
    const KIND: Kind = Kind::Jsonb;

    fn put<R: Record>(&self, record: &mut R) -> Result<(), R::Error> {
        record.json(Kind::Jsonb, self.0)
    }
}

struct Json<'a, T>(&'a T);

impl<T: Serialize> Column for Json<'_, T> {
    const KIND: Kind = Kind::Json;

    fn put<R: Record>(&self, record: &mut R) -> Result<(), R::Error> {
        record.json(Kind::Json, self.0)
    }
}
