//! What an account's decisions and entries are found by, whoever asks what happened to it.
//!
//! Every call on an account writes the account's row, so the newest records stand there and cost nothing more;
//! when [`FILED_AT_ONCE`] have gathered they are filed together, side by side in one place of a table that is as large as
//! all that ever happened. An authorization that was approved needs none: it was counted, so an
//! [`Event`](super::subject::Event) of the account has its time and its id.

use serde::{Deserialize, Serialize};

use super::decision::DecisionKind;
use super::ids::{AccountId, TrackingId};
use super::time::Timestamp;

/// How many records an account's row gathers before they are filed. With more of them the table is touched less often, and
/// every call reads and writes a longer row.
pub const FILED_AT_ONCE: usize = 8;

/// A decision about an account that is no event of it, an entry in its books, or a decision with the entry that it led to:
/// both have its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Columns", into = "Columns")]
pub struct AccountRecord {
    /// Event time.
    pub at: Timestamp,
    pub id: TrackingId,
    /// What was decided, if anything was.
    pub decision: Option<DecisionKind>,
    /// Whether there is an entry.
    pub posted: bool,
}

/// How it stands in the account's row, where names would be most of it.
type Columns = (Timestamp, TrackingId, Option<DecisionKind>, bool);

impl From<Columns> for AccountRecord {
    fn from((at, id, decision, posted): Columns) -> Self {
        Self { at, id, decision, posted }
    }
}

impl From<AccountRecord> for Columns {
    fn from(AccountRecord { at, id, decision, posted }: AccountRecord) -> Self {
        (at, id, decision, posted)
    }
}

/// A record in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledRecord {
    pub account: AccountId,
    pub record: AccountRecord,
}
