//! Another client of the database holds a row, as an operator's forgotten transaction does: whoever needs that row waits
//! for three seconds at most, and nobody else waits.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::concurrency::{FIVE_A_DAY, FIVE_HUNDRED_A_DAY, at_once, the_same};
use crate::support::{
    ANA, Answer, Body, Leap, Server, account, ana, authorization, credit, new_account, reversal, somebody,
};

/// Twice the promised three seconds: a busy machine takes its time to say that they are over.
const LONGEST_WAIT: Duration = Duration::from_secs(6);

/// Wallets that nobody holds.
const OTHERS: [&str; 3] = ["4000000000000001", "4000000000000002", "4000000000000003"];

/// Rows that another client has locked.
struct Held(PgConnection);

impl Held {
    /// `rows` is what follows FROM.
    async fn rows(server: &Server, rows: &str) -> Self {
        let mut client = PgConnection::connect(server.database_url()).await.unwrap();
        client.execute("BEGIN").await.unwrap();
        let query = format!("SELECT 1 FROM {rows} FOR UPDATE");
        let locked = client.fetch_all(sqlx::raw_sql(AssertSqlSafe(query))).await.unwrap();
        assert!(!locked.is_empty(), "there is no such row: {rows}");
        Self(client)
    }

    async fn account_of_ana(server: &Server) -> Self {
        Self::rows(server, &row_of_ana()).await
    }

    async fn release(mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
    }
}

fn row_of_ana() -> String {
    format!("accounts WHERE id = '{ANA}'")
}

/// With Ana's account and the others, and a rule that counts on each.
async fn a_server() -> Server {
    let server = Server::with().rules(&FIVE_A_DAY.replace("max = 5", "max = 100")).with_ana().await;
    for (number, id) in (0..).zip(OTHERS) {
        server.open(account(id).holder(somebody(number))).await;
    }
    server
}

/// All others get remittances, one after the other.
async fn others_are_served(leap: &Leap) {
    let served = OTHERS.map(async |id| {
        for _ in 0..3 {
            let authorized = leap.authorize(authorization().to(id)).await.authorized();
            let credited = leap.credit(credit(id, &authorized)).await.done();
            leap.reverse(reversal(id, &credited)).await.done();
        }
    });
    join_all(served).await;
}

#[track_caller]
fn come_again(answer: Answer) {
    let answer = answer.error(503, "SERVICE_UNAVAILABLE");
    assert!(answer.header("Retry-After").is_some(), "{answer:?}");
}

