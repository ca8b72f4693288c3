//! What is committed later happens later, whatever the clocks of servers show and however long a call waited.

use vna_partner::commit::SubmitError;
use vna_partner::decide::Outcome;
use vna_partner::decide::outcome::CreditAnswer;
use vna_partner::domain::TrackingId;

use crate::bench::{authorize, credit, credit_unreferenced, request, second};
use crate::{ACCOUNT, Bank, SENDER, an_authorization, authorized};

#[tokio::test]
async fn an_authorization_that_waited_was_not_open_when_a_credit_was_made_before_it() {
    let bank = Bank::open("rules = []").await;
    let first = an_authorization();
    // Received before the credit that comes first, as by a server that waited for the account or whose clock is behind.
    let waited = an_authorization();
    let unreferenced = request(second(2), credit_unreferenced(ACCOUNT, 100));
    let (first_id, waited_id) = (first.id, waited.id);

    assert!(authorized(&bank.engine.submit(first).await));
    let made = credited(bank.engine.submit(unreferenced).await);
    assert!(authorized(&bank.engine.submit(waited).await));

    let named = credited(bank.engine.submit(request(second(3), credit(ACCOUNT, first_id))).await);
    assert_eq!(named, made, "its money came without its name");
    let own = credited(bank.engine.submit(request(second(4), credit(ACCOUNT, waited_id))).await);
    assert_ne!(own, made);
    bank.close().await;
}

#[tokio::test]
async fn an_authorization_was_open_when_a_credit_was_made_that_waited_for_it() {
    let bank = Bank::open("rules = []").await;
    let first = an_authorization();
    let first_id = first.id;
    let unreferenced = request(second(2), credit_unreferenced(ACCOUNT, 100));
    let other = request(second(3), authorize(ACCOUNT, 100, SENDER));

    assert!(authorized(&bank.engine.submit(first).await));
    assert!(authorized(&bank.engine.submit(other).await));
    let made = credited(bank.engine.submit(unreferenced).await);

    let named = credited(bank.engine.submit(request(second(4), credit(ACCOUNT, first_id))).await);
    assert_ne!(named, made, "it takes the other one's place");
    bank.close().await;
}

#[track_caller]
fn credited(answer: Result<Outcome, SubmitError>) -> TrackingId {
    match answer {
        Ok(Outcome::Credit(CreditAnswer { tracking, success: true, .. })) => tracking,
        other => panic!("no credit: {other:?}"),
    }
}
