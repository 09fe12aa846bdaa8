//! Score to log-likelihood ratio: a calibration fitted offline, tied to one model by its hash.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use crate::units::{Cosine, Llr, NotFinite, Seconds};
use crate::voiceprint::{Bandwidth, ModelId};

use super::voices::VoiceTest;

/// Why a calibration cannot be used. A decision without one is never made.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// The file cannot be read.
    #[error("the calibration {path} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// The file is not a calibration.
    #[error("the calibration {path} is not valid: {cause}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        cause: String,
    },
    /// It was fitted for other weights.
    #[error(
        "the calibration {path} was fitted for model {fitted_for}, not for {model}: fit it again for this one"
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The model and hash it names.
        fitted_for: String,
        /// The model and hash in use.
        model: String,
    },
}

/// Affine logistic calibration whose scale and offset move with the amount of speech:
/// `llr = (scale + scale_per_log · q) · cosine + offset + offset_per_log · q` with `q = ln(net)`, the
/// net speech of the call in seconds, held inside the range that was fitted (Brümmer and du Preez 2006
/// for the logistic fit; duration as a quality measure after Mandasari et al. 2013).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    scale: f64,
    scale_per_log: f64,
    offset: f64,
    offset_per_log: f64,
    net_seconds: [f64; 2],
    llr_bounds: [f64; 2],
    /// How many target trials it was fitted on.
    target_trials: u64,
    /// How many non-target trials it was fitted on.
    nontarget_trials: u64,
}

/// A fitted calibration, one curve for each bandwidth.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Its own name, as reported with every decision.
    pub id: String,
    model: ModelId,
    model_sha256: String,
    /// What it was fitted on, in words.
    pub fitted_on: String,
    narrow: Curve,
    wide: Curve,
    /// When a call's speech is of several voices; without it, nothing is said of that.
    #[serde(default)]
    pub voices: Option<VoiceTest>,
}

impl Curve {
    /// The log-likelihood ratio of a similarity seen with `net` seconds of speech.
    ///
    /// # Errors
    /// [`NotFinite`] when the arithmetic leaves the finite numbers.
    pub fn llr(&self, cosine: Cosine, net: Seconds) -> Result<Llr, NotFinite> {
        let quality = net.get().clamp(self.net_seconds[0], self.net_seconds[1]).ln();
        let scale = self.scale + self.scale_per_log * quality;
        let offset = self.offset + self.offset_per_log * quality;
        let llr = scale * f64::from(cosine.get()) + offset;
        // Beyond what the number of trials can support, a ratio is extrapolation, not evidence.
        let supported = Llr::new(llr)?.get().clamp(self.llr_bounds[0], self.llr_bounds[1]);
        Llr::new(supported)
    }

    /// The highest ratio it can give: what its trials support.
    ///
    /// # Errors
    /// [`NotFinite`] never for a calibration that was loaded: its bounds were checked.
    pub fn highest(&self) -> Result<Llr, NotFinite> {
        Llr::new(self.llr_bounds[1])
    }

    /// Says what is wrong with the numbers, if anything.
    fn fault(&self) -> Option<String> {
        let numbers = [self.scale, self.scale_per_log, self.offset, self.offset_per_log];
        if numbers
            .iter()
            .chain(&self.net_seconds)
            .chain(&self.llr_bounds)
            .any(|number| !number.is_finite())
        {
            return Some("a coefficient is not a finite number".to_owned());
        }
        let [shortest, longest] = self.net_seconds;
        if !(shortest > 0.0 && shortest < longest) {
            return Some(format!(
                "net_seconds [{shortest}, {longest}] is not a rising range above zero"
            ));
        }
        let [lowest, highest] = self.llr_bounds;
        if !(lowest < 0.0 && highest > 0.0) {
            return Some(format!(
                "llr_bounds [{lowest}, {highest}] must hold zero between them"
            ));
        }
        // Linear in ln(net): positive at both ends is positive between them.
        let rising = [shortest, longest]
            .iter()
            .all(|net| self.scale + self.scale_per_log * net.ln() > 0.0);
        (!rising).then(|| "a higher cosine would give a lower ratio: the scale is not positive".to_owned())
    }
}

