//! Dating a command, giving back what is due, counting what is approved.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;

use super::command::Field;
use super::outcome::Outcome;
use super::{Context, Lock, Missing, State};
use crate::domain::person::SenderKey;
use crate::domain::{
    Account, AccountId, Authorization, AuthorizationState, Counted, Currency, Event, EventRef, PersonId, ReleaseKind,
    SeriesKey, SubjectKey, SubjectKind, Timestamp, TrackingId, WindowStart,
};
use crate::rules::{Case, Counters, Judgement};

/// Dates a command on the subjects it names: always after the last event of any of them. What has become due there by
/// then is given back first.
pub fn enter(state: &mut State, subjects: &BTreeSet<SubjectKey>, received_at: Timestamp) -> Result<Timestamp, Missing> {
    let now = state.event_time(subjects, received_at)?;
    let mut complete = true;
    for subject in subjects {
        complete &= expire(state, subject, now).is_ok();
    }
    if !complete {
        return Err(Missing);
    }
    state.touch(subjects, now);
    Ok(now)
}

/// Gives back what is due on an idle subject. The subject is not dated by it: no decision depends on a sweep.
pub fn sweep(state: &mut State, subject: &SubjectKey, upto: Timestamp) -> Result<Outcome, Missing> {
    let locked = state.lock([Lock::from(subject)]);
    let released = expire(state, subject, upto)?;
    locked?;
    Ok(Outcome::Swept { released })
}

fn expire(state: &mut State, subject: &SubjectKey, now: Timestamp) -> Result<usize, Missing> {
    let due = state.due(subject, now)?;
    let released = due.len();
    for event in due {
        // A subject applies its own releases only; the authorization's state belongs to its account.
        if subject.kind == SubjectKind::Account
            && let Some(mut authorization) = state.authorization(event.authorization)?
        {
            authorization.state = AuthorizationState::Expired;
            state.put_authorization(authorization)?;
        }
        state.release(event, ReleaseKind::Expiry)?;
    }
    state.find_next_due(subject, now)?;
    Ok(released)
}

/// Whom a transaction counts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    account: SubjectKey,
    sender: Option<SubjectKey>,
    receiver: PersonId,
}

impl Parties {
    pub fn of(account: &Account, sender: Option<&SenderKey>) -> Self {
        Self {
            account: SubjectKey::account(&account.id),
            sender: sender.map(|key| SubjectKey::new(SubjectKind::Sender, key.as_str())),
            receiver: account.person,
        }
    }

    /// The subjects that a command names under this rule set: the account, and whatever else a rule counts by.
    pub fn named(&self, context: &Context) -> BTreeSet<SubjectKey> {
        let counted =
            [SubjectKind::Sender, SubjectKind::Receiver].into_iter().filter(|kind| context.rules.counts_by(*kind));
        std::iter::once(SubjectKind::Account).chain(counted).filter_map(|kind| self.get(kind)).collect()
    }

    fn get(&self, kind: SubjectKind) -> Option<SubjectKey> {
        match kind {
            SubjectKind::Account => Some(self.account.clone()),
            SubjectKind::Sender => self.sender.clone(),
            SubjectKind::Receiver => Some(SubjectKey::new(SubjectKind::Receiver, self.receiver.to_string())),
        }
    }
}

/// The sender alone, where no account was found and a rule counts by sender: a refused command dates it, too.
pub fn sender_alone(context: &Context, sender: Option<&SenderKey>) -> BTreeSet<SubjectKey> {
    let counted = sender.filter(|_| context.rules.counts_by(SubjectKind::Sender));
    counted.map(|key| SubjectKey::new(SubjectKind::Sender, key.as_str())).into_iter().collect()
}

/// The account that a call names, where there is one: a refused command dates it, too.
pub fn named_account(state: &mut State, field: &Field<CompactString>) -> Result<BTreeSet<SubjectKey>, Missing> {
    let account = match field.given() {
        Some(id) => state.account(&AccountId::new(id))?,
        None => None,
    };
    Ok(account.iter().map(|account| SubjectKey::account(&account.id)).collect())
}

