//! One host, and the connections to it: directly, or through a pooler.

use std::pin::pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{fmt, io};

use futures_util::future::join;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqlSafeStr, SqlStr};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::store::postgres::transaction::{self, Settings};

/// How long a host may take to give a connection. In a pool that is in order it takes a millisecond; only a database that
/// starts, or is gone, takes longer, and then callers wait for a 503. Several hosts are asked in turn for as long.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a host that lives may take to begin a transaction: longer than a connection and a lock take together.
pub(super) const BEGIN_TIMEOUT: Duration = Duration::from_secs(6);

/// Whoever has waited for this long looks whether the host lives at all.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// A host that lives accepts a connection and answers within this time.
const LIVES_WITHIN: Duration = Duration::from_secs(2);

/// Whole seconds since the database was started.
const UPTIME: &str = "SELECT floor(extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()))::bigint";

/// How long a stop waits for connections that are still at work.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(6);

/// Where nobody asks, a connection is closed before somebody in between forgets it without a word to either side.
const IDLE_FOR: Duration = Duration::from_secs(60);

/// Connections are renewed, so that they find the host that a name or a pooler leads to by now.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// A start-up parameter that nothing of ours depends on, with a value that is nobody's default. A pooler does not pass it
/// on: pgbouncer refuses it, or drops it where it is told to.
const MARK: i8 = 3;
const IS_MARKED: &str = "SELECT current_setting('extra_float_digits') = '3'";

/// In the message that begins a transaction behind a pooler: whatever is prepared on this connection, by whomever.
const FORGET_STATEMENTS: &str = "; DEALLOCATE ALL";

/// How long one of several hosts may take to accept a connection before the next is asked.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(super) struct Host {
    name: String,
    port: u16,
    /// Whether it is reached by a file of this machine.
    is_local: bool,
    direct: PgPool,
    /// Prepares each statement anew.
    pooled: PgPool,
    /// Whether there is a pooler in between.
    is_pooled: Arc<AtomicBool>,
    /// Whether that is to be found out; else the address has said it.
    finds_out: bool,
    settings: Settings,
}

