//! All that a batch changed: a statement for each table, run for each of its rows.
//!
//! A row's values are bound as they are. Many rows in one statement, out of a JSON array, would be parsed and taken apart by
//! SQLite, and it would keep a copy of every page that the statement changes, in case it has to undo that alone.

use rusqlite::types::Value;
use serde::Serialize;
use uuid::Uuid;

use crate::decide::Changes;
use crate::store::StoreError;
use crate::store::columns::{Kind, Listing, Record, Row};
use crate::store::written::{Committed, Written};

/// What is written to one table.
struct Part {
    /// Its parameters are numbered as the row's columns.
    sql: &'static str,
    rows: fn(&Written<'_>, &mut Values) -> Result<(), StoreError>,
}

/// The rows of one part, one after the other.
pub(super) struct Rows {
    sql: &'static str,
    columns: usize,
    values: Vec<Value>,
}

/// Puts down rows.
#[derive(Default)]
struct Values {
    rows: usize,
    values: Vec<Value>,
}

impl Values {
    fn add<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), StoreError> {
        for row in rows {
            row.put_down(self)?;
            self.rows += 1;
        }
        Ok(())
    }
}

impl Record for Values {
    type Error = StoreError;

    fn null(&mut self, _kind: Kind) -> Result<(), StoreError> {
        self.values.push(Value::Null);
        Ok(())
    }

    fn flag(&mut self, value: bool) -> Result<(), StoreError> {
        self.number(i64::from(value))
    }

    fn number(&mut self, value: i64) -> Result<(), StoreError> {
        self.values.push(Value::Integer(value));
        Ok(())
    }

    fn id(&mut self, value: &Uuid) -> Result<(), StoreError> {
        self.values.push(Value::Text(value.to_string()));
        Ok(())
    }

    fn text(&mut self, value: &str) -> Result<(), StoreError> {
        self.values.push(Value::Text(value.to_owned()));
        Ok(())
    }

    fn json<T: Serialize>(&mut self, _kind: Kind, value: &T) -> Result<(), StoreError> {
        let text = serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.values.push(Value::Text(text));
        Ok(())
    }
}

