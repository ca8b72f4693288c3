//! Whether this server's clock can be trusted: event times must not run backwards.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::{Span, Timestamp};

/// How far the clock may be behind the latest batch (design, "Time enters once").
const TOLERANCE: Span = Span::seconds(2);

/// What is known of the latest batch, so that no call has to ask the store.
#[derive(Debug)]
pub struct Readiness {
    /// Microseconds; the latest batch is at least this late.
    latest_batch: AtomicI64,
}

impl Readiness {
    /// `None`: nothing was ever committed.
    pub fn new(latest_batch: Option<Timestamp>) -> Self {
        Self { latest_batch: AtomicI64::new(latest_batch.map_or(i64::MIN, |at| at.0)) }
    }

    /// A batch was committed at `at` or later.
    pub fn saw_batch(&self, at: Timestamp) {
        self.latest_batch.fetch_max(at.0, Ordering::Relaxed);
    }

    /// Whether a clock that shows `now` can be trusted.
    pub fn trusts(&self, now: Timestamp) -> bool {
        Timestamp(self.latest_batch.load(Ordering::Relaxed)).since(now) <= TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_more_than_two_seconds_behind_the_latest_batch_is_not_trusted() {
        let readiness = Readiness::new(None);
        assert!(readiness.trusts(Timestamp(0)));
        readiness.saw_batch(Timestamp(10_000_000));
        readiness.saw_batch(Timestamp(5_000_000));
        assert!(readiness.trusts(Timestamp(8_000_000)));
        assert!(!readiness.trusts(Timestamp(7_999_999)));
    }
}
