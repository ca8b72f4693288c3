//! Generated sequences of commands: remittances with every kind of retry, reordering, reversal and interference.

use proptest::prelude::*;
use vna_partner::decide::Request;
use vna_partner::decide::command::Action;
use vna_partner::domain::{AccountId, Status, Timestamp, TrackingId};

use crate::bench::{authorize, credit, credit_unreferenced, operate, request, reverse, second, seed, with_key};

pub const ACCOUNTS: [&str; 2] = ["A", "B"];
const SENDERS: [&str; 2] = ["+12025550143", "+12025550199"];

/// One step. Indices point at earlier authorizations and credits, whatever has become of them.
#[derive(Debug, Clone)]
pub enum Step {
    Authorize { account: usize, amount: i64, sender: usize },
    Credit { authorization: usize },
    CreditTo { account: usize, authorization: usize },
    CreditUnreferenced { account: usize, amount: i64, key: Option<u8> },
    Reverse { credit: usize },
    Void { authorization: usize },
    Settle { credit: usize, approved: bool },
    CreditAmbiguous { call: usize },
    Debit { account: usize, amount: i64 },
    Block { account: usize },
    Unblock { account: usize },
}

/// A step and how many seconds after the one before it is received; below zero, it overtook.
pub type TimedStep = (i64, Step);

/// Few amounts, so that unreferenced credits find matches and retries.
fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![Just(5_000), Just(10_000), 1..20_000_i64]
}

pub fn step() -> impl Strategy<Value = Step> {
    let account = 0..ACCOUNTS.len();
    let earlier = 0..64_usize;
    prop_oneof![
        8 => (account.clone(), amount(), 0..SENDERS.len())
            .prop_map(|(account, amount, sender)| Step::Authorize { account, amount, sender }),
        6 => earlier.clone().prop_map(|authorization| Step::Credit { authorization }),
        1 => (account.clone(), earlier.clone())
            .prop_map(|(account, authorization)| Step::CreditTo { account, authorization }),
        4 => (account.clone(), amount(), proptest::option::of(0..3_u8))
            .prop_map(|(account, amount, key)| Step::CreditUnreferenced { account, amount, key }),
        3 => earlier.clone().prop_map(|credit| Step::Reverse { credit }),
        1 => earlier.clone().prop_map(|authorization| Step::Void { authorization }),
        2 => (earlier.clone(), any::<bool>()).prop_map(|(credit, approved)| Step::Settle { credit, approved }),
        1 => earlier.prop_map(|call| Step::CreditAmbiguous { call }),
        1 => (account.clone(), amount()).prop_map(|(account, amount)| Step::Debit { account, amount }),
        1 => account.clone().prop_map(|account| Step::Block { account }),
        2 => account.prop_map(|account| Step::Unblock { account }),
    ]
}

/// The requests of a story, after those that open its accounts.
pub fn requests(steps: &[TimedStep]) -> Vec<Request> {
    let mut story = Story { now: second(1), authorizations: Vec::new(), credits: Vec::new(), requests: Vec::new() };
    for (account, phone) in ACCOUNTS.iter().zip(["+525555123456", "+525555123457"]) {
        story.requests.push(request(second(0), seed(account, phone)));
    }
    for (after, step) in steps {
        story.now = Timestamp(story.now.0 + after * 1_000_000);
        story.tell(step);
    }
    story.requests
}

struct Story {
    now: Timestamp,
    authorizations: Vec<(TrackingId, usize)>,
    credits: Vec<(TrackingId, usize)>,
    requests: Vec<Request>,
}

impl Story {
    fn tell(&mut self, step: &Step) {
        let pick = |list: &[(TrackingId, usize)], index: usize| list.get(index % list.len().max(1)).copied();
        let told = match step {
            Step::Authorize { account, amount, sender } => {
                let told = request(self.now, authorize(ACCOUNTS[*account], *amount, SENDERS[*sender]));
                self.authorizations.push((told.id, *account));
                Some(told)
            }
            Step::Credit { authorization } => pick(&self.authorizations, *authorization).map(|(id, account)| {
                let told = request(self.now, credit(ACCOUNTS[account], id));
                self.credits.push((told.id, account));
                told
            }),
            Step::CreditTo { account, authorization } => pick(&self.authorizations, *authorization)
                .map(|(id, _)| request(self.now, credit(ACCOUNTS[*account], id))),
            Step::CreditUnreferenced { account, amount, key } => {
                let told = request(self.now, credit_unreferenced(ACCOUNTS[*account], *amount));
                self.credits.push((told.id, *account));
                Some(match key {
                    Some(key) => with_key(told, &format!("key {key}"), &format!("{account} {amount}")),
                    None => told,
                })
            }
            Step::Reverse { credit } => {
                pick(&self.credits, *credit).map(|(id, account)| request(self.now, reverse(ACCOUNTS[account], id)))
            }
            Step::Void { authorization } => pick(&self.authorizations, *authorization)
                .map(|(id, _)| request(self.now, operate(Action::VoidAuthorization { authorization: id }))),
            Step::Settle { credit, approved } => pick(&self.credits, *credit)
                .map(|(id, _)| request(self.now, operate(Action::Settle { credit: id, approved: *approved }))),
            Step::CreditAmbiguous { call } => pick(&self.credits, *call)
                .map(|(id, _)| request(self.now, operate(Action::CreditAmbiguous { ambiguous: id }))),
            Step::Debit { account, amount } => {
                let amount = vna_partner::domain::JsonNumber::parse(&format!("{}", amount / 100)).unwrap();
                let account = AccountId::new(ACCOUNTS[*account]);
                Some(request(self.now, operate(Action::Debit { account, amount })))
            }
            Step::Block { account } => {
                let account = AccountId::new(ACCOUNTS[*account]);
                let block = Action::Block { account, status: Status::Blocked, case_number: None, review_date: None };
                Some(request(self.now, operate(block)))
            }
            Step::Unblock { account } => {
                Some(request(self.now, operate(Action::Unblock { account: AccountId::new(ACCOUNTS[*account]) })))
            }
        };
        self.requests.extend(told);
    }
}
