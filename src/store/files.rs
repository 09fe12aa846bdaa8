//! The store's files on the disk: private to their owner, and locked while they are being made.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Readable and writable by the owner alone.
const PRIVATE_FILE: u32 = 0o600;
/// What nobody but a key's owner may do with it, and its group no more than read it: so it is handed to a service that is
/// not root.
const OTHERS: u32 = 0o037;
/// Enterable by the owner alone.
const PRIVATE_FOLDER: u32 = 0o700;

/// The folder that `file` stands in.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The path of `file` with `end` behind its name.
pub(super) fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Makes the folder of `file`, private, when there is none. One that exists is left as it is: it may be
/// somebody's own choice, and every file in it is private by itself.
pub(super) fn make_folder(file: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(folder_of(file))
}

/// Makes the database file, private, when there is none, and takes the group's and the world's rights
/// on it away. SQLite gives its `-wal` and `-shm` files the same rights.
///
/// A file that exists is not opened here: closing any descriptor of it would drop the locks SQLite holds
/// on it for other handles of this process (<https://sqlite.org/howtocorrupt.html>, section 2.2).
pub(super) fn make_database(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE_FILE)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !std::fs::metadata(path)?.is_file() {
                return Err(io::Error::other("it is not a file"));
            }
            make_private(path)
        }
        Err(error) => Err(error),
    }
}

/// Whether only the owner has rights on `path`.
pub(super) fn is_private(path: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 == 0)
}

/// Whether others than a key's owner may do more with it than read it as its group.
pub(crate) fn is_for_others(key: &Permissions) -> bool {
    key.mode() & OTHERS != 0
}

fn make_private(path: &Path) -> io::Result<()> {
    if is_private(path)? {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(PRIVATE_FILE))
}

fn open_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE_FILE)
        .open(path)?;
    make_private(path)?;
    Ok(file)
}

/// Waits until this process alone works on the tables' layout or on the key file of `store`; the lock
/// goes with the returned file, also when the process is killed.
pub(crate) fn lock(store: &Path) -> io::Result<File> {
    let file = open_private(&beside(store, ".lock"))?;
    file.lock()?;
    Ok(file)
}

/// Writes `bytes` to a new private file at `path` so that after a crash either all of it is there or
/// nothing: written beside, synced, then renamed. The caller holds [`lock`].
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // No name that anything is read from: `master.key.new` is the key to come.
    let beside = beside(path, ".partial");
    let mut file = open_private(&beside)?;
    file.set_len(0)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(folder_of(path))?.sync_all()
}

/// Reads a key's file; `None` where there is none.
pub(super) fn read_key(path: &Path) -> io::Result<Option<Zeroizing<[u8; 32]>>> {
    match std::fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => <[u8; 32]>::try_from(bytes.as_slice())
            .map(|bytes| Some(Zeroizing::new(bytes)))
            .map_err(|_| io::Error::other("it does not have 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a key and its file. The caller holds the database's write lock, so that two processes cannot make two.
pub(super) fn make_key(path: &Path) -> io::Result<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
    write_private(path, &*bytes)?;
    Ok(bytes)
}

/// Gives `new` the owner, the group and the rights of `old`, but never to the world.
pub(super) fn give_to_owner_of(old: &Path, new: &Path) -> io::Result<()> {
    let (before, now) = (std::fs::metadata(old)?, std::fs::metadata(new)?);
    if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
        std::os::unix::fs::chown(new, Some(before.uid()), Some(before.gid()))?;
    }
    std::fs::set_permissions(new, Permissions::from_mode(before.permissions().mode() & 0o770))
}

/// Writes `bytes` over what stands at the beginning of a file, on the disk.
pub(super) fn write_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}
