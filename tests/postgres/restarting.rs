//! Postgres is ended and started again.

use std::time::Duration;

use tokio::time::Instant;

use crate::alone;
use crate::cluster::{Cluster, End};
use crate::traffic::{Traffic, hold_to, open_books, readiness, serve};

/// The promise: from the database's first answer to a caller's first success.
const BACK_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_restart_costs_callers_503s_and_nothing_else() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    restart_in_traffic(&cluster, &cluster.url(), &[End::Fast, End::Immediate, End::KillNine]).await;
}

/// The same for long: see docs/testing.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes some minutes"]
async fn long_a_hundred_restarts_cost_callers_503s_and_nothing_else() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let ends = [End::KillNine, End::Immediate, End::Fast, End::KillNine].repeat(25);
    restart_in_traffic(&cluster, &cluster.url(), &ends).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_server_without_its_database_is_not_ready_until_it_is_back() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let desk = open_books(&cluster.url());
    let server = serve(&desk);
    assert_eq!(readiness(&server).await, 200);
    cluster.end(End::Immediate).await;
    assert_eq!(readiness(&server).await, 503);
    let ready = cluster.start_again().await;
    while readiness(&server).await != 200 {
        assert!(ready.elapsed() < BACK_WITHIN, "still not ready after {BACK_WITHIN:?}");
    }
}

/// Ends the cluster and starts it again, in each of these ways, while callers reach it by `url`.
pub async fn restart_in_traffic(cluster: &Cluster, url: &str, ends: &[End]) {
    let desk = open_books(url);
    let server = serve(&desk);
    let traffic = Traffic::start(&[&server], 16);
    traffic.flows(100).await;
    for &end in ends {
        cluster.end(end).await;
        let down = Instant::now();
        let ready = cluster.start_again().await;
        let waited = traffic.first_success(down, ready).await;
        println!(
            "{end:?}: the first success came {waited:?} after the database was ready, {} 503s so far",
            traffic.refused()
        );
        assert!(waited < BACK_WITHIN, "{end:?}: {waited:?}");
        traffic.flows(100).await;
    }
    assert_eq!(readiness(&server).await, 200);
    let told = traffic.stop().await;
    hold_to(&desk, &server, &told).await;
}
