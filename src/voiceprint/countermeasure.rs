//! A countermeasure against presentation attacks: how much likelier speech is where a loudspeaker or a synthesiser made it than
//! where a person did, as a network says that hears the waveform itself. None is shipped: this is the place for one.
//!
//! Shaped as AASIST is (Jung et al., "AASIST: Audio Anti-Spoofing Using Integrated Spectro-Temporal Graph Attention
//! Networks", ICASSP 2022): a window of samples in, two logits or one score out. A card beside the graph says which, how that
//! becomes a log-likelihood ratio, and from which ratio on speech is taken for spoofed (`docs/threats.md` has an example).

use std::path::{Path, PathBuf};

use ndarray::ArrayView2;
use serde::Deserialize;
use thiserror::Error;

use crate::onnx::{Graph, Input, OnnxError, Port, Runtime};
use crate::samples::RATE;
use crate::units::Llr;

use super::card::sha256_of;

/// The longest window, in samples: a minute.
const LONGEST_WINDOW: usize = 960_000;

/// Why a countermeasure cannot be used or failed.
#[derive(Debug, Error)]
pub enum CountermeasureError {
    /// The card or the graph cannot be read.
    #[error(
        "the countermeasure's {path} cannot be read: {cause}; decision.countermeasure names a folder with a card.toml and the \
         graph that it is of"
    )]
    Unreadable {
        /// Path of the file at fault.
        path: PathBuf,
        /// The system's own words.
        cause: std::io::Error,
    },
    /// The card is not valid.
    #[error("the countermeasure's card {path} is not valid: {cause}")]
    Malformed {
        /// Path of the card at fault.
        path: PathBuf,
        /// What is wrong and where.
        cause: String,
    },
    /// The graph is not the one the card describes.
    #[error(
        "{path} is not the countermeasure that its card describes: SHA-256 {actual}, expected {expected}; put the right file \
         there, or its hash into the card if it was exchanged on purpose"
    )]
    WrongFile {
        /// Path of the graph.
        path: PathBuf,
        /// The card's hash.
        expected: String,
        /// The file's hash.
        actual: String,
    },
    /// The graph declares other inputs or outputs than the card, or gives other numbers.
    #[error("the countermeasure {path} is not what its card says: {detail}")]
    GraphDiffers {
        /// Path of the graph.
        path: PathBuf,
        /// What differs from what the card says.
        detail: String,
    },
    /// The graph could not be loaded or run.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
}

/// `card.toml` as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile {
    id: String,
    #[serde(rename = "description")]
    _description: String,
    #[serde(rename = "licence")]
    _licence: String,
    sample_rate: u32,
    graph: GraphCard,
    input: WindowCard,
    output: ScoreCard,
    llr: LlrCard,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphCard {
    file: PathBuf,
    sha256: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowCard {
    name: String,
    samples: usize,
}

/// Which of the numbers that come out are the logits of spoofed and of bona fide speech. Without the second there is one
/// number, a score.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreCard {
    name: String,
    #[serde(default)]
    spoofed: usize,
    bona_fide: Option<usize>,
}

/// The ratio is `offset + scale * raw`, where `raw` is the score, or the logit of spoofed speech less that of bona fide
/// speech. A score that is higher for bona fide speech has a negative scale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LlrCard {
    scale: f64,
    offset: f64,
    spoofed_from: f64,
}

impl CardFile {
    /// What of it makes no sense.
    fn fault(&self) -> Option<String> {
        let numbers = [self.llr.scale, self.llr.offset, self.llr.spoofed_from];
        let places = (self.output.spoofed, self.output.bona_fide);
        if self.sample_rate != RATE.0 {
            let stated = self.sample_rate;
            Some(format!("sample_rate is {stated}; speech is heard at {}", RATE.0))
        } else if !(1..=LONGEST_WINDOW).contains(&self.input.samples) {
            let stated = self.input.samples;
            Some(format!(
                "input.samples is {stated}; it must be 1 to {LONGEST_WINDOW}"
            ))
        } else if !matches!(places, (0, None | Some(1)) | (1, Some(0))) {
            Some(
                "output.spoofed and output.bona_fide must be 0 and 1 or 1 and 0, or the first 0 by itself"
                    .to_owned(),
            )
        } else if numbers.iter().any(|number| !number.is_finite()) || self.llr.scale == 0.0 {
            Some("the numbers of [llr] must be finite, and llr.scale not 0".to_owned())
        } else {
            None
        }
    }

    /// How many numbers come out for a window.
    fn numbers(&self) -> usize {
        1 + usize::from(self.output.bona_fide.is_some())
    }

    /// How the graph's ports differ from what is fed and read.
    fn difference(&self, inputs: &[Port], outputs: &[Port]) -> Option<String> {
        if inputs.len() != 1 {
            return Some(format!("it has {} inputs where one is fed", inputs.len()));
        }
        let input = &self.input.name;
        let Some(port) = inputs.iter().find(|port| port.name == *input) else {
            return Some(format!(
                "it calls `{}` what the card calls `{input}`",
                inputs[0].name
            ));
        };
        let samples = self.input.samples as i64;
        let fits = matches!(port.shape[..], [-1 | 1, -1])
            || matches!(port.shape[..], [-1 | 1, length] if length == samples);
        if port.element != "float32" || !fits {
            let Port { element, shape, .. } = port;
            return Some(format!(
                "`{input}` takes {element} of shape {shape:?} (-1 is free), and is fed float32 of shape [1, {samples}]"
            ));
        }
        let output = &self.output.name;
        match outputs.iter().find(|port| port.name == *output) {
            None => Some(format!("it has no output called `{output}`")),
            Some(port) if port.element != "float32" => {
                Some(format!("`{output}` holds {}, not float32", port.element))
            }
            Some(_) => None,
        }
    }
}

