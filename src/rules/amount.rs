//! `type = "amount"`: the most that one transaction may carry.

use super::Case;
use super::keys::Keys;
use super::limits::{Limit, Limits};
use super::rule::{Count, Rule, RuleType, Ruling, Total};
use crate::domain::Reason;
use crate::domain::decision::Unit;

pub(super) const TYPE: RuleType = RuleType { name: "amount", reason: Reason::ByAmountLimit, counts: false, read };

#[derive(Debug)]
struct Amount {
    max: Limits,
}

fn read(keys: &mut Keys<'_, '_>) -> Option<Box<dyn Rule>> {
    let max = Limits::read(keys);
    Some(Box::new(Amount { max: max? }))
}

impl Rule for Amount {
    fn count(&self, _: &Case<'_>) -> Option<Count> {
        None
    }

    fn judge(&self, case: &Case<'_>, _: Total) -> Ruling {
        match self.max.of(case.currency) {
            Limit::Most(most) => Ruling::at_most(most, None, i128::from(case.amount), Unit::MinorUnits),
            Limit::Unlimited => Ruling::unlimited(case.currency),
            Limit::NotNamed => Ruling::currency_not_named(case.currency),
        }
    }

    fn limits(&self) -> String {
        self.max.to_string()
    }
}
