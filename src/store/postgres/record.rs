//! Rows as Postgres takes them in: an array of the table's own row type in the binary form, so that it parses no text.
//!
//! It refuses a row that has not the columns of its table, in number and type, so the store's tests find what is amiss
//! here. In a text and in JSON, U+0000 is replaced: see [`STAND_IN_FOR_NUL`].

use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgBindIterExt, PgHasArrayType, PgTypeInfo};
use sqlx::{Arguments, Postgres, Type};

use super::rows::{STAND_IN_FOR_NUL, write_json};
use crate::decide::IdempotencyRecord;
use crate::domain::person::{DirectoryKey, DirectoryKind, SenderKey};
use crate::domain::subject::ReleaseNode;
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousCredit, AmbiguousState, AuthorizationState, Body, Book, Credit,
    CreditState, Currency, Decision, DecisionKind, Enrolment, Entry, EntryKind, Event, FiledRecord, Lateness, Person,
    PersonId, Posting, Reason, ReleaseKind, Reversal, Status, Subject, SubjectKind, Timestamp, TrackingId,
};
use crate::store::written::{AuthorizationRow, Committed};

/// Binds `rows` as one array; whether there were any. Without, nothing is bound.
pub(super) fn bind<R: Row>(
    rows: impl IntoIterator<Item = R>,
    arguments: &mut PgArguments,
) -> Result<bool, BoxDynError> {
    let mut rows = rows.into_iter().map(Of).peekable();
    if rows.peek().is_none() {
        return Ok(false);
    }
    arguments.add(rows.bind_iter())?;
    Ok(true)
}

/// A row of one table.
pub(super) trait Row {
    const TABLE: &'static str;

    /// Puts down its columns, in the table's order.
    fn put_down(&self, record: &mut Record<'_>) -> Result<(), BoxDynError>;
}

impl<R: Row> Row for &R {
    const TABLE: &'static str = R::TABLE;

    fn put_down(&self, record: &mut Record<'_>) -> Result<(), BoxDynError> {
        R::put_down(self, record)
    }
}

/// A person's entry in the directory.
pub(super) struct Listing<'a> {
    pub key: &'a DirectoryKey,
    pub person: PersonId,
}

macro_rules! rows {
    ($($table:literal: $of:ty, |$row:ident| $($column:expr),+;)+) => {
        $(impl Row for $of {
            const TABLE: &'static str = $table;

            fn put_down(&self, record: &mut Record<'_>) -> Result<(), BoxDynError> {
                let $row = self;
                $(record.put(&$column)?;)+
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
        e.authorization, e.due_at, e.released;
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

/// What stands between a row and its place in the array that is bound.
struct Of<R>(R);

impl<R: Row> Type<Postgres> for Of<R> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name(R::TABLE)
    }
}

impl<R: Row> PgHasArrayType for Of<R> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::array_of(R::TABLE)
    }
}

impl<R: Row> Encode<'_, Postgres> for Of<R> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        let mut record = Record { bytes: buffer, columns: 0 };
        self.0.put_down(&mut record)?;
        let columns = record.columns.to_be_bytes();
        buffer[start..start + 4].copy_from_slice(&columns);
        Ok(IsNull::No)
    }
}

/// Takes the columns of one row: each with its type and its length.
pub(super) struct Record<'b> {
    bytes: &'b mut Vec<u8>,
    columns: i32,
}

impl Record<'_> {
    fn put<C: Column>(&mut self, column: &C) -> Result<(), BoxDynError> {
        self.bytes.extend_from_slice(&C::TYPE.to_be_bytes());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        let length = match column.write(self.bytes)? {
            IsNull::Yes => -1,
            IsNull::No => i32::try_from(self.bytes.len() - start - 4)?,
        };
        self.bytes[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self.columns += 1;
        Ok(())
    }
}

/// Postgres' own numbers of its types, which never change.
mod types {
    pub(super) const BOOL: u32 = 16;
    pub(super) const INT8: u32 = 20;
    pub(super) const TEXT: u32 = 25;
    pub(super) const JSON: u32 = 114;
    pub(super) const UUID: u32 = 2950;
    pub(super) const JSONB: u32 = 3802;
}

/// One value in the binary form of its type.
trait Column {
    const TYPE: u32;

    fn write(&self, bytes: &mut Vec<u8>) -> Result<IsNull, BoxDynError>;
}

impl<C: Column> Column for &C {
    const TYPE: u32 = C::TYPE;

    fn write(&self, bytes: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        C::write(self, bytes)
    }
}

impl<C: Column> Column for Option<C> {
    const TYPE: u32 = C::TYPE;

    fn write(&self, bytes: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        self.as_ref().map_or(Ok(IsNull::Yes), |column| column.write(bytes))
    }
}

macro_rules! columns {
    ($type:ident, |$value:ident| $bytes:expr => $($of:ty),+) => {
        $(impl Column for $of {
            const TYPE: u32 = types::$type;

            fn write(&self, bytes: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
                let $value = self;
                bytes.extend_from_slice($bytes.as_ref());
                Ok(IsNull::No)
            }
        })+
    };
}

columns!(BOOL, |value| [u8::from(*value)] => bool);
columns!(INT8, |value| value.to_be_bytes() => i64);
columns!(INT8, |value| value.0.to_be_bytes() => Timestamp);
columns!(UUID, |value| value.0.as_bytes() => TrackingId, PersonId);
columns!(TEXT, |value| value.to_string() => Decimal);
columns!(TEXT, |value| value.json().get() => Body);
columns!(TEXT, |value| value.as_str() => AmbiguousState, AuthorizationState, Book, CreditState, Currency, DecisionKind,
    DirectoryKind, EntryKind, Lateness, Reason, ReleaseKind, Status, SubjectKind);
columns!(TEXT, |value| without_nul(value) => String);
columns!(TEXT, |value| without_nul(value.as_str()) => AccountId, SenderKey);

fn without_nul(text: &str) -> std::borrow::Cow<'_, [u8]> {
    if text.contains('\0') { text.replace('\0', STAND_IN_FOR_NUL).into_bytes().into() } else { text.as_bytes().into() }
}

/// JSON that Postgres looks into.
struct Jsonb<'a, T>(&'a T);

impl<T: Serialize> Column for Jsonb<'_, T> {
    const TYPE: u32 = types::JSONB;

    fn write(&self, bytes: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        // The number of this form.
        bytes.push(1);
        write_json(self.0, bytes)?;
        Ok(IsNull::No)
    }
}

/// JSON that is only kept.
struct Json<'a, T>(&'a T);

impl<T: Serialize> Column for Json<'_, T> {
    const TYPE: u32 = types::JSON;

    fn write(&self, bytes: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        write_json(self.0, bytes)?;
        Ok(IsNull::No)
    }
}
