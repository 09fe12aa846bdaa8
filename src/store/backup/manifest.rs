//! What a backup says of itself: `manifest.json` and its checksum.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::fault::BackupFault;
use crate::store::erased;
pub(super) use crate::store::secrets::keyring::FILE as KEYRING;
pub(super) use crate::store::secrets::master::FILE as MASTER_KEY;
use crate::store::values::sha256;
use crate::units::hex;

/// The manifest's name in a backup.
pub(super) const FILE: &str = "manifest.json";
/// And of its checksum's.
pub(super) const CHECKSUM: &str = "manifest.json.sha256";
/// SQLite's file in a backup.
pub(super) const DATABASE: &str = "voxline.db";
/// The folder of kept recordings.
pub(super) const RECORDINGS: &str = "recordings";
/// The layout that is written.
const FORMAT: u32 = 1;
/// The most bytes of a manifest that are read: some hundred thousand files.
const LARGEST: u64 = 64 * 1024 * 1024;

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Its place in the backup and in the data folder.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 (FIPS 180-4) of its bytes, in hexadecimal.
    pub sha256: String,
}

/// What a backup is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Which layout of backups it has; there is one so far, 1.
    pub format: u32,
    /// The release that wrote it.
    pub voxline: String,
    /// When the store was read.
    #[serde(with = "time::serde::rfc3339")]
    pub made_at: OffsetDateTime,
    /// `SQLite` or `PostgreSQL`; of the latter the database itself is not in it.
    pub database: String,
    /// How many migrations the database had.
    pub migrations: u64,
    /// Whether the key files are in it.
    pub keys: bool,
    /// Every other file.
    pub files: Vec<BackupFile>,
}

impl Manifest {
    pub(super) fn new(made_at: OffsetDateTime, database: &str, keys: bool) -> Self {
        Self {
            format: FORMAT,
            voxline: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            database: database.to_owned(),
            migrations: 0,
            keys,
            files: Vec::new(),
        }
    }

    /// How many bytes its files have.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// How many kept recordings are in it.
    pub fn recordings(&self) -> usize {
        let kept = self.files.iter().filter(|file| file.path.starts_with(RECORDINGS));
        kept.count()
    }

    /// The manifest as it is written, and its checksum.
    pub(super) fn written(&self) -> (Vec<u8>, String) {
        // Plain data: writing it as JSON cannot fail.
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        let sum = format!("{}  {FILE}\n", hex(&sha256(&text)));
        (text, sum)
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// [`BackupFault::NoBackup`] when there is none that this release reads, [`BackupFault::Damaged`] when it is not
    /// what was written.
    pub(super) fn read(folder: &Path) -> Result<Self, BackupFault> {
        let no_backup = |why: String| BackupFault::NoBackup {
            path: folder.to_owned(),
            why,
        };
        let read = |name: &str| {
            let path = folder.join(name);
            let length = std::fs::metadata(&path).map(|found| found.len());
            match length {
                Ok(length) if length > LARGEST => Err(no_backup(format!("{name} is too long"))),
                Ok(_) => std::fs::read(&path).map_err(|why| no_backup(format!("{name}: {why}"))),
                Err(why) => Err(no_backup(format!("{name}: {why}"))),
            }
        };
        let (text, sum) = (read(FILE)?, read(CHECKSUM)?);
        let damaged = |why| BackupFault::Damaged {
            path: folder.join(FILE),
            why,
        };
        if !sum.starts_with(hex(&sha256(&text)).as_bytes()) {
            return Err(damaged("its SHA-256 is another"));
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(|why| no_backup(why.to_string()))?;
        if manifest.format != FORMAT {
            let why = format!(
                "its layout is {}, of release {}",
                manifest.format, manifest.voxline
            );
            return Err(no_backup(why));
        }
        if !manifest.files.iter().all(|file| is_ours(&file.path)) {
            return Err(damaged("it names files that no backup has"));
        }
        let has_database = manifest.files.iter().any(|file| file.path == Path::new(DATABASE));
        if has_database == (manifest.database == "SQLite") {
            Ok(manifest)
        } else {
            Err(no_backup(
                "its database is not of the kind that it names".to_owned(),
            ))
        }
    }
}

/// Whether a file of a data folder is a secret of its own: keys, and what was at a foreign account before. The master
/// key is in no backup: whoever had both would read it.
pub(super) fn is_secret(name: &str) -> bool {
    let key = Path::new(name).extension().is_some_and(|ending| ending == "key");
    (key && name != MASTER_KEY) || name == KEYRING || name == "vapi-undo.json"
}

/// Whether a backup may have a file of this path, so that none leads out of the folder that it is restored to.
fn is_ours(path: &Path) -> bool {
    let names: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    match names.as_deref() {
        Some([name]) => *name == DATABASE || *name == erased::FILE || is_secret(name),
        Some([folder, name]) => *folder == RECORDINGS && name.ends_with(".sealed"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_names_no_file_outside_the_folder_it_is_restored_to() {
        for ours in ["voxline.db", "pepper.key", "recordings/1.sealed", "erased.txt"] {
            assert!(is_ours(Path::new(ours)), "{ours}");
        }
        for other in [
            "/etc/pepper.key",
            "../pepper.key",
            "recordings/../a.key",
            "voxline.db-wal",
            "a/b/c.key",
        ] {
            assert!(!is_ours(Path::new(other)), "{other}");
        }
    }
}
