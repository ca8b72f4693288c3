//! The listening server: how many connections, how long each, and how it stops.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
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

/// Serves on `listener` until the server is stopped through its handle: it installs no signal handlers, because its
/// caller has an engine to stop after it. The returned server must be awaited.
///
/// # Errors
/// The listener cannot be used.
pub fn start(state: AppState, listener: TcpListener) -> io::Result<Server> {
    let state = Data::new(state);
    tokio::spawn(telemetry::keep_metrics_small(state.metrics.clone()));
    let server = HttpServer::new(move || {
        let base_path = state.settings.base_path.clone();
        App::new()
            .app_data(state.clone())
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
    Ok(server)
}
