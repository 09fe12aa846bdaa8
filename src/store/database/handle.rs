//! A handle on the system of record: its connections, its keys, and the transactions that everything here is done in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use time::OffsetDateTime;
use tokio::sync::{Mutex, Semaphore};

use super::clock::Clock;
use super::examined::Examined;
use super::postgres;
use super::server_clock::ServerClock;
use super::sql::{Inner, Pool, Tx, in_time, query_as};
use crate::store::secrets::{Keyring, Pepper};
use crate::store::values::now;
use crate::store::{PinRule, StoreError};

/// PIN hashings at a time: each takes 19 MiB and a core.
const PIN_HASHINGS: usize = 2;

/// Rows of the table `erased` that stand in the list beside the database.
#[derive(Default)]
pub(in crate::store) struct Listed {
    /// How many.
    pub count: i64,
    /// Any other one that comes is of this time or later.
    pub since: String,
    /// Those of them, by kind and id, with their times.
    pub recent: BTreeMap<(String, String), String>,
    /// Bytes of the list with all of them.
    pub length: u64,
}

/// A handle on the system of record. Clones share their connections.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    writers: Pool,
    path: Arc<Path>,
    /// When a probe last wrote.
    pub(in crate::store) written: Arc<Mutex<Option<Instant>>>,
    /// The key of the PINs where it is configured.
    pub(in crate::store) pepper: Option<Arc<Pepper>>,
    pub(in crate::store) pin_hashings: Arc<Semaphore>,
    pub(in crate::store) pin_hashes: Arc<AtomicU64>,
    pub(in crate::store) pin_rule: PinRule,
    /// Whose turn it is to note the last use of a key.
    pub(in crate::store) noting: Arc<Semaphore>,
    /// What is known to stand in the list of what was erased.
    pub(in crate::store) listed: Arc<Mutex<Option<Listed>>>,
    /// Whose turn it is to look through sealed names.
    pub(in crate::store) searching: Arc<Semaphore>,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) server_clock: Arc<ServerClock>,
    pub(super) examined: Arc<Examined>,
    /// The keys of what is sealed.
    pub(in crate::store) keyring: Arc<Keyring>,
}

impl Store {
    /// A handle on what was opened: connections for reading and for writing, and where the keys come from.
    pub(in crate::store) fn new(
        path: &Path,
        (pool, writers): (Pool, Pool),
        pepper: Option<Pepper>,
        keyring: Keyring,
    ) -> Self {
        Self {
            pool,
            writers,
            path: path.into(),
            written: Arc::default(),
            pepper: pepper.map(Arc::new),
            pin_hashings: Arc::new(Semaphore::new(PIN_HASHINGS)),
            pin_hashes: Arc::default(),
            pin_rule: PinRule::default(),
            noting: Arc::new(Semaphore::new(1)),
            listed: Arc::default(),
            searching: Arc::new(Semaphore::new(1)),
            clock: Clock::default(),
            server_clock: Arc::default(),
            examined: Arc::default(),
            keyring: Arc::new(keyring),
        }
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

    /// The time by the clock that all who have this store share: PostgreSQL's server's, as far as it was seen, or this machine's.
    /// By it nodes tell whose word on a call is the later one.
    pub fn shared_time(&self) -> OffsetDateTime {
        self.server_clock.at(now())
    }

    /// Looks at the clock of PostgreSQL's server.
    pub(in crate::store) async fn see_server_clock(&self) -> Result<(), StoreError> {
        if self.is_shared() {
            let asked = now();
            let statement = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
            let (shown,): (i64,) = query_as(statement).fetch_one(self.pool()).await?;
            self.server_clock.note(asked, shown, now());
        }
        Ok(())
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
    pub(in crate::store) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The connections for writing, for statements that are a transaction each.
    pub(in crate::store) fn writers(&self) -> &Pool {
        &self.writers
    }

    /// A transaction that sees one state of the store from its first read to its end.
    pub(in crate::store) async fn read(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pool {
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin().await?),
            Pool::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Inner::Postgres(in_time(pool.begin_with(begin)).await?)
            }
        };
        Ok(Tx::new(inner, &self.keyring))
    }

    /// A transaction that holds the write lock from the start, so that what it reads stays true until it
    /// writes, in this process and in others, on this machine and on others.
    pub(in crate::store) async fn write(&self) -> Result<Tx, StoreError> {
        let inner = match &self.writers {
            Pool::Sqlite(pool) => Inner::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Postgres(pool) => postgres::write(pool, postgres::ALONE).await?,
        };
        Ok(Tx::new(inner, &self.keyring))
    }

    /// As [`Store::write`], but beside others that were begun so, where the database can do that: for what is written
    /// often and touches rows of one call alone. None of them runs beside a [`Store::write`].
    pub(in crate::store) async fn write_beside(&self) -> Result<Tx, StoreError> {
        match &self.writers {
            Pool::Sqlite(_) => self.write().await,
            Pool::Postgres(pool) => {
                let inner = postgres::write(pool, postgres::BESIDE).await?;
                Ok(Tx::new(inner, &self.keyring))
            }
        }
    }

    /// Takes what was deleted out of the file's bytes; `false` when that could not be finished, as when
    /// a reader kept the old state in use for longer than the store waits.
    ///
    /// `secure_delete` has written zeros over the deleted cells and pages; the checkpoint brings these
    /// into the file and empties the log that held the old bytes. The deletion is committed already, so
    /// a failure here is told by the receipt and not as an error.
    /// The bytes of PostgreSQL's files are its own: it keeps deleted rows until it needs their room, and its log and
    /// backups longer.
    pub(in crate::store) async fn overwrite(&self) -> bool {
        let Pool::Sqlite(writers) = self.writers() else {
            return false;
        };
        // The examination of the pages gives way: a reader would keep the log from being emptied.
        let _alone = self.examined.stand_back();
        let done: Result<(i64, i64, i64), _> = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(writers)
            .await;
        match done {
            Ok((busy, _, _)) => busy == 0,
            Err(error) => {
                tracing::warn!(
                    ?error,
                    "an erasure is committed, but the write-ahead log could not be emptied"
                );
                false
            }
        }
    }
}

/// The path only.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.path).finish()
    }
}

#[cfg(test)]
impl Store {
    /// A new one in a folder of its own, which goes when the folder is dropped.
    pub(crate) async fn in_a_folder() -> (tempfile::TempDir, Self) {
        let folder = tempfile::tempdir().unwrap();
        let store = Self::open(&folder.path().join("voxline.db")).await.unwrap();
        (folder, store)
    }

    /// How SQLite carries a statement out, a step a line.
    pub(in crate::store) async fn plan_of(&self, statement: &str) -> String {
        let Pool::Sqlite(pool) = &self.pool else {
            panic!("not SQLite")
        };
        let explained = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explained).fetch_all(pool).await.unwrap();
        let steps: Vec<String> = steps.into_iter().map(|(_, _, _, step)| step).collect();
        steps.join("\n")
    }
}
