//! A model's card: what must be known of a model to feed it rightly, read from `card.toml` and checked.
//!
//! Nothing about a model is remembered in code: its constants, names, shapes and hashes stand in its
//! card, and the card is checked against the files and the loaded graph before the model serves anybody.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::onnx::{Graph, Port};
use crate::units::{Hertz, Seconds};

use super::embedding::ModelId;
use super::front_end::{LastWindow, MelSettings};

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum CardError {
    /// The card or a file it names cannot be read.
    #[error("{path} cannot be read: {cause}; {remedy}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The card is not valid.
    #[error("the card {path} is not valid: {cause}")]
    Malformed {
        /// The card.
        path: PathBuf,
        /// What is wrong and where.
        cause: String,
    },
    /// A file is not the one the card describes.
    #[error(
        "{path} is not the file its card describes: SHA-256 {actual}, expected {expected}; delete it and run `make provision`"
    )]
    WrongFile {
        /// The file.
        path: PathBuf,
        /// The card's hash.
        expected: String,
        /// The file's hash.
        actual: String,
    },
    /// The graph declares other inputs or outputs than the card.
    #[error("the graph {path} is not what its card says: {detail}")]
    GraphDiffers {
        /// The graph.
        path: PathBuf,
        /// The port and the difference.
        detail: String,
    },
}

const PROVISION: &str = "run `make provision` to fetch the models";

/// A dimension of a tensor: a number, or a name where the graph leaves it free.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Dimension {
    Fixed(i64),
    Free(String),
}

#[derive(Debug, Clone, Deserialize)]
struct PortCard {
    name: String,
    shape: Vec<Dimension>,
}

#[derive(Debug, Clone, Deserialize)]
struct FileCard {
    file: PathBuf,
    sha256: String,
}

