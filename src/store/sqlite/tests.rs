use tempfile::TempDir;

use super::*;
use crate::clock::fresh_id;

async fn store() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("vna.db").display());
    (SqliteStore::open(&url).await.unwrap(), directory)
}

#[tokio::test]
async fn what_is_old_is_forgotten_a_bounded_number_at_a_time_and_the_oldest_first() {
    let (store, _directory) = store().await;
    let batches: Vec<TrackingId> = (0..5).map(|_| fresh_id()).collect();
    for (id, at) in batches.iter().zip([3, 1, 2, 4, 5]) {
        store.begin().await.unwrap().commit(*id, Timestamp(at)).await.unwrap();
    }
    let mut kept = Vec::new();
    for more in [true, false, false] {
        assert_eq!(store.forget_before(Timestamp(4), 2).await.unwrap(), more);
        let mut left = Vec::new();
        for (index, id) in batches.iter().enumerate() {
            if store.was_committed(*id).await.unwrap() {
                left.push(index);
            }
        }
        kept.push(left);
    }
    assert_eq!(kept, [vec![0, 3, 4], vec![3, 4], vec![3, 4]]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_and_its_companions_are_their_owners_alone_and_an_old_one_keeps_its_mode() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let (store, directory) = store().await;
    store.begin().await.unwrap().commit(fresh_id(), Timestamp(1)).await.unwrap();
    let path = |name: &str| directory.path().join(name);
    let mode = |name: &str| metadata(path(name)).unwrap().permissions().mode() & 0o777;
    for name in ["vna.db", "vna.db-wal", "vna.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    store.close().await;
    set_permissions(path("vna.db"), Permissions::from_mode(0o640)).unwrap();
    SqliteStore::open(&format!("sqlite://{}", path("vna.db").display())).await.unwrap().close().await;
    assert_eq!(mode("vna.db"), 0o640);
}
