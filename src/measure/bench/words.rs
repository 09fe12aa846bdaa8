//! Every word on every call, as the service would have said it.

use serde::Serialize;

use super::super::protocol::Protocol;
use super::calls::{Follower, Word};
use super::error::BenchError;
use super::heard::HeardRecording;
use super::score::model_of;
use crate::decision::Outcome;
use crate::units::UserId;

/// Most candidates of a word, as of an identification.
const MAX_CANDIDATES: usize = 10;

/// The words on one call to one roster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Words {
    /// What the call came over.
    pub condition: String,
    /// The test that was the call, by its name in the protocol.
    pub test: String,
    /// Whom it was to.
    pub roster: String,
    /// What was said, version after version.
    pub words: Vec<Said>,
}

/// A version of what is said of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// 1, 2, 3 and so on.
    pub version: usize,
    /// Seconds of speech so far.
    pub net_speech_seconds: f64,
    /// `identified`, `unknown` or `inconclusive`.
    pub outcome: &'static str,
    /// The model that was named.
    pub model: Option<String>,
    /// Why it is inconclusive.
    pub reason: Option<&'static str>,
    /// The best ten of the roster with their ratios, best first.
    pub candidates: Vec<(String, f64)>,
    /// Whether nothing more came.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// The words on every search of a protocol whose tests were heard so, under one condition.
pub(super) fn words(
    follower: Follower<'_>,
    protocol: &Protocol,
    condition: &str,
    tests: &[HeardRecording],
) -> Result<Vec<Words>, BenchError> {
    let tables = &protocol.tables;
    let mut all = Vec::with_capacity(tables.searches.len());
    for search in &tables.searches {
        let (roster, models) = &tables.rosters[search.roster as usize];
        let test = &tables.tests[search.test as usize];
        let (mut said, mut before): (Vec<Said>, Option<Outcome>) = (Vec::new(), None);
        let heard = follower.each_word(models, &tests[search.test as usize], |word| {
            // Between checkpoints only what is new is said.
            if !(word.is_window_check && before == Some(word.outcome())) {
                before = Some(word.outcome());
                said.push(version(protocol, said.len() + 1, word));
            }
            Ok(())
        });
        heard.map_err(|cause| BenchError::Score {
            model: format!("the roster of {roster}"),
            test: test.clone(),
            cause,
        })?;
        all.push(Words {
            condition: condition.to_owned(),
            test: test.clone(),
            roster: roster.clone(),
            words: said,
        });
    }
    Ok(all)
}

fn version(protocol: &Protocol, version: usize, word: &Word<'_>) -> Said {
    let name = |user: UserId| {
        let model = model_of(user).and_then(|model| protocol.tables.models.get(model as usize));
        model.cloned().unwrap_or_default()
    };
    let candidates = word.judged.iter().flat_map(|judged| &judged.decision.candidates);
    let (outcome, model, reason) = match word.outcome() {
        Outcome::Identified(user) => ("identified", Some(name(user)), None),
        Outcome::Unknown => ("unknown", None, None),
        Outcome::Inconclusive(reason) => ("inconclusive", None, Some(reason.name())),
    };
    Said {
        version,
        net_speech_seconds: word.prints.at_s,
        outcome,
        model,
        reason,
        candidates: candidates
            .take(MAX_CANDIDATES)
            .map(|one| (name(one.user_id), one.llr.get()))
            .collect(),
        is_final: word.is_final,
    }
}
