//! A protocol's searches: found or not, decided or not, and after how much speech.

use serde::Serialize;

use super::super::identification::{Mate, Search};
use super::super::protocol::Protocol;
use super::super::wait::Wait;
use super::calls::{Followed, Follower};
use super::error::BenchError;
use super::heard::{HeardRecording, Print, Prints};
use super::score::{Scored, Scorer, user_id};
use crate::decision::{Outcome, Policy};
use crate::units::UserId;

/// How calls ended under the product's policy, as counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ends {
    /// The right name.
    pub right_name: usize,
    /// Another name than the caller's.
    pub wrong_name: usize,
    /// Calls that ended as *unknown*.
    pub unknown: usize,
    /// Nothing was decided.
    pub inconclusive: usize,
}

/// How the calls of a protocol ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// Callers on the roster of the number they dialed.
    pub enrolled: Ends,
    /// Callers who are not.
    pub others: Ends,
}

impl Ends {
    /// How many calls there were.
    pub const fn calls(&self) -> usize {
        self.right_name + self.wrong_name + self.unknown + self.inconclusive
    }

    /// Counts a call of `own`, who is on the roster, or of nobody there.
    pub(super) fn count(&mut self, ended: Outcome, own: Option<UserId>) {
        match ended {
            Outcome::Identified(user) if own == Some(user) => self.right_name += 1,
            Outcome::Identified(_) => self.wrong_name += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Inconclusive(_) => self.inconclusive += 1,
        }
    }

    /// The counts of both, added.
    #[must_use]
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            right_name: self.right_name + more.right_name,
            wrong_name: self.wrong_name + more.wrong_name,
            unknown: self.unknown + more.unknown,
            inconclusive: self.inconclusive + more.inconclusive,
        }
    }
}

impl Decided {
    fn count(&mut self, ended: Outcome, own: Option<UserId>) {
        let ends = if own.is_some() {
            &mut self.enrolled
        } else {
            &mut self.others
        };
        ends.count(ended, own);
    }

    /// The counts of both, added.
    #[must_use]
    pub(super) fn and(self, more: Self) -> Self {
        Self {
            enrolled: self.enrolled.and(more.enrolled),
            others: self.others.and(more.others),
        }
    }
}

/// What deciding as the call goes costs and gains beside looking once.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sequential {
    /// How calls would end if they were looked at once, after ten seconds of speech or at their end.
    pub looked_at_once: Decided,
    /// Calls in which at any time a name was said that was not the caller's.
    pub ever_wrong_name: usize,
    /// Calls in which the right name was said and taken back.
    pub taken_back: usize,
    /// Net speech at the right name, over the calls of those on the roster.
    pub wait_for_right_name: Option<Wait>,
    /// The waits that make it, call by call.
    #[serde(skip)]
    pub(super) right_waits: Vec<Option<f64>>,
}

impl Sequential {
    fn count(&mut self, call: &Followed, own: Option<UserId>) {
        self.looked_at_once.count(call.once, own);
        self.ever_wrong_name += usize::from(call.ever_misnamed(own));
        if let Some(own) = own {
            self.taken_back += usize::from(call.taken_back(own));
            self.right_waits.push(call.first_named(own));
        }
    }

    /// The counts of both, added.
    #[must_use]
    pub(super) fn and(mut self, more: &Self) -> Self {
        self.looked_at_once = self.looked_at_once.and(more.looked_at_once);
        self.ever_wrong_name += more.ever_wrong_name;
        self.taken_back += more.taken_back;
        self.right_waits.extend(&more.right_waits);
        self.wait_for_right_name = Wait::of(&self.right_waits);
        self
    }
}

/// All that came of a protocol's searches.
pub(super) struct Searched {
    pub searches: Vec<Search>,
    /// How each call ended after its last word; none without a calibration.
    pub decided: Option<Decided>,
    /// The same beside looking once; empty without a calibration.
    pub sequential: Sequential,
    /// Net speech at the first name or *unknown* of each call, when it came to one.
    pub waits: Vec<Option<f64>>,
}

/// Does every search of the protocol with these voices.
pub(super) fn search(
    scorer: &Scorer,
    policy: &Policy,
    protocol: &Protocol,
    models: &[Option<Print>],
    tests: &[HeardRecording],
) -> Result<Searched, BenchError> {
    let tables = &protocol.tables;
    let mut all = Searched {
        searches: Vec::with_capacity(tables.searches.len()),
        decided: scorer.calibration.is_some().then(Decided::default),
        sequential: Sequential::default(),
        waits: Vec::new(),
    };
    let nothing = Prints::default();
    for search in &tables.searches {
        let roster = &tables.rosters[search.roster as usize].1;
        let heard = &tests[search.test as usize];
        let fault = |cause| BenchError::Score {
            model: format!("the roster of {}", tables.rosters[search.roster as usize].0),
            test: tables.tests[search.test as usize].clone(),
            cause,
        };
        let scores = scorer.candidates(roster, models, heard.whole().unwrap_or(&nothing));
        let scores = scores.map_err(fault)?;
        let mate = search
            .caller
            .and_then(|caller| roster.iter().position(|model| *model == caller));
        all.searches.push(ranked(&scores, mate));
        if let (Some(decided), Some(calibration)) = (&mut all.decided, &scorer.calibration) {
            let own = mate.and(search.caller).map(user_id);
            let follower = Follower {
                calibration,
                policy,
                models,
            };
            let call = follower.follow(roster, heard).map_err(fault)?;
            all.waits.push(call.first_word());
            decided.count(call.ended, own);
            all.sequential.count(&call, own);
        }
    }
    Ok(all)
}

/// A search from its scores. Ratios end at what their calibration supports; where two are equal there, the
/// cosine still tells which one is better. A caller of whom nothing was heard comes after all others.
pub(super) fn ranked(scores: &[Scored], mate: Option<usize>) -> Search {
    let best = scores
        .iter()
        .map(|one| one.score)
        .fold(f64::NEG_INFINITY, f64::max);
    let mate = mate.map(|at| {
        let own = scores[at];
        let before = scores.iter().enumerate().filter(|(other, one)| {
            *other != at && (one.score > own.score || (one.score == own.score && one.cosine >= own.cosine))
        });
        let unheard = usize::from(own.score == f64::NEG_INFINITY);
        Mate {
            score: own.score,
            rank: 1 + before.count() + unheard,
        }
    });
    Search { best, mate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::OpenSet;

    #[test]
    fn a_caller_of_whom_nothing_was_heard_is_missed_and_not_misnamed() {
        let scored = |score: f64, cosine: f64| Scored { score, cosine };
        let unheard = scored(f64::NEG_INFINITY, -1.0);
        let searches = [
            ranked(&[unheard, unheard], Some(0)),
            ranked(&[unheard], Some(0)),
            ranked(&[scored(6.0, 0.7), scored(6.0, 0.8)], Some(1)),
            ranked(&[scored(-3.0, 0.1)], None),
        ];
        let found = OpenSet::new(&searches).unwrap().at_fpir(0.5).unwrap();
        assert_eq!((found.misidentification, found.fpir), (0.0, 0.0));
        assert!((found.fnir - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(searches[2].mate.map(|mate| mate.rank), Some(1));
    }
}
