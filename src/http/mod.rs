//! The edge: Leap's six signed endpoints, the admin API, the enrolment page, health and metrics.
//!
//! A signed call passes these in order, and nothing leads past one of them:
//!
//! - [`signature`]: the body's bytes are verified before anything is parsed
//! - [`idempotency`]: a key that was sent is claimed
//! - [`json`]: bytes to a tree, strictly
//! - [`wire`]: tree to command, outcome to answer
//! - [`endpoints`]: one file each
//! - [`error`]: every answer that is no business answer
//!
//! [`routes`] is the table of all paths; [`observe`] is around every request.

use std::net::SocketAddr;
use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusHandle;

use crate::clock::Clock;
use crate::commit::Engine;
use crate::config::Settings;
use crate::decide::{Outcome, Request};
use crate::peers::Peers;
use crate::store::{Reads, StoreError};
use crate::telemetry;

pub use error::HttpError;
pub use readiness::{Doubt, Readiness};
pub use server::{Running, start};
pub use signature::Signatures;

pub mod admin;
pub mod body;
pub mod endpoints;
pub mod enrolment;
pub mod error;
pub mod health;
pub mod idempotency;
pub mod json;
pub mod observe;
pub mod readiness;
pub mod routes;
pub mod server;
pub mod signature;
pub mod wire;

/// What every handler may use.
pub struct AppState {
    pub settings: Arc<Settings>,
    pub engine: Engine,
    pub reads: Arc<dyn Reads>,
    pub clock: Clock,
    pub readiness: Readiness,
    pub peers: Arc<Peers>,
    pub signatures: Signatures,
    pub metrics: PrometheusHandle,
    /// How a browser reaches this server, without a trailing slash.
    pub public_url: String,
}

impl AppState {
    /// The state of a server that listens on `listening_on`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(
        settings: Arc<Settings>,
        engine: Engine,
        reads: Arc<dyn Reads>,
        clock: Clock,
        peers: Arc<Peers>,
        listening_on: SocketAddr,
    ) -> Result<Self, StoreError> {
        let readiness = Readiness::new(reads.latest_batch_at().await?);
        let signatures = Signatures::new(settings.signing_keys.iter().map(|key| key.bytes()));
        let public_url = settings.browser_url(listening_on);
        let metrics = telemetry::metrics();
        let state = Self { settings, engine, reads, clock, readiness, peers, signatures, metrics, public_url };
        state.compare_clocks().await?;
        Ok(state)
    }

    /// The full path of one of Leap's endpoints.
    pub fn endpoint_path(&self, name: &str) -> String {
        format!("{}/{name}", self.settings.base_path)
    }

    /// # Errors
    /// A 503 where this server's clock cannot be trusted.
    pub fn check_clock(&self) -> Result<(), HttpError> {
        match self.readiness.doubt(self.clock.now()) {
            None => Ok(()),
            Some(Doubt::BehindLatestBatch) => {
                Err(HttpError::Unavailable("this server's clock is behind the latest batch; nothing was written"))
            }
            Some(Doubt::OffTheStore) => {
                Err(HttpError::Unavailable("this server's clock is off the database's; nothing was written"))
            }
        }
    }

    /// Holds this server's clock against the database's, where it has one. A clock that a test turns is no machine's.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn compare_clocks(&self) -> Result<(), StoreError> {
        if !self.clock.is_system() {
            return Ok(());
        }
        let before = self.clock.now();
        if let Some(store) = self.reads.clock().await? {
            let ahead = self.readiness.saw_store_clock(before, store, self.clock.now());
            if self.readiness.doubt(before) == Some(Doubt::OffTheStore) {
                tracing::error!(database_ahead_us = ahead.0, "this server's clock is off the database's");
            }
        }
        Ok(())
    }

    /// Hands a request to the writer and waits until it is durable. Everything that writes comes this way.
    ///
    /// # Errors
    /// A 503 where the clock is behind, the queue is full or the store is away; the first answer where an
    /// `Idempotency-Key` has an edge's answer already, and a 409 where it was used with another body.
    pub async fn submit(&self, request: Request) -> Result<Outcome, HttpError> {
        self.check_clock()?;
        let received_at = request.received_at;
        let outcome = self.engine.submit(request).await?;
        self.readiness.saw_batch(received_at);
        match outcome {
            Outcome::Edge(answer) => Err(HttpError::Kept(answer)),
            Outcome::KeyReused => Err(HttpError::IdempotencyKeyReused),
            outcome => Ok(outcome),
        }
    }
}

/// The core answered with another command's outcome: nothing may be said of it.
fn unexpected() -> HttpError {
    tracing::error!("the outcome is not one of this endpoint's");
    HttpError::Internal
}
