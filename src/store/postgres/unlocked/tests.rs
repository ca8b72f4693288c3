mod remembering;

use sqlx::{Connection, Executor, PgConnection, query, query_scalar, raw_sql};
use uuid::Uuid;

use super::super::PostgresStore;
use super::super::throw_away::Database;
use super::*;
use crate::clock::fresh_id;
use crate::domain::{EventRef, PersonId, Subject, SubjectKey};
use crate::store::Store;

/// In another order than that of their keys, and of different versions.
const ACCOUNTS: [&str; 3] = ["4002", "4000", "4001"];

const BLOCKED: &str = "UPDATE accounts SET status = 'Blocked', last_event_at = 20 WHERE id = '4000'";

/// A store with some accounts, and another client of its database.
struct Bank {
    store: PostgresStore,
    database: Database,
    other: PgConnection,
}

impl Bank {
    async fn open() -> Self {
        let database = Database::create().await;
        let store = PostgresStore::open(std::slice::from_ref(&database.address)).await.unwrap();
        let mut other = PgConnection::connect(&database.address).await.unwrap();
        for account in ACCOUNTS {
            let opened = query(
                "INSERT INTO accounts VALUES
                    ($1, gen_random_uuid(), 'MXN', 'Active', 'standard', 'Ana', 1, 0, 0, 0, 0, 10)",
            );
            opened.bind(account).execute(&mut other).await.unwrap();
        }
        // Whose connection is kept.
        let first = store.begin().await.unwrap();
        first.commit(&Changes::default(), fresh_id(), Timestamp(1)).await.unwrap().reached().await.unwrap();
        Self { store, database, other }
    }

    fn batch(&self) -> UnlockedBatch {
        let mut batch = UnlockedBatch::on_a_kept_one(&self.store).expect("one was kept");
        // However slow the machine is.
        batch.on.heard_at = Instant::now();
        batch
    }

    /// A batch that has read the accounts, and what a call on each at 30 would write.
    async fn read(&self) -> (UnlockedBatch, Changes) {
        let mut batch = self.batch();
        let changes = Self::read_by(&mut batch).await;
        (batch, changes)
    }

    async fn read_by(batch: &mut UnlockedBatch) -> Changes {
        let Loaded { accounts, subjects, .. } = batch.lock(&locks(), &BTreeSet::new()).await.unwrap().loaded;
        let accounts = accounts.into_iter().map(|account| (account.id.clone(), account)).collect();
        let dated = |mut subject: Subject| {
            subject.last_event_at = Timestamp(30);
            (subject.key.clone(), subject)
        };
        let subjects = subjects.into_iter().map(dated).collect();
        Changes { accounts, subjects, ..Changes::default() }
    }

    /// When the accounts' last events were, as is committed: of 4000, 4001 and 4002.
    async fn last_events(&mut self) -> Vec<i64> {
        let asked = query_scalar("SELECT last_event_at FROM accounts ORDER BY id");
        asked.fetch_all(&mut self.other).await.unwrap()
    }

    async fn waits_until_somebody_waits_for_the_account(&mut self) {
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock')";
        while !query_scalar::<_, bool>(waits).fetch_one(&mut self.other).await.unwrap() {}
    }

    async fn commit_while_somebody_holds_the_accounts(
        &mut self,
        batch: UnlockedBatch,
        changes: Changes,
    ) -> Result<Durability, StoreError> {
        self.other.execute(raw_sql("BEGIN; SELECT FROM accounts FOR UPDATE")).await.unwrap();
        let committed = commit(batch, changes).await;
        self.other.execute(raw_sql("ROLLBACK")).await.unwrap();
        committed
    }

    async fn close(self) {
        self.other.close().await.unwrap();
        self.store.close().await;
        self.database.drop().await;
    }
}

fn locks() -> BTreeSet<Lock> {
    ACCOUNTS.iter().map(|id| Lock::from(&SubjectKey::new(SubjectKind::Account, *id))).collect()
}

