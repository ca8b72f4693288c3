//! The one connection that writes, and who has it.
//!
//! A commit there has not reached the disk yet: that is the log's concern ([`Log`]), beside whoever has the connection next.
//!
//! A batch begins its transaction with the piece of work that loads and ends it with the one that writes. Whoever has taken
//! the connection hands it back in order; one that is dropped instead, with a transaction that may be open, is closed,
//! which rolls back, and whoever comes next waits for that and opens another.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::connection::{Closed, Connection, Settings, broke_off};
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
    /// It was not handed back, and may still be at what it was told to do.
    Ending(Closed),
    /// There is none.
    Gone,
    Closed,
}

impl Slot {
    /// Waits until a connection that was not handed back is closed: whoever comes next writes after it.
    async fn settle(&mut self) {
        if let Self::Ending(closed) = self {
            _ = closed.await;
            *self = Self::Gone;
        }
    }
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
        slot.settle().await;
        let connection = match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Idle(connection) => connection,
            Slot::Gone | Slot::Ending(_) => {
                let connection = Connection::open(self.settings.clone()).await?;
                self.log.reopen().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                connection
            }
            Slot::Closed => {
                *slot = Slot::Closed;
                return Err(StoreError::Unavailable("the store was closed".to_owned()));
            }
        };
        Ok(Writing { connection: Some(connection), slot, log: self.log.clone(), turn: 0 })
    }

    pub(super) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        slot.settle().await;
        if let Slot::Idle(connection) = std::mem::replace(&mut *slot, Slot::Closed) {
            _ = connection.close().await;
        }
    }
}

/// The connection, and with it the right to write.
pub(super) struct Writing {
    /// Until it is handed back.
    connection: Option<Connection>,
    slot: OwnedMutexGuard<Slot>,
    log: Log,
    turn: u64,
}

impl Writing {
    /// See [`Connection::run`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.connection.as_ref().ok_or_else(broke_off)?.run(work).await
    }

    /// Where nothing was committed.
    pub(super) fn hand_back(mut self) {
        if let Some(connection) = self.connection.take() {
            *self.slot = Slot::Idle(connection);
        }
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

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            *self.slot = Slot::Ending(connection.close());
        }
    }
}
