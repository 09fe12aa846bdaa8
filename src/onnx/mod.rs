//! The one room that knows ONNX Runtime.
//!
//! [`Runtime::load`] opens the provisioned shared library once per process; [`Runtime::open`] makes a
//! [`Graph`] of a model file; [`Graph::run`] feeds it named arrays and gives named arrays back. A graph
//! is run by one thread at a time (`&mut self`): each inference worker owns its own.
//!
//! Architecture invariant: nothing outside this folder names a type of the `ort` crate.

mod telemetry;
mod wire;
mod proto;
mod draft;
mod plane;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ndarray::{ArrayD, ArrayView1, ArrayViewD};
use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{TensorElementType, TensorRef, ValueType};
use thiserror::Error;

pub use draft::{Attribute, Draft, Weights};
pub use telemetry::without_telemetry;

/// Why a graph could not be loaded or run. Each message names the file.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// The shared library is not there or is not ONNX Runtime.
    #[error("ONNX Runtime could not be loaded from {path}: {cause}; run `make provision` to fetch it")]
    Library {
        /// The library that was tried.
        path: PathBuf,
        /// The loader's own words.
        cause: String,
    },
    /// The library would report on its use over the network.
    #[error(
        "ONNX Runtime reports on its use to its maker unless {switch}=1 is in the environment when the program starts: \
         set it",
        switch = telemetry::SWITCH
    )]
    Telemetry,
    /// A second, different library in one process.
    #[error("ONNX Runtime is already loaded from {loaded}; one process cannot load {asked} as well")]
    AlreadyLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        asked: PathBuf,
    },
    /// The model file is missing or is no ONNX graph this runtime can run.
    #[error("the graph {path} could not be loaded: {cause}")]
    Graph {
        /// The model file.
        path: PathBuf,
        /// The runtime's own words.
        cause: String,
    },
    /// Inference failed: a bug or a model unlike its card, never an input of a user.
    #[error("the graph {path} failed to run: {cause}")]
    Run {
        /// The model file.
        path: PathBuf,
        /// The runtime's own words.
        cause: String,
    },
}

/// ONNX Runtime, loaded. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    environment: Environment,
    library: PathBuf,
}

static LOADED: Mutex<Option<Runtime>> = Mutex::new(None);

