//! Score to log-likelihood ratio: a calibration fitted offline, tied to one model by its hash.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::units::{Cosine, Llr, NotFinite, Seconds};
use crate::voiceprint::ModelId;

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

/// What a curve is a straight line of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// The cosine itself.
    #[default]
    Cosine,
    /// Fisher's z of the cosine, `artanh`: it stretches what lies close to 1, where a line of cosines
    /// understates how much a little more likeness says.
    FisherZ,
}

/// Cosines beyond this are one: Fisher's z of 1 is infinite.
const MOST_COSINE: f64 = 0.9999;

impl Similarity {
    /// The similarity that a cosine is.
    pub fn of(self, cosine: f64) -> f64 {
        match self {
            Self::Cosine => cosine,
            Self::FisherZ => cosine.clamp(-MOST_COSINE, MOST_COSINE).atanh(),
        }
    }
}

/// A cosine that enrolment and call of one speaker seldom exceed.
const VERY_LIKE: f32 = 0.9;

/// What is known of a comparison of two voices beside their similarity.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TrialFacts {
    /// How much speech the voice under test was made of.
    pub net_speech: Seconds,
    /// How far it stood above its background, in dB; `None` where that could not be measured.
    pub snr_db: Option<f64>,
    /// Share of its samples at full scale, 0 to 1.
    pub clipping: f64,
    /// How much speech the enrolled voice was made of.
    pub enrolled_speech: Seconds,
    /// Whether a call over a telephone meets a voice that was enrolled in wide band, as by a web page. Two lines have less
    /// in common than two calls: users and strangers alike are further apart.
    pub is_signup_to_call: bool,
}

/// Affine logistic calibration whose scale and offset move with the amount of speech:
/// `llr = (scale + scale_per_log · q) · s + offset + offset_per_log · q` with `s` the similarity and
/// `q = ln(net)`, the net speech of the call in seconds, held inside the range that was fitted; both move once more where a
/// telephone call meets a wide-band enrolment (Brümmer and
/// du Preez 2006 for the logistic fit; duration as a quality measure after Mandasari et al. 2013).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// What it is a line of.
    #[serde(default)]
    pub similarity: Similarity,
    /// Ratio for each unit of similarity, of one second of speech.
    pub scale: f64,
    /// What is added to the scale for each unit of `q`.
    pub scale_per_log: f64,
    /// Ratio of a similarity of nought, of one second of speech.
    pub offset: f64,
    /// What is added to the offset for each unit of `q`.
    pub offset_per_log: f64,
    /// What is added to the scale where a telephone call meets a wide-band enrolment.
    #[serde(default)]
    pub signup_scale: f64,
    /// What is added to the offset there.
    #[serde(default)]
    pub signup_offset: f64,
    /// The range of net speech that was fitted, in seconds.
    pub net_seconds: [f64; 2],
    /// The lowest and the highest ratio that its trials support; beyond them it grows by the logarithm alone.
    pub llr_bounds: [f64; 2],
    /// How many target trials it was fitted on.
    pub target_trials: u64,
    /// How many non-target trials it was fitted on.
    pub nontarget_trials: u64,
}

/// How calls ended where a calibration was fitted, at one acceptance, followed as live calls are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// The posterior that a name needed.
    pub accept: f64,
    /// Share of callers on no roster who were given a name, the worst of several sizes of roster.
    pub false_accept: f64,
    /// Share of callers on the roster who were given another's name, the worst as well.
    pub wrong_name: f64,
    /// Share of callers on the roster who were given their own, the worst as well.
    pub right_name: f64,
}

/// Where the numbers of a calibration come from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The day, as in 2026-11-22.
    pub date: String,
    /// The protocol's name.
    pub protocol: String,
    /// SHA-256 of the protocol's files.
    pub protocol_sha256: String,
    /// What was done to the calls.
    pub conditions: Vec<String>,
    /// The speakers the lines were fitted on.
    pub speakers: u64,
    /// The effective prior they were fitted at.
    pub prior: f64,
    /// Callers behind the operating points; shares below three in so many are not measured but hoped.
    pub callers: u64,
}

/// A fitted calibration: one curve, whatever the audio came over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Its own name, as reported with every decision.
    pub id: String,
    /// The model it was fitted for.
    pub model: ModelId,
    /// The hash of that model's weights.
    pub model_sha256: String,
    /// What it was fitted on, in words.
    pub fitted_on: String,
    /// Where its numbers come from; not told of those that were fitted by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// From a similarity to a ratio.
    pub curve: Curve,
    /// When a call's speech is of several voices; without it, nothing is said of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voices: Option<VoiceTest>,
    /// How calls end at several acceptances, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operating_points: Vec<OperatingPoint>,
}