impl Host {
    pub(super) fn new(
        address: &str,
        most: u32,
        settings: Settings,
        opened: &Arc<AtomicUsize>,
    ) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::from_str(address)?.application_name("vna-partner");
        let said = statement_cache_capacity(address);
        let is_pooled = Arc::new(AtomicBool::new(said.as_deref() == Some("0")));
        let finds_out = said.is_none();
        let (name, port) = (options.get_host().to_owned(), options.get_port());
        let is_local = options.get_socket().is_some() || name.starts_with('/');
        Ok(Self {
            direct: direct(options.clone(), most, settings, finds_out, &is_pooled, opened),
            pooled: pooled(options, most),
            name,
            port,
            is_local,
            is_pooled,
            finds_out,
            settings,
        })
    }

    /// The same host over connections of its own, with all that is known of it.
    pub(super) fn apart(&self, most: u32, opened: &Arc<AtomicUsize>) -> Self {
        let options = PgConnectOptions::clone(&self.direct.connect_options());
        Self {
            direct: direct(options.clone(), most, self.settings, self.finds_out, &self.is_pooled, opened),
            pooled: pooled(options, most),
            ..self.clone()
        }
    }

    /// A connection to a host that does not answer any more is never given back.
    pub(super) async fn close(&self) {
        if timeout(CLOSE_TIMEOUT, join(self.direct.close(), self.pooled.close())).await.is_err() {
            tracing::warn!(host = %self, "some connections did not end in order");
        }
    }

    /// Asks only while there is no connection yet that could be used.
    pub(super) async fn accepts_connections(&self) -> Result<(), sqlx::Error> {
        if self.is_local || self.direct.num_idle() > 0 || self.pooled.num_idle() > 0 {
            return Ok(());
        }
        let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect((self.name.as_str(), self.port)));
        connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        Ok(())
    }

    pub(super) async fn take_once<T, Taken>(
        &self,
        begin: &'static str,
        take: &impl Fn(PgPool, SqlStr) -> Taken,
    ) -> Result<T, sqlx::Error>
    where
        Taken: Future<Output = Result<T, sqlx::Error>>,
    {
        if !self.is_pooled() {
            let taken = self.answered(take(self.direct.clone(), begin.into_sql_str())).await;
            if self.finds_out && matches!(&taken, Err(error) if is_a_poolers(error)) {
                self.is_pooled.store(true, Ordering::Relaxed);
            }
            // The connection that has just been made may have found a pooler.
            if !self.is_pooled() {
                return taken;
            }
        }
        let settings = self.settings.for_the_transaction().map_or_else(String::new, |said| ["; ", &said].concat());
        let begin = AssertSqlSafe([begin, &settings, FORGET_STATEMENTS].concat()).into_sql_str();
        self.answered(take(self.pooled.clone(), begin)).await
    }

    pub(super) async fn answered<T>(
        &self,
        taking: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.while_it_lives(taking, BEGIN_TIMEOUT)
            .await
            .unwrap_or_else(|| Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "it does not answer"))))
    }

    /// What `work` comes to; `None` where this host has died since it was begun, or takes longer than `at_most`. A
    /// connection that it leaves in mid-word is brought in order before it is used again.
    pub(super) async fn while_it_lives<T>(&self, work: impl Future<Output = T>, at_most: Duration) -> Option<T> {
        let began = Instant::now();
        let mut work = pin!(work);
        loop {
            if let Ok(done) = timeout(LOOKS_EVERY, &mut work).await {
                return Some(done);
            }
            let goes_on = tokio::select! {
                biased;
                done = &mut work => return Some(done),
                lives = self.has_lived_since(began) => lives && began.elapsed() < at_most,
            };
            if !goes_on {
                return None;
            }
        }
    }

    /// Asked on a connection of its own. One that was started anew knows nothing of the connections that were.
    async fn has_lived_since(&self, moment: Instant) -> bool {
        let options = if self.is_pooled() { self.pooled.connect_options() } else { self.direct.connect_options() };
        let asking = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            let uptime: i64 = connection.fetch_one(sqlx::raw_sql(UPTIME)).await?.try_get(0)?;
            Ok(u64::try_from(uptime).unwrap_or_default())
        };
        match timeout(LIVES_WITHIN, asking).await {
            Ok(Ok(uptime)) => uptime >= moment.elapsed().as_secs(),
            // It lives, and is full.
            Ok(Err(sqlx::Error::Database(error))) => error.code().as_deref() == Some("53300"),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// Connections with nobody in between, unless a pooler is found; each is counted in `opened`.
fn direct(
    options: PgConnectOptions,
    most: u32,
    settings: Settings,
    finds_out: bool,
    is_pooled: &Arc<AtomicBool>,
    opened: &Arc<AtomicUsize>,
) -> PgPool {
    let (found_pooled, opened) = (is_pooled.clone(), opened.clone());
    let told = pool_options(most).after_connect(move |connection, _| {
        opened.fetch_add(1, Ordering::Relaxed);
        let is_pooled = found_pooled.clone();
        Box::pin(async move {
            // Outside of a transaction nothing may be prepared: a pooler could run it on another connection.
            if finds_out && !connection.fetch_one(sqlx::raw_sql(IS_MARKED)).await?.try_get(0)? {
                is_pooled.store(true, Ordering::Relaxed);
                return Ok(());
            }
            if let Some(said) = settings.for_the_connection() {
                connection.execute(sqlx::raw_sql(AssertSqlSafe(said))).await?;
            }
            Ok(())
        })
    });
    told.connect_lazy_with(options.extra_float_digits(MARK))
}

fn pooled(options: PgConnectOptions, most: u32) -> PgPool {
    pool_options(most).connect_lazy_with(options.extra_float_digits(None).statement_cache_capacity(0))
}

fn pool_options(most: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(MAX_LIFETIME)
        .idle_timeout(IDLE_FOR)
        // `begin` finds out by itself: a question before every batch would cost each a round trip.
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async move {
                transaction::end(connection).await?;
                Ok(true)
            })
        })
}

/// How many prepared statements a connection keeps, where the address says so.
fn statement_cache_capacity(address: &str) -> Option<String> {
    let address = url::Url::parse(address).ok()?;
    address.query_pairs().find(|(name, _)| name == "statement-cache-capacity").map(|(_, value)| value.into_owned())
}

/// The connection is dead: another one to the same host may do.
pub(super) fn is_stale(error: &sqlx::Error) -> bool {
    match error {
        // Each of the others would have to be waited for as long.
        sqlx::Error::Io(error) => error.kind() != io::ErrorKind::TimedOut,
        sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("08") || ["57P01", "57P02", "57P03"].contains(&code.as_ref())),
        _ => false,
    }
}

/// What pgbouncer reports of itself; Postgres hardly ever uses that code.
fn is_a_poolers(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("08P01"))
}
