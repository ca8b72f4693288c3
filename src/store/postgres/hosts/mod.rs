//! Connections to the one of several hosts that takes writes.
//!
//! The host that served last is asked first, then the others in turn. Every transaction begins by asking for `READ WRITE`,
//! which a standby refuses: so after a failover the next host is found without anybody being told, and a connection
//! whose host has become a standby meanwhile serves nothing. (A batch without locks begins none: a standby refuses what it
//! writes, and then it begins one.)
//!
//! A pooler between us and the host may run each transaction on another of its connections, where a prepared statement
//! of ours is missing or somebody else's has its name. It is found out when it is connected to, and then no statement and
//! no setting outlives its transaction (`docs/operating.md`).

mod host;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;
use sqlx::{Executor, Postgres, SqlStr, Transaction};
use tokio::time::Instant;

use self::host::{ACQUIRE_TIMEOUT, BEGIN_TIMEOUT, Host, is_stale};
use super::transaction::Settings;
use super::{store_error, transaction};
use crate::store::StoreError;

/// Between two rounds over several hosts none of which serves.
const NEXT_ROUND_AFTER: Duration = Duration::from_millis(50);

/// How long a host that lives may take for anything else: longer than its own `statement_timeout`. Only a commit that
/// waits for a standby takes longer, and what becomes of it is then not known.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(35);

/// How long a connection goes from batch to batch before its pool has it again, which renews it when it is old.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Of a connection on which nothing was said for longer, somebody in between may have forgotten that there is one.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);

/// How long a connection that has answered is thought to be in order.
const IN_ORDER_FOR: Duration = Duration::from_secs(1);

/// The hosts, in the order in which they are named.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    hosts: Arc<[Host]>,
    /// The place of the host that served last.
    serving: Arc<AtomicUsize>,
    most: u32,
    kept: Arc<Mutex<Vec<BatchConnection>>>,
    /// How many connections were ever opened.
    opened: Arc<AtomicUsize>,
}

/// Where something was learned. As long as no connection was opened, those that are left prove that the database has lived on;
/// a new one may lead to one that was restored, or that has lost its last commits, and numbers its transactions anew from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Origin {
    host: usize,
    opened: usize,
}

/// A connection that goes from batch to batch. Where it is given up instead, its pool makes sure that no transaction is
/// left open on it; that is a round trip, too dear for every batch.
#[derive(Debug)]
pub(super) struct BatchConnection {
    pub connection: PoolConnection<Postgres>,
    /// The place of its host.
    pub host: usize,
    since: Instant,
    /// When it last answered.
    pub heard_at: Instant,
}

impl BatchConnection {
    /// So lately that it is likely to be in order.
    pub(super) fn was_heard_lately(&self) -> bool {
        self.heard_at.elapsed() < IN_ORDER_FOR
    }

    /// Gives it back to its pool, which waits for it to end what it was at: so one that may be dead is closed instead.
    fn give_up(self) {
        if self.heard_at.elapsed() >= REMEMBERED_FOR {
            self.close();
        }
    }

    /// Where it does not answer, and no commit waits for a standby on it.
    pub(super) fn close(mut self) {
        self.connection.close_on_drop();
    }
}

impl Hosts {
    /// Connects when first asked, with at most `most` connections to each of `addresses`.
    pub(super) fn new(addresses: &[String], most: u32) -> Result<Self, StoreError> {
        Self::with_settings(addresses, most, Settings::NONE)
    }

    fn with_settings(addresses: &[String], most: u32, settings: Settings) -> Result<Self, StoreError> {
        let opened = Arc::default();
        let hosts: Result<Arc<[Host]>, sqlx::Error> =
            addresses.iter().map(|address| Host::new(address, most, settings, &opened)).collect();
        Ok(Self { hosts: hosts.map_err(store_error)?, serving: Arc::default(), most, kept: Arc::default(), opened })
    }

