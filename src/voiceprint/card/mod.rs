//! A model's card: what must be known of a model to feed it rightly, read from `card.toml` and checked.
//!
//! Nothing about a model is remembered in code: its constants, names, shapes and hashes stand in its
//! card, and the card is checked against the files and the loaded graph before the model serves anybody.

mod hash;
mod ports;
mod file;
mod draft_error;
mod recipe;
mod draft;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::onnx::Graph;
use crate::units::{Seconds, hex};

use super::embedding::ModelId;
use super::front_end::FrontEndSettings;
use super::segment::Segment;

use file::{CardFile, FileCard};
use ports::Dimension;

pub use draft::{CardDraft, draft_card};
pub use draft_error::DraftError;
pub use hash::check_sha256;
pub(super) use hash::sha256_of;
pub use ports::Layout;
pub use recipe::Recipe;

/// Why a model cannot be used.
#[derive(Debug, Error)]
pub enum CardError {
    /// The card or a file it names cannot be read.
    #[error("{path} cannot be read: {cause}; {remedy}")]
    Unreadable {
        /// Path of the file at fault.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The card is not valid.
    #[error("the card {path} is not valid: {cause}")]
    Malformed {
        /// Path of the card at fault.
        path: PathBuf,
        /// What is wrong and where.
        cause: String,
    },
    /// A file is not the one the card describes.
    #[error(
        "{path} is not the file its card describes: SHA-256 {actual}, expected {expected}; delete it and run `make provision`"
    )]
    WrongFile {
        /// Path of the file at fault.
        path: PathBuf,
        /// The card's hash.
        expected: String,
        /// The file's hash.
        actual: String,
    },
    /// The graph declares other inputs or outputs than the card.
    #[error("the graph {path} is not what its card says: {detail}")]
    GraphDiffers {
        /// Path of the graph at fault.
        path: PathBuf,
        /// The port and the difference.
        detail: String,
    },
}

/// A checked card.
#[derive(Debug, Clone)]
pub struct Card {
    folder: PathBuf,
    card: CardFile,
    front_end: FrontEndSettings,
    segment: Segment,
    beside: Option<Box<Card>>,
    sha256: String,
    identity: String,
}

impl Card {
    /// Reads and checks `folder/card.toml`, and the card of the model beside it; the files they name are not opened yet.
    ///
    /// # Errors
    /// [`CardError`] when one is missing, malformed, or asks for something this version cannot do.
    pub fn read(folder: &Path) -> Result<Self, CardError> {
        let card = Self::read_alone(folder)?;
        let Some(said) = card.card.beside.clone() else {
            return Ok(card);
        };
        let malformed = |cause: String| CardError::Malformed {
            path: folder.join("card.toml"),
            cause,
        };
        if !(said.weight > 0.0 && said.weight < 1.0) {
            return Err(malformed("beside.weight is not between 0 and 1".to_owned()));
        }
        let other = folder.with_file_name(&said.model);
        let other = Self::read_alone(&other)
            .map_err(|fault| malformed(format!("beside.model is `{}`, and {fault}", said.model)))?;
        card.with_beside(other, said.weight).map_err(malformed)
    }

    /// This model and `other`, which hear the same speech, as one: each as much of it as both can take.
    fn with_beside(mut self, other: Self, weight: f64) -> Result<Self, String> {
        if other.card.beside.is_some() {
            return Err(format!(
                "beside.model is `{}`, whose card has a [beside] of its own: only two models can be put side by side",
                other.id()
            ));
        }
        let (own, others) = (self.segment, other.segment);
        let segment = Segment {
            longest: Seconds::new(own.longest.get().min(others.longest.get())),
            shortest: Seconds::new(own.shortest.get().max(others.shortest.get())),
        };
        let needed = self.card.minimum_net_speech_seconds;
        let needed = needed.max(other.card.minimum_net_speech_seconds);
        if segment.shortest.get() > segment.longest.get() {
            return Err(format!(
                "no piece of speech is long enough for one and short enough for the other of it and `{}`",
                other.id()
            ));
        }
        (self.segment, self.card.minimum_net_speech_seconds) = (segment, needed);
        if other.card.licence != self.card.licence {
            self.card.licence = format!("{}; beside it {}", self.card.licence, other.card.licence);
        }
        let both = format!("{} {} {weight}", self.sha256, other.sha256);
        self.sha256 = hex(&Sha256::digest(both));
        let both = format!("{} {}", self.identity, other.identity);
        self.identity = hex(&Sha256::digest(both));
        self.beside = Some(Box::new(other));
        Ok(self)
    }

