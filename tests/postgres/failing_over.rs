//! The primary dies and its synchronous standby takes over.

use std::time::Duration;

use tokio::time::Instant;

use crate::alone;
use crate::cluster::{Cluster, End, free_port};
use crate::program::Desk;
use crate::traffic::{Traffic, hold_to, open_books, readiness, serve};

/// The promise: from the moment in which the standby takes writes to a caller's first success.
const BACK_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds Postgres clusters; scripts/test runs it"]
async fn a_failover_loses_nothing_that_was_acknowledged_and_the_old_primary_comes_back_as_a_standby() {
    let _alone = alone().await;
    fail_over_in_traffic(&[End::KillNine, End::Immediate]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds Postgres clusters; scripts/test runs it"]
async fn a_primary_whose_machine_is_gone_is_left_for_the_standby() {
    let _alone = alone().await;
    let primary = Cluster::start().await;
    let standby = Cluster::synchronous_standby_of(&primary).await;
    let desk = open_books(&Cluster::url_of(&[&primary, &standby]));
    let server = serve(&desk);
    let traffic = Traffic::start(&[&server], 16);
    traffic.flows(100).await;
    let gone = primary.freeze();
    let down = Instant::now();
    let ready = standby.promote().await;
    let waited = traffic.first_success(down, ready).await;
    println!("gone: the first success came {waited:?} after the standby took writes, {} 503s", traffic.refused());
    assert!(waited < BACK_WITHIN, "{waited:?}");
    traffic.flows(100).await;
    let told = traffic.stop().await;
    hold_to(&Desk::on(&standby.url()), &server, &told).await;
    drop(gone);
}

/// The same for long: see docs/testing.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes some minutes"]
async fn long_thirty_failovers_lose_nothing_that_was_acknowledged() {
    let _alone = alone().await;
    fail_over_in_traffic(&[End::KillNine, End::Immediate, End::KillNine].repeat(10)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds Postgres clusters; scripts/test runs it"]
async fn a_server_starts_on_the_first_host_of_its_list_that_takes_writes() {
    let _alone = alone().await;
    let primary = Cluster::start().await;
    let standby = Cluster::synchronous_standby_of(&primary).await;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}", free_port(), standby.port, primary.port);
    let desk = open_books(&format!("postgres://postgres@{hosts}/vna"));
    let server = serve(&desk);
    let traffic = Traffic::start(&[&server], 4);
    traffic.flows(20).await;
    let told = traffic.stop().await;
    hold_to(&desk, &server, &told).await;
    primary.end(End::Immediate).await;
    assert_eq!(readiness(&server).await, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds Postgres clusters; scripts/test runs it"]
async fn a_standby_is_refused_even_where_only_reading_is_asked_for() {
    let _alone = alone().await;
    let primary = Cluster::start().await;
    let standby = Cluster::synchronous_standby_of(&primary).await;
    open_books(&primary.url()).well(&["audit"]);
    let refused = Desk::on(&standby.url()).run(&["audit"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("during recovery"), "{}", refused.err);
}

/// Fails over once per end, the cluster that died coming back as the standby of the other each time.
async fn fail_over_in_traffic(ends: &[End]) {
    let mut primary = Cluster::start().await;
    let mut standby = Cluster::synchronous_standby_of(&primary).await;
    let desk = open_books(&Cluster::url_of(&[&primary, &standby]));
    let server = serve(&desk);
    let traffic = Traffic::start(&[&server], 16);
    for &end in ends {
        traffic.flows(100).await;
        primary.end(end).await;
        let down = Instant::now();
        let ready = standby.promote().await;
        let waited = traffic.first_success(down, ready).await;
        println!(
            "{end:?}: the first success came {waited:?} after the standby took writes, {} 503s",
            traffic.refused()
        );
        assert!(waited < BACK_WITHIN, "{end:?}: {waited:?}");
        let follower = primary.follow(&standby).await;
        (primary, standby) = (standby, follower);
    }
    traffic.flows(100).await;
    let told = traffic.stop().await;
    hold_to(&desk, &server, &told).await;
}
