//! Why a key, or what it seals, cannot be used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

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
        /// The file of the keyring.
        path: PathBuf,
    },
    /// There are users without a key.
    #[error("{} is older than the data beside it, {users} users have no key in it: put its newest copy back", path.display())]
    Older {
        /// The file of the keyring.
        path: PathBuf,
        /// How many users have none.
        users: usize,
    },
    /// The data is older than the last change of its keys.
    #[error("the data is older than the last change of its keys (`voxline store rotate-key --data-keys`), and {} has no key that opens it any more: restore a backup that was taken after", path.display())]
    OldData {
        /// The file of the keyring.
        path: PathBuf,
    },
    /// A key does not open with the master key.
    #[error("a key in {} is damaged: put its newest copy back", path.display())]
    Damaged {
        /// The file of the keyring.
        path: PathBuf,
    },
}

/// Why there is no master key.
#[derive(Debug, Error)]
pub enum MasterFault {
    /// There is none, and the store's keys are wrapped by one.
    #[error(
        "the store is encrypted and its master key is missing: {place} has none. Put back the one it was made with (from where you keep it apart from the backups, or from another node); a new one could read nothing"
    )]
    Missing {
        /// Where it should be.
        place: String,
    },
    /// It is another one than the store's keys are wrapped by.
    #[error(
        "{place} is not the master key of this store: put the right one back (from where you keep it apart from the backups, or from another node). Nothing was changed"
    )]
    Wrong {
        /// Where the wrong one is.
        place: String,
    },
    /// It cannot be read as a key.
    #[error(
        "{place} gives no master key ({why}): it is 64 hexadecimal digits, as `openssl rand -hex 32` prints them"
    )]
    Malformed {
        /// Where it was read.
        place: String,
        /// What is wrong; never the key.
        why: &'static str,
    },
    /// The file or the command cannot be read or run.
    #[error(
        "the master key cannot be read from {place} ({source}): check its rights, and that this user may read or run it"
    )]
    Io {
        /// Where it was read.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// A change of the master key needs the one to come.
    #[error(
        "{place} gives one key: give the new one too, after the one in use and a space, then change the key, then take the old one away"
    )]
    NoSuccessor {
        /// Where both should be.
        place: String,
    },
}

/// Why PINs cannot be set or checked.
#[derive(Debug, Error)]
pub enum PepperFault {
    /// PINs were hashed with a key that is gone.
    #[error("the key file of the PINs, {}, is missing: put it back from the backup, or copy it from another node of this store (a new one would make every PIN wrong)", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is another one than the PINs were hashed with.
    #[error("{} is not the key file this store's PINs were made with: put the right one back from the backup", path.display())]
    Replaced {
        /// Path of the file at fault.
        path: PathBuf,
    },
    /// The file cannot be read or made.
    #[error("the key file of the PINs, {}, cannot be read or made ({source}): check its rights", path.display())]
    Io {
        /// Path of the file at fault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Argon2id could not be computed.
    #[error("a PIN could not be hashed: not enough memory or randomness, or the stored hash is damaged")]
    Hashing,
}

/// Why a kept recording cannot be written or read.
#[derive(Debug, Error)]
pub enum VaultFault {
    /// Recordings were sealed with a key that is gone.
    #[error("the key that kept recordings were sealed with is missing: put {} back from the backup; without it they cannot be read", path.display())]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is another one than the recordings were sealed with.
    #[error("{} is not the key file this store's recordings were sealed with: put the right one back from the backup", path.display())]
    KeyReplaced {
        /// Path of the file at fault.
        path: PathBuf,
    },
    /// A recording's file is not what was written.
    #[error("the kept recording {} is damaged: enrol the user again", path.display())]
    Damaged {
        /// Path of the file at fault.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be read or written ({source}): check its rights and the room on the disk", path.display())]
    Io {
        /// Path of the file at fault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
