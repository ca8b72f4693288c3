//! Postgres: for production, and for several servers on one database.
//!
//! A batch that needs accounts alone is two round trips ([`unlocked`]), or one where they are [`remembered`]. Others are four as a
//! rule: begin, [`lock`], [`write`] with the batch's id, commit. Each has a [`load`] more where not all that it needs comes with
//! the accounts or the locks.
//! Batches of several servers that touch different subjects run side by side (`docs/adr/0006`). What is read travels as JSON in
//! the shape of the domain's structs, what is written as binary rows of each table's own type (`docs/adr/0009`).

mod audit;
mod hosts;
mod load;
mod lock;
mod parts;
mod probe;
mod reads;
mod record;
mod remembered;
mod rows;
mod servers;
mod transaction;
mod transfer;
mod unlocked;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Executor, PgConnection, Postgres, query, query_scalar};

use self::hosts::{BatchConnection, Hosts};
use self::probe::Probe;
use self::remembered::Remembered;
use self::unlocked::UnlockedBatch;
use super::rows::parse;
use super::series::{overdue_accounts, overdue_others, read_overdue_accounts};
use super::written::Committed;
use super::{Batch, DeadlinePlace, Durability, OverdueAccounts, Store, StoreError};
use crate::decide::{Changes, Loaded, Lock, Locked, Wanted};
use crate::domain::{SubjectKey, Timestamp, TrackingId};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Batches of the first lane that are written at the same time, at most. A third one gains next to nothing.
const BATCHES_AT_ONCE: usize = 2;

/// Connections of batches: the second lane's, the probe's, and one that is on its way back.
const BATCH_WRITERS: u32 = 3;

/// Connections that write beside them: for the locks that a batch makes, for the housekeeping and the list of servers, and one
/// on its way back.
const WRITERS: u32 = 3;

/// A writer's [own](Store::apart) connections for its batches, one of them on its way back, and as many for the locks that they
/// make and for asking after a lost commit. Those that read, and the probe, are never asked.
const OF_A_WRITER: u32 = 2;

const OVERDUE_ACCOUNTS: &str = overdue_accounts!("json_build_array(account, due_at, id)::text", "$2::uuid");

const OVERDUE_OTHERS: &str = overdue_others!("json_build_object('kind', kind, 'key', key)::text");

const BE_THE_ONE_THAT_FORGETS: &str = "SELECT pg_try_advisory_xact_lock(7810771197232916)";

/// The identifier of a batch that was found not to be committed is kept as long as the others: see
/// [`Store::was_committed`].
const FORGET: &str = "
    WITH forgotten_batches AS (
        DELETE FROM batches WHERE id IN (
            SELECT id FROM batches WHERE committed_at > -$1 AND committed_at < $1 ORDER BY committed_at LIMIT $2)
        RETURNING 1),
    forgotten_idempotency AS (
        DELETE FROM idempotency WHERE (path, key) IN
            (SELECT path, key FROM idempotency WHERE at < $1 ORDER BY at LIMIT $2) RETURNING 1),
    forgotten_enrolments AS (
        DELETE FROM enrolments WHERE token_hash IN
            (SELECT token_hash FROM enrolments WHERE expires_at < $1 LIMIT $2) RETURNING 1)
    SELECT greatest((SELECT count(*) FROM forgotten_batches), (SELECT count(*) FROM forgotten_idempotency),
        (SELECT count(*) FROM forgotten_enrolments))";

/// Connections that read, for people and status queries.
const READERS: u32 = 8;

/// The store on a Postgres server.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    batches: Hosts,
    writers: Hosts,
    readers: Hosts,
    probe: Probe,
    remembered: Remembered,
}

impl PostgresStore {
    /// Connects to the first of `addresses` (`postgres://…`, one host each) that takes writes, and brings the tables up
    /// to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where no host serves; [`StoreError::Corrupt`] where a newer version of this program
    /// has written the database, or it cannot hold every text.
    pub async fn open(addresses: &[String]) -> Result<Self, StoreError> {
        let writers = Hosts::new(addresses, WRITERS)?;
        let batches = writers.for_batches(addresses, BATCH_WRITERS)?;
        let readers = writers.apart(READERS);
        let mut transaction = writers.begin(transaction::OPENING).await?;
        refuse_other_encodings(&mut transaction).await?;
        migrate(&mut transaction).await?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Self { probe: Probe::new(batches.clone()), batches, writers, readers, remembered: Remembered::default() })
    }

    /// One statement that writes beside the batches, durably.
    async fn write_aside(&self, statement: Query<'_, Postgres, PgArguments>) -> Result<(), StoreError> {
        let mut transaction = self.writers.begin(transaction::ASIDE).await?;
        let write = async {
            statement.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.writers.watch(async { write.await.map_err(store_error) }).await
    }
}

