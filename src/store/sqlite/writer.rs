//! The one connection that writes, and who has it.
//!
//! A commit there has not reached the disk yet: that is the log's concern ([`Log`]), beside whoever has the connection next.
//!
//! Whoever has taken the connection hands it back in order; one that is dropped instead, with a transaction that may be open,
//! is closed, which rolls back, and whoever comes next opens another.

use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::connection::{self, Settings};
use super::log::Log;
use crate::store::{Durability, StoreError};

#[derive(Debug, Clone)]
pub(super) struct Writer {
    settings: Settings,
    slot: Arc<Mutex<Slot>>,
    log: Log,
}

#[derive(Debug)]
enum Slot {
    Idle(Connection),
    /// It was not handed back.
    Gone,
    Closed,
}

impl Writer {
    pub(super) fn open(settings: Settings, log: Log) -> Result<Self, StoreError> {
        let first = connection::open(&settings)?;
        Ok(Self { settings, slot: Arc::new(Mutex::new(Slot::Idle(first))), log })
    }

    /// Waits until nobody else has the connection.
    pub(super) async fn take(&self) -> Result<Writing, StoreError> {
        let mut writing = self.take_to_commit_nothing().await?;
        writing.turn = self.log.begin_turn();
        Ok(writing)
    }

    /// The same for who only keeps others from writing.
    pub(super) async fn take_to_commit_nothing(&self) -> Result<Writing, StoreError> {
        let mut slot = self.slot.clone().lock_owned().await;
        let connection = match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Idle(connection) => connection,
            Slot::Gone => {
                let connection = connection::open(&self.settings)?;
                self.log.reopen().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                connection
            }
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(StoreError::Unavailable("the store was closed".to_owned()));
            }
        };
        Ok(Writing { connection, slot, log: self.log.clone(), turn: 0 })
    }

    pub(super) async fn close(&self) {
        if let Slot::Idle(connection) = std::mem::replace(&mut *self.slot.lock().await, Slot::Closed)
            && let Err((_, error)) = connection.close()
        {
            tracing::debug!(%error, "the writer's connection was not closed in order");
        }
    }
}

/// The connection, and with it the right to write. Who drops it has it closed before the next may write.
pub(super) struct Writing {
    pub(super) connection: Connection,
    slot: OwnedMutexGuard<Slot>,
    log: Log,
    turn: u64,
}

impl Writing {
    /// Where nothing was committed.
    pub(super) fn hand_back(self) {
        let Self { connection, mut slot, log, turn } = self;
        *slot = Slot::Idle(connection);
        log.end_turn(turn);
    }

    /// Where something was: nobody may hear of it before it is durable.
    pub(super) fn hand_back_committed(self) -> Durability {
        let log = self.log.clone();
        self.hand_back();
        Durability::after(async move {
            log.sync().await;
            Ok(())
        })
    }
}
