//! `type = "accumulated"`: the most that a window may add up to, by currency.

use super::Case;
use super::keys::Keys;
use super::limits::{Limit, Limits};
use super::rule::{Count, Rule, RuleType, Ruling, Total};
use crate::domain::Reason;
use crate::domain::decision::Unit;

pub(super) const TYPE: RuleType =
    RuleType { name: "accumulated", reason: Reason::ByAccumulateAmountLimit, counts: true, read };

#[derive(Debug)]
struct Accumulated {
    max: Limits,
}

fn read(keys: &mut Keys<'_, '_>) -> Option<Box<dyn Rule>> {
    let max = Limits::read(keys);
    Some(Box::new(Accumulated { max: max? }))
}

impl Rule for Accumulated {
    fn count(&self, case: &Case<'_>) -> Option<Count> {
        match self.max.of(case.currency) {
            Limit::Most(_) => Some(Count::OneCurrency(case.currency)),
            Limit::Unlimited | Limit::NotNamed => None,
        }
    }

    fn judge(&self, case: &Case<'_>, counted: Total) -> Ruling {
        match self.max.of(case.currency) {
            Limit::Most(most) => Ruling::at_most(most, Some(counted.amount), i128::from(case.amount), Unit::MinorUnits),
            Limit::Unlimited => Ruling::unlimited(case.currency),
            Limit::NotNamed => Ruling::currency_not_named(case.currency),
        }
    }

    fn limits(&self) -> String {
        self.max.to_string()
    }
}
