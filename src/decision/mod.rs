//! Similarities to a decision: who is it, nobody we know, or cannot be said.
//!
//! [`Calibration`] turns a cosine into a log-likelihood ratio, for the amount of speech at hand; [`decide`] puts the ratios of a whole roster together with the prior that the caller
//! is nobody on it. No cosine is ever compared with a threshold, and no decision is ever the nearest
//! name: *identified* needs a posterior probability, *unknown* needs enough speech.
//!
//! A live call is decided again and again as speech accumulates: [`Course`] keeps what was said steady, and
//! takes it back when somebody else speaks, which a [`VoiceTest`] tells from the windows of the speech.

mod calibration;
mod course;
mod posterior;
mod promise;
mod voices;

pub use calibration::{Calibration, CalibrationError, Curve, OperatingPoint, Origin, Similarity, TrialFacts};
pub use course::{Course, Heard};
pub use posterior::{Candidate, Decision, Evidence, Outcome, Policy, Reason, decide};
pub use promise::Promise;
pub use voices::{MOST_WINDOWS, Split, VOICE_WINDOW, VoiceTest, Voices, best_split, recent};
