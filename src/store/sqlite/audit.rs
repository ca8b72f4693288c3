//! The audit: recounts the books from what was written and compares.
//!
//! Every claim is two statements, how many rows it concerns and which of them break it, so SQLite does the counting and
//! memory stays bounded however long the history. All of them run in one read transaction and see one moment; the
//! writer goes on meanwhile. An offender is named by identifiers and figures; a sender by a hash, never by the phone.

use sqlx::{SqliteConnection, SqlitePool, query_as, query_scalar};

use super::store_error;
use crate::store::audit::{Check, Offenders, subject};
use crate::store::{AuditCheck, StoreError};

mod books;
mod limits;

pub(super) async fn audit(readers: &SqlitePool) -> Result<Vec<AuditCheck>, StoreError> {
    let mut snapshot = readers.begin().await.map_err(store_error)?;
    run_all(&mut snapshot).await
}

/// In the caller's transaction.
pub(super) async fn run_all(snapshot: &mut SqliteConnection) -> Result<Vec<AuditCheck>, StoreError> {
    let mut checks = Vec::with_capacity(books::CHECKS.len() + limits::CHECKS.len());
    for check in books::CHECKS.iter().chain(limits::CHECKS) {
        checks.push(run(&mut *snapshot, check).await?);
    }
    Ok(checks)
}

async fn run(snapshot: &mut SqliteConnection, check: &Check) -> Result<AuditCheck, StoreError> {
    let checked: i64 = query_scalar(check.checked).fetch_one(&mut *snapshot).await.map_err(store_error)?;
    let offenders = match check.offenders {
        Offenders::Rows(rows) => query_scalar(rows).fetch_all(&mut *snapshot).await.map_err(store_error)?,
        Offenders::OfSubjects(rows) => {
            let rows: Vec<(String, String, String)> =
                query_as(rows).fetch_all(&mut *snapshot).await.map_err(store_error)?;
            rows.iter().map(|(kind, key, what)| format!("{}: {what}", subject(kind, key))).collect()
        }
    };
    Ok(AuditCheck { claim: check.claim, checked, offenders })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::plans::{empty_tables, nested_steps};
    use super::*;

    /// One that reads a whole table for every row of another takes hours on a million of both.
    #[tokio::test]
    async fn no_check_reads_everything_again_for_every_row() {
        // The levels of the release tree.
        const SMALL: &str = "SCAN l";
        let pool = empty_tables().await;
        for check in books::CHECKS.iter().chain(limits::CHECKS) {
            let (Offenders::Rows(rows) | Offenders::OfSubjects(rows)) = check.offenders;
            let mut outer = HashSet::new();
            for (parent, detail) in nested_steps(&pool, rows).await {
                let loops = detail.starts_with("SCAN") || detail.starts_with("SEARCH");
                let is_small = detail.contains("VIRTUAL TABLE") || detail == SMALL;
                let is_inner = loops && !outer.insert(parent);
                assert!(!is_inner || is_small || detail.starts_with("SEARCH"), "{}: {detail}", check.claim);
            }
        }
    }
}
