//! What is said of composed calls.

use serde::Serialize;

use super::super::super::wait::Wait;
use super::shares::Share;

/// What came of a condition's composed calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Handover {
    /// What the calls came over.
    pub condition: String,
    /// Users on the roster.
    pub roster: usize,
    /// The phone is handed to a stranger, and to another user of the roster.
    pub handed: [Handed; 2],
    /// Turns of 1.5 to 3 s: with a stranger, and with another user.
    pub turns: [Stood; 2],
    /// Both at once, with a stranger and with another user, by how many dB the second voice is below the first.
    pub both: Vec<(f64, [Stood; 2])>,
    /// Which of those were taken for several voices at any checkpoint, whoever the second was.
    pub told: Told,
    /// One user alone.
    pub alone: Alone,
    /// Looking at a call of one voice on its way, beside looking once.
    pub looking: Vec<Looking>,
}

/// Calls of two voices that were taken for several at any checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Told {
    /// Of the calls in turns.
    pub turns: Share,
    /// Of those at once, by how many dB the second voice is below the first.
    pub both: Vec<(f64, Share)>,
}

/// A call that one voice began and another goes on with; only those in which the first had its name when the second
/// began.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Handed {
    /// In how many calls the name of the first voice stood when the second began.
    pub named: Share,
    /// What stood after some seconds of the second voice's speech.
    pub after: Vec<(f64, Stood)>,
    /// Of all calls: a name that is neither's, at any time.
    pub ever_others: Share,
}

/// What was said at one moment of calls whose voice changes: shares of all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stood {
    /// The name of the first voice.
    pub first: Share,
    /// The name of the second.
    pub second: Share,
    /// The name of anybody else.
    pub others: Share,
    /// Calls that were *unknown* then.
    pub unknown: Share,
    /// Calls on which nothing was decided then.
    pub inconclusive: Share,
}

/// Calls of one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Alone {
    /// What stood at the end.
    pub ended: Stood,
    /// Taken for two voices at any checkpoint.
    pub taken_for_two: Share,
    /// Of those who were named: the name taken back, be it for a moment.
    pub taken_back: Share,
}

/// Calls of one voice on rosters of one size: what looking on the way gains and costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Looking {
    /// Users on the roster.
    pub roster: usize,
    /// Strangers who are given a name when a call is looked at once, after ten seconds of speech or at its end.
    pub stranger_once: Share,
    /// Strangers who are given one at any checkpoint, if every checkpoint asks what the last one does.
    pub stranger_flat: Share,
    /// Strangers who are given one at any checkpoint, as it is.
    pub stranger: Share,
    /// Users who are given their own name at any checkpoint.
    pub right: Share,
    /// Users who are given another's at any checkpoint.
    pub wrong: Share,
    /// Of those who were named rightly: the name taken back, be it for a moment.
    pub taken_back: Share,
    /// Net speech at the right name.
    pub wait: Option<Wait>,
}