    /// Other connections to the same hosts, for batches, which share the knowledge of who serves.
    pub(super) fn for_batches(&self, addresses: &[String], most: u32) -> Result<Self, StoreError> {
        let hosts = Self::with_settings(addresses, most, Settings::OF_BATCHES)?;
        Ok(Self { serving: self.serving.clone(), ..hosts })
    }

    /// Other connections to the same hosts, at most `most` to each, for the runtime that this is called on. Everything that is
    /// known of the hosts is shared, and [where](Origin) something was learned.
    pub(super) fn apart(&self, most: u32) -> Self {
        let hosts = self.hosts.iter().map(|host| host.apart(most, &self.opened)).collect();
        Self { hosts, most, kept: Arc::default(), serving: self.serving.clone(), opened: self.opened.clone() }
    }

    /// Begins a transaction that is rolled back when it is dropped.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<Transaction<'static, Postgres>, StoreError> {
        let (_, begun) = self.serving_host(begin, |pool, begin| async move { pool.begin_with(begin).await }).await?;
        Ok(begun)
    }

    /// A connection [for batches](Self::for_batches) on which a transaction was begun. It is kept once that has ended, or else
    /// ends it when it is dropped.
    pub(super) async fn begin_batch(&self) -> Result<BatchConnection, StoreError> {
        if let Some(mut kept) = self.take_kept()
            && let Some(host) = self.hosts.get(kept.host)
        {
            if host.answered(kept.connection.execute(sqlx::raw_sql(transaction::BATCH))).await.is_ok() {
                kept.heard_at = Instant::now();
                return Ok(kept);
            }
            // Another one is looked for as ever.
            kept.close();
        }
        let (host, connection) = self
            .serving_host(transaction::BATCH, |pool, begin| async move {
                let mut connection = pool.acquire().await?;
                let begun = connection.execute(sqlx::raw_sql(begin)).await;
                if begun.is_err() {
                    // One to a standby would outlive its promotion, which is another history: see [`Origin`].
                    connection.close_on_drop();
                }
                begun.map(|_| connection)
            })
            .await?;
        let now = Instant::now();
        Ok(BatchConnection { connection, host, since: now, heard_at: now })
    }

    /// A connection that was kept, to a host without a pooler. Nothing is begun on it, and it may be dead.
    pub(super) fn take_kept(&self) -> Option<BatchConnection> {
        let serving = self.serving();
        let mut kept = self.kept();
        let is_pooled = self.hosts.get(serving).is_none_or(Host::is_pooled);
        let serves = |kept: &BatchConnection| kept.host == serving && !is_pooled && kept.since.elapsed() < KEPT_FOR;
        kept.extract_if(.., |kept| !serves(kept)).for_each(BatchConnection::give_up);
        kept.pop()
    }

    /// Takes a connection back on which the batch has ended in order.
    pub(super) fn keep(&self, connection: BatchConnection) {
        // Behind a pooler, what was prepared has to be forgotten.
        if self.hosts.get(connection.host).is_some_and(|host| !host.is_pooled()) {
            self.kept().push(connection);
        }
    }

    /// What is learned from this connection is of that.
    pub(super) fn origin(&self, connection: &BatchConnection) -> Origin {
        Origin { host: connection.host, opened: self.opened.load(Ordering::Relaxed) }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<BatchConnection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of the host that serves, and what `take` makes of its pool. `take` writes nothing, so it may be tried again, and
    /// whatever state it leaves when it is given up is ended before the connection is used again.
    async fn serving_host<T, Taken>(
        &self,
        begin: &'static str,
        take: impl Fn(PgPool, SqlStr) -> Taken,
    ) -> Result<(usize, T), StoreError>
    where
        Taken: Future<Output = Result<T, sqlx::Error>>,
    {
        let asked_until = Instant::now() + ACQUIRE_TIMEOUT;
        loop {
            let first = self.serving();
            let mut refusals: Vec<String> = Vec::new();
            for place in (first..self.hosts.len()).chain(0..first) {
                let Some(host) = self.hosts.get(place) else { continue };
                match self.take_of(host, begin, &take).await {
                    Ok(taken) => {
                        if self.serving.swap(place, Ordering::Relaxed) != place {
                            tracing::warn!(%host, "another host of the database serves from now on");
                        }
                        return Ok((place, taken));
                    }
                    Err(error) => refusals.push(self.why(host, error)),
                }
            }
            if !self.are_several() || Instant::now() >= asked_until {
                return Err(StoreError::Unavailable(refusals.join("; ")));
            }
            tokio::time::sleep(NEXT_ROUND_AFTER).await;
        }
    }

    async fn take_of<T, Taken>(
        &self,
        host: &Host,
        begin: &'static str,
        take: &impl Fn(PgPool, SqlStr) -> Taken,
    ) -> Result<T, sqlx::Error>
    where
        Taken: Future<Output = Result<T, sqlx::Error>>,
    {
        // The pool would knock at a door that is shut until its time is up, while another host may serve.
        if self.are_several() {
            host.accepts_connections().await?;
        }
        let mut stale_left = self.most;
        loop {
            match host.take_once(begin, take).await {
                // A restart of the database leaves a pool of dead connections: each is found out and closed by being
                // used.
                Err(error) if stale_left > 0 && is_stale(&error) => stale_left -= 1,
                taken => return taken,
            }
        }
    }

    fn are_several(&self) -> bool {
        self.hosts.len() > 1
    }

    /// Why a host does not serve; with its name where there are others.
    fn why(&self, host: &Host, error: sqlx::Error) -> String {
        let why = match error {
            sqlx::Error::PoolTimedOut => {
                format!("no connection within {} s; it is down, starting, or full", ACQUIRE_TIMEOUT.as_secs())
            }
            error => match store_error(error) {
                StoreError::Unavailable(why)
                | StoreError::Conflict(why)
                | StoreError::Held(why)
                | StoreError::Overtaken(why)
                | StoreError::Outdated(why)
                | StoreError::NeedsLocks(why)
                | StoreError::Corrupt(why) => why,
            },
        };
        if self.are_several() { format!("{host}: {why}") } else { why }
    }

    /// The place of the host that served last.
    pub(super) fn serving(&self) -> usize {
        self.serving.load(Ordering::Relaxed)
    }

    /// What `work` comes to, which waits for the host that serves.
    pub(super) async fn watch<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.watch_host(self.serving(), work).await
    }

    /// What `work` comes to, which waits for the host at `place`. Where that has died it is not waited for: a machine that
    /// is gone closes no connection, so nothing else ever says so. What became of the work is not known then.
    pub(super) async fn watch_host<T>(
        &self,
        place: usize,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Some(host) = self.hosts.get(place) else { return work.await };
        if let Some(done) = host.while_it_lives(work, ANSWER_TIMEOUT).await {
            return done;
        }
        // The next in turn is asked first, rather than one that has to be waited for once more.
        let next = (place + 1) % self.hosts.len();
        _ = self.serving.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
        Err(StoreError::Unavailable(format!("{host} does not answer any more")))
    }

    /// What the first word on a connection to the host at `place` comes to, which is waited for as a transaction's beginning is.
    pub(super) async fn watch_first_word<T>(
        &self,
        place: usize,
        word: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Some(host) = self.hosts.get(place) else { return word.await };
        let answered = host.while_it_lives(word, BEGIN_TIMEOUT).await;
        answered.unwrap_or_else(|| Err(StoreError::Unavailable(format!("{host} does not answer"))))
    }

    pub(super) async fn close(&self) {
        self.kept().drain(..).for_each(BatchConnection::give_up);
        join_all(self.hosts.iter().map(Host::close)).await;
    }
}
