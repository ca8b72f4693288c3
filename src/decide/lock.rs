//! What a batch must have to itself, where several servers write one database.

use std::collections::BTreeSet;
use std::fmt;

use compact_str::{CompactString, ToCompactString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::wanted::Loaded;
use crate::domain::person::DirectoryKey;
use crate::domain::{SubjectKey, SubjectKind};

/// Something that one transaction at a time may decide about: a subject with all that is kept about it, or a part of the
/// directory, where persons are found and added.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lock {
    pub kind: LockKind,
    pub key: CompactString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockKind {
    Account,
    Sender,
    Receiver,
    Directory,
}

impl Lock {
    /// One of the 256 parts of the directory, by the value's hash: two calls about one person share a part whatever else
    /// they say, and a file of a million people needs 256 locks.
    pub fn directory(key: &DirectoryKey) -> Self {
        let [part, ..]: [u8; 32] = Sha256::digest(key.value.as_bytes()).into();
        Self { kind: LockKind::Directory, key: part.to_compact_string() }
    }

    /// All parts of the directory.
    pub fn whole_directory() -> BTreeSet<Self> {
        (0..=u8::MAX).map(|part| Self { kind: LockKind::Directory, key: part.to_compact_string() }).collect()
    }
}

impl From<&SubjectKey> for Lock {
    fn from(subject: &SubjectKey) -> Self {
        let kind = match subject.kind {
            SubjectKind::Account => LockKind::Account,
            SubjectKind::Sender => LockKind::Sender,
            SubjectKind::Receiver => LockKind::Receiver,
        };
        Self { kind, key: subject.key.clone() }
    }
}

impl fmt::Debug for Lock {
    /// The kind alone: a sender's key is personal data and belongs in no message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lock({:?})", self.kind)
    }
}

/// What became of asking for locks.
#[derive(Debug, Default)]
pub struct Locked {
    pub granted: BTreeSet<Lock>,
    /// Another transaction has them.
    pub held: BTreeSet<Lock>,
    /// The store has no row for them: nobody has ever locked them, or the account is not opened yet.
    pub absent: BTreeSet<Lock>,
    /// The rows of accounts and subjects that were granted, and of authorizations of such accounts, as they stay until the
    /// batch ends, or it is not committed.
    pub loaded: Loaded,
}

/// The command names something that another transaction holds, or that an earlier command waits for. Nothing of it was
/// done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutBack {
    /// All that the command is known to name: later commands on any of it come after.
    pub behind: BTreeSet<Lock>,
}
