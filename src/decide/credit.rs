//! CreditFunds: the money moved, credit it, once per authorization under any retry, reordering and concurrency.
//!
//! This file has the form that names its authorization (decision 7) and what both forms share; the form that names none
//! is in [`super::unreferenced`].

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::command::{CreditCall, Field};
use super::fields::{self, WrongField};
use super::outcome::CreditAnswer;
use super::posting::{self, Movement};
use super::subjects::{self, Parties, Transaction};
use super::{Context, Missing, Request, State, authorize, unreferenced};
use crate::domain::policy::{ExchangeRatePolicy, LateCredit, Settlement};
use crate::domain::{
    Account, AccountId, Authorization, AuthorizationState, Book, Credit, CreditState, Decision, DecisionKind,
    EntryKind, Lateness, Money, Reason, ReleaseKind, RuleFinding, SubjectKey, Timestamp, TrackingId,
};
use crate::rules::Case;

pub fn credit(
    context: &Context,
    state: &mut State,
    request: &Request,
    call: &CreditCall,
) -> Result<CreditAnswer, Missing> {
    let named = subjects::named_account(state, &call.account)?;
    subjects::enter(state, &named, request.received_at)?;
    let asked = Asked::new(request, call, !named.is_empty());
    match &call.authorization {
        Field::Absent => unreferenced::credit(context, state, call, asked),
        Field::Given(reference) => referenced(context, state, call, asked, reference),
        Field::Wrong(note) => {
            let wrong = check_given_fields(call).err();
            let wrong = wrong.unwrap_or_else(|| WrongField::new(Reason::InvalidParameter, note));
            Ok(refuse_once(state, &asked, request.received_at, wrong, None))
        }
    }
}

