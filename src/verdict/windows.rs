//! The voice of each window of a stream's speech: by them one voice is told from several, also long after the
//! speech itself is no longer kept.

use zeroize::Zeroizing;

use crate::decision::{MOST_WINDOWS, VOICE_WINDOW, is_unlike};
use crate::engine::Analyst;
use crate::samples::RATE;
use crate::units::Seconds;
use crate::voiceprint::{Bandwidth, Embedding, ExtractError, ModelId, Voiceprint};

use super::level::levelled;

/// The latest speech past what the finder keeps that is kept here, in windows: as much as a name falls by. More of it is older.
const LATEST: usize = 2;

/// The voice of the last seconds of speech.
#[derive(Debug, Clone, PartialEq)]
pub struct RecentVoice {
    /// The mean of the last whole window and of the window that ends now.
    pub voice: Embedding,
    /// How much speech both are of.
    pub net_speech: Seconds,
}

/// The windows of one stream.
pub(super) struct Windows {
    /// Of which model the voices are.
    model: Option<ModelId>,
    /// The last [`MOST_WINDOWS`].
    voices: Vec<Embedding>,
    /// How many there were before those.
    dropped: usize,
    /// Speech that came when the finder kept no more, as far as it fills no window yet.
    past: Zeroizing<Vec<f32>>,
    /// The last [`LATEST`] windows of such speech.
    latest: Zeroizing<Vec<f32>>,
    /// Whether the last window is unlike those before it, so that somebody else may have begun to speak in it.
    last_is_unlike: bool,
    /// How many windows there were when the last seconds were asked for.
    asked_after: usize,
}

impl Windows {
    /// No windows yet.
    pub fn new() -> Self {
        Self {
            model: None,
            voices: Vec::new(),
            dropped: 0,
            past: Zeroizing::new(Vec::new()),
            latest: Zeroizing::new(Vec::new()),
            last_is_unlike: false,
            asked_after: 0,
        }
    }

    /// Takes speech past what is kept; [`Windows::hear`] uses it up.
    pub fn take(&mut self, past: &[f32]) {
        self.past.extend_from_slice(past);
    }

    /// Whether a window is whole that was not heard yet; `kept` is the speech that is kept.
    pub fn are_due(&self, kept: &[f32]) -> bool {
        let (window, _) = lengths();
        kept.len() / window > self.dropped + self.voices.len() || self.past.len() >= window
    }

    /// Whether the last seconds are to be heard by themselves: half a window after one that is unlike those before it, once,
    /// instead of half a window later. (Every half window would cost as much again as the windows do.)
    pub fn recent_is_due(&self, kept: &[f32]) -> bool {
        self.asked_after < self.heard() && self.has_recent(kept)
    }

    /// Whether the speech they are of has begun to be other speech than what is kept.
    pub fn have_moved_on(&self) -> bool {
        self.dropped > 0
    }

    /// Hears what is due. If the model is another than the last time, what is kept is heard again where it is all there was; else
    /// the latest speech alone is.
    ///
    /// # Errors
    /// [`ExtractError`] when the speaker model fails.
    pub fn hear(&mut self, analyst: &mut Analyst, kept: &[f32]) -> Result<(), ExtractError> {
        let model = analyst.extractor.card().id();
        if self.model.as_ref() != Some(model) {
            self.model = Some(model.clone());
            self.begin_anew(analyst, kept)?;
        }
        let (window, _) = lengths();
        for piece in kept.chunks_exact(window).skip(self.dropped + self.voices.len()) {
            self.add(analyst.extractor.embed(&levelled(piece))?);
        }
        while self.past.len() >= window {
            let piece: Zeroizing<Vec<f32>> = Zeroizing::new(self.past.drain(..window).collect());
            self.add(analyst.extractor.embed(&levelled(&piece))?);
            let older = (self.latest.len() + window).saturating_sub(LATEST * window);
            self.latest = Zeroizing::new([&self.latest[older..], &piece].concat());
        }
        Ok(())
    }

    /// Forgets what another model heard. What was said long ago must not come back as if it were said now: where more was
    /// said since than is kept of the beginning, only the latest of it is heard again.
    fn begin_anew(&mut self, analyst: &mut Analyst, kept: &[f32]) -> Result<(), ExtractError> {
        let (heard, (window, _)) = (self.heard(), lengths());
        self.voices.clear();
        self.last_is_unlike = false;
        (self.dropped, self.asked_after) = (0, 0);
        if heard <= kept.len() / window {
            return Ok(());
        }
        self.dropped = heard - self.latest.len() / window;
        let latest = self.latest.clone();
        for piece in latest.chunks_exact(window) {
            self.add(analyst.extractor.embed(&levelled(piece))?);
        }
        Ok(())
    }

    /// The voice of the last seconds, where the last whole window leaves it open whose it is and half of the next one has
    /// been spoken.
    ///
    /// # Errors
    /// [`ExtractError`] when the speaker model fails.
    pub fn recent(
        &mut self,
        analyst: &mut Analyst,
        kept: &[f32],
    ) -> Result<Option<RecentVoice>, ExtractError> {
        let Some(last) = self.voices.last().filter(|_| self.has_recent(kept)) else {
            return Ok(None);
        };
        let newest = analyst.extractor.embed(&levelled(&self.newest(kept)))?;
        let voice = Embedding::mean([(last, 1.0), (&newest, 1.0)]).ok();
        self.asked_after = self.heard();
        Ok(voice.map(|voice| RecentVoice {
            voice,
            net_speech: RATE.seconds(lengths().0 + self.since_last(kept)),
        }))
    }

    fn has_recent(&self, kept: &[f32]) -> bool {
        self.last_is_unlike && self.since_last(kept) >= lengths().1
    }

    /// How many samples of speech there are after the last whole window.
    fn since_last(&self, kept: &[f32]) -> usize {
        kept.len().saturating_sub(self.heard() * lengths().0) + self.past.len()
    }

    /// The samples of a window's length that end now.
    fn newest(&self, kept: &[f32]) -> Zeroizing<Vec<f32>> {
        let before = if self.latest.is_empty() {
            kept
        } else {
            &self.latest
        };
        let missing = lengths().0.saturating_sub(self.past.len()).min(before.len());
        Zeroizing::new([&before[before.len() - missing..], &self.past].concat())
    }

    /// The voices, in order.
    pub fn voices(&self) -> &[Embedding] {
        &self.voices
    }

    /// How many windows were heard in all.
    pub fn heard(&self) -> usize {
        self.dropped + self.voices.len()
    }

    /// The voice of all of them, heard in this bandwidth; `None` where they cancel out.
    pub fn together(&self, bandwidth: Bandwidth) -> Option<Voiceprint> {
        let voices = self.voices.iter().map(|voice| (voice, 1.0));
        Some(Voiceprint {
            embedding: Embedding::mean(voices).ok()?,
            model: self.model.clone()?,
            bandwidth,
            net_speech: Seconds::checked(VOICE_WINDOW.get() * self.voices.len() as f64)?,
        })
    }

    fn add(&mut self, voice: Embedding) {
        self.last_is_unlike = is_unlike(&voice, &self.voices);
        if self.voices.len() == MOST_WINDOWS {
            self.voices.remove(0);
            self.dropped += 1;
        }
        self.voices.push(voice);
    }
}

/// The samples of a window, and of half of one.
fn lengths() -> (usize, usize) {
    let window = RATE.samples(VOICE_WINDOW);
    (window, window / 2)
}
