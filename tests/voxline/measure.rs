//! The measuring room: figures against other implementations, laws, lists, the benchmark itself.

mod bench;
mod contradictions;
mod goldens;
mod laws;
mod lists;
mod protocols;
mod scores;

use std::path::PathBuf;

/// Writes a file into a folder; gives its path.
fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}
