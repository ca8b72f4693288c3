//! `explain`: one decision with all it was made from.

use super::arguments::{self, Form};
use super::desk::{Desk, unreadable};
use super::failure::Failure;
use super::{shown, terminal};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{Timestamp, TrackingId};
use crate::explain;
use crate::store::Reads;
use crate::views::DecisionDetail;

/// Explain a decision: each rule in order, its window, what was counted, the limit, what was left.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  vna-partner explain 019a9f3e-6d02-7a11-8c35-0b9d4e7f2a61

The text holds no personal data; --json adds the request as it was received, which does.")]
pub struct Explain {
    /// TrackingIdentifier that was answered
    #[arg(value_name = "TRACKING", value_parser = arguments::tracking_id)]
    tracking: TrackingId,
    #[command(flatten)]
    form: Form,
}

pub async fn run(args: &Explain, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let desk = Desk::open(settings, clock).await?;
    let explained = explained(args, &desk).await;
    desk.close().await;
    explained
}

async fn explained(args: &Explain, desk: &Desk) -> Result<(), Failure> {
    let reads = desk.reads();
    let now = desk.clock().now();
    let nothing = || Failure::refused("no decision was answered with this TrackingIdentifier");
    if !args.form.json {
        return terminal::print_lines(&text(reads.as_ref(), args.tracking, now).await?.ok_or_else(nothing)?);
    }
    let decision = reads.decision(args.tracking).await.map_err(unreadable)?.ok_or_else(nothing)?;
    let twins = explain::open_twins(reads.as_ref(), &decision, now).await.map_err(unreadable)?;
    shown::json(&DecisionDetail::new(&decision, &twins))
}

/// The explanation as text; `None` where there was no such decision.
pub async fn text(reads: &dyn Reads, tracking: TrackingId, now: Timestamp) -> Result<Option<String>, Failure> {
    let Some(decision) = reads.decision(tracking).await.map_err(unreadable)? else { return Ok(None) };
    let twins = explain::open_twins(reads, &decision, now).await.map_err(unreadable)?;
    Ok(Some(explain::explain(&decision, &twins)))
}