/// Authorizations of an account that was read, of one that was not, of one that was read and of a sender, and of none; each
/// with its event.
const AUTHORIZATIONS: &str = r#"
    INSERT INTO authorizations SELECT id, account, 1000, 'MXN', NULL, 10, 110, 'Open', NULL, counted, NULL FROM (VALUES
        ('00000000-0000-7000-8000-00000000a001'::uuid, '4000', '[]'::json),
        ('00000000-0000-7000-8000-00000000a002', '4003', '[]'),
        ('00000000-0000-7000-8000-00000000a003', '4001', '[
            {"kind": "account", "key": "4001", "currency": "MXN", "at": 10, "number": 1},
            {"kind": "sender", "key": "A", "currency": "MXN", "at": 10, "number": 1}]'),
        ('00000000-0000-7000-8000-00000000a004', NULL, '[]')) AS v (id, account, counted);
    INSERT INTO events SELECT 'account', account, 'MXN', 10, 1, 1000, 1000, id, 110, NULL, FALSE
    FROM authorizations WHERE account IS NOT NULL;
    INSERT INTO events VALUES
        ('sender', 'A', 'MXN', 10, 1, 1000, 1000, '00000000-0000-7000-8000-00000000a003', 110, NULL, FALSE)"#;

/// The one that ends in this digit.
fn authorization(digit: u8) -> TrackingId {
    TrackingId::parse(&format!("00000000-0000-7000-8000-00000000a00{digit}")).unwrap()
}

fn event(kind: SubjectKind, key: &str) -> EventRef {
    let series = SeriesKey { subject: SubjectKey::new(kind, key), currency: "MXN".parse().unwrap() };
    EventRef { series, at: Timestamp(10), number: 1 }
}

fn event_of(account: &str) -> EventRef {
    event(SubjectKind::Account, account)
}

async fn commit(batch: UnlockedBatch, changes: Changes) -> Result<Durability, StoreError> {
    Box::new(batch).commit(&changes, fresh_id(), Timestamp(30)).await
}

fn is_overtaken(committed: &Result<Durability, StoreError>) -> bool {
    matches!(committed, Err(StoreError::Overtaken(_)))
}

