//! `reversal …`: credits that were taken back, as `/admin/reversals`.

use clap::Subcommand;

use super::arguments::{self, PageArgs};
use super::desk::{Desk, unreadable};
use super::failure::Failure;
use super::shown::{self, Column};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::AccountId;
use crate::store::ReversalFilter;
use crate::views::{ListView, ReversalView};

/// Reversals: list
#[derive(Debug, Subcommand)]
pub enum ReversalCommand {
    /// List reversals, the newest first
    List {
        /// Only those of this account
        #[arg(long, value_parser = arguments::account_id)]
        account: Option<AccountId>,
        #[command(flatten)]
        page: PageArgs,
    },
}

pub async fn run(command: ReversalCommand, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let ReversalCommand::List { account, page } = command;
    let desk = Desk::open(settings, clock).await?;
    let listed = desk.reads().reversals(&ReversalFilter { account }, page.page()).await;
    desk.close().await;
    let view = ListView::<ReversalView>::new(&listed.map_err(unreadable)?, page.page());
    shown::list(&view, COLUMNS, page.form.json)
}

const COLUMNS: &[Column] = &[
    ("TRACKING", "trackingIdentifier"),
    ("AT", "at"),
    ("ACCOUNT", "accountIdentifier"),
    ("AMOUNT", "amount"),
    ("CURRENCY", "currency"),
    ("CREDIT", "creditTrackingNumber"),
];
