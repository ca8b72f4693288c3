//! What every store does alike: each test runs on the store that `VNA_TEST_STORE` names.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use vna_partner::clock;
use vna_partner::decide::{Changes, DueRange, Lock, UnusedKey, Wanted};
use vna_partner::domain::subject::Earliest;
use vna_partner::domain::{
    AccountId, AuthorizationState, CreditState, Currency, DecisionKind, Reason, SeriesKey, Status, SubjectKey,
    SubjectKind, Timestamp, TrackingId,
};
use vna_partner::store::postgres::PostgresStore;
use vna_partner::store::sqlite::SqliteStore;
use vna_partner::store::{
    self, AccountFilter, AmbiguousFilter, AuthorizationFilter, ChangeFilter, CreditFilter, DecisionFilter, Page,
    ReversalFilter, StoreError,
};

mod deadlines;

#[path = "../it/support/database.rs"]
#[expect(dead_code, reason = "a store alone needs no folder")]
mod database;

use database::Database;

const PAGE: Page = Page { limit: 20, offset: 0 };

/// A store with the sound books of `books.sql`.
struct Books {
    store: Arc<dyn store::Database>,
    database: Database,
}

impl Books {
    /// A statement that the store itself never makes.
    async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap();
    }

    async fn try_run(&self, sql: &str) -> Result<(), sqlx::Error> {
        self.database.run(sql).await
    }

    fn is_sqlite(&self) -> bool {
        self.database.is_sqlite()
    }

    /// Takes away what the database itself refuses, so that damage can be done.
    async fn unguard(&self) {
        self.run("DROP INDEX entries_once_per_credit").await;
        for (table, trigger) in [
            ("entries", "entries_stay"),
            ("entries", "entries_are_kept"),
            ("postings", "postings_stay"),
            ("postings", "postings_are_kept"),
        ] {
            let of_table = if self.is_sqlite() { String::new() } else { format!(" ON {table}") };
            self.run(&format!("DROP TRIGGER {trigger}{of_table}")).await;
        }
    }

    async fn has_batch(&self, id: TrackingId) -> bool {
        let query = AssertSqlSafe(format!("SELECT count(*) FROM batches WHERE CAST(id AS text) = '{id}'"));
        let url = &self.database.url;
        let found: i64 = if self.is_sqlite() {
            sqlx::query_scalar(query).fetch_one(&mut SqliteConnection::connect(url).await.unwrap()).await.unwrap()
        } else {
            sqlx::query_scalar(query).fetch_one(&mut PgConnection::connect(url).await.unwrap()).await.unwrap()
        };
        found > 0
    }

    async fn broken_claims(&self) -> Vec<&'static str> {
        let checks = self.store.audit().await.unwrap();
        checks.into_iter().filter(|check| !check.offenders.is_empty()).map(|check| check.claim).collect()
    }
}

async fn sound_books() -> Books {
    let database = Database::fresh().await;
    let store: Arc<dyn store::Database> = if database.is_sqlite() {
        Arc::new(SqliteStore::open_to_serve(&database.url).await.unwrap())
    } else {
        Arc::new(PostgresStore::open(std::slice::from_ref(&database.url)).await.unwrap())
    };
    let books = Books { store, database };
    books.run(include_str!("books.sql")).await;
    books
}

fn id(last: &str) -> TrackingId {
    TrackingId::parse(&format!("00000000-0000-7000-8000-00000000{last}")).unwrap()
}