async fn refuse_other_encodings(connection: &mut PgConnection) -> Result<(), StoreError> {
    let encoding: String =
        query_scalar("SELECT current_setting('server_encoding')").fetch_one(connection).await.map_err(store_error)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!("the database is encoded in {encoding}; create it with ENCODING 'UTF8'")))
}

/// In the one transaction that opens the database, under a lock that ends with it: several servers may start at once,
/// and through a pooler.
async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    if is_up_to_date(connection).await? {
        return Ok(());
    }
    connection.execute(sqlx::raw_sql(transaction::LOCK_MIGRATIONS)).await.map_err(store_error)?;
    let mut migrations = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    migrations.set_locking(false);
    migrations.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) | MigrateError::VersionTooNew(..) => {
            StoreError::Corrupt(format!("the database was written by another version of this program: {error}"))
        }
        error => StoreError::Unavailable(error.to_string()),
    })
}

/// Whether there is nothing to do. A role that may not create tables can then serve.
async fn is_up_to_date(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let exists: bool = query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(MIGRATIONS.table_name.as_ref())
        .fetch_one(&mut *connection)
        .await
        .map_err(store_error)?;
    if !exists {
        return Ok(false);
    }
    let applied = connection
        .list_applied_migrations(&MIGRATIONS.table_name)
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    Ok(applied.len() == MIGRATIONS.iter().count()
        && MIGRATIONS
            .iter()
            .zip(&applied)
            .all(|(ours, theirs)| ours.version == theirs.version && ours.checksum == theirs.checksum))
}

#[async_trait]
impl Store for PostgresStore {
    fn batches_at_once(&self) -> usize {
        BATCHES_AT_ONCE
    }

