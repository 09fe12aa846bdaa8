//! The key file of the PINs: `pepper.key` beside the database, made once.
//!
//! It stands outside the database so that a copy of the one does not give the other away. A database
//! whose PINs were hashed with it remembers its fingerprint: a file that was lost or exchanged is said
//! to be so, and is never replaced by a new one that would make every PIN wrong.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::store::database::{Tx, query_as, read_fact, write_fact};
use crate::store::secrets::Pepper;
use crate::store::values::sha256;
use crate::store::{PepperFault, Store, StoreError, files};
use crate::units::unhex;

/// The name of the fingerprint among the store's facts.
const FACT: &str = "pepper_sha256";

impl Store {
    /// The pepper for hashing a new PIN: made now when there is none and no PIN needs an older one.
    pub(super) async fn pepper_for_hashing(&self) -> Result<Pepper, StoreError> {
        if let Some(pepper) = self.known_pepper().await? {
            return Ok(pepper);
        }
        let mut tx = self.write().await?;
        let file = self.pepper_file();
        let known = read_fact(&mut tx, FACT).await?;
        let needed = self.needs_pepper(&mut tx, known.as_deref()).await?;
        let pepper = match self.own_pepper().await? {
            Some(pepper) => pepper,
            None if needed => return Err(PepperFault::Missing { path: file }.into()),
            None => make_file(file.clone()).await?,
        };
        let found = sha256(pepper.as_bytes());
        if needed && known.as_deref() != Some(&found[..]) {
            return Err(PepperFault::Replaced { path: file }.into());
        }
        if known.as_deref() != Some(&found[..]) {
            write_fact(&mut tx, FACT, &found).await?;
        }
        tx.commit().await?;
        Ok(pepper)
    }

    /// The pepper whose fingerprint the store has, without waiting for who writes; `None` when there is none, or the
    /// file holds another.
    async fn known_pepper(&self) -> Result<Option<Pepper>, StoreError> {
        let known = read_fact(&mut self.read().await?, FACT).await?;
        let pepper = self.own_pepper().await?;
        Ok(pepper.filter(|pepper| known.as_deref() == Some(&sha256(pepper.as_bytes())[..])))
    }

    /// The pepper the stored PINs were hashed with; `None` when there is no PIN.
    pub(super) async fn pepper_for_checking(&self) -> Result<Option<Pepper>, StoreError> {
        let mut tx = self.read().await?;
        let known = read_fact(&mut tx, FACT).await?;
        if !self.needs_pepper(&mut tx, known.as_deref()).await? {
            return Ok(None);
        }
        let path = self.pepper_file();
        match self.own_pepper().await? {
            None => Err(PepperFault::Missing { path }.into()),
            Some(pepper) if known.as_deref() == Some(&sha256(pepper.as_bytes())[..]) => Ok(Some(pepper)),
            Some(_) => Err(PepperFault::Replaced { path }.into()),
        }
    }

    /// Whether the key file is there and the right one, when any PIN needs it.
    pub(in crate::store) async fn check_pepper(&self) -> Result<(), StoreError> {
        self.pepper_for_checking().await.map(drop)
    }

    /// Whether no other pepper will do than the one the store knows by its fingerprint: where there are PINs, and on
    /// a store of several machines from the first on, so that none makes another.
    async fn needs_pepper(&self, tx: &mut Tx, known: Option<&[u8]>) -> Result<bool, StoreError> {
        Ok(self.is_shared() && known.is_some() || has_pins(tx).await?)
    }

    /// The pepper that is configured or, without one, in the key file.
    async fn own_pepper(&self) -> Result<Option<Pepper>, StoreError> {
        match &self.pepper {
            Some(pepper) => Ok(Some(Pepper::new(*pepper.as_bytes()))),
            None => read_file(self.pepper_file()).await,
        }
    }

    /// The key file, or what stands in its place.
    fn pepper_file(&self) -> PathBuf {
        match &self.pepper {
            Some(_) => "store.pepper".into(),
            None => files::folder_of(self.path()).join("pepper.key"),
        }
    }
}

/// The pepper that a setting writes as 64 hexadecimal digits.
pub(in crate::store) fn given_pepper(text: &str) -> Option<Pepper> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    unhex(text, &mut *bytes)?;
    Some(Pepper::new(*bytes))
}

/// Whether anybody has a PIN.
const ANY_PIN: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE pin_hash IS NOT NULL)";

async fn has_pins(conn: &mut Tx) -> Result<bool, StoreError> {
    let (some,) = query_as(ANY_PIN).fetch_one(conn).await?;
    Ok(some)
}

async fn read_file(path: PathBuf) -> Result<Option<Pepper>, StoreError> {
    let key = on_disk(path, files::read_key).await?;
    Ok(key.map(|key| Pepper::new(*key)))
}

/// Makes the key file. The caller holds the database's write lock, so that two processes cannot make
/// two.
async fn make_file(path: PathBuf) -> Result<Pepper, StoreError> {
    Ok(Pepper::new(*on_disk(path, files::make_key).await?))
}

async fn on_disk<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let shown = path.clone();
    tokio::task::spawn_blocking(move || work(&path))
        .await
        .map_err(|_| StoreError::Interrupted)?
        .map_err(|source| PepperFault::Io { path: shown, source }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Readiness asks it every few seconds.
    #[tokio::test]
    async fn whether_anybody_has_a_pin_is_no_walk_over_all_users() {
        let (_folder, store) = Store::in_a_folder().await;
        let plan = store.plan_of(ANY_PIN).await;
        assert!(plan.contains("users_with_pin"), "{plan}");
    }
}
