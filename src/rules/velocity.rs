//! `type = "velocity"`: the most transactions in a window, whatever their currency.

use super::Case;
use super::keys::Keys;
use super::rule::{Count, Rule, RuleType, Ruling, Total};
use crate::domain::Reason;
use crate::domain::decision::Unit;

pub(super) const TYPE: RuleType = RuleType { name: "velocity", reason: Reason::ByVelocity, counts: true, read };

#[derive(Debug)]
struct Velocity {
    /// Transactions; the one after it is refused.
    max: i64,
}

fn read(keys: &mut Keys<'_, '_>) -> Option<Box<dyn Rule>> {
    let max = keys.required_count("max");
    Some(Box::new(Velocity { max: max? }))
}

impl Rule for Velocity {
    fn count(&self, _: &Case<'_>) -> Option<Count> {
        Some(Count::EveryCurrency)
    }

    fn judge(&self, _: &Case<'_>, counted: Total) -> Ruling {
        Ruling::at_most(self.max, Some(counted.count), 1, Unit::Transactions)
    }

    fn limits(&self) -> String {
        format!("{} transactions", self.max)
    }
}
