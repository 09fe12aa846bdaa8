//! A fingerprint of speech: whether a recording was heard before, whatever line it came over.
//!
//! After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002), for speech on a telephone. Frames of
//! 4096 samples (256 ms, Hann), one each 256 samples (16 ms); the energies `E(n, m)` of frame `n` in 33 bands from 300 to
//! 3000 Hz, equally wide on a logarithmic scale. Bit `m` of the 32 of frame `n` says whether
//! `E(n, m) - E(n, m+1)` is larger than `E(n-1, m) - E(n-1, m+1)`. Frames overlap so far that a shift of some milliseconds
//! changes few bits, and level changes none. That each band rises or falls against the next is all that is left of the
//! sound: how loud anything was is not, so neither speech nor a voice can be made of it, nor a voice be compared by it.
//!
//! The frames stand in the time of the stream, and only those are given out whose middle lies in speech: where the speech
//! detector hears a span to begin a little earlier or later moves nothing.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, LazyLock};

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};
use zeroize::Zeroizing;

use super::finder::Span;
use crate::samples::RATE;
use crate::units::Seconds;

/// Samples of a frame.
const FRAME: usize = 4096;
/// Samples from one frame to the next.
const HOP: usize = 256;
/// One more than there are bits.
const BANDS: usize = 33;
const LOWEST_HZ: f64 = 300.0;
const HIGHEST_HZ: f64 = 3000.0;
/// Of frames that are kept there is one in so many: what is looked for has them all, and so fits at one of both.
pub(super) const KEPT_EACH: usize = 2;
/// Longer pauses are kept as long as this, in kept frames: 4 s.
const LONGEST_PAUSE: usize = 125;
/// No fingerprint has more frames than an hour of speech: the bound on what is read back.
const MOST_KEPT: usize = 112_500;
/// What stands for a frame without speech. A frame whose bits are all nought says as little.
pub(super) const NO_SPEECH: u32 = 0;

/// What every fingerprinter works with.
struct Plan {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    /// The first bin of each band, and the end of the last.
    edges: [usize; BANDS + 1],
}

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let step = std::f32::consts::TAU / FRAME as f32;
    let bins_per_hz = FRAME as f64 / f64::from(RATE.0);
    let edge = |band: usize| {
        let hertz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ).powf(band as f64 / BANDS as f64);
        (hertz * bins_per_hz).round() as usize
    };
    Plan {
        fft: RealFftPlanner::<f32>::new().plan_fft_forward(FRAME),
        hann: (0..FRAME)
            .map(|at| 0.5 - 0.5 * (step * at as f32).cos())
            .collect(),
        edges: std::array::from_fn(edge),
    }
});

/// Takes the fingerprint of a stream of 16 kHz samples. The result depends on the samples only, never on how they were cut
/// into pieces.
pub struct Fingerprinter {
    /// Samples that are not in all their frames yet.
    waiting: Zeroizing<Vec<f32>>,
    frame: Zeroizing<Vec<f32>>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    before: Option<[f32; BANDS]>,
    /// The latest frames, speech or not.
    frames: VecDeque<u32>,
    /// Which frame of the stream the first of them is.
    first: usize,
    most: usize,
}

impl Fingerprinter {
    /// At the beginning of a stream of which the last `longest` are remembered: 250 bytes a second.
    pub fn new(longest: Seconds) -> Self {
        let fft = &PLAN.fft;
        Self {
            waiting: Zeroizing::default(),
            frame: Zeroizing::new(fft.make_input_vec()),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            before: None,
            frames: VecDeque::new(),
            first: 0,
            most: RATE.samples(longest) / HOP,
        }
    }

    /// Takes the next samples.
    pub fn push(&mut self, samples: &[f32]) {
        self.waiting.extend_from_slice(samples);
        let mut at = 0;
        while at + FRAME <= self.waiting.len() {
            let energies = self.energies(at);
            let bits = self
                .before
                .map_or(NO_SPEECH, |before| compared(&before, &energies));
            self.before = Some(energies);
            self.frames.push_back(bits);
            if self.frames.len() > self.most {
                self.frames.pop_front();
                self.first += 1;
            }
            at += HOP;
        }
        self.waiting.drain(..at);
    }

