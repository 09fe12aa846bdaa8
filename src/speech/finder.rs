//! From probabilities to spans of speech: hysteresis, a shortest span, padding, and an end flush.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::samples::RATE;
use crate::units::Seconds;

use super::background::Background;
use super::feed::WINDOW;
use super::tones::ToneGate;
use super::vad::{Vad, VadError, VadState};

/// When speech begins and ends. The defaults are Silero's own (threshold 0.5, exit 0.15 lower, shortest
/// speech 250 ms, shortest silence 100 ms, padding 30 ms), in whole windows.
#[derive(Debug, Clone, Copy)]
pub struct SpeechSettings {
    /// Probability at which speech begins.
    pub enter: f32,
    /// Probability below which it may end.
    pub exit: f32,
    /// Fewer windows in a row than this are a click or a cough, not speech.
    pub shortest_speech: usize,
    /// A gap of fewer windows than this belongs to the speech around it.
    pub shortest_silence: usize,
    /// Windows kept before and after a span, so that soft onsets and endings are not cut.
    pub padding: usize,
    /// How much speech is kept for the voiceprint; more is counted but not kept.
    pub keep: Seconds,
    /// Whether what is not kept is to be had from [`SpeechFinder::handed_on`], which must then be asked.
    pub hand_on: bool,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self {
            enter: 0.5,
            exit: 0.35,
            shortest_speech: 8,
            shortest_silence: 3,
            padding: 1,
            keep: Seconds::new(120.0),
            hand_on: false,
        }
    }
}

/// A stretch of speech, in samples at 16 kHz from the start of the stream; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first sample, counted from 0.
    pub start: usize,
    /// One past the last sample.
    pub end: usize,
}

/// The longest stretch of tones that is held in doubt (windows; 2 s): the bound on its memory.
const LONGEST_DOUBT: usize = 64;

/// Below this probability a window counts as background when the noise level is measured.
const SURELY_BACKGROUND: f32 = 0.1;

/// A window and what the model said of it.
struct JudgedWindow {
    samples: [f32; WINDOW],
    /// How many of them came from the stream: fewer than all only in the flush at its end.
    real: usize,
    /// Whether it may be taken for speech, and was nothing but one or two sinusoids.
    tonal: bool,
}

enum Phase {
    /// Nobody speaks; the last windows wait as padding.
    Silent { before: Vec<JudgedWindow> },
    /// Somebody may be speaking: not yet long enough to be sure. `gap` windows of silence came last.
    Perhaps {
        held: Vec<JudgedWindow>,
        voiced: usize,
        gap: usize,
    },
    /// Somebody speaks; windows of a gap are held until it proves to be a pause or the end.
    Speaking { gap: Vec<JudgedWindow> },
}

/// Finds the speech in one stream of 16 kHz samples. The result depends on the samples only, never on
/// how they were cut into pieces.
pub struct SpeechFinder {
    settings: SpeechSettings,
    state: VadState,
    tones: ToneGate,
    /// Samples that fill no window yet.
    partial: Vec<f32>,
    /// Windows of which the model was asked, with the probability it gave.
    waiting: VecDeque<([f32; WINDOW], f32)>,
    heard: usize,
    phase: Phase,
    speech: Vec<f32>,
    past: Vec<f32>,
    net_samples: usize,
    spans: Vec<Span>,
    speech_power: Mean,
    background: Background,
}

impl SpeechFinder {
    /// A finder at the start of a stream.
    pub fn new(settings: SpeechSettings) -> Self {
        Self {
            settings,
            state: VadState::default(),
            tones: ToneGate::new(),
            partial: Vec::with_capacity(WINDOW),
            waiting: VecDeque::new(),
            heard: 0,
            phase: Phase::Silent { before: Vec::new() },
            speech: Vec::new(),
            past: Vec::new(),
            net_samples: 0,
            spans: Vec::new(),
            speech_power: Mean::default(),
            background: Background::new(),
        }
    }

    /// Takes the next samples of the stream.
    ///
    /// # Errors
    /// [`VadError`] when the model fails.
    pub fn push(&mut self, vad: &mut Vad, samples: &[f32]) -> Result<(), VadError> {
        self.hear(vad, samples)?;
        while self.advance() {}
        Ok(())
    }