fn needs_locks<T>(refused: &Result<T, StoreError>) -> bool {
    matches!(refused, Err(StoreError::NeedsLocks(_)))
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_nobody_has_changed_is_committed_under_the_batchs_id() {
    let mut bank = Bank::open().await;
    let (batch, changes) = bank.read().await;
    let id = fresh_id();
    Box::new(batch).commit(&changes, id, Timestamp(30)).await.unwrap().reached().await.unwrap();
    assert_eq!(bank.last_events().await, [30; 3]);
    assert!(bank.store.was_committed(id, Timestamp(30)).await.unwrap());
    let (batch, _) = bank.read().await;
    Box::new(batch).roll_back().await;
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_somebody_has_changed_since_it_was_read_is_not_written_whatever_was_loaded_after_that() {
    for loads in [false, true] {
        let mut bank = Bank::open().await;
        let (mut batch, changes) = bank.read().await;
        bank.other.execute(raw_sql(BLOCKED)).await.unwrap();
        if loads {
            batch.load(&Wanted { events: [event_of("4000")].into(), ..Wanted::default() }).await.unwrap();
        }
        let id = fresh_id();
        let committed = Box::new(batch).commit(&changes, id, Timestamp(30)).await;
        assert!(is_overtaken(&committed), "{committed:?}");
        assert_eq!(bank.last_events().await, [20, 10, 10]);
        assert!(!bank.store.was_committed(id, Timestamp(30)).await.unwrap());
        bank.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_somebody_is_changing_is_waited_for_and_then_looked_at() {
    for (ends, is_changed) in [("COMMIT", true), ("ROLLBACK", false)] {
        let mut bank = Bank::open().await;
        let (mut batch, changes) = bank.read().await;
        query("SET lock_timeout = '30s'").execute(&mut *batch.on.connection).await.unwrap();
        bank.other.execute(raw_sql("BEGIN")).await.unwrap();
        bank.other.execute(raw_sql(BLOCKED)).await.unwrap();
        let committing = tokio::spawn(commit(batch, changes));
        bank.waits_until_somebody_waits_for_the_account().await;
        bank.other.execute(raw_sql(ends)).await.unwrap();
        let committed = committing.await.unwrap();
        assert_eq!(is_overtaken(&committed), is_changed, "{committed:?} after {ends}");
        assert_eq!(bank.last_events().await, if is_changed { [20, 10, 10] } else { [30; 3] });
        bank.close().await;
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_somebody_holds_is_not_waited_for_longer_than_a_lock_is() {
    let mut bank = Bank::open().await;
    let (batch, changes) = bank.read().await;
    let committed = bank.commit_while_somebody_holds_the_accounts(batch, changes).await;
    assert!(is_overtaken(&committed), "{committed:?}");
    assert_eq!(bank.last_events().await, [10; 3]);
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn an_account_that_was_not_read_is_not_written() {
    let mut bank = Bank::open().await;
    let (mut batch, changes) = bank.read().await;
    batch.read = Some(Versions::new());
    assert!(needs_locks(&commit(batch, changes).await));
    assert_eq!(bank.last_events().await, [10; 3]);
    let (batch, _) = bank.read().await;
    Box::new(batch).roll_back().await;
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_is_of_the_accounts_that_were_read_is_loaded_and_what_is_of_others_is_not() {
    let mut bank = Bank::open().await;
    bank.other.execute(raw_sql(AUTHORIZATIONS)).await.unwrap();
    let (mut batch, _) = bank.read().await;
    let events = |event: EventRef| Wanted { events: [event].into(), ..Wanted::default() };
    let authorizations = |digit| Wanted { authorizations: [authorization(digit)].into(), ..Wanted::default() };
    let loaded = batch.load(&events(event_of("4000"))).await.unwrap();
    assert_eq!(loaded.events.iter().map(|event| event.authorization).collect::<Vec<_>>(), [authorization(1)]);
    let loaded = batch.load(&authorizations(1)).await.unwrap();
    assert_eq!(loaded.authorizations.iter().map(|found| found.id).collect::<Vec<_>>(), [authorization(1)]);
    for (strange, whose) in [
        (events(event_of("4003")), "another account's event"),
        (events(event(SubjectKind::Sender, "A")), "a sender's event"),
        (authorizations(2), "another account's authorization"),
        (authorizations(3), "an authorization with a sender's event"),
        (authorizations(4), "an authorization without an account"),
    ] {
        assert!(needs_locks(&batch.load(&strange).await), "{whose}");
    }
    Box::new(batch).roll_back().await;
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_was_loaded_of_an_account_is_relied_on_only_where_the_account_is_written() {
    let mut bank = Bank::open().await;
    bank.other.execute(raw_sql(AUTHORIZATIONS)).await.unwrap();
    let wanted = Wanted { events: [event_of("4000")].into(), ..Wanted::default() };
    for (is_written, last_events) in [(false, [10; 3]), (true, [30; 3])] {
        let (mut batch, mut changes) = bank.read().await;
        batch.load(&wanted).await.unwrap();
        if !is_written {
            changes.accounts.remove("4000");
        }
        assert_eq!(needs_locks(&commit(batch, changes).await), !is_written);
        assert_eq!(bank.last_events().await, last_events);
    }
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn whoever_needs_more_than_accounts_is_told_and_their_connection_serves_the_next() {
    let bank = Bank::open().await;
    for _ in 0..3 {
        let (mut batch, changes) = bank.read().await;
        let sender = BTreeSet::from([Lock::from(&SubjectKey::new(SubjectKind::Sender, "A"))]);
        let refused = [
            needs_locks(&batch.lock(&sender, &BTreeSet::new()).await),
            needs_locks(&batch.make_locks(&sender).await),
            needs_locks(&batch.wait_for(&sender).await),
            needs_locks(&batch.load(&Wanted { persons: [PersonId(Uuid::nil())].into(), ..Wanted::default() }).await),
            needs_locks(&batch.load(&Wanted { events: [event_of("4003")].into(), ..Wanted::default() }).await),
            needs_locks(&batch.write(&changes).await),
        ];
        assert_eq!(refused, [true; 6]);
        Box::new(batch).roll_back().await;
    }
    bank.close().await;
}
