//! Why a benchmark stopped.

use std::path::PathBuf;

use thiserror::Error;

use super::super::condition::ConditionError;
use super::super::error::MetricError;
use super::super::lists::ListError;
use super::super::logistic::FitError;
use super::super::protocol::{ProtocolError, Tables};
use crate::decision::CalibrationError;
use crate::engine::EngineError;
use crate::samples::LoadError;
use crate::units::NotFinite;
use crate::verdict::ListenError;
use crate::voiceprint::{BadEmbedding, ExtractError};

/// Why a benchmark stopped.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The protocol folder.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A list that is read or written.
    #[error(transparent)]
    List(#[from] ListError),
    /// A condition cannot be understood or made.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// A model cannot be loaded or run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No figures can be made of the scores.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// The model's calibration.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// A recording cannot be read.
    #[error("{path} cannot be read: {cause}; the paths of the lists start from `audio` in protocol.toml")]
    Unreadable {
        /// Path of the recording at fault.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// A recording cannot be decoded.
    #[error("{path}: {cause}")]
    Load {
        /// Path of the recording at fault.
        path: PathBuf,
        /// Why it could not be read.
        cause: LoadError,
    },
    /// A recording cannot be listened to.
    #[error("{path}: {cause}")]
    Listen {
        /// Path of the recording at fault.
        path: PathBuf,
        /// Why it could not be listened to.
        cause: ListenError,
    },
    /// The speaker model failed on a recording.
    #[error("{path}: {cause}")]
    Extract {
        /// Path of the recording at fault.
        path: PathBuf,
        /// Why no embedding came out.
        cause: ExtractError,
    },
    /// The clips of a model have no common direction.
    #[error("the enrolment of {model} gives no voiceprint: {cause}")]
    Enrolment {
        /// Id of the speaker model.
        model: String,
        /// Why the mean of its embeddings is none.
        cause: BadEmbedding,
    },
    /// A score left the finite numbers.
    #[error("{model} against {test}: {cause}")]
    Score {
        /// Id of the speaker model.
        model: String,
        /// The test recording's name.
        test: String,
        /// Which score is not finite.
        cause: NotFinite,
    },
    /// The cache of embeddings cannot be used.
    #[error("the cache {path} cannot be used: {cause}; say --no-cache to do without")]
    Cache {
        /// The folder or file.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// No roster shows how far strangers reach.
    #[error(
        "no roster has three users who are somewhat like each other: give larger ones, or leave --roster-reach out"
    )]
    NoReach,
    /// The trials give no calibration.
    #[error("no calibration comes of these calls: {cause}; give calls of two seconds and more")]
    Fit {
        /// Why nothing could be fitted.
        cause: FitError,
    },
    /// There is nothing to check or to decide by.
    #[error("the model has no calibration to check or to decide by")]
    NoCalibration,
    /// Nobody could hand a phone to anybody.
    #[error(
        "--handover needs tests of at least two enrolled people and a third person; this protocol has too few"
    )]
    TooFewSpeakers,
    /// A thread died.
    #[error("a thread of the benchmark panicked. This is a bug")]
    Crashed,
}

impl BenchError {
    /// What came of holding a model of a protocol against a test of it, both by their places.
    pub(super) fn score(tables: &Tables, model: usize, test: usize, cause: NotFinite) -> Self {
        Self::Score {
            model: tables.models[model].clone(),
            test: tables.tests[test].clone(),
            cause,
        }
    }
}
