//! A batch that locks nothing: two round trips, one that reads, and one that writes and commits if what was read is as it was.
//! Where this server remembers what it has left, there is nothing to read. Where an account's row does not tell what its windows
//! hold, or something of it is due, others between the two read that.
//!
//! Whoever changes anything of an account writes its row, and with it the row's version (`xmin`). So a batch that was decided
//! on accounts alone is right for as long as their versions are the same, and that is what its write looks at, once it
//! has each row to itself. Nothing is begun, so there is nothing to end.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use tokio::time::Instant;

use super::PostgresStore;
use super::hosts::{BatchConnection, Hosts, Origin};
use super::lock::{self, Versions};
use super::remembered::Remembered;
use super::{load, write};
use crate::decide::{Changes, Loaded, Lock, LockKind, Locked, Wanted};
use crate::domain::{AccountId, Authorization, SeriesKey, SubjectKind, Timestamp, TrackingId};
use crate::store::written::Committed;
use crate::store::{Batch, Durability, StoreError};

pub(super) struct UnlockedBatch {
    on: BatchConnection,
    batches: Hosts,
    remembered: Remembered,
    origin: Origin,
    /// Of what it was decided on, once that was asked for.
    read: Option<Versions>,
    /// Something of these accounts was read after they were.
    has_loaded: bool,
    /// The accounts that were remembered, each with the open authorizations that are known and nobody has named.
    remembered_accounts: HashMap<AccountId, Vec<Authorization>>,
    /// Something has failed on its connection.
    broken: bool,
}

impl UnlockedBatch {
    /// `None` where no connection was kept.
    pub(super) fn on_a_kept_one(store: &PostgresStore) -> Option<Self> {
        let on = store.batches.take_kept()?;
        let origin = store.batches.origin(&on);
        Some(Self {
            on,
            batches: store.batches.clone(),
            remembered: store.remembered.clone(),
            origin,
            read: None,
            has_loaded: false,
            remembered_accounts: HashMap::new(),
            broken: false,
        })
    }

    /// What is remembered of `wanted` and `named`, and the accounts' versions.
    fn remember(&mut self, wanted: &BTreeSet<Lock>, named: &BTreeSet<TrackingId>) -> (Loaded, Versions) {
        let (mut loaded, mut versions) = (Loaded::default(), Versions::new());
        // Else it is first asked whether the connection is in order: a write whose answer does not come may have been done.
        if !self.on.was_heard_lately() {
            return (loaded, versions);
        }
        for mut known in self.remembered.take(self.origin, wanted) {
            loaded.authorizations.extend(known.open.extract_if(.., |open| named.contains(&open.id)));
            let (version, others) = (known.version, std::mem::take(&mut known.open));
            let (account, subject) = known.into_row();
            versions.insert(account.id.clone(), version);
            self.remembered_accounts.insert(account.id.clone(), others);
            loaded.accounts.push(account);
            loaded.subjects.push(subject);
        }
        (loaded, versions)
    }

    fn relies_on_memory(&self) -> bool {
        !self.remembered_accounts.is_empty()
    }

    async fn look(
        &mut self,
        wanted: &BTreeSet<Lock>,
        named: &BTreeSet<TrackingId>,
    ) -> Result<(Locked, Versions), StoreError> {
        if wanted.is_empty() && named.is_empty() {
            return Ok(Default::default());
        }
        let looking = lock::look(&mut self.on.connection, wanted, named);
        let looked = self.batches.watch_first_word(self.on.host, looking).await;
        self.broken = looked.is_err();
        if !self.broken {
            self.on.heard_at = Instant::now();
        }
        looked
    }
}

fn more_is_needed() -> StoreError {
    StoreError::NeedsLocks("it is not about accounts alone, or does not write what it relies on".to_owned())
}

#[async_trait]
impl Batch for UnlockedBatch {
    fn is_alone(&self) -> bool {
        false
    }

