//! A call as the product follows it: checkpoint after checkpoint, on one roster, by the product's own core.

use super::heard::{HeardRecording, Print, Prints};
use super::score::{curve_on, likeness, user_id};
use crate::decision::{Calibration, Curve, MOST_WINDOWS, Outcome, Policy, Reason, SequentialDecision};
use crate::units::{NotFinite, UserId};
use crate::verdict::scoring::{self, HeardVoice, Judged, Likeness};
use crate::voiceprint::Embedding;

/// Speech (s) after which a decision that looks once is taken, for comparison.
const ONCE: f64 = 10.0;

/// What came of following a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Followed {
    /// Its last word.
    pub ended: Outcome,
    /// The word of a decision that looks once, after ten seconds of speech or at the end.
    pub once: Outcome,
    /// The first name of a decision that asks no more of an early checkpoint than of a late one, if any.
    pub flat: Option<UserId>,
    /// Each word that was said, with the seconds of speech it was said after.
    pub words: Vec<(f64, Outcome)>,
    /// Whether it was taken for several voices at any checkpoint.
    pub several: bool,
}

impl Followed {
    /// What stood when so much speech had been heard.
    pub fn standing(&self, net_s: f64) -> Outcome {
        let said = self.words.partition_point(|(net, _)| *net <= net_s);
        let last = said.checked_sub(1).map(|at| self.words[at].1);
        last.unwrap_or(SILENT)
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

const SILENT: Outcome = Outcome::Inconclusive(Reason::TooLittleSpeech);

/// A word on a call, with what it rests on.
pub(super) struct Word<'a> {
    /// What was heard.
    pub prints: &'a Prints,
    /// Whether only the windows were new.
    pub is_window_check: bool,
    /// Whether nothing more came.
    pub is_final: bool,
    /// What is said; `None` without a voice.
    pub judged: Option<Judged>,
    /// Whether several voices spoke.
    pub several: bool,
    /// How like everybody on the roster the voice is.
    found: Vec<Likeness>,
    /// The curve of calls to that roster.
    curve: Curve,
}

impl Word<'_> {
    /// What the decision comes to; too little speech where there was no voice to decide on.
    pub fn outcome(&self) -> Outcome {
        self.judged
            .as_ref()
            .map_or(SILENT, |judged| judged.decision.outcome)
    }
}

/// What calls are followed by.
#[derive(Clone, Copy)]
pub(super) struct Follower<'a> {
    pub calibration: &'a Calibration,
    pub policy: &'a Policy,
    /// Everybody who is enrolled.
    pub models: &'a [Option<Print>],
}

impl Follower<'_> {
    /// Says every word on a call to a roster of models, in order.
    pub fn each_word(
        &self,
        roster: &[u32],
        heard: &HeardRecording,
        mut say: impl FnMut(&Word<'_>) -> Result<(), NotFinite>,
    ) -> Result<(), NotFinite> {
        let mut sequential = SequentialDecision::default();
        let on = (roster, curve_on(self.calibration.curve, roster, self.models)?);
        for (at, prints) in heard.checkpoints.iter().enumerate() {
            let is_final = at + 1 == heard.checkpoints.len();
            say(&self.word(on, heard, prints, is_final, &mut sequential)?)?;
            for check in heard.checks.iter().filter(|check| check.after == at + 1) {
                let word = self.word(on, heard, &check.prints, false, &mut sequential)?;
                say(&Word {
                    is_window_check: true,
                    ..word
                })?;
            }
        }
        Ok(())
    }

    /// Follows a call to a roster of models.
    pub fn follow(&self, roster: &[u32], heard: &HeardRecording) -> Result<Followed, NotFinite> {
        let mut words = Vec::with_capacity(heard.checkpoints.len());
        let (mut once, mut flat, mut several) = (None, None, false);
        self.each_word(roster, heard, |word| {
            words.push((word.prints.at_s, word.outcome()));
            several |= word.several;
            if word.is_window_check {
                return Ok(());
            }
            let moment = word.prints.moment(&[], true);
            let single = scoring::judge_once(&moment, &word.found, &word.curve, self.policy)?;
            let single = single.unwrap_or(SILENT);
            if let (None, Outcome::Identified(user)) = (flat, single) {
                flat = Some(user);
            }
            if once.is_none() && (word.prints.at_s >= ONCE || word.is_final) {
                once = Some(single);
            }
            Ok(())
        })?;
        Ok(Followed {
            ended: words.last().map_or(SILENT, |(_, word)| *word),
            once: once.unwrap_or(SILENT),
            flat,
            words,
            several,
        })
    }

    fn word<'p>(
        &self,
        (roster, curve): (&[u32], Curve),
        heard: &HeardRecording,
        prints: &'p Prints,
        is_final: bool,
        sequential: &mut SequentialDecision,
    ) -> Result<Word<'p>, NotFinite> {
        let first = prints.windows.saturating_sub(MOST_WINDOWS);
        let windows = heard.windows.get(first..prints.windows).unwrap_or(&[]);
        let moment: HeardVoice<'_> = prints.moment(windows, is_final);
        let probes = scoring::probes(&moment, self.calibration.voices);
        let voices = probes.voices().iter();
        let found: Vec<Vec<Likeness>> = voices
            .map(|probe| self.likenesses(roster, &probe.voice))
            .collect::<Result<_, _>>()?;
        let judged = scoring::judge(&moment, &probes, &found, &curve, self.policy, sequential)?;
        Ok(Word {
            prints,
            is_window_check: false,
            is_final,
            judged,
            several: probes.several == Some(true),
            found: found.into_iter().next().unwrap_or_default(),
            curve,
        })
    }

    /// Somebody of whom nothing was heard is not enrolled, and so on no roster.
    fn likenesses(&self, roster: &[u32], voice: &Embedding) -> Result<Vec<Likeness>, NotFinite> {
        let enrolled = roster.iter().filter_map(|model| {
            let print = self.models[*model as usize].as_ref()?;
            Some((user_id(*model), print))
        });
        enrolled
            .map(|(user, print)| likeness(user, print, voice))
            .collect()
    }
}
