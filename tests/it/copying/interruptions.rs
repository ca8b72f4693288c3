//! What is not a whole and proven copy is not there at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::sync::mpsc;
use vna_partner::copy::{CopyError, Step, copy};

use super::{NOW, open, pair, pairs, rows_of, setup, traffic};
use crate::support::{Database, Server};

#[tokio::test]
async fn an_interrupted_copy_leaves_nothing_and_starts_again() {
    let pair = pair().await;
    let told = traffic(&pair.source).await;
    for until in [Step::Copying("postings"), Step::Proving("the audit")] {
        let (source, target) = (open(&pair.source).await, open(&pair.target).await);
        let (tell, mut told_so) = mpsc::unbounded_channel();
        let copying = tokio::spawn({
            let (source, target, now) = (source.clone(), target.clone(), told.now);
            let watcher = move |step| {
                if step == until {
                    tell.send(()).unwrap();
                }
            };
            async move { copy(&*source, &*target, now, &watcher).await.map(|_| ()) }
        });
        told_so.recv().await.unwrap();
        copying.abort();
        assert!(copying.await.unwrap_err().is_cancelled(), "{until:?}");
        source.close().await;
        target.close().await;
        assert_eq!(rows_of(&pair.target).await, 0, "{until:?}");
    }
    pair.copy(told.now).await.unwrap();
    assert_eq!(rows_of(&pair.target).await, rows_of(&pair.source).await);
}

/// Makes the database alter what is written to it.
async fn meddle(target: &Database) {
    open(target).await.close().await;
    let trigger = if target.is_sqlite() {
        "CREATE TRIGGER meddle AFTER INSERT ON accounts
         BEGIN UPDATE accounts SET balance = balance + 1 WHERE id = NEW.id; END"
    } else {
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.balance := NEW.balance + 1; RETURN NEW; END $$;
         CREATE TRIGGER meddle BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION meddle()"
    };
    target.run(trigger).await.unwrap();
}

#[tokio::test]
async fn a_target_that_alters_what_is_written_is_found_out_and_nothing_is_kept() {
    let pair = pair().await;
    let told = traffic(&pair.source).await;
    meddle(&pair.target).await;
    let Err(CopyError::NotProven(proof)) = pair.copy(told.now).await else { panic!("it was proven") };
    let offenders: Vec<String> = proof.checks.into_iter().flat_map(|check| check.offenders).collect();
    let altered = |offender: &String| offender.starts_with("accounts ") && offender.ends_with(": balance differs");
    assert!(offenders.iter().any(altered), "{offenders:#?}");
    assert_eq!(rows_of(&pair.target).await, 0);
    let drop = if pair.target.is_sqlite() { "DROP TRIGGER meddle" } else { "DROP TRIGGER meddle ON accounts" };
    pair.target.run(drop).await.unwrap();
    pair.copy(told.now).await.unwrap();
}

#[tokio::test]
async fn a_source_that_is_written_to_meanwhile_makes_no_copy() {
    for pair in pairs().await {
        let told = traffic(&pair.source).await;
        let written = AtomicBool::new(false);
        let source = pair.source.clone();
        let write = move |step| {
            if step == Step::Copying("decisions") && !written.swap(true, Ordering::Relaxed) {
                let source = source.clone();
                let batch = "INSERT INTO batches VALUES ('00000000-0000-7000-8000-000000000001', 1)";
                let client = thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(source.run(batch)).unwrap();
                });
                client.join().unwrap();
            }
        };
        let refused = pair.copy_watched(told.now, &write).await.unwrap_err();
        assert!(matches!(refused, CopyError::Moved), "{refused}");
        assert_eq!(rows_of(&pair.target).await, 0);
    }
}

#[tokio::test]
async fn nothing_is_copied_from_or_into_a_database_that_a_server_works_on() {
    let pair = pair().await;
    let serving: Server = setup().start_on(pair.source.clone()).await;
    let refused = pair.copy(NOW).await.unwrap_err().to_string();
    assert!(refused.contains("still runs on the source; stop every server"), "{refused}");
    drop(serving);
    let _serving: Server = setup().start_on(pair.target.clone()).await;
    let refused = pair.copy(NOW).await.unwrap_err().to_string();
    assert!(refused.contains("still runs on the target; stop every server"), "{refused}");
}
