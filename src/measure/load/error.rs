//! Why a load test cannot go on.

use std::path::PathBuf;

use thiserror::Error;

use super::super::protocol::ProtocolError;
use crate::onnx::OnnxError;
use crate::samples::{LoadError as AudioError, SamplesError};
use crate::speech::VadError;

/// Why a load test did not begin or was given up. Faults of single calls are no errors: they are counted.
#[derive(Debug, Error)]
pub enum LoadFault {
    /// The protocol cannot be used.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The protocol names no calls.
    #[error(
        "{0} has no call with speech in it: a load test needs search.tsv and rosters.tsv, whose recordings are its calls"
    )]
    NoCalls(PathBuf),
    /// More numbers than the rosters can be spread over.
    #[error("at most {most} numbers can be had of this protocol's rosters, not {asked}")]
    TooManyNumbers {
        /// How many were asked for.
        asked: usize,
        /// How many can be had.
        most: usize,
    },
    /// A recording cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// Path of the recording at fault.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A recording is no audio.
    #[error("{path} cannot be played: {cause}")]
    Audio {
        /// Path of the recording at fault.
        path: PathBuf,
        /// What is wrong with it.
        cause: AudioError,
    },
    /// Telephone audio cannot be heard here: a bug.
    #[error(transparent)]
    Samples(#[from] SamplesError),
    /// ONNX Runtime is missing or broken.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The speech detector is missing or broken.
    #[error(transparent)]
    Vad(#[from] VadError),
    /// The server did not start, or does not do what it is asked.
    #[error("{0}")]
    Server(String),
    /// Somebody did not want to wait for the end (Ctrl-C).
    #[error("the load test was interrupted")]
    Interrupted,
    /// The server still has users of the test.
    #[error(
        "these users of the test are left on the server, remove them with DELETE /v1/users/ID: {users} ({cause})"
    )]
    Left {
        /// Their ids, commas between.
        users: String,
        /// Why the last of them could not be removed.
        cause: Box<LoadFault>,
    },
}
