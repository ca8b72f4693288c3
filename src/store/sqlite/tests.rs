use tempfile::TempDir;

use super::*;
use crate::clock::fresh_id;

async fn store() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("vna.db").display());
    (SqliteStore::open(&url).await.unwrap(), directory)
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_and_its_companions_are_their_owners_alone_and_an_old_one_keeps_its_mode() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let (store, directory) = store().await;
    store.begin().await.unwrap().commit(&Changes::default(), fresh_id(), Timestamp(1)).await.unwrap();
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
