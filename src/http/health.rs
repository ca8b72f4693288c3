//! Whether the server lives, whether it can serve, and its numbers.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;

use super::{AppState, Doubt, HttpError};
use crate::peers::Dissent;

#[derive(Serialize)]
struct Healthy<T> {
    success: bool,
    data: T,
}

#[derive(Serialize)]
struct Live {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    store: &'static str,
    clock: &'static str,
    /// Whoever asks needs no key, so it names no server.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// The process answers. Nothing else is asked, so that a store's failure does not get the server killed.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Healthy { success: true, data: Live { status: "live" } })
}

/// Ready only if the store takes a write now and the clock can be trusted; else a 503 that says which fails. Servers that
/// decide differently are a warning.
pub async fn ready(state: Data<AppState>) -> Result<HttpResponse, HttpError> {
    if state.readiness.is_leaving() {
        return Err(HttpError::Unavailable("not ready: the server is stopping"));
    }
    if let Err(error) = state.reads.takes_writes().await {
        tracing::warn!(%error, "not ready: the store takes no writes");
        return Err(HttpError::Unavailable("not ready: the store takes no writes"));
    }
    // Another process, as the command line, may have committed since.
    if let Some(latest) = state.reads.latest_batch_at().await? {
        state.readiness.saw_batch(latest);
    }
    state.compare_clocks().await?;
    match state.readiness.doubt(state.clock.now()) {
        None => {}
        Some(Doubt::BehindLatestBatch) => {
            return Err(HttpError::Unavailable("not ready: the clock is behind the latest batch"));
        }
        Some(Doubt::OffTheStore) => return Err(HttpError::Unavailable("not ready: the clock is off the database's")),
    }
    let warning = warning(&state.peers.dissent().await?);
    let data = Ready { status: "ready", store: "ok", clock: "ok", warning };
    Ok(HttpResponse::Ok().json(Healthy { success: true, data }))
}

/// Servers that decide differently can all serve: while new rules are rolled out, they must.
fn warning(dissent: &[Dissent]) -> Option<String> {
    let servers: usize = dissent.iter().map(|one| one.servers.len()).sum();
    (servers > 0).then(|| {
        format!("other servers of this database decide by other rules or settings: {servers}; the log names them")
    })
}

/// The metrics in the Prometheus text format.
pub async fn metrics(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(state.metrics.render())
}
