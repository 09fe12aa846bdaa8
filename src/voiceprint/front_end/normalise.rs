//! What is taken off the features of an utterance: the channel, mostly.

use serde::{Deserialize, Serialize};

/// What a model without normalisation of its own wants done to its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeanNormalisation {
    /// Features stay as they are.
    None,
    /// Each bin's mean over the utterance is taken off.
    UtteranceMean,
}

/// Means over an utterance, with the buffer they are summed in.
#[derive(Default)]
pub(super) struct Means(Vec<f64>);

impl Means {
    /// Takes each bin's mean off `features` (frames after frames of `bins` values).
    pub(super) fn subtract(&mut self, features: &mut [f32], bins: usize) {
        self.measure(features, bins);
        for frame in features.chunks_exact_mut(bins) {
            for (value, mean) in frame.iter_mut().zip(&self.0) {
                *value -= *mean as f32;
            }
        }
    }

    /// Takes each bin's mean off and divides it by its standard deviation (of a sample: n - 1) plus
    /// `guard`.
    pub(super) fn standardise(&mut self, features: &mut [f32], bins: usize, guard: f64) {
        self.subtract(features, bins);
        let frames = features.len() / bins;
        self.0.clear();
        self.0.resize(bins, 0.0);
        for frame in features.chunks_exact(bins) {
            for (sum, value) in self.0.iter_mut().zip(frame) {
                *sum += f64::from(*value).powi(2);
            }
        }
        let freedom = frames.saturating_sub(1).max(1) as f64;
        for sum in &mut self.0 {
            *sum = 1.0 / ((*sum / freedom).sqrt() + guard);
        }
        for frame in features.chunks_exact_mut(bins) {
            for (value, scale) in frame.iter_mut().zip(&self.0) {
                *value *= *scale as f32;
            }
        }
    }

    fn measure(&mut self, features: &[f32], bins: usize) {
        self.0.clear();
        self.0.resize(bins, 0.0);
        for frame in features.chunks_exact(bins) {
            for (sum, value) in self.0.iter_mut().zip(frame) {
                *sum += f64::from(*value);
            }
        }
        let frames = (features.len() / bins).max(1) as f64;
        for sum in &mut self.0 {
            *sum /= frames;
        }
    }
}
