//! A Postgres that speaks TLS and nothing else.

use crate::alone;
use crate::cluster::{Cluster, End};
use crate::program::Desk;
use crate::traffic::{Traffic, hold_to, open_books, readiness, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn callers_hear_right_answers_through_an_encrypted_database_that_is_restarted() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let authority = cluster.encrypt().await;
    let desk = open_books(&format!("{}?sslmode=verify-full&sslrootcert={authority}", cluster.url()));
    let server = serve(&desk);
    let traffic = Traffic::start(&[&server], 8);
    traffic.flows(100).await;
    cluster.end(End::Fast).await;
    cluster.start_again().await;
    traffic.flows(100).await;
    assert_eq!(readiness(&server).await, 200);
    let told = traffic.stop().await;
    hold_to(&desk, &server, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_database_that_cannot_prove_who_it_is_is_refused() {
    let _alone = alone().await;
    let (cluster, stranger) = (Cluster::start().await, Cluster::start().await);
    let (authority, unknown) = (cluster.encrypt().await, stranger.encrypt().await);
    let connect = |url: String| Desk::on(&url).run(&["migrate"]);
    let url = cluster.url();
    connect(format!("{url}?sslmode=disable")).fails(1, "no encryption");
    connect(format!("{url}?sslmode=verify-full&sslrootcert={unknown}")).fails(1, "invalid peer certificate");
    // The certificate is for the address.
    let by_name = url.replace("127.0.0.1", "localhost");
    connect(format!("{by_name}?sslmode=verify-full&sslrootcert={authority}")).fails(1, "invalid peer certificate");
    for proven_enough in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={authority}")] {
        let ran = connect(format!("{url}?{proven_enough}"));
        assert_eq!(ran.code, 0, "{proven_enough}: {}", ran.err);
    }
}
