//! `ambiguous …`: credits that may have been a retry or a second remittance, as `/admin/ambiguous-credits`.

use clap::Subcommand;

use super::arguments::{self, Form, PageArgs, Why};
use super::desk::{Desk, unreadable};
use super::failure::Failure;
use super::shown::{self, Column};
use crate::clock::Clock;
use crate::config::Settings;
use crate::decide::command::Action;
use crate::decide::outcome::OperationAnswer;
use crate::domain::{AccountId, AmbiguousState, TrackingId};
use crate::store::AmbiguousFilter;
use crate::views::{AmbiguousCreditView, CreditedView, ListView};

/// Unreferenced credits that were taken for a retry, or refused, and may have been a second remittance: list, credit
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  vna-partner ambiguous list --state Waiting
  vna-partner ambiguous credit 019a9f40-23bc-7014-9f32-0b5d6e7c8f94 --reason 'Leap confirmed two remittances'")]
pub enum AmbiguousCommand {
    /// List them, the newest first
    List {
        /// Only those of this account
        #[arg(long, value_parser = arguments::account_id)]
        account: Option<AccountId>,
        /// Only those that wait for somebody, or that somebody has credited
        #[arg(long, value_parser = arguments::one_of(["Waiting", "Credited"], AmbiguousState::parse))]
        state: Option<AmbiguousState>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Credit one after all: it uses up the oldest authorization that matches
    Credit {
        /// TrackingIdentifier
        #[arg(value_name = "TRACKING", value_parser = arguments::tracking_id)]
        ambiguous: TrackingId,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        form: Form,
    },
}

pub async fn run(command: AmbiguousCommand, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let desk = Desk::open(settings, clock).await?;
    let done = carry_out(command, &desk).await;
    desk.close().await;
    done
}

async fn carry_out(command: AmbiguousCommand, desk: &Desk) -> Result<(), Failure> {
    match command {
        AmbiguousCommand::List { account, state, page } => {
            let filter = AmbiguousFilter { account, state };
            let listed = desk.reads().ambiguous_credits(&filter, page.page()).await.map_err(unreadable)?;
            shown::list(&ListView::<AmbiguousCreditView>::new(&listed, page.page()), COLUMNS, page.form.json)
        }
        AmbiguousCommand::Credit { ambiguous, why, form } => {
            match desk.operate(Action::CreditAmbiguous { ambiguous }, &why.reason, None).await? {
                OperationAnswer::Credited { ambiguous, credit } => {
                    shown::one(&CreditedView::new(&ambiguous, &credit), form.json)
                }
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
    ("ANSWERED WITH", "answeredWith"),
    ("CREDIT", "creditTrackingNumber"),
];
