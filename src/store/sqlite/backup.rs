//! A backup of the file while others write to it.
//!
//! `VACUUM INTO` writes all that was committed before it began into another file, from one read transaction. It does not
//! wait for the disk, so that is done here; and the backup gets its name last, so that what has the name is whole.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, query, query_scalar};

use super::{SqliteStore, create_private, store_error};
use crate::store::StoreError;

impl SqliteStore {
    /// Writes a backup to `to`, its owner's alone; its size in bytes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where something is there already; [`StoreError::Corrupt`] where the database's own check
    /// finds the backup wrong; [`StoreError::Unavailable`] where it cannot be written. Nothing has the name `to` then.
    pub async fn back_up(&self, to: &Path) -> Result<u64, StoreError> {
        if fs::exists(to).map_err(unwritable)? {
            return Err(StoreError::Conflict("there is something of this name already".to_owned()));
        }
        let part = unfinished(to);
        let written = self.write_backup(&part).await;
        let named = match written {
            Ok(()) => finish(&part, to),
            Err(error) => Err(error),
        };
        if named.is_err() {
            // What went wrong is told; what is left over is removed by the next backup if it cannot be now.
            _ = fs::remove_file(&part);
        }
        named
    }

    async fn write_backup(&self, part: &Path) -> Result<(), StoreError> {
        match fs::remove_file(part) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unwritable(error)),
            _ => create_private(part)?,
        }
        let name = part.to_str().ok_or_else(|| StoreError::Unavailable("its name is no text".to_owned()))?;
        query("VACUUM INTO ?").bind(name).execute(&self.readers).await.map_err(store_error)?;
        let mut backup =
            SqliteConnectOptions::new().filename(part).read_only(true).connect().await.map_err(store_error)?;
        let verdict: String =
            query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut backup).await.map_err(store_error)?;
        backup.close().await.map_err(store_error)?;
        if verdict == "ok" { Ok(()) } else { Err(StoreError::Corrupt("the backup does not hold together".to_owned())) }
    }
}

fn unfinished(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Waits for the disk, and gives the backup its name.
fn finish(part: &Path, to: &Path) -> Result<u64, StoreError> {
    let file = File::open(part).and_then(|file| file.sync_all().map(|()| file)).map_err(unwritable)?;
    let size = file.metadata().map_err(unwritable)?.len();
    fs::rename(part, to).map_err(unwritable)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
    Ok(size)
}

fn unwritable(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("it cannot be written: {error}"))
}
