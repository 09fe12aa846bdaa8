//! The models' folder as installing sees it: where a model comes together, and how it appears.

use std::fs::{DirBuilder, File};
use std::path::{Path, PathBuf};

use super::catalogue::is_id;
use super::error::HubError;

/// The folder, among the models, in which they come together. It holds no card, so nothing takes it for a
/// model.
const INCOMING: &str = ".incoming";

/// A place for one model to come together, ours alone as long as this lives.
pub(super) struct InstallLock {
    models: PathBuf,
    id: String,
    _lock: File,
}

impl InstallLock {
    /// Takes the bench of model `id` in the folder `models`.
    pub fn take(models: &Path, id: &str) -> Result<Self, HubError> {
        if !is_id(id) {
            return Err(HubError::BadId(id.to_owned()));
        }
        let incoming = models.join(INCOMING);
        DirBuilder::new()
            .recursive(true)
            .create(&incoming)
            .map_err(|cause| HubError::of_file(&incoming, "made", cause, None))?;
        // Where the models' folder is a checkout, what is fetched is not part of it.
        write(&incoming.join(".gitignore"), b"*\n")?;
        let path = incoming.join(format!("{id}.lock"));
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|cause| HubError::of_file(&path, "written", cause, None))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(HubError::Underway(id.to_owned())),
            Err(std::fs::TryLockError::Error(cause)) => {
                return Err(HubError::of_file(&path, "locked", cause, None));
            }
        }
        Ok(Self {
            models: models.to_owned(),
            id: id.to_owned(),
            _lock: lock,
        })
    }

    /// Where the model's folder will be.
    pub fn home(&self) -> PathBuf {
        self.models.join(&self.id)
    }

    /// Where the file comes in. It outlives this process when it is not whole yet.
    pub fn partial(&self) -> PathBuf {
        self.models.join(INCOMING).join(format!("{}.part", self.id))
    }

    /// An empty folder for the whole model: what an earlier attempt left in it is gone.
    pub fn stage(&self) -> Result<PathBuf, HubError> {
        let stage = self.models.join(INCOMING).join(&self.id);
        match std::fs::remove_dir_all(&stage) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                return Err(HubError::of_file(&stage, "emptied", cause, None));
            }
            _ => {}
        }
        std::fs::create_dir(&stage).map_err(|cause| HubError::of_file(&stage, "made", cause, None))?;
        write(&stage.join(".gitignore"), b"*\n")?;
        Ok(stage)
    }

    /// Lets the staged model appear under its name, whole, and clears the bench.
    pub fn publish(&self, stage: &Path) -> Result<PathBuf, HubError> {
        let home = self.home();
        sync(stage)?;
        std::fs::rename(stage, &home).map_err(|cause| match cause.kind() {
            std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => {
                HubError::Taken { folder: home.clone() }
            }
            _ => HubError::of_file(&home, "made", cause, None),
        })?;
        sync(&self.models)?;
        self.clear();
        Ok(home)
    }

    /// Removes what is left on the bench; what cannot be removed harms nobody.
    pub fn clear(&self) {
        let incoming = self.models.join(INCOMING);
        let _ = std::fs::remove_file(self.partial());
        let _ = std::fs::remove_dir_all(incoming.join(&self.id));
    }
}

/// Writes a file so that it is on the disk when this returns.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), HubError> {
    let written = File::create(path).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    });
    written.map_err(|cause| HubError::of_file(path, "written", cause, Some(bytes.len() as u64)))
}

fn sync(folder: &Path) -> Result<(), HubError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|cause| HubError::of_file(folder, "written", cause, None))
}