#[tokio::test]
async fn every_kind_of_row_is_read_back() {
    let books = sound_books().await;
    let store = &books.store;
    let (account, person) = store.account(&AccountId::new("4000")).await.unwrap().unwrap();
    assert_eq!((account.balance, person.keys.len(), person.documents.len()), (1_307, 1, 1));
    assert_eq!(store.account(&AccountId::new("4009")).await.unwrap(), None);
    assert_eq!(store.authorization(id("a001")).await.unwrap().unwrap().exchange_rate, Some("17.25".parse().unwrap()));
    assert!(store.credit(id("c001")).await.unwrap().unwrap().referenced);
    assert!(!store.credit(id("c002")).await.unwrap().unwrap().referenced);
    assert_eq!(store.reversals(&ReversalFilter::default(), PAGE).await.unwrap().total, 1);
    assert_eq!(store.ambiguous_credits(&AmbiguousFilter::default(), PAGE).await.unwrap().total, 1);
    assert_eq!(store.enrolment("aa").await.unwrap().unwrap().expires_at, Timestamp(2));
    assert_eq!(store.rules_text("v1").await.unwrap().as_deref(), Some("# rules"));
    assert_eq!(store.latest_batch_at().await.unwrap(), Some(Timestamp(99)));
    let changes = store.changes(&ChangeFilter { account: Some(AccountId::new("4001")) }, PAGE).await.unwrap();
    assert_eq!(changes.items[0].case_number.as_deref(), Some("C-1"));
    assert_eq!(store.changes(&ChangeFilter::default(), PAGE).await.unwrap(), changes);
}

#[tokio::test]
async fn a_decision_keeps_every_byte_of_its_request() {
    let books = sound_books().await;
    let store = &books.store;
    let sent = r#"{ "Amount" : 10.00, "Note":"caf\u00e9", "Amount2":1e1 }"#;
    assert_eq!(store.decision(id("a001")).await.unwrap().unwrap().request.text(), sent);
    let approved = DecisionFilter { approved: Some(true), ..DecisionFilter::default() };
    assert_eq!(store.decisions(&approved, PAGE).await.unwrap().items.pop().unwrap().request.text(), sent);
}

#[tokio::test]
async fn lists_are_newest_first_and_their_total_is_not_their_page() {
    let books = sound_books().await;
    let store = &books.store;
    let all = store.authorizations(&AuthorizationFilter::default(), PAGE).await.unwrap();
    assert_eq!((all.total, all.items.len(), all.items[0].id), (7, 7, id("a007")));
    let account = Some(AccountId::new("4000"));
    let filter = AuthorizationFilter { account: account.clone(), ..AuthorizationFilter::default() };
    let second = store.authorizations(&filter, Page { limit: 1, offset: 1 }).await.unwrap();
    assert_eq!((second.total, second.items.len(), second.items[0].id), (6, 1, id("a005")));
    let beyond = store.authorizations(&filter, Page { limit: 1, offset: 100 }).await.unwrap();
    assert_eq!((beyond.total, beyond.items.len()), (6, 0));
    let statement = store.statement(&AccountId::new("4000"), PAGE).await.unwrap();
    assert_eq!((statement.total, statement.items[0].entry), (6, id("f001")));
}

#[tokio::test]
async fn every_filter_filters() {
    let books = sound_books().await;
    let store = &books.store;
    let account = Some(AccountId::new("4000"));
    for (filter, expected) in [
        (AccountFilter { status: Some(Status::Blocked), ..AccountFilter::default() }, 1),
        (AccountFilter { tier: Some("standard".to_owned()), ..AccountFilter::default() }, 1),
        (AccountFilter { currency: Some("USD".parse().unwrap()), ..AccountFilter::default() }, 0),
        (AccountFilter::default(), 2),
    ] {
        assert_eq!(store.accounts(&filter, PAGE).await.unwrap().total, expected, "{filter:?}");
    }
    for account in [None, account.clone()] {
        let open = AuthorizationFilter {
            account: account.clone(),
            state: Some(AuthorizationState::Open),
            amount: Some(100),
            currency: Some("MXN".parse().unwrap()),
        };
        assert_eq!(store.authorizations(&open, PAGE).await.unwrap().total, 1);
        let other = AuthorizationFilter { amount: Some(101), ..open.clone() };
        assert_eq!(store.authorizations(&other, PAGE).await.unwrap().total, 0);
        let any_open = AuthorizationFilter { amount: None, ..open.clone() };
        assert_eq!(store.authorizations(&any_open, PAGE).await.unwrap().total, 1);
        let reversed = CreditFilter { account: account.clone(), state: Some(CreditState::Reversed) };
        assert_eq!(store.credits(&reversed, PAGE).await.unwrap().items[0].id, id("c002"));
        let waiting = CreditFilter { account: account.clone(), state: Some(CreditState::InProgress) };
        assert_eq!(store.credits(&waiting, PAGE).await.unwrap().total, 0);
    }
    let refused = DecisionFilter {
        account: None,
        kind: Some(DecisionKind::Authorization),
        approved: Some(false),
        reason: Some(Reason::InvalidAccount),
    };
    assert_eq!(store.decisions(&refused, PAGE).await.unwrap().items[0].id, id("a007"));
    let credits = DecisionFilter { account: account.clone(), kind: Some(DecisionKind::Credit), ..Default::default() };
    assert_eq!(store.decisions(&credits, PAGE).await.unwrap().total, 4);
    let of_account = DecisionFilter { account, ..DecisionFilter::default() };
    assert_eq!(store.decisions(&of_account, PAGE).await.unwrap().items[0].id, id("a006"));
}

