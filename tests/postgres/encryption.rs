//! A Postgres that speaks TLS and nothing else.

use crate::alone;
use crate::cluster::{Cluster, End};
use crate::program::Desk;
use crate::restarting::restart_in_traffic;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn callers_hear_right_answers_through_an_encrypted_database_that_is_restarted() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let authority = cluster.encrypt().await;
    let url = format!("{}?sslmode=verify-full&sslrootcert={authority}", cluster.url());
    restart_in_traffic(&cluster, &url, &[End::Fast]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_database_that_cannot_prove_who_it_is_is_refused() {
    let _alone = alone().await;
    let (cluster, stranger) = (Cluster::start().await, Cluster::start().await);
    let (authority, unknown) = (cluster.encrypt().await, stranger.encrypt().await);
    let url = cluster.url();
    // The certificate is for the address.
    let by_name = url.replace("127.0.0.1", "localhost");
    for (url, said) in [
        (format!("{url}?sslmode=disable"), "no encryption"),
        (format!("{url}?sslmode=verify-full&sslrootcert={unknown}"), "invalid peer certificate"),
        (format!("{by_name}?sslmode=verify-full&sslrootcert={authority}"), "invalid peer certificate"),
    ] {
        Desk::on(&url).run(&["migrate"]).fails(1, said);
    }
    for proven_enough in ["sslmode=require".to_owned(), format!("sslmode=verify-full&sslrootcert={authority}")] {
        Desk::on(&format!("{url}?{proven_enough}")).well(&["migrate"]);
    }
}