    async fn lock(&mut self, wanted: &BTreeSet<Lock>, named: &BTreeSet<TrackingId>) -> Result<Locked, StoreError> {
        if self.read.is_some() || wanted.iter().any(|lock| lock.kind != LockKind::Account) {
            return Err(more_is_needed());
        }
        let (known, mut versions) = self.remember(wanted, named);
        let is_unknown = |lock: &&Lock| !versions.contains_key(lock.key.as_str());
        let unknown: BTreeSet<Lock> = wanted.iter().filter(is_unknown).cloned().collect();
        let known_of_named: BTreeSet<TrackingId> = known.authorizations.iter().map(|open| open.id).collect();
        let unknown_of_named = named.difference(&known_of_named).copied().collect();
        let (mut locked, looked_at) = self.look(&unknown, &unknown_of_named).await?;
        versions.extend(looked_at);
        locked.granted.extend(wanted.difference(&unknown).cloned());
        locked.loaded.accounts.extend(known.accounts);
        locked.loaded.subjects.extend(known.subjects);
        locked.loaded.authorizations.extend(known.authorizations);
        self.read = Some(versions);
        Ok(locked)
    }

    async fn make_locks(&mut self, _absent: &BTreeSet<Lock>) -> Result<(), StoreError> {
        Err(more_is_needed())
    }

    async fn wait_for(&mut self, _wanted: &BTreeSet<Lock>) -> Result<(), StoreError> {
        Err(more_is_needed())
    }

    /// What is of the accounts that were read, as it is by now: whoever changes any of it writes the account's row, and where
    /// one was changed since, the write will find that out.
    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        let versions = self.read.as_ref().ok_or_else(more_is_needed)?;
        let of_those = |series: &SeriesKey| {
            series.subject.kind == SubjectKind::Account && versions.contains_key(series.subject.key.as_str())
        };
        if !wanted.is_of_series(of_those) {
            return Err(more_is_needed());
        }
        self.has_loaded = true;
        let loading = load::load(&mut self.on.connection, wanted);
        let loaded = self.batches.watch_host(self.on.host, loading).await;
        self.broken = loaded.is_err();
        let loaded = loaded?;
        let mut accounts = loaded.authorizations.iter().map(|found| found.account.as_ref());
        let are_of_those = accounts.all(|account| account.is_some_and(|id| versions.contains_key(id)))
            && loaded.events.iter().all(|event| of_those(&event.series));
        if are_of_those { Ok(loaded) } else { Err(more_is_needed()) }
    }

    async fn write(&mut self, _changes: &Changes) -> Result<(), StoreError> {
        Err(more_is_needed())
    }

    async fn roll_back(self: Box<Self>) {
        if self.broken {
            self.on.close();
        } else {
            self.batches.keep(self.on);
        }
    }

    async fn commit(
        mut self: Box<Self>,
        changes: &Changes,
        batch: TrackingId,
        at: Timestamp,
    ) -> Result<Durability, StoreError> {
        let versions = self.read.take().unwrap_or_default();
        // What was read at several moments is right only where the accounts have not changed in between, which is looked at of
        // those that are written.
        if (self.has_loaded || self.relies_on_memory())
            && !versions.keys().all(|account| changes.accounts.contains_key(account))
        {
            self.batches.keep(self.on);
            return Err(more_is_needed());
        }
        let committed = Committed { id: batch, at };
        let written = write::write_if_unchanged(&mut self.on.connection, changes, committed, &versions);
        match self.batches.watch_host(self.on.host, written).await {
            Ok(version) => {
                self.on.heard_at = Instant::now();
                self.batches.keep(self.on);
                if let Some(version) = version {
                    self.remembered.learn(self.origin, version, changes, self.remembered_accounts);
                }
                Ok(Durability::Reached)
            }
            Err(outdated @ StoreError::Outdated(_)) if self.relies_on_memory() => {
                self.batches.keep(self.on);
                self.remembered.mistrust();
                Err(outdated)
            }
            Err(StoreError::Outdated(why) | StoreError::Overtaken(why)) => {
                self.batches.keep(self.on);
                Err(StoreError::Overtaken(why))
            }
            Err(needed_more @ StoreError::NeedsLocks(_)) => {
                self.batches.keep(self.on);
                Err(needed_more)
            }
            Err(error) => {
                self.remembered.forget_all();
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
