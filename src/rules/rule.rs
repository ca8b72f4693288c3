//! What a type of rule is.

use std::fmt;

use super::Case;
use super::keys::Keys;
use crate::domain::decision::Unit;
use crate::domain::{Currency, Reason, Tally};

/// One rule's own judgement, in two pure steps: name what must be counted, then judge what was counted.
///
/// What all rules have in common (id, tiers, mode, reason, and for those that count: window, subject, what expiry and
/// reversal give back) is no part of it; [`super::RuleSet`] takes care of that.
pub(super) trait Rule: fmt::Debug + Send + Sync {
    /// What has to be counted to judge this case; `None`: nothing, and [`Rule::judge`] is given zero.
    ///
    /// Only asked of a type that [`RuleType::counts`].
    fn count(&self, case: &Case<'_>) -> Option<Count>;

    /// Judges. `counted` is what is in the window now, without the transaction that is judged.
    fn judge(&self, case: &Case<'_>, counted: Total) -> Ruling;

    /// The limit for a person: `10 transactions`, `20000.00 MXN`.
    fn limits(&self) -> String;
}

/// A type of rule: one constant in one file, registered in `TYPES`.
pub(super) struct RuleType {
    /// `type` in the file.
    pub name: &'static str,
    /// The reason that it gives unless the file names another.
    pub reason: Reason,
    /// Whether it counts past transactions: then `window`, `per`, `on_expiry` and `on_reversal` are its keys too.
    pub counts: bool,
    /// Reads the keys that are the type's own; `None` after noting what is wrong with them.
    pub read: fn(&mut Keys<'_, '_>) -> Option<Box<dyn Rule>>,
}

/// Which of the subject's transactions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    OneCurrency(Currency),
    /// Its amounts are of different currencies: only the number means anything.
    EveryCurrency,
}

/// Counted transactions; wide, so that sums over any history fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Total {
    pub count: i128,
    /// Minor units.
    pub amount: i128,
}

impl Total {
    pub(super) fn plus(self, tally: Tally) -> Self {
        Self { count: self.count + i128::from(tally.count), amount: self.amount + i128::from(tally.amount) }
    }

    pub(super) fn minus(self, tally: Tally) -> Self {
        Self { count: self.count - i128::from(tally.count), amount: self.amount - i128::from(tally.amount) }
    }
}

/// What a rule says of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ruling {
    pub refused: bool,
    /// Another reason than the rule's own.
    pub reason: Option<Reason>,
    /// What was counted, in `unit`; `None` where nothing had to be.
    pub counted: Option<i128>,
    /// The most that is allowed, in `unit`; `None` where there is no such number.
    pub limit: Option<i64>,
    pub unit: Unit,
    pub note: Option<String>,
}

impl Ruling {
    /// `counted` and one transaction more of `step` must not exceed `limit`.
    pub(super) fn at_most(limit: i64, counted: Option<i128>, step: i128, unit: Unit) -> Self {
        let refused = counted.unwrap_or_default() + step > i128::from(limit);
        Self { refused, reason: None, counted, limit: Some(limit), unit, note: None }
    }

    /// Money in a currency that the rule lets pass.
    pub(super) fn unlimited(currency: Currency) -> Self {
        let note = Some(format!("`max` sets no limit for {currency}"));
        Self { refused: false, reason: None, counted: None, limit: None, unit: Unit::MinorUnits, note }
    }

    /// Money in a currency that the rule does not name: refused, since a limit must not fail open.
    pub(super) fn currency_not_named(currency: Currency) -> Self {
        let note = Some(format!("`max` does not name {currency}"));
        let reason = Some(Reason::InvalidCurrency);
        Self { refused: true, reason, counted: None, limit: None, unit: Unit::MinorUnits, note }
    }
}