#[tokio::test]
async fn sound_books_pass_the_audit() {
    let books = sound_books().await;
    let store = &books.store;
    for check in store.audit().await.unwrap() {
        assert_eq!(check.offenders, Vec::<String>::new(), "{}", check.claim);
        assert!(check.checked > 0, "{} was checked on nothing", check.claim);
    }
}

#[tokio::test]
async fn an_audit_names_what_is_wrong_and_no_sender() {
    for (damage, claim) in [
        ("UPDATE postings SET amount = amount + 1 WHERE book = 'Payouts'", "each entry has postings"),
        ("UPDATE postings SET amount = amount + 1 WHERE book = 'Payouts'", "the postings of each currency"),
        ("DELETE FROM postings WHERE entry = '#c001'", "each entry has postings"),
        ("UPDATE postings SET currency = 'USD' WHERE entry = '#c001'", "each entry has postings"),
        ("DELETE FROM entries WHERE id = '#f001'", "each posting belongs to an entry"),
        ("DELETE FROM accounts WHERE id = '4000'", "each entry belongs to an account"),
        ("UPDATE accounts SET currency = 'USD'", "each entry belongs to an account"),
        ("UPDATE credits SET account = '4001'", "each entry belongs to an account"),
        ("UPDATE accounts SET balance = 1 WHERE id = '4001'", "each balance"),
        ("UPDATE accounts SET receivable = 1 WHERE id = '4000'", "each balance"),
        ("UPDATE accounts SET opening_balance = 1 WHERE id = '4001'", "each balance"),
        ("UPDATE accounts SET pending = 1 WHERE id = '4000'", "each pending amount"),
        ("UPDATE credits SET state = 'InProgress' WHERE id = '#c001'", "each pending amount"),
        ("DELETE FROM authorizations WHERE id = '#a001'", "each credit has its authorization"),
        ("UPDATE authorizations SET amount = 1 WHERE id = '#a001'", "each credit has its authorization"),
        ("UPDATE authorizations SET state = 'Voided' WHERE id = '#a001'", "each credit has its authorization"),
        ("UPDATE credits SET late = NULL", "each credit after its authorization's deadline"),
        ("UPDATE credits SET late = 'Accepted' WHERE id = '#c001'", "each credit after its authorization's deadline"),
        ("DELETE FROM credits WHERE id = '#c001'", "each authorization that is bound to a credit"),
        ("DELETE FROM credits WHERE id = '#c002'", "each authorization that is bound to a credit"),
        ("DELETE FROM credits WHERE id = '#c003'", "exactly what expired"),
        ("UPDATE marks SET at = 201", "no authorization is open whose deadline"),
        (
            "INSERT INTO entries SELECT account, '#f002', kind, credit, currency, at FROM entries WHERE id = '#c001'",
            "no authorization is credited twice",
        ),
        (
            "INSERT INTO entries SELECT account, '#f002', 'SettlementFailure', credit, currency, at FROM entries \
             WHERE id = '#e001'",
            "no credit is reversed or taken back twice",
        ),
        (
            "INSERT INTO entries SELECT account, '#f003', 'Credit', id, currency, at FROM credits WHERE id = '#c003'",
            "each credit has the entries of its state",
        ),
        ("UPDATE credits SET state = 'Approved' WHERE id = '#c002'", "the clearing book holds"),
        ("UPDATE credits SET amount = 999 WHERE id = '#c001'", "the clearing book holds"),
        ("DELETE FROM reversals", "each reversed credit has its reversal"),
        ("UPDATE reversals SET amount = 1", "each reversed credit has its reversal"),
        ("DELETE FROM account_records WHERE id = '#c001'", "each decision about an account"),
        ("UPDATE account_records SET decision = 'Reversal' WHERE id = '#c001'", "each decision about an account"),
        ("UPDATE account_records SET posted = NOT posted WHERE id = '#c001'", "each decision about an account"),
        ("UPDATE account_records SET account = '4001' WHERE id = '#c002'", "each decision about an account"),
        ("UPDATE accounts SET unfiled = '[]'", "each decision about an account"),
        ("UPDATE accounts SET currency = 'USD' WHERE id = '4000'", "each decision about an account"),
        ("UPDATE events SET late = NOT late WHERE number = 6", "each decision about an account"),
        ("UPDATE events SET late = NOT late WHERE number = 7", "each decision about an account"),
        (
            "INSERT INTO account_records VALUES ('4000', 95, '#a006', 'Authorization', FALSE)",
            "each decision about an account",
        ),
        ("UPDATE events SET number = 9 WHERE number = 7", "the events of each series"),
        ("UPDATE events SET running = 0 WHERE number = 7", "the events of each series"),
        ("UPDATE events SET at = 1 WHERE number = 7", "the events of each series"),
        (
            "UPDATE accounts SET series = '{\"MXN\":{\"events\":8,\"amount\":3400}}' WHERE id = '4000'",
            "each series' count",
        ),
        (
            "UPDATE subjects SET series = '{\"MXN\":{\"events\":1,\"amount\":8}}' WHERE kind = 'sender'",
            "each series' count",
        ),
        (
            "UPDATE subjects SET series = '{\"MXN\":{\"events\":1,\"amount\":300,\
             \"starts\":[{\"upto\":60,\"events\":1,\"amount\":299}]}}' WHERE kind = 'sender'",
            "each series' count",
        ),
        (
            "UPDATE subjects SET series = '{\"MXN\":{\"events\":1,\"amount\":300,\"first_at\":49}}' WHERE kind = 'sender'",
            "each series says when it began",
        ),
        (
            "UPDATE subjects SET series = '{\"MXN\":{\"events\":1,\"amount\":300,\"first_at\":50,\
             \"starts\":[{\"upto\":40,\"events\":0,\"amount\":0,\"next_at\":51}]}}' WHERE kind = 'sender'",
            "each series says when it began",
        ),
        ("UPDATE events SET released = 'Expiry' WHERE number = 3", "each series' count"),
        ("UPDATE subjects SET series = '{}' WHERE kind = 'sender'", "each series' count"),
        ("UPDATE events SET due_at = 59 WHERE kind = 'sender'", "each series says how many of its events are open"),
        ("UPDATE events SET due_at = NULL WHERE kind = 'sender'", "each series says how many of its events are open"),
        (
            "UPDATE authorizations SET expires_at = 199 WHERE id = '#a006'",
            "each series says how many of its events are open",
        ),
        (
            "UPDATE authorizations SET state = 'Open' WHERE id = '#a005'",
            "each series says how many of its events are open",
        ),
        ("DELETE FROM credits WHERE id = '#c001'", "each series says how many of its events are open"),
        ("UPDATE release_nodes SET count = count + 1 WHERE level = 3", "each node of a release tree"),
        ("DELETE FROM release_nodes WHERE level = 4", "each node of a release tree"),
        ("UPDATE release_nodes SET level = 5 WHERE level = 4", "each node of a release tree"),
        ("UPDATE accounts SET last_event_at = 1", "no event is dated after"),
        ("UPDATE subjects SET last_event_at = 1", "no event is dated after"),
        ("DELETE FROM subjects", "no event is dated after"),
        ("DELETE FROM events WHERE number = 7", "each authorization and each late credit is counted"),
        ("UPDATE events SET amount = 1 WHERE number = 6", "each authorization and each late credit is counted"),
        ("UPDATE authorizations SET counted = '[]' WHERE id = '#a005'", "each event that counts"),
        ("UPDATE authorizations SET state = 'Voided' WHERE id = '#a006'", "exactly what expired"),
        ("UPDATE events SET due_at = 1 WHERE number = 1 AND kind = 'account'", "exactly what expired"),
        ("UPDATE events SET due_at = 199 WHERE number = 7", "exactly what expired"),
        ("UPDATE events SET due_at = 199 WHERE number = 6", "exactly what expired"),
        ("UPDATE events SET due_at = NULL WHERE kind = 'sender'", "exactly what expired"),
        ("UPDATE events SET released = NULL WHERE number = 2", "exactly what expired"),
        ("UPDATE events SET released = 'Reversal' WHERE number = 6", "exactly what expired"),
    ] {
        let books = sound_books().await;
        books.unguard().await;
        books.run(&damage.replace('#', "00000000-0000-7000-8000-00000000")).await;
        let broken = books.broken_claims().await;
        assert!(broken.iter().any(|found| found.starts_with(claim)), "{damage} broke only {broken:?}");
        for check in books.store.audit().await.unwrap() {
            assert!(check.offenders.iter().all(|offender| !offender.contains("15550100")), "{:?}", check.offenders);
        }
    }
}

