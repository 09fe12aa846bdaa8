//! Opening the store, and saying whether it is in order.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::{Mutex, Semaphore};

use super::clock::Clock;
use super::examine::Examined;
use super::keyring::{self, Keyring};
use super::master::{self, MasterSource};
use super::pepper::given_pepper;
use super::pin::{Pepper, PinRule};
use super::sql::{Inner, Pool, Tx, query, query_as};
use super::{StoreError, files, postgres, sqlite};

/// How long a writer waits for another process before it says [`StoreError::Busy`].
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a store that could be written counts as one that can be.
const PROBED_FOR: Duration = Duration::from_secs(5);
/// How long a probe waits for its turn to write: transactions take milliseconds.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// PIN hashings at a time: each takes 19 MiB and a core.
const PIN_HASHINGS: usize = 2;

/// Where the system of record is.
#[derive(Debug, Clone, Default)]
pub struct StoreSettings {
    /// SQLite's file. Beside it lie the key files and what is kept of recordings, on PostgreSQL too.
    pub path: PathBuf,
    /// PostgreSQL's address where that is the system of record, as in `postgres://voxline@db.example.com/voxline`.
    pub postgres: Option<SecretString>,
    /// The key of the PINs in 64 hexadecimal digits, where it is not in the file `pepper.key`.
    pub pepper: Option<SecretString>,
    /// Where the master key comes from, if not from the file `master.key`; at most one of the three. Its value in 64
    /// hexadecimal digits, or two such with a space between while it is being changed.
    pub master_key: Option<SecretString>,
    /// A file that holds it.
    pub master_key_file: Option<PathBuf>,
    /// A command line for the shell, which prints it.
    pub master_key_command: Option<String>,
}

impl StoreSettings {
    /// Whether a store is there already: SQLite's file, or a server that was named.
    pub fn is_there(&self) -> bool {
        self.postgres.is_some() || self.path.exists()
    }

    /// What is wrong with these settings, by the setting's name; no value is in it.
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let url = self.postgres.as_ref().map(ExposeSecret::expose_secret);
        if url.is_some_and(|url| postgres::options(url).is_none()) {
            return Some((
                "store.url",
                "is no address of PostgreSQL, as in postgres://user:password@host/database",
            ));
        }
        let pepper = self.pepper.as_ref().map(ExposeSecret::expose_secret);
        if pepper.is_some_and(|text| given_pepper(text).is_none()) {
            return Some((
                "store.pepper",
                "is not 64 hexadecimal digits: `xxd -p -c 64 pepper.key` gives those of a key file",
            ));
        }
        let master = self.master_key.as_ref().map(ExposeSecret::expose_secret);
        if master.is_some_and(|text| master::parse(text).is_err()) {
            return Some((
                "store.master_key",
                "is not 64 hexadecimal digits, nor two such with a space between: `openssl rand -hex 32` makes one",
            ));
        }
        let given = [
            master.is_some(),
            self.master_key_file.is_some(),
            self.master_key_command.is_some(),
        ];
        if given.iter().filter(|given| **given).count() > 1 {
            return Some((
                "store.master_key",
                "is one of three ways to give the master key, with master_key_file and master_key_command: choose one",
            ));
        }
        None
    }

    fn master_source(&self) -> MasterSource {
        if let Some(value) = &self.master_key {
            return MasterSource::Value(value.clone());
        }
        if let Some(line) = &self.master_key_command {
            return MasterSource::Command(line.clone());
        }
        let beside = || files::folder_of(&self.path).join(master::FILE);
        MasterSource::File {
            path: self.master_key_file.clone().unwrap_or_else(beside),
            ours: self.master_key_file.is_none(),
        }
    }
}

