//! What people are shown of the nouns: the admin API answers with it, the command line prints it.
//!
//! camelCase; an amount is a decimal string with its currency's decimals, a time RFC 3339 in UTC. An identifier carries
//! the contract's name for it. Personal data appear only where a view says so.

use serde::Serialize;

use crate::domain::Currency;
use crate::domain::currency::decimal;
use crate::store::{Listed, Page};

pub use account::{AccountDetail, AccountView, ChangeView, DebitView, StatementLineView};
pub use decision::{DecisionDetail, DecisionView, FindingView, WindowStart, WindowView};
pub use local::in_zone;
pub use transaction::{AmbiguousCreditView, AuthorizationView, CreditView, CreditedView, PlaceView, ReversalView};

mod account;
mod decision;
mod local;
mod transaction;

/// A rule set as it was read.
#[derive(Debug, Serialize)]
pub struct RulesView<'a> {
    pub version: &'a str,
    pub text: &'a str,
}

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct ListView<T> {
    pub items: Vec<T>,
    pub pagination: Pagination,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    pub total: i64,
    pub limit: i64,
    pub offset: i64,
    pub has_more: bool,
}

impl<T> ListView<T> {
    pub fn new<Row>(listed: &Listed<Row>, page: Page) -> Self
    where
        T: for<'a> From<&'a Row>,
    {
        let items: Vec<T> = listed.items.iter().map(T::from).collect();
        let shown = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let has_more = page.offset.saturating_add(shown) < listed.total;
        let pagination = Pagination { total: listed.total, limit: page.limit, offset: page.offset, has_more };
        Self { items, pagination }
    }
}

fn amount(minor: i64, currency: Currency) -> String {
    decimal(i128::from(minor), currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Item;

    impl From<&i32> for Item {
        fn from(_: &i32) -> Self {
            Self
        }
    }

    #[test]
    fn there_is_more_until_the_last_item_is_shown() {
        let has_more = |shown: usize, total, offset| {
            let listed = Listed { items: vec![0; shown], total };
            ListView::<Item>::new(&listed, Page { limit: 2, offset }).pagination.has_more
        };
        assert!(has_more(2, 3, 0));
        assert!(!has_more(1, 3, 2));
        assert!(!has_more(0, 3, 9));
        assert!(!has_more(0, 0, i64::MAX));
    }
}
