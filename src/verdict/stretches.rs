//! The voice of a live call out of stretches of its speech, none of which is embedded over and over.
//!
//! A network that pools over time says nearly the same of two stretches by the weighted mean of their directions as of
//! both in one piece, as long as neither is much shorter than four seconds (docs/operations.md has the error rates); and
//! once eight seconds were heard so, windows of 1.6 s say the rest as well. So the first eight seconds are two stretches,
//! the open one is embedded again only while it is short, and what comes after is told by the windows that are embedded
//! anyway. A stretch is also the longest piece of work of a live call, for which all others wait.

use crate::decision::VOICE_WINDOW;
use crate::engine::Analyst;
use crate::samples::RATE;
use crate::units::Seconds;
use crate::voiceprint::{Embedding, ExtractError, ModelId};

use super::level::levelled;

/// Where stretches end, in seconds of speech.
const ENDS: [f64; 2] = [4.0, 8.0];

/// The open stretch is embedded where it ends, and before that at this checkpoint, in seconds of speech; the first one at every
/// checkpoint.
const AGAIN: f64 = 6.0;

/// The shortest rest that is embedded by itself when a call ends.
const SHORTEST_REST: Seconds = Seconds::new(1.0);

/// How much speech is kept from a call's beginning on: whole windows, and more than the stretches, for another model to hear again.
pub(super) const KEPT: Seconds = Seconds::new(20.8);

/// A stretch of speech from the end of the one before.
struct Stretch {
    /// One past its last sample.
    end: usize,
    voice: Embedding,
}

/// The voice of some speech, and how much of it.
pub(super) struct Pooled {
    /// What was made of the stretch.
    pub voice: Embedding,
    /// How much speech it is of.
    pub net_speech: Seconds,
}

/// The stretches of one stream.
#[derive(Default)]
pub(super) struct Stretches {
    model: Option<ModelId>,
    closed: Vec<Stretch>,
    /// What the stretch that is still open sounded like when it was last embedded.
    open: Option<Stretch>,
}

/// How far a stream has come when its voice is asked for.
#[derive(Clone, Copy)]
pub(super) enum StreamPosition {
    /// At a checkpoint's mark, in seconds of speech.
    Mark(f64),
    /// At none: the stream has ended, or the model changed.
    Between,
}

impl Stretches {
    /// The voice of what was said so far: `kept` is the speech that is kept, `windows` are the voices of its windows from
    /// the first on, and those after it.
    ///
    /// # Errors
    /// [`ExtractError`] when the speaker model fails, or what there is cancels out.
    pub fn voice(
        &mut self,
        analyst: &mut Analyst,
        kept: &[f32],
        windows: &[Embedding],
        position: StreamPosition,
    ) -> Result<Pooled, ExtractError> {
        self.follow_model(analyst, kept)?;
        if self.is_due(kept.len(), position) {
            let end = kept.len();
            let voice = match windows {
                // The first window is all there is, and was embedded for its own sake.
                [window] if end == RATE.samples(VOICE_WINDOW) => window.clone(),
                _ => analyst.extractor.embed(&levelled(&kept[self.closed_end()..]))?,
            };
            self.open = Some(Stretch { end, voice });
            let closes = ENDS
                .get(self.closed.len())
                .is_some_and(|seconds| RATE.seconds(end).get() >= *seconds);
            if closes {
                self.closed.extend(self.open.take());
            }
        }
        self.pooled(windows)
    }

    fn closed_end(&self) -> usize {
        self.closed.last().map_or(0, |stretch| stretch.end)
    }

    /// Whether the open stretch is to be embedded as it is now.
    fn is_due(&self, kept: usize, position: StreamPosition) -> bool {
        let Some(end) = ENDS.get(self.closed.len()) else {
            return false;
        };
        match position {
            // Nothing else says anything of the first seconds.
            _ if self.closed.is_empty() => true,
            StreamPosition::Mark(seconds) => seconds == AGAIN || seconds >= *end,
            StreamPosition::Between => kept - self.closed_end() >= RATE.samples(SHORTEST_REST),
        }
    }

    /// Stretches that another model heard are heard again by this one.
    fn follow_model(&mut self, analyst: &mut Analyst, kept: &[f32]) -> Result<(), ExtractError> {
        let model = analyst.extractor.card().id();
        if self.model.as_ref() == Some(model) {
            return Ok(());
        }
        self.model = Some(model.clone());
        self.open = None;
        let mut start = 0;
        for stretch in &mut self.closed {
            stretch.voice = analyst.extractor.embed(&levelled(&kept[start..stretch.end]))?;
            start = stretch.end;
        }
        Ok(())
    }

    /// The mean direction of the stretches and of the windows after them, each by its length.
    fn pooled(&self, windows: &[Embedding]) -> Result<Pooled, ExtractError> {
        let window = RATE.samples(VOICE_WINDOW);
        let mut start = 0;
        let mut parts = Vec::new();
        for stretch in self.closed.iter().chain(&self.open) {
            parts.push((&stretch.voice, (stretch.end - start) as f32));
            start = stretch.end;
        }
        // The window in which the last stretch ended is of both: better heard twice in part than not at all.
        let rest = windows.get(start / window..).unwrap_or_default();
        parts.extend(rest.iter().map(|voice| (voice, window as f32)));
        let end = start.max(window * windows.len());
        Ok(Pooled {
            voice: Embedding::mean(parts)?,
            net_speech: RATE.seconds(end),
        })
    }
}
