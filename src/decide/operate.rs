//! What operators do. Every change is recorded with who, when and why.

use super::command::{Action, Field, NewAccount, Operation};
use super::create_account::{find_persons, oldest_open_account, open};
use super::crediting::{self, Asked};
use super::outcome::{OperationAnswer, Refusal};
use super::posting::{self, Movement};
use super::unreferenced::Matches;
use super::{Context, Missing, Request, State, reverse, subjects};
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousState, Authorization, AuthorizationState, Body, Book, Credit,
    CreditState, EntryKind, JsonNumber, Money, ReleaseKind, Status, SubjectKey, TrackingId,
};

pub fn operate(
    context: &Context,
    state: &mut State,
    request: &Request,
    operation: &Operation,
) -> Result<OperationAnswer, Missing> {
    let desk = Desk { context, request, operation };
    let answer = match &operation.action {
        Action::OpenAccount(new) => desk.open_account(state, new)?,
        Action::Block { account, status, case_number, review_date } => {
            desk.block(state, account, *status, case_number.as_ref(), review_date.as_ref())?
        }
        Action::Unblock { account } => desk.unblock(state, account)?,
        Action::Close { account } => desk.close(state, account)?,
        Action::ChangeTier { account, tier } => desk.change_tier(state, account, tier)?,
        Action::Debit { account, amount } => desk.debit(state, account, amount)?,
        Action::VoidAuthorization { authorization } => desk.void(state, *authorization)?,
        Action::Settle { credit, approved } => desk.settle(state, *credit, *approved)?,
        Action::CreditAmbiguous { ambiguous } => desk.credit_ambiguous(state, *ambiguous)?,
    };
    Ok(answer.unwrap_or_else(OperationAnswer::Refused))
}

/// The inner error is told to the operator, and nothing has changed.
type Answer = Result<Result<OperationAnswer, Refusal>, Missing>;

fn conflict(why: impl Into<String>) -> Answer {
    Ok(Err(Refusal::Conflict(why.into())))
}

fn not_found(what: &str) -> Answer {
    Ok(Err(Refusal::NotFound(format!("no such {what}"))))
}

/// Who acts, why, and under which rules.
struct Desk<'a> {
    context: &'a Context,
    request: &'a Request,
    operation: &'a Operation,
}

