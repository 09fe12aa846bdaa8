//! Why a model did not come.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::onnx::OnnxError;
use crate::voiceprint::{CardError, DraftError, ExtractError};

/// Why a catalogue entry cannot be used.
#[derive(Debug, Error)]
#[error("the catalogue entry {name} is not valid: {cause}")]
pub struct BadEntry {
    /// The entry's file.
    pub name: String,
    /// What is wrong and where.
    pub cause: String,
}

/// Why a model was not installed. Nothing of it is in the models' folder then.
#[derive(Debug, Error)]
pub enum HubError {
    /// The catalogue has no such model.
    #[error(
        "there is no model `{id}` in the catalogue; it has {known}. A card file of your own can be named instead"
    )]
    Unknown {
        /// What was asked for.
        id: String,
        /// The ids there are.
        known: String,
    },
    /// An entry is not valid.
    #[error(transparent)]
    Entry(#[from] BadEntry),
    /// The name would not be a folder's name.
    #[error(
        "`{0}` cannot be a model's id: use 1 to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit"
    )]
    BadId(String),
    /// There is another model of that name.
    #[error("{} is there already and is another model, or a damaged one: choose another id, or remove that folder", .folder.display())]
    Taken {
        /// The model's folder.
        folder: PathBuf,
    },
    /// Another process is at it.
    #[error("another voxline is installing `{0}` at this moment: wait for it")]
    Underway(String),
    /// The address of a mirror or an entry is none.
    #[error("`{text}` is no address a file can be fetched from: {cause}")]
    BadAddress {
        /// What was given, without a password in it.
        text: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No HTTP client could be made.
    #[error(
        "nothing can be fetched over the network here: {0}; install the system's root certificates where they are missing, or name a folder with --mirror"
    )]
    Client(String),
    /// Every source failed.
    #[error("{file} could not be fetched:\n{}\nwhere the source allows it, the same command goes on from what has arrived; --mirror names another source", .faults.join("\n"))]
    Unreachable {
        /// Name of the file at fault.
        file: String,
        /// What each source did.
        faults: Vec<String>,
    },
    /// The bytes are not the ones that are pinned.
    #[error(
        "{file} from {from} is not the file the catalogue names, and nothing of it was kept: SHA-256 {actual}, expected {expected}"
    )]
    WrongBytes {
        /// Name of the file at fault.
        file: String,
        /// Where it came from.
        from: String,
        /// The hash of what came.
        actual: String,
        /// The pinned hash.
        expected: String,
    },
    /// There is no room on the disk.
    #[error("the disk of {} is full: make room (the file has {need}) and give the same command again", .path.display())]
    DiskFull {
        /// The file that was written.
        path: PathBuf,
        /// The file's size in words.
        need: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{} cannot be {what}: {cause}", .path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// `read`, `written`, …
        what: &'static str,
        /// The system's own words.
        cause: io::Error,
    },
    /// The file is a graph for which no card can be written.
    #[error(
        "{file}: no card can be written for it: {cause}. If you know what it expects, write a card.toml for it by hand (models/README.md says how) in a folder of its own among the models"
    )]
    NoCard {
        /// Name of the file at fault.
        file: String,
        /// What is missing.
        cause: DraftError,
    },
    /// The card that was written is refused.
    #[error(transparent)]
    Card(#[from] CardError),
    /// ONNX Runtime cannot load the file.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// It does not run.
    #[error("the model does not run here: {0}")]
    Extract(#[from] ExtractError),
    /// It is another model than the entry describes.
    #[error("the model gives {actual} numbers, its entry in the catalogue says {expected}")]
    Dimension {
        /// How much came.
        actual: usize,
        /// What the entry says.
        expected: usize,
    },
}

impl HubError {
    /// Whether the same bytes would be refused again, whatever becomes of this machine.
    pub(super) fn is_of_the_bytes(&self) -> bool {
        matches!(
            self,
            Self::NoCard { .. } | Self::Card(_) | Self::Onnx(_) | Self::Extract(_) | Self::Dimension { .. }
        )
    }

    /// A fault of the file system at `path`, with a full disk told apart.
    pub(super) fn of_file(path: &Path, what: &'static str, cause: io::Error, need: Option<u64>) -> Self {
        let path = path.to_owned();
        if matches!(
            cause.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            let need = need.map_or_else(
                || "a size nobody has published".to_owned(),
                |bytes| format!("{bytes} bytes"),
            );
            return Self::DiskFull { path, need };
        }
        Self::File { path, what, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_to_be_full_and_how_much_is_needed() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let said = HubError::of_file(Path::new("models/x"), "written", full, Some(26)).to_string();
        assert!(said.contains("full") && said.contains("26 bytes"), "{said}");
    }
}
