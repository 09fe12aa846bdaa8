//! Why a condition cannot be had.

use std::path::PathBuf;

use thiserror::Error;

/// A condition that cannot be had.
#[derive(Debug, Error)]
pub enum ConditionError {
    /// It is not spelt as any.
    #[error(
        "{step:?} is no condition ({why}); there are: clean, phone, alaw, gsm, amr[:KBPS], far, reverb, noise:SNR[:DIR], loss:PERCENT, opus:KBPS, several joined with +"
    )]
    Unknown {
        /// The step that was not understood.
        step: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The noise folder cannot be used.
    #[error("the noise folder {folder} cannot be used: {why}")]
    Noise {
        /// Path of the folder at fault.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A noise recording cannot be decoded.
    #[error("the noise recording {path}: {cause}")]
    NoiseFile {
        /// Path of the file at fault.
        path: PathBuf,
        /// Why it cannot be used.
        cause: String,
    },
    /// The AMR encoder or decoder refused.
    #[error("AMR at {kbps} kbit/s: the codec refused a frame. This is a bug")]
    Amr {
        /// The rate asked for.
        kbps: &'static str,
    },
    /// The Opus encoder or decoder refused.
    #[error("Opus at {kbps} kbit/s: {cause}. This is a bug")]
    Opus {
        /// The rate asked for.
        kbps: u32,
        /// The codec's own words.
        cause: String,
    },
}
