//! Front ends by the name of who trained the model, or by the keys an ONNX file carries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::samples::RATE;

use super::super::front_end::{
    FrontEndSettings, KaldiSettings, KaldiWindow, MeanNormalisation, NemoNormalisation, NemoSettings,
    NemoWindow, RawSettings, Slaney, SpeechbrainSettings, SpeechbrainWindow,
};
use super::draft_error::DraftError;

/// Which front end a model file wants. A graph does not say how its features were made, so whoever names
/// the model must.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Recipe {
    /// As WeSpeaker trains: 16-bit samples, Hamming window, whole frames only, 20 Hz to half the rate.
    #[serde(rename = "wespeaker")]
    WeSpeaker,
    /// As 3D-Speaker trains: samples from -1 to 1, Povey's window, whole frames only, 20 Hz to half the
    /// rate.
    #[serde(rename = "3d_speaker")]
    ThreeDSpeaker,
    /// As SpeechBrain trains its ECAPA speaker models.
    #[serde(rename = "speechbrain")]
    SpeechBrain,
    /// As NeMo trains TitaNet and SpeakerNet.
    #[serde(rename = "nemo")]
    NeMo,
    /// The waveform itself: ReDimNet2 exports.
    #[serde(rename = "raw_waveform")]
    RawWaveform,
    /// What sherpa-onnx 2.0.1 feeds a WeSpeaker or 3D-Speaker file that carries its keys: Povey's window,
    /// frames to the very ends, 20 Hz to 400 Hz below half the rate, whatever the model was trained with.
    /// A file with NeMo's keys gets NeMo's own front end.
    #[serde(rename = "metadata")]
    Metadata,
}

/// The keys of an ONNX file.
pub(super) type Keys = BTreeMap<String, String>;

impl Recipe {
    /// The front end for a graph that wants `bins` values a frame, with these keys.
    pub(super) fn front_end(self, bins: usize, keys: &Keys) -> Result<FrontEndSettings, DraftError> {
        Ok(match self {
            Self::WeSpeaker => FrontEndSettings::KaldiFbank(KaldiSettings {
                sample_scale: 32_768.0,
                window: KaldiWindow::Hamming,
                ..kaldi(bins)
            }),
            Self::ThreeDSpeaker => FrontEndSettings::KaldiFbank(kaldi(bins)),
            Self::SpeechBrain => FrontEndSettings::SpeechbrainFbank(speechbrain(bins)),
            Self::NeMo => FrontEndSettings::NemoMel(nemo(bins)),
            Self::RawWaveform => FrontEndSettings::RawWaveform(RawSettings { sample_scale: 1.0 }),
            Self::Metadata => from_keys(bins, keys)?,
        })
    }

    /// Whether features lie [batch, bins, frames] where the graph's shape leaves that open.
    pub(super) fn bins_first(self, keys: &Keys) -> bool {
        match self {
            Self::NeMo => true,
            Self::Metadata => keys.get("framework").is_some_and(|framework| framework == "nemo"),
            _ => false,
        }
    }
}

/// What sherpa-onnx's keys ask for.
fn from_keys(bins: usize, keys: &Keys) -> Result<FrontEndSettings, DraftError> {
    let framework = keys.get("framework").ok_or(DraftError::NoFramework)?;
    only(keys, "sample_rate", &[&RATE.0.to_string()])?;
    match framework.as_str() {
        "wespeaker" | "3d-speaker" => {
            let scale = match only(keys, "normalize_samples", &["0", "1"])? {
                "1" => 1.0,
                _ => 32_768.0,
            };
            let normalisation = match optional(keys, "feature_normalize_type", &["", "global-mean"])? {
                "global-mean" => MeanNormalisation::UtteranceMean,
                _ => MeanNormalisation::None,
            };
            Ok(FrontEndSettings::KaldiFbank(KaldiSettings {
                sample_scale: scale,
                snip_edges: false,
                f_max: -400.0,
                normalisation,
                ..kaldi(bins)
            }))
        }
        "nemo" => {
            // NeMo says NA where it means that nothing is done.
            let normalisation = match optional(keys, "feature_normalize_type", &["", "NA", "per_feature"])? {
                "per_feature" => NemoNormalisation::PerFeature,
                _ => NemoNormalisation::None,
            };
            let window = match only(keys, "window_type", &["hann", "hamming"])? {
                "hamming" => NemoWindow::Hamming,
                _ => NemoWindow::Hann,
            };
            Ok(FrontEndSettings::NemoMel(NemoSettings {
                window,
                window_length: samples(keys, "window_size_ms")?,
                hop_length: samples(keys, "window_stride_ms")?,
                normalisation,
                ..nemo(bins)
            }))
        }
        other => Err(DraftError::Framework(other.to_owned())),
    }
}

/// The value of a key that must be one of `known`.
fn only<'a>(keys: &'a Keys, key: &'static str, known: &[&str]) -> Result<&'a str, DraftError> {
    let value = keys.get(key).ok_or(DraftError::NoKey(key))?;
    if known.contains(&value.as_str()) {
        return Ok(value);
    }
    Err(DraftError::Key {
        key,
        value: value.clone(),
        known: known.join(", "),
    })
}

/// The same for a key that may be absent, which is as good as empty.
fn optional<'a>(keys: &'a Keys, key: &'static str, known: &[&str]) -> Result<&'a str, DraftError> {
    match keys.get(key) {
        None => Ok(""),
        Some(_) => only(keys, key, known),
    }
}

