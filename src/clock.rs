//! The only place where time and chance enter: every request gets its receive time and its ids here.

use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::decide::command::IdempotencyClaim;
use crate::decide::{Command, Request};
use crate::domain::{Timestamp, TrackingId};

/// The wall clock.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// A fresh time-ordered identifier (UUIDv7).
pub fn fresh_id() -> TrackingId {
    TrackingId(Uuid::now_v7())
}

/// A command received now, under a fresh identifier.
pub fn receive(command: Command, idempotency: Option<IdempotencyClaim>) -> Request {
    Request { id: fresh_id(), random: rand::random(), received_at: now(), idempotency, command }
}