/// The account and every subject that these events were counted in: all whose time a command on them must agree with.
pub fn counted_in(account: &Account, places: &[EventRef]) -> BTreeSet<SubjectKey> {
    std::iter::once(SubjectKey::account(&account.id))
        .chain(places.iter().map(|place| place.series.subject.clone()))
        .collect()
}

/// Runs the rules.
pub fn judge(context: &Context, state: &mut State, parties: &Parties, case: &Case<'_>) -> Result<Judgement, Missing> {
    let mut counters = LoadedCounters { state, parties, starts: BTreeMap::new() };
    let judgement = context.rules.judge(case, context.policy.missing_sender, &mut counters)?;
    let LoadedCounters { state, starts, .. } = counters;
    for (series, starts) in starts {
        state.keep_starts(&series, starts.into_values().collect());
    }
    Ok(judgement)
}

/// Answers the rules from the state.
struct LoadedCounters<'a> {
    state: &'a mut State,
    parties: &'a Parties,
    /// Where the windows began that were counted.
    starts: BTreeMap<SeriesKey, BTreeMap<Timestamp, WindowStart>>,
}

impl Counters<Missing> for LoadedCounters<'_> {
    fn counted_since(&mut self, per: SubjectKind, currency: Currency, from: Timestamp) -> Result<Counted, Missing> {
        let Some(subject) = self.parties.get(per) else {
            return Ok(Counted::default());
        };
        let series = SeriesKey { subject, currency };
        let total = self.state.series(&series)?.total();
        let before = self.state.prefix(&series, from)?;
        if before.counted.events.count > 0 {
            self.starts.entry(series).or_default().insert(from, WindowStart::new(from, before));
        }
        Ok(total.since(before.counted))
    }

    fn currencies(&mut self, per: SubjectKind) -> Result<Vec<Currency>, Missing> {
        self.parties.get(per).map_or(Ok(Vec::new()), |subject| self.state.currencies_of(&subject))
    }
}

/// What is about to be counted.
#[derive(Debug, Clone, Copy)]
pub struct Transaction {
    pub authorization: TrackingId,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    pub at: Timestamp,
    /// When an unused authorization is given back; `None` for what is already used: its credit came after it had expired.
    pub due_at: Option<Timestamp>,
}

/// Counts a transaction on `subjects`; `None`, and nothing counted, where a running sum would no longer fit.
pub fn count(
    state: &mut State,
    subjects: &BTreeSet<SubjectKey>,
    transaction: Transaction,
) -> Result<Option<Vec<EventRef>>, Missing> {
    let mut counted = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let series = SeriesKey { subject: subject.clone(), currency: transaction.currency };
        let mut head = state.series(&series)?;
        let Some(running) = head.amount.checked_add(transaction.amount) else {
            return Ok(None);
        };
        head.counted(transaction.at);
        head.amount = running;
        if let Some(due_at) = transaction.due_at {
            head.opened(transaction.at, due_at);
        }
        counted.push((series, head));
    }
    let places = counted.into_iter().map(|(series, head)| {
        let event = Event {
            series,
            number: head.events,
            at: transaction.at,
            amount: transaction.amount,
            running: head.amount,
            authorization: transaction.authorization,
            due_at: transaction.due_at,
            released: None,
            late: transaction.due_at.is_none(),
        };
        state.count(head, event)
    });
    Ok(Some(places.collect()))
}

/// Ends the wait of an authorization that is used: its events stay counted and are due no more. The account's is left
/// as it is, because the authorization's own state says so.
pub fn keep_counted(state: &mut State, authorization: &Authorization) -> Result<(), Missing> {
    let of_others = authorization.counted.iter().filter(|place| place.series.subject.kind != SubjectKind::Account);
    let of_others: Vec<EventRef> = of_others.cloned().collect();
    for event in state.events(&of_others)? {
        if event.due_at.is_some() {
            state.close(event)?;
        }
    }
    Ok(())
}

/// Gives back everything counted at `places`.
pub fn give_back(state: &mut State, places: &[EventRef], kind: ReleaseKind) -> Result<(), Missing> {
    for event in state.events(places)? {
        state.release(event, kind)?;
    }
    Ok(())
}
