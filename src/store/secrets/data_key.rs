//! Values sealed for the place where they stand: nobody reads one without its key, and none can be put in another row.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 over RFC 8439) under a random nonce of 24 bytes, of which so many can
//! be drawn under one key that none comes twice. What is sealed says of which generation its key is, so that keys can
//! be renewed row by row.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::store::StoreError;

/// Bytes of every key.
pub(super) const KEY_BYTES: usize = 32;
/// The first byte of what is sealed. No plain text of the store begins with it.
const FORMAT: u8 = 1;
const GENERATION_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + GENERATION_BYTES + NONCE_BYTES;
const TAG_BYTES: usize = 16;

/// Which of the keys that follow each other under one name.
pub(in crate::store) type Generation = u32;

/// Where a sealed value stands. It is bound to that place and opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Place<'a> {
    /// The table's name.
    pub table: &'static str,
    /// The column's name.
    pub column: &'static str,
    /// What the row is known by.
    pub row: &'a str,
}

impl<'a> Place<'a> {
    /// This column of this row.
    pub const fn of(table: &'static str, column: &'static str, row: &'a str) -> Self {
        Self { table, column, row }
    }

    fn bytes(&self) -> Vec<u8> {
        ["voxline sealed 1", self.table, self.column, self.row]
            .join("\0")
            .into_bytes()
    }
}

/// A key that values are sealed with. It is cleared from memory when it is dropped.
pub(in crate::store) struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    /// A random one.
    ///
    /// # Errors
    /// [`StoreError::Interrupted`] when the system has no randomness to give.
    pub fn fresh() -> Result<Self, StoreError> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|_| StoreError::Interrupted)?;
        Ok(Self(bytes))
    }

    /// The key that `bytes` are.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = <[u8; KEY_BYTES]>::try_from(bytes).ok()?;
        Some(Self(Zeroizing::new(bytes)))
    }

    /// The key itself; not to be written down but wrapped.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Another key for one purpose alone, by HKDF-SHA-256 (RFC 5869).
    pub fn derived(&self, purpose: &str) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        // HKDF gives up to 255 times 32 bytes.
        let expanded = Hkdf::<Sha256>::new(None, self.as_bytes()).expand(purpose.as_bytes(), &mut *bytes);
        debug_assert!(expanded.is_ok(), "32 bytes are few");
        Self(bytes)
    }

    /// Seals `plain` for `place`.
    ///
    /// # Errors
    /// [`StoreError::Interrupted`] when the system has no randomness to give.
    pub fn seal(
        &self,
        generation: Generation,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let mut nonce = XNonce::default();
        getrandom::fill(&mut nonce).map_err(|_| StoreError::Interrupted)?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + plain.len() + TAG_BYTES);
        sealed.push(FORMAT);
        sealed.extend(generation.to_le_bytes());
        sealed.extend(nonce.as_slice());
        sealed.extend(plain);
        let (_, body) = sealed.split_at_mut(HEAD_BYTES);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce, &place.bytes(), body.into())
            .map_err(|_| StoreError::Interrupted)?;
        sealed.extend(tag.as_slice());
        Ok(sealed)
    }

    /// Reads back what [`DataKey::seal`] made for the same place; `None` when it was made by another key, for another
    /// place, or altered.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        generation_of(sealed)?;
        let (head, rest) = sealed.split_at_checked(HEAD_BYTES)?;
        let (body, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_BYTES)?)?;
        let nonce = XNonce::try_from(&head[1 + GENERATION_BYTES..]).ok()?;
        let mut plain = Zeroizing::new(body.to_vec());
        self.cipher()
            .decrypt_inout_detached(
                &nonce,
                &place.bytes(),
                plain.as_mut_slice().into(),
                tag.try_into().ok()?,
            )
            .ok()?;
        Some(plain)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(***)")
    }
}

/// Which generation of its key a value was sealed with; `None` of what is not sealed.
pub(in crate::store) fn generation_of(sealed: &[u8]) -> Option<Generation> {
    let (&first, rest) = sealed.split_first()?;
    let bytes = rest.first_chunk::<GENERATION_BYTES>()?;
    (first == FORMAT && sealed.len() >= HEAD_BYTES + TAG_BYTES).then(|| Generation::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place::of("users", "name", "1");

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_place_alone() {
        let key = DataKey::fresh().unwrap();
        let sealed = key.seal(7, HERE, b"Ana").unwrap();
        assert_eq!(generation_of(&sealed), Some(7));
        assert_eq!(key.open(HERE, &sealed).unwrap().as_slice(), b"Ana");
        assert!(DataKey::fresh().unwrap().open(HERE, &sealed).is_none());
        for other in [
            Place { table: "u", ..HERE },
            Place { column: "n", ..HERE },
            Place { row: "2", ..HERE },
        ] {
            assert!(key.open(other, &sealed).is_none(), "{other:?}");
        }
    }

    #[test]
    fn every_bit_of_what_is_sealed_matters_but_its_generation() {
        let key = DataKey::fresh().unwrap();
        let sealed = key.seal(1, HERE, b"a voice").unwrap();
        for bit in (0..8).chain(8 * (1 + GENERATION_BYTES)..8 * sealed.len()) {
            let mut bent = sealed.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(HERE, &bent).is_none(), "bit {bit}");
        }
        for short in 0..sealed.len() {
            assert!(key.open(HERE, &sealed[..short]).is_none(), "{short} bytes");
        }
    }

    /// RFC 5869 written out over Python's own `hmac`: extract with 32 zeros as salt, one block of expand.
    #[test]
    fn a_derived_key_is_the_one_others_derive() {
        let key = DataKey::from_bytes(&(0..32).collect::<Vec<u8>>()).unwrap();
        let derived = crate::units::hex(key.derived("voxline test").as_bytes());
        assert_eq!(
            derived,
            "82bfdf1ef3df4e4b1d9eb06d2615672926e4f4bad197773f55d321b6add5cdc8"
        );
    }
}
