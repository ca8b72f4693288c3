//! What a batch need not read, because this server has left it so.

use super::*;
use crate::domain::{AccountId, Authorization, AuthorizationState, Status};
use crate::store::postgres::remembered::Known;
use crate::store::postgres::transaction;

/// From now on whoever reads one of these tables waits, and gives up.
const CLOSED: &str = "BEGIN; LOCK TABLE accounts, authorizations IN ACCESS EXCLUSIVE MODE";

impl Bank {
    /// One whose accounts a batch has just written.
    async fn that_remembers() -> Self {
        let bank = Self::open().await;
        bank.write_with(None).await;
        bank
    }

    /// A batch that writes the accounts, and this authorization of one of them.
    async fn write_with(&self, authorization: Option<Authorization>) {
        let (batch, mut changes) = self.read().await;
        changes.authorizations = authorization.into_iter().map(|changed| (changed.id, changed)).collect();
        leave(batch, changes).await;
    }

    async fn read_while_nobody_can(&mut self) -> (UnlockedBatch, Changes) {
        self.other.execute(raw_sql(CLOSED)).await.unwrap();
        let read = self.read().await;
        self.other.execute(raw_sql("ROLLBACK")).await.unwrap();
        read
    }

    async fn block(&mut self) {
        self.other.execute(raw_sql(BLOCKED)).await.unwrap();
    }

    /// What is known of the accounts, with their authorizations; from now on nothing is.
    async fn forgets(&self) -> Vec<(AccountId, Vec<Authorization>)> {
        let batch = self.batch();
        let origin = batch.origin;
        Box::new(batch).roll_back().await;
        let known = self.store.remembered.take(origin, &locks()).into_iter();
        let told = |known: Known| {
            let open = known.open.clone();
            (known.into_row().0.id, open)
        };
        known.map(told).collect()
    }
}

/// Commits what then is remembered.
async fn leave(batch: UnlockedBatch, changes: Changes) {
    commit(batch, changes).await.unwrap().reached().await.unwrap();
}

fn is_blocked(changes: &Changes) -> bool {
    changes.accounts["4000"].status == Status::Blocked
}

fn is_outdated(committed: &Result<Durability, StoreError>) -> bool {
    matches!(committed, Err(StoreError::Outdated(_)))
}

