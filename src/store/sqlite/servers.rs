//! The list of servers on SQLite, where one is all there should be. On the probe's connection: it must not keep the
//! writer's from callers while another process holds the file.

use async_trait::async_trait;
use sqlx::{query, query_scalar};

use super::rows::json;
use super::{SqliteStore, store_error};
use crate::domain::{Timestamp, TrackingId};
use crate::store::rows::parse;
use crate::store::{RunningServer, Servers, StoreError};

const NOTE: &str = "
    INSERT INTO servers (id, name, version, rules_version, settings, started_at, seen_at)
    SELECT value ->> 'id', value ->> 'name', value ->> 'version', value ->> 'rules_version', value -> 'settings',
        value ->> 'started_at', value ->> 'seen_at'
    FROM json_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";

const FORGET: &str = "DELETE FROM servers WHERE id <> ? AND (seen_at < ? OR (name = ? AND seen_at < ?))";

const SEEN: &str = "
    SELECT json_object('id', id, 'name', name, 'version', version, 'rules_version', rules_version,
        'settings', json(settings), 'started_at', started_at, 'seen_at', seen_at)
    FROM servers WHERE seen_at >= ? ORDER BY name, id";

#[async_trait]
impl Servers for SqliteStore {
    async fn note_server(&self, server: &RunningServer, forget_before: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.probe.begin().await?;
        query(NOTE).bind(json([server])?).execute(&mut *transaction).await.map_err(store_error)?;
        query(FORGET)
            .bind(server.id.to_string())
            .bind(forget_before.0)
            .bind(&server.name)
            .bind(server.started_at.0)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn remove_server(&self, id: TrackingId) -> Result<(), StoreError> {
        let mut transaction = self.probe.begin().await?;
        query("DELETE FROM servers WHERE id = ?")
            .bind(id.to_string())
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)
    }

    async fn servers_seen(&self, since: Timestamp) -> Result<Vec<RunningServer>, StoreError> {
        let rows: Vec<String> = query_scalar(SEEN).bind(since.0).fetch_all(&self.readers).await.map_err(store_error)?;
        rows.iter().map(|row| parse(row)).collect()
    }
}
