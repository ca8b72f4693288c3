//! A row that another transaction holds: what waits for it keeps its order, what does not goes on, and two that decide
//! about the same do not both have it.

use rust_decimal::Decimal;
use sqlx::{Connection, Executor, PgConnection};
use vna_partner::clock;
use vna_partner::commit::{ExecuteError, execute};
use vna_partner::decide::command::{CreateAccountCall, Field};
use vna_partner::decide::outcome::SeedAnswer;
use vna_partner::decide::{Changes, Command, Outcome};
use vna_partner::domain::{AccountId, Document, DocumentType, JsonNumber};

use crate::bench::{authorize, currency, person, request, second, seed};
use crate::{ACCOUNT, Bank, SENDER, an_authorization, authorized};

const ELEVEN_A_DAY: &str = "[[rules]]
id = \"eleven\"
type = \"velocity\"
max = 11
window = { rolling = \"24h\" }
";

/// The row of account `A`, until this is dropped.
async fn hold_the_account(bank: &Bank) -> PgConnection {
    let mut client = PgConnection::connect(&bank.bench.database.url).await.unwrap();
    client.execute("BEGIN").await.unwrap();
    let row = "SELECT 1 FROM accounts WHERE id = 'A' FOR UPDATE";
    assert_eq!(client.fetch_all(row).await.unwrap().len(), 1);
    client
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn commands_of_a_held_account_keep_their_order_and_later_ones_do_not_overtake_them() {
    let bank = Bank::open(ELEVEN_A_DAY).await;
    let first_of_all = bank.hand_in(an_authorization()).await;
    assert!(authorized(&first_of_all.await.unwrap()));
    let mut client = hold_the_account(&bank).await;
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        for _ in 0..2 {
            first.push(bank.hand_in(an_authorization()).await);
        }
        // By the time this is answered, the others were found to have to wait.
        let neighbour = bank.hand_in(request(second(1), authorize("B", 100, SENDER))).await;
        assert!(authorized(&neighbour.await.unwrap()));
    }
    assert!(first.iter().all(|waiting| !waiting.is_finished()));
    client.execute("ROLLBACK").await.unwrap();
    for _ in 0..10 {
        later.push(bank.hand_in(an_authorization()).await);
    }
    for answer in first {
        assert!(authorized(&answer.await.unwrap()), "one that came first was refused for one that came later");
    }
    for answer in later {
        assert!(!authorized(&answer.await.unwrap()));
    }
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_block_that_comes_between_the_reading_and_the_writing_of_an_account_is_not_overlooked() {
    let bank = Bank::open("rules = []").await;
    assert!(authorized(&bank.engine.submit(an_authorization()).await));
    bank.store.one_commits().await;
    let gate = bank.store.hold_commits().await;
    let call = bank.hand_in(an_authorization()).await;
    bank.store.one_commits().await;
    let mut client = PgConnection::connect(&bank.bench.database.url).await.unwrap();
    // Nothing is locked, or this would wait for the call.
    client.execute("UPDATE accounts SET status = 'Blocked' WHERE id = 'A'").await.unwrap();
    drop(gate);
    assert!(!authorized(&call.await.unwrap()));
    bank.close().await;
}

/// While a file is seeded again, its accounts go on.
#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_seed_file_holds_no_account_that_is_there_already() {
    let bank = Bank::open("rules = []").await;
    let mut file = bank.bench.store.begin().await.unwrap();
    let again = request(second(1), seed(ACCOUNT, "+525555123456"));
    let seeded = execute(&mut *file, &bank.bench.context, &[again]).await.unwrap();
    assert!(matches!(seeded.outcomes[0], Outcome::Seeded(SeedAnswer::Unchanged)), "{:?}", seeded.outcomes);
    assert!(authorized(&bank.engine.submit(an_authorization()).await));
    file.roll_back().await;
    bank.close().await;
}

/// Opens an account for a person of one name and birth date, known by one passport.
fn create_account(currency_code: &str, phone: &str, with_passport: bool) -> Command {
    let passport = Document { document_type: DocumentType::Passport, number: "G12345678".into() };
    Command::CreateAccount(CreateAccountCall {
        person: Field::Given(person(phone)),
        documents: Field::Given(with_passport.then_some(passport).into_iter().collect()),
        amount: Field::Given(JsonNumber::parse("100.00").unwrap()),
        currency: Field::Given(currency(currency_code)),
        exchange_rate: Field::Given(Decimal::ONE),
    })
}

#[track_caller]
fn opened(outcome: &Outcome) -> Option<AccountId> {
    match outcome {
        Outcome::Account(answer) => answer.account.clone(),
        other => panic!("no answer to CreateAccount: {other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn two_calls_that_know_one_person_by_different_phones_open_one_account() {
    let bank = Bank::open("rules = []").await;
    let (store, context) = (&bank.bench.store, &bank.bench.context);
    let (home, work) = ("+525555000001", "+525555000002");
    for phone in [home, work] {
        bank.bench.one(request(second(1), create_account("USD", phone, true))).await;
    }
    let at_home = request(second(2), create_account("MXN", home, false));
    let at_work = request(second(2), create_account("MXN", work, false));

    let (mut one, mut beside) = (store.begin().await.unwrap(), store.begin().await.unwrap());
    let first = execute(&mut *one, context, std::slice::from_ref(&at_home)).await.unwrap();
    let too_early = execute(&mut *beside, context, std::slice::from_ref(&at_work)).await;
    assert!(matches!(too_early, Err(ExecuteError::Held { .. })), "{too_early:?}");
    beside.roll_back().await;
    one.commit(&Changes::default(), clock::fresh_id(), second(2)).await.unwrap().reached().await.unwrap();

    let later = bank.bench.one(at_work).await;
    assert!(opened(&later).is_some());
    assert_eq!(opened(&later), opened(&first.outcomes[0]));
    bank.close().await;
}
