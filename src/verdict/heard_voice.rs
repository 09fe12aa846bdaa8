//! What was heard of a voice, and what a search found that is like it.

use crate::decision::{Cohort, Outcome, Reason, TrialFacts};
use crate::units::{Cosine, Seconds, UserId};
use crate::voiceprint::{Bandwidth, Embedding, Voiceprint};

use super::checkpoint::Checkpoint;
use super::identification::Quality;
use super::windows::RecentVoice;

/// What a checkpoint says of the voice, and of how far it can be relied on.
#[derive(Debug, Clone, Copy)]
pub struct HeardVoice<'a> {
    /// The voice so far and how much speech it is of; `None` when there was too little.
    pub print: Option<(&'a Embedding, Seconds)>,
    /// The voice of each window of the speech, in order; at most [`MOST_WINDOWS`](crate::decision::MOST_WINDOWS).
    pub windows: &'a [Embedding],
    /// The voice of the last seconds, where it was heard by itself; otherwise the last windows tell.
    pub recent: Option<&'a RecentVoice>,
    /// What it was heard over, where that is known.
    pub over: Option<Bandwidth>,
    /// How good the audio was; `None` where that is not known.
    pub quality: Option<Quality>,
    /// Whether a countermeasure takes the speech for spoofed: then no voice names anybody.
    pub is_spoofed: bool,
    /// Whether nothing more will come.
    pub is_final: bool,
}

impl<'a> HeardVoice<'a> {
    /// What a checkpoint says.
    pub fn of(checkpoint: &'a Checkpoint, is_final: bool) -> Self {
        Self {
            windows: &checkpoint.windows,
            recent: checkpoint.recent.as_ref(),
            over: checkpoint.quality.map(|quality| quality.bandwidth),
            quality: checkpoint.quality,
            is_spoofed: checkpoint.presentation.is_some_and(|heard| heard.is_spoofed),
            is_final,
            ..Self::of_print(checkpoint.print.as_ref())
        }
    }

    /// A voice by itself, of which nothing else is known.
    pub fn of_print(print: Option<&'a Voiceprint>) -> Self {
        Self {
            print: print.map(|print| (&print.embedding, print.net_speech)),
            windows: &[],
            recent: None,
            over: print.map(|print| print.bandwidth),
            quality: None,
            is_spoofed: false,
            is_final: true,
        }
    }

    /// What is said by voice and countermeasure together. Nobody is named after speech that is spoofed, nor may other evidence make a name
    /// of it; that it is nobody's stands, for it names nobody.
    pub(super) fn jointly(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Identified(_) | Outcome::Inconclusive(_)
                if self.is_spoofed && outcome != Outcome::Inconclusive(Reason::EmptyRoster) =>
            {
                Outcome::Inconclusive(Reason::Spoofed)
            }
            outcome => outcome,
        }
    }

    /// Whether several people speak at once; `None` where that was not heard.
    pub(super) fn at_once(&self) -> Option<bool> {
        self.quality.and_then(|quality| quality.overlap)
    }

    pub(super) fn is_poor(&self) -> bool {
        self.quality.is_some_and(|quality| quality.is_poor())
    }

    /// What is known of a comparison with one user's voice beside its cosine.
    pub(super) fn facts(&self, net_speech: Seconds, likeness: &Likeness, cohort: Cohort) -> TrialFacts {
        TrialFacts {
            net_speech,
            snr_db: self.quality.and_then(|quality| quality.snr_db),
            clipping: self.quality.map_or(0.0, |quality| quality.clipping),
            enrolled_speech: likeness.enrolled_speech,
            is_signup_to_call: self
                .over
                .is_some_and(|over| over.is_call_to_signup(likeness.enrolled_over)),
            cohort,
        }
    }
}

/// How like one user a probe is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Id of the user.
    pub user: UserId,
    /// The cosine of the probe and the user's voiceprint.
    pub cosine: Cosine,
    /// How much speech the user's voiceprint was made of.
    pub enrolled_speech: Seconds,
    /// What that speech was heard over.
    pub enrolled_over: Bandwidth,
}
