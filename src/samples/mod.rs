//! PCM frames to 16 kHz mono samples: the second room of a call's journey.
//!
//! Every model hears 16 kHz mono. [`Intake`] makes that of any accepted rate and of the one channel
//! that holds the caller, without rumble and offset ([`HighPass`]), and [`CallerIntake`] the same without
//! the other side's echo ([`EchoGate`]); [`load`] decodes a whole file as it is. The
//! measures of [`quality`] say whether a recording is worth comparing at all. [`telephone()`] simulates a
//! telephone, for measurements.
//!
//! Architecture invariant: what comes out depends on the samples alone, never on the sizes of the
//! pieces they came in; sample `n` of the output is the sound at `n / 16000` seconds of the input.

mod error;
mod artefacts;
mod high_pass;
pub mod quality;
mod resample;
mod telephone;
mod intake;
mod echo;
mod caller_intake;
mod clip;

pub use artefacts::{DigitalSilence, comes_again};
pub use caller_intake::CallerIntake;
pub use clip::{Clip, LoadError, load};
pub use echo::EchoGate;
pub use error::SamplesError;
pub use high_pass::HighPass;
pub use intake::Intake;
pub use resample::Resampler;
pub use telephone::{from_the_network, telephone, telephone_alaw, to_the_network};

use crate::units::Hertz;

/// The sampling rate of everything behind this room.
pub const RATE: Hertz = Hertz(16_000);
