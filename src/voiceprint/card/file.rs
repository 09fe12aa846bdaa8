//! `card.toml` as it is written.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::embedding::ModelId;
use super::super::front_end::FrontEndSettings;
use super::super::segment::Segment;
use super::ports::{InputCard, Layout, PortCard};
use crate::units::{Seconds, hex};

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
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
    pub(super) front_end: FrontEndSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beside: Option<BesideCard>,
}

/// Another model that hears the same speech.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BesideCard {
    /// Its folder, which lies beside this card's.
    pub(super) model: String,
    /// The weight of its cosine in the sum of both; this model's is what is left of 1.
    pub(super) weight: f64,
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

impl CardFile {
    /// The front end's constants, if this version can do what the card asks for.
    pub(super) fn front_end(&self) -> Result<FrontEndSettings, String> {
        if self.sample_rate != 16_000 {
            return Err("the sample rate must be 16000".to_owned());
        }
        let fault = match &self.front_end {
            FrontEndSettings::KaldiFbank(kaldi) => kaldi.fault(),
            FrontEndSettings::SpeechbrainFbank(brain) => brain.fault(),
            FrontEndSettings::NemoMel(nemo) => nemo.fault(),
            FrontEndSettings::RawWaveform(raw) => raw.fault(),
        };
        if let Some(fault) = fault {
            return Err(format!("front_end: {fault}"));
        }
        let raw = matches!(self.front_end, FrontEndSettings::RawWaveform(_));
        if raw != (self.input.layout == Layout::Samples) {
            return Err("input.layout is `samples` for a raw waveform, and for nothing else".to_owned());
        }
        Ok(self.front_end)
    }

    /// A hash of all that an embedding comes of beside the sound: both files, the graph's ports that are used, the front end,
    /// and how speech is cut. Stores keep it: whatever is added to cards must leave it as it is for those that lack it.
    pub(super) fn identity(&self, segment: Segment) -> Result<String, String> {
        let weights = self.weights.as_ref().map(|file| &file.sha256);
        let length = self.input.length.as_ref().map(|port| &port.name);
        let all = (
            (&self.graph.sha256, weights),
            (&self.input.name, self.input.layout, length, &self.output.name),
            &self.front_end,
            (segment.longest.get(), segment.shortest.get()),
        );
        let text = serde_json::to_string(&all).map_err(|fault| fault.to_string())?;
        Ok(hex(&Sha256::digest(text)))
    }

    /// How speech is cut, if the card says so in numbers that can be.
    pub(super) fn segment(&self) -> Result<Segment, String> {
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