    /// Takes the next samples of the stream and asks the model of all their whole windows at once; what it said of them is
    /// taken up window by window by [`SpeechFinder::advance`].
    ///
    /// # Errors
    /// [`VadError`] when the model fails.
    pub fn hear(&mut self, vad: &mut Vad, samples: &[f32]) -> Result<(), VadError> {
        self.partial.extend_from_slice(samples);
        let (windows, rest) = self.partial.as_chunks::<WINDOW>();
        let probabilities = vad.probabilities(windows, &mut self.state)?;
        let heard = windows.iter().zip(probabilities);
        self.waiting
            .extend(heard.map(|(samples, probability)| (*samples, probability)));
        let used = self.partial.len() - rest.len();
        self.partial.drain(..used);
        Ok(())
    }

    /// Takes up the next window that was heard; `false` when there is none.
    pub fn advance(&mut self) -> bool {
        let Some((samples, probability)) = self.waiting.pop_front() else {
            return false;
        };
        self.window(&samples, WINDOW, probability);
        true
    }

    /// Ends the stream: judges what is left of the last window and closes a span that is still open.
    ///
    /// # Errors
    /// [`VadError`] when the model fails.
    pub fn finish(&mut self, vad: &mut Vad) -> Result<(), VadError> {
        while self.advance() {}
        let real = self.partial.len();
        if real > 0 {
            let mut last = [0.0; WINDOW];
            last[..real].copy_from_slice(&self.partial);
            self.partial.clear();
            let probability = vad.probabilities(&[last], &mut self.state)?;
            self.window(&last, real, probability.first().copied().unwrap_or_default());
        }
        self.background.finish();
        let phase = std::mem::replace(&mut self.phase, Phase::Silent { before: Vec::new() });
        if let Phase::Speaking { gap } = phase {
            self.keep_padding(gap);
        }
        Ok(())
    }

    /// The speech found so far, spans joined, at most [`SpeechSettings::keep`] of it.
    pub fn speech(&self) -> &[f32] {
        &self.speech
    }

    /// The speech past what is kept that was found since this was asked last; none unless
    /// [`SpeechSettings::hand_on`].
    pub fn handed_on(&mut self) -> Zeroizing<Vec<f32>> {
        Zeroizing::new(std::mem::take(&mut self.past))
    }

    /// Where the speech was.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// How much speech there was, also beyond what is kept.
    pub fn net_speech(&self) -> Seconds {
        RATE.seconds(self.net_samples)
    }

    /// How much audio was pushed, speech or not.
    pub fn heard(&self) -> Seconds {
        RATE.seconds(self.heard + self.waiting.len() * WINDOW + self.partial.len())
    }

    /// How much of it was judged, window by window: what [`SpeechFinder::advance`] has not taken up yet is not counted.
    pub fn judged(&self) -> Seconds {
        RATE.seconds(self.heard)
    }

    /// Signal-to-noise ratio in dB: power of speech windows, less that of the line's background, over that of
    /// the background; -10 to 60. Loud moments, tones and silence that was put in are no background. `None` until
    /// there was both speech and background to compare.
    pub fn snr_db(&self) -> Option<f64> {
        let (speech, background) = (self.speech_power.value()?, self.background.power()?);
        let ratio = (speech - background).max(0.0) / background.max(1e-12);
        Some((10.0 * ratio.max(1e-3).log10()).clamp(-10.0, 60.0))
    }

    fn window(&mut self, samples: &[f32; WINDOW], real: usize, probability: f32) {
        self.heard += real;
        let is_tonal = self.tones.is_tonal(samples);
        self.measure(&samples[..real], probability, is_tonal);
        let tonal = probability >= self.settings.exit && is_tonal;
        let samples = *samples;
        self.follow(JudgedWindow { samples, real, tonal }, probability);
    }

    fn measure(&mut self, samples: &[f32], probability: f32, is_tonal: bool) {
        let power = samples
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum::<f64>()
            / samples.len() as f64;
        if probability >= self.settings.enter {
            self.speech_power.add(power);
        }
        self.background
            .take(power, probability < SURELY_BACKGROUND, is_tonal);
    }

