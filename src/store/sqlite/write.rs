//! All that a batch changed: a statement for each table, run for each of its rows.
//!
//! A row's values are bound as they are. Many rows in one statement, out of a JSON array, would be parsed and taken apart by
//! SQLite, and it would keep a copy of every page that the statement changes, in case it has to undo that alone.

use rusqlite::types::Null;
use rusqlite::{CachedStatement, Connection, ToSql};
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
    rows: fn(&Written<'_>, &mut Statement<'_>) -> Result<(), StoreError>,
}

/// A part's statement.
struct Statement<'c> {
    connection: &'c Connection,
    sql: &'static str,
    /// Made ready for the first row: most parts have none.
    prepared: Option<CachedStatement<'c>>,
}

impl Statement<'_> {
    /// Each row is new, or was read before.
    fn write<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), StoreError> {
        for row in rows {
            if !self.write_one(&row)? {
                return Err(StoreError::Corrupt(format!("a row that was read before is not there: {}", self.sql)));
            }
        }
        Ok(())
    }

    /// Some may be there already.
    fn add_missing<R: Row>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<(), StoreError> {
        rows.into_iter().try_for_each(|row| self.write_one(&row).map(drop))
    }

    /// Whether that has changed anything.
    fn write_one<R: Row>(&mut self, row: &R) -> Result<bool, StoreError> {
        let prepared = match &mut self.prepared {
            Some(prepared) => prepared,
            none => none.insert(self.connection.prepare_cached(self.sql)?),
        };
        let mut values = Values { parameters: prepared.parameter_count(), columns: 0, of: prepared };
        row.put_down(&mut values)?;
        let Values { parameters, columns, of } = values;
        if columns < parameters {
            // The rest would be bound to what the row before has left.
            return Err(StoreError::Corrupt(format!("{columns} values for {parameters} parameters: {}", self.sql)));
        }
        Ok(of.raw_execute()? > 0)
    }
}

/// Binds the columns of one row.
struct Values<'s, 'c> {
    of: &'s mut CachedStatement<'c>,
    parameters: usize,
    columns: usize,
}

impl Values<'_, '_> {
    fn bind(&mut self, value: impl ToSql) -> Result<(), StoreError> {
        self.columns += 1;
        // A statement that changes rows need not take their last columns.
        if self.columns <= self.parameters {
            self.of.raw_bind_parameter(self.columns, value)?;
        }
        Ok(())
    }
}

impl Record for Values<'_, '_> {
    type Error = StoreError;

    fn null(&mut self, _kind: Kind) -> Result<(), StoreError> {
        self.bind(Null)
    }

    fn flag(&mut self, value: bool) -> Result<(), StoreError> {
        self.bind(value)
    }

    fn number(&mut self, value: i64) -> Result<(), StoreError> {
        self.bind(value)
    }

    fn id(&mut self, value: &Uuid) -> Result<(), StoreError> {
        self.bind(&*value.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }

    fn text(&mut self, value: &str) -> Result<(), StoreError> {
        self.bind(value)
    }

    fn json<T: Serialize>(&mut self, _kind: Kind, value: &T) -> Result<(), StoreError> {
        self.bind(serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))?)
    }
}

