//! Results of hours: whether they can be written is found out before, and what is written is whole or not there.

use std::fs::File;
use std::io::{Error, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Whether what is at `path` takes bytes as they come, as a pipe, a device or a stream of this process does: nothing lies beside
/// it, and nothing is put in its place.
fn is_stream(path: &Path) -> bool {
    let is_own = path == Path::new("/dev/stdout") || path == Path::new("/dev/stderr");
    let found = std::fs::metadata(path);
    is_own
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc")
        || found.is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Where a file is written until it is whole: beside its place.
pub(super) fn beside(path: &Path) -> PathBuf {
    if is_stream(path) {
        return path.to_owned();
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    beside.into()
}

/// Removes what was written beside `path` and is not whole.
pub(super) fn discard(path: &Path) {
    if !is_stream(path) {
        drop(std::fs::remove_file(beside(path)));
    }
}

/// Finds out whether a file can be put at `path`, before the hours are spent whose result it is to hold. What is there stays
/// as it is.
///
/// # Errors
/// Why it cannot, with the path.
pub(super) fn check_file(path: &Path) -> anyhow::Result<()> {
    // A pipe is opened once, when there is something for whoever reads it.
    if is_stream(path) {
        return Ok(());
    }
    let probe = || {
        if path.is_dir() {
            return Err(Error::other("what is there is no file"));
        }
        let beside = beside(path);
        File::create(&beside)?;
        std::fs::remove_file(&beside)
    };
    probe().with_context(|| unwritable(path))
}

/// Writes what is to lie at `path` beside it, down to the disk.
pub(super) fn write_beside(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = File::create(beside(path))?;
        file.write_all(text.as_bytes())?;
        if is_stream(path) { Ok(()) } else { file.sync_all() }
    };
    write().with_context(|| unwritable(path))
}

/// Puts what was written beside `path` into its place, in one step.
pub(super) fn put_in_place(path: &Path) -> anyhow::Result<()> {
    if is_stream(path) {
        return Ok(());
    }
    std::fs::rename(beside(path), path).with_context(|| unwritable(path))
}

/// Writes a file so that it is whole whatever happens: it may be in use, and half of it stops the service from starting.
pub(super) fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let done = write_beside(path, text).and_then(|()| put_in_place(path));
    done.inspect_err(|_| discard(path))
}

fn unwritable(path: &Path) -> String {
    format!("{} cannot be written", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_one_before_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calibration.toml");
        write_whole(&file, "first").unwrap();
        assert!(!beside(&file).exists());
        // Nothing can be written there.
        std::fs::create_dir(beside(&file)).unwrap();
        write_whole(&file, "second").unwrap_err();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");
    }

    #[test]
    fn whether_a_file_can_be_written_is_found_out_without_a_trace() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calibration.toml");
        check_file(&file).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        std::fs::write(&file, "first").unwrap();
        check_file(&file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "first");
        for place in [
            file.join("below"),
            folder.path().join("nowhere/file"),
            folder.path().to_owned(),
        ] {
            let fault = check_file(&place).unwrap_err().to_string();
            assert!(fault.contains(&place.display().to_string()), "{fault}");
        }
    }
}
