//! Opening the store's file, and saying whether it is in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Transaction};
use tokio::sync::{Mutex, Semaphore};

use super::error::{means_damage, means_unwritable};
use super::pin::PinRule;
use super::{StoreError, files};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Connections of one handle for reading.
const READERS: u32 = 4;
/// And for writing. SQLite has one writer at a time, and a connection that waits for its turn is of no use to anybody
/// else: kept apart, writers that are stuck leave readers theirs.
const WRITERS: u32 = 1;
/// How long a writer waits for another process before it says [`StoreError::Busy`].
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a store that could be written counts as one that can be.
const PROBED_FOR: Duration = Duration::from_secs(5);
/// How long a probe waits for its turn to write: transactions take milliseconds.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// PIN hashings at a time: each takes 19 MiB and a core.
const PIN_HASHINGS: usize = 2;

pub(super) type Tx = Transaction<'static, Sqlite>;

/// A handle on the system of record. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
    writers: SqlitePool,
    path: Arc<Path>,
    /// When a probe last wrote.
    written: Arc<Mutex<Option<Instant>>>,
    pub(super) pin_hashings: Arc<Semaphore>,
    pub(super) pin_hashes: Arc<AtomicU64>,
    pub(super) pin_rule: PinRule,
}

/// What [`Store::check`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The store's file.
    pub path: PathBuf,
    /// SQLite's version.
    pub sqlite: String,
    /// How many migrations have been applied.
    pub migrations: u64,
    /// Whether only the file's owner may enter its folder. The files are private in any case; a folder
    /// that the store made itself is too.
    pub folder_private: bool,
}

