//! What a store is told to write, the same for every store.

use serde::Serialize;

use crate::decide::Changes;
use crate::domain::{Timestamp, TrackingId};

/// What a batch has changed, and under which id it is committed, where it is.
pub(super) struct Written<'a> {
    pub changes: &'a Changes,
    pub batch: Option<Committed>,
}

/// A batch that commits.
#[derive(Serialize)]
pub(super) struct Committed {
    pub id: TrackingId,
    pub at: Timestamp,
}
