//! The other side's echo in the caller's channel: where both channels are at hand, what comes back of the one in the other is
//! silenced before anybody is known by it.
//!
//! The delay is found by the phase transform (Knapp and Carter, "The Generalized Correlation Method for Estimation of Time Delay",
//! IEEE Trans. ASSP 24(4), 1976): the cross-spectrum of the two channels with all magnitudes made one has, back in time, a peak
//! where one is an echo of the other, whatever the room or the line did to its colour. A pause stays a pause, and whoever speaks alone
//! has no such peak. Whoever speaks while their echo is heard is silenced with it where the echo is the louder.

use std::fmt;
use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use zeroize::Zeroizing;

use super::quality::{dbfs, rms};

/// Channels are compared at 4 kHz: an echo's delay is told by what a telephone carries best.
const SPARSE: usize = 4;
/// What is decided on at a time: 128 ms, in samples at 4 kHz.
const HOP: usize = 512;
/// A decision looks at so many hops, of which it is on the middle one.
const HOPS: usize = 5;
const BLOCK: usize = HOPS * HOP;
/// How late an echo may come, in samples at 4 kHz: 600 ms; and how soon, 16 ms: sooner, and both channels hold one sound.
const LATEST: usize = 2_400;
const SOONEST: usize = 64;
/// Long enough that nothing wraps round: a block, and the other side's with what came before it.
const FFT: usize = 8_192;
/// The band (Hz) in which the two are compared.
const BAND: (f32, f32) = (250.0, 1_900.0);
/// Below these levels (dBFS) the other side says nothing, and nothing comes back.
const OTHER_SPEAKS: f32 = -50.0;
const CALLER_SOUNDS: f32 = -75.0;
/// How much of the mean over earlier hops is kept.
const KEPT: f32 = 0.8;
/// A peak (1 for a pure echo) of the mean, and in a hop at the delay that the mean knows, from which on there is an echo; and one in a hop
/// alone. Of eight synthesised voices, two at a time with nothing to do with each other, none of 2895 hops came to them: the highest mean
/// was 0.079, the highest peak of a hop 0.171.
const KNOWN: f32 = 0.08;
const AT_KNOWN: f32 = 0.09;
const CLEAR: f32 = 0.18;
/// Samples (4 kHz) to either side of the known delay that are it too.
const ABOUT: usize = 2;
/// Taps of the low-pass before the rate is brought down.
const TAPS: usize = 48;

/// Silences in one channel what is an echo of another. Samples come out [`EchoGate::DELAY`] after they went in, none is
/// lost, and they are the same whatever the pieces.
pub struct EchoGate {
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
    taps: Vec<f32>,
    window: Vec<f32>,
    /// At 16 kHz, not yet compared; and of the caller's, what is not decided on yet before it.
    caller: Zeroizing<Vec<f32>>,
    other: Zeroizing<Vec<f32>>,
    undecided: usize,
    /// The ends of both channels before that, for the low-pass.
    ends: [Zeroizing<Vec<f32>>; 2],
    /// At 4 kHz, the latest block of the caller's and of the other's with what came before it.
    block: Zeroizing<Vec<f32>>,
    before: Zeroizing<Vec<f32>>,
    /// The mean peak at each delay.
    mean: Vec<f32>,
}

impl EchoGate {
    /// How many samples (16 kHz) wait for what follows them: 384 ms.
    pub const DELAY: usize = (HOPS / 2 + 1) * HOP * SPARSE;

