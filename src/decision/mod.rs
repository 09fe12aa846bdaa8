//! Similarities to a decision: who is it, nobody we know, or cannot be said.
//!
//! [`Calibration`] turns a cosine into a log-likelihood ratio, for the bandwidth and the amount of
//! speech at hand; [`decide`] puts the ratios of a whole roster together with the prior that the caller
//! is nobody on it. No cosine is ever compared with a threshold, and no decision is ever the nearest
//! name: *identified* needs a posterior probability, *unknown* needs enough speech.

mod calibration;
mod posterior;

pub use calibration::{Calibration, CalibrationError, Curve};
pub use posterior::{Candidate, Decision, Evidence, Outcome, Policy, Reason, decide};
