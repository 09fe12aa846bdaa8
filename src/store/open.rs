//! Opening the store's file, and saying whether it is in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Transaction};
use tokio::sync::Semaphore;

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
/// PIN hashings at a time: each takes 19 MiB and a core.
const PIN_HASHINGS: usize = 2;

pub(super) type Tx = Transaction<'static, Sqlite>;

/// A handle on the system of record. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
    writers: SqlitePool,
    path: Arc<Path>,
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
        };
        let writers = pool(WRITERS)
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
