//! The keyring: every key of the store, wrapped by the master key, apart from what the keys seal.
//!
//! A user has a key of their own, the deployment has some. In SQLite they lie in a file beside the database
//! (`keyring.db`, attached to every connection), in PostgreSQL in tables of their own (`keyring_*`), so that a backup
//! of the data is one thing and the keyring another: whoever is erased goes out of the newest keyring, and no older
//! copy of the data tells anything of them with it.
//!
//! A transaction over two files of SQLite in its WAL mode is whole in each, not in both, when the power fails between
//! (<https://sqlite.org/lang_attach.html>). So a key is committed before the first row that needs it, and destroyed by
//! a transaction that follows the one that took its rows away (see [`super::shredding`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use super::StoreError;
use super::facts::{read_fact, write_fact};
use super::files;
use super::master::{MasterFault, MasterKey, MasterSource};
use super::open::Store;
use super::recent::Recent;
use super::sealing::{DataKey, Generation, Place};
use super::sql::{Tx, query, query_as};

/// SQLite's keyring, beside the database.
pub(super) const FILE: &str = "keyring.db";
/// The fact that says which keyring the data is sealed by.
const FACT: &str = "keyring";
/// The fact that says which generation of the deployment's key the data was last sealed by.
const GENERATION_FACT: &str = "deployment_key";
/// The deployment's own key, by which is sealed what is of no one user.
pub(super) const DEPLOYMENT: &str = "deployment";
/// The key that those of kept recordings are made of.
pub(super) const AUDIO: &str = "audio";
/// Bytes of a keyring's id, and of what a master key is told by.
const ID_BYTES: usize = 16;

/// The tables of SQLite's second file. PostgreSQL's are made by its migrations.
pub(super) const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS keyring.keyring_master \
     (id BLOB NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, fingerprint BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS keyring.keyring_scopes \
     (scope TEXT NOT NULL, generation BIGINT NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (scope, generation))",
    "CREATE TABLE IF NOT EXISTS keyring.keyring_users (user_id TEXT NOT NULL, purpose TEXT NOT NULL, \
     generation BIGINT NOT NULL, wrapped BLOB, destroyed_at TEXT, \
     PRIMARY KEY (user_id, purpose, generation)) WITHOUT ROWID",
];

/// Why the keyring and the data do not go together.
#[derive(Debug, Error)]
pub enum KeyringFault {
    /// The data is sealed and the keys are not there.
    #[error("the store is encrypted and its keyring is missing or empty: put {} back from the newest backup of it; without it the store cannot be read", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The keys are another store's.
    #[error("{} is the keyring of another store than the data beside it: put the right one back", path.display())]
    OtherStore {
        /// The keyring.
        path: PathBuf,
    },
    /// There are users without a key.
    #[error("{} is older than the data beside it, {users} users have no key in it: put its newest copy back", path.display())]
    Older {
        /// The keyring.
        path: PathBuf,
        /// How many users have none.
        users: usize,
    },
    /// The data is older than the last change of its keys.
    #[error("the data is older than the last change of its keys (`voxline store rotate-key --data-keys`), and {} has no key that opens it any more: restore a backup that was taken after", path.display())]
    OldData {
        /// The keyring.
        path: PathBuf,
    },
    /// A key does not open with the master key.
    #[error("a key in {} is damaged: put its newest copy back", path.display())]
    Damaged {
        /// The keyring.
        path: PathBuf,
    },
}

/// Where the keys come from, and those that are in memory.
pub(super) struct Keyring {
    pub(super) source: MasterSource,
    /// Where people find it.
    pub(super) shown: PathBuf,
    known: Recent<Keys>,
}

/// The keys of one state of the keyring, but for the users'.
pub(super) struct Keys {
    /// Which keyring it is.
    pub(super) id: Vec<u8>,
    /// Wraps all others.
    pub(super) wrapping: DataKey,
    scopes: HashMap<(String, Generation), DataKey>,
}

impl Keyring {
    pub fn new(source: MasterSource, shown: PathBuf) -> Self {
        Self {
            source,
            shown,
            known: Recent::default(),
        }
    }

    pub fn damaged(&self) -> StoreError {
        let path = self.shown.clone();
        KeyringFault::Damaged { path }.into()
    }

    /// The master keys there are, away from the async threads.
    pub async fn masters(self: &Arc<Self>) -> Result<Vec<MasterKey>, StoreError> {
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || this.source.read()).await;
        Ok(read.map_err(|_| StoreError::Interrupted)??)
    }

    /// Puts the master key to come in its place: it is in use already, by the keyring's last committed word.
    async fn settle(self: &Arc<Self>) -> Result<(), StoreError> {
        let this = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || this.source.settle()).await;
        Ok(done.map_err(|_| StoreError::Interrupted)??)
    }
}

