//! `type = "newcomer"`: the most that one transaction may carry while few came before it.

use super::Case;
use super::keys::Keys;
use super::limits::{Limit, Limits};
use super::rule::{Count, Rule, RuleType, Ruling, Total};
use crate::domain::Reason;
use crate::domain::decision::Unit;

pub(super) const TYPE: RuleType = RuleType { name: "newcomer", reason: Reason::ByAmountLimit, counts: true, read };

#[derive(Debug)]
struct Newcomer {
    /// Transactions in the window after which the limit no longer holds.
    until: i64,
    max: Limits,
}

fn read(keys: &mut Keys<'_, '_>) -> Option<Box<dyn Rule>> {
    let until = keys.required_count("until");
    let max = Limits::read(keys);
    Some(Box::new(Newcomer { until: until?, max: max? }))
}

impl Rule for Newcomer {
    fn count(&self, _: &Case<'_>) -> Option<Count> {
        Some(Count::EveryCurrency)
    }

    fn judge(&self, case: &Case<'_>, counted: Total) -> Ruling {
        if counted.count >= i128::from(self.until) {
            let note = Some("no longer a newcomer".to_owned());
            let (counted, unit) = (Some(counted.count), Unit::Transactions);
            return Ruling { refused: false, reason: None, counted, limit: None, unit, note };
        }
        match self.max.of(case.currency) {
            Limit::Most(most) => Ruling::at_most(most, None, i128::from(case.amount), Unit::MinorUnits),
            Limit::Unlimited => Ruling::unlimited(case.currency),
            Limit::NotNamed => Ruling::currency_not_named(case.currency),
        }
    }

    fn limits(&self) -> String {
        format!("{} until {} transactions", self.max, self.until)
    }
}