impl Curve {
    /// The log-likelihood ratio of a similarity, given what else is known of the comparison.
    ///
    /// # Errors
    /// [`NotFinite`] when the arithmetic leaves the finite numbers.
    pub fn llr(&self, cosine: Cosine, facts: &TrialFacts) -> Result<Llr, NotFinite> {
        let quality = facts
            .net_speech
            .get()
            .clamp(self.net_seconds[0], self.net_seconds[1])
            .ln();
        let signup = f64::from(u8::from(facts.is_signup_to_call));
        let scale = self.scale + self.scale_per_log * quality + self.signup_scale * signup;
        let offset = self.offset + self.offset_per_log * quality + self.signup_offset * signup;
        let llr = scale * self.similarity.of(f64::from(cosine.get())) + offset;
        Llr::new(self.supported(Llr::new(llr)?.get()))
    }

    /// Beyond what the number of trials can support, a ratio is extrapolation: it goes on by its logarithm there, so
    /// that what is further out stays further out, and no two trials are tied.
    fn supported(&self, llr: f64) -> f64 {
        let [lowest, highest] = self.llr_bounds;
        if llr > highest {
            highest + (llr - highest).ln_1p()
        } else if llr < lowest {
            lowest - (lowest - llr).ln_1p()
        } else {
            llr
        }
    }

    /// The ratio of a very good match: two voices at a cosine of 0.9, with as much speech as was fitted.
    ///
    /// # Errors
    /// [`NotFinite`] never for a calibration that was loaded: its numbers were checked.
    pub fn highest(&self) -> Result<Llr, NotFinite> {
        let facts = TrialFacts {
            net_speech: Seconds::checked(self.net_seconds[1]).unwrap_or_default(),
            ..TrialFacts::default()
        };
        self.llr(Cosine::new(VERY_LIKE)?, &facts)
    }

    /// Says what is wrong with the numbers, if anything.
    fn fault(&self) -> Option<String> {
        let numbers = [
            self.scale,
            self.scale_per_log,
            self.offset,
            self.offset_per_log,
            self.signup_scale,
            self.signup_offset,
        ];
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
            .all(|net| self.scale + self.scale_per_log * net.ln() + self.signup_scale.min(0.0) > 0.0);
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
        if let Some(fault) = calibration.fault() {
            return Err(malformed(fault));
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

    /// Says what is wrong with the numbers, if anything.
    pub fn fault(&self) -> Option<String> {
        let of_curve = || Some(format!("[curve] {}", self.curve.fault()?));
        let of_points = || {
            let share = |share: f64| (0.0..=1.0).contains(&share);
            let fits = |point: &OperatingPoint| {
                let shares = [point.false_accept, point.wrong_name, point.right_name];
                point.accept > 0.0 && point.accept < 1.0 && shares.into_iter().all(share)
            };
            let sound = self.operating_points.iter().all(fits)
                && self.operating_points.is_sorted_by(|a, b| a.accept < b.accept);
            (!sound).then(|| "[[operating_points]] need rising acceptances and shares from 0 to 1".to_owned())
        };
        let of_voices = || Some(format!("[voices] {}", self.voices?.fault()?));
        of_curve().or_else(of_voices).or_else(of_points)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::decision) fn curve() -> Curve {
        Curve {
            similarity: Similarity::Cosine,
            scale: 20.0,
            scale_per_log: 5.0,
            offset: -15.0,
            offset_per_log: -3.0,
            signup_scale: 0.0,
            signup_offset: 2.0,
            net_seconds: [1.0, 10.0],
            llr_bounds: [-7.0, 7.0],
            target_trials: 1,
            nontarget_trials: 1,
        }
    }

    fn after(net: f64) -> TrialFacts {
        TrialFacts {
            net_speech: Seconds::new(net),
            ..TrialFacts::default()
        }
    }

    #[test]
    fn a_higher_cosine_never_gives_a_lower_ratio() {
        for net in [0.0, 0.5, 1.0, 3.0, 10.0, 1e6] {
            let llr = |cosine| curve().llr(Cosine::new(cosine).unwrap(), &after(net)).unwrap();
            assert!(llr(0.2) <= llr(0.5) && llr(0.5) <= llr(0.9), "net speech {net}");
        }
    }

    #[test]
    fn a_call_that_meets_a_web_signup_is_judged_by_an_offset_of_its_own() {
        let llr = |is_signup_to_call| {
            let facts = TrialFacts {
                is_signup_to_call,
                ..after(3.0)
            };
            curve().llr(Cosine::new(0.6).unwrap(), &facts).unwrap().get()
        };
        assert!((llr(true) - llr(false) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn beyond_what_the_trials_support_ratios_grow_slowly_and_stay_in_order() {
        let llr = |cosine| {
            curve()
                .llr(Cosine::new(cosine).unwrap(), &after(3.0))
                .unwrap()
                .get()
        };
        let (scale, offset) = (20.0 + 5.0 * 3f64.ln(), -15.0 - 3.0 * 3f64.ln());
        let unbounded = scale + offset;
        assert!(unbounded > 7.0, "the case is beyond the bounds");
        assert!((llr(1.0) - (7.0 + (unbounded - 7.0).ln_1p())).abs() < 1e-6);
        assert!(llr(1.0) > llr(0.99) && llr(-0.99) > llr(-1.0), "no ties");
        assert!(llr(-1.0) > -12.0, "nothing far out is evidence without measure");
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
