//! From probabilities to spans of speech: hysteresis, a shortest span, padding, and an end flush.

use zeroize::{Zeroize as _, Zeroizing};

use crate::samples::RATE;
use crate::units::Seconds;

use super::hops::{Hops, Judged};
use super::vad::{Vad, VadError};

/// When speech begins and ends, in frames of 16.875 ms ([`FRAME`](super::FRAME)).
///
/// The model takes rain, a chain saw or a barking dog for speech now and then, but hardly ever surely or for
/// long; of callers it is sure within seconds. So the first speech must be sure (0.98 somewhere, half a second), and what
/// comes within 5 s of speech only likely (0.5, a quarter of a second).
#[derive(Debug, Clone, Copy)]
pub struct SpeechSettings {
    /// Probability at which speech begins that comes after none.
    pub first: f32,
    /// Probability at which speech begins that comes soon after other speech.
    pub enter: f32,
    /// Probability below which it may end.
    pub exit: f32,
    /// How many frames after speech are soon after it.
    pub soon: usize,
    /// Fewer frames in a row than this are no speech that comes after none.
    pub shortest_first: usize,
    /// Fewer frames in a row than this are a click or a cough, not speech.
    pub shortest_speech: usize,
    /// A gap of fewer frames than this belongs to the speech around it.
    pub shortest_silence: usize,
    /// Frames kept before and after a span, so that soft onsets and endings are not cut.
    pub padding: usize,
    /// How much speech is kept for the voiceprint; more is counted but not kept.
    pub keep: Seconds,
    /// Whether what is not kept is to be had from [`SpeechFinder::handed_on`], which must then be asked.
    pub hand_on: bool,
}

impl Default for SpeechSettings {
    fn default() -> Self {
        Self {
            first: 0.98,
            enter: 0.5,
            exit: 0.35,
            soon: 300,
            shortest_first: 30,
            shortest_speech: 15,
            shortest_silence: 6,
            padding: 2,
            keep: Seconds::new(120.0),
            hand_on: false,
        }
    }
}

/// A stretch of speech, in samples at 16 kHz from the start of the stream; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First sample.
    pub start: usize,
    /// One past the last sample.
    pub end: usize,
}

/// The longest stretch of tones that is held in doubt (frames; 2 s): the bound on its memory.
const LONGEST_DOUBT: usize = 120;

/// From this probability on a frame counts as speech when its level is measured.
const SURELY_SPEECH: f32 = 0.9;

/// Below this probability a frame counts as background when the noise level is measured.
const SURELY_BACKGROUND: f32 = 0.1;

/// From this probability on a frame is two people speaking at once.
const TWO_AT_ONCE: f32 = 0.5;

/// From this share of overlapped speech on, two people do speak at once.
const OVERLAPPED: f64 = 0.1;

enum Phase {
    /// Nobody speaks; the last frames wait as padding.
    Silent { before: Vec<Judged> },
    /// Somebody may be speaking: not yet long enough to be sure. `gap` frames of silence came last.
    Perhaps {
        held: Vec<Judged>,
        voiced: usize,
        gap: usize,
        shortest: usize,
    },
    /// Somebody speaks; frames of a gap are held until it proves to be a pause or the end.
    Speaking { gap: Vec<Judged> },
}

/// Finds the speech in one stream of 16 kHz samples. The result depends on the samples only, never on
/// how they were cut into pieces.
pub struct SpeechFinder {
    settings: SpeechSettings,
    hops: Hops,
    /// Samples that were judged.
    judged: usize,
    /// Frames since the last speech; `None` before any.
    since_speech: Option<usize>,
    phase: Phase,
    speech: Vec<f32>,
    past: Vec<f32>,
    net_samples: usize,
    spans: Vec<Span>,
    overlaps: Vec<usize>,
    turns: Vec<usize>,
    speech_power: Mean,
    background_power: Mean,
}

impl SpeechFinder {
    /// A finder at the start of a stream.
    pub fn new(settings: SpeechSettings) -> Self {
        Self {
            settings,
            hops: Hops::new(settings.exit),
            judged: 0,
            since_speech: None,
            phase: Phase::Silent { before: Vec::new() },
            speech: Vec::new(),
            past: Vec::new(),
            net_samples: 0,
            spans: Vec::new(),
            overlaps: Vec::new(),
            turns: Vec::new(),
            speech_power: Mean::default(),
            background_power: Mean::default(),
        }
    }

    /// Takes the next samples of the stream.
    ///
    /// # Errors
    /// [`VadError`] when the model fails.
    pub fn push(&mut self, vad: &mut Vad, mut samples: &[f32]) -> Result<(), VadError> {
        while !samples.is_empty() {
            let (hop, later) = self.hops.push(vad, samples)?;
            samples = later;
            self.hear(hop);
        }
        Ok(())
    }

