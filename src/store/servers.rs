//! Which servers work on the database, and by what they decide.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::{Timestamp, TrackingId};

/// One run of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningServer {
    pub id: TrackingId,
    /// The machine's name and the port: what an operator knows it by.
    pub name: String,
    /// The program's.
    pub version: String,
    pub rules_version: String,
    /// The settings that decide: key and value as in the settings file.
    pub settings: BTreeMap<String, String>,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
}

/// The list of them. It decides nothing.
#[async_trait]
pub trait Servers: Send + Sync + 'static {
    /// Puts `server` on the list, or notes that it was seen again. Takes off the list who was last seen before
    /// `forget_before`, and who had its name before it started.
    async fn note_server(&self, server: &RunningServer, forget_before: Timestamp) -> Result<(), StoreError>;

    /// Takes a server off the list.
    async fn remove_server(&self, id: TrackingId) -> Result<(), StoreError>;

    /// Those seen at or after `since`, by name.
    async fn servers_seen(&self, since: Timestamp) -> Result<Vec<RunningServer>, StoreError>;
}
