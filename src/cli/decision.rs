//! `decision …`: what was answered and why, as `/admin/decisions`.

use clap::Subcommand;

use super::arguments::{self, PageArgs};
use super::desk::{Desk, unreadable};
use super::failure::Failure;
use super::shown::{self, Column};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::{AccountId, DecisionKind, Reason};
use crate::store::DecisionFilter;
use crate::views::{DecisionView, ListView};

/// Decisions: list; `explain` shows one with all it was made from
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  vna-partner decision list --reason ByVelocity
  vna-partner decision list --account 4000000000001234 --approved false")]
pub enum DecisionCommand {
    /// List decisions, the newest first
    List {
        /// Only those on this account
        #[arg(long, value_parser = arguments::account_id)]
        account: Option<AccountId>,
        /// Only those on this call
        #[arg(long, value_parser = arguments::one_of(DecisionKind::ALL.map(DecisionKind::as_str), DecisionKind::parse))]
        kind: Option<DecisionKind>,
        /// Only approvals, or only refusals
        #[arg(long)]
        approved: Option<bool>,
        /// Only those with this reason, as ByVelocity
        #[arg(long, value_parser = arguments::one_of(Reason::ALL.map(Reason::as_str), Reason::parse), hide_possible_values = true)]
        reason: Option<Reason>,
        #[command(flatten)]
        page: PageArgs,
    },
}

pub async fn run(command: DecisionCommand, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let DecisionCommand::List { account, kind, approved, reason, page } = command;
    let desk = Desk::open(settings, clock).await?;
    let filter = DecisionFilter { account, kind, approved, reason };
    let listed = desk.reads().decisions(&filter, page.page()).await;
    desk.close().await;
    let view = ListView::<DecisionView>::new(&listed.map_err(unreadable)?, page.page());
    shown::list(&view, COLUMNS, page.form.json)
}

const COLUMNS: &[Column] = &[
    ("TRACKING", "trackingIdentifier"),
    ("AT", "at"),
    ("CALL", "kind"),
    ("ACCOUNT", "accountIdentifier"),
    ("AMOUNT", "amount"),
    ("CURRENCY", "currency"),
    ("APPROVED", "approved"),
    ("REASON", "reason"),
];
