//! The list of servers on Postgres.

use async_trait::async_trait;
use sqlx::{query, query_scalar};

use super::PostgresStore;
use super::rows::json;
use crate::domain::{Timestamp, TrackingId};
use crate::store::rows::parse;
use crate::store::{RunningServer, Servers, StoreError};

/// `SKIP LOCKED`: two servers that forget the same ones at once must not wait for each other.
const NOTE: &str = "
    WITH noted AS (
        SELECT * FROM json_populate_recordset(NULL::servers, $1::json)),
    forgotten AS (
        DELETE FROM servers WHERE id IN (
            SELECT s.id FROM servers s CROSS JOIN noted n
            WHERE s.id <> n.id AND (s.seen_at < $2 OR (s.name = n.name AND s.seen_at < n.started_at))
            FOR UPDATE OF s SKIP LOCKED))
    INSERT INTO servers SELECT * FROM noted ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";

#[async_trait]
impl Servers for PostgresStore {
    async fn note_server(&self, server: &RunningServer, forget_before: Timestamp) -> Result<(), StoreError> {
        self.write_aside(query(NOTE).bind(json([server])?).bind(forget_before.0)).await
    }

    async fn remove_server(&self, id: TrackingId) -> Result<(), StoreError> {
        self.write_aside(query("DELETE FROM servers WHERE id = $1::uuid").bind(id.to_string())).await
    }

    async fn servers_seen(&self, since: Timestamp) -> Result<Vec<RunningServer>, StoreError> {
        let seen = query_scalar("SELECT row_to_json(servers)::text FROM servers WHERE seen_at >= $1 ORDER BY name, id");
        let rows: Vec<String> = self.read(seen.bind(since.0)).await?;
        rows.iter().map(|row| parse(row)).collect()
    }
}
