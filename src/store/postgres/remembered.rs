//! Accounts as this server has left them: a batch on them need not read them again.
//!
//! A guess, and a good one for a server that is alone on its accounts. Where it is wrong, the version of the account's row
//! says so when the batch is written; then others write the same accounts, too, and nothing is remembered for a while.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use super::hosts::Origin;
use crate::decide::{Changes, Lock};
use crate::domain::record::AccountRecord;
use crate::domain::subject::Heads;
use crate::domain::{Account, AccountId, Authorization, AuthorizationState, Subject, SubjectKey, Timestamp};

/// How many accounts are remembered, those of the latest batches; one to two kilobytes each.
const AT_MOST: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// How many of an account's open authorizations are remembered, the newest: nobody credits the others soon.
const OPEN_AT_MOST: usize = 4;

/// How long nothing is remembered after somebody else was found to write the same accounts.
const NOTHING_FOR: Duration = Duration::from_secs(60);

/// Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Remembered(Arc<Mutex<Memory>>);

struct Memory {
    /// Everything was learned from there.
    origin: Origin,
    accounts: LruCache<AccountId, Known>,
    nothing_until: Option<Instant>,
}

/// An account in one version of its row.
pub(super) struct Known {
    pub version: i64,
    /// Some of the authorizations that wait for their credit.
    pub open: Vec<Authorization>,
    account: Account,
    last_event_at: Timestamp,
    series: Heads,
    unfiled: Vec<AccountRecord>,
}

impl Known {
    fn new(version: i64, account: &Account, subject: &Subject, mut open: Vec<Authorization>) -> Self {
        open.drain(..open.len().saturating_sub(OPEN_AT_MOST));
        open.shrink_to_fit();
        Self {
            version,
            open,
            account: account.clone(),
            last_event_at: subject.last_event_at,
            series: subject.series.clone(),
            unfiled: subject.unfiled.clone(),
        }
    }

    pub(super) fn into_row(self) -> (Account, Subject) {
        let key = SubjectKey::account(&self.account.id);
        (self.account, Subject { key, last_event_at: self.last_event_at, series: self.series, unfiled: self.unfiled })
    }
}

impl fmt::Debug for Remembered {
    /// The name alone: what it holds belongs in no message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}

impl Default for Remembered {
    fn default() -> Self {
        let memory = Memory { origin: Origin::default(), accounts: LruCache::new(AT_MOST), nothing_until: None };
        Self(Arc::new(Mutex::new(memory)))
    }
}

impl Remembered {
    /// What is known of the accounts among `wanted`. From then on nothing is, until a batch has left them in order.
    pub(super) fn take(&self, origin: Origin, wanted: &BTreeSet<Lock>) -> Vec<Known> {
        let mut memory = self.lock();
        if memory.origin != origin {
            memory.origin = origin;
            memory.accounts.clear();
        }
        wanted.iter().filter_map(|lock| memory.accounts.pop(lock.key.as_str())).collect()
    }

    /// Takes in the accounts as a batch has left them, all in one `version`; before, they had these authorizations.
    pub(super) fn learn(
        &self,
        origin: Origin,
        version: i64,
        changes: &Changes,
        mut open: HashMap<AccountId, Vec<Authorization>>,
    ) {
        let mut memory = self.lock();
        if memory.origin != origin || memory.nothing_until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        for authorization in changes.authorizations.values() {
            let Some(account) = &authorization.account else { continue };
            let open = open.entry(account.clone()).or_default();
            open.retain(|known| known.id != authorization.id);
            if comes_with_its_account(authorization) {
                open.push(authorization.clone());
            }
        }
        for (account, subject) in changes.changed_accounts() {
            let open = open.remove(&account.id).unwrap_or_default();
            memory.accounts.push(account.id.clone(), Known::new(version, account, subject, open));
        }
    }

    /// These are written in another way.
    pub(super) fn forget<'a>(&self, accounts: impl IntoIterator<Item = &'a AccountId>) {
        let mut memory = self.lock();
        for account in accounts {
            memory.accounts.pop(account);
        }
    }

    /// Something has failed that relied on it.
    pub(super) fn forget_all(&self) {
        self.lock().accounts.clear();
    }

    /// Somebody else writes the same accounts.
    pub(super) fn mistrust(&self) {
        let mut memory = self.lock();
        memory.accounts.clear();
        memory.nothing_until = Some(Instant::now() + NOTHING_FOR);
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a batch that names it would get it with its account, and as it is here: open, and counted for nobody else.
fn comes_with_its_account(authorization: &Authorization) -> bool {
    authorization.state == AuthorizationState::Open
        && authorization.bound_credit.is_none()
        && authorization.counted.len() <= 1
}
