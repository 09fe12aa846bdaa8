//! Any rate from 8 to 48 kHz to 16 kHz, streaming, without delay and without a trace of the chunking.

use std::fmt;

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use super::{RATE, SamplesError};
use crate::bytes::{HIGHEST_RATE, LOWEST_RATE};
use crate::units::Hertz;

/// A stream resampled to 16 kHz.
///
/// Laws: the output is bit for bit the same however the input was cut; its length is the input's
/// times 16000 / rate, rounded to the nearest; output sample `n` is the sound at `n / 16000` s; at
/// 16 kHz the samples pass through untouched. Silence surrounds the stream on both sides.
#[derive(Debug)]
pub struct Resampler(Option<Converter>);

impl Resampler {
    /// A resampler from `from` to 16 kHz.
    ///
    /// # Errors
    /// [`SamplesError::Rate`] when `from` is not 8 to 48 kHz.
    pub fn new(from: Hertz) -> Result<Self, SamplesError> {
        if !(LOWEST_RATE..=HIGHEST_RATE).contains(&from) {
            return Err(SamplesError::Rate { rate: from });
        }
        if from == RATE {
            Ok(Self(None))
        } else {
            Converter::new(from, RATE).map(|made| Self(Some(made)))
        }
    }

    /// Takes `samples` and appends to `out` what can be said so far: up to a block and a half wait for
    /// what follows them (60 ms at usual rates, 120 ms at 11 025 Hz, seconds at a rate like 8001 Hz).
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        match &mut self.0 {
            Some(converter) => converter.push(samples, out),
            None => out.extend_from_slice(samples),
        }
    }

    /// Ends the stream: appends the rest, as if silence followed.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        if let Some(converter) = &mut self.0 {
            converter.finish(out);
        }
    }
}

/// The aim for a block: 40 ms, long enough for a filter that passes 90 % of the band within -105 dB of
/// an ideal one and keeps what would fold back under -130 dB, short enough not to be noticed beside
/// the seconds that a verdict takes.
const BLOCKS_PER_SECOND: u32 = 25;

/// From one rate to another by rubato's FFT blocks, of which there are as many as need be.
pub(super) struct Converter {
    fft: Fft<f32>,
    from: u64,
    to: u64,
    /// Input of a block that is not yet full.
    waiting: Vec<f32>,
    /// Output of one block.
    block: Vec<f32>,
    /// Output samples still to drop: the filter's delay.
    to_trim: usize,
    taken: u64,
    given: u64,
}

impl Converter {
    /// A converter of `from` to `to`, both positive.
    pub(super) fn new(from: Hertz, to: Hertz) -> Result<Self, SamplesError> {
        let fault = || SamplesError::Rate { rate: from };
        let shared = gcd(from.0, to.0);
        if shared == 0 {
            return Err(fault());
        }
        // The filter's centre is half a block, and rubato puts it on a whole sample: with an odd
        // block it is half a sample late. Both block sizes are kept even, so the delay is exact.
        let unit = from.0 / shared;
        let blocks = (from.0 / BLOCKS_PER_SECOND).div_ceil(unit).next_multiple_of(2);
        let (input, output) = (unit * blocks, to.0 / shared * blocks);
        let fft = Fft::new_custom(
            from.0 as usize,
            to.0 as usize,
            input as usize,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Input,
        )
        .map_err(|_| fault())?;
        if fft.input_frames_max() != input as usize || fft.output_frames_max() != output as usize {
            return Err(fault());
        }
        let to_trim = fft.output_delay();
        Ok(Self {
            fft,
            from: u64::from(from.0),
            to: u64::from(to.0),
            waiting: Vec::with_capacity(input as usize),
            block: vec![0.0; output as usize],
            to_trim,
            taken: 0,
            given: 0,
        })
    }

    pub(super) fn push(&mut self, mut samples: &[f32], out: &mut Vec<f32>) {
        self.taken += samples.len() as u64;
        let full = self.fft.input_frames_max();
        while !samples.is_empty() {
            let (head, rest) = samples.split_at(samples.len().min(full - self.waiting.len()));
            self.waiting.extend_from_slice(head);
            samples = rest;
            if self.waiting.len() == full {
                self.convert(u64::MAX, out);
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<f32>) {
        let whole = (self.taken * self.to + self.from / 2) / self.from;
        while self.given < whole {
            self.waiting.resize(self.fft.input_frames_max(), 0.0);
            self.convert(whole, out);
        }
    }

    /// Converts the waiting block and gives what is past the delay and within `whole` samples.
    fn convert(&mut self, whole: u64, out: &mut Vec<f32>) {
        let (input, output) = (self.waiting.len(), self.block.len());
        // The sizes are the resampler's own, checked when it was made: no input can change them.
        let source = SequentialSlice::new(&self.waiting, 1, input).expect("one channel of one block");
        let mut target =
            SequentialSlice::new_mut(&mut self.block, 1, output).expect("one channel of one block");
        let made = self.fft.process_into_buffer(&source, &mut target, None);
        assert_eq!(
            made.ok(),
            Some((input, output)),
            "a block of its own size was refused; this is a bug"
        );
        self.waiting.clear();
        let drop = self.to_trim.min(output);
        self.to_trim -= drop;
        let room = usize::try_from(whole - self.given).unwrap_or(usize::MAX);
        let kept = &self.block[drop..][..(output - drop).min(room)];
        out.extend_from_slice(kept);
        self.given += kept.len() as u64;
    }
}

/// Sizes only: what waits is somebody's voice.
impl fmt::Debug for Converter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Converter({} Hz to {} Hz, {} samples in)",
            self.from, self.to, self.taken
        )
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const USUAL: [u32; 9] = [
        8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000,
    ];

