//! The nouns: plain data that every other layer speaks. Nothing here waits, reads a clock or knows a database.
//!
//! A row of a table is the serde form of its struct, field for column, so both stores write and read the same shape. An
//! account's row is two, side by side: [`Account`] and [`Subject`].

pub mod account;
pub mod authorization;
pub mod credit;
pub mod currency;
pub mod decision;
pub mod enrolment;
pub mod ids;
pub mod ledger;
pub mod number;
pub mod person;
pub mod policy;
pub mod reason;
pub mod record;
pub mod subject;
pub mod time;

pub use account::{Account, AccountChange, Status};
pub use authorization::{Authorization, AuthorizationState};
pub use credit::{AmbiguousCredit, AmbiguousState, Credit, CreditState, Lateness, Reversal};
pub use currency::{Currency, Money};
pub use decision::{Body, Decision, DecisionKind, RuleFinding, Verdict};
pub use enrolment::Enrolment;
pub use ids::{AccountId, PersonId, TrackingId};
pub use ledger::{Book, Entry, EntryKind, Posting};
pub use number::JsonNumber;
pub use person::{Address, Document, DocumentType, Gender, Person, PersonalData};
pub use policy::Policy;
pub use reason::Reason;
pub use record::{AccountRecord, FiledRecord};
pub use subject::{
    Counted, Event, EventRef, Prefix, ReleaseKind, Series, SeriesKey, Subject, SubjectKey, SubjectKind, Tally,
    WindowStart,
};
pub use time::{Span, Timestamp};
