//! Lists of trials and scores, in the formats the field exchanges.
//!
//! | format | trials | scores |
//! |---|---|---|
//! | `voxline` | `model path target\|nontarget [condition]`, tabs | `model path llr raw`, tabs; `-` for no llr |
//! | `voxceleb` | `1\|0 a b` | `score a b` |
//! | `kaldi` (WeSpeaker too) | `a b target\|nontarget` | `a b score [target\|nontarget]` |
//! | `sre` | header `modelid segmentid [side] [targettype]`, tabs | header `modelid segmentid [side] LLR`, tabs |
//!
//! Side `a` of an SRE segment is named as the segment is, any other `segment:side`.
//!
//! Every fault names file, line and what was expected there.

pub(super) mod read;
pub(super) mod write;

use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use crate::units::words;

pub use read::{join, read_scores, read_trials};
pub use write::{write_scores, write_trials};

words! {
    /// A format of lists.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Format {
        /// Voxline's own (`trials.tsv`, `scores.tsv`).
        Voxline = "voxline",
        /// VoxCeleb's verification lists.
        VoxCeleb = "voxceleb",
        /// Kaldi's and WeSpeaker's.
        Kaldi = "kaldi",
        /// NIST SRE's tab-separated files with a header (2018 and later).
        Sre = "sre",
    }
}

/// A line of a trial list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTrial {
    /// The enrolled model or recording.
    pub enrolled: String,
    /// The test recording.
    pub test: String,
    /// Whether it is the same speaker; none where the list does not say (SRE trials without their key).
    pub target: Option<bool>,
    /// The condition it belongs to, where the list says.
    pub condition: Option<String>,
}

/// A line of a score file.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedScore {
    /// The enrolled model or recording.
    pub enrolled: String,
    /// The test recording.
    pub test: String,
    /// The score: a log-likelihood ratio in `voxline` (the raw score where there is none) and `sre`.
    pub score: f64,
    /// Whether both sides were heard, as far as the format tells: `voxline` has a ratio of 0 and a cosine of -1 where not.
    pub is_heard: bool,
}

impl ListedScore {
    /// The same with its place among others as its score: below all where nothing was heard.
    #[must_use]
    pub fn ranked(&self) -> Self {
        let score = if self.is_heard {
            self.score
        } else {
            f64::NEG_INFINITY
        };
        Self {
            score,
            ..self.clone()
        }
    }
}

/// A list that cannot be read, written or used.
#[derive(Debug, Error)]
pub enum ListError {
    /// The file cannot be opened or read.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// Path of the file at fault.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {cause}")]
    Unwritable {
        /// Path of the file at fault.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// A line is not what the format has there.
    #[error("{path}:{line}: {what}")]
    Line {
        /// Path of the file at fault.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was expected, and what is there.
        what: String,
    },
    /// Trials have no score. Leaving them out would flatter: a trial that cannot be scored is an error.
    #[error(
        "{missing} of {trials} trials have no score, the first of them {enrolled} against {test}: every trial must be scored"
    )]
    Unscored {
        /// How many recordings are missing.
        missing: usize,
        /// Of how many.
        trials: usize,
        /// The first one's model.
        enrolled: String,
        /// The first one's test.
        test: String,
    },
    /// The list has no labels.
    #[error("the trials do not say which are targets: give the key, not the trial list")]
    Unlabelled,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|format| format.name() == text);
        named.ok_or("the formats are voxline, voxceleb, kaldi and sre")
    }
}