impl Store {
    /// Opens the store at `path`, makes it (and its folder) when there is none, and brings its tables up
    /// to this release. Safe to call from several processes at once.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`], [`StoreError::Damaged`], [`StoreError::OtherRelease`] or
    /// [`StoreError::Busy`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = prepare_files(path.to_owned()).await?;
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE + Duration::from_secs(5))
                .after_release(|connection, _| Box::pin(is_usable(connection)))
        };
        let writers = pool(WRITERS)
            .after_release(|connection, _| Box::pin(can_write(connection)))
            .connect_with(settings(path))
            .await
            .map_err(|error| opening(error, path))?;
        MIGRATIONS
            .run(&writers)
            .await
            .map_err(|error| migrating(error, path))?;
        // Finishes an erasure that a crash cut off between its commit and its checkpoint.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&writers)
            .await
            .map_err(|error| opening(error, path))?;
        drop(lock);
        let store = Self {
            pool: pool(READERS).connect_lazy_with(settings(path)),
            writers,
            path: path.into(),
            written: Arc::default(),
            pin_hashings: Arc::new(Semaphore::new(PIN_HASHINGS)),
            pin_hashes: Arc::default(),
            pin_rule: PinRule::default(),
        };
        if let Err(error) = store.sweep_recordings().await {
            tracing::warn!(%error, "files of erased recordings may be left; they cannot be read");
        }
        Ok(store)
    }

    /// The same store, with another rule for the PINs that are set from now on. PINs that are shared already stay
    /// so, and are found as such under either rule.
    #[must_use]
    pub fn with_pin_rule(self, pin_rule: PinRule) -> Self {
        Self { pin_rule, ..self }
    }

    /// Whether the store answers with the guarantees it was opened with, and the key file of its PINs
    /// is there. Cheap: for readiness probes. [`Store::check_pages`] reads the whole file.
    ///
    /// # Errors
    /// The [`StoreError`] that stands in the way.
    pub async fn check(&self) -> Result<Health, StoreError> {
        let mut conn = self.pool.acquire().await?;
        let (sqlite,): (String,) = sqlx::query_as("SELECT sqlite_version()")
            .fetch_one(&mut *conn)
            .await?;
        let (migrations,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut *conn)
            .await?;
        drop(conn);
        self.check_pepper().await?;
        let folder = files::folder_of(&self.path);
        let folder_private =
            files::is_private(&folder).map_err(|source| StoreError::Unwritable { path: folder, source })?;
        Ok(Health {
            path: self.path.to_path_buf(),
            sqlite,
            migrations: super::values::read_u64(migrations, "migration count")?,
            folder_private,
        })
    }

    /// Whether something can be written now, by writing something: a full disk and one that has become read-only
    /// still read well. Whoever asks often is answered by a write of the last five seconds. Another process that
    /// writes is waited for a little: one that holds the store for longer stands in the way.
    ///
    /// # Errors
    /// The [`StoreError`] that stands in the way.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        let mut written = self.written.lock().await;
        if written.is_some_and(|at| at.elapsed() < PROBED_FOR) {
            return Ok(());
        }
        *written = None;
        let probed = tokio::time::timeout(PROBE_PATIENCE, self.probe()).await;
        probed.unwrap_or(Err(StoreError::Busy))?;
        *written = Some(Instant::now());
        Ok(())
    }

    /// Writes the one number of the file that nothing of ours reads.
    async fn probe(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let (number,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&mut *tx).await?;
        let other = if number == 0 {
            "PRAGMA user_version = 1"
        } else {
            "PRAGMA user_version = 0"
        };
        sqlx::query(other).execute(&mut *tx).await?;
        Ok(tx.commit().await?)
    }

    /// Reads every page of the file and checks that tables and indexes agree. For `doctor`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when anything is out of order.
    pub async fn check_pages(&self) -> Result<(), StoreError> {
        let damaged = || StoreError::Damaged {
            path: self.path.to_path_buf(),
        };
        let result: Result<(String,), _> = sqlx::query_as("PRAGMA integrity_check(1)")
            .fetch_one(&self.pool)
            .await;
        match result {
            Ok((said,)) if said == "ok" => Ok(()),
            Ok(_) => Err(damaged()),
            Err(error) if means_damage(&error) => Err(damaged()),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes the connections after the work under way. The last handle on a file folds the write-ahead
    /// log into it.
    pub async fn close(&self) {
        self.pool.close().await;
        self.writers.close().await;
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connections for reading.
    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// The connection for writing, for statements that are a transaction each.
    pub(super) fn writers(&self) -> &SqlitePool {
        &self.writers
    }

    /// A transaction that sees one state of the store from its first read to its end.
    pub(super) async fn read(&self) -> Result<Tx, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// A transaction that holds the write lock from the start, so that what it reads stays true until it
    /// writes, in this process and in others.
    pub(super) async fn write(&self) -> Result<Tx, StoreError> {
        Ok(self.writers.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// The path only.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.path).finish()
    }
}

pub(super) type Conn = SqliteConnection;

/// Whether a connection that comes back to its pool may serve again. SQLite rolls a transaction back by itself
/// when the disk is full or fails (lang_transaction.html, section 3); the rollback that follows then fails, and
/// sqlx 0.9.0 takes the connection as in a transaction for good: every `BEGIN IMMEDIATE` on it is refused. Such
/// a connection is closed, and the next writer gets a new one.
async fn is_usable(connection: &mut Conn) -> Result<bool, sqlx::Error> {
    // Rollbacks of transactions that were dropped are done in the background, in turn with this.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Whether a connection for writing may serve again. SQLite opens a file that cannot be written for reading alone, and
/// a connection that was opened so stays so when the file can be written again: it is closed.
async fn can_write(connection: &mut Conn) -> Result<bool, sqlx::Error> {
    if !is_usable(connection).await? {
        return Ok(false);
    }
    // It deletes nothing and writes no page, and is refused all the same where nothing can be written.
    let asked = sqlx::query("DELETE FROM _sqlx_migrations WHERE FALSE").execute(connection);
    // Another process that writes is waited for by whoever writes next.
    Ok(!asked.await.is_err_and(|fault| means_unwritable(&fault)))
}

fn settings(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        // Freed cells and pages are overwritten with zeros.
        .pragma("secure_delete", "ON")
        // Sorting and VACUUM leave no biometric bytes in a temporary file.
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// Makes the folder and the file, and takes the lock under which the tables are brought up to date.
async fn prepare_files(path: PathBuf) -> Result<std::fs::File, StoreError> {
    let shown = path.clone();
    tokio::task::spawn_blocking(move || {
        files::make_folder(&path)?;
        let lock = files::lock(&path)?;
        files::make_database(&path)?;
        Ok(lock)
    })
    .await
    .map_err(|_| StoreError::Interrupted)?
    .map_err(|source| StoreError::Unwritable { path: shown, source })
}

fn opening(error: sqlx::Error, path: &Path) -> StoreError {
    let path = path.to_owned();
    if means_damage(&error) {
        StoreError::Damaged { path }
    } else if means_unwritable(&error) {
        let source = std::io::Error::other("the database can only be read");
        StoreError::Unwritable { path, source }
    } else {
        error.into()
    }
}

fn migrating(error: MigrateError, path: &Path) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => opening(error, path),
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => StoreError::OtherRelease {
            path: path.to_owned(),
        },
        _ => StoreError::Damaged {
            path: path.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_itself_rolled_back_leaves_writers_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
        let mut tx = store.write().await.unwrap();
        // No page more than there are: to the writer, a full disk.
        sqlx::query("PRAGMA max_page_count = 1")
            .execute(&mut *tx)
            .await
            .unwrap();
        let big = sqlx::query("CREATE TABLE big AS SELECT zeroblob(1000000)");
        let full = StoreError::from(big.execute(&mut *tx).await.unwrap_err());
        assert!(matches!(full, StoreError::DiskFull), "{full:?}");
        drop(tx);

        store.write().await.unwrap().rollback().await.unwrap();
        store.check_writable().await.unwrap();
    }
}
