//! TxAuthorization: may this remittance go to that account? An approval reserves its limits at once (decision 6).

use super::command::{AuthorizeCall, Field};
use super::fields::{self, WrongField};
use super::outcome::AuthorizationAnswer;
use super::subjects::{self, Parties, Transaction};
use super::{Context, Missing, Request, State};
use crate::domain::person::{DirectoryKey, DirectoryKind};
use crate::domain::{
    Account, AccountId, Authorization, AuthorizationState, Currency, Decision, DecisionKind, PersonalData, Reason,
    RuleFinding, Status, Timestamp,
};
use crate::rules::Case;

/// What a `DisplayName` says where there is no account: the contract allows none to be missing.
pub const NO_DISPLAY_NAME: &str = "UNKNOWN";

pub fn authorize(
    context: &Context,
    state: &mut State,
    request: &Request,
    call: &AuthorizeCall,
) -> Result<AuthorizationAnswer, Missing> {
    let account = find_account(state, call)?;
    let sender = call.sender.given().and_then(PersonalData::sender_key);
    let parties = account.as_ref().map(|account| Parties::of(account, sender.as_deref()));
    let named = match &parties {
        Some(parties) => parties.named(context),
        None => subjects::sender_alone(context, sender.as_deref()),
    };
    let now = subjects::enter(state, &named, request.received_at)?;

    let mut findings = Vec::new();
    let verdict = match (check_fields(context, call, account.as_ref()), &account, &parties) {
        (Err(wrong), ..) => Err(wrong),
        (Ok(fields), Some(account), Some(parties)) => match check_account(account, fields.currency).map(|()| fields) {
            Err(refusal) => Err(refusal),
            Ok(fields) => {
                let case = Case {
                    now,
                    amount: fields.amount,
                    currency: account.currency,
                    tier: &account.tier,
                    has_sender: sender.is_some(),
                };
                let judgement = subjects::judge(context, state, parties, &case)?;
                let refusal = judgement.refusal.map(|reason| refused_by_rule(reason, &judgement.findings));
                findings = judgement.findings;
                match refusal {
                    Some(refusal) => Err(refusal),
                    None => reserve(context, state, request, call, account, parties, fields.amount, now)?,
                }
            }
        },
        (Ok(_), ..) => Err(WrongField::new(Reason::InvalidAccount, "no account was found")),
    };

    let ran_rules = !findings.is_empty();
    let refusal = verdict.as_ref().err();
    let currency = call.currency.given().copied().or(account.as_ref().map(|account| account.currency));
    if refusal.is_some() {
        state.put_authorization(Authorization {
            id: request.id,
            account: account.as_ref().map(|account| account.id.clone()),
            amount: fields::amount(&call.amount, currency).unwrap_or(0),
            currency,
            exchange_rate: call.exchange_rate.given().copied(),
            at: now,
            expires_at: now,
            state: AuthorizationState::Refused,
            sender: sender.clone(),
            counted: Vec::new(),
            credit: None,
            bound_credit: None,
        });
    }
    state.add_decision(Decision {
        id: request.id,
        kind: DecisionKind::Authorization,
        account: account.as_ref().map(|account| account.id.clone()),
        at: now,
        received_at: request.received_at,
        approved: refusal.is_none(),
        reason: refusal.map(|refusal| refusal.reason),
        note: refusal.map(|refusal| refusal.note.clone()),
        reference: None,
        amount: fields::amount(&call.amount, currency).ok(),
        currency,
        exchange_rate: call.exchange_rate.given().copied(),
        rules_version: ran_rules.then(|| context.rules.version().to_owned()),
        findings,
        request: call.body.clone(),
    });
    Ok(AuthorizationAnswer {
        tracking: request.id,
        authorized: refusal.is_none(),
        display_name: account.as_ref().map_or(NO_DISPLAY_NAME, |account| &account.display_name).to_owned(),
        account: account.map(|account| account.id.as_str().to_owned()),
        reason: refusal.map(|refusal| refusal.reason),
    })
}

