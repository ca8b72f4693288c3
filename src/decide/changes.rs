//! What a batch writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::wanted::{IdempotencyKey, IdempotencyRecord};
use crate::domain::record::{AccountRecord, FILED_AT_ONCE, FiledRecord};
use crate::domain::subject::ReleaseNode;
use crate::domain::{
    Account, AccountChange, AccountId, AmbiguousCredit, Authorization, Credit, Decision, DecisionKind, Enrolment,
    Entry, Event, EventRef, Person, PersonId, Posting, ReleaseKind, Reversal, SeriesKey, Subject, SubjectKey,
    SubjectKind, Tally, TrackingId,
};

/// Everything that a batch writes. Maps hold whole rows as they now are; lists are only added to.
#[derive(Debug, Default)]
pub struct Changes {
    pub persons: BTreeMap<PersonId, Person>,
    /// In the end all whose subject is among `subjects`, and only those: one row holds both.
    pub accounts: BTreeMap<AccountId, Account>,
    /// Those of `accounts` that were not there before.
    pub opened: BTreeSet<AccountId>,
    pub subjects: BTreeMap<SubjectKey, Subject>,
    pub events: BTreeMap<EventRef, Event>,
    /// Those of `events` that were not there before.
    pub counted: BTreeSet<EventRef>,
    /// To be added to the stored nodes.
    pub release_nodes: BTreeMap<NodeKey, Tally>,
    pub authorizations: BTreeMap<TrackingId, Authorization>,
    pub credits: BTreeMap<TrackingId, Credit>,
    /// Those of `authorizations` and `credits` that were not there before.
    pub issued: BTreeSet<TrackingId>,
    pub ambiguous: BTreeMap<TrackingId, AmbiguousCredit>,
    pub enrolments: BTreeMap<String, Enrolment>,
    pub idempotency: BTreeMap<IdempotencyKey, IdempotencyRecord>,
    pub reversals: Vec<Reversal>,
    pub entries: Vec<Entry>,
    pub postings: Vec<Posting>,
    pub decisions: Vec<Decision>,
    /// Records that have left their account's row.
    pub filed: Vec<FiledRecord>,
    pub account_changes: Vec<AccountChange>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.persons.is_empty()
            && self.accounts.is_empty()
            && self.subjects.is_empty()
            && self.events.is_empty()
            && self.authorizations.is_empty()
            && self.credits.is_empty()
            && self.ambiguous.is_empty()
            && self.enrolments.is_empty()
            && self.idempotency.is_empty()
            && self.decisions.is_empty()
            && self.account_changes.is_empty()
    }

    /// Adds the accounts of those subjects that have changed alone: they are one row.
    pub(super) fn complete_accounts(&mut self, mut loaded: HashMap<AccountId, Account>) {
        for subject in self.subjects.keys().filter(|subject| subject.kind == SubjectKind::Account) {
            if let Some((id, account)) = loaded.remove_entry(subject.key.as_str()) {
                self.accounts.entry(id).or_insert(account);
            }
        }
    }

    /// Whether the account's row is among the changes wherever something of an account is: by its version, whoever has read the
    /// account knows whether anything of it has changed since.
    pub(super) fn have_their_accounts(&self) -> bool {
        let authorizations = self.authorizations.values().filter_map(|authorization| authorization.account.as_ref());
        let credits = self.credits.values().map(|credit| &credit.account);
        let reversals = self.reversals.iter().map(|reversal| &reversal.account);
        let ambiguous = self.ambiguous.values().map(|call| &call.account);
        let entries = self.entries.iter().map(|entry| &entry.account);
        let operations = self.account_changes.iter().map(|change| &change.account);
        let named = authorizations.chain(credits).chain(reversals).chain(ambiguous).chain(entries).chain(operations);
        let counted = self.events.keys().map(|place| &place.series.subject);
        let counted =
            counted.filter(|subject| subject.kind == SubjectKind::Account).map(|subject| subject.key.as_str());
        named.map(AccountId::as_str).chain(counted).all(|account| self.accounts.contains_key(account))
    }

    /// Records the new decisions and entries under their accounts, as far as no event does: in the account's own row, which a
    /// call on it writes anyway, until enough have gathered.
    pub(super) fn file_records(&mut self) {
        for FiledRecord { account, record } in self.records().into_values() {
            let subject = SubjectKey::account(&account);
            let file = |record| FiledRecord { account: account.clone(), record };
            match self.subjects.get_mut(&subject) {
                Some(subject) => {
                    subject.unfiled.insert(0, record);
                    if subject.unfiled.len() >= FILED_AT_ONCE {
                        self.filed.extend(subject.unfiled.drain(..).map(file));
                    }
                }
                None => self.filed.push(file(record)),
            }
        }
    }

    /// What there is to record, in the order of identifiers, which is that of time.
    fn records(&self) -> BTreeMap<TrackingId, FiledRecord> {
        let has_an_event = |decision: &Decision| decision.kind == DecisionKind::Authorization && decision.approved;
        let decided = self.decisions.iter().filter(|decision| !has_an_event(decision)).filter_map(|decision| {
            let (at, id, kind) = (decision.at, decision.id, decision.kind);
            let record = AccountRecord { at, id, decision: Some(kind), posted: false };
            decision.account.clone().map(|account| (id, FiledRecord { account, record }))
        });
        let mut records: BTreeMap<_, _> = decided.collect();
        for entry in &self.entries {
            let (at, id) = (entry.at, entry.id);
            let new = || FiledRecord {
                account: entry.account.clone(),
                record: AccountRecord { at, id, decision: None, posted: false },
            };
            records.entry(id).or_insert_with(new).record.posted = true;
        }
        records
    }

    /// Accounts that were there before, as they now are.
    pub fn changed_accounts(&self) -> impl Iterator<Item = (&Account, &Subject)> {
        let changed = self.accounts.values().filter(|account| !self.opened.contains(&account.id));
        changed.filter_map(|account| self.with_subject(account))
    }

    pub fn opened_accounts(&self) -> impl Iterator<Item = (&Account, &Subject)> {
        self.opened.iter().filter_map(|id| self.with_subject(self.accounts.get(id)?))
    }

    fn with_subject<'c>(&'c self, account: &'c Account) -> Option<(&'c Account, &'c Subject)> {
        Some((account, self.subjects.get(&SubjectKey::account(&account.id))?))
    }

    pub fn senders_and_receivers(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.values().filter(|subject| subject.key.kind != SubjectKind::Account)
    }

    /// Events that were there before, as they now are.
    pub fn changed_events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|(place, _)| !self.counted.contains(place)).map(|(_, event)| event)
    }

    pub fn counted_events(&self) -> impl Iterator<Item = &Event> {
        self.counted.iter().filter_map(|place| self.events.get(place))
    }

    /// Authorizations that were there before, as they now are.
    pub fn changed_authorizations(&self) -> impl Iterator<Item = &Authorization> {
        self.authorizations.values().filter(|authorization| !self.issued.contains(&authorization.id))
    }

    pub fn issued_authorizations(&self) -> impl Iterator<Item = &Authorization> {
        self.issued.iter().filter_map(|id| self.authorizations.get(id))
    }

    /// Credits that were there before, as they now are.
    pub fn changed_credits(&self) -> impl Iterator<Item = &Credit> {
        self.credits.values().filter(|credit| !self.issued.contains(&credit.id))
    }

    pub fn issued_credits(&self) -> impl Iterator<Item = &Credit> {
        self.issued.iter().filter_map(|id| self.credits.get(id))
    }

    /// The release tree's changes as rows.
    pub fn release_node_rows(&self) -> impl Iterator<Item = ReleaseNode> + '_ {
        self.release_nodes.iter().map(|(node, tally)| ReleaseNode {
            series: node.series.clone(),
            released: node.released,
            level: node.level,
            block: node.block,
            tally: *tally,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeKey {
    pub series: SeriesKey,
    pub level: i64,
    pub block: i64,
    pub released: ReleaseKind,
}