    fn resampled(rate: u32, samples: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        let mut resampler = Resampler::new(Hertz(rate)).unwrap();
        resampler.push(samples, &mut out);
        resampler.finish(&mut out);
        out
    }

    fn tone(rate: u32, hertz: f64, samples: usize) -> Vec<f32> {
        (0..samples)
            .map(|n| (TAU * hertz * n as f64 / f64::from(rate)).sin() as f32)
            .collect()
    }

    /// The worst distance from the ideal tone, away from the ends.
    fn worst(out: &[f32], ideal: &[f32]) -> f32 {
        let inside = 1_600..out.len() - 1_600;
        inside.map(|n| (out[n] - ideal[n]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_tone_comes_out_where_and_as_it_went_in_at_every_rate() {
        for rate in USUAL {
            for hertz in [100.0, 1_000.0, 3_400.0] {
                let out = resampled(rate, &tone(rate, hertz, rate as usize));
                let error = worst(&out, &tone(16_000, hertz, out.len()));
                // -94 dB. Half a sample of misalignment would make it 0.6 at 3400 Hz.
                assert!(error < 2e-5, "{rate} Hz, {hertz} Hz: {error}");
            }
        }
    }

    #[test]
    fn what_16_khz_cannot_hold_is_removed_and_not_folded_back() {
        for rate in [22_050, 32_000, 44_100, 48_000] {
            let out = resampled(rate, &tone(rate, 9_000.0, rate as usize));
            assert!(worst(&out, &vec![0.0; out.len()]) < 1e-4, "{rate} Hz");
        }
    }

    #[test]
    fn the_upper_half_stays_empty_when_narrow_band_is_widened() {
        let out = resampled(8_000, &tone(8_000, 3_000.0, 16_000));
        // The image of 3000 Hz would lie at 5000 Hz; the ends, where the tone is cut, are left out.
        let image = tone(16_000, 5_000.0, out.len());
        let inside = 1_600..out.len() - 1_600;
        let found: f64 = inside
            .clone()
            .map(|n| f64::from(out[n]) * f64::from(image[n]))
            .sum();
        assert!(found.abs() / (inside.len() as f64) < 1e-6, "{found}");
    }

    #[test]
    fn sixteen_kilohertz_passes_through_untouched() {
        let tone = tone(16_000, 440.0, 5_000);
        assert_eq!(resampled(16_000, &tone), tone);
    }

    #[test]
    fn silence_stays_silence_and_nothing_stays_nothing() {
        for rate in USUAL {
            assert!(
                resampled(rate, &vec![0.0; 9_999])
                    .iter()
                    .all(|&sample| sample == 0.0)
            );
            assert!(resampled(rate, &[]).is_empty());
        }
    }

    #[test]
    fn a_steady_level_neither_clicks_nor_drifts_up_to_its_ends() {
        for rate in USUAL {
            let out = resampled(rate, &vec![0.5; rate as usize / 2]);
            let peak = out.iter().fold(0.0f32, |peak, sample| peak.max(sample.abs()));
            // A sampled step between its samples overshoots by 1/2 + 2/pi - 1 = 13.7 % and no more.
            assert!(peak < 0.5 * 1.14, "{rate} Hz: {peak}");
            assert!(worst(&out, &vec![0.5; out.len()]) < 1e-4, "{rate} Hz");
        }
    }

    #[test]
    fn a_rate_outside_8_to_48_khz_is_refused() {
        for rate in [0, 7_999, 48_001, u32::MAX] {
            assert!(matches!(
                Resampler::new(Hertz(rate)),
                Err(SamplesError::Rate { .. })
            ));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_chunking_gives_the_same_samples_bit_for_bit(
            rate in prop::sample::select(&USUAL[..]),
            samples in prop::collection::vec(-1.0f32..1.0, 0..6_000),
            cuts in prop::collection::vec(0usize..900, 0..40),
        ) {
            let whole = resampled(rate, &samples);
            let (mut pieces, mut rest) = (Vec::new(), samples.as_slice());
            let mut resampler = Resampler::new(Hertz(rate)).unwrap();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                resampler.push(head, &mut pieces);
                rest = tail;
            }
            resampler.push(rest, &mut pieces);
            resampler.finish(&mut pieces);
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn the_length_is_the_inputs_at_any_whole_rate(rate in 8_000u32..=48_000, samples in 0usize..3_000) {
            let out = resampled(rate, &vec![0.25; samples]);
            let exact = samples as f64 * 16_000.0 / f64::from(rate);
            prop_assert_eq!(out.len(), exact.round() as usize);
            prop_assert!(out.iter().all(|sample| sample.is_finite()));
        }
    }
}
