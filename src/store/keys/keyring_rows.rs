//! The keyring's rows, and the store's keys as a transaction reads them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::store::database::{Tx, query, query_as, read_fact, write_fact};
use crate::store::secrets::{
    AUDIO, DEPLOYMENT, DataKey, Generation, ID_BYTES, Keyring, Keys, fingerprint, unwrap, wrap, wrapping_of,
};
use crate::store::{KeyringFault, MasterFault, Store, StoreError};

/// The fact that says which keyring the data is sealed by.
const FACT: &str = "keyring";
/// The fact that says which generation of the deployment's key the data was last sealed by.
const GENERATION_FACT: &str = "deployment_key";

pub(in crate::store) fn read_generation(stored: i64) -> Result<Generation, StoreError> {
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
                keyring.settle(wanted).await?;
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
    Ok(Keys { id, wrapping, scopes })
}

impl Store {
    /// Finds the keys of the data, and makes them for data that has none yet.
    ///
    /// # Errors
    /// [`StoreError::Master`] and [`StoreError::Keyring`]; nothing was made or changed then.
    pub(in crate::store) async fn open_keyring(&self) -> Result<(), StoreError> {
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
        let sealed_by = noted_generation(&mut tx).await?;
        let known = sealed_by.is_none_or(|generation| keys.of(DEPLOYMENT, generation).is_some());
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

/// By which generation of the deployment's key everything is sealed, or by a later one.
pub(in crate::store) async fn noted_generation(conn: &mut Tx) -> Result<Option<Generation>, StoreError> {
    let unreadable = |_| StoreError::Unreadable {
        what: "key's generation",
    };
    let noted = read_fact(conn, GENERATION_FACT).await?;
    let read = |bytes: Vec<u8>| bytes.try_into().map(Generation::from_le_bytes);
    noted.map(read).transpose().map_err(unreadable)
}

/// Writes down by which generation of the deployment's key everything is sealed, or by a later one. It never goes back: of
/// two changes side by side the earlier may be done last.
pub(in crate::store) async fn note_generation(
    conn: &mut Tx,
    generation: Generation,
) -> Result<(), StoreError> {
    if noted_generation(conn)
        .await?
        .is_some_and(|noted| noted >= generation)
    {
        return Ok(());
    }
    write_fact(conn, GENERATION_FACT, &generation.to_le_bytes()).await
}

/// Writes a key of a scope.
pub(in crate::store) async fn add_scope(
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
pub(in crate::store) async fn raise_epoch(conn: &mut Tx) -> Result<(), StoreError> {
    conn.keys = None;
    query("UPDATE keyring_master SET epoch = epoch + 1")
        .execute(conn)
        .await?;
    Ok(())
}
