//! A naive twin of the limits: every transaction in one list, recounted from the start for every question.

use std::collections::HashMap;

use vna_partner::domain::{Span, Timestamp, TrackingId};

/// The limits that [`RULES`] writes down.
pub const RULES: &str = r#"
    [[rules]]
    id = "few"
    type = "velocity"
    max = 3
    window = { rolling = "100s" }

    [[rules]]
    id = "kept"
    type = "velocity"
    max = 6
    window = { rolling = "200s" }
    on_expiry = "keep"
    on_reversal = "keep"

    [[rules]]
    id = "sum"
    type = "accumulated"
    max = { MXN = "400.00" }
    window = { rolling = "150s" }
    per = "sender"
    on_reversal = "keep"
"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenBack {
    Expiry,
    Reversal,
    Always,
}

#[derive(Debug, Clone)]
struct Counted {
    account: usize,
    sender: usize,
    at: Timestamp,
    amount: i64,
    due_at: Option<Timestamp>,
    given_back: Option<GivenBack>,
}

#[derive(Debug, Default)]
pub struct NaiveLimits {
    counted: Vec<Counted>,
    /// Where an authorization, or a late credit, is counted now.
    places: HashMap<TrackingId, usize>,
}

impl NaiveLimits {
    pub fn count(
        &mut self,
        id: TrackingId,
        account: usize,
        sender: usize,
        at: Timestamp,
        amount: i64,
        ttl: Option<Span>,
    ) {
        let due_at = ttl.map(|ttl| at.plus(ttl));
        self.places.insert(id, self.counted.len());
        self.counted.push(Counted { account, sender, at, amount, due_at, given_back: None });
    }

    pub fn is_expired(&self, id: TrackingId, now: Timestamp) -> bool {
        self.counted[self.places[&id]].due_at.is_some_and(|due_at| due_at <= now)
    }

    pub fn use_up(&mut self, id: TrackingId) {
        self.counted[self.places[&id]].due_at = None;
    }

    pub fn give_back(&mut self, id: TrackingId, kind: GivenBack) {
        let place = self.places[&id];
        self.counted[place].given_back = Some(kind);
        self.counted[place].due_at = None;
    }

    pub fn allows(&self, account: usize, sender: usize, now: Timestamp, amount: i64) -> bool {
        let sum = |window: i64, mine: &dyn Fn(&Counted) -> bool, restored: &[GivenBack]| {
            let inside = self.counted.iter().filter(|one| mine(one) && one.at > now.minus(Span::seconds(window)));
            let stands = inside.filter(|one| match one.given_back {
                Some(kind) => kind != GivenBack::Always && !restored.contains(&kind),
                None => one.due_at.is_none_or(|due_at| due_at > now) || !restored.contains(&GivenBack::Expiry),
            });
            stands.fold((0, 0), |(count, sum), one| (count + 1, sum + one.amount))
        };
        let of_account = |one: &Counted| one.account == account;
        let of_sender = |one: &Counted| one.sender == sender;
        sum(100, &of_account, &[GivenBack::Expiry, GivenBack::Reversal]).0 < 3
            && sum(200, &of_account, &[]).0 < 6
            && sum(150, &of_sender, &[GivenBack::Expiry]).1 + amount <= 40_000
    }
}