    fn apart(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(Self {
            batches: self.batches.apart(OF_A_WRITER),
            writers: self.writers.apart(OF_A_WRITER),
            readers: self.readers.apart(OF_A_WRITER),
            ..self.clone()
        }))
    }

    async fn begin(&self) -> Result<Box<dyn Batch>, StoreError> {
        let on = self.batches.begin_batch().await?;
        let (batches, writers, remembered) = (self.batches.clone(), self.writers.clone(), self.remembered.clone());
        Ok(Box::new(PostgresBatch { on, batches, writers, remembered }))
    }

    async fn begin_without_locks(&self) -> Option<Box<dyn Batch>> {
        Some(Box::new(UnlockedBatch::on_a_kept_one(self)?))
    }

    /// Writes the id itself: that waits for a commit which is still under way, and makes one that comes later fail. What it
    /// adds is marked by a negative moment, so that it is not taken for the batch where this answer is lost as well and
    /// asked for again. What is found is written once more: where Postgres was restarted while the commit waited for a
    /// standby, it is to be seen although no standby has it, and only a commit of our own waits for that.
    async fn was_committed(&self, batch: TrackingId, at: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.writers.begin(transaction::ASIDE).await?;
        let ask = query_scalar(
            "INSERT INTO batches (id, committed_at) VALUES ($1::uuid, -$2)
             ON CONFLICT (id) DO UPDATE SET committed_at = batches.committed_at RETURNING committed_at >= 0",
        )
        .bind(batch.to_string())
        .bind(at.0);
        let ask = async {
            let was_committed = ask.fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(was_committed)
        };
        self.writers.watch(async { ask.await.map_err(store_error) }).await
    }

    async fn overdue_accounts(
        &self,
        after: DeadlinePlace,
        upto: Timestamp,
        limit: usize,
    ) -> Result<OverdueAccounts, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let asked = query_scalar(OVERDUE_ACCOUNTS).bind(after.due_at.0).bind(after.id.to_string());
        let asked = asked.bind(upto.0).bind(limit);
        read_overdue_accounts(&self.read(asked).await?)
    }

    async fn overdue_others(&self, at: Timestamp, limit: usize) -> Result<Vec<SubjectKey>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<String> = self.read(query_scalar(OVERDUE_OTHERS).bind(at.0).bind(limit)).await?;
        rows.iter().map(|row| parse(row)).collect()
    }

    async fn swept(&self) -> Result<Timestamp, StoreError> {
        let found: Vec<i64> = self.read(query_scalar("SELECT at FROM marks WHERE name = 'swept'")).await?;
        Ok(Timestamp(found.first().copied().unwrap_or_default()))
    }

    async fn remember_swept(&self, swept: Timestamp) -> Result<(), StoreError> {
        let remember = query(
            "INSERT INTO marks (name, at) VALUES ('swept', $1) ON CONFLICT (name) DO UPDATE SET at = excluded.at",
        );
        self.write_aside(remember.bind(swept.0)).await
    }

    async fn remember_rules(&self, version: &str, text: &str, at: Timestamp) -> Result<(), StoreError> {
        let remember =
            query("INSERT INTO rule_sets (version, text, first_seen_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
        self.write_aside(remember.bind(version).bind(text).bind(at.0)).await
    }

    async fn forget_before(&self, at: Timestamp, limit: u32) -> Result<bool, StoreError> {
        let mut transaction = self.writers.begin(transaction::ASIDE).await?;
        let forget = async {
            // Two servers that forget the same rows at once would wait for each other: one is enough.
            if !query_scalar(BE_THE_ONE_THAT_FORGETS).fetch_one(&mut *transaction).await? {
                return Ok(0);
            }
            let most: i64 = query_scalar(FORGET).bind(at.0).bind(i64::from(limit)).fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(most)
        };
        let most = self.writers.watch(async { forget.await.map_err(store_error) }).await?;
        Ok(most >= i64::from(limit))
    }

    async fn close(&self) {
        // One after the other, each would wait for a host that is gone.
        tokio::join!(self.readers.close(), self.writers.close(), self.batches.close());
    }
}

struct PostgresBatch {
    on: BatchConnection,
    batches: Hosts,
    /// For what must be there before this transaction ends.
    writers: Hosts,
    remembered: Remembered,
}

#[async_trait]
impl Batch for PostgresBatch {
    fn is_alone(&self) -> bool {
        false
    }

    async fn lock(&mut self, wanted: &BTreeSet<Lock>, named: &BTreeSet<TrackingId>) -> Result<Locked, StoreError> {
        self.batches.watch_host(self.on.host, lock::lock(&mut self.on.connection, wanted, named)).await
    }

    /// In a transaction of its own: a row that is not committed could be locked by nobody else, who would have to wait.
    async fn make_locks(&mut self, absent: &BTreeSet<Lock>) -> Result<(), StoreError> {
        let mut aside = self.writers.begin(transaction::MAKING_LOCKS).await?;
        let make = async {
            lock::make(&mut aside, absent).await?;
            aside.commit().await.map_err(store_error)
        };
        self.batches.watch_host(self.on.host, make).await
    }

    async fn wait_for(&mut self, wanted: &BTreeSet<Lock>) -> Result<(), StoreError> {
        self.batches.watch_host(self.on.host, lock::wait_for(&mut self.on.connection, wanted)).await
    }

    async fn load(&mut self, wanted: &Wanted) -> Result<Loaded, StoreError> {
        self.batches.watch_host(self.on.host, load::load(&mut self.on.connection, wanted)).await
    }

    async fn write(&mut self, changes: &Changes) -> Result<(), StoreError> {
        self.remembered.forget(changes.accounts.keys());
        self.batches.watch_host(self.on.host, write::write(&mut self.on.connection, changes, None)).await
    }

    async fn roll_back(mut self: Box<Self>) {
        // A host that was given up would have to be waited for once more.
        if self.batches.serving() != self.on.host {
            return;
        }
        // A connection that is broken has no transaction any more.
        let roll_back = self.on.connection.execute(sqlx::raw_sql("ROLLBACK"));
        if let Err(error) = self.batches.watch_host(self.on.host, async { roll_back.await.map_err(store_error) }).await
        {
            tracing::debug!(%error, "a batch could not be rolled back in order");
        }
    }

