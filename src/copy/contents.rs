//! Every row, column by column: source and copy are read side by side in the order of the key.

use futures_util::StreamExt;
use futures_util::future::join;
use serde_json::{Map, Value};

use super::{CopyError, Step, Watcher};
use crate::store::{Snapshot, StoreError, Table};

/// Keys that a person may be told: the others hold phones and dates of birth.
const KEYS_TO_TELL: [&str; 4] = ["id", "account", "version", "entry"];

/// How often the watcher hears of rows that were compared.
const STEP: u64 = 1_000;

/// The first row of a table that is not the same in both, as a sentence without its values.
pub(super) async fn first_difference(
    source: &mut dyn Snapshot,
    target: &mut dyn Snapshot,
    table: &'static Table,
    watcher: Watcher<'_>,
) -> Result<Option<String>, CopyError> {
    let (mut theirs, mut ours) = (source.rows(table), target.rows(table));
    for number in 1_u64.. {
        let (their, our) = join(theirs.next(), ours.next()).await;
        let their = their.transpose().map_err(CopyError::Source)?;
        let our = our.transpose().map_err(CopyError::Target)?;
        let difference = match (their, our) {
            (None, None) => {
                watcher(Step::Done((number - 1) % STEP));
                return Ok(None);
            }
            // Two databases of one kind give the very same text.
            (Some(their), Some(our)) if their == our => None,
            (Some(their), Some(our)) => {
                let (their, our) =
                    (columns(&their).map_err(CopyError::Source)?, columns(&our).map_err(CopyError::Target)?);
                table.difference(&their, &our).map(|what| format!("{}: {what}", table.told(number, &their)))
            }
            (Some(their), None) => {
                let row = table.told(number, &columns(&their).map_err(CopyError::Source)?);
                Some(format!("{row}: it and what follows is missing"))
            }
            (None, Some(our)) => {
                let row = table.told(number, &columns(&our).map_err(CopyError::Target)?);
                Some(format!("{row}: the source has no such row"))
            }
        };
        if difference.is_some() {
            return Ok(difference);
        }
        if number % STEP == 0 {
            watcher(Step::Done(STEP));
        }
    }
    Ok(None)
}

fn columns(row: &str) -> Result<Map<String, Value>, StoreError> {
    // The error repeats nothing of the row, which holds personal data.
    serde_json::from_str(row).map_err(|_| StoreError::Corrupt("a row is no JSON object".to_owned()))
}

impl Table {
    /// A row for a person, by its key where that is nobody's name.
    fn told(&self, number: u64, row: &Map<String, Value>) -> String {
        let key = self.key.iter().all(|column| KEYS_TO_TELL.contains(column));
        let values = self.key.iter().filter(|_| key).filter_map(|column| row.get(*column)?.as_str());
        let named: String = values.map(|value| format!(" {value}")).collect();
        if named.is_empty() {
            format!("{}, row {number} by its key", self.name)
        } else {
            format!("{}{named}", self.name)
        }
    }

    fn difference(&self, their: &Map<String, Value>, our: &Map<String, Value>) -> Option<String> {
        let differ = |column: &&&str| their.get(**column) != our.get(**column);
        if self.key.iter().any(|column| differ(&column)) {
            return Some("another row stands in its place".to_owned());
        }
        let differing: Vec<&str> = self.columns.iter().filter(differ).copied().collect();
        match differing.as_slice() {
            [] if their == our => None,
            [] => Some("it has other columns".to_owned()),
            columns => Some(format!("{} differs", columns.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TABLES;

    fn row(text: &str) -> Map<String, Value> {
        columns(text).unwrap()
    }

    fn table(name: &str) -> &'static Table {
        TABLES.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn rows_are_the_same_whatever_the_order_of_their_columns() {
        let accounts = table("accounts");
        let one = row(r#"{"id": "4000", "balance": 5, "tier": "gold"}"#);
        assert_eq!(accounts.difference(&one, &row(r#"{"tier": "gold", "balance": 5, "id": "4000"}"#)), None);
        let said = |other| accounts.difference(&one, &row(other)).unwrap();
        assert_eq!(said(r#"{"id": "4000", "balance": 6, "tier": "plain"}"#), "tier, balance differs");
        assert_eq!(said(r#"{"id": "4001", "balance": 5, "tier": "gold"}"#), "another row stands in its place");
        assert_eq!(said(r#"{"id": "4000", "balance": 5, "tier": "gold", "more": 1}"#), "it has other columns");
    }

    #[test]
    fn a_row_whose_key_is_personal_data_is_told_by_its_place() {
        assert_eq!(table("accounts").told(7, &row(r#"{"id": "4000"}"#)), "accounts 4000");
        let sender = row(r#"{"kind": "sender", "key": "+525555123456|1990-01-31"}"#);
        assert_eq!(table("subjects").told(7, &sender), "subjects, row 7 by its key");
    }
}
