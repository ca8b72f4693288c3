//! The audit: recounts the books from what was written and compares.
//!
//! Every claim is two statements, how many rows it concerns and which of them break it, so Postgres does the counting and
//! memory stays bounded however long the history. All of them run in one read transaction and see one moment; the
//! writer goes on meanwhile. An offender is named by identifiers and figures; a sender by a hash, never by the phone.

use sqlx::{PgConnection, query_as, query_scalar};

use super::{PostgresStore, store_error, transaction};
use crate::store::audit::{Check, Offenders, subject};
use crate::store::{AuditCheck, StoreError};

mod books;
mod limits;

pub(super) async fn audit(store: &PostgresStore) -> Result<Vec<AuditCheck>, StoreError> {
    let mut snapshot = store.readers.begin(transaction::SNAPSHOT).await?;
    run_all(&mut snapshot).await
}

/// In the caller's transaction.
pub(super) async fn run_all(snapshot: &mut PgConnection) -> Result<Vec<AuditCheck>, StoreError> {
    let mut checks = Vec::with_capacity(books::CHECKS.len() + limits::CHECKS.len());
    for check in books::CHECKS.iter().chain(limits::CHECKS) {
        checks.push(run(&mut *snapshot, check).await?);
    }
    Ok(checks)
}

async fn run(snapshot: &mut PgConnection, check: &Check) -> Result<AuditCheck, StoreError> {
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
