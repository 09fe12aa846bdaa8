//! Where the models and ONNX Runtime lie: found without environment variables.

use std::path::{Path, PathBuf};

use super::checked::Config;

/// The folders something was looked for in, best first.
#[derive(Debug, Clone)]
pub struct Home {
    models: Result<PathBuf, Vec<PathBuf>>,
    library: Result<PathBuf, Vec<PathBuf>>,
}

impl Home {
    /// Looks for the models and the library: where the configuration says, else beside the program and
    /// in the folders above it (`target/release/voxline` finds the project), else in the present folder.
    pub fn find(config: &Config) -> Self {
        let bases = bases();
        let models = match &config.models_dir {
            Some(named) => first(vec![named.clone()], |folder| folder.is_dir()),
            None => first(bases.iter().map(|base| base.join("models")).collect(), |folder| {
                folder.join("silero_vad").join("card.toml").is_file()
            }),
        };
        let library = match &config.ort_lib {
            Some(named) => first(vec![named.clone()], |file| file.is_file()),
            None => {
                let places = bases.iter().flat_map(|base| [base.clone(), base.join("runtime")]);
                let found: Vec<PathBuf> = places.clone().filter_map(|folder| library_in(&folder)).collect();
                found.into_iter().next().ok_or_else(|| places.collect())
            }
        };
        Self { models, library }
    }

    /// The models' folder.
    ///
    /// # Errors
    /// The folders that were looked in.
    pub fn models(&self) -> Result<&Path, &[PathBuf]> {
        self.models.as_deref().map_err(Vec::as_slice)
    }

    /// ONNX Runtime's shared library.
    ///
    /// # Errors
    /// The files and folders that were looked in.
    pub fn library(&self) -> Result<&Path, &[PathBuf]> {
        self.library.as_deref().map_err(Vec::as_slice)
    }
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