fn an_authorization() -> Authorization {
    Authorization {
        id: authorization(1),
        account: Some(AccountId::new("4000")),
        amount: 1_000,
        currency: Some("MXN".parse().unwrap()),
        exchange_rate: Some("18.50".parse().unwrap()),
        at: Timestamp(30),
        expires_at: Timestamp(130),
        state: AuthorizationState::Open,
        sender: None,
        counted: vec![event_of("4000")],
        credit: None,
        bound_credit: None,
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_a_batch_has_left_the_next_one_does_not_read() {
    let mut bank = Bank::that_remembers().await;
    let (batch, remembered) = bank.read_while_nobody_can().await;
    let left = (remembered.accounts.clone(), remembered.subjects.clone());
    leave(batch, remembered).await;
    assert_eq!(bank.last_events().await, [30; 3]);
    bank.forgets().await;
    let (batch, read) = bank.read().await;
    assert_eq!(left, (read.accounts, read.subjects));
    Box::new(batch).roll_back().await;
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn who_has_changed_an_account_is_found_out_and_then_nothing_is_remembered_for_a_while() {
    let mut bank = Bank::that_remembers().await;
    bank.block().await;
    let (batch, changes) = bank.read().await;
    assert!(!is_blocked(&changes));
    assert!(is_outdated(&commit(batch, changes).await));
    let (batch, changes) = bank.read().await;
    assert!(is_blocked(&changes));
    leave(batch, changes).await;
    assert_eq!(bank.forgets().await, []);
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn nothing_is_written_for_an_account_that_is_gone() {
    for gone in ["DELETE FROM accounts WHERE id = '4000'", "DELETE FROM accounts"] {
        let mut bank = Bank::that_remembers().await;
        let (batch, changes) = bank.read_while_nobody_can().await;
        bank.other.execute(raw_sql(gone)).await.unwrap();
        assert!(is_outdated(&commit(batch, changes).await), "{gone}");
        assert!(bank.last_events().await.len() < ACCOUNTS.len());
        bank.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn who_only_holds_an_account_for_too_long_has_not_changed_it() {
    let mut bank = Bank::that_remembers().await;
    let (batch, changes) = bank.read().await;
    assert!(is_overtaken(&bank.commit_while_somebody_holds_the_accounts(batch, changes).await));
    bank.write_with(None).await;
    assert_eq!(bank.forgets().await.len(), ACCOUNTS.len());
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_this_server_writes_under_locks_is_forgotten() {
    let bank = Bank::open().await;
    let (unlocked, changes) = bank.read().await;
    Box::new(unlocked).roll_back().await;
    bank.write_with(None).await;
    let locked = bank.store.begin().await.unwrap();
    locked.commit(&changes, fresh_id(), Timestamp(30)).await.unwrap().reached().await.unwrap();
    assert_eq!(bank.forgets().await, []);
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_is_not_remembered_is_read_beside_what_is() {
    let mut bank = Bank::that_remembers().await;
    bank.store.remembered.forget([&AccountId::new("4000")]);
    bank.block().await;
    let (batch, changes) = bank.read().await;
    assert!(is_blocked(&changes));
    leave(batch, changes).await;
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_was_remembered_is_relied_on_only_where_the_account_is_written() {
    let bank = Bank::that_remembers().await;
    let (batch, mut changes) = bank.read().await;
    changes.accounts.remove("4000");
    assert!(needs_locks(&commit(batch, changes).await));
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn an_authorization_is_remembered_as_it_would_be_read_until_it_is_used() {
    let mut bank = Bank::open().await;
    let named = BTreeSet::from([authorization(1)]);
    let (batch, mut changes) = bank.read().await;
    changes.authorizations.insert(authorization(1), an_authorization());
    changes.issued.insert(authorization(1));
    leave(batch, changes).await;

    let mut batch = bank.batch();
    bank.other.execute(raw_sql(CLOSED)).await.unwrap();
    let remembered = batch.lock(&locks(), &named).await.unwrap().loaded.authorizations;
    bank.other.execute(raw_sql("ROLLBACK")).await.unwrap();
    Box::new(batch).roll_back().await;
    let mut batch = bank.batch();
    assert_eq!(batch.lock(&locks(), &named).await.unwrap().loaded.authorizations, remembered);
    assert_eq!(remembered, [an_authorization()]);
    Box::new(batch).roll_back().await;

    let changed = |state| Some(Authorization { state, ..an_authorization() });
    for (change, known) in [(None, 1), (changed(AuthorizationState::Open), 1), (changed(AuthorizationState::Voided), 0)]
    {
        bank.write_with(Some(an_authorization())).await;
        bank.write_with(change.clone()).await;
        let open: Vec<_> = bank.forgets().await.into_iter().flat_map(|(_, open)| open).collect();
        assert_eq!(open.len(), known, "{change:?}");
    }
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_connection_that_was_silent_for_a_while_is_asked_before_anything_is_written() {
    let mut bank = Bank::that_remembers().await;
    bank.block().await;
    let mut batch = bank.batch();
    batch.on.heard_at -= std::time::Duration::from_secs(1);
    assert!(is_blocked(&Bank::read_by(&mut batch).await));
    Box::new(batch).roll_back().await;
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn once_a_connection_was_opened_nothing_is_known_any_more() {
    let mut bank = Bank::that_remembers().await;
    let [mut kept, opened] = [bank.store.batches.begin_batch().await, bank.store.batches.begin_batch().await];
    drop(opened);
    transaction::commit(&mut kept.as_mut().unwrap().connection).await.unwrap();
    bank.store.batches.keep(kept.unwrap());
    bank.block().await;
    let (batch, changes) = bank.read().await;
    assert!(is_blocked(&changes));
    leave(batch, changes).await;
    bank.close().await;
}
