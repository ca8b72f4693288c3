//! ReverseCreditFunds: a total reversal, once, as new entries that undo the old (decision 9).

use std::collections::BTreeSet;

use super::command::ReverseCall;
use super::fields;
use super::outcome::ReversalAnswer;
use super::posting::{self, Movement};
use super::{Context, Missing, Request, State, subjects};
use crate::domain::policy::OnShortfall;
use crate::domain::{
    Account, AccountId, Book, Credit, CreditState, Decision, DecisionKind, EntryKind, EventRef, Reason, ReleaseKind,
    Reversal, SubjectKey, Timestamp, TrackingId,
};

pub fn reverse(
    context: &Context,
    state: &mut State,
    request: &Request,
    call: &ReverseCall,
) -> Result<ReversalAnswer, Missing> {
    let refused = |description: String| ReversalAnswer {
        tracking: request.id,
        success: false,
        not_supported: false,
        description,
    };
    let named = subjects::named_account(state, &call.account)?;
    let at = subjects::enter(state, &named, request.received_at)?;
    let known = call.account.given().filter(|_| !named.is_empty()).map(AccountId::new);
    let (account_id, number) = match sound_fields(call) {
        Ok(fields) => fields,
        Err(note) => {
            return Ok(record(state, request, call, at, About::Account(known), refused(note)));
        }
    };
    let credit = match TrackingId::parse(number) {
        Some(id) => state.credit(id)?,
        None => None,
    };
    let credit = credit.filter(|credit| credit.account == account_id);
    let account = match &credit {
        Some(credit) => state.account(&credit.account)?,
        None => None,
    };
    let (Some(credit), Some(account)) = (credit, account) else {
        let answer = if context.policy.reversals {
            refused("CreditTrackingNumber names no credit of this account".to_owned())
        } else {
            not_supported(request)
        };
        return Ok(record(state, request, call, at, About::Account(known), answer));
    };
    let counted = counted_of(state, &credit)?;
    let subjects = subjects_of(state, &account, &credit)?;
    let now = subjects::enter(state, &subjects, request.received_at)?;
    if let (CreditState::Reversed, Some(first)) = (credit.state, credit.reversal) {
        return Ok(reversed(first));
    }
    let answer = if !context.policy.reversals {
        not_supported(request)
    } else {
        match undo(context, state, request.id, &account, &credit, now) {
            Ok(()) => {
                subjects::give_back(state, &counted, ReleaseKind::Reversal)?;
                reversed(request.id)
            }
            Err(note) => refused(note),
        }
    };
    Ok(record(state, request, call, now, About::Credit(&credit), answer))
}

fn sound_fields(call: &ReverseCall) -> Result<(AccountId, &str), String> {
    let account = fields::required(&call.account, "AccountIdentifier", Reason::InvalidAccount);
    let number = fields::required(&call.credit, "CreditTrackingNumber", Reason::InvalidReferenceId);
    match (account, number) {
        (Ok(account), Ok(number)) => Ok((AccountId::new(account), number)),
        (Err(wrong), _) | (_, Err(wrong)) => Err(wrong.note),
    }
}

fn reversed(tracking: TrackingId) -> ReversalAnswer {
    ReversalAnswer { tracking, success: true, not_supported: false, description: "the credit is reversed".to_owned() }
}

fn not_supported(request: &Request) -> ReversalAnswer {
    ReversalAnswer {
        tracking: request.id,
        success: false,
        not_supported: true,
        description: "this partner does not reverse credits".to_owned(),
    }
}

/// Where a credit is counted: by itself where it came late, else through its authorization.
pub fn counted_of(state: &mut State, credit: &Credit) -> Result<Vec<EventRef>, Missing> {
    if credit.late.is_some() {
        return Ok(credit.counted.clone());
    }
    Ok(state.authorization(credit.authorization)?.map(|found| found.counted).unwrap_or_default())
}

/// Every subject that the credit or its authorization was counted in.
pub fn subjects_of(state: &mut State, account: &Account, credit: &Credit) -> Result<BTreeSet<SubjectKey>, Missing> {
    let mut places = credit.counted.clone();
    places.extend(state.authorization(credit.authorization)?.map(|found| found.counted).unwrap_or_default());
    Ok(subjects::counted_in(account, &places))
}

/// Undoes a standing credit; the error says why it stands.
fn undo(
    context: &Context,
    state: &mut State,
    id: TrackingId,
    account: &Account,
    credit: &Credit,
    now: Timestamp,
) -> Result<(), String> {
    if !credit.state.is_standing() {
        return Err(format!("no money of this credit is left to take back: it is {}", credit.state.as_str()));
    }
    if account.status.is_frozen_by_others() {
        return Err(format!("the account is {} and is not debited", account.status));
    }
    let amount = credit.amount;
    let spent = (amount - account.balance.clamp(0, amount)).max(0);
    let pending = [(Book::Pending, -amount), (Book::Clearing, amount)];
    let available = [(Book::Available, -amount), (Book::Clearing, amount)];
    let receivable = [(Book::Available, spent - amount), (Book::Receivable, -spent), (Book::Clearing, amount)];
    let lines: &[(Book, i64)] = match (credit.state, context.policy.on_shortfall) {
        (CreditState::InProgress, _) => &pending,
        (_, OnShortfall::Refuse) if spent > 0 => return Err("the money is already spent".to_owned()),
        (_, OnShortfall::Receivable) if spent > 0 => &receivable,
        _ => &available,
    };
    let movement = Movement { id, kind: EntryKind::Reversal, credit: Some(credit.id), at: now, lines };
    if posting::post(state, account, movement).is_none() {
        return Err("the sum would exceed what the ledger holds".to_owned());
    }
    state.add_reversal(Reversal {
        id,
        credit: credit.id,
        account: account.id.clone(),
        amount,
        currency: credit.currency,
        at: now,
    });
    state.put_credit(Credit { state: CreditState::Reversed, reversal: Some(id), ..credit.clone() });
    Ok(())
}

/// What a reversal was asked for.
enum About<'a> {
    /// No credit was found, or no account either.
    Account(Option<AccountId>),
    Credit(&'a Credit),
}

fn record(
    state: &mut State,
    request: &Request,
    call: &ReverseCall,
    now: Timestamp,
    about: About<'_>,
    answer: ReversalAnswer,
) -> ReversalAnswer {
    let (account, credit) = match about {
        About::Account(account) => (account, None),
        About::Credit(credit) => (Some(credit.account.clone()), Some(credit)),
    };
    state.add_decision(Decision {
        id: request.id,
        kind: DecisionKind::Reversal,
        account,
        at: now,
        received_at: request.received_at,
        approved: answer.success,
        reason: None,
        note: Some(answer.description.clone()),
        reference: credit.map(|credit| credit.id),
        amount: credit.map(|credit| credit.amount),
        currency: credit.map(|credit| credit.currency),
        exchange_rate: None,
        rules_version: None,
        findings: Vec::new(),
        request: call.body.clone(),
    });
    answer
}