    /// A gate at the start of a stream.
    pub fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let hann = |at: usize| 0.5 - 0.5 * (std::f32::consts::TAU * at as f32 / BLOCK as f32).cos();
        Self {
            forward: planner.plan_fft_forward(FFT),
            back: planner.plan_fft_inverse(FFT),
            taps: low_pass(),
            window: (0..BLOCK).map(hann).collect(),
            caller: Zeroizing::default(),
            other: Zeroizing::default(),
            undecided: 0,
            ends: [0, 1].map(|_| Zeroizing::new(vec![0.0; TAPS])),
            block: Zeroizing::new(vec![0.0; BLOCK]),
            before: Zeroizing::new(vec![0.0; BLOCK + LATEST]),
            mean: vec![0.0; LATEST + 1],
        }
    }

    /// Takes the next samples (16 kHz) of the caller's channel and of the other, and appends the caller's that are decided on to `out`.
    pub fn push(&mut self, caller: &[f32], other: &[f32], out: &mut Vec<f32>) {
        self.caller.extend_from_slice(caller);
        self.other.extend_from_slice(other);
        let step = HOP * SPARSE;
        while self.caller.len() >= self.undecided + step && self.other.len() >= step {
            self.take_hop();
            self.undecided += step;
            let is_echo = self.is_echo();
            if self.undecided >= Self::DELAY {
                self.undecided -= step;
                if is_echo {
                    out.resize(out.len() + step, 0.0);
                } else {
                    out.extend_from_slice(&self.caller[..step]);
                }
                self.caller.drain(..step);
            }
        }
    }

    /// Ends the stream: appends the rest, as if silence followed.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let left = self.caller.len();
        let silence = vec![0.0; left.next_multiple_of(HOP * SPARSE) + Self::DELAY];
        let known = out.len();
        self.push(&silence, &silence, out);
        out.truncate(known + left);
    }

    /// Brings the next hop of both channels down to 4 kHz.
    fn take_hop(&mut self) {
        let step = HOP * SPARSE;
        let new = self.undecided..self.undecided + step;
        let channels = [&self.caller[new], &self.other[..step]];
        let kept = [&mut self.block, &mut self.before];
        for ((samples, end), kept) in channels.into_iter().zip(&mut self.ends).zip(kept) {
            end.extend_from_slice(samples);
            let sparse = (0..HOP).map(|at| {
                let heard = &end[at * SPARSE + SPARSE..][..TAPS];
                heard
                    .iter()
                    .zip(&self.taps)
                    .map(|(sample, tap)| sample * tap)
                    .sum::<f32>()
            });
            kept.drain(..HOP);
            kept.extend(sparse);
            end.drain(..step);
        }
        self.other.drain(..step);
    }

    /// Whether the middle hop of the block is an echo of the other channel.
    fn is_echo(&mut self) -> bool {
        if dbfs(rms(&self.before)) < OTHER_SPEAKS || dbfs(rms(&self.block)) < CALLER_SOUNDS {
            return false;
        }
        let Some(peaks) = self.peaks() else { return false };
        for (mean, peak) in self.mean.iter_mut().zip(&peaks) {
            *mean = KEPT * *mean + (1.0 - KEPT) * peak;
        }
        let (known, height) = highest(&self.mean[SOONEST..]);
        let at_known = &peaks[SOONEST + known - ABOUT..=(SOONEST + known + ABOUT).min(LATEST)];
        let (together, now_together) = (highest(&self.mean[..SOONEST]).1, highest(&peaks[..SOONEST]).1);
        let (_, alone) = highest(&peaks[SOONEST..]);
        let is_known = height > KNOWN && height > together && highest(at_known).1 > AT_KNOWN;
        is_known || (alone > CLEAR && alone > now_together)
    }

    /// By how many samples (4 kHz) the caller's channel comes after the other, and how surely: at each delay 1 for a pure echo, 0
    /// for nothing in common.
    fn peaks(&self) -> Option<Vec<f32>> {
        let windowed = self
            .block
            .iter()
            .zip(&self.window)
            .map(|(sample, weight)| sample * weight);
        let caller = self.spectrum(windowed)?;
        let other = self.spectrum(self.before.iter().copied())?;
        let bin = |hertz: f32| (hertz * FFT as f32 / 4_000.0) as usize;
        let band = bin(BAND.0)..bin(BAND.1);
        let mut phases = vec![Complex32::default(); FFT / 2 + 1];
        for at in band.clone() {
            let cross = caller[at] * other[at].conj();
            phases[at] = cross / cross.norm().max(f32::MIN_POSITIVE);
        }
        let mut times = Zeroizing::new(vec![0.0; FFT]);
        self.back.process(&mut phases, &mut times).ok()?;
        // The block begins LATEST samples into the other's: a delay of LATEST is a shift of nothing.
        let scale = 0.5 / band.len() as f32;
        let at_delay = |delay: usize| scale * times[(FFT + delay - LATEST) % FFT];
        Some((0..=LATEST).map(at_delay).collect())
    }

    fn spectrum(&self, samples: impl Iterator<Item = f32>) -> Option<Vec<Complex32>> {
        let mut padded: Zeroizing<Vec<f32>> = Zeroizing::new(samples.collect());
        padded.resize(FFT, 0.0);
        let mut spectrum = self.forward.make_output_vec();
        self.forward.process(&mut padded, &mut spectrum).ok()?;
        Some(spectrum)
    }
}

impl Default for EchoGate {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for EchoGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EchoGate").finish_non_exhaustive()
    }
}

/// Where the highest of some values is, and how high; of none, nowhere in particular.
fn highest(values: &[f32]) -> (usize, f32) {
    let all = values.iter().copied().enumerate();
    all.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or_default()
}

/// A windowed sinc that lets pass what lies below 1.9 kHz.
fn low_pass() -> Vec<f32> {
    use std::f32::consts::{PI, TAU};
    let middle = (TAPS - 1) as f32 / 2.0;
    let tap = |at: usize| {
        let (away, cutoff) = (at as f32 - middle, 2.0 * 1_900.0 / 16_000.0);
        let hann = 0.5 + 0.5 * (TAU * away / TAPS as f32).cos();
        hann * (PI * cutoff * away).sin() / (PI * away)
    };
    (0..TAPS).map(tap).collect()
}
