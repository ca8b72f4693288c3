//! `serve`: the server, until it is told to stop.

use std::fmt::Write;

use tokio::signal::unix::{SignalKind, signal};

use super::failure::Failure;
use super::{desk, terminal};
use crate::clock::Clock;
use crate::commit::Limits;
use crate::config::Settings;
use crate::peers::Dissent;
use crate::startup::{self, Running};
use crate::telemetry;

/// Serve Leap's calls.
///
/// Stops on SIGTERM and SIGINT: it is no longer ready, takes no more calls once `drain` is over, answers those it took,
/// and closes the database.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  VNA_SIGNING_KEYS_FILE=/run/secrets/leap vna-partner serve
  vna-partner serve --bind 0.0.0.0:8080 --base-path /v1 --rules rules.toml --database-url sqlite:///var/lib/vna/vna.db

Needs VNA_SIGNING_KEYS or VNA_SIGNING_KEYS_FILE. What it serves, from where and with which rules is printed to standard
error as it starts; log lines go to standard output.")]
pub struct Serve {}

pub async fn run(settings: Settings, clock: Clock) -> Result<(), Failure> {
    let _until_the_end = telemetry::start_logs(&settings.log).map_err(Failure::misused)?;
    // Asked for before the server starts, so that a signal in between is not lost.
    let stop = stop_signal()?;
    let running = startup::start(settings.clone(), clock, Limits::default()).await.map_err(desk::start_failure)?;
    // A store that is away is said where calls need it.
    let dissent = running.dissent().await.unwrap_or_default();
    terminal::tell(&announcement(&settings, &running, &dissent));
    tracing::info!(
        address = %running.address,
        store = %settings.database_url,
        rules_version = running.engine.context().rules.version(),
        "listening"
    );
    stop.await;
    tracing::info!("stopping");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Comes when the process is asked to end. It listens from the call on, not from the first poll.
pub fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let unheard = |error| Failure::refused(format!("signals cannot be listened for: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// What a person wants to see before turning to something else.
fn announcement(settings: &Settings, running: &Running, dissent: &[Dissent]) -> String {
    let rules = &running.engine.context().rules;
    let source = settings.rules.as_ref().map_or_else(|| "built in".to_owned(), |path| path.display().to_string());
    let base = if settings.base_path.is_empty() { "/" } else { &settings.base_path };
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        _ = writeln!(text, "{name:<10} {value}");
    };
    line("listening", &format!("http://{}, Leap's endpoints under {base}", running.address));
    line("store", &settings.database_url.to_string());
    line(
        "rules",
        &format!("{}, version {} ({source})", terminal::counted(rules.rules().len(), "rule"), rules.version()),
    );
    line("signing", &format!("{} accepted", terminal::counted(settings.signing_keys.len(), "key")));
    match settings.admin_keys.len() {
        0 => line("admin API", "off; set VNA_ADMIN_KEYS or VNA_ADMIN_KEYS_FILE to switch it on"),
        keys => line("admin API", &format!("on under /admin, {}", terminal::counted(keys, "key"))),
    }
    for warning in &settings.warnings {
        line("warning", warning);
    }
    for other in dissent {
        line("warning", &format!("servers of this database decide differently: {other}"));
    }
    text
}
