//! Whether this server's clock can be trusted: event times must not run backwards.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::domain::{Span, Timestamp};

/// How far the clock may be behind the latest batch, or off the database's either way (design, "Time enters once").
const TOLERANCE: Span = Span::seconds(2);

/// What is known of the latest batch and of the database's clock, so that no call has to ask the store.
#[derive(Debug)]
pub struct Readiness {
    /// Microseconds; the latest batch is at least this late.
    latest_batch: AtomicI64,
    /// Microseconds by which the database's clock was last seen ahead of this server's.
    store_ahead: AtomicI64,
    /// It is told to stop: callers are to go elsewhere, and those that come are still served.
    is_leaving: AtomicBool,
}

/// Why the clock cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    BehindLatestBatch,
    OffTheStore,
}

impl Readiness {
    /// `None`: nothing was ever committed.
    pub fn new(latest_batch: Option<Timestamp>) -> Self {
        let latest_batch = AtomicI64::new(latest_batch.map_or(i64::MIN, |at| at.0));
        Self { latest_batch, store_ahead: AtomicI64::new(0), is_leaving: AtomicBool::new(false) }
    }

    /// A batch was committed at `at` or later.
    pub fn saw_batch(&self, at: Timestamp) {
        self.latest_batch.fetch_max(at.0, Ordering::Relaxed);
    }

    /// The database's clock showed `store` between two looks at this server's; by how much it is ahead at least.
    pub fn saw_store_clock(&self, before: Timestamp, store: Timestamp, after: Timestamp) -> Span {
        let ahead = if store < before {
            store.since(before)
        } else if store > after {
            store.since(after)
        } else {
            Span(0)
        };
        self.store_ahead.store(ahead.0, Ordering::Relaxed);
        ahead
    }

    /// From now on it is told not to be ready.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    pub fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    /// Why a clock that shows `now` cannot be trusted; `None` where it can.
    pub fn doubt(&self, now: Timestamp) -> Option<Doubt> {
        if Timestamp(self.latest_batch.load(Ordering::Relaxed)).since(now) > TOLERANCE {
            Some(Doubt::BehindLatestBatch)
        } else if self.store_ahead.load(Ordering::Relaxed).saturating_abs() > TOLERANCE.0 {
            Some(Doubt::OffTheStore)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_more_than_two_seconds_behind_the_latest_batch_is_not_trusted() {
        let readiness = Readiness::new(None);
        assert_eq!(readiness.doubt(Timestamp(0)), None);
        readiness.saw_batch(Timestamp(10_000_000));
        readiness.saw_batch(Timestamp(5_000_000));
        assert_eq!(readiness.doubt(Timestamp(8_000_000)), None);
        assert_eq!(readiness.doubt(Timestamp(7_999_999)), Some(Doubt::BehindLatestBatch));
    }

    #[test]
    fn a_clock_more_than_two_seconds_off_the_databases_is_not_trusted_until_it_is_set() {
        let readiness = Readiness::new(None);
        let (before, after) = (Timestamp(10_000_000), Timestamp(10_500_000));
        for (store, doubt) in [
            (7_999_999, Some(Doubt::OffTheStore)),
            (8_000_000, None),
            (10_200_000, None),
            (12_500_001, Some(Doubt::OffTheStore)),
            (12_500_000, None),
        ] {
            readiness.saw_store_clock(before, Timestamp(store), after);
            assert_eq!(readiness.doubt(after), doubt, "{store}");
        }
    }
}
