//! Why a graph gets no card.

use thiserror::Error;

use crate::onnx::OnnxError;

/// Why no card can be made for a graph.
#[derive(Debug, Error)]
pub enum DraftError {
    /// The keys cannot be read.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The file says nothing of its front end.
    #[error(
        "the file carries no key `framework` (sherpa-onnx's), so nothing says how its features are made; \
         write its card.toml by hand, after one in models/"
    )]
    NoFramework,
    /// A framework whose front end is not known.
    #[error("the file is of the framework `{0}`; known are wespeaker, 3d-speaker and nemo")]
    Framework(String),
    /// A key that is needed is not there.
    #[error("the file carries no key `{0}`, which says how its features are made")]
    NoKey(&'static str),
    /// A key has a value that this version cannot follow.
    #[error("the file's key `{key}` is `{value}`; this version can do: {known}")]
    Key {
        /// The key in the file's metadata.
        key: &'static str,
        /// The value, as TOML.
        value: String,
        /// What would have been possible.
        known: String,
    },
    /// The graph is not shaped like a speaker model.
    #[error("the graph is not shaped like a speaker model: {0}")]
    Shape(String),
    /// The card cannot be written as TOML.
    #[error("the card cannot be written: {0}")]
    Written(#[from] toml::ser::Error),
}