/// A time in whole milliseconds as samples.
fn samples(keys: &Keys, key: &'static str) -> Result<usize, DraftError> {
    let value = keys.get(key).ok_or(DraftError::NoKey(key))?;
    let milliseconds = value
        .parse::<usize>()
        .ok()
        .filter(|time| (1..=100).contains(time));
    milliseconds
        .map(|time| time * RATE.0 as usize / 1_000)
        .ok_or_else(|| DraftError::Key {
            key,
            value: value.clone(),
            known: "1 to 100".to_owned(),
        })
}

/// What Kaldi's filter bank does unless told otherwise, without dither.
fn kaldi(bins: usize) -> KaldiSettings {
    KaldiSettings {
        sample_scale: 1.0,
        window: KaldiWindow::Povey,
        window_length: 400,
        hop_length: 160,
        n_fft: 512,
        snip_edges: true,
        remove_dc_offset: true,
        preemphasis: 0.97,
        n_mels: bins,
        f_min: 20.0,
        f_max: 0.0,
        normalisation: MeanNormalisation::UtteranceMean,
    }
}

fn speechbrain(bins: usize) -> SpeechbrainSettings {
    SpeechbrainSettings {
        n_fft: 400,
        window: SpeechbrainWindow::Hamming,
        window_length: 400,
        hop_length: 160,
        n_mels: bins,
        f_min: 0.0,
        f_max: 8_000.0,
        amin: 1e-10,
        top_db: 80.0,
        normalisation: MeanNormalisation::UtteranceMean,
    }
}

fn nemo(bins: usize) -> NemoSettings {
    NemoSettings {
        n_fft: 512,
        window: NemoWindow::Hann,
        window_length: 400,
        hop_length: 160,
        preemphasis: 0.97,
        n_mels: bins,
        f_min: 0.0,
        f_max: 8_000.0,
        mel_scale: Slaney::Slaney,
        mel_norm: Slaney::Slaney,
        // 2^-24
        log_guard: 5.960_464_477_539_063e-8,
        normalisation: NemoNormalisation::PerFeature,
        std_guard: 1e-5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pairs: &[(&str, &str)]) -> Keys {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    const WESPEAKER: &[(&str, &str)] = &[
        ("framework", "wespeaker"),
        ("sample_rate", "16000"),
        ("normalize_samples", "0"),
        ("feature_normalize_type", "global-mean"),
    ];

    const NEMO: &[(&str, &str)] = &[
        ("framework", "nemo"),
        ("sample_rate", "16000"),
        ("feature_normalize_type", "per_feature"),
        ("window_size_ms", "20"),
        ("window_stride_ms", "10"),
        ("window_type", "hann"),
    ];

    fn changed(all: &[(&str, &str)], key: &str, value: Option<&str>) -> Keys {
        let mut keys = keys(all);
        keys.remove(key);
        keys.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        keys
    }

    #[test]
    fn samples_are_scaled_and_means_taken_off_as_the_keys_say() {
        for (key, value, scale, normalisation) in [
            ("", None, 32_768.0, MeanNormalisation::UtteranceMean),
            (
                "normalize_samples",
                Some("1"),
                1.0,
                MeanNormalisation::UtteranceMean,
            ),
            (
                "framework",
                Some("3d-speaker"),
                32_768.0,
                MeanNormalisation::UtteranceMean,
            ),
            ("feature_normalize_type", None, 32_768.0, MeanNormalisation::None),
            (
                "feature_normalize_type",
                Some(""),
                32_768.0,
                MeanNormalisation::None,
            ),
        ] {
            let card = Recipe::Metadata.front_end(80, &changed(WESPEAKER, key, value));
            let Ok(FrontEndSettings::KaldiFbank(settings)) = card else {
                panic!("{key}: {card:?}");
            };
            assert_eq!(
                (settings.sample_scale, settings.normalisation),
                (scale, normalisation),
                "{key}"
            );
            assert_eq!((settings.snip_edges, settings.f_max), (false, -400.0));
        }
    }

    #[test]
    fn nemos_keys_give_its_window_and_stride() {
        let card = Recipe::Metadata.front_end(64, &keys(NEMO));
        let Ok(FrontEndSettings::NemoMel(settings)) = card else {
            panic!("{card:?}");
        };
        assert_eq!(
            (settings.window_length, settings.hop_length, settings.n_mels),
            (320, 160, 64)
        );
        assert_eq!(settings.normalisation, NemoNormalisation::PerFeature);
    }

    #[test]
    fn a_key_that_cannot_be_followed_is_named_and_never_passed_over() {
        for (all, key, value) in [
            (WESPEAKER, "framework", None),
            (WESPEAKER, "framework", Some("kaldi")),
            (WESPEAKER, "sample_rate", Some("8000")),
            (WESPEAKER, "normalize_samples", None),
            (WESPEAKER, "normalize_samples", Some("yes")),
            (WESPEAKER, "feature_normalize_type", Some("per_feature")),
            (NEMO, "feature_normalize_type", Some("all_features")),
            (NEMO, "window_type", Some("povey")),
            (NEMO, "window_size_ms", Some("0")),
            (NEMO, "window_stride_ms", None),
        ] {
            let fault = Recipe::Metadata.front_end(80, &changed(all, key, value));
            let Err(fault) = fault else {
                panic!("{key} {value:?} was not noticed")
            };
            let said = fault.to_string();
            assert!(said.contains(value.unwrap_or(key)), "{key}: {said}");
        }
    }
}
