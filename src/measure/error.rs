//! Why there is no figure.

use thiserror::Error;

/// Scores of which no figure can be made.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum MetricError {
    /// A score is not a number: it has no place in any order.
    #[error(
        "the score of {class} trial {at} is not a number; a trial that could not be scored gets the lowest score, never NaN"
    )]
    NotANumber {
        /// `target`, `non-target` or `search`.
        class: &'static str,
        /// Which one, counted from 0.
        at: usize,
    },
    /// All trials are of one class: an error rate of the other does not exist.
    #[error("there is no {missing} trial: error rates need both target and non-target trials")]
    OneClass {
        /// The class that is missing.
        missing: &'static str,
    },
    /// A prior that weighs nothing or everything.
    #[error("a target prior of {p_target}: it lies between 0 and 1")]
    Prior {
        /// The prior probability of a target trial.
        p_target: f64,
    },
    /// A speaker's index is beyond the number of speakers.
    #[error("trial {at} names speaker {speaker} of {speakers}: speakers count from 0")]
    NoSuchSpeaker {
        /// Position of the trial, from 0.
        at: usize,
        /// The index it names.
        speaker: u32,
        /// How many speakers there are.
        speakers: usize,
    },
}
