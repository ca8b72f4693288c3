//! Does the store take a write now? Asked by `/health/ready`.
//!
//! The answer is a batch of its own: a row of `batches` added and deleted again, and the commit. It leaves nothing behind,
//! but proves that batches reach the disk; a writer's own connections are not looked at.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::hosts::Hosts;
use super::store_error;
use crate::store::StoreError;

/// How long a proof stands: whoever may ask unsigned must not be able to make the database busy.
const PROOF_STANDS: Duration = Duration::from_secs(1);

/// How long the row and its commit may take: longer than a lock is waited for. A host that answers no more must not keep
/// all who ask waiting.
const PROOF_TAKES_AT_MOST: Duration = Duration::from_secs(5);

const ADD_AND_DELETE: &str = "
    INSERT INTO batches (id, committed_at) VALUES (gen_random_uuid(), -1);
    DELETE FROM batches WHERE committed_at = -1;
    COMMIT";

/// What proves it.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    batches: Hosts,
    proven_at: Arc<Mutex<Option<Instant>>>,
}

impl Probe {
    pub(super) fn new(batches: Hosts) -> Self {
        Self { batches, proven_at: Arc::default() }
    }

    /// Proves that the store takes a write, or has taken one within the last second.
    pub(super) async fn takes_writes(&self) -> Result<(), StoreError> {
        // In a task of its own: an asker that hangs up must not leave the lock behind.
        let probe = self.clone();
        let proof = tokio::spawn(async move { probe.prove().await });
        proof.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the write probe broke off".to_owned())))
    }

    async fn prove(&self) -> Result<(), StoreError> {
        let mut proven_at = self.proven_at.lock().await;
        if proven_at.is_some_and(|at| at.elapsed() < PROOF_STANDS) {
            return Ok(());
        }
        let mut on = self.batches.begin_batch().await?;
        let proof = timeout(PROOF_TAKES_AT_MOST, on.connection.execute(sqlx::raw_sql(ADD_AND_DELETE))).await;
        proof.map_err(|_| StoreError::Unavailable("the write probe got no answer".to_owned()))?.map_err(store_error)?;
        *proven_at = Some(Instant::now());
        Ok(())
    }
}
