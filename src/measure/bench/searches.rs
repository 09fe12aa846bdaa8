//! A protocol's searches: found or not, decided or not, and after how much speech.

use serde::Serialize;
use uuid::Uuid;

use super::super::identification::{Mate, Search};
use super::super::protocol::Protocol;
use super::error::BenchError;
use super::hear::{Heard, Prints, View};
use super::score::{Scored, Scorer};
use crate::decision::{Evidence, Outcome, Policy, Reason, decide};
use crate::units::{Llr, NotFinite, Seconds, UserId};

/// How calls ended under the product's policy, as counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ends {
    /// The right name.
    pub right_name: usize,
    /// Another name than the caller's.
    pub wrong_name: usize,
    /// Called unknown.
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

/// All that came of a protocol's searches.
pub(super) struct Searched {
    pub searches: Vec<Search>,
    /// How each call ended after its last word; none without a calibration.
    pub decided: Option<Decided>,
    /// Net speech at the first name or *unknown* of each call, when it came to one.
    pub waits: Vec<Option<f64>>,
}

/// Does every search of the protocol with these voices.
pub(super) fn search(
    scorer: &Scorer,
    policy: &Policy,
    protocol: &Protocol,
    models: &[Vec<View>],
    tests: &[Heard],
) -> Result<Searched, BenchError> {
    let tables = &protocol.tables;
    let mut all = Searched {
        searches: Vec::with_capacity(tables.searches.len()),
        decided: scorer.calibration.is_some().then(Decided::default),
        waits: Vec::new(),
    };
    let nothing = Prints {
        net_s: 0.0,
        views: Vec::new(),
    };
    for search in &tables.searches {
        let roster = &tables.rosters[search.roster as usize].1;
        let heard = &tests[search.test as usize];
        let fault = |cause| BenchError::Score {
            model: format!("the roster of {}", tables.rosters[search.roster as usize].0),
            test: tables.tests[search.test as usize].clone(),
            cause,
        };
        let scores = on_roster(scorer, roster, models, heard.whole().unwrap_or(&nothing)).map_err(fault)?;
        let mate = search
            .caller
            .and_then(|caller| roster.iter().position(|model| *model == caller));
        all.searches.push(ranked(&scores, mate));
        if let Some(decided) = &mut all.decided {
            let mut ended = Outcome::Inconclusive(Reason::TooLittleSpeech);
            let mut wait = None;
            for look in &heard.looks {
                ended = outcome(scorer, policy, roster, models, look).map_err(fault)?;
                if !matches!(ended, Outcome::Inconclusive(_)) {
                    wait.get_or_insert(look.net_s);
                }
            }
            all.waits.push(wait);
            let ends = if mate.is_some() {
                &mut decided.enrolled
            } else {
                &mut decided.others
            };
            match ended {
                Outcome::Identified(user) if search.caller.map(user_id) == Some(user) => ends.right_name += 1,
                Outcome::Identified(_) => ends.wrong_name += 1,
                Outcome::Unknown => ends.unknown += 1,
                Outcome::Inconclusive(_) => ends.inconclusive += 1,
            }
        }
    }
    Ok(all)
}

fn on_roster(
    scorer: &Scorer,
    roster: &[u32],
    models: &[Vec<View>],
    prints: &Prints,
) -> Result<Vec<Scored>, NotFinite> {
    roster
        .iter()
        .map(|model| scorer.score(&models[*model as usize], prints))
        .collect()
}

/// A search from its scores. Ratios end at what their calibration supports; where two are equal there, the
/// cosine still tells which one is better.
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
        Mate {
            score: own.score,
            rank: 1 + before.count(),
        }
    });
    Search { best, mate }
}

/// What the product says of a look.
fn outcome(
    scorer: &Scorer,
    policy: &Policy,
    roster: &[u32],
    models: &[Vec<View>],
    look: &Prints,
) -> Result<Outcome, NotFinite> {
    if look.views.is_empty() {
        // Without a voice there is no evidence, neither for anybody nor against.
        return Ok(Outcome::Inconclusive(Reason::TooLittleSpeech));
    }
    let mut ratios = Vec::with_capacity(roster.len());
    for model in roster {
        let ratio = scorer.score(&models[*model as usize], look)?.score;
        ratios.push((user_id(*model), Llr::new(ratio)?));
    }
    let evidence = Evidence {
        ratios: &ratios,
        net_speech: Seconds::checked(look.net_s).unwrap_or_default(),
        poor_audio: false,
    };
    Ok(decide(&evidence, policy)?.outcome)
}

fn user_id(model: u32) -> UserId {
    UserId::from_uuid(Uuid::from_u128(u128::from(model)))
}
