//! Finding a page of SQLite's file that was destroyed while the service runs, before a call needs it.
//!
//! One table with its indexes at a time, read by a connection that is opened for it: what a connection holds in memory
//! says nothing of the file. After each table there is a pause a hundred times as long as it took, so that the whole
//! costs a hundredth of a thread, and an erasure, which waits for readers, cuts it short.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::gauge;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use time::OffsetDateTime;

use super::handle::Store;
use super::sqlite;
use crate::store::StoreError;
use crate::store::error::means_damage;
use crate::store::secrets::keyring;

/// When all tables had been read.
pub(crate) const EXAMINED_AT: &str = "voxline_store_examined_timestamp_seconds";

/// What the keyring's file is called among the tables.
const KEYRING: &str = "the keyring";
/// The shortest pause after a table.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// A pause is so many times as long as what went before.
const PAUSES: u32 = 100;
/// Steps of SQLite's after which it asks whether it shall go on: pages, mostly.
const STEPS: i32 = 256;

impl Store {
    /// Whether every page that was examined lately was whole.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub(in crate::store) fn found_whole(&self) -> Result<(), StoreError> {
        if self.examined.is_whole() {
            return Ok(());
        }
        let path = if self.examined.is_damaged(KEYRING) {
            keyring::file_of(self.path())
        } else {
            self.path().to_owned()
        };
        Err(StoreError::Damaged { path })
    }

    /// Examines the pages of SQLite's file, one table after the other, and then those of the keyring's, for ever. PostgreSQL's are its own
    /// administrators' to check (`data_checksums`, `pg_amcheck`): there this returns at once.
    pub async fn keep_examining(&self) {
        if self.is_shared() {
            return;
        }
        loop {
            let begun = Instant::now();
            // A schema that cannot be read is of no table; a file that cannot be opened says nothing of its pages.
            let tables = self.tables().await;
            if let Err(fault) = &tables
                && means_damage(fault)
            {
                self.examined.note("the schema", false);
            }
            pause(begun).await;
            let Ok(tables) = tables else { continue };
            self.examined.note("the schema", true);
            for table in tables {
                let begun = Instant::now();
                self.examine(&table).await;
                pause(begun).await;
            }
            let begun = Instant::now();
            self.examine_keyring().await;
            pause(begun).await;
            gauge!(EXAMINED_AT).set(OffsetDateTime::now_utc().unix_timestamp() as f64);
        }
    }

    /// Reads every page of a table and its indexes, unless something stands in the way.
    async fn examine(&self, table: &str) {
        let statement = format!("PRAGMA quick_check('{}')", table.replace('\'', "''"));
        self.examine_by(self.path(), table, statement).await;
    }

    /// Reads every page of the keyring's file, likewise.
    async fn examine_keyring(&self) {
        let file = keyring::file_of(self.path());
        self.examine_by(&file, KEYRING, "PRAGMA quick_check".to_owned())
            .await;
    }

    async fn examine_by(&self, file: &Path, what: &str, statement: String) {
        if !self.examined.goes_on() {
            return;
        }
        let whole = async {
            let mut connection = self.fresh_connection(file).await?;
            let said: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(statement))
                .fetch_all(&mut connection)
                .await?;
            // Closed in order: the last one folds the log into the file.
            connection.close().await?;
            Ok(said.iter().all(|(said,)| said == "ok"))
        };
        let found: Result<bool, sqlx::Error> = whole.await;
        match found {
            Ok(whole) => self.examined.note(what, whole),
            Err(fault) if means_damage(&fault) => self.examined.note(what, false),
            Err(_) => {}
        }
    }

    async fn tables(&self) -> Result<Vec<String>, sqlx::Error> {
        let mut connection = self.fresh_connection(self.path()).await?;
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
                .fetch_all(&mut connection)
                .await?;
        connection.close().await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// A connection that has read nothing yet, and stops reading where an erasure waits.
    async fn fresh_connection(&self, file: &Path) -> Result<SqliteConnection, sqlx::Error> {
        let mut connection = SqliteConnection::connect_with(&sqlite::settings(file)).await?;
        let examined = Arc::clone(&self.examined);
        let mut handle = connection.lock_handle().await?;
        handle.set_progress_handler(STEPS, move || examined.goes_on());
        drop(handle);
        Ok(connection)
    }
}

async fn pause(begun: Instant) {
    let pause = begun.elapsed().saturating_mul(PAUSES).max(SHORTEST_PAUSE);
    tokio::time::sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_erasure_does_not_wait_for_the_examination() {
        let (_folder, store) = Store::in_a_folder().await;
        store.examined.note("users", false);
        let aside = store.examined.stand_back();
        store.examine("users").await;
        assert!(
            store.found_whole().is_err(),
            "it was examined in spite of the erasure"
        );
        drop(aside);
        store.examine("users").await;
        store.found_whole().unwrap();
    }

    #[tokio::test]
    async fn a_destroyed_page_of_the_keyring_is_found_and_its_file_named() {
        let (folder, store) = Store::in_a_folder().await;
        store.examine_keyring().await;
        store.found_whole().unwrap();
        assert!(store.overwrite().await);
        let path = folder.path().join("keyring.db");
        let mut bytes = std::fs::read(&path).unwrap();
        // The first page says what is where.
        bytes[4096..].fill(0x5a);
        std::fs::write(&path, bytes).unwrap();
        store.examine_keyring().await;
        let Err(StoreError::Damaged { path: named }) = store.found_whole() else {
            panic!("it was not found")
        };
        assert_eq!(named, path);
    }
}
