//! Which locks the batch has, and which commands go back because others have theirs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Missing, State};
use crate::decide::lock::{Lock, LockKind, Locked, PutBack};
use crate::decide::wanted::{Loaded, Wanted};
use crate::domain::person::DirectoryKey;
use crate::domain::{SubjectKey, TrackingId};

/// What the batch may decide about.
#[derive(Debug, Default)]
pub(super) struct Locks {
    /// Nobody else can write, so there is nothing to ask for.
    alone: bool,
    granted: BTreeSet<Lock>,
    absent: BTreeSet<Lock>,
    /// What is out of reach, each with the place in the batch of the first command for which it is.
    held: BTreeMap<Lock, usize>,
    put_back: BTreeMap<usize, BTreeSet<Lock>>,
    /// Place of the command that is being decided.
    command: usize,
    named: BTreeSet<Lock>,
    blocked: bool,
}

impl Locks {
    pub(super) fn into_granted(self) -> BTreeSet<Lock> {
        self.granted
    }
}

impl State {
    /// Needs no locks: the store lets nobody else write.
    pub fn alone(mut self) -> Self {
        self.locks.alone = true;
        self
    }

    /// Leaves alone whatever names one of `held`.
    pub fn without(mut self, held: &BTreeSet<Lock>) -> Self {
        self.locks.held.extend(held.iter().map(|lock| (lock.clone(), 0)));
        self
    }

    /// The locks to ask the store for before the next load: those that a command needs, and those of subjects about to be
    /// loaded.
    pub fn locks_to_ask(&self) -> BTreeSet<Lock> {
        if self.locks.alone {
            return BTreeSet::new();
        }
        let locks = &self.locks;
        // What is out of reach from some command on is free for those before it.
        let is_out_of_reach = |lock: &Lock| locks.held.get(lock).is_some_and(|first| *first == 0);
        let is_open = |lock: &Lock| !locks.granted.contains(lock) && !is_out_of_reach(lock);
        let needed = self.wanted.locks.iter().filter(|lock| is_open(lock)).cloned();
        let hinted = self.wanted.subjects.iter().map(Lock::from);
        needed.chain(hinted.filter(|lock| is_open(lock) && !locks.absent.contains(lock))).collect()
    }

    /// The authorizations that are about to be loaded: some of them may come with the locks of their accounts.
    pub fn authorizations_to_ask(&self) -> &BTreeSet<TrackingId> {
        &self.wanted.authorizations
    }

    /// Takes in the store's answer; the rows that came with it, and what a command needs and the store has no row for.
    pub fn locked(&mut self, answer: Locked) -> (Loaded, BTreeSet<Lock>) {
        self.locks.granted.extend(answer.granted);
        self.locks.held.extend(answer.held.into_iter().map(|lock| (lock, 0)));
        let needed = answer.absent.intersection(&self.wanted.locks).cloned().collect();
        self.locks.absent.extend(answer.absent);
        (answer.loaded, needed)
    }

    /// Forgets all that was read, to read it again under the locks that the batch has by now: until then others could
    /// write it. `loaded` was read with the locks.
    pub fn read_again(self, loaded: Loaded) -> Self {
        let mut state = Self { horizon: self.horizon, locks: self.locks, wanted: self.wanted, ..Self::default() };
        state.wanted.add(self.known);
        let subjects: BTreeSet<SubjectKey> = loaded.subjects.iter().map(|subject| subject.key.clone()).collect();
        let authorizations = loaded.authorizations.iter().map(|authorization| authorization.id).collect();
        let read = Wanted { subjects, authorizations, ..Wanted::default() };
        state.wanted.subjects.retain(|key| !read.subjects.contains(key));
        state.wanted.accounts.retain(|id| !read.subjects.contains(&SubjectKey::account(id)));
        state.wanted.authorizations.retain(|id| !read.authorizations.contains(id));
        state.absorb(read, loaded);
        state
    }

    /// Begins the command at `place`, unless it was put back: then what it waits behind.
    pub(in crate::decide) fn begin_command(&mut self, place: usize) -> Result<(), PutBack> {
        let locks = &mut self.locks;
        if let Some(behind) = locks.put_back.get(&place) {
            return Err(PutBack { behind: behind.clone() });
        }
        locks.command = place;
        locks.named.clear();
        locks.blocked = false;
        self.dated.clear();
        Ok(())
    }

    /// Whether the command that was just decided named something out of reach. It goes back, and so does every later one
    /// that names what it named.
    pub(in crate::decide) fn put_back(&mut self) -> bool {
        let locks = &mut self.locks;
        if !locks.blocked {
            return false;
        }
        let named = std::mem::take(&mut locks.named);
        for lock in &named {
            let first = locks.held.entry(lock.clone()).or_insert(locks.command);
            *first = (*first).min(locks.command);
        }
        locks.put_back.insert(locks.command, named);
        true
    }

    /// Makes sure that nobody else decides about `needed` until the batch has ended.
    pub fn lock(&mut self, needed: impl IntoIterator<Item = Lock>) -> Result<(), Missing> {
        if self.locks.alone {
            return Ok(());
        }
        let mut complete = true;
        for lock in needed {
            // What this batch opens has no row to lock yet, and nobody else sees it.
            let is_opened_here =
                lock.kind == LockKind::Account && self.overlay.changes.opened.contains(lock.key.as_str());
            if self.locks.held.get(&lock).is_some_and(|first| *first <= self.locks.command) {
                self.locks.blocked = true;
                complete = false;
            } else if !is_opened_here && !self.locks.granted.contains(&lock) {
                self.wanted.locks.insert(lock.clone());
                complete = false;
            }
            self.locks.named.insert(lock);
        }
        if complete { Ok(()) } else { Err(Missing) }
    }

    /// The same for the parts of the directory where these values are or will be: whoever adds a person needs them, so that
    /// two calls at once make one.
    pub fn lock_directory<'k>(&mut self, keys: impl IntoIterator<Item = &'k DirectoryKey>) -> Result<(), Missing> {
        self.lock(keys.into_iter().map(Lock::directory))
    }
}