impl Desk<'_> {
    fn open_account(&self, state: &mut State, new: &NewAccount) -> Answer {
        if !self.context.policy.takes(new.currency) {
            return Ok(Err(Refusal::Invalid(format!("this partner does not take {}", new.currency))));
        }
        if let Some(id) = &new.id
            && state.account(id)?.is_some()
        {
            return conflict("this AccountIdentifier is taken");
        }
        let holders = match find_persons(state, &new.person, &new.documents)? {
            Ok(holders) => holders,
            Err(contradiction) => return conflict(contradiction),
        };
        // A second account of one person in one currency is opened only on purpose, under an identifier of its own.
        if new.id.is_none()
            && let Some(existing) = oldest_open_account(state, &holders, new.currency)?
        {
            return conflict(format!("this person has the account {} in {}", existing.id, new.currency));
        }
        let account = open(self.context, state, self.request, new, holders.into_iter().next())?;
        self.record(state, &account.id, "open", None, format!("opened {}", account.currency));
        Ok(Ok(OperationAnswer::Opened(account)))
    }

    fn block(
        &self,
        state: &mut State,
        id: &AccountId,
        status: Status,
        case_number: Option<&String>,
        review_date: Option<&String>,
    ) -> Answer {
        let Some(account) = state.account(id)? else {
            return not_found("account");
        };
        if matches!(status, Status::Active | Status::Closed) {
            return Ok(Err(Refusal::Invalid("a block is Blocked, BlockedByLaw or BlockedByGovernment".to_owned())));
        }
        if account.status == Status::Closed {
            return conflict("the account is closed");
        }
        // A court's or an authority's block must not fall away because somebody adds the partner's own.
        if account.status.is_frozen_by_others() && status == Status::Blocked {
            return conflict(format!("the account is {}: unblock it first", account.status));
        }
        let mut change = self.change(id, "block", None, format!("{} -> {status}", account.status));
        change.case_number = case_number.cloned();
        change.review_date = review_date.cloned();
        self.put(state, Account { status, ..account }, change)
    }

    fn unblock(&self, state: &mut State, id: &AccountId) -> Answer {
        let Some(account) = state.account(id)? else {
            return not_found("account");
        };
        if matches!(account.status, Status::Active | Status::Closed) {
            return conflict(format!("the account is {}", account.status));
        }
        let change = self.change(id, "unblock", None, format!("{} -> Active", account.status));
        self.put(state, Account { status: Status::Active, ..account }, change)
    }

    fn close(&self, state: &mut State, id: &AccountId) -> Answer {
        let Some(account) = state.account(id)? else {
            return not_found("account");
        };
        if account.status == Status::Closed {
            return conflict("the account is closed");
        }
        if account.status.is_frozen_by_others() {
            return conflict(format!("the account is {}: unblock it first", account.status));
        }
        if account.balance != 0 || account.pending != 0 || account.receivable != 0 {
            return conflict("the account still holds or owes money");
        }
        let change = self.change(id, "close", None, format!("{} -> Closed", account.status));
        self.put(state, Account { status: Status::Closed, ..account }, change)
    }

    fn change_tier(&self, state: &mut State, id: &AccountId, tier: &str) -> Answer {
        let Some(account) = state.account(id)? else {
            return not_found("account");
        };
        if account.status == Status::Closed {
            return conflict("the account is closed");
        }
        let change = self.change(id, "tier", None, format!("{} -> {tier}", account.tier));
        self.put(state, Account { tier: tier.into(), ..account }, change)
    }

    fn debit(&self, state: &mut State, id: &AccountId, amount: &JsonNumber) -> Answer {
        let Some(account) = state.account(id)? else {
            return not_found("account");
        };
        if account.status != Status::Active {
            return conflict(format!("the account is {}", account.status));
        }
        let Some(amount) = account.currency.minor_units(amount) else {
            return Ok(Err(Refusal::Invalid(format!("the amount is not one of {}", account.currency))));
        };
        if amount > account.balance {
            return conflict("the balance is lower than the debit");
        }
        let now = subjects::enter(state, &[SubjectKey::account(&account.id)].into(), self.request.received_at)?;
        let lines = [(Book::Available, -amount), (Book::Payouts, amount)];
        let entry = self.request.id;
        let movement = Movement { id: entry, kind: EntryKind::Debit, credit: None, at: now, lines: &lines };
        let money = Money::new(amount, account.currency);
        let Some(account) = posting::post(state, &account, movement) else {
            return conflict("the ledger cannot hold the sum");
        };
        self.record(state, id, "debit", Some(entry), money.to_string());
        Ok(Ok(OperationAnswer::Debited { entry, money, account }))
    }

    fn void(&self, state: &mut State, id: TrackingId) -> Answer {
        let found = state.authorization(id)?;
        let account = match found.as_ref().and_then(|found| found.account.as_ref()) {
            Some(account) => state.account(account)?,
            None => None,
        };
        let Some(found) = found else {
            return not_found("authorization");
        };
        let Some(account) = account else {
            return conflict("the authorization was refused");
        };
        subjects::enter(state, &subjects::counted_in(&account, &found.counted), self.request.received_at)?;
        let mut found = state.authorization(id)?.unwrap_or(found);
        if found.state != AuthorizationState::Open {
            return conflict(format!("the authorization is {}", found.state.as_str()));
        }
        subjects::give_back(state, &found.counted, ReleaseKind::Expiry)?;
        found.state = AuthorizationState::Voided;
        state.put_authorization(found.clone())?;
        self.record(state, &account.id, "void", Some(id), "Open -> Voided".to_owned());
        Ok(Ok(OperationAnswer::Voided(found)))
    }

    fn settle(&self, state: &mut State, id: TrackingId, approved: bool) -> Answer {
        let Some(credit) = state.credit(id)? else {
            return not_found("credit");
        };
        let Some(account) = state.account(&credit.account)? else {
            return not_found("account");
        };
        let counted = reverse::counted_of(state, &credit)?;
        let subjects = reverse::subjects_of(state, &account, &credit)?;
        let now = subjects::enter(state, &subjects, self.request.received_at)?;
        if credit.state != CreditState::InProgress {
            return conflict(format!("the credit is {}", credit.state.as_str()));
        }
        let (kind, book, settled) = if approved {
            (EntryKind::Settlement, Book::Available, CreditState::Approved)
        } else {
            (EntryKind::SettlementFailure, Book::Clearing, CreditState::SettlementFailed)
        };
        let lines = [(Book::Pending, -credit.amount), (book, credit.amount)];
        let movement = Movement { id: self.request.id, kind, credit: Some(id), at: now, lines: &lines };
        if posting::post(state, &account, movement).is_none() {
            return conflict("the ledger cannot hold the sum");
        }
        if !approved {
            subjects::give_back(state, &counted, ReleaseKind::Reversal)?;
        }
        let credit = Credit { state: settled, ..credit };
        state.put_credit(credit.clone());
        self.record(state, &account.id, "settle", Some(id), format!("InProgress -> {}", settled.as_str()));
        Ok(Ok(OperationAnswer::Settled(credit)))
    }

    /// Decision 8: the oldest match that is still unused, open ones before expired ones.
    fn credit_ambiguous(&self, state: &mut State, id: TrackingId) -> Answer {
        let Some(mut call) = state.ambiguous(id)? else {
            return not_found("ambiguous credit");
        };
        if call.state != AmbiguousState::Waiting {
            return conflict("it has been credited");
        }
        let Some(account) = state.account(&call.account)? else {
            return not_found("account");
        };
        let mut subjects = [SubjectKey::account(&account.id)].into();
        loop {
            let now = subjects::enter(state, &subjects, self.request.received_at)?;
            let money = Money::new(call.amount, call.currency);
            let matches = Matches::find(self.context, state, &account.id, money, call.exchange_rate, now)?;
            // What was opened since the call cannot be what it was for.
            let was_there = |found: &&Authorization| found.at < call.at;
            let Some(matched) = matches.in_order().find(was_there) else {
                return conflict("no unused authorization matches");
            };
            let needed = crediting::subjects_of(self.context, &account, matched);
            if !needed.is_subset(&subjects) {
                subjects.extend(needed);
                continue;
            }
            let asked = Asked {
                id: self.request.id,
                received_at: self.request.received_at,
                at: now,
                account: Some(account.id.clone()),
                amount: &Field::Absent,
                currency: None,
                exchange_rate: call.exchange_rate,
                referenced: false,
                idempotency_key: None,
                body: Body::of(&serde_json::json!({
                    "AmbiguousCredit": id, "Operator": self.operation.who, "Reason": self.operation.why,
                })),
            };
            let made = crediting::make(self.context, state, &asked, &account, matched, now)?;
            let credit = match &made.credit {
                Ok(credit) => credit.clone(),
                Err(wrong) => return conflict(format!("{}: {}", wrong.reason, wrong.note)),
            };
            crediting::close(self.context, state, &asked, matched, None, made, now)?;
            call.state = AmbiguousState::Credited;
            call.credit = Some(credit.id);
            state.put_ambiguous(call.clone());
            self.record(state, &account.id, "credit", Some(id), format!("credited as {}", credit.id));
            return Ok(Ok(OperationAnswer::Credited { ambiguous: call, credit }));
        }
    }

    fn put(&self, state: &mut State, account: Account, change: AccountChange) -> Answer {
        let subjects = [SubjectKey::account(&account.id)].into();
        subjects::enter(state, &subjects, self.request.received_at)?;
        state.put_account(account.clone());
        state.add_account_change(change);
        Ok(Ok(OperationAnswer::Changed(account)))
    }

    fn record(&self, state: &mut State, account: &AccountId, action: &str, target: Option<TrackingId>, change: String) {
        state.add_account_change(self.change(account, action, target, change));
    }

    fn change(&self, account: &AccountId, action: &str, target: Option<TrackingId>, change: String) -> AccountChange {
        AccountChange {
            id: self.request.id,
            account: account.clone(),
            at: self.request.received_at,
            who: self.operation.who.clone(),
            action: action.to_owned(),
            why: self.operation.why.clone(),
            target,
            change,
            case_number: None,
            review_date: None,
        }
    }
}
