//! `account …`: External Account Objects, as the admin API's `/admin/accounts`.

use std::path::PathBuf;

use clap::Subcommand;
use compact_str::CompactString;
use serde_json::Value;

use super::arguments::{self, Amount, Form, PageArgs, Why};
use super::desk::{Desk, not_found, unreadable};
use super::failure::Failure;
use super::shown::Column;
use super::{person, shown};
use crate::clock::Clock;
use crate::config::Settings;
use crate::decide::command::{Action, IdempotencyClaim, NewAccount};
use crate::decide::outcome::OperationAnswer;
use crate::domain::{AccountId, Currency, Status};
use crate::store::{AccountFilter, ChangeFilter};
use crate::views::{AccountDetail, AccountView, ChangeView, DebitView, ListView, StatementLineView};

/// Accounts: list, show, create, block, unblock, close, change the tier, debit, statement, changes
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  vna-partner account list --status BlockedByLaw
  vna-partner account show 4000000000001234
  vna-partner account create --currency MXN --person person.json
  vna-partner account block 4000000000001234 --status BlockedByLaw --reason 'court order' --case-number 12/2026
  vna-partner account debit 4000000000001234 10.00 --reason 'card payment' --idempotency-key payment-7

Every change is recorded with who (the user of this machine), when and why: `account changes`.")]
pub enum AccountCommand {
    /// List accounts, the newest first
    List {
        /// Only those in this state
        #[arg(long, value_parser = arguments::one_of(Status::ALL.map(Status::as_str), Status::parse))]
        status: Option<Status>,
        /// Only those in this currency
        #[arg(long, value_parser = arguments::currency)]
        currency: Option<Currency>,
        /// Only those of this tier
        #[arg(long)]
        tier: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show an account with its holder's personal data
    Show {
        /// AccountIdentifier
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: AccountId,
        #[command(flatten)]
        form: Form,
    },
    /// Open an account
    #[command(after_help = "The person, as Leap writes one:
  {\"PersonalData\":{\"PhoneNumber\":\"+525555123456\",\"FirstName\":\"Ana\",\"LastName\":\"López\",\"Gender\":\"Female\",
    \"BirthDate\":\"1990-01-31\",\"Address\":{\"Address1\":\"Calle 1\",\"ZipCode\":\"06700\",\"City\":\"CDMX\",
    \"CountryCode\":\"MX\",\"StateCode\":\"CMX\"}},\"PersonalDocuments\":[]}
A person's second account in one currency needs --account: it is opened only on purpose.")]
    Create {
        /// Currency, as MXN
        #[arg(long, value_parser = arguments::currency)]
        currency: Currency,
        /// JSON file with PersonalData and PersonalDocuments; `-`: standard input
        #[arg(long, value_name = "FILE")]
        person: PathBuf,
        /// AccountIdentifier [default: random digits with a check digit]
        #[arg(long, value_parser = arguments::new_account_id)]
        account: Option<AccountId>,
        /// Tier, which rules may tell apart [default: standard]
        #[arg(long, value_parser = arguments::tier)]
        tier: Option<CompactString>,
        /// What the sender sees [default: prefix and last four digits]
        #[arg(long, value_parser = arguments::display_name)]
        display_name: Option<CompactString>,
        /// Why; recorded with who and when
        #[arg(long, value_name = "TEXT", value_parser = arguments::note)]
        reason: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Block an account: it takes no money, and blocked by law or government it gives none
    Block {
        /// AccountIdentifier
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: AccountId,
        /// Who blocks it: the partner, a court, or the government
        #[arg(long, default_value = "Blocked", value_parser = arguments::one_of(BLOCKS.map(Status::as_str), Status::parse))]
        status: Status,
        #[command(flatten)]
        why: Why,
        /// The court's or authority's number of the case
        #[arg(long, value_name = "TEXT", value_parser = arguments::note)]
        case_number: Option<String>,
        /// When to look at it again, as 2026-11-30
        #[arg(long, value_name = "DATE", value_parser = arguments::date)]
        review_date: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Take a block away
    Unblock {
        /// AccountIdentifier
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: AccountId,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        form: Form,
    },
    /// Close an empty account for ever
    Close {
        /// AccountIdentifier
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: AccountId,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        form: Form,
    },
    /// Move an account to another tier
    Tier {
        /// AccountIdentifier
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: AccountId,
        /// The new tier
        #[arg(value_parser = arguments::tier)]
        tier: CompactString,
        #[command(flatten)]
        why: Why,
        #[command(flatten)]
        form: Form,
    },
    /// Record money that leaves the account
    Debit {
        /// AccountIdentifier
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: AccountId,
        /// Amount in the account's currency, as 10.00
        #[arg(value_parser = arguments::amount)]
        amount: Amount,
        #[command(flatten)]
        why: Why,
        /// Name of this debit: run twice with the same, it happens once
        #[arg(long, value_name = "KEY", value_parser = arguments::idempotency_key)]
        idempotency_key: String,
        #[command(flatten)]
        form: Form,
    },
    /// List what moved on an account, the newest first
    Statement {
        /// AccountIdentifier
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: AccountId,
        #[command(flatten)]
        page: PageArgs,
    },
    /// List what operators did, the newest first
    Changes {
        /// Only to this account
        #[arg(value_name = "ACCOUNT", value_parser = arguments::account_id)]
        account: Option<AccountId>,
        #[command(flatten)]
        page: PageArgs,
    },
}

const BLOCKS: [Status; 3] = [Status::Blocked, Status::BlockedByLaw, Status::BlockedByGovernment];

pub async fn run(command: AccountCommand, settings: &Settings, clock: Clock) -> Result<(), Failure> {
    let desk = Desk::open(settings, clock).await?;
    let done = carry_out(command, &desk).await;
    desk.close().await;
    done
}

async fn carry_out(command: AccountCommand, desk: &Desk) -> Result<(), Failure> {
    use AccountCommand::*;
    match command {
        List { status, currency, tier, page } => list(desk, &AccountFilter { status, currency, tier }, &page).await,
        Show { account, form } => {
            let found = desk.reads().account(&account).await.map_err(unreadable)?;
            let (account, holder) = found.ok_or_else(|| not_found("account"))?;
            shown::one(&AccountDetail::new(&account, &holder), form.json)
        }
        Create { currency, person, account, tier, display_name, reason, form } => {
            let (person, documents) = person::read(&person)?;
            let new = NewAccount { id: account, currency, tier, display_name, person, documents };
            act(desk, Action::OpenAccount(Box::new(new)), &reason.unwrap_or_default(), form).await
        }
        Block { account, status, why, case_number, review_date, form } => {
            act(desk, Action::Block { account, status, case_number, review_date }, &why.reason, form).await
        }
        Unblock { account, why, form } => act(desk, Action::Unblock { account }, &why.reason, form).await,
        Close { account, why, form } => act(desk, Action::Close { account }, &why.reason, form).await,
        Tier { account, tier, why, form } => act(desk, Action::ChangeTier { account, tier }, &why.reason, form).await,
        Debit { account, amount, why, idempotency_key, form } => {
            let claim = debit_claim(&account, &amount.text, &why.reason, idempotency_key);
            let action = Action::Debit { account, amount: amount.number };
            let answer = desk.operate(action, &why.reason, Some(claim)).await?;
            show(answer, form)
        }
        Statement { account, page } => {
            must_exist(desk, &account).await?;
            let listed = desk.reads().statement(&account, page.page()).await.map_err(unreadable)?;
            let view = ListView::<StatementLineView>::new(&listed, page.page());
            shown::list(&view, STATEMENT, page.form.json)
        }
        Changes { account, page } => {
            if let Some(account) = &account {
                must_exist(desk, account).await?;
            }
            let listed = desk.reads().changes(&ChangeFilter { account }, page.page()).await.map_err(unreadable)?;
            shown::list(&ListView::<ChangeView>::new(&listed, page.page()), CHANGES, page.form.json)
        }
    }
}

/// An empty list would say that an account that does not exist has done nothing.
async fn must_exist(desk: &Desk, account: &AccountId) -> Result<(), Failure> {
    let found = desk.reads().account(account).await.map_err(unreadable)?;
    found.map(|_| ()).ok_or_else(|| not_found("account"))
}

async fn list(desk: &Desk, filter: &AccountFilter, page: &PageArgs) -> Result<(), Failure> {
    let listed = desk.reads().accounts(filter, page.page()).await.map_err(unreadable)?;
    shown::list(&ListView::<AccountView>::new(&listed, page.page()), ACCOUNTS, page.form.json)
}

async fn act(desk: &Desk, action: Action, why: &str, form: Form) -> Result<(), Failure> {
    show(desk.operate(action, why, None).await?, form)
}

fn show(answer: OperationAnswer, form: Form) -> Result<(), Failure> {
    match answer {
        OperationAnswer::Opened(account) | OperationAnswer::Changed(account) => {
            shown::one(&AccountView::from(&account), form.json)
        }
        OperationAnswer::Debited { entry, money, account } => {
            shown::one(&DebitView::new(entry, money, &account), form.json)
        }
        _ => Err(Failure::another_answer()),
    }
}

/// The claim that the admin API would make of the same debit in its compact form, so that the two share their keys.
fn debit_claim(account: &AccountId, amount: &str, reason: &str, key: String) -> IdempotencyClaim {
    let body = format!("{{\"amount\":{},\"reason\":{}}}", Value::from(amount), Value::from(reason));
    IdempotencyClaim::new(format!("/admin/accounts/{account}/debits"), key, body.as_bytes())
}

const ACCOUNTS: &[Column] = &[
    ("ACCOUNT", "accountIdentifier"),
    ("STATUS", "status"),
    ("CURRENCY", "currency"),
    ("BALANCE", "balance"),
    ("TIER", "tier"),
    ("NAME", "displayName"),
    ("CREATED", "createdAt"),
];

const STATEMENT: &[Column] = &[
    ("AT", "at"),
    ("KIND", "kind"),
    ("BOOK", "book"),
    ("AMOUNT", "amount"),
    ("CURRENCY", "currency"),
    ("ENTRY", "entry"),
    ("CREDIT", "creditTrackingNumber"),
];

const CHANGES: &[Column] = &[
    ("AT", "at"),
    ("ACCOUNT", "accountIdentifier"),
    ("WHO", "who"),
    ("ACTION", "action"),
    ("CHANGE", "change"),
    ("REASON", "reason"),
    ("CASE", "caseNumber"),
    ("REVIEW", "reviewDate"),
    ("TARGET", "target"),
];