impl Keys {
    /// The newest key of a scope, to seal with.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when there is none.
    pub fn newest(&self, scope: &str) -> Result<(Generation, &DataKey), StoreError> {
        let of_it = self.scopes.iter().filter(|((name, _), _)| name == scope);
        let newest = of_it.max_by_key(|((_, generation), _)| *generation);
        let ((_, generation), key) = newest.ok_or(StoreError::Unreadable { what: "key" })?;
        Ok((*generation, key))
    }

    /// The keys of a scope, the newest first.
    pub fn all_of(&self, scope: &str) -> Vec<&DataKey> {
        let of_it = self.scopes.iter().filter(|((name, _), _)| name == scope);
        let mut keys: Vec<_> = of_it.map(|((_, generation), key)| (*generation, key)).collect();
        keys.sort_by_key(|(generation, _)| std::cmp::Reverse(*generation));
        keys.into_iter().map(|(_, key)| key).collect()
    }

    /// One key of a scope.
    pub fn of(&self, scope: &str, generation: Generation) -> Option<&DataKey> {
        self.scopes.get(&(scope.to_owned(), generation))
    }
}

/// What a wrapped key is bound to.
fn wrap_place(row: &str) -> Place<'_> {
    Place {
        table: "keyring",
        column: "wrapped",
        row,
    }
}

/// Wraps the key that `name` has in this generation.
pub(super) fn wrap(
    wrapping: &DataKey,
    name: &str,
    generation: Generation,
    key: &DataKey,
) -> Result<Vec<u8>, StoreError> {
    let row = format!("{name} {generation}");
    wrapping.seal(0, wrap_place(&row), key.as_bytes())
}

/// Reads back what [`wrap`] made.
pub(super) fn unwrap(
    wrapping: &DataKey,
    name: &str,
    generation: Generation,
    wrapped: &[u8],
) -> Option<DataKey> {
    let row = format!("{name} {generation}");
    DataKey::from_bytes(&wrapping.open(wrap_place(&row), wrapped)?)
}

/// The key that wraps, of a master key.
pub(super) fn wrapping_of(master: &DataKey) -> DataKey {
    master.derived("voxline wrapping 1")
}

/// What tells a master key from another without giving it away.
pub(super) fn fingerprint(master: &DataKey) -> Vec<u8> {
    master.derived("voxline master key 1").as_bytes()[..ID_BYTES].to_vec()
}

pub(super) fn read_generation(stored: i64) -> Result<Generation, StoreError> {
    Generation::try_from(stored).map_err(|_| StoreError::Unreadable {
        what: "key's generation",
    })
}