const PARTS: &[Part] = &[
    Part {
        sql: "INSERT INTO persons VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET documents = excluded.documents",
        rows: |written, values| values.add(written.changes.persons.values()),
    },
    Part {
        sql: "INSERT INTO directory VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        rows: |written, values| values.add(written.changes.persons.values().flat_map(Listing::of)),
    },
    Part {
        sql: "INSERT INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        rows: |written, values| values.add(written.changes.opened_accounts()),
    },
    Part {
        sql: "UPDATE accounts SET status = ?4, tier = ?5, balance = ?8, pending = ?9, receivable = ?10,
                  last_event_at = ?12, series = ?13, unfiled = ?14
              WHERE id = ?1",
        rows: |written, values| values.add(written.changes.changed_accounts()),
    },
    Part {
        sql: "INSERT INTO subjects VALUES (?1, ?2, ?3, ?4)
              ON CONFLICT (key, kind) DO UPDATE SET last_event_at = excluded.last_event_at, series = excluded.series",
        rows: |written, values| values.add(written.changes.senders_and_receivers()),
    },
    Part {
        sql: "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        rows: |written, values| values.add(written.changes.counted_events()),
    },
    Part {
        sql: "UPDATE events SET due_at = ?9, released = ?10
              WHERE key = ?2 AND kind = ?1 AND currency = ?3 AND at = ?4 AND number = ?5",
        rows: |written, values| values.add(written.changes.changed_events()),
    },
    Part {
        sql: "INSERT INTO release_nodes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
              ON CONFLICT (key, kind, currency, level, block, released) DO UPDATE SET count = count + excluded.count,
                  amount = amount + excluded.amount",
        rows: |written, values| values.add(written.changes.release_node_rows()),
    },
    Part {
        sql: "INSERT INTO authorizations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        rows: |written, values| values.add(written.issued_authorizations()),
    },
    Part {
        sql: "UPDATE authorizations SET state = ?8, bound_credit = ?11 WHERE id = ?1",
        rows: |written, values| values.add(written.changed_authorizations()),
    },
    Part {
        sql: "INSERT INTO credits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        rows: |written, values| values.add(written.changes.issued_credits()),
    },
    Part {
        sql: "UPDATE credits SET state = ?8, reversal = ?13 WHERE id = ?1",
        rows: |written, values| values.add(written.changes.changed_credits()),
    },
    Part {
        sql: "INSERT INTO reversals VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        rows: |written, values| values.add(&written.changes.reversals),
    },
    Part {
        sql: "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        rows: |written, values| values.add(&written.changes.entries),
    },
    Part {
        sql: "INSERT INTO postings VALUES (?1, ?2, ?3, ?4, ?5)",
        rows: |written, values| values.add(&written.changes.postings),
    },
    Part {
        sql: "INSERT INTO decisions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        rows: |written, values| values.add(&written.changes.decisions),
    },
    Part {
        sql: "INSERT INTO account_records VALUES (?1, ?2, ?3, ?4, ?5)",
        rows: |written, values| values.add(&written.changes.filed),
    },
    Part {
        sql: "INSERT INTO ambiguous_credits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
              ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit",
        rows: |written, values| values.add(written.changes.ambiguous.values()),
    },
    Part {
        sql: "INSERT INTO enrolments VALUES (?1, ?2, ?3, ?4, ?5, ?6)
              ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account",
        rows: |written, values| values.add(written.changes.enrolments.values()),
    },
    Part {
        sql: "INSERT INTO account_changes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        rows: |written, values| values.add(&written.changes.account_changes),
    },
    Part {
        sql: "INSERT INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5)
              ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome,
                  at = excluded.at",
        rows: |written, values| values.add(written.changes.idempotency.values()),
    },
    // The last one: whoever finds it finds all the others, too.
    Part { sql: "INSERT INTO batches VALUES (?1, ?2)", rows: |written, values| values.add(&written.batch) },
];

/// Everything that is to be written, and under which batch.
pub(super) fn rows(changes: &Changes, batch: Option<Committed>) -> Result<Vec<Rows>, StoreError> {
    let written = Written { changes, batch };
    let mut all = Vec::with_capacity(PARTS.len());
    for part in PARTS {
        let mut put_down = Values::default();
        (part.rows)(&written, &mut put_down)?;
        let Values { rows, values } = put_down;
        if let Some(columns) = values.len().checked_div(rows) {
            all.push(Rows { sql: part.sql, columns, values });
        }
    }
    Ok(all)
}

/// Writes it, in the transaction that is open.
pub(super) fn write(connection: &rusqlite::Connection, rows: &[Rows]) -> Result<(), StoreError> {
    for Rows { sql, columns, values } in rows {
        let mut statement = connection.prepare_cached(sql)?;
        let parameters = statement.parameter_count();
        if parameters > *columns {
            // The rest would be bound to what the row before has left.
            return Err(StoreError::Corrupt(format!("{columns} values for {parameters} parameters: {sql}")));
        }
        for row in values.chunks_exact(*columns) {
            for (place, value) in (1..=parameters).zip(row) {
                statement.raw_bind_parameter(place, value)?;
            }
            if statement.raw_execute()? == 0 && !sql.ends_with("DO NOTHING") {
                return Err(StoreError::Corrupt(format!("a row that was read before is not there: {sql}")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::plans::{empty_tables, steps};
    use super::*;

    #[tokio::test]
    async fn every_row_that_is_changed_is_found_by_its_key() {
        let pool = empty_tables().await;
        for part in PARTS {
            let steps = steps(&pool, part.sql).await;
            assert_eq!(steps.iter().find(|step| step.starts_with("SCAN")), None, "{steps:#?}");
        }
    }
}
