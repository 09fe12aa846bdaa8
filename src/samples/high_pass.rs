//! Rumble and offset are no voice: what lies below 70 Hz is taken out before anything is measured.

/// Coefficients of a second-order Butterworth high-pass at 70 Hz of 16 kHz (bilinear transform of the analogue
/// prototype, prewarped; Oppenheim and Schafer, "Discrete-Time Signal Processing", section 7.2):
/// `y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]`.
const B: [f64; 3] = [
    0.980_750_062_245_740_2,
    -1.961_500_124_491_480_5,
    0.980_750_062_245_740_2,
];
const A: [f64; 2] = [-1.961_129_530_052_878, 0.961_870_718_930_082_6];

/// A state as small as this is none: 120 dB below what 16 bits can say.
const STILL: f64 = 1e-11;

/// A high-pass at 70 Hz over one stream of 16 kHz samples: 3 dB off at 70 Hz, 12 dB more an octave below, and
/// nothing left of an offset.
///
/// Samples come out one for one; they depend on the stream alone and never on the pieces it came in. The first
/// sample counts as if the stream had always stood there, so that an offset makes no click.
#[derive(Debug, Clone, Default)]
pub struct HighPass {
    /// The state of the transposed direct form II; none before the first sample.
    state: Option<[f64; 2]>,
}

impl HighPass {
    /// Filters the next samples in place.
    pub fn filter(&mut self, samples: &mut [f32]) {
        let Some(first) = samples.first() else { return };
        let first = f64::from(*first);
        // Standing at `first` the filter gives nought: y = 0 needs these.
        let [mut one, mut two] = self.state.unwrap_or([-B[0] * first, B[2] * first]);
        for sample in samples {
            let x = f64::from(*sample);
            let y = B[0] * x + one;
            one = B[1] * x - A[0] * y + two;
            two = B[2] * x - A[1] * y;
            // In silence the tail ends, before its numbers become too small to be quick.
            if one.abs() + two.abs() < STILL {
                (one, two) = (0.0, 0.0);
            }
            *sample = y as f32;
        }
        self.state = Some([one, two]);
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn filtered(mut samples: Vec<f32>) -> Vec<f32> {
        HighPass::default().filter(&mut samples);
        samples
    }

    fn tone(hertz: f64) -> Vec<f32> {
        (0..32_000)
            .map(|n| (TAU * hertz * f64::from(n) / 16_000.0).sin() as f32)
            .collect()
    }

    /// How much of a tone is left in the second half of two seconds.
    fn gain(hertz: f64) -> f64 {
        let left = filtered(tone(hertz));
        let power = left[16_000..].iter().map(|y| f64::from(*y).powi(2)).sum::<f64>() / 16_000.0;
        (2.0 * power).sqrt()
    }

    #[test]
    fn an_offset_leaves_nothing_from_the_first_sample_on() {
        assert!(filtered(vec![0.3; 100]).iter().all(|y| y.abs() < 1e-6));
        let offset: Vec<f32> = tone(300.0).iter().map(|x| x + 0.2).collect();
        for (with, without) in filtered(offset).iter().zip(filtered(tone(300.0))) {
            assert!((with - without).abs() < 1e-5);
        }
    }

    /// The magnitude of `1 / (1 + (tan(pi fc / fs) / tan(pi f / fs))^4)`, square root.
    #[test]
    fn it_is_butterworths() {
        for (hertz, left) in [
            (20.0, 0.081_35),
            (35.0, 0.242_51),
            (70.0, std::f64::consts::FRAC_1_SQRT_2),
            (140.0, 0.970_16),
            (300.0, 0.998_53),
            (4_000.0, 1.000_00),
        ] {
            assert!((gain(hertz) - left).abs() < 1e-3, "{hertz} Hz: {}", gain(hertz));
        }
    }

    /// `scipy.signal.lfilter(b, a, x, zi=lfilter_zi(b, a) * x[0])` of scipy 1.x, `x[n] = 0.1 + n % 7 / 10`.
    #[test]
    fn the_first_samples_are_scipys() {
        let ramp = (0..8u8).map(|n| 0.1 + f32::from(n % 7) / 10.0).collect();
        for (ours, theirs) in filtered(ramp).iter().zip(SCIPY) {
            assert!((ours - theirs).abs() < 1e-6, "{ours} and {theirs}");
        }
    }

    const SCIPY: [f32; 8] = [
        0.0,
        0.098_075,
        0.192_337_8,
        0.282_863_85,
        0.369_728_55,
        0.453_007_15,
        0.532_774_57,
        -0.077_419_36,
    ];

    #[test]
    fn silence_after_a_sound_becomes_silence() {
        let mut samples = tone(300.0);
        samples.extend([0.0; 4_000]);
        assert!(filtered(samples)[33_600..].iter().all(|y| *y == 0.0));
    }

    #[test]
    fn pieces_change_nothing() {
        let whole = filtered(tone(110.0));
        for piece in [1, 7, 160, 5_000] {
            let (mut filter, mut samples) = (HighPass::default(), tone(110.0));
            samples.chunks_mut(piece).for_each(|part| filter.filter(part));
            assert_eq!(samples, whole, "pieces of {piece}");
        }
    }
}
