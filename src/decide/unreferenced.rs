//! CreditFunds that names no authorization (decision 8): first a retry, then a match, else refused.

use rust_decimal::Decimal;

use super::command::CreditCall;
use super::crediting::{self, Asked};
use super::fields::{self, WrongField};
use super::outcome::CreditAnswer;
use super::subjects;
use super::{Context, Missing, State, UnreferencedKey, UnusedKey};
use crate::domain::policy::{ExchangeRatePolicy, UnreferencedCredits};
use crate::domain::{
    AccountId, Authorization, AuthorizationState, Credit, CreditState, Currency, Money, Reason, SubjectKey, Timestamp,
};

pub fn credit(
    context: &Context,
    state: &mut State,
    call: &CreditCall,
    asked: Asked<'_>,
) -> Result<CreditAnswer, Missing> {
    let (amount, currency, rate) = match check_fields(context, call) {
        Ok(fields) => fields,
        Err(wrong) => return Ok(crediting::refuse_once(state, &asked, asked.at, wrong, None)),
    };
    let account = match call.account.given() {
        Some(id) => state.account(&AccountId::new(id))?,
        None => None,
    };
    let Some(account) = account else {
        let wrong = WrongField::new(Reason::InvalidAccount, "AccountIdentifier is unknown");
        return Ok(crediting::refuse_once(state, &asked, asked.at, wrong, None));
    };

    let mut subjects = [SubjectKey::account(&account.id)].into();
    loop {
        let now = subjects::enter(state, &subjects, asked.received_at)?;
        let unmatched = |note: &str| WrongField::new(Reason::NotPreviouslyValidated, note);
        if context.policy.unreferenced_credits == UnreferencedCredits::Refuse {
            let wrong = unmatched("a credit must name its authorization here");
            return Ok(crediting::refuse_once(state, &asked, now, wrong, None));
        }
        let key = UnreferencedKey { account: account.id.clone(), amount, currency };
        let earlier = state.unreferenced(&key)?;
        let money = Money::new(amount, currency);
        let matches = Matches::find(context, state, &account.id, money, Some(rate), now)?;
        let matched = matches.open().chain(matches.expired_before_no(&earlier)).next();
        if let Some(first) = earlier.iter().find(|first| is_retry_of(context, &asked, first, rate, now)) {
            return Ok(match matched {
                Some(_) => crediting::repeat_and_ask(state, &asked, &account.id, money, first, now),
                None => crediting::answer_again(first),
            });
        }
        let Some(matched) = matched else {
            if matches.expired().next().is_none() {
                return Ok(crediting::refuse_once(state, &asked, now, unmatched("no authorization matches"), None));
            }
            state.put_ambiguous(crediting::ambiguous(&asked, &account.id, money, None, now));
            let wrong = unmatched("an expired authorization matches, but an equal credit was made since it was opened");
            return Ok(crediting::refuse_once(state, &asked, now, wrong, None));
        };
        let needed = crediting::subjects_of(context, &account, matched);
        if needed.is_subset(&subjects) {
            return crediting::credit_or_refuse(context, state, &asked, &account, matched.clone(), None, now);
        }
        subjects.extend(needed);
    }
}

/// All three are required where no authorization is named (contract, CreditFunds).
fn check_fields(context: &Context, call: &CreditCall) -> Result<(i64, Currency, Decimal), WrongField> {
    let amount = fields::amount(&call.amount, call.currency.given().copied())?;
    let Some(currency) = fields::currency(&call.currency, &context.policy)? else {
        return Err(WrongField::new(Reason::InvalidCurrency, "Currency is missing"));
    };
    let Some(rate) = fields::exchange_rate(&call.exchange_rate)? else {
        return Err(WrongField::new(Reason::InvalidExchangeRate, "ExchangeRate is missing"));
    };
    fields::required(&call.account, "AccountIdentifier", Reason::InvalidAccount)?;
    Ok((amount, currency, rate))
}

/// A doubled credit is spent and gone; one that was taken for a retry shows, and is repaired.
fn is_retry_of(context: &Context, asked: &Asked<'_>, first: &Credit, rate: Decimal, now: Timestamp) -> bool {
    let other_key = match (asked.idempotency_key, first.idempotency_key.as_deref()) {
        (Some(own), Some(of_first)) => own != of_first,
        _ => false,
    };
    // A refusal stays (decision 7): its retry must not use up the authorization of the next remittance.
    (first.state.is_standing() || first.state == CreditState::Refused)
        && first.exchange_rate == Some(rate)
        && context.policy.takes_for_retry(now.since(first.at))
        && !other_key
}

/// The unused authorizations that a credit without a reference may use.
#[derive(Debug)]
pub struct Matches {
    open: Vec<Authorization>,
    expired: Vec<Authorization>,
}

impl Matches {
    /// Unused authorizations of this account, amount and currency, those with the same rate first, each group the oldest first.
    pub fn find(
        context: &Context,
        state: &mut State,
        account: &AccountId,
        money: Money,
        rate: Option<Decimal>,
        now: Timestamp,
    ) -> Result<Self, Missing> {
        let policy = &context.policy;
        let key = UnusedKey {
            account: account.clone(),
            amount: money.amount,
            currency: money.currency,
            exchange_rate: rate,
            now,
            expired_since: now.minus(policy.late_credit_window),
        };
        let mut unused = state.unused(&key)?;
        if policy.exchange_rate == ExchangeRatePolicy::Match {
            unused.retain(|found| found.exchange_rate == rate);
        }
        unused.sort_by_key(|found| found.exchange_rate != rate);
        let (open, mut expired): (Vec<_>, Vec<_>) =
            unused.into_iter().partition(|found| found.state == AuthorizationState::Open);
        expired.retain(|found| policy.allows_late(now.since(found.expires_at)));
        Ok(Self { open, expired })
    }

    pub fn open(&self) -> impl Iterator<Item = &Authorization> {
        self.open.iter()
    }

    pub fn expired(&self) -> impl Iterator<Item = &Authorization> {
        self.expired.iter()
    }

    /// Open ones, then expired ones.
    pub fn in_order(&self) -> impl Iterator<Item = &Authorization> {
        self.open().chain(self.expired())
    }

    /// Expired ones since whose opening no equal unreferenced credit was made: such a credit may have been theirs.
    fn expired_before_no<'a>(&'a self, credits: &'a [Credit]) -> impl Iterator<Item = &'a Authorization> {
        let made = || credits.iter().filter(|credit| credit.state != CreditState::Refused);
        self.expired().filter(move |found| !made().any(|credit| found.at < credit.at))
    }
}
