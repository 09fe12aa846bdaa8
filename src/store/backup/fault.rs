//! Why a backup was not made or not put in place.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::store::StoreError;

/// Why a backup was not made, or not put in place. Nothing is left half done where people would take it for whole.
#[derive(Debug, Error)]
pub enum BackupFault {
    /// There is nothing to back up.
    #[error("there is no store at {}: name its folder with --data-dir", path.display())]
    NoStore {
        /// Where it would be.
        path: PathBuf,
    },
    /// Something is where the backup, or what is restored, would go.
    #[error("{} is there already and is not overwritten: {remedy}", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// The backup's folder is given by no name of its own.
    #[error("{} is no name for a backup's folder: give the path of a folder that is not there yet, with its name at the end", path.display())]
    Nameless {
        /// What was given.
        path: PathBuf,
    },
    /// Another backup to the same place is being written.
    #[error("another backup is being written to {}: wait for it, or name another folder", path.display())]
    Underway {
        /// Where it is written.
        path: PathBuf,
    },
    /// Keys were destroyed between the copy of the rows and that of the keys.
    #[error("keys were changed while the backup was made, and not all of it could be read: make it again")]
    KeysChanged,
    /// The folder is no backup, or not one that this release reads.
    #[error("{} is no backup that this release reads: {why}", path.display())]
    NoBackup {
        /// The backup's folder.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file of the backup is not what was written.
    #[error("{} of the backup is damaged ({why}): nothing was put in place; use another backup", path.display())]
    Damaged {
        /// The file in the backup.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// It is of another kind of store than the one that is configured.
    #[error("the backup is of a store on {backup} and the configuration names one on {configured}: {remedy}")]
    OtherDatabase {
        /// What was backed up.
        backup: &'static str,
        /// What `store.url` says.
        configured: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Nothing says who was erased since the backup.
    #[error(
        "no list says who was erased since this backup was made, and they would come back: give the file erased.txt of \
         the store that was lost with --erased, or say --without-erased where there is none"
    )]
    NoErasedList,
    /// A list of erased ids cannot be read.
    #[error("the list {} cannot be used: {source}", path.display())]
    ErasedList {
        /// The file in question.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be read or written ({source}): check its rights and the room on the disk", path.display())]
    Io {
        /// Path of the file at fault.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for BackupFault {
    fn from(fault: sqlx::Error) -> Self {
        Self::Store(fault.into())
    }
}
