//! How a calibration is fitted, and on what.

use std::collections::BTreeSet;

use super::super::condition::{Condition, ConditionError, Prepared};
use super::super::protocol::Protocol;
use crate::decision::{Similarity, VoiceTest};

/// What the lines are lines of.
pub(super) const SIMILARITY: Similarity = Similarity::FisherZ;

/// How a calibration is fitted.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// The id of the calibration.
    pub id: String,
    /// What it is fitted on, in words.
    pub fitted_on: String,
    /// The day it was fitted, as in 2026-11-29.
    pub date: String,
    /// The effective prior of a target: where the lines have to be right.
    pub prior: f64,
    /// Fit on these speakers alone, by name: the lines on trials among them, what was measured on their calls to rosters of
    /// them. Only the bounds of the ratios count all.
    pub speakers: Option<BTreeSet<String>>,
    /// Fit with regard to how like each other the users of each roster are ([`RosterReach`](crate::decision::RosterReach)).
    pub roster_reach: bool,
    /// The two-voices test that stands where too few calls are long enough to fit one: that of the model's calibration in
    /// use. Without any, no name falls when a phone is handed on until the whole call speaks against it.
    pub voices: Option<VoiceTest>,
}

/// A protocol to fit on.
#[derive(Debug, Clone)]
pub struct Part {
    /// The trials to fit on.
    pub protocol: Protocol,
    /// Whether its calls are heard as they were recorded, under the protocol's own condition, and not through each of
    /// the benchmark's: real calls have had their line.
    pub is_recorded: bool,
    /// Whether its enrolments are of the very calls that are its tests. Such target trials are not fitted on: people are
    /// more like themselves in one call than they ever are from day to day.
    pub is_same_call: bool,
}

impl Part {
    /// The one condition that its calls are heard under; none where that is each of the benchmark's.
    pub(super) fn own_condition(&self) -> Result<Option<Prepared>, ConditionError> {
        if !self.is_recorded {
            return Ok(None);
        }
        let condition: Condition = self.protocol.test.condition.parse()?;
        Ok(Some(condition.prepare()?))
    }
}

impl Fitting {
    /// Whether a speaker is fitted on.
    pub(super) fn counts(&self, speaker: &str) -> bool {
        self.speakers.as_ref().is_none_or(|own| own.contains(speaker))
    }
}

/// Six decimals: a file that people read, and far below what any fit is worth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