impl Calibration {
    /// Reads a calibration and checks that it was fitted for exactly this model.
    ///
    /// # Errors
    /// [`CalibrationError`] when it cannot be read, makes no sense, or was fitted for other weights.
    pub fn load(path: &Path, model: &ModelId, model_sha256: &str) -> Result<Self, CalibrationError> {
        let text = std::fs::read_to_string(path).map_err(|cause| CalibrationError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        let malformed = |cause: String| CalibrationError::Malformed {
            path: path.to_owned(),
            cause,
        };
        let calibration: Self = toml::from_str(&text).map_err(|cause| malformed(cause.to_string()))?;
        for (name, curve) in [("narrow", calibration.narrow), ("wide", calibration.wide)] {
            if let Some(fault) = curve.fault() {
                return Err(malformed(format!("[{name}] {fault}")));
            }
        }
        if let Some(fault) = calibration.voices.and_then(|voices| voices.fault()) {
            return Err(malformed(format!("[voices] {fault}")));
        }
        if calibration.model != *model || calibration.model_sha256 != model_sha256 {
            return Err(CalibrationError::OtherModel {
                path: path.to_owned(),
                fitted_for: format!("{} ({})", calibration.model, calibration.model_sha256),
                model: format!("{model} ({model_sha256})"),
            });
        }
        Ok(calibration)
    }

    /// The lowest ratio it can give, whatever the bandwidth: what a trial scores of which nothing was heard.
    pub fn lowest(&self) -> f64 {
        self.narrow.llr_bounds[0].min(self.wide.llr_bounds[0])
    }

    /// The curve for trials of this bandwidth.
    pub fn curve(&self, bandwidth: Bandwidth) -> &Curve {
        match bandwidth {
            Bandwidth::Narrow => &self.narrow,
            Bandwidth::Wide => &self.wide,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::decision) fn curve() -> Curve {
        Curve {
            scale: 20.0,
            scale_per_log: 5.0,
            offset: -15.0,
            offset_per_log: -3.0,
            net_seconds: [1.0, 10.0],
            llr_bounds: [-7.0, 7.0],
            target_trials: 1,
            nontarget_trials: 1,
        }
    }

    #[test]
    fn a_higher_cosine_never_gives_a_lower_ratio() {
        for net in [0.0, 0.5, 1.0, 3.0, 10.0, 1e6] {
            let llr = |cosine| {
                curve()
                    .llr(Cosine::new(cosine).unwrap(), Seconds::new(net))
                    .unwrap()
            };
            assert!(llr(0.2) <= llr(0.5) && llr(0.5) <= llr(0.9), "net speech {net}");
        }
    }

    #[test]
    fn ratios_stay_inside_what_the_trials_support() {
        let llr = |cosine| {
            curve()
                .llr(Cosine::new(cosine).unwrap(), Seconds::new(3.0))
                .unwrap()
                .get()
        };
        assert_eq!(llr(1.0), 7.0);
        assert_eq!(llr(-1.0), -7.0);
    }

    #[test]
    fn a_curve_that_makes_no_sense_is_refused_with_the_reason() {
        let falling = Curve {
            scale_per_log: -30.0,
            ..curve()
        };
        assert!(falling.fault().unwrap().contains("not positive"));
        let empty = Curve {
            net_seconds: [3.0, 3.0],
            ..curve()
        };
        assert!(empty.fault().unwrap().contains("rising range"));
        let nan = Curve {
            offset: f64::NAN,
            ..curve()
        };
        assert!(nan.fault().unwrap().contains("finite"));
        assert!(curve().fault().is_none());
    }
}