#[tokio::test]
async fn entries_and_postings_are_only_ever_added() {
    let books = sound_books().await;
    for refused in
        ["UPDATE entries SET at = 0", "DELETE FROM entries", "UPDATE postings SET amount = 0", "DELETE FROM postings"]
    {
        assert!(books.try_run(refused).await.is_err(), "{refused}");
    }
}

#[tokio::test]
async fn a_batch_that_was_committed_is_known_to_be() {
    let books = sound_books().await;
    books
        .store
        .begin()
        .await
        .unwrap()
        .commit(&Changes::default(), id("ba02"), Timestamp(100))
        .await
        .unwrap()
        .reached()
        .await
        .unwrap();
    assert!(books.store.was_committed(id("ba02"), Timestamp(100)).await.unwrap());
    assert_eq!(books.store.latest_batch_at().await.unwrap(), Some(Timestamp(100)));
}

#[tokio::test]
async fn a_batch_that_was_found_not_to_be_committed_never_will_be() {
    let books = sound_books().await;
    drop(books.store.begin().await.unwrap());
    assert!(!books.store.was_committed(id("ba02"), Timestamp(100)).await.unwrap());
    assert!(!books.store.was_committed(id("ba02"), Timestamp(100)).await.unwrap(), "asked again, it is the same");
    let too_late = books.store.begin().await.unwrap().commit(&Changes::default(), id("ba02"), Timestamp(100)).await;
    assert!(matches!(too_late, Err(StoreError::Conflict(_))), "{too_late:?}");
}