impl Tx {
    /// The store's keys as this transaction sees them. Where they were changed since they were last read, as by another
    /// process, they are read anew.
    ///
    /// # Errors
    /// [`StoreError::Master`], [`StoreError::Keyring`].
    pub async fn keys(&mut self) -> Result<Arc<Keys>, StoreError> {
        if let Some(keys) = &self.keys {
            return Ok(Arc::clone(keys));
        }
        let keyring = Arc::clone(&self.keyring);
        // With something of the data in it: so SQLite's view of the data is never newer than that of the keys, and no row
        // is seen whose key is not.
        let row: Option<(i64, bool)> =
            query_as("SELECT epoch, EXISTS (SELECT 1 FROM facts WHERE name = '') FROM keyring_master")
                .fetch_optional(&mut *self)
                .await?;
        let path = keyring.shown.clone();
        let (epoch, _) = row.ok_or(KeyringFault::Missing { path })?;
        let keys = match keyring.known.of(epoch, Instant::now()) {
            Some(keys) => keys,
            None => {
                let keys = Arc::new(read_keys(self, &keyring).await?);
                keyring.known.keep(epoch, Arc::clone(&keys), Instant::now());
                keys
            }
        };
        self.keys = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

/// Reads every key but the users' and opens it with the master key.
async fn read_keys(conn: &mut Tx, keyring: &Arc<Keyring>) -> Result<Keys, StoreError> {
    let (id, wanted): (Vec<u8>, Vec<u8>) = query_as("SELECT id, fingerprint FROM keyring_master")
        .fetch_one(&mut *conn)
        .await?;
    let place = keyring.source.place();
    let masters = keyring.masters().await?;
    let nothing = masters.is_empty();
    let master = masters
        .into_iter()
        .find(|master| fingerprint(&master.key) == wanted);
    let wrapping = match master {
        Some(master) => {
            if master.beside {
                keyring.settle().await?;
            }
            wrapping_of(&master.key)
        }
        None if nothing => return Err(MasterFault::Missing { place }.into()),
        None => return Err(MasterFault::Wrong { place }.into()),
    };
    let rows: Vec<(String, i64, Vec<u8>)> = query_as("SELECT scope, generation, wrapped FROM keyring_scopes")
        .fetch_all(conn)
        .await?;
    let mut scopes = HashMap::new();
    for (scope, generation, wrapped) in rows {
        let generation = read_generation(generation)?;
        let key = unwrap(&wrapping, &scope, generation, &wrapped).ok_or_else(|| keyring.damaged())?;
        scopes.insert((scope, generation), key);
    }
    Ok(Keys {
        id,
        wrapping,
        scopes,
    })
}

impl Store {
    /// Finds the keys of the data, and makes them for data that has none yet.
    ///
    /// # Errors
    /// [`StoreError::Master`] and [`StoreError::Keyring`]; nothing was made or changed then.
    pub(super) async fn open_keyring(&self) -> Result<(), StoreError> {
        let mut tx = self.read().await?;
        if !has_keys(&mut tx).await? {
            drop(tx);
            self.make_keyring().await?;
            tx = self.read().await?;
        }
        let keys = tx.keys().await?;
        let path = self.keyring.shown.clone();
        match read_fact(&mut tx, FACT).await? {
            None => {
                drop(tx);
                let mut tx = self.write().await?;
                write_fact(&mut tx, FACT, &keys.id).await?;
                note_generation(&mut tx, keys.newest(DEPLOYMENT)?.0).await?;
                tx.commit().await?;
            }
            Some(id) if id == keys.id => {}
            Some(_) => return Err(KeyringFault::OtherStore { path }.into()),
        }
        let mut tx = self.read().await?;
        let sealed_by = read_fact(&mut tx, GENERATION_FACT).await?;
        let known = sealed_by.is_none_or(|bytes| {
            let generation = bytes.try_into().map(Generation::from_le_bytes);
            generation.is_ok_and(|generation| keys.of(DEPLOYMENT, generation).is_some())
        });
        if !known {
            return Err(KeyringFault::OldData { path }.into());
        }
        Ok(())
    }

    /// Makes a keyring and, where that is ours to make, the master key.
    async fn make_keyring(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if has_keys(&mut tx).await? {
            return Ok(());
        }
        if read_fact(&mut tx, FACT).await?.is_some() {
            let path = self.keyring.shown.clone();
            return Err(KeyringFault::Missing { path }.into());
        }
        let keyring = Arc::clone(&self.keyring);
        let master = match keyring.masters().await?.into_iter().next() {
            Some(master) => master.key,
            None => tokio::task::spawn_blocking(move || keyring.source.make())
                .await
                .map_err(|_| StoreError::Interrupted)??,
        };
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id).map_err(|_| StoreError::Interrupted)?;
        query("INSERT INTO keyring_master (id, epoch, fingerprint) VALUES ($1, 1, $2)")
            .bind(&id[..])
            .bind(fingerprint(&master))
            .execute(&mut tx)
            .await?;
        let wrapping = wrapping_of(&master);
        for scope in [DEPLOYMENT, AUDIO] {
            add_scope(&mut tx, &wrapping, scope, 1, &DataKey::fresh()?).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn has_keys(conn: &mut Tx) -> Result<bool, StoreError> {
    let row: Option<(i64,)> = query_as("SELECT epoch FROM keyring_master")
        .fetch_optional(conn)
        .await?;
    Ok(row.is_some())
}

/// Writes down by which generation of the deployment's key everything is sealed, or will be when a change of keys is done.
pub(super) async fn note_generation(conn: &mut Tx, generation: Generation) -> Result<(), StoreError> {
    write_fact(conn, GENERATION_FACT, &generation.to_le_bytes()).await
}

/// Writes a key of a scope.
pub(super) async fn add_scope(
    conn: &mut Tx,
    wrapping: &DataKey,
    scope: &str,
    generation: Generation,
    key: &DataKey,
) -> Result<(), StoreError> {
    query("INSERT INTO keyring_scopes (scope, generation, wrapped) VALUES ($1, $2, $3)")
        .bind(scope)
        .bind(i64::from(generation))
        .bind(wrap(wrapping, scope, generation, key)?)
        .execute(conn)
        .await?;
    Ok(())
}

/// Says to whoever has the keys in memory that they are others now.
pub(super) async fn raise_epoch(conn: &mut Tx) -> Result<(), StoreError> {
    conn.keys = None;
    query("UPDATE keyring_master SET epoch = epoch + 1")
        .execute(conn)
        .await?;
    Ok(())
}

/// Where SQLite's keyring lies.
pub(super) fn file_of(store: &Path) -> PathBuf {
    files::folder_of(store).join(FILE)
}
