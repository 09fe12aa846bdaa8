//! Similarities to a decision: who is it, nobody we know, or cannot be said.
//!
//! [`Calibration`] turns a cosine into a log-likelihood ratio, for the amount of speech at hand, for how like the call is to
//! the roster's other users and, where it was fitted so, for how like each other those are ([`RosterReach`]); [`decide`]
//! puts the ratios of a whole roster together with the prior that the caller is nobody on it. No cosine is ever compared
//! with a threshold, and no decision is ever the nearest name: *identified* needs a posterior probability of one user,
//! *unknown* one of nobody.
//!
//! A live call is decided again and again as speech accumulates: [`SequentialDecision`] keeps what was said steady, and
//! takes it back when somebody else speaks, which a [`VoiceTest`] tells from the windows of the speech.

mod curve;
mod reach;
mod replay_rule;
mod voices;
mod calibration;
mod policy;
mod error_target;
mod posterior;
mod sequential;
mod settings;

pub use calibration::{Calibration, CalibrationError, OperatingPoint, Origin};
pub use curve::{Cohort, Curve, Similarity, TrialFacts};
pub use policy::{ErrorTarget, FULL_EVIDENCE, Policy};
pub use posterior::{Candidate, Decision, Outcome, Reason, VoiceEvidence, decide};
pub use reach::RosterReach;
pub use replay_rule::ReplayRule;
pub use sequential::{CheckpointEvidence, SequentialDecision, lowered_by};
pub(crate) use settings::DecisionSection;
pub use voices::{MOST_WINDOWS, Split, VOICE_WINDOW, VoiceTest, Voices, best_split, is_unlike, recent};
