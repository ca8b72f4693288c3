use tempfile::TempDir;

use super::*;
use crate::clock::fresh_id;
use crate::domain::{Currency, Event, SeriesKey, Subject, SubjectKind};
use crate::store::Reads;

async fn store() -> (SqliteStore, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("vna.db").display());
    (SqliteStore::open_to_serve(&url).await.unwrap(), directory)
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_and_its_companions_are_their_owners_alone_and_an_old_one_keeps_its_mode() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let (store, directory) = store().await;
    store
        .begin()
        .await
        .unwrap()
        .commit(&Changes::default(), fresh_id(), Timestamp(1))
        .await
        .unwrap()
        .reached()
        .await
        .unwrap();
    let path = |name: &str| directory.path().join(name);
    let mode = |name: &str| metadata(path(name)).unwrap().permissions().mode() & 0o777;
    for name in ["vna.db", "vna.db-wal", "vna.db-shm"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    store.close().await;
    set_permissions(path("vna.db"), Permissions::from_mode(0o640)).unwrap();
    SqliteStore::open_to_serve(&format!("sqlite://{}", path("vna.db").display())).await.unwrap().close().await;
    assert_eq!(mode("vna.db"), 0o640);
}

#[tokio::test]
async fn what_was_committed_and_is_not_on_the_disk_yet_is_there_for_the_next_batch() {
    let (store, _directory) = store().await;
    let subject = SubjectKey::new(SubjectKind::Sender, "A");
    let batch = store.begin().await.unwrap();
    drop(batch.commit(&changes_of(&subject), fresh_id(), Timestamp(1)).await.unwrap());
    assert_eq!(store.begin().await.unwrap().load(&wanted(&subject)).await.unwrap().subjects.len(), 1);
}

#[tokio::test]
async fn a_batch_that_has_lost_its_transaction_writes_nothing() {
    let (store, _directory) = store().await;
    let subject = SubjectKey::new(SubjectKind::Sender, "A");
    let mut batch = SqliteBatch { writing: store.writer.take().await.unwrap(), begun: false };
    batch.load(&wanted(&subject)).await.unwrap();
    // As SQLite itself does where the disk is full.
    execute(&batch.writing.connection, "ROLLBACK").unwrap();
    let id = fresh_id();
    let refused = Box::new(batch).commit(&changes_of(&subject), id, Timestamp(1)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(!store.was_committed(id, Timestamp(2)).await.unwrap());
    assert!(store.begin().await.unwrap().load(&wanted(&subject)).await.unwrap().subjects.is_empty());
}

#[tokio::test]
async fn a_change_of_what_is_not_there_is_no_success() {
    let (store, _directory) = store().await;
    let series = SeriesKey { subject: SubjectKey::new(SubjectKind::Sender, "A"), currency: Currency::FIRST };
    let event = Event {
        series,
        number: 1,
        at: Timestamp(1),
        amount: 100,
        running: 100,
        authorization: fresh_id(),
        due_at: None,
        released: None,
        late: false,
    };
    let changes = Changes { events: [(event.place(), event)].into(), ..Changes::default() };
    let refused = store.begin().await.unwrap().commit(&changes, fresh_id(), Timestamp(1)).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
}

#[tokio::test]
async fn a_batch_that_is_dropped_half_way_leaves_no_transaction_and_no_row_behind() {
    let (store, _directory) = store().await;
    let subject = SubjectKey::new(SubjectKind::Sender, "A");
    let changes = || changes_of(&subject);
    let mut half_way = store.begin().await.unwrap();
    half_way.write(&changes()).await.unwrap();
    drop(half_way);
    let mut never_polled_again = store.begin().await.unwrap();
    never_polled_again.load(&wanted(&subject)).await.unwrap();
    drop(never_polled_again.commit(&changes(), fresh_id(), Timestamp(1)));
    store.takes_writes().await.unwrap();
    let mut next = store.begin().await.unwrap();
    assert!(next.load(&wanted(&subject)).await.unwrap().subjects.is_empty());
    next.commit(&changes(), fresh_id(), Timestamp(1)).await.unwrap().reached().await.unwrap();
    let mut last = store.begin().await.unwrap();
    assert_eq!(last.load(&wanted(&subject)).await.unwrap().subjects.len(), 1);
}

#[tokio::test]
async fn a_batch_that_is_refused_leaves_the_connection_as_it_was() {
    let (store, _directory) = store().await;
    let id = fresh_id();
    store.begin().await.unwrap().commit(&Changes::default(), id, Timestamp(1)).await.unwrap().reached().await.unwrap();
    let again = store.begin().await.unwrap().commit(&Changes::default(), id, Timestamp(2)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let mut rolled_back = store.begin().await.unwrap();
    rolled_back.write(&Changes::default()).await.unwrap();
    rolled_back.roll_back().await;
    store
        .begin()
        .await
        .unwrap()
        .commit(&Changes::default(), fresh_id(), Timestamp(3))
        .await
        .unwrap()
        .reached()
        .await
        .unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_log_of_a_database_behind_a_link_is_where_the_database_is() {
    let (store, directory) = store().await;
    store.close().await;
    let link = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(directory.path().join("vna.db"), link.path().join("here.db")).unwrap();
    let store =
        SqliteStore::open_to_serve(&format!("sqlite://{}", link.path().join("here.db").display())).await.unwrap();
    let committed = store.begin().await.unwrap().commit(&Changes::default(), fresh_id(), Timestamp(1)).await.unwrap();
    committed.reached().await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_once_the_store_is_closed() {
    let (store, _directory) = store().await;
    store.close().await;
    assert!(matches!(store.begin().await, Err(StoreError::Unavailable(_))));
}

fn changes_of(subject: &SubjectKey) -> Changes {
    Changes { subjects: [(subject.clone(), Subject::new(subject.clone()))].into(), ..Changes::default() }
}

fn wanted(subject: &SubjectKey) -> Wanted {
    Wanted { subjects: [subject.clone()].into(), ..Wanted::default() }
}
