//! No front end at all: the model hears the samples.

use serde::{Deserialize, Serialize};

/// Every constant of the front end, as a model's card gives them.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawSettings {
    /// What samples from -1 to 1 are multiplied by.
    pub sample_scale: f64,
}

impl RawSettings {
    /// What makes these constants impossible, if anything does.
    pub(crate) fn fault(self) -> Option<String> {
        let sane = self.sample_scale.is_finite() && self.sample_scale > 0.0;
        (!sane).then(|| "sample_scale must be positive".to_owned())
    }

    /// Writes the samples to the end of `features` and gives their number.
    pub(super) fn append(self, samples: &[f32], features: &mut Vec<f32>) -> usize {
        let scale = self.sample_scale as f32;
        features.extend(samples.iter().map(|sample| sample * scale));
        samples.len()
    }
}