/// What must be known of a countermeasure to feed it rightly.
#[derive(Debug, Clone)]
pub struct CountermeasureCard {
    folder: PathBuf,
    card: CardFile,
}

impl CountermeasureCard {
    /// Reads and checks `folder/card.toml`, and that the graph file is exactly the one it describes; the graph is not opened yet.
    ///
    /// # Errors
    /// [`CountermeasureError`] when it is missing or malformed, or of another file: that and both hashes.
    pub fn read(folder: &Path) -> Result<Self, CountermeasureError> {
        let path = folder.join("card.toml");
        let text = std::fs::read_to_string(&path).map_err(|cause| CountermeasureError::Unreadable {
            path: path.clone(),
            cause,
        })?;
        let malformed = |cause: String| CountermeasureError::Malformed {
            path: path.clone(),
            cause,
        };
        let card: CardFile = toml::from_str(&text).map_err(|cause| malformed(cause.to_string()))?;
        if let Some(cause) = card.fault() {
            return Err(malformed(cause));
        }
        let read = Self {
            folder: folder.to_owned(),
            card,
        };
        read.check_file()?;
        Ok(read)
    }

    /// The countermeasure's name.
    pub fn id(&self) -> &str {
        &self.card.id
    }

    /// The graph file.
    pub fn graph(&self) -> PathBuf {
        self.folder.join(&self.card.graph.file)
    }

    /// The hash of the graph file.
    pub fn sha256(&self) -> &str {
        &self.card.graph.sha256
    }

    /// Samples (16 kHz) of a window.
    pub fn window(&self) -> usize {
        self.card.input.samples
    }

    /// The ratio from which on speech is taken for spoofed.
    pub fn spoofed_from(&self) -> f64 {
        self.card.llr.spoofed_from
    }

    fn check_file(&self) -> Result<(), CountermeasureError> {
        let path = self.graph();
        let expected = self.sha256().to_owned();
        match sha256_of(&path) {
            Err(cause) => Err(CountermeasureError::Unreadable { path, cause }),
            Ok(actual) if actual == expected => Ok(()),
            Ok(actual) => Err(CountermeasureError::WrongFile {
                path,
                expected,
                actual,
            }),
        }
    }
}

/// A loaded countermeasure, for use by one thread.
pub struct Countermeasure {
    graph: Graph,
    card: CountermeasureCard,
}

impl Countermeasure {
    /// Loads it, checks it against its card, and has it hear a window of a soft tone. The file's hash is checked
    /// where the card is read, once a process and not once a thread.
    ///
    /// # Errors
    /// [`CountermeasureError`] when the graph cannot be loaded or run, or differs from its card.
    pub fn load(runtime: &Runtime, card: &CountermeasureCard) -> Result<Self, CountermeasureError> {
        let graph = runtime.open(&card.graph())?;
        if let Some(detail) = card.card.difference(&graph.inputs(), &graph.outputs()) {
            let path = card.graph();
            return Err(CountermeasureError::GraphDiffers { path, detail });
        }
        let card = card.clone();
        let mut loaded = Self { graph, card };
        let tone: Vec<f32> = (0..loaded.card.window())
            .map(|at| 0.05 * (at as f32 * 0.1).sin())
            .collect();
        loaded.llr(&tone)?;
        Ok(loaded)
    }

    /// The countermeasure's card.
    pub fn card(&self) -> &CountermeasureCard {
        &self.card
    }

    /// Of one window (16 kHz, [`CountermeasureCard::window`] samples): how much likelier it is where speech is spoofed than where
    /// it is bona fide, a natural logarithm.
    ///
    /// # Errors
    /// [`CountermeasureError`] when the network fails or gives no score.
    pub fn llr(&mut self, window: &[f32]) -> Result<Llr, CountermeasureError> {
        let CardFile {
            input, output, llr, ..
        } = &self.card.card;
        let differs = |detail: String| CountermeasureError::GraphDiffers {
            path: self.card.graph(),
            detail,
        };
        let shaped = ArrayView2::from_shape((1, window.len()), window);
        let shaped = shaped.map_err(|cause| differs(cause.to_string()))?;
        let feeds = [(input.name.as_str(), Input::Floats(shaped.into_dyn()))];
        let given = self.graph.run(&feeds, &[output.name.as_str()])?;
        let values: Vec<f64> = given.iter().flatten().map(|value| f64::from(*value)).collect();
        let raw = match (&values[..], output.bona_fide) {
            ([score], None) => *score,
            ([_, _], Some(bona_fide)) => values[output.spoofed] - values[bona_fide],
            _ => {
                let (given, said) = (values.len(), self.card.card.numbers());
                return Err(differs(format!(
                    "it gives {given} numbers for a window where the card says {said}"
                )));
            }
        };
        Llr::new(llr.offset + llr.scale * raw)
            .map_err(|_| differs(format!("it gave {raw} for a window of speech, which is no score")))
    }
}
