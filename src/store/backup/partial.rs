//! The folder that a backup is written to until it is whole.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::copying::{failed, found, sync_folder, written};
use super::fault::BackupFault;
use super::manifest::{CHECKSUM, FILE, Manifest, RECORDINGS};
use crate::store::files::{beside, folder_of};

/// The folder that a backup is written to until it is whole; its lock says that somebody writes it.
pub(super) struct Partial {
    pub folder: PathBuf,
    to: PathBuf,
    lock: File,
}

impl Partial {
    /// Makes the folder beside `to`, as `to` with `.partial` behind it, and locks it. What a backup that was cut off
    /// left there goes.
    ///
    /// # Errors
    /// [`BackupFault::Nameless`] where `to` ends with no name, [`BackupFault::Exists`] where there is something at `to`,
    /// [`BackupFault::Underway`] while another process writes one, and what the system says.
    pub fn begin(to: &Path) -> Result<Self, BackupFault> {
        // Without a slash behind it: what is put behind the path's text would lie in the folder.
        let to: &Path = &to.components().collect::<PathBuf>();
        if to.file_name().is_none() {
            return Err(BackupFault::Nameless { path: to.to_owned() });
        }
        let is_empty = |path: &Path| std::fs::read_dir(path).is_ok_and(|mut inside| inside.next().is_none());
        if to.symlink_metadata().is_ok() && !is_empty(to) {
            return Err(BackupFault::Exists {
                path: to.to_owned(),
                remedy: "name a folder that is not there yet",
            });
        }
        let folder = beside(to, ".partial");
        if let Ok(lock) = File::open(&folder) {
            if lock.try_lock().is_err() {
                return Err(BackupFault::Underway { path: folder });
            }
            // What a backup that was cut off left.
            std::fs::remove_dir_all(&folder).map_err(failed(&folder))?;
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        let made = made.and_then(|()| File::open(&folder));
        let lock = made.map_err(failed(&folder))?;
        if lock.try_lock().is_err() {
            return Err(BackupFault::Underway { path: folder });
        }
        Ok(Self {
            folder,
            to: to.to_owned(),
            lock,
        })
    }

    /// Writes the manifest, reads everything back, and gives the folder its name.
    pub async fn finish(self, manifest: &Manifest) -> Result<PathBuf, BackupFault> {
        let manifest = manifest.clone();
        blocking(move || {
            let (text, sum) = manifest.written();
            written(&self.folder.join(FILE), &text)?;
            written(&self.folder.join(CHECKSUM), sum.as_bytes())?;
            for file in &manifest.files {
                if found(&self.folder, &file.path)? != *file {
                    return Err(BackupFault::Damaged {
                        path: self.folder.join(&file.path),
                        why: "the disk gives back something else than was written",
                    });
                }
            }
            for folder in [self.folder.join(RECORDINGS), self.folder.clone()] {
                if folder.is_dir() {
                    sync_folder(&folder)?;
                }
            }
            std::fs::rename(&self.folder, &self.to).map_err(failed(&self.to))?;
            sync_folder(&folder_of(&self.to))?;
            drop(self.lock);
            Ok(self.to)
        })
        .await
    }
}

/// Does work with files where it keeps nobody waiting.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupFault> + Send + 'static,
) -> Result<T, BackupFault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|fault| {
        let interrupted = io::Error::other(fault.to_string());
        BackupFault::Io {
            path: PathBuf::from("a file"),
            source: interrupted,
        }
    })?
}
