//! Locks are rows: an account's own, a sender's or receiver's in `subjects`, and there a row for each part of the directory
//! that was ever used.
//!
//! A batch takes its locks with `SKIP LOCKED` and waits for none, so no two batches can wait for each other. Those that
//! were put back wait their turn: among servers that all want the same, skipping would leave one of them to its luck.
//! What a batch reads under them is all that was ever committed there, because READ COMMITTED looks anew at each statement,
//! and at a row that it locks. So an account and a subject come with their lock.
//!
//! What else the statement reads it sees as it was when it began, and an account's row that it locks may be newer. Whoever
//! changes an authorization writes its account's row. So an authorization comes with the locks where the row that was locked is
//! the one that was seen (`xmin`): nobody has changed either since, and nobody can.

use std::collections::{BTreeSet, HashMap};

use sqlx::postgres::PgArguments;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::parts::with_keys;
use super::rows::keys;
use super::store_error;
use super::transaction;
use super::write::is_held;
use crate::decide::{Lock, LockKind, Locked};
use crate::domain::{AccountId, TrackingId};
use crate::store::StoreError;
use crate::store::rows::{Rows, parse, take_in};

/// What is done about one kind of locks; `$0` stands for them.
pub(super) struct Part {
    /// Locks what is free, and answers with the rows that were granted, an account's with its version, and with what was not,
    /// which is next to nothing as a rule. `OFFSET 0` and `LIMIT 1` keep each look-up a look-up.
    pub lock: &'static str,
    /// Waits for all of them, in the same order for everybody, so that those who wait for several do not wait for each
    /// other.
    pub wait: &'static str,
    /// The locks, if there are any.
    keys: fn(&BTreeSet<Lock>) -> Result<Option<String>, StoreError>,
}

