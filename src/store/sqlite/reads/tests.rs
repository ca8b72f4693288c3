use sqlx::{AssertSqlSafe, Row, raw_sql};
use tempfile::TempDir;

use super::*;
use crate::domain::{AuthorizationState, DecisionKind, Status};

const PAGE: Page = Page { limit: 20, offset: 0 };

/// A store on a file of its own, with the sound books of `books.sql`.
async fn sound_books() -> (TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("books.db");
    let store = SqliteStore::open(&format!("sqlite://{}", file.display())).await.unwrap();
    raw_sql(include_str!("../books.sql")).execute(&store.writer).await.unwrap();
    (directory, store)
}

fn id(last: &str) -> TrackingId {
    TrackingId::parse(&format!("00000000-0000-7000-8000-00000000{last}")).unwrap()
}

async fn broken_claims(store: &SqliteStore) -> Vec<&'static str> {
    let checks = store.audit().await.unwrap();
    checks.into_iter().filter(|check| !check.offenders.is_empty()).map(|check| check.claim).collect()
}

#[tokio::test]
async fn every_kind_of_row_is_read_back() {
    let (_directory, store) = sound_books().await;
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
    let (_directory, store) = sound_books().await;
    let sent = r#"{ "Amount" : 10.00, "Note":"caf\u00e9", "Amount2":1e1 }"#;
    assert_eq!(store.decision(id("a001")).await.unwrap().unwrap().request.json().get(), sent);
    let approved = DecisionFilter { approved: Some(true), ..DecisionFilter::default() };
    assert_eq!(store.decisions(&approved, PAGE).await.unwrap().items[0].request.json().get(), sent);
}

#[tokio::test]
async fn lists_are_newest_first_and_their_total_is_not_their_page() {
    let (_directory, store) = sound_books().await;
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
    let (_directory, store) = sound_books().await;
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
        reason: Some("InvalidAccount".to_owned()),
    };
    assert_eq!(store.decisions(&refused, PAGE).await.unwrap().items[0].id, id("a007"));
    let credits = DecisionFilter { account: account.clone(), kind: Some(DecisionKind::Credit), ..Default::default() };
    assert_eq!(store.decisions(&credits, PAGE).await.unwrap().total, 0);
    let of_account = DecisionFilter { account, ..DecisionFilter::default() };
    assert_eq!(store.decisions(&of_account, PAGE).await.unwrap().items[0].id, id("a001"));
}

#[tokio::test]
async fn what_one_account_did_is_found_without_reading_the_rest() {
    let (_directory, store) = sound_books().await;
    for query in [
        ACCOUNT,
        STATEMENT,
        AUTHORIZATIONS_OF_ACCOUNT,
        AUTHORIZATIONS_OF_ACCOUNT_FILTERED,
        OPEN_AUTHORIZATIONS_OF_AMOUNT,
        CREDITS_OF_ACCOUNT,
        CREDITS_OF_ACCOUNT_FILTERED,
        REVERSALS_OF_ACCOUNT,
        AMBIGUOUS_CREDITS_OF_ACCOUNT,
        DECISIONS_OF_ACCOUNT,
        DECISIONS_OF_ACCOUNT_FILTERED,
        CHANGES_OF_ACCOUNT,
    ] {
        let steps = plan(&store, query).await;
        assert!(steps.iter().any(|step| step.starts_with("SEARCH ")), "{steps:?}: {query}");
        for step in steps {
            let reads_a_table =
                step.starts_with("SCAN ") && !step.starts_with("SCAN (") && !step.contains("CONSTANT ROW");
            assert!(!reads_a_table && !step.contains("B-TREE FOR ORDER BY"), "{step}: {query}");
        }
    }
    let twins = plan(&store, OPEN_AUTHORIZATIONS_OF_AMOUNT).await;
    assert!(twins.iter().any(|step| step.contains("authorizations_unused")), "{twins:?}");
    let waiting = plan(&store, CREDITS_IN_PROGRESS).await;
    assert!(waiting.iter().any(|step| step == "SCAN credits USING INDEX credits_in_progress"), "{waiting:?}");
}