/// One call that asks for a credit: what is recorded with it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub id: TrackingId,
    pub received_at: Timestamp,
    pub call: Option<&'a CreditCall>,
    /// The account that the call names, where there is one.
    pub account: Option<&'a str>,
    pub exchange_rate: Option<Decimal>,
    pub referenced: bool,
    pub idempotency_key: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn new(request: &'a Request, call: &'a CreditCall, account_exists: bool) -> Self {
        Self {
            id: request.id,
            received_at: request.received_at,
            call: Some(call),
            account: call.account.given().filter(|_| account_exists).map(String::as_str),
            exchange_rate: call.exchange_rate.given().copied(),
            referenced: !call.authorization.is_absent(),
            idempotency_key: request.idempotency.as_ref().map(|claim| claim.key.as_str()),
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
    let refuse = |state: &mut State, now, wrong, found| Ok(refuse_once(state, &asked, now, wrong, found));
    if let Err(wrong) = check_given_fields(call) {
        return refuse(state, asked.received_at, wrong, None);
    }
    let named = match TrackingId::parse(reference) {
        Some(id) => state.authorization(id)?,
        None => None,
    };
    let Some(named) = named else {
        let wrong = WrongField::new(Reason::InvalidReferenceId, "AuthTrackingIdentifier is unknown");
        return refuse(state, asked.received_at, wrong, None);
    };
    let never_valid = || WrongField::new(Reason::NotPreviouslyValidated, "the authorization was refused");
    let Some(account_id) = &named.account else {
        return refuse(state, asked.received_at, never_valid(), Some(&named));
    };
    let Some(account) = state.account(account_id)? else {
        return refuse(state, asked.received_at, never_valid(), Some(&named));
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
        return Ok(answer_again(&earlier));
    }
    after_an_unreferenced_credit(context, state, &asked, &account, named, &earlier)
}

/// Decision 8, mixed forms: an unreferenced credit has used up the named authorization. The call takes another match
/// that was open when that credit was made, else gets that credit; either is bound to it for ever.
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
        let matches = unreferenced::Matches::find(context, state, &account.id, money, rate, now)?;
        // Of what happened at one moment, identifiers tell the order.
        let was_open =
            |found: &&Authorization| (found.at, found.id) < (earlier.at, earlier.id) && earlier.at < found.expires_at;
        let Some(other) = matches.in_order().find(was_open) else {
            named.bound_credit = Some(earlier.id);
            state.put_authorization(named);
            return Ok(answer_again(earlier));
        };
        let needed = subjects_of(context, account, other);
        if needed.is_subset(&subjects) {
            return credit_or_refuse(context, state, asked, account, other.clone(), Some(named.id), now);
        }
        subjects.extend(needed);
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

/// Every subject whose time a credit of `authorization` must agree with: those it counted in, and those a late credit
/// would count in.
pub fn subjects_of(context: &Context, account: &Account, authorization: &Authorization) -> BTreeSet<SubjectKey> {
    let mut subjects = subjects::counted_in(account, &authorization.counted);
    subjects.extend(Parties::of(account, authorization.sender.as_deref()).named(context));
    subjects
}

/// Credits an unused authorization, or refuses it for good. `bind` is the authorization that the call named.
pub fn credit_or_refuse(
    context: &Context,
    state: &mut State,
    asked: &Asked<'_>,
    account: &Account,
    authorization: Authorization,
    bind: Option<TrackingId>,
    now: Timestamp,
) -> Result<CreditAnswer, Missing> {
    let mut findings = Vec::new();
    let made = make(context, state, asked, account, &authorization, now, &mut findings)?;
    if let Err(wrong) = &made {
        refuse_for_good(state, asked, account, authorization.clone(), wrong, now)?;
    }
    if let Some(bind) = bind
        && let Some(mut named) = state.authorization(bind)?
    {
        named.bound_credit = Some(asked.id);
        state.put_authorization(named);
    }
    let answer = CreditAnswer {
        tracking: asked.id,
        success: made.is_ok(),
        reason: made.as_ref().err().map(|wrong| wrong.reason),
        description: made.as_ref().err().map(|wrong| wrong.note.clone()),
    };
    let note = remark(&authorization, bind, made.as_ref());
    let rules_version = (!findings.is_empty()).then(|| context.rules.version().to_owned());
    record(state, asked, &answer, now, Some(&authorization), note, (findings, rules_version));
    Ok(answer)
}

/// What a person who reads the decision could not tell from its other parts.
fn remark(
    authorization: &Authorization,
    named: Option<TrackingId>,
    made: Result<&Credit, &WrongField>,
) -> Option<String> {
    let matched = match named {
        Some(named) if named == authorization.id => None,
        Some(named) => Some(format!(
            "a credit that named no authorization had used up {named}, which the call names; another match took its place"
        )),
        None => Some("the call named no authorization and was matched with one".to_owned()),
    };
    let expired = || format!("credited late, the authorization expired at {}", authorization.expires_at);
    let judged = match made {
        Err(wrong) => Some(wrong.note.clone()),
        Ok(credit) => credit.late.map(|lateness| match lateness {
            Lateness::Rechecked => format!("{}; the rules were run again", expired()),
            Lateness::Accepted => format!("{}; accepted without asking the rules", expired()),
        }),
    };
    let remarks: Vec<String> = judged.into_iter().chain(matched).collect();
    (!remarks.is_empty()).then(|| remarks.join("; "))
}

/// Credits an unused authorization. The inner error is a reason of state; nothing has changed then, but that the
/// earlier count of a late credit has been taken out.
pub fn make(
    context: &Context,
    state: &mut State,
    asked: &Asked<'_>,
    account: &Account,
    authorization: &Authorization,
    now: Timestamp,
    findings: &mut Vec<RuleFinding>,
) -> Result<Result<Credit, WrongField>, Missing> {
    if let Some(reason) = account.status.refusal() {
        return Ok(Err(WrongField::new(reason, format!("the account is {}", account.status))));
    }
    let late = match authorization.state {
        AuthorizationState::Expired => match judge_late(context, state, account, authorization, now, findings)? {
            Ok(lateness) => Some(lateness),
            Err(wrong) => return Ok(Err(wrong)),
        },
        _ => None,
    };
    let too_much = || WrongField::new(Reason::InvalidAmount, "the sum would exceed what the ledger holds");
    let counted = match late {
        None => Vec::new(),
        Some(_) => {
            let transaction = Transaction {
                authorization: authorization.id,
                amount: authorization.amount,
                currency: account.currency,
                at: now,
                due_at: None,
            };
            let parties = Parties::of(account, authorization.sender.as_deref());
            match subjects::count(state, &parties.named(context), transaction)? {
                Some(counted) => counted,
                None => return Ok(Err(too_much())),
            }
        }
    };
    let (book, credit_state) = match context.policy.settlement {
        Settlement::Immediate => (Book::Available, CreditState::Approved),
        Settlement::Confirmed => (Book::Pending, CreditState::InProgress),
    };
    let movement = Movement {
        id: asked.id,
        kind: EntryKind::Credit,
        credit: Some(asked.id),
        at: now,
        lines: &[(Book::Clearing, -authorization.amount), (book, authorization.amount)],
    };
    if posting::post(state, account, movement).is_none() {
        subjects::give_back(state, &counted, ReleaseKind::Always)?;
        return Ok(Err(too_much()));
    }
    subjects::keep_counted(state, authorization)?;
    let credit = Credit {
        id: asked.id,
        account: account.id.clone(),
        authorization: authorization.id,
        amount: authorization.amount,
        currency: account.currency,
        exchange_rate: asked.exchange_rate,
        at: now,
        state: credit_state,
        referenced: asked.referenced,
        late,
        reason: None,
        note: None,
        reversal: None,
        idempotency_key: asked.idempotency_key.map(str::to_owned),
        counted,
    };
    state.put_credit(credit.clone());
    let mut used = authorization.clone();
    used.state = AuthorizationState::Credited;
    used.credit = Some(credit.id);
    state.put_authorization(used);
    Ok(Ok(credit))
}

/// `late_credit`: whether an expired authorization may still be credited. Its earlier count is taken out first, so that
/// it is not counted twice.
fn judge_late(
    context: &Context,
    state: &mut State,
    account: &Account,
    authorization: &Authorization,
    now: Timestamp,
    findings: &mut Vec<RuleFinding>,
) -> Result<Result<Lateness, WrongField>, Missing> {
    let too_late = now.since(authorization.expires_at) > context.policy.late_credit_window;
    if too_late || context.policy.late_credit == LateCredit::Refuse {
        let note = format!("the authorization expired at {} and may no longer be credited", authorization.expires_at);
        return Ok(Err(WrongField::new(Reason::NotPreviouslyValidated, note)));
    }
    subjects::give_back(state, &authorization.counted, ReleaseKind::Always)?;
    if context.policy.late_credit == LateCredit::Accept {
        return Ok(Ok(Lateness::Accepted));
    }
    let case = Case {
        now,
        amount: authorization.amount,
        currency: account.currency,
        tier: &account.tier,
        has_sender: authorization.sender.is_some(),
    };
    let parties = Parties::of(account, authorization.sender.as_deref());
    let judgement = subjects::judge(context, state, &parties, &case)?;
    let refusal = judgement.refusal.map(|reason| {
        let WrongField { note, .. } = authorize::refused_by_rule(reason, &judgement.findings);
        WrongField::new(
            reason,
            format!("the authorization expired at {}; judged again, {note}", authorization.expires_at),
        )
    });
    *findings = judgement.findings;
    Ok(refusal.map_or(Ok(Lateness::Rechecked), Err))
}

/// Leap has told the sender by now: the refusal stays, the authorization ends and gives its limits back.
fn refuse_for_good(
    state: &mut State,
    asked: &Asked<'_>,
    account: &Account,
    mut authorization: Authorization,
    wrong: &WrongField,
    now: Timestamp,
) -> Result<(), Missing> {
    subjects::give_back(state, &authorization.counted, ReleaseKind::Always)?;
    state.put_credit(Credit {
        id: asked.id,
        account: account.id.clone(),
        authorization: authorization.id,
        amount: authorization.amount,
        currency: account.currency,
        exchange_rate: asked.exchange_rate,
        at: now,
        state: CreditState::Refused,
        referenced: asked.referenced,
        late: None,
        reason: Some(wrong.reason),
        note: Some(wrong.note.clone()),
        reversal: None,
        idempotency_key: asked.idempotency_key.map(str::to_owned),
        counted: Vec::new(),
    });
    authorization.state = AuthorizationState::CreditRefused;
    authorization.credit = Some(asked.id);
    state.put_authorization(authorization);
    Ok(())
}

/// The answer that `credit` was given, or what has become of it since.
pub fn answer_again(credit: &Credit) -> CreditAnswer {
    let failed = |reason, description| CreditAnswer { tracking: credit.id, success: false, reason, description };
    match (credit.state, credit.reversal) {
        (CreditState::InProgress | CreditState::Approved, _) => {
            CreditAnswer { tracking: credit.id, success: true, reason: None, description: None }
        }
        (CreditState::Reversed, Some(reversal)) => {
            failed(Some(Reason::NotPreviouslyValidated), Some(format!("the credit was reversed by {reversal}")))
        }
        (CreditState::Reversed | CreditState::SettlementFailed, _) => {
            failed(Some(Reason::NotPreviouslyValidated), Some("the credit's settlement failed".to_owned()))
        }
        (CreditState::Refused, _) => failed(credit.reason, credit.note.clone()),
    }
}

/// A refusal that changes nothing: a right call may follow.
pub fn refuse_once(
    state: &mut State,
    asked: &Asked<'_>,
    now: Timestamp,
    wrong: WrongField,
    found: Option<&Authorization>,
) -> CreditAnswer {
    let answer =
        CreditAnswer { tracking: asked.id, success: false, reason: Some(wrong.reason), description: Some(wrong.note) };
    record(state, asked, &answer, now, found, answer.description.clone(), (Vec::new(), None));
    answer
}

/// `authorization` is the one that was named or matched, `judged` what the rules found and their version.
fn record(
    state: &mut State,
    asked: &Asked<'_>,
    answer: &CreditAnswer,
    now: Timestamp,
    authorization: Option<&Authorization>,
    note: Option<String>,
    judged: (Vec<RuleFinding>, Option<String>),
) {
    // An operator's credit is recorded in the journal instead.
    let Some(call) = asked.call else {
        return;
    };
    let (findings, rules_version) = judged;
    let currency = call.currency.given().copied().or(authorization.and_then(|found| found.currency));
    // What is not sent is the authorization's.
    let own = authorization.filter(|found| found.currency == currency && found.amount > 0).map(|found| found.amount);
    let amount = if call.amount.is_absent() { own } else { fields::amount(&call.amount, currency).ok() };
    state.add_decision(Decision {
        id: asked.id,
        kind: DecisionKind::Credit,
        account: authorization.and_then(|found| found.account.clone()).or(asked.account.map(AccountId::new)),
        at: now,
        received_at: asked.received_at,
        approved: answer.success,
        reason: answer.reason,
        note,
        reference: authorization.map(|found| found.id),
        amount,
        currency,
        exchange_rate: asked.exchange_rate,
        rules_version,
        findings,
        request: call.body.clone(),
    });
}
