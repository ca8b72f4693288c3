//! Judgement: which remittances the partner's limits allow.
//!
//! A rule set is an ordered list. Every rule is evaluated, so that a decision can be explained whole; the first one in
//! `enforce` mode that refuses gives the reason. A rule knows no clock and no store: it asks [`Counters`] for what its
//! subject counted in its window, and says [`Verdict`](crate::domain::Verdict). A new type of rule is one file, its
//! `mod` line and one line in `TYPES` (docs/adding-a-rule.md).

use crate::domain::{Counted, Currency, SubjectKind, Timestamp};

pub use ruleset::{Counting, Judgement, ListedRule, Mode, OnRelease, RuleSet, RulesError};
pub use window::{Period, Window};

mod accumulated;
mod amount;
mod file;
mod keys;
mod limits;
mod rule;
mod ruleset;
mod velocity;
mod window;

/// Every type of rule that a file can name.
const TYPES: &[rule::RuleType] = &[amount::TYPE, velocity::TYPE, accumulated::TYPE];

/// The transaction that is judged.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Event time.
    pub now: Timestamp,
    /// Minor units.
    pub amount: i64,
    pub currency: Currency,
    /// The account's tier.
    pub tier: &'a str,
    /// Whether the call named a sender that rules can count by.
    pub has_sender: bool,
}

/// What a rule may ask of the books.
///
/// `E` is the caller's "not loaded yet". A list of rules passes the first one on, but only after every rule has asked,
/// so that everything it needs can be loaded at once; then it judges again.
pub trait Counters<E> {
    /// Everything counted in one currency in `(from, now]`.
    fn counted_since(&mut self, per: SubjectKind, currency: Currency, from: Timestamp) -> Result<Counted, E>;

    /// The currencies that the subject has ever been counted in.
    fn currencies(&mut self, per: SubjectKind) -> Result<Vec<Currency>, E>;
}

#[cfg(test)]
mod newcomer;
#[cfg(test)]
mod tests;