/// While `rows` are held, a call that needs them is refused in time, and all others are served before that. Let go, it is
/// done, and done once.
async fn delay_their_own_command_only(server: &Server, rows: &str, path: &str, body: Body) {
    let leap = server.leap();
    let call = || leap.call(path).body(body.clone()).send();
    let held = Held::rows(server, rows).await;
    let mut refused = pin!(tokio::time::timeout(LONGEST_WAIT, call()));
    tokio::select! {
        () = others_are_served(&leap) => {}
        answer = &mut refused => panic!("others wait longer than the one that needs the row: {answer:?}"),
    }
    come_again(refused.await.expect("it does not wait for ever"));
    held.release().await;
    let done = call().await.success().text;
    assert_eq!(call().await.success().text, done);
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn an_account_that_is_held_delays_its_own_command_only() {
    let server = a_server().await;
    let body = credit(ANA, &server.authorized().await);
    delay_their_own_command_only(&server, &row_of_ana(), "/CreditFunds", body).await;
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn an_authorization_that_is_held_delays_what_expires_it_only() {
    let mut server = a_server().await;
    let expiring = server.authorized().await;
    server.advance("23h");
    let authorized = server.authorized().await;
    server.advance("2h");
    let row = format!("authorizations WHERE id = '{expiring}'");
    delay_their_own_command_only(&server, &row, "/CreditFunds", credit(ANA, &authorized)).await;
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn an_authorization_that_is_held_delays_no_credit_of_it() {
    let server = a_server().await;
    let authorized = server.authorized().await;
    let held = Held::rows(&server, &format!("authorizations WHERE id = '{authorized}'")).await;
    server.leap().credit(credit(ANA, &authorized)).await.done();
    held.release().await;
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_credit_or_what_it_counted_that_is_held_delays_its_own_command_only() {
    for table in ["credits WHERE account =", "events WHERE key ="] {
        let server = a_server().await;
        let (_, credited) = server.credited().await;
        let rows = format!("{table} '{ANA}'");
        delay_their_own_command_only(&server, &rows, "/ReverseCreditFunds", reversal(ANA, &credited)).await;
        assert_eq!(server.balance().await, "0.00");
        assert_eq!(server.operator().list(&format!("/admin/reversals?account={ANA}")).await.len(), 1);
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_person_who_is_held_delays_its_own_command_only() {
    let server = a_server().await;
    let row = format!("persons WHERE id = (SELECT person FROM accounts WHERE id = '{ANA}')");
    let with_a_document = new_account(ana()).document("INE_IFE", "1234567890123");
    delay_their_own_command_only(&server, &row, "/CreateAccount", with_a_document).await;
    assert_eq!(server.operator().list("/admin/accounts").await.len(), 1 + OTHERS.len());
}

/// Luis sends to Ana. What others send to others meets him nowhere.
#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_sender_who_is_held_delays_calls_that_count_on_that_sender_only() {
    let server = Server::with().rules(FIVE_HUNDRED_A_DAY).with_ana().await;
    for (number, id) in (0..).zip(OTHERS) {
        server.open(account(id).holder(somebody(number))).await;
    }
    let leap = server.leap();
    server.authorized().await;
    let held = Held::rows(&server, "subjects WHERE kind = 'sender'").await;
    let mut refused = pin!(tokio::time::timeout(LONGEST_WAIT, leap.authorize(authorization().to(ANA))));
    let others = async {
        for (number, id) in (10..).zip(OTHERS) {
            leap.authorize(authorization().to(id).sender(somebody(number))).await.authorized();
        }
    };
    tokio::select! {
        () = others => {}
        answer = &mut refused => panic!("others wait longer than the one that needs the row: {answer:?}"),
    }
    come_again(refused.await.expect("it does not wait for ever"));
    held.release().await;
    server.authorized().await;
    assert_eq!(server.operator().list(&format!("/admin/authorizations?account={ANA}")).await.len(), 2);
}

/// Callers of two servers meet on each of the other wallets: what waits for another server must not wait for the held row
/// as well.
#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_held_row_does_not_delay_calls_that_wait_for_another_server() {
    let server = a_server().await;
    let beside = server.beside().await;
    let leaps = [server.leap(), beside.leap()];
    let body = credit(ANA, &server.authorized().await);
    let held = Held::account_of_ana(&server).await;
    let refused = at_once(2, async |caller: usize| leaps[caller].credit(body.clone()).await);
    let mut refused = pin!(tokio::time::timeout(LONGEST_WAIT, refused));
    let others = at_once(4, async |caller: usize| others_are_served(&leaps[caller % 2]).await);
    tokio::select! {
        _ = others => {}
        answers = &mut refused => panic!("others wait longer than those that need the row: {answers:?}"),
    }
    refused.await.expect("they do not wait for ever").into_iter().for_each(come_again);
    held.release().await;
    the_same(at_once(2, async |caller: usize| leaps[caller].credit(body.clone()).await.done()).await);
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn everybody_who_needs_a_held_row_is_told_in_time_and_nothing_of_it_happens() {
    let server = a_server().await;
    let beside = server.beside().await;
    let leaps = [server.leap(), beside.leap()];
    let authorized = server.authorized().await;
    let held = Held::account_of_ana(&server).await;
    let calls = at_once(24, async |caller: usize| {
        let leap = &leaps[caller % 2];
        let answer = match caller / 2 % 3 {
            0 => tokio::time::timeout(LONGEST_WAIT, leap.credit(credit(ANA, &authorized))).await,
            1 => tokio::time::timeout(LONGEST_WAIT, leap.authorize(authorization().to(ANA))).await,
            _ => {
                let operator = server.operator();
                let body = json!({"status": "Blocked", "reason": "a test"});
                let path = format!("/admin/accounts/{ANA}/block");
                tokio::time::timeout(LONGEST_WAIT, operator.post(&path, body)).await
            }
        };
        come_again(answer.expect("it does not wait for ever"));
    });
    join(calls, join(others_are_served(&leaps[0]), others_are_served(&leaps[1]))).await;
    for server in [&server, &beside] {
        server.operator().get("/health/ready").await.ok();
    }
    held.release().await;
    assert_eq!(server.balance().await, "0.00");
    assert_eq!(server.operator().list(&format!("/admin/authorizations?account={ANA}")).await.len(), 1);
    let answers = at_once(24, async |caller: usize| leaps[caller % 2].credit(credit(ANA, &authorized)).await.done());
    the_same(answers.await);
    assert_eq!(server.balance().await, "100.00");
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_row_that_is_let_go_in_time_costs_a_wait_and_nothing_else() {
    let server = a_server().await;
    let leap = server.leap();
    let authorized = server.authorized().await;
    let held = Held::account_of_ana(&server).await;
    let calls = at_once(8, async |_| leap.credit(credit(ANA, &authorized)).await.done());
    let let_go = async {
        others_are_served(&leap).await;
        held.release().await;
    };
    let (answers, ()) = join(calls, let_go).await;
    the_same(answers);
    assert_eq!(server.balance().await, "100.00");
    assert_eq!(server.operator().list(&format!("/admin/credits?account={ANA}")).await.len(), 1);
}
