//! Behind pgbouncer in transaction mode, where each transaction may run on another connection of the database.

use crate::alone;
use crate::cluster::{Cluster, End};
use crate::pooler::Pooler;
use crate::restarting::restart_in_traffic;
use crate::traffic::{Traffic, hold_to, open_books, readiness, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn two_servers_and_sixty_four_callers_hear_right_answers_through_pgbouncer() {
    let _alone = alone().await;
    // As pgbouncer comes; told to drop what the server marks its connections with; and where the server is told.
    for (settings, parameters) in
        [("", ""), ("ignore_startup_parameters = extra_float_digits", ""), ("", "?statement-cache-capacity=0")]
    {
        let cluster = Cluster::start().await;
        let pooler = Pooler::start(&cluster, settings).await;
        let desk = open_books(&[&pooler.url(), parameters].concat());
        let servers = [serve(&desk), serve(&desk)];
        let traffic = Traffic::start(&[&servers[0], &servers[1]], 64);
        traffic.flows(300).await;
        assert_eq!([readiness(&servers[0]).await, readiness(&servers[1]).await], [200, 200]);
        assert_eq!(traffic.refused(), 0, "with `{settings}` and `{parameters}`");
        let told = traffic.stop().await;
        hold_to(&desk, &servers[1], &told).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_restart_behind_pgbouncer_costs_callers_503s_and_nothing_else() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let pooler = Pooler::start(&cluster, "server_login_retry = 1").await;
    restart_in_traffic(&cluster, &pooler.url(), &[End::Fast, End::KillNine]).await;
}
