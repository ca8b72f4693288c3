//! Connections to the one of several hosts that takes writes.
//!
//! A pool per host; the host that served last is asked first. A standby is refused when it is connected to, so that
//! after a failover the next host in turn is found without anybody being told.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Executor, Postgres, Row, Transaction};

use super::{store_error, transaction};
use crate::store::StoreError;

/// How long one host may take to give a connection before the next is asked. In a pool that is in order it takes a
/// millisecond; only a database that starts, or is gone, takes longer, and then callers wait for a 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connections are renewed, so that they find the host that a name or a pooler leads to by now.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// One pool per host.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    pools: Vec<PgPool>,
    /// The place of the host that served last.
    serving: Arc<AtomicUsize>,
    most: u32,
}

impl Hosts {
    /// Connects when first asked, with at most `most` connections to each of `addresses`.
    pub(super) fn new(addresses: &[String], most: u32) -> Result<Self, StoreError> {
        let pools: Result<Vec<PgPool>, sqlx::Error> = addresses.iter().map(|address| pool(address, most)).collect();
        Ok(Self { pools: pools.map_err(store_error)?, serving: Arc::default(), most })
    }

    /// Begins a transaction that is rolled back when it is dropped.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<Transaction<'static, Postgres>, StoreError> {
        self.serving_host(|pool| async move { pool.begin_with(begin).await }).await
    }

    /// A connection on which a batch was begun. It is ended by [`transaction::commit`], or else when it is returned.
    pub(super) async fn begin_batch(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        self.serving_host(|pool| async move {
            let mut connection = pool.acquire().await?;
            connection.execute(sqlx::raw_sql(transaction::BATCH)).await?;
            Ok(connection)
        })
        .await
    }

    /// What `take` makes of the pool of the host that serves. `take` writes nothing, so it may be tried again.
    async fn serving_host<T, Taken>(&self, take: impl Fn(PgPool) -> Taken) -> Result<T, StoreError>
    where
        Taken: Future<Output = Result<T, sqlx::Error>>,
    {
        let first = self.serving.load(Ordering::Relaxed);
        let mut refusal = StoreError::Unavailable("no host is named".to_owned());
        for place in (first..self.pools.len()).chain(0..first) {
            let Some(pool) = self.pools.get(place) else { continue };
            // A restart of the database leaves a pool of dead connections: each is found out and closed by being used.
            for _ in 0..=self.most {
                match take(pool.clone()).await {
                    Ok(taken) => {
                        self.serving.store(place, Ordering::Relaxed);
                        return Ok(taken);
                    }
                    Err(error) => {
                        let stale = is_stale(&error);
                        refusal = store_error(error);
                        if !stale {
                            break;
                        }
                    }
                }
            }
        }
        Err(refusal)
    }

    pub(super) async fn close(&self) {
        for pool in &self.pools {
            pool.close().await;
        }
    }
}

fn pool(address: &str, most: u32) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(address)?.application_name("vna-partner");
    Ok(PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(MAX_LIFETIME)
        // `begin` finds out by itself: a question before every batch would cost each a round trip.
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                // Outside of a transaction nothing may be prepared: a pooler could run it on another connection.
                let row = connection.fetch_one(sqlx::raw_sql("SELECT pg_is_in_recovery()")).await?;
                if row.try_get(0)? { Err(sqlx::Error::Configuration("this host is a standby".into())) } else { Ok(()) }
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                transaction::end(connection).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

/// The connection is dead, or its host takes no writes any more (25006): another one may do.
fn is_stale(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || ["57P01", "57P02", "57P03", "25006"].contains(&code.as_ref())
        }),
        _ => false,
    }
}
