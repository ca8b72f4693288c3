//! A row that another client of the database holds: what waits for it keeps its order, and what does not goes on.

use sqlx::{Connection, Executor, PgConnection};

use crate::bench::{authorize, request, second};
use crate::{Bank, SENDER, an_authorization, authorized};

const ELEVEN_A_DAY: &str = "[[rules]]
id = \"eleven\"
type = \"velocity\"
max = 11
window = { rolling = \"24h\" }
";

/// The subject's row of account `A`, until this is dropped.
async fn hold_the_account(bank: &Bank) -> PgConnection {
    let mut client = PgConnection::connect(&bank.bench.database.url).await.unwrap();
    client.execute("BEGIN").await.unwrap();
    let row = "SELECT 1 FROM subjects WHERE kind = 'account' AND key = 'A' FOR UPDATE";
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
