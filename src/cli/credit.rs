//! `credit …`: what CreditFunds left behind, as the admin API's `/admin/credits`.

use clap::{ArgAction, Subcommand};

use super::arguments::{self, Form, PageArgs, Why};
use super::desk::{Desk, not_found, unreadable};
use super::failure::Failure;
use super::shown::{self, Column};
use crate::clock::Clock;
use crate::config::Settings;
use crate::decide::command::Action;
use crate::decide::outcome::OperationAnswer;
use crate::domain::{AccountId, CreditState, TrackingId};
use crate::store::CreditFilter;
use crate::views::{CreditView, ListView};

/// Credits: list (also those that wait to be settled), show, settle
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  vna-partner credit list --state InProgress
  vna-partner credit settle 019a9f40-12ab-7f03-8e21-9a4c5d6b7e83 --outcome Approved --reason 'core booking 4711'")]
pub enum CreditCommand {
    /// List credits, the newest first
    List {
        /// Only those of this account
        #[arg(long, value_parser = arguments::account_id)]
        account: Option<AccountId>,
        /// Only those in this state; InProgress are those that wait to be settled
        #[arg(long, value_parser = arguments::one_of(CreditState::ALL.map(CreditState::as_str), CreditState::parse))]
        state: Option<CreditState>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show a credit
    Show {
        /// TrackingIdentifier
        #[arg(value_name = "TRACKING", value_parser = arguments::tracking_id)]
        credit: TrackingId,
        #[command(flatten)]
        form: Form,
    },
    /// Say how a waiting credit ended in the partner's core (settlement = "confirmed")
    Settle {
        /// TrackingIdentifier
        #[arg(value_name = "TRACKING", value_parser = arguments::tracking_id)]
        credit: TrackingId,
        /// Approved makes the money available, Failed undoes the credit
        #[arg(long, action = ArgAction::Set, value_parser = arguments::one_of(["Approved", "Failed"], is_approved))]
        outcome: bool,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        form: Form,
    },
}

fn is_approved(outcome: &str) -> Option<bool> {
    Some(outcome == "Approved")
}

pub async fn run(command: CreditCommand, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let desk = Desk::open(settings, clock).await?;
    let done = carry_out(command, &desk).await;
    desk.close().await;
    done
}

async fn carry_out(command: CreditCommand, desk: &Desk) -> Result<(), Failure> {
    match command {
        CreditCommand::List { account, state, page } => {
            let filter = CreditFilter { account, state };
            let listed = desk.reads().credits(&filter, page.page()).await.map_err(unreadable)?;
            shown::list(&ListView::<CreditView>::new(&listed, page.page()), COLUMNS, page.form.json)
        }
        CreditCommand::Show { credit, form } => {
            let found = desk.reads().credit(credit).await.map_err(unreadable)?;
            shown::one(&CreditView::from(&found.ok_or_else(|| not_found("credit"))?), form.json)
        }
        CreditCommand::Settle { credit, outcome: approved, why, form } => {
            match desk.operate(Action::Settle { credit, approved }, &why.reason, None).await? {
                OperationAnswer::Settled(credit) => shown::one(&CreditView::from(&credit), form.json),
                _ => Err(Failure::another_answer()),
            }
        }
    }
}

const COLUMNS: &[Column] = &[
    ("TRACKING", "trackingIdentifier"),
    ("AT", "at"),
    ("ACCOUNT", "accountIdentifier"),
    ("AMOUNT", "amount"),
    ("CURRENCY", "currency"),
    ("STATE", "state"),
    ("REASON", "reason"),
    ("AUTHORIZATION", "authTrackingIdentifier"),
    ("REVERSAL", "reversalTrackingIdentifier"),
];