/// A handle on the system of record. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    writers: Pool,
    path: Arc<Path>,
    /// When a probe last wrote.
    written: Arc<Mutex<Option<Instant>>>,
    /// The key of the PINs where it is configured.
    pub(super) pepper: Option<Arc<Pepper>>,
    pub(super) pin_hashings: Arc<Semaphore>,
    pub(super) pin_hashes: Arc<AtomicU64>,
    pub(super) pin_rule: PinRule,
    /// Whose turn it is to note the last use of a key.
    pub(super) noting: Arc<Semaphore>,
    pub(super) clock: Clock,
    pub(super) examined: Arc<Examined>,
    /// The keys of what is sealed.
    pub(super) keyring: Arc<Keyring>,
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
        let (pool, writers) = match &settings.postgres {
            None => sqlite::open(path).await?,
            Some(url) => {
                let (shown, beside) = (path.to_owned(), path.to_owned());
                let made = tokio::task::spawn_blocking(move || files::make_folder(&beside)).await;
                made.map_err(|_| StoreError::Interrupted)?
                    .map_err(|source| StoreError::Unwritable { path: shown, source })?;
                postgres::open(url.expose_secret()).await?
            }
        };
        let pepper = settings.pepper.as_ref().map(ExposeSecret::expose_secret);
        let store = Self {
            pool,
            writers,
            path: path.into(),
            written: Arc::default(),
            pepper: pepper.and_then(given_pepper).map(Arc::new),
            pin_hashings: Arc::new(Semaphore::new(PIN_HASHINGS)),
            pin_hashes: Arc::default(),
            pin_rule: PinRule::default(),
            noting: Arc::new(Semaphore::new(1)),
            clock: Clock::default(),
            examined: Arc::default(),
            keyring: Arc::new(Keyring::new(settings.master_source(), shown_keyring(settings))),
        };
        store.open_keyring().await?;
        store.carry_over().await?;
        store.reconcile_keyring().await?;
        if let Err(error) = store.sweep_recordings().await {
            tracing::warn!(%error, "files of erased recordings may be left; they cannot be read");
        }
        store.write_erased_list().await;
        Ok(store)
    }

    /// The same store, with another rule for the PINs that are set from now on. PINs that are shared already stay
    /// so, and are found as such under either rule.
    #[must_use]
    pub fn with_pin_rule(self, pin_rule: PinRule) -> Self {
        Self { pin_rule, ..self }
    }

    /// Whether other machines may have the same store, each with key files of its own.
    pub fn is_shared(&self) -> bool {
        matches!(self.pool, Pool::Postgres(_))
    }

    /// Whether the store answers with the guarantees it was opened with, and the key file of its PINs
    /// is there. Cheap: for readiness probes. [`Store::check_pages`] reads the whole file.
    ///
    /// # Errors
    /// The [`StoreError`] that stands in the way.
    pub async fn check(&self) -> Result<Health, StoreError> {
        let version = super::sql::each(
            "SELECT 'SQLite ' || sqlite_version()",
            "SELECT 'PostgreSQL ' || current_setting('server_version')",
        );
        let (database,): (String,) = query_as(version).fetch_one(&self.pool).await?;
        let (migrations,): (i64,) = query_as("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
            .fetch_one(&self.pool)
            .await?;
        self.check_pepper().await?;
        self.found_whole()?;
        self.read().await?.keys().await?;
        let folder = files::folder_of(&self.path);
        let folder_private =
            files::is_private(&folder).map_err(|source| StoreError::Unwritable { path: folder, source })?;
        Ok(Health {
            path: self.path.to_path_buf(),
            database,
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

    /// Writes something that nothing of ours reads: in SQLite the one number of the file that is there for whoever
    /// wants it, in PostgreSQL a fact.
    async fn probe(&self) -> Result<(), StoreError> {
        if self.is_shared() {
            let statement = "INSERT INTO facts (name, value) VALUES ('probe', '') ON CONFLICT (name) DO UPDATE SET value = ''";
            query(statement).execute(&self.writers).await?;
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
        match &self.pool {
            Pool::Sqlite(pool) => sqlite::check_pages(pool, &self.path).await,
            Pool::Postgres(_) => Ok(()),
        }
    }

    /// Closes the connections after the work under way. The last handle on a file folds the write-ahead
    /// log into it.
    pub async fn close(&self) {
        self.pool.close().await;
        self.writers.close().await;
    }

    /// The store's file, or where it would be: what is kept beside the database lies in its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The connections for reading.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The connections for writing, for statements that are a transaction each.
    pub(super) fn writers(&self) -> &Pool {
        &self.writers
    }

    /// A transaction that sees one state of the store from its first read to its end.
    pub(super) async fn read(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pool {
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin().await?),
            Pool::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Inner::Postgres(pool.begin_with(begin).await?)
            }
        };
        Ok(Tx::new(inner, &self.keyring))
    }

    /// A transaction that holds the write lock from the start, so that what it reads stays true until it
    /// writes, in this process and in others, on this machine and on others.
    pub(super) async fn write(&self) -> Result<Tx, StoreError> {
        let inner = match &self.writers {
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Postgres(pool) => postgres::write(pool, postgres::ALONE).await?,
        };
        Ok(Tx::new(inner, &self.keyring))
    }

    /// As [`Store::write`], but beside others that were begun so, where the database can do that: for what is written
    /// often and touches rows of one call alone. None of them runs beside a [`Store::write`].
    pub(super) async fn write_beside(&self) -> Result<Tx, StoreError> {
        match &self.writers {
            Pool::Sqlite(_) => self.write().await,
            Pool::Postgres(pool) => {
                let inner = postgres::write(pool, postgres::BESIDE).await?;
                Ok(Tx::new(inner, &self.keyring))
            }
        }
    }
}

/// Where people find the keyring.
fn shown_keyring(settings: &StoreSettings) -> PathBuf {
    match settings.postgres {
        Some(_) => "the tables keyring_* in PostgreSQL".into(),
        None => keyring::file_of(&settings.path),
    }
}

/// The path only.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.path).finish()
    }
}
