//! Opening the store, and saying whether it is in order.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde::Serialize;

use super::database::{Pool, each, postgres, query, query_as, sqlite};
use super::error::on_disk;
use super::pins::given_pepper;
use super::secrets::Keyring;
use super::settings::StoreSettings;
use super::values::read_u64;
use super::{Store, StoreError, files};

/// How long a store that could be written counts as one that can be.
const PROBED_FOR: Duration = Duration::from_secs(5);
/// How long a probe waits for its turn to write: transactions take milliseconds.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// What lies where a store is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// No store: opening it makes one.
    None,
    /// A store with just the migrations of this release: opening it changes none of its tables.
    Current,
    /// A store of another release: opening it changes its tables, also under a service of that release.
    Other,
}

/// What [`Store::check`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The file beside which the keys lie; SQLite's own.
    pub path: PathBuf,
    /// The database and its version, as in `SQLite 3.50.4`.
    pub database: String,
    /// How many migrations have been applied.
    pub migrations: u64,
    /// Whether only the file's owner may enter its folder. The files are private in any case; a folder
    /// that the store made itself is too.
    pub folder_private: bool,
    /// The file of the master key that others may read, or write.
    pub key_for_others: Option<PathBuf>,
}

impl Store {
    /// Opens the store at `path` in SQLite, makes it (and its folder) when there is none, and brings its tables up
    /// to this release. Safe to call from several processes at once.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`], [`StoreError::Damaged`], [`StoreError::OtherRelease`],
    /// [`StoreError::Busy`]; [`StoreError::Master`] and [`StoreError::Keyring`] when its keys are not there.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::connect(&StoreSettings {
            path: path.to_owned(),
            ..StoreSettings::default()
        })
        .await
    }

    /// Opens the store that `settings` name, and brings its tables up to this release. Safe to call from several
    /// processes, and with PostgreSQL from several machines, at once.
    ///
    /// # Errors
    /// As [`Store::open`]; [`StoreError::Unreachable`] when PostgreSQL is not there or refuses us.
    pub async fn connect(settings: &StoreSettings) -> Result<Self, StoreError> {
        let path = settings.path.as_path();
        let connections = match &settings.postgres {
            None => sqlite::open(path).await?,
            Some(url) => {
                on_disk(path, files::make_folder).await?;
                postgres::open(url.expose_secret()).await?
            }
        };
        let pepper = settings.pepper.as_ref().map(ExposeSecret::expose_secret);
        let keyring = Keyring::new(settings.master_source(), settings.shown_keyring());
        let store = Self::new(path, connections, pepper.and_then(given_pepper), keyring);
        store.see_server_clock().await?;
        store.open_keyring().await?;
        store.carry_over().await?;
        store.reconcile_keyring().await?;
        if let Err(error) = store.sweep_recordings().await {
            tracing::warn!(%error, "files of erased recordings may be left; they cannot be read");
        }
        store.write_erased_list().await;
        Ok(store)
    }

    /// What lies where `settings` name a store; leaves it as it is.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when PostgreSQL is not there; as [`Store::open`] when the file cannot be read.
    pub async fn layout(settings: &StoreSettings) -> Result<Layout, StoreError> {
        let is_current = match &settings.postgres {
            None => sqlite::is_of_this_release(&settings.path).await?,
            Some(url) => postgres::is_of_this_release(url.expose_secret()).await?,
        };
        Ok(match is_current {
            None => Layout::None,
            Some(true) => Layout::Current,
            Some(false) => Layout::Other,
        })
    }

    /// Whether the store answers with the guarantees it was opened with, and the key file of its PINs
    /// is there. Cheap: for readiness probes. [`Store::check_pages`] reads the whole file.
    ///
    /// # Errors
    /// The [`StoreError`] that stands in the way.
    pub async fn check(&self) -> Result<Health, StoreError> {
        let version = each(
            "SELECT 'SQLite ' || sqlite_version()",
            "SELECT 'PostgreSQL ' || current_setting('server_version')",
        );
        let (database,): (String,) = query_as(version).fetch_one(self.pool()).await?;
        let (migrations,): (i64,) = query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
            .fetch_one(self.pool())
            .await?;
        self.check_pepper().await?;
        self.found_whole()?;
        self.read().await?.keys().await?;
        let folder = files::folder_of(self.path());
        let folder_private =
            files::is_private(&folder).map_err(|source| StoreError::Unwritable { path: folder, source })?;
        Ok(Health {
            path: self.path().to_owned(),
            database,
            migrations: read_u64(migrations, "migration count")?,
            folder_private,
            key_for_others: self.key_for_others(),
        })
    }

    /// The file of the master key, where others than its owner may read or write it; a group may read it.
    pub fn key_for_others(&self) -> Option<PathBuf> {
        self.keyring.source.for_others()
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

    /// Writes something that nothing of ours reads: in SQLite the one number of the file that is there for whoever
    /// wants it, in PostgreSQL a fact.
    async fn probe(&self) -> Result<(), StoreError> {
        if self.is_shared() {
            let statement = "INSERT INTO facts (name, value) VALUES ('probe', '') ON CONFLICT (name) DO UPDATE SET value = ''";
            query(statement).execute(self.writers()).await?;
            return Ok(());
        }
        let mut tx = self.write().await?;
        let (number,): (i64,) = query_as("PRAGMA user_version").fetch_one(&mut tx).await?;
        let other = if number == 0 {
            "PRAGMA user_version = 1"
        } else {
            "PRAGMA user_version = 0"
        };
        query(other).execute(&mut tx).await?;
        Ok(tx.commit().await?)
    }

    /// Reads every page of SQLite's file and checks that tables and indexes agree. For `doctor`. PostgreSQL's pages
    /// are its own administrators' to check.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when anything is out of order.
    pub async fn check_pages(&self) -> Result<(), StoreError> {
        match self.pool() {
            Pool::Sqlite(pool) => sqlite::check_pages(pool, self.path()).await,
            Pool::Postgres(_) => Ok(()),
        }
    }
}
