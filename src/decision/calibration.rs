//! Score to log-likelihood ratio: a calibration fitted offline, tied to one model by its hash.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::voiceprint::{Card, ModelId};

use super::curve::Curve;
#[cfg(test)]
use super::curve::Similarity;
use super::voices::VoiceTest;

/// Why a calibration cannot be used. A decision without one is never made.
#[derive(Debug, Error)]
pub enum CalibrationError {
    /// The file cannot be read.
    #[error("the calibration {path} cannot be read: {cause}")]
    Unreadable {
        /// Path of the file at fault.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// The file is not a calibration.
    #[error("the calibration {path} is not valid: {cause}")]
    Malformed {
        /// Path of the file at fault.
        path: PathBuf,
        /// What is wrong and where.
        cause: String,
    },
    /// It was fitted for other weights.
    #[error(
        "the calibration {path} was fitted for model {fitted_for}, not for {model}: fit it again for this one"
    )]
    OtherModel {
        /// Path of the file at fault.
        path: PathBuf,
        /// The model and hash it names.
        fitted_for: String,
        /// The model and hash in use.
        model: String,
    },
    /// It was fitted for these weights, and for voiceprints that were made otherwise.
    #[error(
        "the calibration {path} was fitted with another card of model {model} (identity {fitted_for}, here {identity}): with \
         another front end, other segments or other ports its ratios mean nothing. Fit it again for this card"
    )]
    OtherCard {
        /// Path of the file at fault.
        path: PathBuf,
        /// The model of both cards.
        model: ModelId,
        /// The card's identity that it names.
        fitted_for: String,
        /// The identity of the card in use.
        identity: String,
    },
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
    /// The identity of the model's card ([`Card::identity`]): one hash of weights may have voiceprints that are made in several
    /// ways. Not told of older ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_identity: Option<String>,
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
    /// Callers behind the operating points; shares of strangers below three in so many are not measured but hoped.
    pub callers: u64,
    /// Those of them who have a model: who can be given another's name. As many as the callers where it is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// The share of calls of nobody on the roster that the operating points were measured with; the usual one where it is
    /// not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_share: Option<f64>,
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

impl Calibration {
    /// Reads a calibration and checks that it was fitted for exactly the model of this card.
    ///
    /// # Errors
    /// [`CalibrationError`] when it cannot be read, makes no sense, or was fitted for other weights or another card.
    pub fn load(path: &Path, card: &Card) -> Result<Self, CalibrationError> {
        let (model, model_sha256) = (card.id(), card.sha256());
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
        let origin = calibration.origin.as_ref();
        let fitted_for = origin.and_then(|origin| origin.model_identity.as_deref());
        match fitted_for {
            Some(fitted_for) if fitted_for != card.identity() => Err(CalibrationError::OtherCard {
                path: path.to_owned(),
                model: model.clone(),
                fitted_for: fitted_for.to_owned(),
                identity: card.identity().to_owned(),
            }),
            _ => Ok(calibration),
        }
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
        let of_origin = || {
            let share = self.origin.as_ref()?.unknown_share?;
            let sound = share > 0.0 && share < 1.0;
            (!sound).then(|| "[origin] unknown_share lies between 0 and 1".to_owned())
        };
        of_curve()
            .or_else(of_voices)
            .or_else(of_points)
            .or_else(of_origin)
    }
}

#[cfg(test)]
impl Calibration {
    /// A straight line of the cosine, whatever the speech, for tests: a ratio is `scale * cosine + offset`, from -9 to 9.
    pub(crate) fn straight(scale: f64, offset: f64) -> Self {
        Self {
            id: "c".to_owned(),
            model: ModelId::new("m"),
            model_sha256: String::new(),
            fitted_on: String::new(),
            origin: None,
            curve: Curve {
                similarity: Similarity::Cosine,
                scale,
                scale_per_log: 0.0,
                offset,
                offset_per_log: 0.0,
                signup_scale: 0.0,
                signup_offset: 0.0,
                cohort_scale: 0.0,
                cohort_mean: 0.0,
                cohort_range: None,
                roster_reach: None,
                net_seconds: [1.2, 6.0],
                llr_bounds: [-9.0, 9.0],
                target_trials: 1,
                nontarget_trials: 1,
            },
            voices: None,
            operating_points: Vec::new(),
        }
    }
}
