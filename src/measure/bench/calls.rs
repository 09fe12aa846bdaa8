//! A call as the product follows it: look after look, on one roster.

use uuid::Uuid;

use super::enrolled::Enrolled;
use super::hear::{Heard, Prints};
use super::score::Scorer;
use crate::decision::{
    Course, Evidence, Heard as Said, MOST_WINDOWS, Outcome, Policy, Reason, VOICE_WINDOW, Voices, decide,
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
    /// The first name of a decision that asks no more of an early look than of a late one, if any.
    pub flat: Option<UserId>,
    /// Each word that was said, with the seconds of speech it was said after.
    pub words: Vec<(f64, Outcome)>,
    /// Whether it was taken for several voices at any look.
    pub several: bool,
}

impl Followed {
    /// What stood when so much speech had been heard.
    pub fn standing(&self, net_s: f64) -> Outcome {
        let said = self.words.partition_point(|(net, _)| *net <= net_s);
        let last = said.checked_sub(1).map(|at| self.words[at].1);
        last.unwrap_or(Outcome::Inconclusive(Reason::TooLittleSpeech))
    }

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
    let (mut once, mut flat, mut several) = (None, None, false);
    for (at, look) in heard.looks.iter().enumerate() {
        let is_final = at + 1 == heard.looks.len();
        let ears = Ears {
            scorer,
            roster,
            enrolled,
            heard,
        };
        let whole = ears.ratios(look)?;
        let single = single(policy, look, &whole)?;
        if let (None, Outcome::Identified(user)) = (flat, single) {
            flat = Some(user);
        }
        if once.is_none() && (look.net_s >= ONCE || is_final) {
            once = Some(single);
        }
        let (word, of_several) = ears.word(policy, look, &whole, &mut course, is_final)?;
        words.push((look.net_s, word));
        several |= of_several;
        for glance in heard.glances.iter().filter(|glance| glance.after == at + 1) {
            let whole = ears.ratios(&glance.prints)?;
            let (word, of_several) = ears.word(policy, &glance.prints, &whole, &mut course, false)?;
            words.push((glance.at_s, word));
            several |= of_several;
        }
    }
    let silent = Outcome::Inconclusive(Reason::TooLittleSpeech);
    Ok(Followed {
        ended: words.last().map_or(silent, |(_, word)| *word),
        once: once.unwrap_or(silent),
        flat,
        words,
        several,
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

    /// The voice of some windows as the gallery is searched with it: moved if the call is. `None` if nothing is left.
    fn searched_with(&self, voice: Option<Prints>, look: &Prints) -> Option<Prints> {
        let mut prints = voice?;
        if over_the_telephone(look.views.iter().map(|(bandwidth, _)| *bandwidth)) {
            prints.views = self.enrolled.aligned(&prints.views).ok()?.into_owned();
        }
        Some(prints)
    }

    /// What is said after a look at which everybody's ratio is `whole`, and whether it was of several voices.
    fn word(
        &self,
        policy: &Policy,
        look: &Prints,
        whole: &[(UserId, Llr)],
        course: &mut Course,
        is_final: bool,
    ) -> Result<(Outcome, bool), NotFinite> {
        if look.views.is_empty() {
            // Without a voice there is no evidence, neither for anybody nor against.
            return Ok((Outcome::Inconclusive(Reason::TooLittleSpeech), false));
        }
        let first = look.windows.saturating_sub(MOST_WINDOWS);
        let windows = self.heard.windows.get(first..look.windows).unwrap_or(&[]);
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
        let poor_audio = is_poor(look);
        let said = Said {
            whole: evidence(whole, look.net_s, poor_audio),
            latest: latest
                .as_ref()
                .map(|(ratios, net)| evidence(ratios, *net, poor_audio)),
            recent: recent.as_deref(),
            is_final,
        };
        Ok((course.hear(&said, policy)?.outcome, latest.is_some()))
    }
}

/// What a decision says that looks at this one moment alone.
fn single(policy: &Policy, look: &Prints, ratios: &[(UserId, Llr)]) -> Result<Outcome, NotFinite> {
    if look.views.is_empty() {
        return Ok(Outcome::Inconclusive(Reason::TooLittleSpeech));
    }
    Ok(decide(&evidence(ratios, look.net_s, is_poor(look)), policy)?.outcome)
}

fn is_poor(look: &Prints) -> bool {
    look.quality.is_some_and(|quality| quality.is_poor())
}

/// The voice of some windows.
fn mean(windows: &[&Embedding]) -> Option<Prints> {
    let embedding = Embedding::mean(windows.iter().map(|window| (*window, 1.0))).ok()?;
    Some(Prints {
        net_s: VOICE_WINDOW.get() * windows.len() as f64,
        views: vec![(Bandwidth::Narrow, embedding)],
        windows: windows.len(),
        quality: None,
    })
}

fn evidence(ratios: &[(UserId, Llr)], net: f64, poor_audio: bool) -> Evidence<'_> {
    Evidence {
        ratios,
        net_speech: Seconds::checked(net).unwrap_or_default(),
        poor_audio,
    }
}

/// The user that a model stands for.
pub(super) fn user_id(model: u32) -> UserId {
    UserId::from_uuid(Uuid::from_u128(u128::from(model)))
}