async fn plan(store: &SqliteStore, query: &str) -> Vec<String> {
    let steps = raw_sql(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"))).fetch_all(&store.readers).await.unwrap();
    steps.iter().map(|row| row.get("detail")).collect()
}

#[tokio::test]
async fn a_write_probe_commits_and_leaves_nothing_behind() {
    let (_directory, store) = sound_books().await;
    let mut onlooker = store.readers.acquire().await.unwrap();
    let before: i64 = query_scalar("PRAGMA data_version").fetch_one(&mut *onlooker).await.unwrap();
    store.takes_writes().await.unwrap();
    let after: i64 = query_scalar("PRAGMA data_version").fetch_one(&mut *onlooker).await.unwrap();
    assert_ne!(before, after, "the probe committed");
    assert_eq!(store.latest_batch_at().await.unwrap(), Some(Timestamp(99)));
}

#[tokio::test]
async fn a_write_lock_that_nobody_lets_go_of_is_no_store_that_takes_writes() {
    let (_directory, store) = sound_books().await;
    let holder = store.writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert!(store.takes_writes().await.is_err());
    holder.rollback().await.unwrap();
    store.takes_writes().await.unwrap();
}

#[tokio::test]
async fn sound_books_pass_the_audit() {
    let (_directory, store) = sound_books().await;
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
        ("DELETE FROM postings WHERE entry LIKE '%c001'", "each entry has postings"),
        ("UPDATE postings SET currency = 'USD' WHERE entry LIKE '%c001'", "each entry has postings"),
        ("DELETE FROM entries WHERE id LIKE '%f001'", "each posting belongs to an entry"),
        ("DELETE FROM accounts WHERE id = '4000'", "each entry belongs to an account"),
        ("UPDATE accounts SET currency = 'USD'", "each entry belongs to an account"),
        ("UPDATE credits SET account = '4001'", "each entry belongs to an account"),
        ("UPDATE accounts SET balance = 1 WHERE id = '4001'", "each balance"),
        ("UPDATE accounts SET receivable = 1 WHERE id = '4000'", "each balance"),
        ("UPDATE accounts SET opening_balance = 1 WHERE id = '4001'", "each balance"),
        ("UPDATE accounts SET pending = 1 WHERE id = '4000'", "each pending amount"),
        ("UPDATE credits SET state = 'InProgress' WHERE id LIKE '%c001'", "each pending amount"),
        ("DELETE FROM authorizations WHERE id LIKE '%a001'", "each credit has its authorization"),
        ("UPDATE authorizations SET amount = 1 WHERE id LIKE '%a001'", "each credit has its authorization"),
        ("UPDATE authorizations SET state = 'Open' WHERE id LIKE '%a001'", "each credit has its authorization"),
        ("UPDATE credits SET late = NULL", "each credit after its authorization's deadline"),
        (
            "UPDATE credits SET late = 'Accepted' WHERE id LIKE '%c001'",
            "each credit after its authorization's deadline",
        ),
        ("DELETE FROM credits WHERE id LIKE '%c003'", "each authorization names a credit"),
        ("UPDATE authorizations SET credit = NULL", "each authorization names a credit"),
        (
            "INSERT INTO entries SELECT account, 'twice', kind, credit, currency, at FROM entries WHERE id LIKE '%c001'",
            "no authorization is credited twice",
        ),
        (
            "INSERT INTO entries SELECT account, 'twice', 'SettlementFailure', credit, currency, at FROM entries \
             WHERE id LIKE '%e001'",
            "no credit is reversed or taken back twice",
        ),
        (
            "INSERT INTO entries SELECT account, 'more', 'Credit', id, currency, at FROM credits WHERE id LIKE '%c003'",
            "each credit has the entries of its state",
        ),
        ("UPDATE credits SET state = 'Approved' WHERE id LIKE '%c002'", "the clearing book holds"),
        ("UPDATE credits SET amount = 999 WHERE id LIKE '%c001'", "the clearing book holds"),
        ("DELETE FROM reversals", "each reversed credit has its reversal"),
        ("UPDATE reversals SET amount = 1", "each reversed credit has its reversal"),
        ("UPDATE events SET number = 9 WHERE number = 7", "the events of each series"),
        ("UPDATE events SET running = 0 WHERE number = 7", "the events of each series"),
        ("UPDATE events SET at = 1 WHERE number = 7", "the events of each series"),
        ("UPDATE series SET events = 8 WHERE kind = 'account'", "each series' count"),
        ("UPDATE series SET amount = 8 WHERE kind = 'sender'", "each series' count"),
        ("UPDATE events SET released = 'Expiry' WHERE number = 3", "each series' count"),
        ("DELETE FROM series WHERE kind = 'sender'", "each series' count"),
        ("UPDATE release_nodes SET count = count + 1 WHERE level = 3", "each node of a release tree"),
        ("DELETE FROM release_nodes WHERE level = 4", "each node of a release tree"),
        ("UPDATE release_nodes SET level = 5 WHERE level = 4", "each node of a release tree"),
        ("UPDATE subjects SET last_event_at = 1", "no event is dated after"),
        ("DELETE FROM subjects", "no event is dated after"),
        ("DELETE FROM events WHERE number = 7", "each authorization and each late credit is counted"),
        ("UPDATE events SET amount = 1 WHERE number = 6", "each authorization and each late credit is counted"),
        ("UPDATE authorizations SET counted = '[]' WHERE id LIKE '%a005'", "each event that counts"),
        ("UPDATE authorizations SET state = 'Voided' WHERE id LIKE '%a006'", "exactly what expired"),
        ("UPDATE events SET due_at = 1 WHERE number = 1 AND kind = 'account'", "exactly what expired"),
        ("UPDATE events SET due_at = NULL WHERE kind = 'sender'", "exactly what expired"),
        ("UPDATE events SET released = NULL WHERE number = 2", "exactly what expired"),
        ("UPDATE events SET released = 'Reversal' WHERE number = 6", "exactly what expired"),
    ] {
        let (_directory, store) = sound_books().await;
        let unguarded = "DROP TRIGGER entries_stay; DROP TRIGGER entries_are_kept; DROP TRIGGER postings_stay; \
                         DROP TRIGGER postings_are_kept; DROP INDEX entries_once_per_credit;";
        raw_sql(AssertSqlSafe(format!("{unguarded} {damage}"))).execute(&store.writer).await.unwrap();
        let broken = broken_claims(&store).await;
        assert!(broken.iter().any(|found| found.starts_with(claim)), "{damage} broke only {broken:?}");
        for check in store.audit().await.unwrap() {
            assert!(check.offenders.iter().all(|offender| !offender.contains("15550100")), "{:?}", check.offenders);
        }
    }
}