    fn follow(&mut self, window: JudgedWindow, probability: f32) {
        let (enter, exit) = (self.settings.enter, self.settings.exit);
        let phase = std::mem::replace(&mut self.phase, Phase::Silent { before: Vec::new() });
        self.phase = match phase {
            Phase::Silent { before } if probability >= enter => Self::begin(before, window),
            Phase::Silent { before } => self.stay_silent(before, window),
            Phase::Perhaps { held, voiced, gap } => {
                self.weigh(held, voiced, gap, window, probability >= exit)
            }
            Phase::Speaking { gap } => self.speak_on(gap, window, probability >= exit),
        };
    }

    fn begin(before: Vec<JudgedWindow>, window: JudgedWindow) -> Phase {
        let mut held = before;
        held.push(window);
        Phase::Perhaps {
            held,
            voiced: 1,
            gap: 0,
        }
    }

    fn stay_silent(&self, mut before: Vec<JudgedWindow>, window: JudgedWindow) -> Phase {
        before.push(window);
        let surplus = before.len().saturating_sub(self.settings.padding);
        before.drain(..surplus);
        Phase::Silent { before }
    }

    fn weigh(
        &mut self,
        mut held: Vec<JudgedWindow>,
        voiced: usize,
        gap: usize,
        window: JudgedWindow,
        on: bool,
    ) -> Phase {
        if held.len() >= LONGEST_DOUBT {
            held.remove(0);
        }
        held.push(window);
        let (voiced, gap) = if on {
            (voiced + gap + 1, 0)
        } else {
            (voiced, gap + 1)
        };
        if gap >= self.settings.shortest_silence {
            // It was a click: forget it, but keep its tail as padding for what may follow.
            let surplus = held.len().saturating_sub(self.settings.padding);
            held.drain(..surplus);
            return Phase::Silent { before: held };
        }
        // A stretch of tones stays in doubt until a voice joins it or it ends.
        let tonal = held.iter().filter(|heard| heard.tonal).count();
        if voiced < self.settings.shortest_speech || tonal * 2 > voiced {
            return Phase::Perhaps { held, voiced, gap };
        }
        let length: usize = held.iter().map(|heard| heard.real).sum();
        let start = self.heard - length;
        self.spans.push(Span { start, end: start });
        self.keep(held);
        Phase::Speaking { gap: Vec::new() }
    }

    fn speak_on(&mut self, mut gap: Vec<JudgedWindow>, window: JudgedWindow, on: bool) -> Phase {
        gap.push(window);
        if on {
            self.keep(gap);
            return Phase::Speaking { gap: Vec::new() };
        }
        if gap.len() < self.settings.shortest_silence {
            return Phase::Speaking { gap };
        }
        let before = self.keep_padding(gap);
        Phase::Silent { before }
    }

    /// Keeps the padding after a span and gives back the windows that belong to the silence.
    fn keep_padding(&mut self, mut gap: Vec<JudgedWindow>) -> Vec<JudgedWindow> {
        let mut silence = gap.split_off(self.settings.padding.min(gap.len()));
        self.keep(gap);
        let surplus = silence.len().saturating_sub(self.settings.padding);
        silence.drain(..surplus);
        silence
    }

    fn keep(&mut self, windows: Vec<JudgedWindow>) {
        let room = RATE.samples(self.settings.keep);
        for window in windows {
            let samples = &window.samples[..window.real];
            let wanted = samples.len().min(room.saturating_sub(self.speech.len()));
            let (kept, past) = samples.split_at(wanted);
            self.speech.extend_from_slice(kept);
            if self.settings.hand_on {
                self.past.extend_from_slice(past);
            }
            self.net_samples += samples.len();
            if let Some(span) = self.spans.last_mut() {
                span.end += samples.len();
            }
        }
    }
}

impl Drop for SpeechFinder {
    fn drop(&mut self) {
        self.speech.zeroize();
        self.past.zeroize();
    }
}

/// A running mean.
#[derive(Default, Clone, Copy)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}
