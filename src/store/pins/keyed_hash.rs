//! Keyed hashes of values that must be compared and not be read: telephone numbers in evidence and locks.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::store::secrets::DEPLOYMENT;
use crate::store::{Store, StoreError};
use crate::units::hex;

/// Half of HMAC-SHA256 (RFC 2104): 128 bits do not collide among any number of calls.
const KEPT_BYTES: usize = 16;

/// Hashes values under the key file of the PINs, so that a copy of the database alone cannot be searched for
/// telephone numbers.
#[derive(Clone)]
pub struct KeyedHash(Hmac<Sha256>);

impl KeyedHash {
    /// The hash of `value`, in hexadecimal. `purpose` keeps equal values of different kinds apart.
    pub fn of(&self, purpose: &str, value: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        hex(&mac.finalize().into_bytes()[..KEPT_BYTES])
    }
}

impl std::fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedHash(***)")
    }
}

impl Store {
    /// The store's own keyed hash. Makes the key file when there is none and no PIN needs an older one.
    ///
    /// # Errors
    /// [`StoreError::Pepper`] when the key file is missing, or another one than the PINs were made with.
    pub async fn keyed_hash(&self) -> Result<KeyedHash, StoreError> {
        let pepper = self.pepper_for_hashing().await?;
        let mut mac = Hmac::<Sha256>::new_from_slice(pepper.as_bytes())
            .map_err(|_| StoreError::Unreadable { what: "key" })?;
        mac.update(b"voxline evidence 1\0");
        Ok(KeyedHash(mac))
    }

    /// The secret by which voiceprints are turned that lie in an index that is not ours. It is another after a change of
    /// the data keys.
    ///
    /// # Errors
    /// [`StoreError`] when the keys cannot be read.
    pub async fn index_secret(&self) -> Result<[u8; 32], StoreError> {
        let keys = self.read().await?.keys().await?;
        let (_, key) = keys.newest(DEPLOYMENT)?;
        Ok(*key.derived("voxline index 1").as_bytes())
    }
}
