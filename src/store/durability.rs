//! From a commit to the disk.

use std::fmt;

use futures_util::future::BoxFuture;

use super::StoreError;

/// When a commit is durable. Nobody may hear of what was committed before that; what is committed later may be written
/// meanwhile.
#[must_use]
pub enum Durability {
    Reached,
    Awaited(BoxFuture<'static, Result<(), StoreError>>),
}

impl Durability {
    pub fn after(wait: impl Future<Output = Result<(), StoreError>> + Send + 'static) -> Self {
        Self::Awaited(Box::pin(wait))
    }

    /// # Errors
    /// [`StoreError::Unavailable`] where it is not known to be durable, and never will be.
    pub async fn reached(self) -> Result<(), StoreError> {
        match self {
            Self::Reached => Ok(()),
            Self::Awaited(wait) => wait.await,
        }
    }
}

impl fmt::Debug for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reached => "Reached",
            Self::Awaited(_) => "Awaited",
        })
    }
}
