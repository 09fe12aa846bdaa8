//! `card.toml` as it is written.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::embedding::ModelId;
use super::super::front_end::{
    FrontEndSettings, KaldiSettings, LastWindow, MelSettings, NemoSettings, RawSettings, SpeechbrainSettings,
};
use super::super::segment::Segment;
use super::ports::{InputCard, Layout, PortCard};
use crate::units::Seconds;

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct CardFile {
    pub(super) id: ModelId,
    pub(super) description: String,
    pub(super) licence: String,
    pub(super) sample_rate: u32,
    pub(super) dimension: usize,
    pub(super) minimum_net_speech_seconds: f64,
    pub(super) source: toml::Table,
    pub(super) graph: FileCard,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) weights: Option<FileCard>,
    pub(super) input: InputCard,
    pub(super) output: PortCard,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) segment: Option<SegmentCard>,
    pub(super) front_end: FrontEndCard,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct FileCard {
    pub(super) file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    pub(super) sha256: String,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentCard {
    #[serde(default = "longest")]
    pub(super) max_seconds: f64,
    #[serde(default = "shortest")]
    pub(super) min_seconds: f64,
}

fn longest() -> f64 {
    Segment::DEFAULT.longest.get()
}

fn shortest() -> f64 {
    Segment::DEFAULT.shortest.get()
}

/// The front end a model wants, with every constant.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum FrontEndCard {
    Ge2eMel(Ge2eMelCard),
    KaldiFbank(KaldiSettings),
    SpeechbrainFbank(SpeechbrainSettings),
    NemoMel(NemoSettings),
    RawWaveform(RawSettings),
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ge2eMelCard {
    target_dbfs: f64,
    level_rule: String,
    n_fft: usize,
    window: String,
    window_length: usize,
    window_periodic: bool,
    hop_length: usize,
    centered: bool,
    padding: String,
    power: f64,
    n_mels: usize,
    f_min: f64,
    f_max: f64,
    mel_scale: String,
    mel_norm: String,
    window_frames: usize,
    window_hop_frames: usize,
    last_window: String,
    /// With `pad`.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_coverage: Option<f64>,
    /// With `align_end`.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_frames: Option<usize>,
}

impl CardFile {
    /// The front end's constants, if this version can do what the card asks for.
    pub(super) fn front_end(&self) -> Result<FrontEndSettings, String> {
        if self.sample_rate != 16_000 {
            return Err("the sample rate must be 16000".to_owned());
        }
        let (settings, fault) = match &self.front_end {
            FrontEndCard::Ge2eMel(card) => (FrontEndSettings::Ge2eMel(card.checked(self.sample_rate)?), None),
            FrontEndCard::KaldiFbank(kaldi) => (FrontEndSettings::KaldiFbank(*kaldi), kaldi.fault()),
            FrontEndCard::SpeechbrainFbank(brain) => {
                (FrontEndSettings::SpeechbrainFbank(*brain), brain.fault())
            }
            FrontEndCard::NemoMel(nemo) => (FrontEndSettings::NemoMel(*nemo), nemo.fault()),
            FrontEndCard::RawWaveform(raw) => (FrontEndSettings::RawWaveform(*raw), raw.fault()),
        };
        if let Some(fault) = fault {
            return Err(format!("front_end: {fault}"));
        }
        let raw = matches!(settings, FrontEndSettings::RawWaveform(_));
        if raw != (self.input.layout == Layout::Samples) {
            return Err("input.layout is `samples` for a raw waveform, and for nothing else".to_owned());
        }
        Ok(settings)
    }

    /// How speech is cut, if the card says so in numbers that can be.
    pub(super) fn segment(&self) -> Result<Segment, String> {
        if matches!(self.front_end, FrontEndCard::Ge2eMel(_)) {
            return match self.segment {
                None => Ok(Segment::DEFAULT),
                Some(_) => {
                    Err("ge2e_mel has windows of its own: [segment] is for other front ends".to_owned())
                }
            };
        }
        let card = self.segment.unwrap_or(SegmentCard {
            max_seconds: longest(),
            min_seconds: shortest(),
        });
        // A tenth of a second is nine frames: enough for a standard deviation over time, if for no voice.
        let sane = 0.1 <= card.min_seconds
            && card.min_seconds <= self.minimum_net_speech_seconds
            && card.min_seconds <= card.max_seconds
            && card.max_seconds <= 600.0;
        match (
            Seconds::checked(card.max_seconds),
            Seconds::checked(card.min_seconds),
        ) {
            (Some(longest), Some(shortest)) if sane => Ok(Segment { longest, shortest }),
            _ => Err(
                "segment.min_seconds must be at least 0.1 and at most minimum_net_speech_seconds and \
                 segment.max_seconds, and that at most 600"
                    .to_owned(),
            ),
        }
    }
}

impl Ge2eMelCard {
    /// The settings, if this version's front end can do what the card asks for.
    fn checked(&self, sample_rate: u32) -> Result<MelSettings, String> {
        let fixed = [
            ("level_rule", self.level_rule.as_str(), "raise_only"),
            ("window", &self.window, "hann"),
            ("padding", &self.padding, "zero"),
            ("mel_scale", &self.mel_scale, "slaney"),
            ("mel_norm", &self.mel_norm, "slaney"),
        ];
        if let Some((key, value, only)) = fixed.iter().find(|(_, value, only)| value != only) {
            return Err(format!(
                "front_end.{key} is `{value}`; ge2e_mel only knows `{only}`"
            ));
        }
        if !self.window_periodic || !self.centered || self.power != 2.0 || self.window_length != self.n_fft {
            return Err(
                "ge2e_mel is periodic, centred, power 2, with a window as long as its FFT".to_owned(),
            );
        }
        let sizes = [
            self.n_fft,
            self.hop_length,
            self.n_mels,
            self.window_frames,
            self.window_hop_frames,
        ];
        if sample_rate != 16_000 || sizes.iter().any(|size| !(1..=65_536).contains(size)) {
            return Err("the sample rate must be 16000 and every size between 1 and 65536".to_owned());
        }
        let band = 0.0 <= self.f_min && self.f_min < self.f_max && self.f_max <= f64::from(sample_rate) / 2.0;
        if !band || !self.target_dbfs.is_finite() {
            return Err("f_min..f_max or target_dbfs is out of range".to_owned());
        }
        Ok(MelSettings {
            sample_rate,
            n_fft: self.n_fft,
            hop: self.hop_length,
            n_mels: self.n_mels,
            f_min: self.f_min,
            f_max: self.f_max,
            target_dbfs: self.target_dbfs,
            window_frames: self.window_frames,
            window_hop_frames: self.window_hop_frames,
            last_window: self.last_window()?,
        })
    }

    fn last_window(&self) -> Result<LastWindow, String> {
        match (self.last_window.as_str(), self.min_coverage, self.min_frames) {
            ("pad", Some(min_coverage), None) if (0.0..=1.0).contains(&min_coverage) => {
                Ok(LastWindow::Pad { min_coverage })
            }
            ("align_end", None, Some(min_frames)) => Ok(LastWindow::AlignEnd { min_frames }),
            _ => Err("front_end.last_window is `pad` with min_coverage from 0 to 1, or `align_end` with min_frames"
                .to_owned()),
        }
    }
}
