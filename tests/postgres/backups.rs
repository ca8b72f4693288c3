//! Backups by Postgres' own programs while calls come in, as docs/operating.md shows them.

use std::path::Path;

use crate::alone;
use crate::cluster::{Cluster, folder_of_postgres, postgres, run};
use crate::program::Desk;
use crate::traffic::{ACCOUNTS, Caller, Traffic, open_books, serve};

/// A credit as it was acknowledged: its account, its authorization and itself.
type Acknowledged = (&'static str, String, String);

/// What `back_up` made while calls were answered, and what had been acknowledged before it began.
async fn backed_up_in_traffic<T>(cluster: &Cluster, back_up: impl Fn() -> T) -> (T, Vec<Acknowledged>) {
    let desk = open_books(&cluster.url());
    let server = serve(&desk);
    let traffic = Traffic::start(&[&server], 4);
    let leap = Caller::of(&server);
    let mut acknowledged = Vec::new();
    loop {
        traffic.flows(20).await;
        for account in ACCOUNTS {
            let authorization = leap.authorize(account, 1).await;
            let credit = leap.credit(account, &authorization).await;
            acknowledged.push((account, authorization, credit));
        }
        let before = traffic.succeeded();
        let made = tokio::task::block_in_place(&back_up);
        if traffic.succeeded() > before {
            traffic.stop().await;
            return (made, acknowledged);
        }
    }
}

/// The books at `url` are sound, and every credit is answered as it was.
async fn hold_to(url: &str, acknowledged: &[Acknowledged]) {
    let desk = Desk::on(url);
    desk.write("vna.toml", "rules = \"rules.toml\"");
    desk.write("rules.toml", "rules = []");
    desk.well(&["audit"]);
    let server = serve(&desk);
    let leap = Caller::of(&server);
    for (account, authorization, credit) in acknowledged {
        assert_eq!(leap.credit(account, authorization).await, *credit);
    }
}

fn dump(cluster: &Cluster, into: &Path) {
    let dump = into.join("vna.dump");
    run(postgres("pg_dump").args(["--format", "custom", "--dbname", &cluster.url()]).arg("--file").arg(dump));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds a Postgres cluster; scripts/test runs it"]
async fn a_dump_taken_in_traffic_is_sound_and_holds_all_that_was_acknowledged_before() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let folder = folder_of_postgres();
    let ((), acknowledged) = backed_up_in_traffic(&cluster, || dump(&cluster, folder.path())).await;
    cluster.run_sql("postgres", "CREATE DATABASE vna_restored TEMPLATE template0 ENCODING 'UTF8'").await;
    let restored = format!("postgres://postgres@127.0.0.1:{}/vna_restored", cluster.port);
    let arguments = ["--exit-on-error", "--single-transaction", "--dbname", &restored];
    run(postgres("pg_restore").args(arguments).arg(folder.path().join("vna.dump")));
    hold_to(&restored, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "builds Postgres clusters; scripts/test runs it"]
async fn a_base_backup_taken_in_traffic_is_sound_and_holds_all_that_was_acknowledged_before() {
    let _alone = alone().await;
    let cluster = Cluster::start().await;
    let (restored, acknowledged) = backed_up_in_traffic(&cluster, || Cluster::base_backup_of(&cluster)).await;
    restored.start_again().await;
    hold_to(&restored.url(), &acknowledged).await;
}
