//! Databases on the cluster that the script has started.

use anyhow::ensure;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::arguments::Arguments;

/// Makes a new database and returns its address; one of that name is dropped.
pub async fn create(arguments: &Arguments, name: &str) -> anyhow::Result<String> {
    ensure!(!arguments.postgres.is_empty(), "--postgres is needed; scripts/bench starts one");
    let mut connection = PgConnection::connect(&format!("{}/postgres", arguments.postgres)).await?;
    for statement in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    }
    for (setting, wanted) in [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut connection).await?;
        ensure!(value == wanted, "{setting} is {value}: nothing durable would be measured");
    }
    connection.close().await?;
    Ok(format!("{}/{name}", arguments.postgres))
}

pub async fn drop(arguments: &Arguments, name: &str) -> anyhow::Result<()> {
    execute(&format!("{}/postgres", arguments.postgres), format!("DROP DATABASE {name} WITH (FORCE)")).await
}

/// MiB.
pub async fn size(database: &str) -> anyhow::Result<u64> {
    let mut connection = PgConnection::connect(database).await?;
    let bytes: i64 =
        sqlx::query_scalar("SELECT pg_database_size(current_database())").fetch_one(&mut connection).await?;
    Ok(u64::try_from(bytes)? / 1_048_576)
}

/// What a reader wants to know of the cluster.
pub async fn described(arguments: &Arguments) -> anyhow::Result<String> {
    let mut connection = PgConnection::connect(&format!("{}/postgres", arguments.postgres)).await?;
    let settings: Vec<String> = sqlx::query_scalar(
        "SELECT name || '=' || current_setting(name) FROM pg_settings
         WHERE name IN ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers',
             'max_wal_size', 'wal_sync_method') ORDER BY name",
    )
    .fetch_all(&mut connection)
    .await?;
    Ok(settings.join(", "))
}

/// Runs statements that answer nothing.
pub async fn execute(database: &str, statements: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(database).await?;
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