    /// A card without the one it names beside it.
    fn read_alone(folder: &Path) -> Result<Self, CardError> {
        let path = folder.join("card.toml");
        let text = std::fs::read_to_string(&path).map_err(|cause| CardError::Unreadable {
            path: path.clone(),
            cause,
            remedy: "a model is a folder in `models/` with a card.toml; `voxline models list` shows them, and \
                     `voxline models switch` takes a store from a model that is gone to one of them",
        })?;
        let malformed = |cause: String| CardError::Malformed {
            path: path.clone(),
            cause,
        };
        let card: CardFile = toml::from_str(&text).map_err(|cause| malformed(cause.to_string()))?;
        let front_end = card.front_end().map_err(malformed)?;
        let segment = card.segment().map_err(malformed)?;
        if Seconds::checked(card.minimum_net_speech_seconds).is_none() {
            return Err(malformed(
                "minimum_net_speech_seconds is not a span of time".to_owned(),
            ));
        }
        let sha256 = card.weights.as_ref().unwrap_or(&card.graph).sha256.clone();
        let identity = card.identity(segment).map_err(malformed)?;
        Ok(Self {
            folder: folder.to_owned(),
            card,
            front_end,
            segment,
            beside: None,
            sha256,
            identity,
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

    /// The licence of its weights, and of those beside it where that is another.
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

    /// Numbers in an embedding: its own, and behind them those of the model beside it.
    pub fn dimension(&self) -> usize {
        self.card.dimension + self.beside().map_or(0, |(other, _)| other.dimension())
    }

    /// Numbers that its own graph gives.
    pub(super) fn own_dimension(&self) -> usize {
        self.card.dimension
    }

    /// The model that hears the same speech, if there is one, and the weight of its cosine. It has none beside it.
    pub fn beside(&self) -> Option<(&Self, f64)> {
        let said = self.card.beside.as_ref()?;
        Some((self.beside.as_deref()?, said.weight))
    }

    /// Less speech than this gives no voiceprint worth comparing.
    pub fn minimum_net_speech(&self) -> Seconds {
        Seconds::checked(self.card.minimum_net_speech_seconds).unwrap_or(Seconds::ZERO)
    }

    /// The hash that names the model's weights: a calibration is tied to it. With a model beside it, the hash of
    /// both hashes and the weight.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// A hash of all that a voiceprint comes of: graph, weights, ports, front end and how speech is cut, of the model beside it
    /// too. Cards of one hash of weights may differ in it, and then their voiceprints are not to be compared.
    pub fn identity(&self) -> &str {
        &self.identity
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
    pub fn front_end(&self) -> FrontEndSettings {
        self.front_end
    }

    /// How speech of any length is cut for the model.
    pub fn segment(&self) -> Segment {
        self.segment
    }

    /// The graph's ports by name, and how features lie in its input.
    pub(super) fn ports(&self) -> Ports<'_> {
        Ports {
            input: &self.card.input.name,
            layout: self.card.input.layout,
            length: self.card.input.length.as_ref().map(|port| port.name.as_str()),
            output: &self.card.output.name,
        }
    }

    /// The model's files with their sizes in bytes; `None` for one that is not there.
    pub fn files(&self) -> Vec<(PathBuf, Option<u64>)> {
        let size = |path: &Path| std::fs::metadata(path).ok().map(|found| found.len());
        let own = self.file_cards().map(|file| self.folder.join(&file.file));
        let own = own.map(|path| (path.clone(), size(&path)));
        own.chain(self.beside.iter().flat_map(|other| other.files()))
            .collect()
    }

    /// Checks that every file is exactly the one the card describes.
    ///
    /// # Errors
    /// [`CardError`] naming the file and both hashes.
    pub fn check_files(&self) -> Result<(), CardError> {
        self.file_cards()
            .try_for_each(|file| check_sha256(&self.folder.join(&file.file), &file.sha256))?;
        self.beside.iter().try_for_each(|other| other.check_files())
    }

    /// Checks that a loaded graph declares the inputs and outputs of the card, by name and shape.
    ///
    /// # Errors
    /// [`CardError::GraphDiffers`] naming the port and the difference.
    pub fn check_graph(&self, graph: &Graph) -> Result<(), CardError> {
        let difference = self.card.input.difference(&graph.inputs());
        let difference = difference
            .or_else(|| self.card.output.difference(&graph.outputs()))
            .or_else(|| self.output_fault())
            .or_else(|| self.input_fault());
        match difference {
            Some(detail) => Err(CardError::GraphDiffers {
                path: self.graph(),
                detail,
            }),
            None => Ok(()),
        }
    }

    /// Why the output is no embedding of the card's dimension. (Where the graph leaves the dimension free,
    /// every answer is measured instead.)
    fn output_fault(&self) -> Option<String> {
        let dimension = self.card.dimension;
        let fits = match &self.card.output.shape[..] {
            [_, last] => last.fixed().is_none_or(|size| size == dimension as i64),
            _ => false,
        };
        (!fits).then(|| format!("its output does not end in the dimension {dimension}"))
    }

    /// Why the input cannot take what the front end gives.
    fn input_fault(&self) -> Option<String> {
        let Some(axes) = self.card.input.axes() else {
            return Some("its input has another number of axes than the layout".to_owned());
        };
        if axes.batch.fixed().is_some_and(|size| size != 1) {
            return Some("its batch has a fixed size other than 1".to_owned());
        }
        let wanted = axes.bins.and_then(Dimension::fixed);
        let given = self.front_end.bins();
        if let (Some(wanted), Some(given)) = (wanted, given)
            && wanted != given as i64
        {
            return Some(format!(
                "it wants {wanted} values a frame, the front end gives {given}"
            ));
        }
        let is_fixed = axes.time.fixed().is_some();
        is_fixed.then(|| "its input has a fixed length, which the front end does not keep".to_owned())
    }

    fn file_cards(&self) -> impl Iterator<Item = &FileCard> {
        std::iter::once(&self.card.graph).chain(&self.card.weights)
    }
}

/// A graph's ports, as the extractor feeds and reads them.
pub(super) struct Ports<'a> {
    pub(super) input: &'a str,
    pub(super) layout: Layout,
    /// The input for the number of frames, where the graph has one.
    pub(super) length: Option<&'a str>,
    pub(super) output: &'a str,
}
