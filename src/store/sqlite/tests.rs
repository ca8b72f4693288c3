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
