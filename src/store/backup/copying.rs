//! Copying files so that what arrived is known by its hash and is on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::fault::BackupFault;
use super::manifest::BackupFile;
use crate::units::hex;

/// Bytes that are in memory at a time.
const PIECE: usize = 256 * 1024;

/// Reads `from` to its end, into `to` where there is one; gives length and SHA-256.
fn drain(mut from: impl Read, mut to: Option<&mut File>) -> io::Result<(u64, String)> {
    let (mut piece, mut hash, mut bytes) = (vec![0; PIECE], Sha256::new(), 0);
    loop {
        let count = from.read(&mut piece)?;
        if count == 0 {
            return Ok((bytes, hex(&hash.finalize())));
        }
        hash.update(&piece[..count]);
        if let Some(to) = to.as_mut() {
            to.write_all(&piece[..count])?;
        }
        bytes += count as u64;
    }
}

/// A new private file.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Copies the file at `name` in `from` to the same place in `to`, private and on the disk; `None` when it is not there.
pub(super) fn copied(from: &Path, to: &Path, name: &Path) -> Result<Option<BackupFile>, BackupFault> {
    let source = from.join(name);
    let opened = match File::open(&source) {
        Ok(opened) => opened,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(failed(&source)(fault)),
    };
    let target = to.join(name);
    let copy = || {
        let mut new = create(&target)?;
        let (bytes, sha256) = drain(opened, Some(&mut new))?;
        new.sync_all()?;
        Ok((bytes, sha256))
    };
    let (bytes, sha256) = copy().map_err(failed(&target))?;
    Ok(Some(BackupFile {
        path: name.to_owned(),
        bytes,
        sha256,
    }))
}

/// A file that is there, by its hash.
pub(super) fn found(folder: &Path, name: &Path) -> Result<BackupFile, BackupFault> {
    let path = folder.join(name);
    let read = File::open(&path).and_then(|file| drain(file, None));
    let (bytes, sha256) = read.map_err(failed(&path))?;
    Ok(BackupFile {
        path: name.to_owned(),
        bytes,
        sha256,
    })
}

/// Writes a new private file to the disk.
pub(super) fn written(path: &Path, bytes: &[u8]) -> Result<(), BackupFault> {
    let write = || {
        let mut file = create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed(path))
}

/// Brings the names in a folder to the disk.
pub(super) fn sync_folder(folder: &Path) -> Result<(), BackupFault> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed(folder))
}

/// What became of a file, as a fault.
pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> BackupFault + '_ {
    |source| BackupFault::Io {
        path: path.to_owned(),
        source,
    }
}
