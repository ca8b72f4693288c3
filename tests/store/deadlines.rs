//! What a sweep looks for, and how far it has come.

use vna_partner::domain::{AccountId, Timestamp};
use vna_partner::store::DeadlinePlace;

use crate::sound_books;

#[tokio::test]
async fn senders_are_overdue_from_their_deadline_on_and_the_longest_overdue_comes_first() {
    let books = sound_books().await;
    let another = "INSERT INTO events SELECT kind, '+15550101|1980-02-02', currency, at, number, amount, running, \
                   \"authorization\", 59, released, late FROM events WHERE kind = 'sender'";
    books.run(another).await;
    let overdue = async |at, limit| -> Vec<String> {
        let subjects = books.store.overdue_others(Timestamp(at), limit).await.unwrap();
        subjects.into_iter().map(|subject| subject.key.into_string()).collect()
    };
    assert_eq!(overdue(58, 10).await, Vec::<String>::new());
    assert_eq!(overdue(59, 10).await, ["+15550101|1980-02-02"]);
    assert_eq!(overdue(60, 10).await, ["+15550101|1980-02-02", "+15550100|1980-02-02"]);
    assert_eq!(overdue(60, 1).await, ["+15550101|1980-02-02"]);
}

#[tokio::test]
async fn accounts_are_overdue_from_their_deadline_on_unless_a_credit_has_used_it_up() {
    let books = sound_books().await;
    let overdue = async |since, upto| {
        let after = DeadlinePlace::before(Timestamp(since));
        let found = books.store.overdue_accounts(after, Timestamp(upto), 10).await.unwrap();
        assert_eq!(found.come_to, None);
        found.accounts
    };
    let the_open_one = [(Timestamp(200), AccountId::new("4000"))];
    // Three were credited that would have been due by then.
    assert_eq!(overdue(0, 199).await, []);
    assert_eq!(overdue(0, 250).await, the_open_one);
    assert_eq!(overdue(200, 250).await, the_open_one);
    assert_eq!(overdue(201, 250).await, []);
}

#[tokio::test]
async fn a_look_at_deadlines_takes_in_some_of_them_and_the_next_goes_on_from_there() {
    let books = sound_books().await;
    // More than one look takes in, all credited, and one that is open behind them.
    let many = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10500)";
    let number = "substr('0000000' || n, -7)";
    let number = if books.is_sqlite() { number } else { "lpad(n::text, 7, '0')" };
    let id = |kind: &str| {
        let text = format!("'{kind}0000000-0000-7000-8000-00000' || {number}");
        if books.is_sqlite() { text } else { format!("({text})::uuid") }
    };
    let (authorization, credit) = (id("1"), id("2"));
    // All due at once, too: a look goes on among them.
    books
        .run(&format!(
            "{many} INSERT INTO authorizations SELECT {authorization}, '4001', 1, 'USD', NULL, 300, 1000, 'Open', NULL, \
             '[]', NULL FROM numbers"
        ))
        .await;
    books
        .run(&format!(
            "{many} INSERT INTO credits SELECT {credit}, '4001', {authorization}, 1, 'USD', NULL, 300, 'Approved', TRUE, \
             NULL, NULL, NULL, NULL, NULL, '[]' FROM numbers WHERE n < 10400"
        ))
        .await;
    let look = async |after| books.store.overdue_accounts(after, Timestamp(20_000), 10).await.unwrap();
    let first = look(DeadlinePlace::before(Timestamp(1_000))).await;
    assert_eq!(first.accounts, []);
    let second = look(first.come_to.unwrap()).await;
    assert_eq!(second.accounts, [(Timestamp(1_000), AccountId::new("4001"))]);
    assert_eq!(second.come_to, None);
}

#[tokio::test]
async fn how_far_the_sweeps_have_come_is_remembered() {
    let books = sound_books().await;
    assert_eq!(books.store.swept().await.unwrap(), Timestamp(90));
    for at in [150, 120] {
        books.store.remember_swept(Timestamp(at)).await.unwrap();
        assert_eq!(books.store.swept().await.unwrap(), Timestamp(at));
    }
}