#[tokio::test]
async fn a_batch_is_committed_once_under_its_id() {
    let books = sound_books().await;
    books
        .store
        .begin()
        .await
        .unwrap()
        .commit(&Changes::default(), id("ba02"), Timestamp(100))
        .await
        .unwrap()
        .reached()
        .await
        .unwrap();
    let again = books.store.begin().await.unwrap().commit(&Changes::default(), id("ba02"), Timestamp(101)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(books.store.latest_batch_at().await.unwrap(), Some(Timestamp(100)));
}

#[tokio::test]
async fn what_is_forgotten_is_older_than_asked() {
    let books = sound_books().await;
    books.store.forget_before(Timestamp(2), 10).await.unwrap();
    assert!(books.store.enrolment("aa").await.unwrap().is_some());
    books.store.forget_before(Timestamp(100), 10).await.unwrap();
    assert!(books.store.enrolment("aa").await.unwrap().is_none());
    assert!(!books.has_batch(id("ba01")).await);
}

#[tokio::test]
async fn what_is_read_under_a_lock_was_committed_last_however_early_the_transaction_began() {
    let books = sound_books().await;
    let account = SubjectKey::new(SubjectKind::Account, "4000");
    let mut batch = books.store.begin().await.unwrap();
    books.run("UPDATE accounts SET last_event_at = 101").await;
    let with_the_lock = batch.lock(&[Lock::from(&account)].into(), &BTreeSet::new()).await.unwrap().loaded;
    let loaded = batch.load(&Wanted { subjects: [account].into(), ..Wanted::default() }).await.unwrap();
    assert_eq!((loaded.accounts[0].balance, loaded.subjects[0].last_event_at), (1_307, Timestamp(101)));
    if books.is_sqlite() {
        let nothing = with_the_lock.accounts.is_empty() && with_the_lock.subjects.is_empty();
        assert!(nothing, "nobody else can write to SQLite");
    } else {
        assert_eq!(with_the_lock.accounts, loaded.accounts);
        assert_eq!(with_the_lock.subjects, loaded.subjects);
    }
    batch.roll_back().await;
}

#[tokio::test]
async fn an_account_has_nothing_due_that_was_used_and_a_credit_no_match_that_was() {
    let books = sound_books().await;
    let currency: Currency = "MXN".parse().unwrap();
    let series = SeriesKey { subject: SubjectKey::new(SubjectKind::Account, "4000"), currency };
    let load = async |wanted: Wanted| books.store.begin().await.unwrap().load(&wanted).await.unwrap();

    let due = |until| Wanted {
        due: [(series.clone(), DueRange { from: Timestamp(10), until: Timestamp(until) })].into(),
        ..Wanted::default()
    };
    let by_then = load(due(199)).await;
    assert!(by_then.events.is_empty(), "authorization a001 was credited: {:?}", by_then.events);
    assert_eq!(by_then.due_later, [(series.clone(), Earliest { at: Timestamp(95), due_at: Timestamp(200) })]);
    let at_last = load(due(200)).await;
    assert_eq!(at_last.events.iter().map(|event| event.number).collect::<Vec<_>>(), [7]);
    assert!(at_last.due_later.is_empty());

    let unused = |amount| Wanted {
        unused: [UnusedKey {
            account: AccountId::new("4000"),
            amount,
            currency,
            exchange_rate: None,
            now: Timestamp(100),
            expired_since: Timestamp(0),
        }]
        .into(),
        ..Wanted::default()
    };
    assert!(load(unused(1_000)).await.authorizations.is_empty(), "authorization a001 was credited");
    assert_eq!(load(unused(100)).await.authorizations[0].id, id("a006"));
}

#[tokio::test]
async fn what_is_old_is_forgotten_a_bounded_number_at_a_time_and_the_oldest_first() {
    let books = sound_books().await;
    let store = &books.store;
    let batches: Vec<TrackingId> = (0..5).map(|_| clock::fresh_id()).collect();
    for (id, at) in batches.iter().zip([3, 1, 2, 4, 5]) {
        store
            .begin()
            .await
            .unwrap()
            .commit(&Changes::default(), *id, Timestamp(at))
            .await
            .unwrap()
            .reached()
            .await
            .unwrap();
    }
    let mut kept = Vec::new();
    for more in [true, false, false] {
        assert_eq!(store.forget_before(Timestamp(4), 2).await.unwrap(), more);
        let mut left = Vec::new();
        for (index, id) in batches.iter().enumerate() {
            if books.has_batch(*id).await {
                left.push(index);
            }
        }
        kept.push(left);
    }
    assert_eq!(kept, [vec![0, 3, 4], vec![3, 4], vec![3, 4]]);
}