/// The account that is named, or where none is, the receiver's oldest one that is not closed (decision 4).
fn find_account(state: &mut State, call: &AuthorizeCall) -> Result<Option<Account>, Missing> {
    match (&call.account, &call.receiver) {
        (Field::Given(id), _) => state.account(&AccountId::new(id)),
        (Field::Absent, Field::Given(receiver)) => {
            let by_phone = receiver.phone_key().map(|value| DirectoryKey { kind: DirectoryKind::Phone, value });
            let by_email = receiver.email_key().map(|value| DirectoryKey { kind: DirectoryKind::Email, value });
            for key in by_phone.into_iter().chain(by_email) {
                let found = state.persons_found_by(&[key].into())?;
                let same: Vec<_> = found.into_iter().filter(|person| person.is_same(receiver, &[])).collect();
                if same.is_empty() {
                    continue;
                }
                let mut accounts = Vec::new();
                for person in same {
                    accounts.extend(state.accounts_of(person.id)?);
                }
                let wanted = call.currency.given();
                accounts.retain(|account| account.status != Status::Closed);
                accounts.retain(|account| wanted.is_none_or(|currency| account.currency == *currency));
                return Ok(accounts.into_iter().min_by_key(|account| (account.created_at, account.id.clone())));
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// The fields that are judged once they are sound.
struct SoundFields {
    /// Minor units.
    amount: i64,
    /// As sent.
    currency: Option<Currency>,
}

/// Decision 2's order. Without a currency the account's is meant (decision 5).
fn check_fields(context: &Context, call: &AuthorizeCall, account: Option<&Account>) -> Result<SoundFields, WrongField> {
    let of_account = account.map(|account| account.currency);
    let amount = fields::amount(&call.amount, call.currency.given().copied().or(of_account))?;
    let currency = fields::currency(&call.currency, &context.policy)?;
    if let (None, Some(currency)) = (currency, of_account) {
        fields::currency(&Field::Given(currency), &context.policy)?;
    }
    fields::exchange_rate(&call.exchange_rate)?;
    fields::optional(&call.sender, Reason::InvalidSenderData)?;
    fields::required(&call.receiver, "ReceiverPersonalData", Reason::InvalidDestinationData)?;
    fields::optional(&call.account, Reason::InvalidAccount)?;
    Ok(SoundFields { amount, currency })
}

/// Decision 3: the currency first, then the account's status.
fn check_account(account: &Account, currency: Option<Currency>) -> Result<(), WrongField> {
    if currency.is_some_and(|currency| currency != account.currency) {
        let note = format!("the account is kept in {}", account.currency);
        return Err(WrongField::new(Reason::NonMatchingCurrencyAccount, note));
    }
    match account.status.refusal() {
        Some(reason) => Err(WrongField::new(reason, format!("the account is {}", account.status))),
        None => Ok(()),
    }
}

/// A refusal by the first enforcing rule that gave this reason.
pub fn refused_by_rule(reason: Reason, findings: &[RuleFinding]) -> WrongField {
    let rule = findings
        .iter()
        .find(|finding| finding.verdict == crate::domain::Verdict::Refused && !finding.shadow)
        .map_or("", |finding| finding.rule.as_str());
    WrongField::new(reason, format!("refused by the rule `{rule}`"))
}

/// Opens the authorization and counts it; the inner error where the ledger could not hold the sum.
#[expect(clippy::too_many_arguments, reason = "all of them are what is approved")]
fn reserve(
    context: &Context,
    state: &mut State,
    request: &Request,
    call: &AuthorizeCall,
    account: &Account,
    parties: &Parties,
    amount: i64,
    now: Timestamp,
) -> Result<Result<(), WrongField>, Missing> {
    let expires_at = now.plus(context.policy.authorization_ttl);
    let transaction = Transaction {
        authorization: request.id,
        amount,
        currency: account.currency,
        at: now,
        due_at: Some(expires_at),
    };
    let Some(counted) = subjects::count(state, &parties.named(context), transaction)? else {
        return Ok(Err(WrongField::new(
            Reason::InvalidAmount,
            "the sum of all amounts would exceed what the ledger holds",
        )));
    };
    state.put_authorization(Authorization {
        id: request.id,
        account: Some(account.id.clone()),
        amount,
        currency: Some(account.currency),
        exchange_rate: call.exchange_rate.given().copied(),
        at: now,
        expires_at,
        state: AuthorizationState::Open,
        sender: call.sender.given().and_then(PersonalData::sender_key),
        counted,
        credit: None,
        bound_credit: None,
    });
    Ok(Ok(()))
}
