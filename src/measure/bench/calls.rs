//! A call as the product follows it: look after look, on one roster.

use uuid::Uuid;

use super::enrolled::Enrolled;
use super::hear::{Heard, Prints};
use super::score::Scorer;
use crate::decision::{
    Course, Evidence, Heard as Said, Outcome, Policy, Reason, VOICE_WINDOW, Voices, decide,
    over_the_telephone, recent,
};
use crate::units::{Llr, NotFinite, Seconds, UserId};
use crate::voiceprint::{Bandwidth, Embedding};

/// Speech (s) after which a decision that looks once is taken, for comparison.
const ONCE: f64 = 10.0;

/// What came of following a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Followed {
    /// Its last word.
    pub ended: Outcome,
    /// The word of a decision that looks once, after ten seconds of speech or at the end.
    pub once: Outcome,
    /// Each word that was said, with the seconds of speech it was said after.
    pub words: Vec<(f64, Outcome)>,
}

impl Followed {
    /// Net speech at the first word that is one.
    pub fn first_word(&self) -> Option<f64> {
        let decided = |(_, word): &&(f64, Outcome)| !matches!(word, Outcome::Inconclusive(_));
        self.words.iter().find(decided).map(|(net, _)| *net)
    }

    /// Net speech at which this name was said first.
    pub fn first_named(&self, user: UserId) -> Option<f64> {
        let named = |(_, word): &&(f64, Outcome)| *word == Outcome::Identified(user);
        self.words.iter().find(named).map(|(net, _)| *net)
    }

    /// Whether a name other than `own` was said at any time.
    pub fn ever_misnamed(&self, own: Option<UserId>) -> bool {
        let wrong =
            |(_, word): &(f64, Outcome)| matches!(word, Outcome::Identified(user) if Some(*user) != own);
        self.words.iter().any(wrong)
    }

    /// Whether the name `own` was taken back after it was said.
    pub fn taken_back(&self, own: UserId) -> bool {
        let mut words = self.words.iter().map(|(_, word)| *word);
        words.any(|word| word == Outcome::Identified(own))
            && words.any(|word| word != Outcome::Identified(own))
    }
}

/// Follows a call to a roster of models. Its looks are as the gallery is searched with them, its windows as they
/// were heard.
pub(super) fn follow(
    scorer: &Scorer,
    policy: &Policy,
    roster: &[u32],
    enrolled: &Enrolled,
    heard: &Heard,
) -> Result<Followed, NotFinite> {
    let mut course = Course::default();
    let mut words = Vec::with_capacity(heard.looks.len());
    let mut once = None;
    for (at, look) in heard.looks.iter().enumerate() {
        let is_final = at + 1 == heard.looks.len();
        let ears = Ears {
            scorer,
            roster,
            enrolled,
            heard,
        };
        words.push((look.net_s, ears.word(policy, look, &mut course, is_final)?));
        if once.is_none() && (look.net_s >= ONCE || is_final) {
            once = Some(ears.single(policy, look)?);
        }
    }
    let silent = Outcome::Inconclusive(Reason::TooLittleSpeech);
    Ok(Followed {
        ended: words.last().map_or(silent, |(_, word)| *word),
        once: once.unwrap_or(silent),
        words,
    })
}

struct Ears<'a> {
    scorer: &'a Scorer,
    roster: &'a [u32],
    enrolled: &'a Enrolled,
    heard: &'a Heard,
}

impl Ears<'_> {
    fn ratios(&self, prints: &Prints) -> Result<Vec<(UserId, Llr)>, NotFinite> {
        let ratio = |model: &u32| {
            let scored = self
                .scorer
                .score(&self.enrolled.models[*model as usize], prints)?;
            Ok((user_id(*model), Llr::new(scored.score)?))
        };
        self.roster.iter().map(ratio).collect()
    }

    fn single(&self, policy: &Policy, look: &Prints) -> Result<Outcome, NotFinite> {
        if look.views.is_empty() {
            return Ok(Outcome::Inconclusive(Reason::TooLittleSpeech));
        }
        let ratios = self.ratios(look)?;
        Ok(decide(&evidence(&ratios, look.net_s), policy)?.outcome)
    }

    /// The voice of some windows as the gallery is searched with it: moved if the call is. `None` if nothing is left.
    fn searched_with(&self, voice: Option<Prints>, look: &Prints) -> Option<Prints> {
        let mut prints = voice?;
        if over_the_telephone(look.views.iter().map(|(bandwidth, _)| *bandwidth)) {
            prints.views = self.enrolled.aligned(&prints.views).ok()?.into_owned();
        }
        Some(prints)
    }

    fn word(
        &self,
        policy: &Policy,
        look: &Prints,
        course: &mut Course,
        is_final: bool,
    ) -> Result<Outcome, NotFinite> {
        if look.views.is_empty() {
            // Without a voice there is no evidence, neither for anybody nor against.
            return Ok(Outcome::Inconclusive(Reason::TooLittleSpeech));
        }
        let whole = self.ratios(look)?;
        let windows = self.heard.windows.get(..look.windows).unwrap_or(&[]);
        let test = self.scorer.calibration.as_ref().and_then(|known| known.voices);
        let latest = match test.map(|test| test.hear(windows)) {
            Some(Voices::Several(split)) => {
                let own: Vec<&Embedding> = split.latest().filter_map(|at| windows.get(at)).collect();
                self.searched_with(mean(&own), look)
            }
            _ => None,
        };
        let recent = test
            .and_then(|_| recent(windows))
            .and_then(|last| self.searched_with(mean(&last.iter().collect::<Vec<_>>()), look));
        let latest = latest
            .map(|prints| Ok::<_, NotFinite>((self.ratios(&prints)?, prints.net_s)))
            .transpose()?;
        let recent = recent.map(|prints| self.ratios(&prints)).transpose()?;
        let said = Said {
            whole: evidence(&whole, look.net_s),
            latest: latest.as_ref().map(|(ratios, net)| evidence(ratios, *net)),
            recent: recent.as_deref(),
            is_final,
        };
        Ok(course.hear(&said, policy)?.outcome)
    }
}

/// The voice of some windows.
fn mean(windows: &[&Embedding]) -> Option<Prints> {
    let embedding = Embedding::mean(windows.iter().map(|window| (*window, 1.0))).ok()?;
    Some(Prints {
        net_s: VOICE_WINDOW.get() * windows.len() as f64,
        views: vec![(Bandwidth::Narrow, embedding)],
        windows: windows.len(),
    })
}

fn evidence(ratios: &[(UserId, Llr)], net: f64) -> Evidence<'_> {
    Evidence {
        ratios,
        net_speech: Seconds::checked(net).unwrap_or_default(),
        poor_audio: false,
    }
}

/// The user that a model stands for.
pub(super) fn user_id(model: u32) -> UserId {
    UserId::from_uuid(Uuid::from_u128(u128::from(model)))
}
