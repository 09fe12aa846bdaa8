//! Where the models and ONNX Runtime lie: found without environment variables.

use std::path::{Path, PathBuf};

/// The models' folder: the one that was named, else beside the program and in the folders above it
/// (`target/release/voxline` finds the project), else in the present folder.
///
/// # Errors
/// The folders that were looked in.
pub(super) fn models(named: Option<&Path>) -> Result<PathBuf, Vec<PathBuf>> {
    match named {
        Some(named) => first(vec![named.to_owned()], |folder| folder.is_dir()),
        None => first(
            bases().iter().map(|base| base.join("models")).collect(),
            |folder| folder.join("silero_vad").join("card.toml").is_file(),
        ),
    }
}

/// ONNX Runtime's shared library: the one that was named, else in the same places as the models' folder, or in `runtime`
/// there.
///
/// # Errors
/// The files and folders that were looked in.
pub(super) fn library(named: Option<&Path>) -> Result<PathBuf, Vec<PathBuf>> {
    if let Some(named) = named {
        return first(vec![named.to_owned()], |file| file.is_file());
    }
    let places = bases().into_iter().flat_map(|base| {
        let runtime = base.join("runtime");
        [base, runtime]
    });
    let places: Vec<PathBuf> = places.collect();
    places.iter().find_map(|folder| library_in(folder)).ok_or(places)
}

fn first(places: Vec<PathBuf>, fits: impl Fn(&Path) -> bool) -> Result<PathBuf, Vec<PathBuf>> {
    places.iter().find(|place| fits(place)).cloned().ok_or(places)
}

fn bases() -> Vec<PathBuf> {
    let program = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
    // target/debug/deps/<test> is four folders deep in the project.
    let above = program
        .iter()
        .flat_map(|path| path.ancestors().skip(1).take(4).map(Path::to_owned));
    let mut bases: Vec<PathBuf> = above.collect();
    bases.extend(std::env::current_dir().ok());
    bases
}

/// A shared library of ONNX Runtime in `folder`, the newest by name when there are several.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let names = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    names.filter(|path| is_library(path)).max()
}

fn is_library(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let linux = name.starts_with("libonnxruntime.so");
    let mac = name.starts_with("libonnxruntime") && name.ends_with(".dylib");
    (linux || mac) && path.is_file()
}
