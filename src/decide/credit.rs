//! CreditFunds: the money moved, credit it, once per authorization under any retry, reordering and concurrency.
//!
//! This file has the form that names its authorization (decision 7); the form that names none is in
//! [`super::unreferenced`], and what they share in [`super::crediting`].

use super::command::{CreditCall, Field};
use super::crediting::{self, Asked, credit_or_refuse, subjects_of};
use super::fields::{self, WrongField};
use super::outcome::CreditAnswer;
use super::unreferenced::{self, Matches};
use super::{Context, Missing, Request, State, subjects};
use crate::domain::policy::ExchangeRatePolicy;
use crate::domain::{
    Account, AccountId, Authorization, AuthorizationState, Credit, CreditState, Money, Reason, TrackingId,
};

pub fn credit(
    context: &Context,
    state: &mut State,
    request: &Request,
    call: &CreditCall,
) -> Result<CreditAnswer, Missing> {
    let named = subjects::named_account(state, &call.account)?;
    let at = subjects::enter(state, &named, request.received_at)?;
    let asked = Asked::by_leap(request, call, !named.is_empty(), at);
    match &call.authorization {
        Field::Absent => unreferenced::credit(context, state, call, asked),
        Field::Given(reference) => referenced(context, state, call, asked, reference),
        Field::Wrong(note) => {
            let wrong = check_given_fields(call).err();
            let wrong = wrong.unwrap_or_else(|| WrongField::new(Reason::InvalidParameter, note));
            Ok(crediting::refuse_once(state, &asked, at, wrong, None))
        }
    }
}

fn referenced(
    context: &Context,
    state: &mut State,
    call: &CreditCall,
    asked: Asked<'_>,
    reference: &str,
) -> Result<CreditAnswer, Missing> {
    let refuse = |state: &mut State, now, wrong, found| Ok(crediting::refuse_once(state, &asked, now, wrong, found));
    if let Err(wrong) = check_given_fields(call) {
        return refuse(state, asked.at, wrong, None);
    }
    let named = match TrackingId::parse(reference) {
        Some(id) => state.authorization(id)?,
        None => None,
    };
    let Some(named) = named else {
        let wrong = WrongField::new(Reason::InvalidReferenceId, "AuthTrackingIdentifier is unknown");
        return refuse(state, asked.at, wrong, None);
    };
    let never_valid = || WrongField::new(Reason::NotPreviouslyValidated, "the authorization was refused");
    let Some(account_id) = &named.account else {
        return refuse(state, asked.at, never_valid(), Some(&named));
    };
    let Some(account) = state.account(account_id)? else {
        return refuse(state, asked.at, never_valid(), Some(&named));
    };
    let now = subjects::enter(state, &subjects_of(context, &account, &named), asked.received_at)?;
    // Dating the command may have expired the authorization.
    let named = state.authorization(named.id)?.unwrap_or(named);
    match named.state {
        AuthorizationState::Refused => return refuse(state, now, never_valid(), Some(&named)),
        AuthorizationState::Voided => {
            let wrong = WrongField::new(Reason::NotPreviouslyValidated, "the authorization was voided");
            return refuse(state, now, wrong, Some(&named));
        }
        AuthorizationState::Open
        | AuthorizationState::Expired
        | AuthorizationState::Credited
        | AuthorizationState::CreditRefused => {}
    }
    if let Err(wrong) = check_against(context, call, &named) {
        return refuse(state, now, wrong, Some(&named));
    }
    let Some(ended_by) = named.bound_credit.or(named.credit) else {
        let bound = Some(named.id);
        return credit_or_refuse(context, state, &asked, &account, named, bound, now);
    };
    let Some(earlier) = state.credit(ended_by)? else {
        return refuse(state, now, never_valid(), Some(&named));
    };
    if named.bound_credit.is_some() || earlier.referenced || earlier.state == CreditState::Refused {
        return Ok(crediting::answer_again(&earlier));
    }
    after_an_unreferenced_credit(context, state, &asked, &account, named, &earlier)
}

/// Decision 8, mixed forms: an unreferenced credit has used up the named authorization. The call takes another match
/// that was open when that credit was made, else gets that credit; either is bound to it for ever. A match that cannot
/// be credited now is left to its own call, and an operator is asked: this one may well be a retry of the credit that
/// succeeded.
fn after_an_unreferenced_credit(
    context: &Context,
    state: &mut State,
    asked: &Asked<'_>,
    account: &Account,
    mut named: Authorization,
    earlier: &Credit,
) -> Result<CreditAnswer, Missing> {
    let rate = asked.exchange_rate.or(named.exchange_rate);
    let mut subjects = subjects_of(context, account, &named);
    loop {
        let now = subjects::enter(state, &subjects, asked.received_at)?;
        let money = Money::new(named.amount, account.currency);
        let matches = Matches::find(context, state, &account.id, money, rate, now)?;
        let was_open = |found: &&Authorization| found.at < earlier.at && earlier.at < found.expires_at;
        if let Some(other) = matches.in_order().find(was_open) {
            let needed = subjects_of(context, account, other);
            if !needed.is_subset(&subjects) {
                subjects.extend(needed);
                continue;
            }
            let made = crediting::make(context, state, asked, account, other, now)?;
            if made.credit.is_ok() {
                return crediting::close(context, state, asked, other, Some(named.id), made, now);
            }
            named.bound_credit = Some(earlier.id);
            state.put_authorization(named)?;
            return Ok(crediting::repeat_and_ask(state, asked, &account.id, money, earlier, now));
        }
        named.bound_credit = Some(earlier.id);
        state.put_authorization(named)?;
        return Ok(crediting::answer_again(earlier));
    }
}

/// Types and values that need no authorization to be judged, in decision 2's order.
fn check_given_fields(call: &CreditCall) -> Result<(), WrongField> {
    fields::optional(&call.amount, Reason::InvalidAmount)?;
    fields::optional(&call.currency, Reason::InvalidCurrency)?;
    fields::exchange_rate(&call.exchange_rate)?;
    fields::required(&call.account, "AccountIdentifier", Reason::InvalidAccount)?;
    Ok(())
}

/// What is sent must equal the authorization's (decision 7). A contradiction leaves the authorization as it was.
fn check_against(context: &Context, call: &CreditCall, named: &Authorization) -> Result<(), WrongField> {
    let contradicts = |reason, field: &str| Err(WrongField::new(reason, format!("{field} is not the authorization's")));
    if let Some(number) = call.amount.given()
        && named.currency.and_then(|currency| currency.minor_units(number)) != Some(named.amount)
    {
        return contradicts(Reason::InvalidAmount, "Amount");
    }
    if call.currency.given().is_some_and(|currency| Some(*currency) != named.currency) {
        return contradicts(Reason::InvalidCurrency, "Currency");
    }
    let other_rate = call.exchange_rate.given().is_some_and(|rate| named.exchange_rate.is_some_and(|own| own != *rate));
    if other_rate && context.policy.exchange_rate == ExchangeRatePolicy::Match {
        return contradicts(Reason::InvalidExchangeRate, "ExchangeRate");
    }
    if call.account.given().is_some_and(|id| named.account != Some(AccountId::new(id))) {
        return contradicts(Reason::InvalidAccount, "AccountIdentifier");
    }
    Ok(())
}
