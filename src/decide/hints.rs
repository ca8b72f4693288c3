//! A first guess of what a batch will need. It saves rounds of loading and decides nothing.

use compact_str::CompactString;

use super::command::{Action, AuthorizeCall, Command, Field, Operation, Request};
use super::{Context, IdempotencyKey, Lock, PrefixKey, Recollection, Wanted};
use crate::domain::person::{SenderKey, directory_keys};
use crate::domain::{AccountId, Document, PersonalData, SeriesKey, SubjectKey, SubjectKind, Timestamp, TrackingId};

/// What a command says by itself that it is about.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Name {
    Subject(SubjectKey),
    /// The phone or email by which the receiver's account is looked for, as sent.
    Contact(CompactString),
    /// Persons are found and added: whoever does so needs so many parts of the directory that all meet.
    Directory,
}

impl Request {
    /// What the command names, as far as that shows before anything is loaded.
    pub fn names(&self, context: &Context) -> Vec<Name> {
        let mut names: Vec<Name> = self.subjects(context).into_iter().map(Name::Subject).collect();
        match &self.command {
            Command::Authorize(call) if call.account.is_absent() => {
                let receiver = call.receiver.given();
                let contact = receiver.and_then(|data| data.phone_number.as_ref().or(data.email.as_ref()));
                names.extend(contact.cloned().map(Name::Contact));
            }
            Command::CreateAccount(_) | Command::Enrol { .. } | Command::Seed(_) => names.push(Name::Directory),
            Command::Operate(Operation { action: Action::OpenAccount(_), .. }) => names.push(Name::Directory),
            _ => {}
        }
        names
    }

    /// Whether the account that it names, with the authorization that it names, is likely to be all that it needs.
    fn needs_an_account_alone(&self) -> bool {
        match &self.command {
            Command::Authorize(call) => call.account.given().is_some(),
            Command::Credit(call) => call.account.given().is_some() && call.authorization.given().is_some(),
            _ => false,
        }
    }

    /// The subjects that the command names outright.
    fn subjects(&self, context: &Context) -> Vec<SubjectKey> {
        let account = |id: &str| SubjectKey::new(SubjectKind::Account, id);
        let given = |field: &Field<CompactString>| field.given().map(|id| account(id));
        match &self.command {
            Command::Authorize(call) => {
                let sender = call.sender.given().filter(|_| context.rules.counts_by(SubjectKind::Sender));
                let sender = sender.map(|key| SubjectKey::new(SubjectKind::Sender, key.as_str()));
                given(&call.account).into_iter().chain(sender).collect()
            }
            Command::Credit(call) => given(&call.account).into_iter().collect(),
            Command::Reverse(call) => given(&call.account).into_iter().collect(),
            Command::Sweep(subject) => vec![subject.clone()],
            Command::Operate(operation) => match &operation.action {
                Action::Block { account: id, .. }
                | Action::Unblock { account: id }
                | Action::Close { account: id }
                | Action::ChangeTier { account: id, .. }
                | Action::Debit { account: id, .. } => vec![account(id.as_str())],
                Action::OpenAccount(_)
                | Action::VoidAuthorization { .. }
                | Action::Settle { .. }
                | Action::CreditAmbiguous { .. } => Vec::new(),
            },
            Command::CreateAccount(_)
            | Command::OfferEnrolment(_)
            | Command::Enrol { .. }
            | Command::Seed(_)
            | Command::Remember(_) => Vec::new(),
        }
    }
}

impl Wanted {
    /// What `requests` name outright, but for what the heads of their series are likely to tell.
    pub fn for_requests(context: &Context, requests: &[Request], recollection: &Recollection) -> Self {
        let mut wanted = Self::default();
        for request in requests {
            wanted.name(context, request, recollection);
        }
        wanted
    }

    /// Whether this, which was made for `requests`, names accounts and authorizations of theirs, and they are likely to need
    /// nothing but what is of these accounts.
    pub(super) fn is_of_accounts_alone(&self, context: &Context, requests: &[Request]) -> bool {
        let counts_others =
            [SubjectKind::Sender, SubjectKind::Receiver].iter().any(|kind| context.rules.counts_by(*kind));
        !counts_others && requests.iter().all(Request::needs_an_account_alone) && self.idempotency.is_empty()
    }

    fn name(&mut self, context: &Context, request: &Request, recollection: &Recollection) {
        if let Some(claim) = &request.idempotency {
            self.idempotency.insert(IdempotencyKey { path: claim.path.clone(), key: claim.key.clone() });
        }
        self.subjects.extend(request.subjects(context));
        match &request.command {
            Command::Authorize(call) => {
                self.name_windows(context, call, request.received_at, recollection);
            }
            Command::Credit(call) => self.authorizations.extend(parse(&call.authorization)),
            Command::Reverse(call) => self.credits.extend(parse(&call.credit)),
            Command::CreateAccount(call) => {
                self.accounts.insert(AccountId::from_random(request.random));
                self.name_person(call.person.given(), call.documents.given().map(Vec::as_slice).unwrap_or_default());
            }
            Command::Enrol { token_hash, .. } => {
                self.enrolments.insert(token_hash.clone());
            }
            Command::Seed(row) => {
                self.accounts.insert(row.id.clone());
                self.name_person(Some(&row.account.person), &row.account.documents);
            }
            Command::Operate(operation) => match &operation.action {
                Action::OpenAccount(new) => self.name_person(Some(&new.person), &new.documents),
                Action::VoidAuthorization { authorization } => {
                    self.authorizations.insert(*authorization);
                }
                Action::Settle { credit, .. } => {
                    self.credits.insert(*credit);
                }
                Action::CreditAmbiguous { ambiguous } => {
                    self.ambiguous.insert(*ambiguous);
                }
                Action::Block { .. }
                | Action::Unblock { .. }
                | Action::Close { .. }
                | Action::ChangeTier { .. }
                | Action::Debit { .. } => {}
            },
            Command::OfferEnrolment(_) | Command::Sweep(_) | Command::Remember(_) => {}
        }
    }

    /// What each window's start had counted, where the command turns out to be dated when it was received.
    fn name_windows(
        &mut self,
        context: &Context,
        call: &AuthorizeCall,
        received_at: Timestamp,
        recollection: &Recollection,
    ) {
        let Some(currency) = call.currency.given() else { return };
        for (per, upto) in context.rules.window_starts(received_at) {
            let key = match per {
                SubjectKind::Account => call.account.given().map(CompactString::as_str),
                SubjectKind::Sender => call.sender.given().map(SenderKey::as_str),
                SubjectKind::Receiver => None,
            };
            if let Some(key) = key {
                let series = SeriesKey { subject: SubjectKey::new(per, key), currency: *currency };
                let prefix = PrefixKey { series, upto };
                if !recollection.tells(&prefix) {
                    self.prefixes.insert(prefix);
                }
            }
        }
    }

    fn name_person(&mut self, person: Option<&PersonalData>, documents: &[Document]) {
        if let Some(person) = person {
            let keys = directory_keys(person, documents);
            self.locks.extend(keys.iter().map(Lock::directory));
            self.directory.extend(keys);
        }
    }
}

fn parse(field: &Field<CompactString>) -> Option<TrackingId> {
    field.given().and_then(|text| TrackingId::parse(text))
}