const PARTS: &[Part] = &[
    Part {
        sql: "INSERT INTO persons VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET documents = excluded.documents",
        rows: |written, statement| statement.write(written.changes.persons.values()),
    },
    Part {
        sql: "INSERT INTO directory VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        rows: |written, directory| directory.add_missing(written.changes.persons.values().flat_map(Listing::of)),
    },
    Part {
        sql: "INSERT INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        rows: |written, statement| statement.write(written.changes.opened_accounts()),
    },
    Part {
        sql: "UPDATE accounts SET status = ?4, tier = ?5, balance = ?8, pending = ?9, receivable = ?10,
                  last_event_at = ?12, series = ?13, unfiled = ?14
              WHERE id = ?1",
        rows: |written, statement| statement.write(written.changes.changed_accounts()),
    },
    Part {
        sql: "INSERT INTO subjects VALUES (?1, ?2, ?3, ?4)
              ON CONFLICT (key, kind) DO UPDATE SET last_event_at = excluded.last_event_at, series = excluded.series",
        rows: |written, statement| statement.write(written.changes.senders_and_receivers()),
    },
    Part {
        sql: "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        rows: |written, statement| statement.write(written.changes.counted_events()),
    },
    Part {
        sql: "UPDATE events SET due_at = ?9, released = ?10
              WHERE key = ?2 AND kind = ?1 AND currency = ?3 AND at = ?4 AND number = ?5",
        rows: |written, statement| statement.write(written.changes.changed_events()),
    },
    Part {
        sql: "INSERT INTO release_nodes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
              ON CONFLICT (key, kind, currency, level, block, released) DO UPDATE SET count = count + excluded.count,
                  amount = amount + excluded.amount",
        rows: |written, statement| statement.write(written.changes.release_node_rows()),
    },
    Part {
        sql: "INSERT INTO authorizations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        rows: |written, statement| statement.write(written.issued_authorizations()),
    },
    Part {
        sql: "UPDATE authorizations SET state = ?8, bound_credit = ?11 WHERE id = ?1",
        rows: |written, statement| statement.write(written.changed_authorizations()),
    },
    Part {
        sql: "INSERT INTO credits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        rows: |written, statement| statement.write(written.changes.issued_credits()),
    },
    Part {
        sql: "UPDATE credits SET state = ?8, reversal = ?13 WHERE id = ?1",
        rows: |written, statement| statement.write(written.changes.changed_credits()),
    },
    Part {
        sql: "INSERT INTO reversals VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        rows: |written, statement| statement.write(&written.changes.reversals),
    },
    Part {
        sql: "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        rows: |written, statement| statement.write(&written.changes.entries),
    },
    Part {
        sql: "INSERT INTO postings VALUES (?1, ?2, ?3, ?4, ?5)",
        rows: |written, statement| statement.write(&written.changes.postings),
    },
    Part {
        sql: "INSERT INTO decisions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        rows: |written, statement| statement.write(&written.changes.decisions),
    },
    Part {
        sql: "INSERT INTO account_records VALUES (?1, ?2, ?3, ?4, ?5)",
        rows: |written, statement| statement.write(&written.changes.filed),
    },
    Part {
        sql: "INSERT INTO ambiguous_credits VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
              ON CONFLICT (id) DO UPDATE SET state = excluded.state, credit = excluded.credit",
        rows: |written, statement| statement.write(written.changes.ambiguous.values()),
    },
    Part {
        sql: "INSERT INTO enrolments VALUES (?1, ?2, ?3, ?4, ?5, ?6)
              ON CONFLICT (token_hash) DO UPDATE SET account = excluded.account",
        rows: |written, statement| statement.write(written.changes.enrolments.values()),
    },
    Part {
        sql: "INSERT INTO account_changes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        rows: |written, statement| statement.write(&written.changes.account_changes),
    },
    Part {
        sql: "INSERT INTO idempotency VALUES (?1, ?2, ?3, ?4, ?5)
              ON CONFLICT (path, key) DO UPDATE SET body_hash = excluded.body_hash, outcome = excluded.outcome,
                  at = excluded.at",
        rows: |written, statement| statement.write(written.changes.idempotency.values()),
    },
    // The last one: whoever finds it finds all the others, too.
    Part { sql: "INSERT INTO batches VALUES (?1, ?2)", rows: |written, statement| statement.write(&written.batch) },
];

/// Writes everything, and under which batch, in the transaction that is open.
pub(super) fn write(connection: &Connection, changes: &Changes, batch: Option<Committed>) -> Result<(), StoreError> {
    let written = Written { changes, batch };
    for part in PARTS {
        (part.rows)(&written, &mut Statement { connection, sql: part.sql, prepared: None })?;
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