    async fn commit(
        mut self: Box<Self>,
        changes: &Changes,
        batch: TrackingId,
        at: Timestamp,
    ) -> Result<Durability, StoreError> {
        self.remembered.forget(changes.accounts.keys());
        let committed = Committed { id: batch, at };
        let written = write::write(&mut self.on.connection, changes, Some(committed));
        if let Err(refused) = self.batches.watch_host(self.on.host, written).await {
            self.roll_back().await;
            return Err(refused);
        }
        let commit = async { transaction::commit(&mut self.on.connection).await.map_err(store_error) };
        self.batches.watch_host(self.on.host, commit).await?;
        self.batches.keep(self.on);
        Ok(Durability::Reached)
    }
}

/// Sorts what sqlx reports into what the engine can act on. The texts name tables and constraints, never values.
fn store_error(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default().into_owned();
            match code.get(..2) {
                // Its message would repeat the value that was wrong.
                Some("22") => StoreError::Conflict(format!("a value was refused (SQLSTATE {code})")),
                Some("21" | "23" | "54" | "P0") => StoreError::Conflict(error.message().to_owned()),
                _ => StoreError::Unavailable(format!("{} (SQLSTATE {code})", error.message())),
            }
        }
        sqlx::Error::Decode(error) => StoreError::Corrupt(error.to_string()),
        sqlx::Error::ColumnDecode { source, .. } => StoreError::Corrupt(source.to_string()),
        error => StoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod apart;
#[cfg(test)]
mod plans;

/// Databases of the test run's cluster.
#[cfg(test)]
mod throw_away {
    use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

    #[expect(clippy::disallowed_methods, reason = "the run's own switch, not a setting of the product")]
    pub(super) fn cluster() -> String {
        std::env::var("VNA_TEST_POSTGRES").unwrap()
    }

    pub(super) struct Database {
        pub address: String,
        pub name: String,
        pub admin: PgConnection,
    }

    impl Database {
        pub(super) async fn create() -> Self {
            let name = format!("unit_{}", crate::clock::fresh_id().0.simple());
            let mut admin = PgConnection::connect(&format!("{}/postgres", cluster())).await.unwrap();
            admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
            Self { address: format!("{}/{name}", cluster()), name, admin }
        }

        pub(super) async fn drop(mut self) {
            self.admin.execute(AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name))).await.unwrap();
        }
    }
}

#[cfg(test)]
mod settings {
    use sqlx::{AssertSqlSafe, Executor, query_scalar};

    use super::throw_away::Database;
    use super::{PostgresStore, transaction};
    use crate::store::Store;

    const ASKED: &str = "SELECT concat_ws(' ', current_setting('synchronous_commit'), current_setting('lock_timeout'),
        current_setting('statement_timeout'), current_setting('enable_seqscan'),
        current_setting('default_transaction_isolation'), current_setting('default_transaction_read_only'))";

    #[tokio::test]
    #[ignore = "needs a Postgres; scripts/test runs it on one"]
    async fn a_batch_is_durable_and_bounded_whatever_the_database_was_set_to() {
        let mut database = Database::create().await;
        for lax in [
            "synchronous_commit = off",
            "default_transaction_isolation = serializable",
            "default_transaction_read_only = on",
        ] {
            let lax = format!("ALTER DATABASE {} SET {lax}", database.name);
            database.admin.execute(AssertSqlSafe(lax)).await.unwrap();
        }
        let store = PostgresStore::open(std::slice::from_ref(&database.address)).await.unwrap();
        // On a new connection, and on one that was kept.
        for _ in 0..2 {
            let mut on = store.batches.begin_batch().await.unwrap();
            let told: String = query_scalar(ASKED).fetch_one(&mut *on.connection).await.unwrap();
            assert_eq!(told, "on 50ms 30s off read committed off");
            transaction::commit(&mut on.connection).await.unwrap();
            store.batches.keep(on);
        }
        let mut beside = store.writers.begin(transaction::OPENING).await.unwrap();
        let told: String = query_scalar(ASKED).fetch_one(&mut *beside).await.unwrap();
        assert_eq!(told, "off 1min 0 on serializable on");
        drop(beside);
        store.close().await;
        database.drop().await;
    }
}
