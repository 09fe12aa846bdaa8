//! A file that is still coming: what is there of it, and its running hash.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::HubError;
use crate::units::hex;

/// Bytes that are read at a time.
const PIECE: usize = 1 << 16;

/// A file that grows by [`Partial::append`] and is hashed as it grows.
///
/// Whose bytes they are is not asked: every file is pinned by its SHA-256, and bytes of two versions come to another
/// one.
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    length: u64,
    hash: Sha256,
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
            need,
        };
        partial.rehash()?;
        Ok(partial)
    }

    /// How many bytes are there.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Forgets what is there.
    pub fn restart(&mut self) -> Result<(), HubError> {
        let emptied = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(|cause| self.fault("written", cause))?;
        (self.length, self.hash) = (0, Sha256::new());
        Ok(())
    }

    /// Writes `bytes` behind those that are there, and takes them into the hash.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.file
            .write_all(bytes)
            .map_err(|cause| self.fault("written", cause))?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Copies the file at `source` in place of what is there, and tells how many bytes there are as they come. It ends
    /// behind the first piece that goes beyond `limit`: that is enough for the hash to differ.
    pub fn copy(&mut self, source: &Path, limit: u64, mut tell: impl FnMut(u64)) -> Result<(), HubError> {
        let unreadable = |cause| HubError::of_file(source, "read", cause, None);
        let mut file = File::open(source).map_err(unreadable)?;
        self.restart()?;
        let mut piece = vec![0; PIECE];
        while self.length <= limit {
            let read = file.read(&mut piece).map_err(unreadable)?;
            if read == 0 {
                break;
            }
            self.append(&piece[..read])?;
            tell(self.length);
        }
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

    /// Empties and removes the file.
    pub fn discard(&mut self) -> Result<(), HubError> {
        self.restart()?;
        std::fs::remove_file(&self.path).map_err(|cause| self.fault("removed", cause))
    }

    fn rehash(&mut self) -> Result<(), HubError> {
        let mut piece = vec![0; PIECE];
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

    fn fault(&self, what: &'static str, cause: std::io::Error) -> HubError {
        HubError::of_file(&self.path, what, cause, self.need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_file_cut_anywhere_goes_on_to_the_same_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.part");
        let mut first = Partial::open(&path, None).unwrap();
        first.append(b"a").unwrap();
        drop(first);
        let mut second = Partial::open(&path, None).unwrap();
        assert_eq!(second.length(), 1);
        second.append(b"bc").unwrap();
        assert_eq!((second.length(), second.sealed().unwrap().as_str()), (3, ABC));
    }

    #[test]
    fn a_copy_takes_the_place_of_what_was_there_and_ends_at_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("m");
        std::fs::write(&source, vec![7; 5 * PIECE]).unwrap();
        let mut partial = Partial::open(&folder.path().join("m.part"), None).unwrap();
        partial.append(b"before").unwrap();
        partial.copy(&source, 2 * PIECE as u64, |_| {}).unwrap();
        assert_eq!(partial.length(), 3 * PIECE as u64);
    }

    #[test]
    fn what_is_discarded_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut partial = Partial::open(&folder.path().join("m.part"), None).unwrap();
        partial.append(b"a").unwrap();
        partial.discard().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
