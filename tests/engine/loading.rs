//! How often something is loaded beside what comes with the locks, a round trip each, and a pass over the whole batch; and what
//! takes no locks at all.

use vna_partner::decide::{Outcome, Request};

use crate::bench::{credit, request, second};
use crate::{ACCOUNT, Bank, an_authorization, authorized};

const RULES: &str = r#"
    [[rules]]
    id = "ten-a-day"
    type = "velocity"
    max = 10
    window = { rolling = "24h" }

    [[rules]]
    id = "monthly-total"
    type = "accumulated"
    max = { MXN = "1000.00" }
    window = { calendar = "month", time_zone = "America/Mexico_City" }
"#;

#[tokio::test]
async fn an_authorization_and_its_credit_take_one_load_each_at_most() {
    let bank = Bank::open(RULES).await;
    // Makes what is counted from now on.
    assert!(authorized(&bank.engine.submit(an_authorization()).await));

    let (authorization, before) = (an_authorization(), bank.store.loads());
    let id = authorization.id;
    assert!(authorized(&bank.engine.submit(authorization).await));
    let comes_with_its_lock = !bank.bench.database.is_sqlite();
    assert_eq!(bank.store.loads() - before, usize::from(!comes_with_its_lock), "the account and all that it counted");

    let before = bank.store.loads();
    let answer = bank.engine.submit(request(second(2), credit(ACCOUNT, id))).await;
    assert!(matches!(answer, Ok(Outcome::Credit(answer)) if answer.success));
    assert_eq!(bank.store.loads() - before, usize::from(!comes_with_its_lock), "the account and the authorization");
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn calls_that_need_their_account_alone_take_no_locks_and_others_do() {
    let bank = Bank::open(RULES).await;
    assert!(authorized(&bank.engine.submit(an_authorization()).await));

    let (authorization, before) = (an_authorization(), bank.store.locking());
    let id = authorization.id;
    assert!(authorized(&bank.engine.submit(authorization).await));
    let answer = bank.engine.submit(request(second(2), credit(ACCOUNT, id))).await;
    assert!(matches!(answer, Ok(Outcome::Credit(answer)) if answer.success));
    assert_eq!(bank.store.locking(), before);

    // It has its answer already, which is in another table.
    let again = bank.engine.submit(request(second(3), credit(ACCOUNT, id))).await;
    assert!(matches!(again, Ok(Outcome::Credit(answer)) if answer.success));
    assert_eq!(bank.store.locking(), before + 1);
    bank.close().await;
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn what_has_to_be_looked_for_of_an_account_is_read_without_locks_too() {
    let bank = Bank::open(RULES).await;
    assert!(authorized(&bank.engine.submit(an_authorization()).await));

    // What was due by then, the authorization that it was counted for, and the window's start.
    let (locking, loads) = (bank.store.locking(), bank.store.loads());
    assert!(authorized(&bank.engine.submit(a_day_later(10)).await));
    assert_eq!((bank.store.locking(), bank.store.loads()), (locking, loads + 3));
    assert!(authorized(&bank.engine.submit(a_day_later(20)).await));
    assert_eq!(bank.store.locking(), locking);
    bank.close().await;
}

#[tokio::test]
async fn however_many_authorizations_are_due_they_are_read_together() {
    const MANY: usize = 70;
    let bank = Bank::open(&RULES.replace("max = 10\n", "max = 1000\n")).await;
    for _ in 0..MANY {
        assert!(authorized(&bank.engine.submit(an_authorization()).await));
    }
    let loads = bank.store.loads();
    assert!(authorized(&bank.engine.submit(a_day_later(10)).await));
    assert!(bank.store.loads() - loads <= 4, "{} loads", bank.store.loads() - loads);
    bank.close().await;
}

fn a_day_later(seconds: i64) -> Request {
    Request { received_at: second(24 * 60 * 60 + seconds), ..an_authorization() }
}
