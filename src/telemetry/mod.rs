//! What operators watch: log lines and metrics. Neither ever holds a body, a signature, a key or personal data.
//!
//! Every metric's name is here, so that dashboards have one place to look; whoever does the work emits it under the
//! name.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogSettings};

pub use json_lines::JsonLines;
pub use output::{Flush, Output, Urgency};

mod json_lines;
mod output;

/// Counter of answered HTTP requests; labels `endpoint` (the route's pattern, never the path), `status`.
pub const HTTP_REQUESTS: &str = "vna_http_requests_total";
/// Histogram, seconds from a request's head to its answer's head; label `endpoint`.
pub const HTTP_REQUEST_SECONDS: &str = "vna_http_request_seconds";
/// Counter of durable decisions; labels `kind`, `approved` (`true` or `false`), `reason` (the contract's spelling, or
/// `None`).
pub const DECISIONS: &str = "vna_decisions_total";
/// Histogram, commands that one commit held.
pub const BATCH_COMMANDS: &str = "vna_batch_commands";
/// Counter of batches that began without locks, on Postgres; label `outcome`: `carried_out`, or why they were decided again:
/// `overtaken`, `outdated`, `needed_more`, `failed`.
pub const BATCHES_WITHOUT_LOCKS: &str = "vna_batches_without_locks_total";
/// Gauge, requests that wait for the writer.
pub const QUEUE_DEPTH: &str = "vna_queue_depth";
/// Gauge, servers seen lately on this server's database that decide by other rules or settings than this one.
pub const DISSENTING_SERVERS: &str = "vna_dissenting_servers";
/// Gauge, commands in the second lane: others hold what they name.
pub const COMMANDS_HELD: &str = "vna_commands_held";
/// Histogram, seconds from a batch's first statement until its commit is durable.
pub const COMMIT_SECONDS: &str = "vna_commit_seconds";

/// From a fast answer out of memory to the longest that a caller is likely to wait.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Powers of two: a batch grows by doubling under load.
const COMMANDS: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// A histogram keeps every sample until it is folded into its buckets; this bounds how many.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Measures how long something takes. It decides nothing, so it is not the clock's.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the stopwatch of whatever measures")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("`{0}` is not a log filter: write a level, as info, or parts like vna_partner=debug,info")]
    BadFilter(String),
    #[error("logging is already set up")]
    AlreadyStarted,
    #[error("the log has no thread: {0}")]
    NoThread(std::io::Error),
}

/// Sends log lines to standard output. What it returns is dropped at the end, so that none is left behind.
///
/// # Errors
/// A filter that cannot be read, a second call in one process, or a system that has no thread to give.
pub fn start_logs(settings: &LogSettings) -> Result<Flush, LogError> {
    let env_filter = EnvFilter::try_new(&settings.filter).map_err(|_| LogError::BadFilter(settings.filter.clone()))?;
    let as_json = match settings.format {
        LogFormat::Auto => !std::io::stdout().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let (output, flush) = Output::start(std::io::stdout()).map_err(LogError::NoThread)?;
    let lines = tracing_subscriber::registry().with(env_filter);
    let started = if as_json {
        lines.with(JsonLines::to(output)).try_init()
    } else {
        lines.with(tracing_subscriber::fmt::layer().with_writer(output)).try_init()
    };
    started.map_err(|_| LogError::AlreadyStarted)?;
    Ok(flush)
}

/// The process's metrics. The first call installs the recorder; later ones return the same handle.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install_recorder).clone()
}

/// Folds samples into buckets for as long as the server runs; without it their memory grows.
pub async fn keep_metrics_small(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_EVERY);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

fn install_recorder() -> PrometheusHandle {
    let recorder = with_buckets(PrometheusBuilder::new()).build_recorder();
    let handle = recorder.handle();
    // Another recorder is there only where this crate is a guest in somebody's process; theirs then gets the numbers.
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is already installed, so /metrics stays empty");
    }
    describe_counter!(HTTP_REQUESTS, "Answered HTTP requests by endpoint and status");
    describe_histogram!(HTTP_REQUEST_SECONDS, Unit::Seconds, "Time from a request's head to its answer's head");
    describe_counter!(DECISIONS, "Durable decisions by kind, verdict and reason");
    describe_histogram!(BATCH_COMMANDS, "Commands that one commit held");
    describe_counter!(BATCHES_WITHOUT_LOCKS, "Batches that began without locks, by what became of them");
    describe_gauge!(QUEUE_DEPTH, "Requests that wait for the writer");
    describe_gauge!(DISSENTING_SERVERS, "Servers of this database that decide by other rules or settings");
    describe_gauge!(COMMANDS_HELD, "Commands that wait for what others hold");
    describe_histogram!(
        COMMIT_SECONDS,
        Unit::Seconds,
        "Time from a batch's first statement until its commit is durable"
    );
    handle
}

fn with_buckets(builder: PrometheusBuilder) -> PrometheusBuilder {
    let named = |name: &str| Matcher::Full(name.to_owned());
    builder
        .set_buckets_for_metric(named(HTTP_REQUEST_SECONDS), &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(named(COMMIT_SECONDS), &SECONDS))
        .and_then(|builder| builder.set_buckets_for_metric(named(BATCH_COMMANDS), &COMMANDS))
        // The only error is an empty list of buckets.
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_reaches_the_same_recorder_and_histograms_have_buckets() {
        let first = metrics();
        metrics();
        metrics::histogram!(COMMIT_SECONDS).record(0.003);
        assert!(first.render().contains("vna_commit_seconds_bucket{le=\"0.005\"}"));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let settings = LogSettings { format: LogFormat::Auto, filter: "a=b=c".to_owned() };
        assert!(matches!(start_logs(&settings), Err(LogError::BadFilter(text)) if text == "a=b=c"));
    }
}
