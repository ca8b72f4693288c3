//! TxAuthorization: may this remittance go to that account? An approval reserves its limits at once (decision 6).

use std::collections::BTreeSet;

use super::command::{AuthorizeCall, Field};
use super::fields::{self, WrongField};
use super::outcome::AuthorizationAnswer;
use super::subjects::{self, Parties, Transaction};
use super::{Context, Missing, Request, State};
use crate::domain::person::{DirectoryKey, DirectoryKind};
use crate::domain::{
    Account, AccountId, Authorization, AuthorizationState, Currency, Decision, DecisionKind, Reason, RuleFinding,
    Status, SubjectKey, Timestamp,
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
    let sender = call.sender.given();
    let parties = account.as_ref().map(|account| Parties::of(account, sender));
    let subjects = match &parties {
        Some(parties) => parties.named(context),
        None => subjects::sender_alone(context, sender),
    };
    let now = subjects::enter(state, &subjects, request.received_at)?;
    let currency = call.currency.given().copied().or(account.as_ref().map(|account| account.currency));
    let amount = fields::amount(&call.amount, currency);
    let remittance = Remittance { context, request, call, account, parties, subjects, currency, amount, now };

    let mut findings = Vec::new();
    let verdict = match remittance.judge(state, &mut findings)? {
        Ok(amount) => remittance.open(state, amount)?,
        Err(wrong) => Err(wrong),
    };
    if verdict.is_err() {
        remittance.remember_refused(state)?;
    }
    let refusal = verdict.err();
    remittance.record(state, refusal.as_ref(), findings);
    Ok(remittance.answer(refusal.as_ref()))
}

/// One call, and what it was found to be about.
struct Remittance<'a> {
    context: &'a Context,
    request: &'a Request,
    call: &'a AuthorizeCall,
    account: Option<Account>,
    /// Whom it counts for, where there is an account.
    parties: Option<Parties>,
    /// Every subject that it names.
    subjects: BTreeSet<SubjectKey>,
    /// As sent, else the account's (decision 5).
    currency: Option<Currency>,
    /// Minor units.
    amount: Result<i64, WrongField>,
    /// Event time.
    now: Timestamp,
}

impl Remittance<'_> {
    /// Decision 3's order: fields, account, currency, status, rules. The amount in minor units where nothing refuses.
    fn judge(&self, state: &mut State, findings: &mut Vec<RuleFinding>) -> Result<Result<i64, WrongField>, Missing> {
        let amount = match self.check_fields() {
            Ok(amount) => amount,
            Err(wrong) => return Ok(Err(wrong)),
        };
        let (Some(account), Some(parties)) = (&self.account, &self.parties) else {
            return Ok(Err(WrongField::new(Reason::InvalidAccount, "no account was found")));
        };
        if let Err(wrong) = check_account(account, self.call.currency.given().copied()) {
            return Ok(Err(wrong));
        }
        let case = Case {
            now: self.now,
            amount,
            currency: account.currency,
            tier: &account.tier,
            has_sender: self.call.sender.given().is_some(),
        };
        let judgement = subjects::judge(self.context, state, parties, &case)?;
        *findings = judgement.findings;
        Ok(judgement.refusal.map_or(Ok(amount), |reason| Err(refused_by_rule(reason, findings))))
    }

    /// Decision 2's order.
    fn check_fields(&self) -> Result<i64, WrongField> {
        let call = self.call;
        let amount = self.amount.clone()?;
        // An account's own currency may be one that the partner takes no more.
        let meant = self.currency.filter(|_| call.currency.is_absent()).map(Field::Given);
        fields::currency(meant.as_ref().unwrap_or(&call.currency), &self.context.policy)?;
        fields::exchange_rate(&call.exchange_rate)?;
        fields::optional(&call.sender, Reason::InvalidSenderData)?;
        fields::required(&call.receiver, "ReceiverPersonalData", Reason::InvalidDestinationData)?;
        fields::optional(&call.account, Reason::InvalidAccount)?;
        Ok(amount)
    }

    /// Opens the authorization and counts it; the inner error where the ledger could not hold the sum.
    fn open(&self, state: &mut State, amount: i64) -> Result<Result<(), WrongField>, Missing> {
        let Some(account) = &self.account else {
            return Ok(Err(WrongField::new(Reason::InvalidAccount, "no account was found")));
        };
        let expires_at = self.now.plus(self.context.policy.authorization_ttl);
        let transaction = Transaction {
            authorization: self.request.id,
            amount,
            currency: account.currency,
            at: self.now,
            due_at: Some(expires_at),
        };
        let Some(counted) = subjects::count(state, &self.subjects, transaction)? else {
            let note = "the sum of all amounts would exceed what the ledger holds";
            return Ok(Err(WrongField::new(Reason::InvalidAmount, note)));
        };
        state.put_authorization(Authorization {
            amount,
            currency: Some(account.currency),
            expires_at,
            counted,
            ..self.authorization(AuthorizationState::Open)
        })?;
        Ok(Ok(()))
    }

    /// A refused authorization is kept, so that a credit naming it is told apart from one that names nothing.
    fn remember_refused(&self, state: &mut State) -> Result<(), Missing> {
        state.put_authorization(self.authorization(AuthorizationState::Refused))
    }

    fn authorization(&self, state: AuthorizationState) -> Authorization {
        Authorization {
            id: self.request.id,
            account: self.account.as_ref().map(|account| account.id.clone()),
            amount: self.amount.as_ref().copied().unwrap_or(0),
            currency: self.currency,
            exchange_rate: self.call.exchange_rate.given().copied(),
            at: self.now,
            expires_at: self.now,
            state,
            sender: self.call.sender.given().cloned(),
            counted: Vec::new(),
            credit: None,
            bound_credit: None,
        }
    }

    fn record(&self, state: &mut State, refusal: Option<&WrongField>, findings: Vec<RuleFinding>) {
        state.add_decision(Decision {
            id: self.request.id,
            kind: DecisionKind::Authorization,
            account: self.account.as_ref().map(|account| account.id.clone()),
            at: self.now,
            received_at: self.request.received_at,
            approved: refusal.is_none(),
            reason: refusal.map(|refusal| refusal.reason),
            note: refusal.map(|refusal| refusal.note.clone()),
            reference: None,
            amount: self.amount.as_ref().ok().copied(),
            currency: self.currency,
            exchange_rate: self.call.exchange_rate.given().copied(),
            rules_version: (!findings.is_empty()).then(|| self.context.rules.version().into()),
            findings,
            request: self.call.body.clone(),
        });
    }

    fn answer(&self, refusal: Option<&WrongField>) -> AuthorizationAnswer {
        let display_name = self.account.as_ref().map(|account| account.display_name.clone());
        AuthorizationAnswer {
            tracking: self.request.id,
            authorized: refusal.is_none(),
            account: self.account.as_ref().map(|account| account.id.clone()),
            display_name: display_name.unwrap_or_else(|| NO_DISPLAY_NAME.into()),
            reason: refusal.map(|refusal| refusal.reason),
        }
    }
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

/// A refusal by the first rule that refuses and is enforced, which gave `reason`.
pub fn refused_by_rule(reason: Reason, findings: &[RuleFinding]) -> WrongField {
    let rule = findings
        .iter()
        .find(|finding| finding.verdict == crate::domain::Verdict::Refused && !finding.shadow)
        .map_or("", |finding| finding.rule.as_str());
    WrongField::new(reason, format!("refused by the rule `{rule}`"))
}
