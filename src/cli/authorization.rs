//! `authorization …`: what TxAuthorization left behind, as the admin API's `/admin/authorizations`.

use clap::Subcommand;

use super::arguments::{self, Amount, Form, PageArgs, Why};
use super::desk::{Desk, not_found, unreadable};
use super::failure::Failure;
use super::shown::{self, Column};
use crate::clock::Clock;
use crate::config::Settings;
use crate::decide::command::Action;
use crate::decide::outcome::OperationAnswer;
use crate::domain::{AccountId, AuthorizationState, Currency, TrackingId};
use crate::store::AuthorizationFilter;
use crate::views::{AuthorizationView, ListView};

/// Authorizations: list, show, void
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  vna-partner authorization list --account 4000000000001234 --state Open
  vna-partner authorization void 019a9f3e-5c1b-7d4e-9b7a-3f2a8c6d1e50 --reason 'twin after a lost answer'")]
pub enum AuthorizationCommand {
    /// List authorizations, the newest first
    List {
        /// Only those of this account
        #[arg(long, value_parser = arguments::account_id)]
        account: Option<AccountId>,
        /// Only those in this state
        #[arg(long, value_parser = arguments::one_of(
            AuthorizationState::ALL.map(AuthorizationState::as_str),
            AuthorizationState::parse,
        ))]
        state: Option<AuthorizationState>,
        /// Only those of this amount, as 1500.00
        #[arg(long, requires = "currency", value_parser = arguments::amount)]
        amount: Option<Amount>,
        /// Only those in this currency
        #[arg(long, value_parser = arguments::currency)]
        currency: Option<Currency>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show an authorization
    Show {
        /// TrackingIdentifier
        #[arg(value_name = "TRACKING", value_parser = arguments::tracking_id)]
        authorization: TrackingId,
        #[command(flatten)]
        form: Form,
    },
    /// Take an open authorization back: it gives back what it holds of the limits
    Void {
        /// TrackingIdentifier
        #[arg(value_name = "TRACKING", value_parser = arguments::tracking_id)]
        authorization: TrackingId,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        form: Form,
    },
}

pub async fn run(command: AuthorizationCommand, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let desk = Desk::open(settings, clock).await?;
    let done = carry_out(command, &desk).await;
    desk.close().await;
    done
}

async fn carry_out(command: AuthorizationCommand, desk: &Desk) -> Result<(), Failure> {
    match command {
        AuthorizationCommand::List { account, state, amount, currency, page } => {
            let amount =
                match (amount, currency) {
                    (Some(amount), Some(currency)) => Some(currency.minor_units(&amount.number).ok_or_else(|| {
                        Failure::misused(format!("--amount {} is no amount in {currency}", amount.text))
                    })?),
                    _ => None,
                };
            let filter = AuthorizationFilter { account, state, amount, currency };
            let listed = desk.reads().authorizations(&filter, page.page()).await.map_err(unreadable)?;
            shown::list(&ListView::<AuthorizationView>::new(&listed, page.page()), COLUMNS, page.form.json)
        }
        AuthorizationCommand::Show { authorization, form } => {
            let found = desk.reads().authorization(authorization).await.map_err(unreadable)?;
            let authorization = found.ok_or_else(|| not_found("authorization"))?;
            shown::one(&AuthorizationView::from(&authorization), form.json)
        }
        AuthorizationCommand::Void { authorization, why, form } => {
            match desk.operate(Action::VoidAuthorization { authorization }, &why.reason, None).await? {
                OperationAnswer::Voided(authorization) => {
                    shown::one(&AuthorizationView::from(&authorization), form.json)
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
    ("EXPIRES", "expiresAt"),
    ("CREDIT", "creditTrackingNumber"),
];
