//! A first guess of what a batch will need. It saves rounds of loading and decides nothing.

use super::command::{Action, AuthorizeCall, Command, Field, Request};
use super::{Context, IdempotencyKey, Lock, PrefixKey, Wanted};
use crate::domain::person::{SenderKey, directory_keys};
use crate::domain::{AccountId, Document, PersonalData, SeriesKey, SubjectKey, SubjectKind, Timestamp, TrackingId};

impl Wanted {
    /// What `requests` name outright.
    pub fn for_requests(context: &Context, requests: &[Request], horizon: Timestamp) -> Self {
        let mut wanted = Self::default();
        for request in requests {
            wanted.name(context, request, horizon);
        }
        wanted
    }

    fn name(&mut self, context: &Context, request: &Request, horizon: Timestamp) {
        if let Some(claim) = &request.idempotency {
            self.idempotency.insert(IdempotencyKey { path: claim.path.clone(), key: claim.key.clone() });
        }
        match &request.command {
            Command::Authorize(call) => {
                self.name_account(&call.account, horizon);
                if context.rules.counts_by(SubjectKind::Sender)
                    && let Some(key) = call.sender.given()
                {
                    self.subjects.insert(SubjectKey::new(SubjectKind::Sender, key.as_str()), horizon);
                }
                self.name_windows(context, call, request.received_at);
            }
            Command::Credit(call) => {
                self.name_account(&call.account, horizon);
                self.authorizations.extend(parse(&call.authorization));
            }
            Command::Reverse(call) => {
                self.name_account(&call.account, horizon);
                self.credits.extend(parse(&call.credit));
            }
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
            Command::Sweep(subject) => {
                self.subjects.insert(subject.clone(), horizon);
            }
            Command::Operate(operation) => match &operation.action {
                Action::OpenAccount(new) => self.name_person(Some(&new.person), &new.documents),
                Action::Block { account, .. }
                | Action::Unblock { account }
                | Action::Close { account }
                | Action::ChangeTier { account, .. }
                | Action::Debit { account, .. } => {
                    self.name_account(&Field::Given(account.as_str().to_owned()), horizon);
                }
                Action::VoidAuthorization { authorization } => {
                    self.authorizations.insert(*authorization);
                }
                Action::Settle { credit, .. } => {
                    self.credits.insert(*credit);
                }
                Action::CreditAmbiguous { ambiguous } => {
                    self.ambiguous.insert(*ambiguous);
                }
            },
            Command::OfferEnrolment(_) | Command::Remember(_) => {}
        }
    }

    fn name_account(&mut self, field: &Field<String>, horizon: Timestamp) {
        if let Some(id) = field.given() {
            self.accounts.insert(AccountId::new(id));
            self.subjects.insert(SubjectKey::new(SubjectKind::Account, id), horizon);
        }
    }

    /// What each window's start had counted, where the command turns out to be dated when it was received.
    fn name_windows(&mut self, context: &Context, call: &AuthorizeCall, received_at: Timestamp) {
        let Some(currency) = call.currency.given() else { return };
        for (per, upto) in context.rules.window_starts(received_at) {
            let key = match per {
                SubjectKind::Account => call.account.given().map(String::as_str),
                SubjectKind::Sender => call.sender.given().map(SenderKey::as_str),
                SubjectKind::Receiver => None,
            };
            if let Some(key) = key {
                let series = SeriesKey { subject: SubjectKey::new(per, key), currency: *currency };
                self.prefixes.insert(PrefixKey { series, upto });
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

fn parse(field: &Field<String>) -> Option<TrackingId> {
    field.given().and_then(|text| TrackingId::parse(text))
}
