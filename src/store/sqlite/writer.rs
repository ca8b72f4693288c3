//! The one connection that writes, and who has it.
//!
//! A commit there has not reached the disk yet: that is the log's concern ([`Log`]), beside whoever has the connection next.
//!
//! A batch begins its transaction with the piece of work that loads and ends it with the one that writes. Whoever has taken
//! the connection hands it back in order; one that is dropped instead, with a transaction that may be open, is closed,
//! which rolls back, and whoever comes next opens another.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::connection::{Connection, Settings};
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
    pub(super) async fn open(settings: Settings, log: Log) -> Result<Self, StoreError> {
        let first = Connection::open(settings.clone()).await?;
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
                let connection = Connection::open(self.settings.clone()).await?;
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
        let mut slot = self.slot.lock().await;
        if let Slot::Idle(connection) = std::mem::replace(&mut *slot, Slot::Closed) {
            connection.close().await;
        }
    }
}

/// The connection, and with it the right to write.
pub(super) struct Writing {
    connection: Connection,
    slot: OwnedMutexGuard<Slot>,
    log: Log,
    turn: u64,
}

impl Writing {
    /// Where nothing was committed.
    pub(super) fn hand_back(mut self) {
        *self.slot = Slot::Idle(self.connection);
        self.log.end_turn(self.turn);
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

impl Deref for Writing {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
