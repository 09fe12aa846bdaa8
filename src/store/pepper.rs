//! The key file of the PINs: `pepper.key` beside the database, made once.
//!
//! It stands outside the database so that a copy of the one does not give the other away. A database
//! whose PINs were hashed with it remembers its fingerprint: a file that was lost or exchanged is said
//! to be so, and is never replaced by a new one that would make every PIN wrong.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use super::StoreError;
use super::facts::{read_fact, write_fact};
use super::files;
use super::open::Store;
use super::pin::Pepper;
use super::sql::{Tx, query_as};
use super::values::sha256;

/// The name of the fingerprint among the store's facts.
const FACT: &str = "pepper_sha256";

/// Why PINs cannot be set or checked.
#[derive(Debug, Error)]
pub enum PepperFault {
    /// PINs were hashed with a key that is gone.
    #[error("the key file of the PINs, {}, is missing: put it back from the backup (a new one would make every PIN wrong), or set every user's PIN to none first", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is another one than the PINs were hashed with.
    #[error("{} is not the key file this store's PINs were made with: put the right one back from the backup", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("the key file of the PINs, {}, cannot be read or made ({source}): check its rights", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Argon2id could not be computed.
    #[error("a PIN could not be hashed: not enough memory or randomness, or the stored hash is damaged")]
    Hashing,
}

impl Store {
    /// The pepper for hashing a new PIN: made now when there is none and no PIN needs an older one.
    pub(super) async fn pepper_for_hashing(&self) -> Result<Pepper, StoreError> {
        if let Some(pepper) = self.known_pepper().await? {
            return Ok(pepper);
        }
        let mut tx = self.write().await?;
        let file = self.pepper_file();
        let pins = count_pins(&mut tx).await?;
        let known = read_fact(&mut tx, FACT).await?;
        let pepper = match read_file(file.clone()).await? {
            Some(pepper) => pepper,
            None if pins > 0 => return Err(PepperFault::Missing { path: file }.into()),
            None => make_file(file.clone()).await?,
        };
        let found = sha256(pepper.as_bytes());
        if pins > 0 && known.as_deref() != Some(&found[..]) {
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
        let pepper = read_file(self.pepper_file()).await?;
        Ok(pepper.filter(|pepper| known.as_deref() == Some(&sha256(pepper.as_bytes())[..])))
    }

    /// The pepper the stored PINs were hashed with; `None` when there is no PIN.
    pub(super) async fn pepper_for_checking(&self) -> Result<Option<Pepper>, StoreError> {
        let mut tx = self.read().await?;
        if count_pins(&mut tx).await? == 0 {
            return Ok(None);
        }
        let known = read_fact(&mut tx, FACT).await?;
        let path = self.pepper_file();
        match read_file(path.clone()).await? {
            None => Err(PepperFault::Missing { path }.into()),
            Some(pepper) if known.as_deref() == Some(&sha256(pepper.as_bytes())[..]) => Ok(Some(pepper)),
            Some(_) => Err(PepperFault::Replaced { path }.into()),
        }
    }

    /// Whether the key file is there and the right one, when any PIN needs it.
    pub(super) async fn check_pepper(&self) -> Result<(), StoreError> {
        self.pepper_for_checking().await.map(drop)
    }

    fn pepper_file(&self) -> PathBuf {
        files::folder_of(self.path()).join("pepper.key")
    }
}

async fn count_pins(conn: &mut Tx) -> Result<i64, StoreError> {
    let (count,) = query_as("SELECT COUNT(*) FROM users WHERE pin_hash IS NOT NULL")
        .fetch_one(conn)
        .await?;
    Ok(count)
}

async fn read_file(path: PathBuf) -> Result<Option<Pepper>, StoreError> {
    on_disk(path, |path| match std::fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => <[u8; 32]>::try_from(bytes.as_slice())
            .map(|bytes| Some(Pepper::new(bytes)))
            .map_err(|_| io::Error::other("it does not have 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    })
    .await
}

/// Makes the key file. The caller holds the database's write lock, so that two processes cannot make
/// two.
async fn make_file(path: PathBuf) -> Result<Pepper, StoreError> {
    on_disk(path, |path| {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
        files::write_private(path, &*bytes)?;
        Ok(Pepper::new(*bytes))
    })
    .await
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