    /// The energies of the frame that begins at this waiting sample, band by band.
    fn energies(&mut self, at: usize) -> [f32; BANDS] {
        let samples = self.waiting[at..].iter().zip(&PLAN.hann);
        for (value, (sample, weight)) in self.frame.iter_mut().zip(samples) {
            *value = sample * weight;
        }
        let done = PLAN
            .fft
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch);
        debug_assert!(
            done.is_ok(),
            "the buffers come from the plan itself. This is a bug."
        );
        std::array::from_fn(|band| {
            let bins = &self.spectrum[PLAN.edges[band]..PLAN.edges[band + 1]];
            bins.iter().map(|bin| bin.norm_sqr()).sum()
        })
    }

    /// The fingerprint of what is remembered, where it is speech: `spans` are those of the same stream, in order.
    pub fn fingerprint(&self, spans: &[Span]) -> Fingerprint {
        let mut spans = spans.iter().peekable();
        let mut frames = Vec::with_capacity(self.frames.len());
        for (bits, at) in self.frames.iter().zip(self.first..) {
            let middle = at * HOP + FRAME / 2;
            while spans.next_if(|span| span.end <= middle).is_some() {}
            let is_speech = spans.peek().is_some_and(|span| span.start <= middle);
            frames.push(if is_speech { *bits } else { NO_SPEECH });
        }
        Fingerprint {
            first: self.first,
            frames,
        }
    }
}

/// In which bands the difference to the next one grew.
fn compared(before: &[f32; BANDS], now: &[f32; BANDS]) -> u32 {
    let differences = |energies: &[f32; BANDS], band: usize| energies[band] - energies[band + 1];
    (0..BANDS - 1).fold(0, |bits, band| {
        let grew = differences(now, band) > differences(before, band);
        bits | (u32::from(grew) << band)
    })
}

/// The fingerprint of the speech in a stream, 16 ms a frame.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// Which frame of the stream the first one is.
    first: usize,
    /// Each frame's bits, or [`NO_SPEECH`].
    frames: Vec<u32>,
}

impl Fingerprint {
    /// The frames of speech, each with its place in the stream.
    pub(super) fn spoken(&self) -> impl Iterator<Item = (usize, u32)> {
        let placed = self.frames.iter().zip(self.first..);
        placed
            .filter(|(bits, _)| **bits != NO_SPEECH)
            .map(|(bits, at)| (at, *bits))
    }

    /// What is kept of it: of its first `longest` of speech, with its pauses at most twice that.
    pub fn kept(&self, longest: Seconds) -> KeptFingerprint {
        let most = RATE.samples(longest) / (HOP * KEPT_EACH);
        let (mut frames, mut spoken, mut pause) = (Vec::new(), 0_usize, 0_usize);
        for bits in self.frames.iter().step_by(KEPT_EACH) {
            if *bits == NO_SPEECH {
                pause += 1;
                continue;
            }
            if spoken == most {
                break;
            }
            if spoken > 0 {
                frames.extend(std::iter::repeat_n(NO_SPEECH, pause.min(LONGEST_PAUSE)));
            }
            frames.push(*bits);
            (spoken, pause) = (spoken + 1, 0);
        }
        frames.truncate(MOST_KEPT.min(2 * most));
        KeptFingerprint { frames }
    }
}

/// How much, and nothing of what.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint of {} frames", self.frames.len())
    }
}

/// A fingerprint that is kept, to know the same speech again: 32 ms a frame, 125 bytes a second of speech.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptFingerprint {
    pub(super) frames: Vec<u32>,
}

impl KeptFingerprint {
    /// How much speech it is of.
    pub fn speech(&self) -> Seconds {
        let spoken = self.frames.iter().filter(|bits| **bits != NO_SPEECH).count();
        RATE.seconds(spoken * HOP * KEPT_EACH)
    }

    /// Its frames in order, each as four bytes, the lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.frames.iter().flat_map(|bits| bits.to_le_bytes()).collect()
    }

    /// Reads what [`KeptFingerprint::to_bytes`] wrote; `None` of anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (frames, rest) = bytes.as_chunks::<4>();
        (rest.is_empty() && frames.len() <= MOST_KEPT).then(|| Self {
            frames: frames.iter().map(|four| u32::from_le_bytes(*four)).collect(),
        })
    }
}