impl Runtime {
    /// Loads the shared library, or gives the one this process loaded before.
    ///
    /// # Errors
    /// [`OnnxError::Telemetry`] in a process that was not started with [`without_telemetry`];
    /// [`OnnxError::Library`] when there is none at `library`; [`OnnxError::AlreadyLoaded`] when this
    /// process already runs on another one.
    pub fn load(library: &Path) -> Result<Self, OnnxError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            if runtime.library != library {
                return Err(OnnxError::AlreadyLoaded {
                    loaded: runtime.library.clone(),
                    asked: library.to_owned(),
                });
            }
            return Ok(runtime.clone());
        }
        if !telemetry::is_off() {
            return Err(OnnxError::Telemetry);
        }
        let failed = |cause: &dyn std::fmt::Display| OnnxError::Library {
            path: library.to_owned(),
            cause: cause.to_string(),
        };
        let builder = ort::init_from(library).map_err(|cause| failed(&cause))?;
        let environment = builder
            .with_name("voxline")
            .with_telemetry(false)
            .build()
            .map_err(|cause| failed(&cause))?;
        let runtime = Self {
            environment,
            library: library.to_owned(),
        };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }

    /// The shared library in use.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The library's version, as in `1.31.1`: from the build line it carries where that names a release,
    /// else from its file's name; the build line itself where neither tells.
    pub fn version(&self) -> String {
        // `ort` asks the library for its version when it loads it, and keeps the answer to itself.
        let info = ort::info();
        let file = self.library.canonicalize();
        let file = file.as_deref().unwrap_or(&self.library);
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        release_of_build(info)
            .or_else(|| release_of_name(name))
            .unwrap_or(info)
            .to_owned()
    }

    /// Loads a model file, with its external weights beside it, for use by one thread. Its convolutions over
    /// time are rewritten in memory for the runtime's faster kernels (`plane`).
    ///
    /// # Errors
    /// [`OnnxError::Graph`] when the file or its weights are missing or not runnable.
    pub fn open(&self, graph: &Path) -> Result<Graph, OnnxError> {
        self.commit(graph, |builder| {
            match std::fs::read(graph).ok().as_deref().and_then(plane::on_a_plane) {
                Some(rewritten) => builder.commit_from_memory(&rewritten),
                None => builder.commit_from_file(graph),
            }
        })
    }

    /// Loads a graph that was put together of the weights of `origin`, which messages name.
    ///
    /// # Errors
    /// [`OnnxError::Graph`] when it is not runnable.
    pub fn open_draft(&self, draft: &Draft, origin: &Path) -> Result<Graph, OnnxError> {
        self.commit(origin, |builder| builder.commit_from_memory(&draft.model()))
    }

    fn commit(
        &self,
        path: &Path,
        commit: impl FnOnce(&mut SessionBuilder) -> Result<Session, ort::Error>,
    ) -> Result<Graph, OnnxError> {
        // One thread a session: calls are spread over sessions, not over threads inside one. The other
        // options are those that measured best (models/README.md, Speed): all optimisations, and the
        // memory arena and its patterns left on, which lengths that differ do not make grow without end.
        let build = || -> Result<Session, ort::Error> {
            let mut builder = Session::builder(&self.environment)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?;
            commit(&mut builder)
        };
        match build() {
            Ok(session) => Ok(Graph {
                session,
                path: path.to_owned(),
            }),
            Err(cause) => Err(OnnxError::Graph {
                path: path.to_owned(),
                cause: cause.to_string(),
            }),
        }
    }
}

/// The weights that a model file holds as constants, by name, those of graphs within its graph too.
///
/// # Errors
/// [`OnnxError::Graph`] when there is no such file, or it is no model.
pub fn weights(graph: &Path) -> Result<HashMap<String, Weights>, OnnxError> {
    let fault = |cause: String| OnnxError::Graph {
        path: graph.to_owned(),
        cause,
    };
    let bytes = std::fs::read(graph).map_err(|cause| fault(cause.to_string()))?;
    draft::constants(&bytes).ok_or_else(|| fault("it is no ONNX model".to_owned()))
}

/// The release in "ORT Build Info: git-branch=rel-1.31.1, git-commit-id=…", if it was built from one.
fn release_of_build(info: &str) -> Option<&str> {
    info.split(['=', ',']).find_map(|part| part.strip_prefix("rel-"))
}

/// The release in `libonnxruntime.so.1.31.1` or `libonnxruntime.1.31.1.dylib`.
fn release_of_name(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("libonnxruntime.")?;
    let release = rest.strip_prefix("so.").or_else(|| rest.strip_suffix(".dylib"))?;
    let dotted = release
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    dotted.then_some(release)
}

/// What a graph declares of one input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The port's name, as feeds and fetches use it.
    pub name: String,
    /// The element type in ONNX's words, `float32` or `int64` for the ones we feed.
    pub element: String,
    /// Its shape; -1 where the graph leaves a dimension free.
    pub shape: Vec<i64>,
}

