//! The listening server: how many connections, how long each, and how it stops.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use tokio::task::JoinHandle;
use tracing_actix_web::TracingLogger;

use super::observe::{RequestSpan, observe};
use super::{AppState, routes};
use crate::telemetry;

/// Per worker. A connection that waits costs some 10 KiB; Leap's backend needs dozens.
const MAX_CONNECTIONS: usize = 4_096;

/// Longer than the pause between two calls of a busy caller, so that its connections are used again.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A request's head has a few hundred bytes: who takes longer is not calling us.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// For the peer to take the answer and close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long an orderly stop waits for requests that are under way, in seconds; a decision takes milliseconds.
const STOP_TIMEOUT: u64 = 30;

/// How often the database's clock is looked at: a clock that jumps is found out within this time.
const COMPARE_CLOCKS_EVERY: Duration = Duration::from_secs(5);

/// A server that answers.
pub struct Running {
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
    upkeep: JoinHandle<()>,
    clocks: JoinHandle<()>,
    state: Data<AppState>,
}

impl Running {
    /// Is no longer ready, and serves who still comes for as long as it is set to. Then takes no more connections,
    /// answers the requests that were taken, and ends. The engine must still run.
    pub async fn stop(self) {
        self.state.readiness.leave();
        tokio::time::sleep(self.state.settings.http.drain.to_std()).await;
        self.handle.stop(true).await;
        self.upkeep.abort();
        self.clocks.abort();
        match self.server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the HTTP server ended with an error"),
            Err(error) => tracing::error!(%error, "the HTTP server did not end in order"),
        }
    }
}

/// Serves on `listener` from now on. It installs no signal handlers: its caller has an engine to stop after it.
///
/// # Errors
/// The listener cannot be used.
pub fn start(listener: TcpListener, state: AppState) -> io::Result<Running> {
    let state = Data::new(state);
    let metrics = state.metrics.clone();
    let clocks = compare_clocks(state.clone());
    let for_workers = state.clone();
    let server = HttpServer::new(move || {
        let state = for_workers.clone();
        let base_path = state.settings.base_path.clone();
        App::new()
            .app_data(state)
            .wrap(from_fn(observe))
            .wrap(TracingLogger::<RequestSpan>::new())
            .configure(move |config| routes::configure(config, &base_path))
    })
    .max_connections(MAX_CONNECTIONS)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .client_disconnect_timeout(CLOSE_TIMEOUT)
    .shutdown_timeout(STOP_TIMEOUT)
    .tcp_nodelay(true)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(Running {
        handle: server.handle(),
        server: tokio::spawn(server),
        upkeep: tokio::spawn(telemetry::keep_metrics_small(metrics)),
        clocks: tokio::spawn(clocks),
        state,
    })
}

async fn compare_clocks(state: Data<AppState>) {
    loop {
        tokio::time::sleep(COMPARE_CLOCKS_EVERY).await;
        if let Err(error) = state.compare_clocks().await {
            // A store that is away is said where calls need it.
            tracing::debug!(%error, "the database's clock could not be looked at");
        }
    }
}
