//! What can go wrong at the switchboard, sorted by who can do something about it.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::bytes::DecodeError;
use crate::decision::CalibrationError;
use crate::engine::{Busy, EngineError};
use crate::gallery::GalleryError;
use crate::outward::Unfetched;
use crate::samples::SamplesError;
use crate::store::StoreError;
use crate::units::{CallId, DialedNumber, UserId};
use crate::verdict::{HearError, ListenError};
use crate::voiceprint::{CardError, CountermeasureError, ModelId};

use super::gallery_cache::GalleryCacheError;

/// Why the switchboard did not open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The models' folder or ONNX Runtime was not found.
    #[error("{what} was not found in any of: {}; run `make provision` in the project, or name it with {flag}", list(.looked_in))]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Folders that were searched for it.
        looked_in: Vec<PathBuf>,
        /// How to say where it is.
        flag: &'static str,
    },
    /// A model is missing or not what its card says.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The countermeasure is missing or not what its card says.
    #[error(transparent)]
    Countermeasure(#[from] CountermeasureError),
    /// The model's folder holds another model's card.
    #[error(
        "the folder of the model {folder} holds the card of {named}: a model's folder is called by its id"
    )]
    OtherName {
        /// What was asked for.
        folder: ModelId,
        /// What the card says.
        named: ModelId,
    },
    /// The voiceprints in the store are of a model that cannot serve.
    #[error(
        "the voiceprints in this store were made by the model {model}, which cannot serve: {cause}. Install it, \
         or change to one that can with `voxline models switch` ({configured} is configured)"
    )]
    Stored {
        /// The store's model.
        model: ModelId,
        /// The configured one.
        configured: ModelId,
        /// Why it cannot serve.
        cause: Box<OpenError>,
    },
    /// The calibration is missing or fitted for another model.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The policy asks for more certainty than the calibration can give.
    #[error(
        "decision.accept = {accept:.6}, as set or as decision.max_false_accept and decision.max_wrong_name need it, can \
         never be reached: the calibration's evidence is bounded by what it was fitted on; ask for less, or lower \
         decision.unknown_share"
    )]
    NeverNames {
        /// The acceptance asked for.
        accept: f64,
    },
    /// The roots of PASSporTs cannot be read.
    #[error("identity.passport_roots: {}: {cause}", path.display())]
    PassportRoots {
        /// Path of the file at fault.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// There is no HTTP client for the certificates of PASSporTs.
    #[error(transparent)]
    Client(#[from] Unfetched),
    /// A model could not be loaded.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gallery's settings are wrong.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
}

impl OpenError {
    /// The same fault, told of a model that is in use because the store's voiceprints are its.
    pub(super) fn of_stored(self, model: &ModelId, configured: &ModelId) -> Self {
        match self {
            Self::Card(_) if model != configured => Self::Stored {
                model: model.clone(),
                configured: configured.clone(),
                cause: Box::new(self),
            },
            other => other,
        }
    }
}

/// Why something asked of the switchboard was not done.
#[derive(Debug, Error)]
pub enum BoardError {
    /// The dialed number is not one of ours.
    #[error("{0:?} is not a number of this deployment; add it with `voxline number add`")]
    UnknownNumber(DialedNumber),
    /// The call is known as one to another number.
    #[error("the call {0} is one to another number")]
    OtherNumber(CallId),
    /// The call is over.
    #[error("the call {0} has ended already: give every call an id of its own")]
    CallEnded(CallId),
    /// Somebody else sends the call's audio.
    #[error("there was a call {0} already: give every call an id of its own")]
    CallTaken(CallId),
    /// What is asked for cannot be kept with anybody ever named.
    #[error(
        "nobody on this number could ever be named: keeping that takes a probability of {accept:.6}, and the \
         calibration's evidence is bounded by what it was fitted on; ask for less"
    )]
    NeverNames {
        /// The acceptance it takes.
        accept: f64,
    },
    /// A call's id that leaves no room for its tenant's.
    #[error(
        "the id of the call {0} is too long: this tenant's, and those of a UUID and a slash, have at most 91 characters"
    )]
    LongCallId(CallId),
    /// Giving numbers to tenants, reading the audit log.
    #[error("that is for the operator of this service, by an `admin` key that is for all numbers: ask them")]
    OperatorsAlone,
    /// The key asked for as many identifications of the number as it may.
    #[error(
        "this key may ask for {most} identifications of one number a minute (limits.identifications_per_minute)"
    )]
    TooManyTries {
        /// How many it may.
        most: u32,
        /// How long until there is another.
        retry_after: Duration,
    },
    /// Another voice than before is for an administrator to enrol.
    #[error("a voice unlike the one before takes a key with the scope `admin`")]
    AdminsAlone,
    /// There is no such user.
    #[error("there is no user {0}; `voxline user list --number N` shows who there is")]
    UnknownUser(UserId),
    /// No audio was given.
    #[error("no audio was given: an enrolment needs at least one recording")]
    NoClips,
    /// More audio than one request may bring.
    #[error("{given} recordings at once; at most {most} are taken, send the others in a second enrolment")]
    TooManyClips {
        /// How many came.
        given: usize,
        /// How many are taken.
        most: usize,
    },
    /// The recording cannot be decoded.
    #[error("{name}: {cause}")]
    Decode {
        /// The recording's file name, as it was sent.
        name: String,
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// The audio has a shape that cannot be listened to.
    #[error("{name}: {cause}")]
    Shape {
        /// Which recording or stream.
        name: String,
        /// What is wrong with it.
        cause: SamplesError,
    },
    /// The call has gone on for longer than calls may.
    #[error("the call has lasted longer than {minutes:.0} minutes, the longest this service follows")]
    CallTooLong {
        /// The longest that is taken, in minutes.
        minutes: f64,
    },
    /// A live enrolment has gone on for longer than one may.
    #[error(
        "the enrolment has lasted longer than {seconds:.0} s, the longest one may: speak for less time, or in several enrolments"
    )]
    EnrolmentTooLong {
        /// The longest that is taken, in seconds.
        seconds: f64,
    },
    /// As much is being analysed as this machine can bear.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The analysis failed: a fault of ours.
    #[error("the analysis failed: {0}")]
    Analysis(String),
}

impl BoardError {
    /// A fault while hearing the recording called `name`, sorted.
    pub(super) fn hearing(name: &str, fault: HearError) -> Self {
        match fault {
            HearError::Decode(cause) => Self::Decode {
                name: name.to_owned(),
                cause,
            },
            HearError::Listen(fault) => Self::listening(name, fault),
        }
    }

    /// A fault while listening to `name`, sorted.
    pub(super) fn listening(name: &str, fault: ListenError) -> Self {
        match fault {
            ListenError::Samples(cause) => Self::Shape {
                name: name.to_owned(),
                cause,
            },
            ListenError::Vad(cause) => Self::Analysis(cause.to_string()),
            ListenError::Overlap(cause) => Self::Analysis(cause.to_string()),
            ListenError::Extract(cause) => Self::Analysis(cause.to_string()),
            ListenError::Countermeasure(cause) => Self::Analysis(cause.to_string()),
        }
    }

    /// How long to wait before asking again, when that helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy(busy) => Some(busy.retry_after),
            Self::TooManyTries { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<GalleryCacheError> for BoardError {
    fn from(fault: GalleryCacheError) -> Self {
        match fault {
            GalleryCacheError::Store(fault) => Self::Store(fault),
            other => Self::Analysis(other.to_string()),
        }
    }
}

impl From<EngineError> for BoardError {
    fn from(fault: EngineError) -> Self {
        Self::Analysis(fault.to_string())
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
