//! Checks that the constants of spectral front ends have in common.

use crate::samples::RATE;

/// What is wrong with the sizes of a frame, in samples.
pub(super) fn framing_fault(window: usize, hop: usize, n_fft: usize) -> Option<String> {
    let sizes = [window, hop, n_fft];
    if sizes.iter().any(|size| !(2..=65_536).contains(size)) {
        return Some("window_length, hop_length and n_fft must be from 2 to 65536".to_owned());
    }
    (window > n_fft || n_fft % 2 == 1).then(|| "n_fft must be even and hold the window_length".to_owned())
}

/// What is wrong with a number of bands from `f_min` to `f_max` Hz.
pub(super) fn band_fault(n_mels: usize, f_min: f64, f_max: f64) -> Option<String> {
    if !(1..=1_024).contains(&n_mels) {
        return Some("n_mels must be from 1 to 1024".to_owned());
    }
    let within = 0.0 <= f_min && f_min < f_max && f_max <= f64::from(RATE.0) / 2.0;
    (!within).then(|| format!("f_min and f_max ({f_min} to {f_max} Hz) must lie within half the sample rate"))
}