/// An array to feed.
pub enum Input<'a> {
    /// 32-bit floats of any shape.
    Floats(ArrayViewD<'a, f32>),
    /// One 64-bit integer, shape [].
    Integer(i64),
    /// 64-bit integers in a row: one axis.
    Integers(&'a [i64]),
}

/// A loaded model.
pub struct Graph {
    session: Session,
    path: PathBuf,
}

impl Graph {
    /// What the graph declares of its inputs, in its order.
    pub fn inputs(&self) -> Vec<Port> {
        self.session
            .inputs()
            .iter()
            .map(|outlet| port(outlet.name(), outlet.dtype()))
            .collect()
    }

    /// What the graph declares of its outputs, in its order.
    pub fn outputs(&self) -> Vec<Port> {
        self.session
            .outputs()
            .iter()
            .map(|outlet| port(outlet.name(), outlet.dtype()))
            .collect()
    }

    /// The keys and values that whoever made the file put into it (ONNX's `metadata_props`).
    ///
    /// # Errors
    /// [`OnnxError::Graph`] when the runtime cannot read them.
    pub fn metadata(&self) -> Result<BTreeMap<String, String>, OnnxError> {
        let read = || {
            let metadata = self.session.metadata()?;
            let keys = metadata.custom_keys()?;
            let pairs = keys.into_iter().filter_map(|key| {
                let value = metadata.custom(&key)?;
                Some((key, value))
            });
            Ok(pairs.collect())
        };
        read().map_err(|cause: ort::Error| OnnxError::Graph {
            path: self.path.clone(),
            cause: cause.to_string(),
        })
    }

    /// Runs the graph once and gives the named outputs in the order asked.
    ///
    /// # Errors
    /// [`OnnxError::Run`] when a name or a shape is not the graph's, or an output is not floats.
    pub fn run(
        &mut self,
        feeds: &[(&str, Input<'_>)],
        fetch: &[&str],
    ) -> Result<Vec<ArrayD<f32>>, OnnxError> {
        let path = &self.path;
        let failed = |cause: ort::Error| OnnxError::Run {
            path: path.clone(),
            cause: cause.to_string(),
        };
        let mut inputs: Vec<(&str, ort::session::SessionInputValue<'_>)> = Vec::with_capacity(feeds.len());
        for (name, feed) in feeds {
            let value = match feed {
                Input::Floats(array) => TensorRef::from_array_view(array.view()).map_err(failed)?.into(),
                Input::Integer(number) => ort::value::Tensor::from_array(ndarray::arr0(*number))
                    .map_err(failed)?
                    .into(),
                Input::Integers(row) => TensorRef::from_array_view(ArrayView1::from(*row))
                    .map_err(failed)?
                    .into(),
            };
            inputs.push((name, value));
        }
        let outputs = self.session.run(inputs).map_err(failed)?;
        fetch
            .iter()
            .map(|name| {
                let value = outputs.get(*name).ok_or_else(|| OnnxError::Run {
                    path: path.clone(),
                    cause: format!("it has no output called `{name}`"),
                })?;
                Ok(value.try_extract_array::<f32>().map_err(failed)?.to_owned())
            })
            .collect()
    }
}

fn port(name: &str, kind: &ValueType) -> Port {
    let (element, shape) = match kind {
        ValueType::Tensor { ty, shape, .. } => (element_name(*ty), shape.to_vec()),
        other => (format!("{other:?}"), Vec::new()),
    };
    Port {
        name: name.to_owned(),
        element,
        shape,
    }
}

fn element_name(element: TensorElementType) -> String {
    match element {
        TensorElementType::Float32 => "float32".to_owned(),
        TensorElementType::Int64 => "int64".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_from_build_line_or_file_name_and_never_guessed() {
        let line = "ORT Build Info: git-branch=rel-1.31.1, git-commit-id=6af1a93, build type=Release";
        assert_eq!(release_of_build(line), Some("1.31.1"));
        assert_eq!(release_of_build(&line.replace("rel-1.31.1", "HEAD")), None);
        assert_eq!(release_of_name("libonnxruntime.so.1.31.1"), Some("1.31.1"));
        assert_eq!(release_of_name("libonnxruntime.1.31.1.dylib"), Some("1.31.1"));
        for unnumbered in [
            "libonnxruntime.so",
            "libonnxruntime.dylib",
            "libonnxruntime.so.old",
        ] {
            assert_eq!(release_of_name(unnumbered), None, "{unnumbered}");
        }
    }
}
