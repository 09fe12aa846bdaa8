//! The keyring: every key of the store, wrapped by the master key, apart from what the keys seal.
//!
//! A user has a key of their own, the deployment has some. In SQLite they lie in a file beside the database
//! (`keyring.db`, attached to every connection), in PostgreSQL in tables of their own (`keyring_*`), so that a backup
//! of the data is one thing and the keyring another: whoever is erased goes out of the newest keyring, and no older
//! copy of the data tells anything of them with it.
//!
//! A transaction over two files of SQLite in its WAL mode is whole in each, not in both, when the power fails between
//! (<https://sqlite.org/lang_attach.html>). So a key is committed before the first row that needs it, and destroyed by
//! a transaction that follows the one that took its rows away (see `store/keys/shredding.rs`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::data_key::{DataKey, Generation, Place, generation_of};
use super::master::{MasterKey, MasterSource};
use super::recent::Recent;
use crate::store::{KeyringFault, StoreError, files};

/// SQLite's keyring, beside the database.
pub(in crate::store) const FILE: &str = "keyring.db";
/// The deployment's own key, by which is sealed what is of no one user.
pub(in crate::store) const DEPLOYMENT: &str = "deployment";
/// The key that those of kept recordings are made of.
pub(in crate::store) const AUDIO: &str = "audio";
/// Bytes of a keyring's id, and of what a master key is told by.
pub(in crate::store) const ID_BYTES: usize = 16;

/// The tables of SQLite's second file. PostgreSQL's are made by its migrations.
pub(in crate::store) const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS keyring.keyring_master \
     (id BLOB NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, fingerprint BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS keyring.keyring_scopes \
     (scope TEXT NOT NULL, generation BIGINT NOT NULL, wrapped BLOB NOT NULL, PRIMARY KEY (scope, generation))",
    "CREATE TABLE IF NOT EXISTS keyring.keyring_users (user_id TEXT NOT NULL, purpose TEXT NOT NULL, \
     generation BIGINT NOT NULL, wrapped BLOB, destroyed_at TEXT, \
     PRIMARY KEY (user_id, purpose, generation)) WITHOUT ROWID",
];

/// Where the keys come from, and those that are in memory.
pub(in crate::store) struct Keyring {
    pub(in crate::store) source: MasterSource,
    /// Where people find it.
    pub(in crate::store) shown: PathBuf,
    /// The keys that are in memory.
    pub(in crate::store) known: Recent<Keys>,
}

/// The keys of one state of the keyring, but for the users'.
pub(in crate::store) struct Keys {
    /// Which keyring it is.
    pub(in crate::store) id: Vec<u8>,
    /// Wraps all others.
    pub(in crate::store) wrapping: DataKey,
    pub(in crate::store) scopes: HashMap<(String, Generation), DataKey>,
}

impl Keyring {
    /// A keyring whose keys were not read yet; `shown` is where people find it.
    pub fn new(source: MasterSource, shown: PathBuf) -> Self {
        Self {
            source,
            shown,
            known: Recent::default(),
        }
    }

    /// The error of a key that its wrapping does not open.
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
    pub async fn settle(self: &Arc<Self>, used: Vec<u8>) -> Result<(), StoreError> {
        let this = Arc::clone(self);
        let is_used = move |key: &DataKey| fingerprint(key) == used;
        let done = tokio::task::spawn_blocking(move || this.source.settle(is_used)).await;
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

    /// Seals a value of the deployment's with its newest key.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when there is none.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (generation, key) = self.newest(DEPLOYMENT)?;
        key.seal(generation, place, plain)
    }

    /// Opens a value of the deployment's; `None` when it does not open.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.of(DEPLOYMENT, generation_of(sealed)?)?.open(place, sealed)
    }

    /// Opens a JSON document of the deployment's.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] with `what` when it does not open or is no JSON.
    pub fn open_json(
        &self,
        place: Place<'_>,
        sealed: &[u8],
        what: &'static str,
    ) -> Result<serde_json::Value, StoreError> {
        let unreadable = || StoreError::Unreadable { what };
        let plain = self.open(place, sealed).ok_or_else(unreadable)?;
        serde_json::from_slice(&plain).map_err(|_| unreadable())
    }
}

/// What a wrapped key is bound to.
fn wrap_place(row: &str) -> Place<'_> {
    Place::of("keyring", "wrapped", row)
}

/// Wraps the key that `name` has in this generation.
pub(in crate::store) fn wrap(
    wrapping: &DataKey,
    name: &str,
    generation: Generation,
    key: &DataKey,
) -> Result<Vec<u8>, StoreError> {
    let row = format!("{name} {generation}");
    wrapping.seal(0, wrap_place(&row), key.as_bytes())
}

/// Reads back what [`wrap`] made.
pub(in crate::store) fn unwrap(
    wrapping: &DataKey,
    name: &str,
    generation: Generation,
    wrapped: &[u8],
) -> Option<DataKey> {
    let row = format!("{name} {generation}");
    DataKey::from_bytes(&wrapping.open(wrap_place(&row), wrapped)?)
}

/// The key that wraps, of a master key.
pub(in crate::store) fn wrapping_of(master: &DataKey) -> DataKey {
    master.derived("voxline wrapping 1")
}

/// What tells a master key from another without giving it away.
pub(in crate::store) fn fingerprint(master: &DataKey) -> Vec<u8> {
    master.derived("voxline master key 1").as_bytes()[..ID_BYTES].to_vec()
}

/// Where SQLite's keyring lies.
pub(in crate::store) fn file_of(store: &Path) -> PathBuf {
    files::folder_of(store).join(FILE)
}
