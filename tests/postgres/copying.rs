//! `store copy` into Postgres, killed.

use std::process::Stdio;

use crate::alone;
use crate::cluster::Cluster;
use crate::program::Desk;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_copy_that_is_killed_is_never_served_and_starts_again() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let (source, url) = (Desk::new(), cluster.url());
    source.seed_demo();
    let target = Desk::on(&url);
    target.well(&["migrate"]);
    let endless = "CREATE FUNCTION endless() RETURNS trigger LANGUAGE plpgsql AS \
                   $$ BEGIN PERFORM pg_sleep(3600); RETURN NEW; END $$";
    cluster.run_sql("vna", endless).await;
    let trigger = "CREATE TRIGGER endless BEFORE INSERT ON postings FOR EACH ROW EXECUTE FUNCTION endless()";
    cluster.run_sql("vna", trigger).await;
    let copy = ["store", "copy", "--from", "sqlite://vna.db", "--to", &url];
    let mut copying = source.command(&copy).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let sleeps = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    cluster.wait_until("the copy hangs in a late table", sleeps).await;
    let served = target.run(&["serve"]);
    assert!(served.code == 1 && served.err.contains("lock timeout"), "{}", served.err);
    copying.kill().unwrap();
    copying.wait().unwrap();
    let gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    cluster.wait_until("the database notices that its client is gone", gone).await;
    cluster.run_sql("vna", "DROP TRIGGER endless ON postings").await;
    assert_eq!(target.json(&["account", "list"])["pagination"]["total"], 0);
    assert!(source.well(&copy).contains("Copied and proven"));
    source.well(&["store", "compare", "--from", "sqlite://vna.db", "--to", &url]);
    target.well(&["audit"]);
}