/// How much, and nothing of what.
impl fmt::Debug for KeptFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptFingerprint of {} of speech", self.speech())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Seconds = Seconds::new(600.0);

    /// Something that changes as speech does: a gliding tone with overtones, louder and softer.
    fn sound(samples: usize) -> Vec<f32> {
        let mut phase = 0.0_f64;
        (0..samples)
            .map(|at| {
                let t = at as f64 / 16_000.0;
                phase += (130.0 + 40.0 * (2.1 * t).sin()) / 16_000.0;
                let voice: f64 = (1..20)
                    .map(|n| {
                        let n = f64::from(n);
                        (1.0 + (3.7 * t + n).sin()) / n * (std::f64::consts::TAU * n * phase).sin()
                    })
                    .sum();
                (0.05 * voice) as f32
            })
            .collect()
    }

    fn all(samples: &[f32]) -> Fingerprint {
        let mut printer = Fingerprinter::new(LONG);
        printer.push(samples);
        printer.fingerprint(&[Span {
            start: 0,
            end: samples.len(),
        }])
    }

    /// `python3 tests/data/fingerprint/make.py`: numpy, in 64-bit floats, over the same sound.
    #[test]
    fn the_bits_are_those_of_another_implementation() {
        let golden = include_str!("../../tests/data/fingerprint/golden.txt");
        let golden: Vec<u32> = golden
            .lines()
            .map(|line| u32::from_str_radix(line, 16).unwrap())
            .collect();
        let ours = all(&sound(32_000));
        assert_eq!(ours.frames.len(), golden.len());
        let wrong: u32 = ours
            .frames
            .iter()
            .zip(&golden)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        let share = f64::from(wrong) / (32.0 * golden.len() as f64);
        assert!(share < 0.002, "{share} of the bits differ");
    }

    #[test]
    fn pieces_change_nothing_and_level_hardly_anything() {
        let samples = sound(40_000);
        let whole = all(&samples);
        for piece in [1_000, 4_096, 17] {
            let mut printer = Fingerprinter::new(LONG);
            for part in samples.chunks(piece) {
                printer.push(part);
            }
            let span = Span {
                start: 0,
                end: 40_000,
            };
            assert_eq!(printer.fingerprint(&[span]), whole, "pieces of {piece}");
        }
        let soft: Vec<f32> = samples.iter().map(|sample| sample / 64.0).collect();
        assert_eq!(all(&soft), whole);
    }

    #[test]
    fn what_is_no_speech_is_not_in_it_and_long_streams_are_bounded() {
        let samples = sound(80_000);
        let mut printer = Fingerprinter::new(Seconds::new(2.0));
        printer.push(&samples);
        let span = Span {
            start: 60_000,
            end: 70_000,
        };
        let found = printer.fingerprint(&[span]);
        assert_eq!(found.frames.len(), 125);
        for (at, _) in found.spoken() {
            let middle = at * HOP + FRAME / 2;
            assert!((60_000..70_000).contains(&middle), "{middle}");
        }
        assert!(found.spoken().count() > 30);
        assert_eq!(printer.fingerprint(&[]).spoken().count(), 0);
    }

    #[test]
    fn a_kept_fingerprint_reads_back_and_is_as_long_as_asked() {
        let whole = all(&sound(160_000));
        let kept = whole.kept(Seconds::new(5.0));
        assert!((kept.speech().get() - 5.0).abs() < 0.05, "{kept:?}");
        assert_eq!(KeptFingerprint::from_bytes(&kept.to_bytes()), Some(kept));
        assert_eq!(KeptFingerprint::from_bytes(&[1, 2, 3]), None);
        let too_long = vec![1; 4 * (MOST_KEPT + 1)];
        assert_eq!(KeptFingerprint::from_bytes(&too_long), None);
    }

    #[test]
    fn long_pauses_make_no_kept_fingerprint_long() {
        let mut frames = vec![NO_SPEECH; 100_000];
        frames.iter_mut().step_by(128).for_each(|bits| *bits = 7);
        let kept = Fingerprint { first: 0, frames }.kept(Seconds::new(2.0));
        assert_eq!(kept.frames.len(), 2 * 62);
    }

    #[test]
    fn silence_has_no_fingerprint() {
        assert_eq!(all(&[0.0; 32_000]).spoken().count(), 0);
        assert_eq!(all(&[]), Fingerprint::default());
    }
}
