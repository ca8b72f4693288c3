//! A writer's own connections ([`Store::apart`]).

use std::collections::BTreeSet;

use sqlx::query_scalar;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};

use super::PostgresStore;
use super::throw_away::Database;
use crate::clock::fresh_id;
use crate::decide::Changes;
use crate::domain::Timestamp;
use crate::store::Store;

/// The database's side of all connections.
async fn connections(database: &mut Database) -> BTreeSet<i32> {
    let asked = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'vna-partner'";
    let found: Vec<i32> = query_scalar(asked).bind(&database.name).fetch_all(&mut database.admin).await.unwrap();
    found.into_iter().collect()
}

async fn commit_one(store: &dyn Store) {
    let batch = store.begin().await.unwrap();
    batch.commit(&Changes::default(), fresh_id(), Timestamp(1)).await.unwrap().reached().await.unwrap();
}

/// One that has committed by the time the first channel says so, and ends when the other is let go.
fn writer(store: PostgresStore) -> (JoinHandle<()>, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (committed, has_committed) = oneshot::channel();
    let (lets_go, let_go) = oneshot::channel();
    let writer = spawn_blocking(move || {
        let own = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        own.block_on(async {
            let apart = store.apart().unwrap();
            commit_one(&*apart).await;
            committed.send(()).unwrap();
            // Dropped, not told.
            _ = let_go.await;
            apart.close().await;
        });
    });
    (writer, has_committed, lets_go)
}

#[tokio::test]
#[ignore = "needs a Postgres; scripts/test runs it on one"]
async fn a_writer_has_connections_of_its_own_that_end_with_it_and_no_others() {
    let mut database = Database::create().await;
    let store = PostgresStore::open(std::slice::from_ref(&database.address)).await.unwrap();
    commit_one(&store).await;
    let shared = connections(&mut database).await;
    let (writer, has_committed, lets_go) = writer(store.clone());
    has_committed.await.unwrap();
    let all = connections(&mut database).await;
    assert!(all.is_superset(&shared) && all.len() > shared.len());
    drop(lets_go);
    writer.await.unwrap();
    while connections(&mut database).await != shared {
        tokio::task::yield_now().await;
    }
    assert!(store.begin_without_locks().await.is_some(), "the others are kept");
    commit_one(&store).await;
    store.close().await;
    database.drop().await;
}
