//! The windows that are laid over a stream: each is heard in full, and a hop near its end is believed.

use zeroize::Zeroize as _;

use super::tones::{self, ToneGate};
use super::turns::turns;
use super::vad::{FRAME, Frame, Vad, VadError};
use crate::samples::quality::rms;

/// Frames in a window: 2.03 s. What speech is like is judged by it alone, so a loud voice is forgotten after it.
const WINDOW_FRAMES: usize = 120;
/// Frames from one window to the next: 1 s.
const HOP_FRAMES: usize = 59;
/// Frames that a window reaches beyond those that are believed (0.25 s): the model hears both ways in time.
const AHEAD_FRAMES: usize = 15;

/// Samples from one window to the next; as much is judged at a time.
pub const HOP: usize = HOP_FRAMES * FRAME;

/// A window softer than this (-80 dBFS RMS, below the last bit of mu-law) is silence and is not asked about.
const SILENCE: f32 = 1e-4;

/// A frame of the stream and what is thought of it.
pub(super) struct Judged {
    pub samples: [f32; FRAME],
    /// How many of the samples came from the stream: fewer than all only at its end.
    pub real: usize,
    pub frame: Frame,
    /// Whether somebody else than before begins to speak here.
    pub turn: bool,
    /// Whether it is nothing but one or two sinusoids.
    pub tonal: bool,
}

/// Cuts one stream into windows and judges each of its frames once.
pub(super) struct Hops {
    /// The stream's last samples, from frame `first` on.
    samples: Vec<f32>,
    first: usize,
    /// How many frames are judged.
    judged: usize,
    /// Probability of speech from which a frame is looked at for tones.
    doubted_from: f32,
    tones: ToneGate,
}

impl Hops {
    pub(super) fn new(doubted_from: f32) -> Self {
        Self {
            samples: Vec::new(),
            first: 0,
            judged: 0,
            doubted_from,
            tones: ToneGate::new(),
        }
    }

    /// Samples that were pushed.
    pub(super) fn heard(&self) -> usize {
        self.first * FRAME + self.samples.len()
    }

    /// Takes samples, at most until a hop can be judged, and gives those that are left and the hop, if any.
    pub(super) fn push<'a>(
        &mut self,
        vad: &mut Vad,
        samples: &'a [f32],
    ) -> Result<(Vec<Judged>, &'a [f32]), VadError> {
        let end = self.judged + HOP_FRAMES + AHEAD_FRAMES;
        let wanted = (end * FRAME).saturating_sub(self.heard()).min(samples.len());
        let (now, later) = samples.split_at(wanted);
        self.samples.extend_from_slice(now);
        if self.heard() < end * FRAME {
            return Ok((Vec::new(), later));
        }
        Ok((self.judge(vad, end - AHEAD_FRAMES)?, later))
    }

    /// Judges what is left at the end of the stream.
    pub(super) fn finish(&mut self, vad: &mut Vad) -> Result<Vec<Judged>, VadError> {
        let end = self.heard().div_ceil(FRAME);
        if end == self.judged {
            return Ok(Vec::new());
        }
        self.judge(vad, end)
    }

    /// Judges the frames up to `end`, by the window of all the samples there are.
    fn judge(&mut self, vad: &mut Vad, end: usize) -> Result<Vec<Judged>, VadError> {
        let last = self.heard().div_ceil(FRAME);
        let surplus = last.saturating_sub(WINDOW_FRAMES).saturating_sub(self.first);
        self.samples[..surplus * FRAME].zeroize();
        self.samples.drain(..surplus * FRAME);
        self.first += surplus;
        let frames = if rms(&self.samples) < SILENCE {
            vec![Frame::SILENCE]
        } else {
            vad.frames(&self.samples)?
        };
        let turns = turns(&frames);
        let judged = (self.judged..end).map(|at| {
            // A frame of the model is of 991 samples: their middle is nearest to the middle of the frame after.
            let of = (at - self.first).saturating_sub(1).min(frames.len() - 1);
            let (samples, real) = self.cut(at);
            Judged {
                samples,
                real,
                frame: frames[of],
                turn: turns[of],
                tonal: false,
            }
        });
        let mut judged: Vec<Judged> = judged.collect();
        for (at, frame) in judged.iter_mut().enumerate() {
            // Only what may be taken for speech is worth the look at its spectrum.
            if frame.frame.speech() >= self.doubted_from {
                frame.tonal = self.is_tonal(self.judged + at);
            }
        }
        self.judged = end;
        Ok(judged)
    }

    /// The samples of a frame, filled up with silence, and how many there are.
    fn cut(&self, at: usize) -> ([f32; FRAME], usize) {
        let start = (at - self.first) * FRAME;
        let there = &self.samples[start..(start + FRAME).min(self.samples.len())];
        let mut samples = [0.0; FRAME];
        samples[..there.len()].copy_from_slice(there);
        (samples, there.len())
    }

    fn is_tonal(&mut self, at: usize) -> bool {
        let middle = (at - self.first) * FRAME + FRAME / 2;
        let latest = self.samples.len().saturating_sub(tones::WINDOW);
        let start = middle.saturating_sub(tones::WINDOW / 2).min(latest);
        let mut window = [0.0; tones::WINDOW];
        let there = &self.samples[start..(start + tones::WINDOW).min(self.samples.len())];
        window[..there.len()].copy_from_slice(there);
        self.tones.is_tonal(&window)
    }
}

impl Drop for Hops {
    fn drop(&mut self) {
        self.samples.zeroize();
    }
}
