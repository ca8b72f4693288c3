//! What every form of CreditFunds shares: crediting an unused authorization once, or refusing it, and the record of it.

use std::collections::BTreeSet;

use compact_str::CompactString;
use rust_decimal::Decimal;

use super::command::{CreditCall, Field};
use super::fields::{self, WrongField};
use super::outcome::CreditAnswer;
use super::posting::{self, Movement};
use super::subjects::{self, Parties, Transaction};
use super::{Context, Missing, Request, State, authorize};
use crate::domain::policy::{LateCredit, Settlement};
use crate::domain::{
    Account, AccountId, AmbiguousCredit, AmbiguousState, Authorization, AuthorizationState, Body, Book, Credit,
    CreditState, Currency, Decision, DecisionKind, EntryKind, JsonNumber, Lateness, Money, Reason, ReleaseKind,
    RuleFinding, SubjectKey, Timestamp, TrackingId,
};
use crate::rules::Case;

/// One call that asks for a credit: what is recorded with it.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    pub id: TrackingId,
    pub received_at: Timestamp,
    /// Event time on the account that the call names.
    pub at: Timestamp,
    /// The account that the call names, where there is one.
    pub account: Option<AccountId>,
    pub amount: &'a Field<JsonNumber>,
    pub currency: Option<Currency>,
    pub exchange_rate: Option<Decimal>,
    pub referenced: bool,
    pub idempotency_key: Option<&'a str>,
    pub body: Body,
}

impl<'a> Asked<'a> {
    pub fn by_leap(request: &'a Request, call: &'a CreditCall, account_exists: bool, at: Timestamp) -> Self {
        Self {
            id: request.id,
            received_at: request.received_at,
            at,
            account: call.account.given().filter(|_| account_exists).map(AccountId::new),
            amount: &call.amount,
            currency: call.currency.given().copied(),
            exchange_rate: call.exchange_rate.given().copied(),
            referenced: !call.authorization.is_absent(),
            idempotency_key: request.idempotency.as_ref().map(|claim| claim.key.as_str()),
            body: call.body.clone(),
        }
    }
}

/// Every subject whose time a credit of `authorization` must agree with: those it counted in, and those a late credit
/// would count in.
pub fn subjects_of(context: &Context, account: &Account, authorization: &Authorization) -> BTreeSet<SubjectKey> {
    let mut subjects = subjects::counted_in(account, &authorization.counted);
    subjects.extend(Parties::of(account, authorization.sender.as_ref()).named(context));
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
    let made = make(context, state, asked, account, &authorization, now)?;
    if let Err(wrong) = &made.credit {
        refuse_for_good(state, asked, account, authorization.clone(), wrong, now)?;
    }
    close(context, state, asked, &authorization, bind, made, now)
}

/// Binds the credit, or its refusal, to the authorization that the call named, records it, and answers.
pub fn close(
    context: &Context,
    state: &mut State,
    asked: &Asked<'_>,
    authorization: &Authorization,
    bind: Option<TrackingId>,
    made: Made,
    now: Timestamp,
) -> Result<CreditAnswer, Missing> {
    if let Some(bind) = bind
        && let Some(mut named) = state.authorization(bind)?
    {
        named.bound_credit = Some(asked.id);
        state.put_authorization(named)?;
    }
    let refusal = made.credit.as_ref().err();
    let answer = CreditAnswer {
        tracking: asked.id,
        success: refusal.is_none(),
        reason: refusal.map(|wrong| wrong.reason),
        description: refusal.map(|wrong| wrong.note.clone()),
    };
    let note = remark(authorization, bind, made.credit.as_ref());
    let rules_version = (!made.findings.is_empty()).then(|| context.rules.version().into());
    record(state, asked, &answer, now, Some(authorization), note, (made.findings, rules_version));
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

/// What came of crediting an authorization, and what the rules found where they were run again.
#[derive(Debug)]
pub struct Made {
    pub credit: Result<Credit, WrongField>,
    pub findings: Vec<RuleFinding>,
}

/// Credits an unused authorization. Where a state forbids it, nothing has changed.
pub fn make(
    context: &Context,
    state: &mut State,
    asked: &Asked<'_>,
    account: &Account,
    authorization: &Authorization,
    now: Timestamp,
) -> Result<Made, Missing> {
    let mut findings = Vec::new();
    let credit = attempt(context, state, asked, account, authorization, now, &mut findings)?;
    if credit.is_err() && authorization.state == AuthorizationState::Expired {
        // A recheck takes the expired count out; the authorization waits on, so it goes back.
        subjects::give_back(state, &authorization.counted, ReleaseKind::Expiry)?;
    }
    Ok(Made { credit, findings })
}

fn attempt(
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
            let parties = Parties::of(account, authorization.sender.as_ref());
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
    state.put_authorization(used)?;
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
    if !context.policy.allows_late(now.since(authorization.expires_at)) {
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
    let parties = Parties::of(account, authorization.sender.as_ref());
    let judgement = subjects::judge(context, state, &parties, &case)?;
    let refusal = judgement.refusal.map(|reason| {
        let by_rule = authorize::refused_by_rule(reason, &judgement.findings).note;
        WrongField::new(
            reason,
            format!("the authorization expired at {}; judged again, {by_rule}", authorization.expires_at),
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
    state.put_authorization(authorization)?;
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

/// Answers as `first` was answered, though another authorization matches: the call may as well have been a second
/// remittance, so it is recorded for the operator who has to tell.
pub fn repeat_and_ask(
    state: &mut State,
    asked: &Asked<'_>,
    account: &AccountId,
    money: Money,
    first: &Credit,
    now: Timestamp,
) -> CreditAnswer {
    let answer = answer_again(first);
    let note = format!("taken for a retry of {}, though another authorization matches: listed as ambiguous", first.id);
    record(state, asked, &answer, now, None, Some(note), (Vec::new(), None));
    state.put_ambiguous(ambiguous(asked, account, money, Some(first.id), now));
    answer
}

/// The call as an operator finds it.
pub fn ambiguous(
    asked: &Asked<'_>,
    account: &AccountId,
    money: Money,
    answered_with: Option<TrackingId>,
    now: Timestamp,
) -> AmbiguousCredit {
    AmbiguousCredit {
        id: asked.id,
        account: account.clone(),
        amount: money.amount,
        currency: money.currency,
        exchange_rate: asked.exchange_rate,
        at: now,
        answered_with,
        state: AmbiguousState::Waiting,
        credit: None,
    }
}

/// `authorization` is the one that was named or matched, `judged` what the rules found and their version.
fn record(
    state: &mut State,
    asked: &Asked<'_>,
    answer: &CreditAnswer,
    now: Timestamp,
    authorization: Option<&Authorization>,
    note: Option<String>,
    judged: (Vec<RuleFinding>, Option<CompactString>),
) {
    let (findings, rules_version) = judged;
    let currency = asked.currency.or(authorization.and_then(|found| found.currency));
    // What is not sent is the authorization's.
    let own = authorization.filter(|found| found.currency == currency && found.amount > 0).map(|found| found.amount);
    let amount = if asked.amount.is_absent() { own } else { fields::amount(asked.amount, currency).ok() };
    state.add_decision(Decision {
        id: asked.id,
        kind: DecisionKind::Credit,
        account: authorization.and_then(|found| found.account.clone()).or(asked.account.clone()),
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
        request: asked.body.clone(),
    });
}