/// The front end a model wants, with every constant.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum FrontEndCard {
    Ge2eMel(Ge2eMelCard),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ge2eMelCard {
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
    min_coverage: Option<f64>,
    /// With `align_end`.
    min_frames: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
struct CardFile {
    id: ModelId,
    description: String,
    licence: String,
    sample_rate: u32,
    dimension: usize,
    minimum_net_speech_seconds: f64,
    source: toml::Table,
    graph: FileCard,
    weights: Option<FileCard>,
    input: PortCard,
    output: PortCard,
    front_end: FrontEndCard,
}

/// A checked card.
#[derive(Debug, Clone)]
pub struct Card {
    folder: PathBuf,
    card: CardFile,
    mel: MelSettings,
}

impl Card {
    /// Reads and checks `folder/card.toml`; the files it names are not opened yet.
    ///
    /// # Errors
    /// [`CardError`] when it is missing, malformed, or asks for something this version cannot do.
    pub fn read(folder: &Path) -> Result<Self, CardError> {
        let path = folder.join("card.toml");
        let text = std::fs::read_to_string(&path).map_err(|cause| CardError::Unreadable {
            path: path.clone(),
            cause,
            remedy: "a model is a folder in `models/` with a card.toml; `voxline models list` shows them",
        })?;
        let malformed = |cause: String| CardError::Malformed {
            path: path.clone(),
            cause,
        };
        let card: CardFile = toml::from_str(&text).map_err(|cause| malformed(cause.to_string()))?;
        let FrontEndCard::Ge2eMel(front_end) = &card.front_end;
        let mel = front_end.checked(card.sample_rate).map_err(malformed)?;
        if Seconds::checked(card.minimum_net_speech_seconds).is_none() {
            return Err(malformed(
                "minimum_net_speech_seconds is not a span of time".to_owned(),
            ));
        }
        Ok(Self {
            folder: folder.to_owned(),
            card,
            mel,
        })
    }

    /// The model's name.
    pub fn id(&self) -> &ModelId {
        &self.card.id
    }

    /// What the model is, in one line.
    pub fn description(&self) -> &str {
        &self.card.description
    }

    /// The licence of its weights.
    pub fn licence(&self) -> &str {
        &self.card.licence
    }

    /// Where it came from: package, version, paper.
    pub fn source(&self) -> String {
        let part = |key: &str| {
            self.card
                .source
                .get(key)
                .and_then(toml::Value::as_str)
                .unwrap_or_default()
        };
        [part("package"), part("version")].join(" ").trim().to_owned()
    }

    /// The rate it listens at.
    pub fn sample_rate(&self) -> Hertz {
        Hertz(self.card.sample_rate)
    }

    /// Numbers in an embedding.
    pub fn dimension(&self) -> usize {
        self.card.dimension
    }

    /// Less speech than this gives no voiceprint worth comparing.
    pub fn minimum_net_speech(&self) -> Seconds {
        Seconds::checked(self.card.minimum_net_speech_seconds).unwrap_or(Seconds::ZERO)
    }

    /// The hash that names the model's weights: a calibration is tied to it.
    pub fn sha256(&self) -> &str {
        &self.card.weights.as_ref().unwrap_or(&self.card.graph).sha256
    }

    /// The graph file.
    pub fn graph(&self) -> PathBuf {
        self.folder.join(&self.card.graph.file)
    }

    /// Where the calibration fitted for this model lies.
    pub fn calibration(&self) -> PathBuf {
        self.folder.join("calibration.toml")
    }

    /// The constants of the front end.
    pub fn mel(&self) -> MelSettings {
        self.mel
    }

    /// The graph's input and output, by name.
    pub fn ports(&self) -> (&str, &str) {
        (&self.card.input.name, &self.card.output.name)
    }

    /// The model's files with their sizes in bytes; `None` for one that is not there.
    pub fn files(&self) -> Vec<(PathBuf, Option<u64>)> {
        let size = |path: &Path| std::fs::metadata(path).ok().map(|found| found.len());
        self.file_cards()
            .map(|file| self.folder.join(&file.file))
            .map(|path| (path.clone(), size(&path)))
            .collect()
    }

    /// Checks that every file is exactly the one the card describes.
    ///
    /// # Errors
    /// [`CardError`] naming the file and both hashes.
    pub fn check_files(&self) -> Result<(), CardError> {
        self.file_cards()
            .try_for_each(|file| check_sha256(&self.folder.join(&file.file), &file.sha256))
    }

    /// Checks that a loaded graph declares the inputs and outputs of the card, by name and shape.
    ///
    /// # Errors
    /// [`CardError::GraphDiffers`] naming the port and the difference.
    pub fn check_graph(&self, graph: &Graph) -> Result<(), CardError> {
        let compare = |ports: &[Port], card: &PortCard| match ports {
            [port] => card.difference(port),
            _ => Some(format!("it has {} ports where one is expected", ports.len())),
        };
        let difference = compare(&graph.inputs(), &self.card.input)
            .or_else(|| compare(&graph.outputs(), &self.card.output))
            .or_else(|| {
                let last = self.card.output.shape.last();
                let fits = last == Some(&Dimension::Fixed(self.card.dimension as i64));
                (!fits).then(|| format!("its output does not end in the dimension {}", self.card.dimension))
            });
        match difference {
            Some(detail) => Err(CardError::GraphDiffers {
                path: self.graph(),
                detail,
            }),
            None => Ok(()),
        }
    }

    fn file_cards(&self) -> impl Iterator<Item = &FileCard> {
        std::iter::once(&self.card.graph).chain(&self.card.weights)
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

impl PortCard {
    fn difference(&self, port: &Port) -> Option<String> {
        if port.name != self.name {
            return Some(format!(
                "it calls `{}` what the card calls `{}`",
                port.name, self.name
            ));
        }
        if port.element != "float32" {
            return Some(format!("`{}` holds {}, not float32", port.name, port.element));
        }
        let fits = |(card, graph): (&Dimension, &i64)| match card {
            Dimension::Fixed(size) => size == graph,
            Dimension::Free(_) => *graph == -1,
        };
        let same = port.shape.len() == self.shape.len() && self.shape.iter().zip(&port.shape).all(fits);
        (!same).then(|| {
            format!(
                "`{}` has shape {:?} (-1 is free), the card says {:?}",
                port.name, port.shape, self.shape
            )
        })
    }
}

/// Checks a file's SHA-256, reading it in pieces.
///
/// # Errors
/// [`CardError`] when it cannot be read or has another hash.
pub fn check_sha256(path: &Path, expected: &str) -> Result<(), CardError> {
    let unreadable = |cause| CardError::Unreadable {
        path: path.to_owned(),
        cause,
        remedy: PROVISION,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        hash.update(&piece[..read]);
    }
    let actual: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if actual == expected {
        return Ok(());
    }
    Err(CardError::WrongFile {
        path: path.to_owned(),
        expected: expected.to_owned(),
        actual,
    })
}
