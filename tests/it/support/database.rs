//! A fresh database per test, of the kind that this run of the tests is about.
//!
//! `VNA_TEST_STORE` says which; for `postgres` there is a cluster at `VNA_TEST_POSTGRES`, where each test gets a database
//! copied from one with the tables in it. `scripts/test` starts a throw-away cluster and sets both.

use std::thread;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use vna_partner::clock;
use vna_partner::store::Store;
use vna_partner::store::postgres::PostgresStore;

/// A database of its own, and a folder beside it; both are removed when it is dropped.
pub struct Database {
    pub url: String,
    pub folder: TempDir,
    cluster: Option<(String, String)>,
}

impl Database {
    pub async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        match variable("VNA_TEST_STORE").as_deref().unwrap_or("sqlite") {
            "sqlite" => Self::sqlite(folder),
            "postgres" => {
                let cluster = variable("VNA_TEST_POSTGRES").unwrap();
                let name = fresh_name();
                let copy = format!("CREATE DATABASE {name} TEMPLATE {}", template(&cluster).await);
                administer(&cluster, copy).await;
                Self { url: format!("{cluster}/{name}"), folder, cluster: Some((cluster, name)) }
            }
            other => panic!("VNA_TEST_STORE is `{other}`; there are sqlite and postgres"),
        }
    }

    /// An SQLite file, whatever this run is about.
    pub fn file() -> Self {
        Self::sqlite(tempfile::tempdir().unwrap())
    }

    fn sqlite(folder: TempDir) -> Self {
        let url = format!("sqlite://{}", folder.path().join("books.db").display());
        Self { url, folder, cluster: None }
    }

    pub fn is_sqlite(&self) -> bool {
        self.cluster.is_none()
    }

    /// Statements that the program itself never makes.
    pub async fn run(&self, sql: &str) -> Result<(), sqlx::Error> {
        let statements = sqlx::raw_sql(AssertSqlSafe(sql));
        if self.is_sqlite() {
            SqliteConnection::connect(&self.url).await?.execute(statements).await?;
        } else {
            PgConnection::connect(&self.url).await?.execute(statements).await?;
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let Some((cluster, name)) = self.cluster.take() else { return };
        let remove = async move { administer(&cluster, format!("DROP DATABASE {name} WITH (FORCE)")).await };
        // The test's own runtime may be ending.
        let removal = thread::spawn(|| {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(remove);
        });
        drop(removal.join());
    }
}

/// The database with the tables in it, made once per process.
async fn template(cluster: &str) -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let made = TEMPLATE.get_or_init(async || {
        let name = fresh_name();
        administer(cluster, format!("CREATE DATABASE {name}")).await;
        PostgresStore::open(&[format!("{cluster}/{name}")]).await.unwrap().close().await;
        name
    });
    made.await
}

async fn administer(cluster: &str, statement: String) {
    let mut connection = PgConnection::connect(&format!("{cluster}/postgres")).await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
    connection.close().await.unwrap();
}

fn fresh_name() -> String {
    format!("test_{}", clock::fresh_id().0.simple())
}

#[expect(clippy::disallowed_methods, reason = "the run's own switches, not settings of the product")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
