//! Kept recordings as files: sealed one by one, each readable only with the store's audio key and its row.
//!
//! The audio key lies in the keyring (older releases had it in a file, `audio.key`); the salt of each recording stands
//! in the database, sealed by its user's key, so that erasing its row, or destroying that key, erases the recording even
//! from copies of its file.

use std::io;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::store::values::sha256;
use crate::store::{VaultFault, files};

/// What the keys of recordings are made for, so that no other use of the audio key gives the same ones.
const PURPOSE: &[u8] = b"voxline recording 1";

/// Bytes of every key and salt.
pub(in crate::store) const KEY_BYTES: usize = 32;

/// The store's audio key. It is cleared from memory when it is dropped.
pub(in crate::store) struct AudioKey(Zeroizing<[u8; KEY_BYTES]>);

impl AudioKey {
    /// The key that a keyring holds.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key's bytes, to wrap or derive others with.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// What tells this key from another without giving it away.
    pub fn fingerprint(&self) -> [u8; KEY_BYTES] {
        sha256(&*self.0)
    }

    /// The cipher of one recording (ChaCha20-Poly1305, RFC 8439) under a key of its own (HMAC-SHA-256,
    /// RFC 2104).
    fn cipher(&self, salt: &[u8]) -> ChaCha20Poly1305 {
        let mut mac = Hmac::<Sha256>::new(&block(&self.0));
        mac.update(PURPOSE);
        mac.update(salt);
        let key: Zeroizing<[u8; KEY_BYTES]> = Zeroizing::new(mac.finalize().into_bytes().into());
        ChaCha20Poly1305::new(&Key::from(*key))
    }
}

/// A key as HMAC-SHA-256 takes it: filled up with zeros to a block (RFC 2104 section 2).
fn block(key: &[u8; KEY_BYTES]) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..KEY_BYTES].copy_from_slice(key);
    block
}

/// Seals `bytes` as the recording of `clip` and puts them on the disk.
pub(in crate::store) fn seal(
    store: &Path,
    key: &AudioKey,
    salt: &[u8; KEY_BYTES],
    clip: &str,
    mut bytes: Vec<u8>,
) -> Result<(), VaultFault> {
    let path = file_of(store, clip);
    // The salt is fresh, so this key seals these bytes and never others: one nonce is enough.
    let sealed = key
        .cipher(salt)
        .encrypt_in_place(&Nonce::default(), clip.as_bytes(), &mut bytes);
    sealed.map_err(|_| VaultFault::Damaged { path: path.clone() })?;
    let written = files::make_folder(&path).and_then(|()| files::write_private(&path, &bytes));
    written.map_err(|source| VaultFault::Io { path, source })
}

/// Reads the recording of `clip` back.
pub(in crate::store) fn open(
    store: &Path,
    key: &AudioKey,
    salt: &[u8],
    clip: &str,
) -> Result<Zeroizing<Vec<u8>>, VaultFault> {
    let path = file_of(store, clip);
    let read = std::fs::read(&path).map(Zeroizing::new);
    let mut bytes = read.map_err(|source| VaultFault::Io {
        path: path.clone(),
        source,
    })?;
    let opened = key
        .cipher(salt)
        .decrypt_in_place(&Nonce::default(), clip.as_bytes(), &mut *bytes);
    opened.map_err(|_| VaultFault::Damaged { path })?;
    Ok(bytes)
}

/// Removes the files of these clips. One that stays cannot be read any more, its salt being gone, and is
/// swept when the store is next opened.
pub(in crate::store) fn remove(store: &Path, clips: &[String]) {
    for clip in clips {
        let path = file_of(store, clip);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "the file of an erased recording could not be removed; it is unreadable all the same");
            }
            _ => {}
        }
    }
}

/// The files that are the recording of no clip `is_known`: left by a crash between two steps, or another store's.
pub(in crate::store) fn strange(store: &Path, is_known: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder(store)) else {
        return Vec::new();
    };
    let files = entries.flatten().map(|entry| entry.path());
    let strange = files.filter(|file| clip_of(file).is_some_and(|clip| !is_known(clip)));
    strange.collect()
}

/// Removes the files that are the recording of no clip `is_known`. The caller holds the database's write lock, under which
/// files come and rows go.
pub(in crate::store) fn sweep(store: &Path, is_known: impl Fn(&str) -> bool) {
    for file in strange(store, is_known) {
        let _ = std::fs::remove_file(file);
    }
}

/// The stores that have kept recordings here, by their ids; `None` where older releases alone have.
pub(in crate::store) fn owners(store: &Path) -> Result<Option<Vec<String>>, VaultFault> {
    let path = folder(store).join(OWNERS);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.lines().map(str::to_owned).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(VaultFault::Io { path, source }),
    }
}

/// Notes that a store keeps recordings here, beside those that do already. Of recordings without a note the store is the
/// owner that `has_rows` of some.
pub(in crate::store) fn add_owner(store: &Path, id: &str, has_rows: bool) -> Result<(), VaultFault> {
    let mut all = match owners(store)? {
        Some(all) => all,
        None if has_rows || strange(store, |_| false).is_empty() => Vec::new(),
        None => vec!["unknown".to_owned()],
    };
    if all.iter().any(|owner| owner == id) {
        return Ok(());
    }
    all.push(id.to_owned());
    set_owners(store, &all)
}

/// Notes whose recordings are here.
pub(in crate::store) fn set_owners(store: &Path, ids: &[String]) -> Result<(), VaultFault> {
    let path = folder(store).join(OWNERS);
    let text = ids.join("\n") + "\n";
    let written = files::make_folder(&path).and_then(|()| files::write_private(&path, text.as_bytes()));
    written.map_err(|source| VaultFault::Io { path, source })
}

/// Takes the note of whose recordings are here away: whoever has rows of them makes it anew.
pub(in crate::store) fn forget_owners(store: &Path) -> io::Result<()> {
    match std::fs::remove_file(folder(store).join(OWNERS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether any recording was ever kept here.
pub(in crate::store) fn exists(store: &Path) -> bool {
    folder(store).is_dir()
}

/// The end of a recording's name.
pub(in crate::store) const SUFFIX: &str = ".sealed";
/// Beside the recordings: the ids of the stores whose they are, a line each.
const OWNERS: &str = "store-id";

fn folder(store: &Path) -> PathBuf {
    files::folder_of(store).join("recordings")
}

fn file_of(store: &Path, clip: &str) -> PathBuf {
    folder(store).join(format!("{clip}{SUFFIX}"))
}

/// The clip whose recording a file is, or was being written as; `None` of what is not ours.
fn clip_of(file: &Path) -> Option<&str> {
    let name = file.file_name()?.to_str()?;
    let clip = name
        .strip_suffix(".partial")
        .unwrap_or(name)
        .strip_suffix(SUFFIX)?;
    Uuid::parse_str(clip).is_ok().then_some(clip)
}

/// Takes the key file of an older release away, once its key is in the keyring: its bytes first.
pub(in crate::store) fn remove_key(store: &Path) -> Result<(), VaultFault> {
    let path = key_file(store);
    let wiped = files::write_over(&path, &[0; KEY_BYTES]);
    match wiped.and_then(|()| std::fs::remove_file(&path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VaultFault::Io { path, source: error }),
        _ => Ok(()),
    }
}

/// Where the audio key of an older release lies.
pub(in crate::store) fn key_file(store: &Path) -> PathBuf {
    files::folder_of(store).join("audio.key")
}
