//! Backups: one consistent copy of the store and of what lies beside it, and putting it back.
//!
//! A backup is a folder:
//!
//! | file | what |
//! |---|---|
//! | `manifest.json` | release, time, database, and every other file with its bytes and SHA-256 |
//! | `manifest.json.sha256` | the manifest's own SHA-256, as `sha256sum -c` reads it |
//! | `voxline.db` | SQLite's file as one read transaction saw it; not there where the store is PostgreSQL |
//! | `recordings/` | the sealed recordings that it speaks of |
//! | `erased.txt` | the ids of what had been erased by then |
//! | `*.key`, `keyring*`, `vapi-undo.json` | the secrets, unless they are left out |
//!
//! It is written under another name and renamed when it is whole and was read back; it is put in place with the database
//! last, behind the lock that every opening of a store takes.

// In order: a file uses only those above it.
mod fault;
mod manifest;
mod copying;
mod partial;
mod opened;
mod lost_keys;
mod take;
mod restore;

pub use fault::BackupFault;
pub use manifest::{BackupFile, Manifest};
pub use restore::{ErasedLists, Restored, check_backup, restore};
pub use take::{Backup, back_up};
