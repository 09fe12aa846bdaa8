//! What a benchmark hears in a recording: voices, how much speech they are of, and where it was.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::condition::Prepared;
use crate::speech::Span;
use crate::units::Seconds;
use crate::verdict::scoring::HeardVoice;
use crate::verdict::{Presentation, Quality, RecentVoice};
use crate::voiceprint::{Bandwidth, Embedding, Voiceprint};

/// A voice, and how much speech it is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Print {
    /// What was made of all the speech so far.
    #[serde(with = "super::kept::voice")]
    pub voice: Embedding,
    /// Seconds of speech it was made of.
    pub net_s: f64,
    /// What that speech was heard over.
    pub over: Bandwidth,
}

impl Print {
    /// A voiceprint, its net speech in seconds.
    pub fn of(print: Voiceprint) -> Self {
        Self {
            voice: print.embedding,
            net_s: print.net_speech.get(),
            over: print.bandwidth,
        }
    }
}

/// What was heard up to some moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Prints {
    /// Seconds of speech so far.
    pub at_s: f64,
    /// The voice; none when there was too little.
    pub print: Option<Print>,
    /// How many of the recording's windows had been heard.
    pub windows: usize,
    /// The voice of the last seconds, where it was heard by itself.
    #[serde(with = "super::kept::recent")]
    pub recent: Option<RecentVoice>,
    /// How good it was; none when there was no speech.
    pub quality: Option<Quality>,
    /// What the countermeasure said; none without one.
    pub presentation: Option<Presentation>,
}

impl Prints {
    /// What the product's core is told of it.
    pub fn moment<'a>(&'a self, windows: &'a [Embedding], is_final: bool) -> HeardVoice<'a> {
        let print = self.print.as_ref();
        HeardVoice {
            print: print.map(|print| (&print.voice, seconds(print.net_s))),
            windows,
            recent: self.recent.as_ref(),
            over: self.quality.map(|quality| quality.bandwidth),
            quality: self.quality,
            is_spoofed: self.presentation.is_some_and(|heard| heard.is_spoofed),
            is_final,
        }
    }
}

/// The windows between two checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WindowCheck {
    /// How many checkpoints there were before it.
    pub after: usize,
    /// The voice of the checkpoint before it, with the windows there were.
    pub prints: Prints,
}

/// What was heard in a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct HeardRecording {
    /// At each checkpoint that was asked for, and at the end.
    pub checkpoints: Vec<Prints>,
    /// The windows that were checked between them.
    pub checks: Vec<WindowCheck>,
    /// The voice of each window of the speech, in order.
    #[serde(with = "super::kept::voices")]
    pub windows: Vec<Embedding>,
    /// The parts without speech, as if they were a voice; none when there was too little of them.
    pub silence: Option<Print>,
    /// Where in the recording the speech was, in 16 kHz samples.
    pub spans: Vec<Span>,
    /// How long the recording was.
    pub audio_s: f64,
    /// How long the product worked on it.
    pub work_s: f64,
}

impl HeardRecording {
    /// What was heard in all.
    pub fn whole(&self) -> Option<&Prints> {
        self.checkpoints.last()
    }

    /// The voice of all of it; none when there was too little.
    pub fn print(&self) -> Option<&Print> {
        self.whole()?.print.as_ref()
    }
}

/// A recording to hear, and how.
pub(super) struct Item<'a> {
    pub path: PathBuf,
    /// Seeds the random numbers: the same recording meets the same noise in every run.
    pub seed: u64,
    pub span: Option<(f64, f64)>,
    pub max_seconds: f64,
    pub condition: &'a Prepared,
    /// Whether it is looked at on the way, as a live call is.
    pub on_the_way: bool,
}

/// So many seconds of speech, as the product counts them.
pub(super) fn seconds(net_s: f64) -> Seconds {
    Seconds::checked(net_s).unwrap_or_default()
}