    /// Ends the stream: judges what is left of it and closes a span that is still open.
    ///
    /// # Errors
    /// [`VadError`] when the model fails.
    pub fn finish(&mut self, vad: &mut Vad) -> Result<(), VadError> {
        let rest = self.hops.finish(vad)?;
        self.hear(rest);
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

    /// How much of each of the [`spans`](Self::spans) is two people speaking at once, in samples.
    pub fn overlaps(&self) -> &[usize] {
        &self.overlaps
    }

    /// The share of all the speech in which two people speak at once, 0 to 1; 0 where there is none.
    pub fn overlap_share(&self) -> f64 {
        let both: usize = self.overlaps.iter().sum();
        both as f64 / self.net_samples.max(1) as f64
    }

    /// Whether two people speak at once in more of the speech than one voice is ever taken for two.
    pub fn is_overlapped(&self) -> bool {
        self.overlap_share() >= OVERLAPPED
    }

    /// Where somebody else took over, as positions in all the speech (spans joined, also beyond what is kept), in
    /// samples. People are told apart within some two seconds only: who comes back is not known.
    pub fn turns(&self) -> &[usize] {
        &self.turns
    }

    /// How much speech there was, also beyond what is kept.
    pub fn net_speech(&self) -> Seconds {
        RATE.seconds(self.net_samples)
    }

    /// How much audio was pushed, speech or not.
    pub fn heard(&self) -> Seconds {
        RATE.seconds(self.hops.heard())
    }

    /// Signal-to-noise ratio in dB: power of frames of speech, less that of the background, over that of
    /// the background; -10 to 60. `None` until there was both speech and background to compare.
    pub fn snr_db(&self) -> Option<f64> {
        let (speech, background) = (self.speech_power.value()?, self.background_power.value()?);
        let ratio = (speech - background).max(0.0) / background.max(1e-12);
        Some((10.0 * ratio.max(1e-3).log10()).clamp(-10.0, 60.0))
    }

    fn hear(&mut self, frames: Vec<Judged>) {
        for frame in frames {
            let probability = frame.frame.speech();
            self.judged += frame.real;
            self.measure(&frame.samples[..frame.real], probability);
            self.advance(frame, probability);
        }
    }

    fn measure(&mut self, samples: &[f32], probability: f32) {
        let power = samples
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum::<f64>()
            / samples.len() as f64;
        if probability >= SURELY_SPEECH {
            self.speech_power.add(power);
        } else if probability < SURELY_BACKGROUND {
            self.background_power.add(power);
        }
    }

    fn advance(&mut self, frame: Judged, probability: f32) {
        let phase = std::mem::replace(&mut self.phase, Phase::Silent { before: Vec::new() });
        let on = probability >= self.settings.exit;
        self.since_speech = self.since_speech.map(|frames| frames + 1);
        let soon = self.since_speech.is_some_and(|frames| frames <= self.settings.soon);
        let (enter, shortest) = if soon {
            (self.settings.enter, self.settings.shortest_speech)
        } else {
            (self.settings.first, self.settings.shortest_first)
        };
        self.phase = match phase {
            Phase::Silent { before } if probability >= enter => {
                let held = before.into_iter().chain([frame]).collect();
                Phase::Perhaps {
                    held,
                    voiced: 1,
                    gap: 0,
                    shortest,
                }
            }
            Phase::Silent { before } => self.stay_silent(before, frame),
            Phase::Perhaps {
                held,
                voiced,
                gap,
                shortest,
            } => self.weigh((held, voiced, gap, shortest), frame, on),
            Phase::Speaking { gap } => self.speak_on(gap, frame, on),
        };
    }

    fn stay_silent(&self, mut before: Vec<Judged>, frame: Judged) -> Phase {
        before.push(frame);
        let surplus = before.len().saturating_sub(self.settings.padding);
        before.drain(..surplus);
        Phase::Silent { before }
    }

    fn weigh(&mut self, doubt: (Vec<Judged>, usize, usize, usize), frame: Judged, on: bool) -> Phase {
        let (mut held, voiced, gap, shortest) = doubt;
        if held.len() >= LONGEST_DOUBT {
            held.remove(0);
        }
        held.push(frame);
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
        let tonal = held.iter().filter(|frame| frame.tonal).count();
        if voiced < shortest || tonal * 2 > voiced {
            return Phase::Perhaps {
                held,
                voiced,
                gap,
                shortest,
            };
        }
        let length: usize = held.iter().map(|frame| frame.real).sum();
        let start = self.judged - length;
        self.spans.push(Span { start, end: start });
        self.overlaps.push(0);
        self.keep(held);
        Phase::Speaking { gap: Vec::new() }
    }

    fn speak_on(&mut self, mut gap: Vec<Judged>, frame: Judged, on: bool) -> Phase {
        gap.push(frame);
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

    /// Keeps the padding after a span and gives back the frames that belong to the silence.
    fn keep_padding(&mut self, mut gap: Vec<Judged>) -> Vec<Judged> {
        let mut silence = gap.split_off(self.settings.padding.min(gap.len()));
        self.keep(gap);
        let surplus = silence.len().saturating_sub(self.settings.padding);
        silence.drain(..surplus);
        silence
    }

    fn keep(&mut self, frames: Vec<Judged>) {
        self.since_speech = Some(0);
        let room = RATE.samples(self.settings.keep);
        for frame in frames {
            let samples = &frame.samples[..frame.real];
            let wanted = samples.len().min(room.saturating_sub(self.speech.len()));
            let (kept, past) = samples.split_at(wanted);
            self.speech.extend_from_slice(kept);
            if self.settings.hand_on {
                self.past.extend_from_slice(past);
            }
            if frame.turn {
                self.turns.push(self.net_samples);
            }
            if let Some(overlap) = self.overlaps.last_mut()
                && frame.frame.overlap() >= TWO_AT_ONCE
            {
                *overlap += samples.len();
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
