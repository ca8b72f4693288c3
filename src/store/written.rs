//! What a store is told to write, the same for every store.

use rust_decimal::Decimal;

use crate::decide::Changes;
use crate::domain::person::SenderKey;
use crate::domain::{AccountId, Authorization, AuthorizationState, Currency, EventRef, Timestamp, TrackingId};

/// What a batch has changed, and under which id it is committed, where it is.
pub(super) struct Written<'a> {
    pub changes: &'a Changes,
    pub batch: Option<Committed>,
}

impl<'a> Written<'a> {
    pub fn issued_authorizations(&self) -> impl Iterator<Item = AuthorizationRow<'a>> + use<'a> {
        let changes = self.changes;
        changes.issued_authorizations().map(|issued| AuthorizationRow::of(issued, changes))
    }

    /// Rows that say something else than before. Whatever only a credit has changed is not among them.
    pub fn changed_authorizations(&self) -> impl Iterator<Item = AuthorizationRow<'a>> + use<'a> {
        let changes = self.changes;
        let changed = changes.changed_authorizations();
        changed.filter_map(|changed| {
            let row = AuthorizationRow::of(changed, changes);
            (row.state == changed.state || row.bound_credit.is_some()).then_some(row)
        })
    }
}

/// What the row of an authorization holds; the rest of it is told by its credit.
pub(super) struct AuthorizationRow<'a> {
    pub id: TrackingId,
    pub account: Option<&'a AccountId>,
    pub amount: i64,
    pub currency: Option<Currency>,
    pub exchange_rate: Option<Decimal>,
    pub at: Timestamp,
    pub expires_at: Timestamp,
    pub state: AuthorizationState,
    pub sender: Option<&'a SenderKey>,
    pub counted: &'a [EventRef],
    /// Where it is not the credit that was asked for by naming this authorization, and used it up.
    pub bound_credit: Option<TrackingId>,
}

impl<'a> AuthorizationRow<'a> {
    fn of(authorization: &'a Authorization, changes: &Changes) -> Self {
        let says_so_itself = |bound: &TrackingId| {
            changes
                .credits
                .get(bound)
                .is_some_and(|credit| credit.referenced && credit.authorization == authorization.id)
        };
        Self {
            id: authorization.id,
            account: authorization.account.as_ref(),
            amount: authorization.amount,
            currency: authorization.currency,
            exchange_rate: authorization.exchange_rate,
            at: authorization.at,
            expires_at: authorization.expires_at,
            state: authorization.state.without_credit(),
            sender: authorization.sender.as_ref(),
            counted: &authorization.counted,
            bound_credit: authorization.bound_credit.filter(|bound| !says_so_itself(bound)),
        }
    }
}

/// A batch that commits.
pub(super) struct Committed {
    pub id: TrackingId,
    pub at: Timestamp,
}