/// The accounts, as `taken` says; each with its version.
macro_rules! accounts {
    ($taken:literal) => {
        concat!(
            "
            SELECT CASE WHEN a.row IS NOT NULL THEN 'account'
                    WHEN (SELECT true FROM accounts WHERE id = w LIMIT 1) THEN 'held' ELSE 'absent' END,
                coalesce(a.row, json_build_object('kind', 'account', 'key', w)::text), a.version
            FROM json_array_elements_text($0::json) w
            LEFT JOIN LATERAL (
                SELECT row_to_json(accounts)::text AS row, xmin::text::bigint AS version FROM accounts WHERE id = w OFFSET 0
                ",
            $taken,
            ") a ON true"
        )
    };
}

/// The same without a lock: of one moment, as the authorizations that come with it.
pub(super) const LOOK: &str = accounts!("");

/// Everybody waits for accounts first.
pub(super) const PARTS: [Part; 2] = [
    Part {
        lock: accounts!("FOR UPDATE SKIP LOCKED"),
        wait: "
            SELECT 1
            FROM (SELECT w FROM json_array_elements_text($0::json) w ORDER BY w COLLATE \"C\") w
            CROSS JOIN LATERAL (SELECT 1 FROM accounts WHERE id = w.w OFFSET 0 FOR UPDATE) a",
        keys: |locks| keys(locks.iter().filter(|lock| lock.kind == LockKind::Account).map(|lock| &lock.key)),
    },
    Part {
        lock: "
            SELECT CASE WHEN s.granted THEN 'subject'
                    WHEN (SELECT true FROM subjects WHERE kind = w.kind AND key = w.key LIMIT 1) THEN 'held'
                    ELSE 'absent' END,
                coalesce(s.row, json_build_object('kind', w.kind, 'key', w.key)::text), NULL::bigint
            FROM json_to_recordset($0::json) AS w (kind text, key text)
            LEFT JOIN LATERAL (
                SELECT true AS granted, CASE WHEN kind <> 'directory' THEN row_to_json(subjects)::text END AS row
                FROM subjects WHERE kind = w.kind AND key = w.key OFFSET 0
                FOR UPDATE SKIP LOCKED) s ON true
            WHERE s.granted IS NULL OR s.row IS NOT NULL",
        wait: "
            SELECT 1
            FROM (SELECT * FROM json_to_recordset($0::json) AS w (kind text, key text)
                  ORDER BY key COLLATE \"C\", kind COLLATE \"C\") w
            CROSS JOIN LATERAL (SELECT 1 FROM subjects WHERE kind = w.kind AND key = w.key OFFSET 0 FOR UPDATE) s",
        keys: |locks| keys(locks.iter().filter(|lock| lock.kind != LockKind::Account)),
    },
];

/// Authorizations that commands name, each with a version of its account's row. One that is counted for others than its
/// account needs their events, too.
macro_rules! named {
    ($version:literal) => {
        concat!(
            "
    SELECT 'authorization', row_to_json(a)::text, ",
            $version,
            "
    FROM json_array_elements_text($0::json) w
    CROSS JOIN LATERAL (SELECT * FROM current_authorizations WHERE id = w::uuid LIMIT 1) a
    WHERE json_array_length(a.counted) <= 1"
        )
    };
}

/// With the version that was seen.
pub(super) const NAMED: &str = named!("(SELECT xmin::text::bigint FROM accounts WHERE id = a.account LIMIT 1)");

/// Of the moment at which their accounts are looked at: whatever the version is, it is the same.
pub(super) const LOOK_AT_NAMED: &str = named!("NULL::bigint");

/// In the order of the primary key: servers that make the same rows at once then wait for each other in one direction. An
/// account has its row since it was opened.
const MAKE: &str = "
    INSERT INTO subjects (kind, key, last_event_at)
    SELECT kind, key, 0 FROM json_to_recordset($1::json) AS w (kind text, key text)
    ORDER BY key COLLATE \"C\", kind COLLATE \"C\"
    ON CONFLICT DO NOTHING";

/// What the statement that locks answers with: the kind of a row, the row, and its version.
type Answer = (String, String, Option<i64>);

pub(super) async fn lock(
    connection: &mut PgConnection,
    wanted: &BTreeSet<Lock>,
    named: &BTreeSet<TrackingId>,
) -> Result<Locked, StoreError> {
    Ok(ask(connection, wanted, asked(wanted, named)?).await?.under_locks())
}

/// By account, the version of its row.
pub(super) type Versions = HashMap<AccountId, i64>;

/// Reads what would have come with the locks `wanted`, of accounts alone, and locks nothing.
pub(super) async fn look(
    connection: &mut PgConnection,
    wanted: &BTreeSet<Lock>,
    named: &BTreeSet<TrackingId>,
) -> Result<(Locked, Versions), StoreError> {
    let [accounts, _] = PARTS;
    let asked = with_keys([(LOOK, (accounts.keys)(wanted)), (LOOK_AT_NAMED, keys(named))])?;
    let Answered { locked, versions, .. } = ask(connection, wanted, asked).await?;
    Ok((locked, versions))
}

async fn ask(
    connection: &mut PgConnection,
    wanted: &BTreeSet<Lock>,
    asked: Option<(String, PgArguments)>,
) -> Result<Answered, StoreError> {
    let answers = match asked {
        Some((text, arguments)) => {
            sqlx::query_as_with(AssertSqlSafe(text), arguments).fetch_all(connection).await.map_err(store_error)?
        }
        None => Vec::new(),
    };
    sort(wanted, &answers)
}

fn asked(wanted: &BTreeSet<Lock>, named: &BTreeSet<TrackingId>) -> Result<Option<(String, PgArguments)>, StoreError> {
    let locks = PARTS.iter().map(|part| (part.lock, (part.keys)(wanted)));
    with_keys(locks.chain([(NAMED, keys(named))]))
}

/// What the statement came to.
struct Answered {
    locked: Locked,
    versions: Versions,
    /// Of the accounts of the authorizations that came with them, in their order.
    seen_versions: Vec<Option<i64>>,
}

impl Answered {
    /// Without the authorizations that may have changed before their account was locked.
    fn under_locks(self) -> Locked {
        let Self { mut locked, versions, seen_versions } = self;
        let mut seen_versions = seen_versions.into_iter();
        locked.loaded.authorizations.retain(|authorization| {
            let locked = authorization.account.as_ref().and_then(|account| versions.get(account)).copied();
            locked == seen_versions.next().flatten()
        });
        locked
    }
}

fn sort(wanted: &BTreeSet<Lock>, answers: &[Answer]) -> Result<Answered, StoreError> {
    let mut locked = Locked { granted: wanted.clone(), ..Locked::default() };
    let mut versions = Versions::new();
    let mut seen_versions = Vec::new();
    for (kind, row, version) in answers {
        let refused = match kind.as_str() {
            "held" => &mut locked.held,
            "absent" => &mut locked.absent,
            granted => {
                take_in(&mut locked.loaded, granted, Rows::One(row))?;
                match granted {
                    "account" => {
                        let account = locked.loaded.accounts.last().map(|account| account.id.clone());
                        versions.extend(account.zip(*version));
                    }
                    "authorization" => seen_versions.push(*version),
                    _ => {}
                }
                continue;
            }
        };
        let lock: Lock = parse(row)?;
        locked.granted.remove(&lock);
        refused.insert(lock);
    }
    Ok(Answered { locked, versions, seen_versions })
}

pub(super) async fn make(connection: &mut PgConnection, absent: &BTreeSet<Lock>) -> Result<(), StoreError> {
    let Some(locks) = keys(absent.iter().filter(|lock| lock.kind != LockKind::Account))? else { return Ok(()) };
    sqlx::query(MAKE).bind(locks).execute(connection).await.map_err(store_error)?;
    Ok(())
}

/// Half a second for each lock: several batches of other servers on a busy machine, one behind the other. With less, none of
/// the servers that want the same few accounts ever has its turn there.
const PATIENTLY: &str = "SAVEPOINT waiting; SET LOCAL lock_timeout = '500ms'";

/// Waits for each lock for a while. A savepoint lets go of what it has where one stays held.
pub(super) async fn wait_for(connection: &mut PgConnection, wanted: &BTreeSet<Lock>) -> Result<(), StoreError> {
    let asked = with_keys(PARTS.iter().map(|part| (part.wait, (part.keys)(wanted))))?;
    let Some((text, arguments)) = asked else { return Ok(()) };
    connection.execute(sqlx::raw_sql(PATIENTLY)).await.map_err(store_error)?;
    match sqlx::query_with(AssertSqlSafe(text), arguments).execute(&mut *connection).await {
        Ok(_) => {
            connection.execute(sqlx::raw_sql(transaction::IMPATIENTLY)).await.map_err(store_error)?;
            Ok(())
        }
        Err(error) if is_held(&error) => {
            connection.execute(sqlx::raw_sql("ROLLBACK TO SAVEPOINT waiting")).await.map_err(store_error)?;
            Err(StoreError::Held(error.to_string()))
        }
        Err(error) => Err(store_error(error)),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, query, query_as_with, query_scalar, raw_sql};

    use super::super::PostgresStore;
    use super::super::throw_away::Database;
    use super::*;
    use crate::domain::{AuthorizationState, SubjectKey, SubjectKind};
    use crate::store::Store;

    const ROWS: &str = "
        INSERT INTO accounts VALUES ('4000', '00000000-0000-7000-8000-000000000001', 'MXN', 'Active', 'standard', 'Ana', 1, 0, 0,
            0, 0, 10);
        INSERT INTO authorizations
        VALUES ('00000000-0000-7000-8000-00000000a001', '4000', 1000, 'MXN', NULL, 10, 110, 'Open', NULL, '[]', NULL)";

    /// Whoever changes an authorization writes its account.
    const VOIDED: &str = "
        BEGIN;
        UPDATE authorizations SET state = 'Voided';
        UPDATE accounts SET last_event_at = 20;
        COMMIT";

    /// The statement waits here once it has its view of the tables, before it locks anything.
    const GATE: &str = "(SELECT 'gate', pg_advisory_xact_lock_shared(1)::text, NULL::bigint) UNION ALL ";

    #[tokio::test]
    #[ignore = "needs a Postgres; scripts/test runs it on one"]
    async fn an_authorization_that_was_changed_before_its_account_was_locked_does_not_come_with_the_lock() {
        let database = Database::create().await;
        let address = &database.address;
        let store = PostgresStore::open(std::slice::from_ref(address)).await.unwrap();
        let [mut batch, mut other] =
            [PgConnection::connect(address).await.unwrap(), PgConnection::connect(address).await.unwrap()];
        other.execute(raw_sql(ROWS)).await.unwrap();
        let wanted = BTreeSet::from([Lock::from(&SubjectKey::new(SubjectKind::Account, "4000"))]);
        let named = BTreeSet::from([TrackingId::parse("00000000-0000-7000-8000-00000000a001").unwrap()]);

        let undisturbed = lock(&mut batch, &wanted, &named).await.unwrap();
        assert_eq!(undisturbed.loaded.authorizations[0].state, AuthorizationState::Open);

        query("SELECT pg_advisory_lock(1)").execute(&mut other).await.unwrap();
        let (text, arguments) = asked(&wanted, &named).unwrap().unwrap();
        let locking = tokio::spawn(async move {
            query_as_with(AssertSqlSafe([GATE, &text].concat()), arguments).fetch_all(&mut batch).await
        });
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database =
            (SELECT oid FROM pg_database WHERE datname = current_database()))";
        while !query_scalar::<_, bool>(waits).fetch_one(&mut other).await.unwrap() {}
        other.execute(raw_sql(VOIDED)).await.unwrap();
        query("SELECT pg_advisory_unlock(1)").execute(&mut other).await.unwrap();
        let answers: Vec<Answer> = locking.await.unwrap().unwrap();
        let (gate, answers) = answers.split_first().unwrap();
        assert_eq!(gate.0, "gate");
        let disturbed = sort(&wanted, answers).unwrap().under_locks();
        assert_eq!(disturbed.loaded.subjects[0].last_event_at.0, 20, "the account is as it was locked");
        assert!(answers.iter().any(|answer| answer.0 == "authorization" && answer.1.contains("Open")), "{answers:?}");
        assert!(disturbed.loaded.authorizations.is_empty());

        other.close().await.unwrap();
        store.close().await;
        database.drop().await;
    }
}
