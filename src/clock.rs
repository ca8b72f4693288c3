//! The only place where time and chance enter: every request gets its receive time and its ids here.
//!
//! One [`Clock`] is made where the server starts and travels in its state; whoever needs the time asks that one. A test
//! starts the server on [`Clock::manual`] and turns its [`Hands`], so that a day passes without waiting for it.

#![expect(clippy::disallowed_methods, reason = "the calls that are forbidden everywhere else belong here")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::decide::command::IdempotencyClaim;
use crate::decide::{Command, Request};
use crate::domain::{Span, Timestamp, TrackingId};

/// Tells the time. Cheap to clone; all clones tell the same.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

/// Turns a manual clock.
#[derive(Debug, Clone)]
pub struct Hands(Arc<AtomicI64>);

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `start` until its hands are turned.
    pub fn manual(start: Timestamp) -> (Self, Hands) {
        let micros = Arc::new(AtomicI64::new(start.0));
        (Self(Source::Manual(micros.clone())), Hands(micros))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Manual(micros) => Timestamp(micros.load(Ordering::SeqCst)),
        }
    }

    /// Whether this is the machine's clock, which other machines' can be held against.
    pub fn is_system(&self) -> bool {
        matches!(self.0, Source::System)
    }

    /// A command received now, under a fresh identifier.
    pub fn receive(&self, command: Command, idempotency: Option<IdempotencyClaim>) -> Request {
        self.receive_as(fresh_id(), command, idempotency)
    }

    /// The same under an identifier that the command was already made with.
    pub fn receive_as(&self, id: TrackingId, command: Command, idempotency: Option<IdempotencyClaim>) -> Request {
        Request { id, random: rand::random(), received_at: self.now(), idempotency, command }
    }
}

impl Hands {
    /// Lets `span` pass; a negative one turns the clock back, as an operating system's correction would.
    pub fn advance(&self, span: Span) {
        self.0.fetch_add(span.0, Ordering::SeqCst);
    }
}

/// A fresh identifier (UUIDv7). Its order is that of making, on a manual clock too; nothing reads a time out of it.
pub fn fresh_id() -> TrackingId {
    TrackingId(Uuid::now_v7())
}

/// A fresh key that nobody can guess: 128 random bits, hexadecimal.
pub fn fresh_key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_its_hands_are_turned() {
        let (clock, hands) = Clock::manual(Timestamp(5));
        let same = clock.clone();
        assert_eq!(clock.now(), Timestamp(5));
        hands.advance(Span::seconds(1));
        assert_eq!(same.now(), Timestamp(1_000_005));
        hands.advance(Span(-1));
        assert_eq!(clock.now(), Timestamp(1_000_004));
    }
}
