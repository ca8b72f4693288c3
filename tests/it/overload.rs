//! More calls than can be carried out, and a store that takes none: a 503 that says when to come again.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use vna_partner::commit::Limits;

use crate::support::{ANA, Answer, Browser, Server, account, ana, authorization, credit, enrolment, status};

/// Longer than the store waits for its write lock, and than any machine takes to say that it did so in vain.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Another process's transaction on the server's database, which lets nobody else write until it is dropped.
enum Held {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Held {
    async fn store_of(server: &Server) -> Self {
        let url = server.database_url();
        if url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(url).await.unwrap();
            connection.execute("BEGIN IMMEDIATE").await.unwrap();
            Self::Sqlite(connection)
        } else {
            let mut connection = PgConnection::connect(url).await.unwrap();
            connection.execute("BEGIN; LOCK TABLE batches IN EXCLUSIVE MODE").await.unwrap();
            Self::Postgres(connection)
        }
    }

    async fn release(self) {
        match self {
            Self::Sqlite(mut connection) => drop(connection.execute("ROLLBACK").await.unwrap()),
            Self::Postgres(mut connection) => drop(connection.execute("ROLLBACK").await.unwrap()),
        }
    }
}

#[track_caller]
fn come_again(answer: Answer) {
    let answer = answer.error(503, "SERVICE_UNAVAILABLE");
    assert_eq!(answer.header("Retry-After"), Some("1"));
}

#[tokio::test]
async fn a_full_queue_is_told_at_once_and_nothing_is_written() {
    const CALLERS: usize = 24;
    let server = Server::with().limits(Limits { queue: 4, batch: 1 }).start().await;
    server.open(account(ANA)).await;
    let leap = server.leap();
    let held = Held::store_of(&server).await;
    let mut calls: FuturesUnordered<_> = (0..CALLERS).map(|_| leap.authorize(authorization().to(ANA))).collect();
    // Four wait and the writer may hold one more; all others are told while nothing can be written.
    for _ in 0..CALLERS - 5 {
        come_again(calls.next().await.unwrap());
    }
    held.release().await;
    let rest: Vec<Answer> = calls.collect().await;
    let taken = rest.into_iter().filter(|answer| answer.status == 200).count();
    assert!((4..=5).contains(&taken), "{taken} were taken");
    assert_eq!(server.operator().list("/admin/decisions?limit=100").await.len(), taken);
    leap.authorize(authorization().to(ANA)).await.authorized();
}

#[tokio::test]
async fn a_store_that_takes_no_write_is_a_503_in_good_time_and_the_next_call_succeeds() {
    let server = Server::start().await;
    let leap = server.leap();
    let authorized = leap.authorize(authorization().to(ANA)).await.authorized();
    let credit = || leap.call("/CreditFunds").idempotency_key("a").body(credit(ANA, &authorized)).send();
    let held = Held::store_of(&server).await;
    let refused = tokio::time::timeout(LONGEST_WAIT, credit()).await;
    come_again(refused.expect("it does not wait for ever"));
    held.release().await;
    assert_eq!(server.operator().balance(ANA).await, "0.00");
    let credited = credit().await.done();
    assert_eq!(credit().await.done(), credited);
    assert_eq!(server.operator().balance(ANA).await, "100.00");
}

#[tokio::test]
async fn a_person_is_told_to_try_again_and_the_link_stays_good() {
    let server = Server::with().policy("enrolment_currency", "MXN").start().await;
    let link = server.leap().enrolment_url(enrolment(ana())).await.success().text_of("RegistrationUrl").to_owned();
    let held = Held::store_of(&server).await;
    let page = Browser::new().confirm(&link, "").await.expect_status(503);
    assert_eq!(page.header("Retry-After"), Some("1"));
    assert!(page.text.contains("try again"), "{}", page.text);
    held.release().await;
    Browser::new().confirm(&link, "").await.ok();
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1);
}

#[tokio::test]
async fn what_only_reads_does_not_wait_for_a_store_that_takes_no_write() {
    let server = Server::start().await;
    let leap = server.leap();
    let authorized = leap.authorize(authorization().to(ANA)).await.authorized();
    let credited = leap.credit(credit(ANA, &authorized)).await.done();
    let held = Held::store_of(&server).await;
    assert_eq!(leap.status(status(ANA, &credited)).await.ok()["CreditStatus"], "Approved");
    assert_eq!(server.operator().balance(ANA).await, "100.00");
    assert_eq!(server.operator().decision(&authorized).await["approved"], true);
    held.release().await;
}

#[tokio::test]
async fn a_server_is_ready_only_while_its_store_takes_writes() {
    let server = Server::start().await;
    let held = Held::store_of(&server).await;
    come_again(server.operator().get("/health/ready").await);
    server.operator().get("/health/live").await.ok();
    held.release().await;
    server.operator().get("/health/ready").await.ok();
}
