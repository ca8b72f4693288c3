//! How transactions begin and end.
//!
//! Behind a pooler no connection carries any state of its own, so that it may be handed to somebody else between two
//! transactions: every limit is set for one transaction, in the very message that begins it. So it is elsewhere, but for
//! batches: what is the same for all of them would cost each of them a tenth of its time in the database.

use sqlx::{Executor, PgConnection};

/// A batch. What it runs under is said before: [`Settings::OF_BATCHES`].
pub(super) const BATCH: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// How long a batch waits for a row that another client of the database holds.
macro_rules! impatience {
    () => {
        "lock_timeout = '50ms'"
    };
}

/// What transactions run under, over and above what the message that begins them says. A connection of our own is told once;
/// behind a pooler each transaction is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings(&'static [&'static str]);

impl Settings {
    pub(super) const NONE: Self = Self(&[]);

    /// Whatever a batch has locked it has to itself; what else it waits for is a row that another client of the database
    /// holds, and the engine would rather know soon, to go on without the command that needs it. `jit` compiles for longer
    /// than a batch runs. A plan is made once and looks every row up by its key: one that was made while a table was small
    /// would read it in full long after it has grown. A database that was set to acknowledge before the disk has it is
    /// overruled: nothing is answered before it is durable. What a batch without locks says is a transaction by itself.
    pub(super) const OF_BATCHES: Self = Self(&[
        "default_transaction_isolation = 'read committed'",
        "default_transaction_read_only = off",
        impatience!(),
        "statement_timeout = '30s'",
        "idle_in_transaction_session_timeout = '10s'",
        "jit = off",
        "plan_cache_mode = force_generic_plan",
        "enable_seqscan = off",
        "enable_hashjoin = off",
        "enable_mergejoin = off",
    ]);

    /// For as long as the connection lasts.
    pub(super) fn for_the_connection(self) -> Option<String> {
        self.said("SET ", false)
    }

    /// For the transaction that was begun.
    pub(super) fn for_the_transaction(self) -> Option<String> {
        self.said("SET LOCAL ", true)
    }

    fn said(self, set: &str, local: bool) -> Option<String> {
        let settings: Vec<String> = self.0.iter().map(|setting| [set, setting, "; "].concat()).collect();
        (!settings.is_empty()).then(|| {
            let synchronous = "replace(current_setting('synchronous_commit'), 'off', 'on')";
            format!("{}SELECT set_config('synchronous_commit', {synchronous}, {local})", settings.concat())
        })
    }
}

/// As a batch begins, once it has waited its turn.
pub(super) const IMPATIENTLY: &str = concat!("SET LOCAL ", impatience!());

/// Making locks. Nobody is told of it, so it need not be on the disk before the batch that uses them, and the log of a
/// database is written in order.
pub(super) const MAKING_LOCKS: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL lock_timeout = '3s';
    SET LOCAL statement_timeout = '30s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
    SET LOCAL synchronous_commit = off";

/// Something small that needs no order among the servers, and is as durable as a batch.
pub(super) const ASIDE: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL lock_timeout = '3s';
    SET LOCAL statement_timeout = '30s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

/// One statement that reads. `READ WRITE` first, which a standby refuses: what is read is never a replica's.
pub(super) const READ: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET TRANSACTION READ ONLY;
    SET LOCAL statement_timeout = '30s';
    SET LOCAL idle_in_transaction_session_timeout = '10s';
    SET LOCAL jit = off";

/// Statements that see one moment, and may take as long as a recount of everything takes. Never a replica's, either.
pub(super) const SNAPSHOT: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE;
    SET TRANSACTION READ ONLY;
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = '60s'";

/// One moment of everything, for as long as a copy of it takes. It lies idle while the copy is written.
pub(super) const COPIED: &str = "
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0";

/// What a copy is written in, all of it. It lies idle while the copied database is read. A database that did not look
/// would go on with the statement of a client that was killed, and keep its locks until that ends.
pub(super) const INTAKE: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL lock_timeout = '3s';
    SET LOCAL statement_timeout = 0;
    SET LOCAL idle_in_transaction_session_timeout = 0;
    SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
    SELECT set_config(name, '1s', true) FROM pg_settings WHERE name = 'client_connection_check_interval'";

/// Looking at the tables, and bringing them up to date.
pub(super) const OPENING: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL lock_timeout = '60s';
    SET LOCAL client_min_messages = warning";

/// One server brings the tables up to date; others wait for that one, and then find nothing left to do.
pub(super) const LOCK_MIGRATIONS: &str = "SELECT 1 FROM pg_advisory_xact_lock(7810771197232915)";

/// Commits what was written without an error: where the transaction was broken, a `COMMIT` would roll back and report
/// success.
pub(super) async fn commit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql("COMMIT")).await?;
    Ok(())
}

/// Leaves no transaction open, whatever state a cancelled or failed one has left: sqlx does not know of all of them,
/// and whoever borrowed the connection next would write into it. `BEGIN` first, because a lone `ROLLBACK` outside of a
/// transaction is a warning in the database's log each time.
pub(super) async fn end(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match connection.execute(sqlx::raw_sql("BEGIN; ROLLBACK")).await {
        // In a transaction that has failed, `BEGIN` is refused.
        Err(sqlx::Error::Database(_)) => connection.execute(sqlx::raw_sql("ROLLBACK")).await.map(|_| ()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}
