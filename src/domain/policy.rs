//! The partner's choices where the contract leaves room: table `[policy]` of the settings.

use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::time::Span;

/// Every key of `[policy]`; `docs/settings.md` says when one would want which value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// How long an unused authorization reserves its limits.
    pub authorization_ttl: Span,
    pub late_credit: LateCredit,
    /// How long after its deadline an authorization may still be credited; later is as `refuse`.
    pub late_credit_window: Span,
    pub unreferenced_credits: UnreferencedCredits,
    /// How long an equal unreferenced credit is taken for a retry.
    pub unreferenced_retry_window: Span,
    pub exchange_rate: ExchangeRatePolicy,
    pub settlement: Settlement,
    pub reversals: bool,
    pub on_shortfall: OnShortfall,
    pub account_creation: AccountCreation,
    /// Empty: every ISO currency.
    pub currencies: Vec<Currency>,
    pub enrolment_currency: Option<Currency>,
    pub missing_sender: MissingSender,
    pub reasons: ReasonSet,
    pub credit_status: CreditStatusForm,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            authorization_ttl: Span::seconds(86_400),
            late_credit: LateCredit::Recheck,
            late_credit_window: Span::seconds(7 * 86_400),
            unreferenced_credits: UnreferencedCredits::Match,
            unreferenced_retry_window: Span::seconds(15 * 60),
            exchange_rate: ExchangeRatePolicy::Record,
            settlement: Settlement::Immediate,
            reversals: true,
            on_shortfall: OnShortfall::Refuse,
            account_creation: AccountCreation::Both,
            currencies: Vec::new(),
            enrolment_currency: None,
            missing_sender: MissingSender::Skip,
            reasons: ReasonSet::Published,
            credit_status: CreditStatusForm::Name,
        }
    }
}

impl Policy {
    /// Whether this partner takes `currency` at all (decision 4).
    pub fn takes(&self, currency: Currency) -> bool {
        self.currencies.is_empty() || self.currencies.contains(&currency)
    }

    /// Whether an unreferenced credit is taken for a retry of an equal one that is `age` old; never where the window is 0.
    pub fn takes_for_retry(&self, age: Span) -> bool {
        self.unreferenced_retry_window > Span(0) && age <= self.unreferenced_retry_window
    }

    /// Whether an authorization may still be credited `lateness` after its deadline; never where the window is 0.
    pub fn allows_late(&self, lateness: Span) -> bool {
        self.late_credit != LateCredit::Refuse
            && self.late_credit_window > Span(0)
            && lateness <= self.late_credit_window
    }

    /// The currency of an account opened by enrolment; `None`: the page asks.
    pub fn currency_of_enrolments(&self) -> Option<Currency> {
        match (self.enrolment_currency, self.currencies.as_slice()) {
            (Some(currency), _) => Some(currency),
            (None, [only]) => Some(*only),
            (None, _) => None,
        }
    }
}

/// `late_credit`: a CreditFunds after the authorization's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LateCredit {
    Recheck,
    Refuse,
    Accept,
}

/// `unreferenced_credits`: a CreditFunds without an AuthTrackingIdentifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreferencedCredits {
    Match,
    Refuse,
}

/// `exchange_rate`: a credit whose rate is not its authorization's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeRatePolicy {
    Record,
    Match,
}

/// `settlement`: when a credit is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    Immediate,
    Confirmed,
}

/// `on_shortfall`: a reversal of money that is already spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnShortfall {
    Refuse,
    Negative,
    Receivable,
}

/// `account_creation`: how Leap may open accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountCreation {
    Both,
    Dynamic,
    OnDemand,
    Off,
}

impl AccountCreation {
    /// CreateAccount is answered.
    pub fn allows_dynamic(self) -> bool {
        matches!(self, Self::Both | Self::Dynamic)
    }

    /// GetCreateAccountUrl is answered.
    pub fn allows_on_demand(self) -> bool {
        matches!(self, Self::Both | Self::OnDemand)
    }
}

/// `missing_sender`: a rule counts by sender and the call has no sender data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingSender {
    Skip,
    Refuse,
}

/// `reasons`: which refusals the caller knows (decision 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReasonSet {
    #[serde(rename = "published")]
    Published,
    #[serde(rename = "v1.0")]
    V1,
}

/// `credit_status`: how GetCreditStatus spells its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditStatusForm {
    Name,
    Number,
}
