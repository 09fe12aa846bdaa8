//! SQLite's files opened beside the store: the one that is copied, and copies.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::fault::BackupFault;
use crate::store::StoreError;
use crate::store::database::PATIENCE;

/// A connection that changes no table of its own accord: a backup before an upgrade is of the tables as they were.
pub(super) async fn connect(path: &Path) -> Result<SqliteConnection, BackupFault> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(PATIENCE)
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging();
    let opened = SqliteConnection::connect_with(&options).await;
    opened.map_err(|fault| damaged_or(fault, path))
}

/// The fault, or that the file is damaged where it says so.
pub(super) fn damaged_or(fault: sqlx::Error, path: &Path) -> BackupFault {
    if crate::store::error::means_damage(&fault) {
        return BackupFault::Store(StoreError::Damaged {
            path: path.to_owned(),
        });
    }
    fault.into()
}

/// Whether there is a table of this name.
pub(super) async fn has_table(conn: &mut SqliteConnection, name: &str) -> Result<bool, BackupFault> {
    let (count,): (i64,) =
        sqlx::query_as("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1")
            .bind(name)
            .fetch_one(conn)
            .await?;
    Ok(count > 0)
}
