//! Between the commit that was sent and its answer the connection breaks: what became of it is never guessed at.

use crate::alone;
use crate::cluster::{Cluster, End};
use crate::program::ADMIN_KEY;
use crate::relay::{Cut, Relay};
use crate::traffic::{ACCOUNTS, Caller, Remittance, hold_to, open_books, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_commit_whose_answer_is_lost_is_found_and_one_that_never_arrived_is_not_answered() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let relay = Relay::to(&cluster).await;
    let desk = open_books(&cluster.url());
    let server = desk.serve(&[("VNA_ADMIN_KEYS", ADMIN_KEY), ("DATABASE_URL", &relay.url())]);
    let mut told = Vec::new();
    use Cut::{BeforeTheAnswer, BeforeTheCommit};
    // The second of two is of the commit by which the first is asked after.
    for (cuts, refusals) in [
        (&[BeforeTheAnswer][..], 0),
        (&[BeforeTheAnswer, BeforeTheAnswer], 0),
        (&[BeforeTheCommit], 1),
        (&[BeforeTheCommit, BeforeTheCommit], 1),
        (&[BeforeTheCommit, BeforeTheAnswer], 1),
    ] {
        let leap = Caller::of(&server);
        let authorization = leap.authorize(ACCOUNTS[0], 1).await;
        relay.cut(cuts);
        let credit = leap.credit(ACCOUNTS[0], &authorization).await;
        assert_eq!(leap.refused(), refusals, "{cuts:?}");
        told.push(Remittance { account: ACCOUNTS[0], amount: 1, authorization, credit, reversal: None });
    }
    hold_to(&desk, &server, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds Postgres clusters; scripts/test runs it"]
async fn a_commit_that_is_found_again_is_not_answered_before_the_standby_has_it() {
    let _alone = alone().await;
    let primary = Cluster::start().await;
    let standby = Cluster::synchronous_standby_of(&primary).await;
    let desk = open_books(&Cluster::url_of(&[&primary, &standby]));
    let server = serve(&desk);
    let leap = Caller::of(&server);
    let authorization = leap.authorize(ACCOUNTS[0], 1).await;
    standby.end(End::Immediate).await;
    let credit = tokio::spawn({
        let (leap, authorization) = (leap.clone(), authorization.clone());
        async move { leap.credit(ACCOUNTS[0], &authorization).await }
    });
    // Written on the primary alone: it waits for the standby, and a restart makes it visible all the same.
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    primary.wait_until("the commit waits for the standby", waits).await;
    primary.end(End::Immediate).await;
    primary.start_again().await;
    let heard = async {
        while !credit.is_finished() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = heard => {}
        _ = primary.wait_until("it waits for the standby again", waits) => {}
    }
    primary.end(End::Immediate).await;
    standby.start_again().await;
    standby.promote().await;
    let credit = credit.await.unwrap();
    let told = [Remittance { account: ACCOUNTS[0], amount: 1, authorization, credit, reversal: None }];
    hold_to(&desk, &server, &told).await;
}
