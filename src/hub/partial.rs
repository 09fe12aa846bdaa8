//! A file that is still coming: what is there of it, its running hash, and whether it may be continued.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::HubError;
use crate::units::hex;

/// What the source said of its file's version; a continuation asks for exactly that version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// The address it was said of.
    pub url: String,
    /// A strong entity tag (RFC 9110 section 8.8.3): weak ones do not promise equal bytes.
    pub etag: String,
}

/// A file that grows by [`Partial::append`] and is hashed as it grows.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    length: u64,
    hash: Sha256,
    version: Option<Version>,
    /// The file's whole size where it is known, for what is said when the disk is full.
    need: Option<u64>,
}

impl Partial {
    /// Opens what an earlier attempt left at `path`, or begins anew. What is there is hashed again: only
    /// what is on the disk counts.
    pub fn open(path: &Path, need: Option<u64>) -> Result<Self, HubError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut partial = Self {
            path: path.to_owned(),
            file: opened.map_err(|cause| HubError::of_file(path, "written", cause, need))?,
            length: 0,
            hash: Sha256::new(),
            version: None,
            need,
        };
        partial.version = std::fs::read(partial.note())
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if partial.version.is_none() {
            partial.restart(None)?;
        }
        partial.rehash()?;
        Ok(partial)
    }

    /// How many bytes are there.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// From where and by which tag `url` may be asked to go on.
    pub fn continuation(&self, url: &str) -> Option<(u64, &str)> {
        let version = self.version.as_ref().filter(|version| version.url == url)?;
        (self.length > 0).then_some((self.length, version.etag.as_str()))
    }

    /// Forgets what is there; what comes next is of `version`.
    pub fn restart(&mut self, version: Option<Version>) -> Result<(), HubError> {
        // The note last when there is one, first when there is none: bytes never stand under a tag that
        // is not theirs, whenever this is cut off.
        self.forget_note()?;
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|cause| self.fault("written", cause))?;
        (self.length, self.hash) = (0, Sha256::new());
        if let Some(version) = &version {
            let text = serde_json::to_vec(version).unwrap_or_default();
            std::fs::write(self.note(), text).map_err(|cause| self.fault("written", cause))?;
        }
        self.version = version;
        Ok(())
    }

    /// Adds `bytes`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.file
            .write_all(bytes)
            .map_err(|cause| self.fault("written", cause))?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Puts what is there on the disk for good and gives its SHA-256 in hexadecimal.
    pub fn sealed(&mut self) -> Result<String, HubError> {
        self.file
            .sync_all()
            .map_err(|cause| self.fault("written", cause))?;
        let digest = self.hash.clone().finalize();
        Ok(hex(&digest))
    }

    /// Removes everything of it.
    pub fn discard(&mut self) -> Result<(), HubError> {
        self.restart(None)?;
        std::fs::remove_file(&self.path).map_err(|cause| self.fault("removed", cause))
    }

    fn rehash(&mut self) -> Result<(), HubError> {
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = self
                .file
                .read(&mut piece)
                .map_err(|cause| self.fault("read", cause))?;
            if read == 0 {
                return Ok(());
            }
            self.hash.update(&piece[..read]);
            self.length += read as u64;
        }
    }

    fn note(&self) -> PathBuf {
        self.path.with_extension("version")
    }

    fn forget_note(&self) -> Result<(), HubError> {
        match std::fs::remove_file(self.note()) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => Err(self.fault("removed", cause)),
            _ => Ok(()),
        }
    }

    fn fault(&self, what: &'static str, cause: std::io::Error) -> HubError {
        HubError::of_file(&self.path, what, cause, self.need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn version() -> Option<Version> {
        Some(Version {
            url: "https://a.example/m".to_owned(),
            etag: "\"1\"".to_owned(),
        })
    }

    #[test]
    fn a_file_cut_anywhere_goes_on_to_the_same_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.part");
        let mut first = Partial::open(&path, None).unwrap();
        first.restart(version()).unwrap();
        first.append(b"a").unwrap();
        drop(first);
        let mut second = Partial::open(&path, None).unwrap();
        assert_eq!(second.continuation("https://a.example/m"), Some((1, "\"1\"")));
        assert_eq!(second.continuation("https://b.example/m"), None);
        second.append(b"bc").unwrap();
        assert_eq!((second.length(), second.sealed().unwrap().as_str()), (3, ABC));
    }

    #[test]
    fn bytes_of_no_known_version_are_not_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.part");
        std::fs::write(&path, b"who knows").unwrap();
        let partial = Partial::open(&path, None).unwrap();
        assert_eq!(
            (partial.length(), partial.continuation("https://a.example/m")),
            (0, None)
        );
    }

    #[test]
    fn what_is_discarded_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut partial = Partial::open(&folder.path().join("m.part"), None).unwrap();
        partial.restart(version()).unwrap();
        partial.append(b"a").unwrap();
        partial.discard().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
