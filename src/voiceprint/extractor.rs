//! Speech to voiceprint: front end, graph, mean over pieces.

use ndarray::{ArrayD, ArrayViewD};
use thiserror::Error;

use crate::onnx::{Graph, Input, OnnxError, Runtime};
use crate::samples::RATE;
use crate::units::Seconds;

use super::card::{Card, CardError, Layout};
use super::embedding::{BadEmbedding, Embedding};
use super::front_end::FrontEnd;

/// Why no voiceprint came out.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The model is missing or is not what its card says.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The runtime or the graph failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The model's answer is no voiceprint.
    #[error("the model gave no usable voiceprint: {0}")]
    Embedding(#[from] BadEmbedding),
    /// The model's answer has another size than its card says.
    #[error("the model gave {actual} numbers for a piece of speech, its card says {expected}")]
    Dimension {
        /// What the card says.
        expected: usize,
        /// How many numbers came.
        actual: usize,
    },
    /// Too little speech for the model to say anything.
    #[error("{:.2} s of speech are too few, the model needs {:.2} s", got.get(), needed.get())]
    TooShort {
        /// How much there was.
        got: Seconds,
        /// How much the model's card asks for.
        needed: Seconds,
    },
}

/// The segments of some speech that were embedded so far.
#[derive(Default)]
pub struct SegmentSum {
    /// Runs of a network: each network hears each segment.
    runs: usize,
    direction: Vec<f32>,
}

/// A loaded speaker model, for use by one thread.
pub struct Extractor {
    card: Card,
    networks: Vec<Network>,
    embedded: Seconds,
}

/// A graph behind its front end.
struct Network {
    card: Card,
    graph: Graph,
    front_end: FrontEnd,
    /// The length of its part of an embedding: the root of its cosine's weight, so that the cosine of two whole embeddings is
    /// the weighted sum of their parts' cosines.
    root_weight: f32,
}

impl Extractor {
    /// Loads a model and checks it against its card: ports by name, element and shape, and that the front
    /// end gives what the graph takes. The files' hashes are checked by [`Card::check_files`], once a
    /// process and not once a thread.
    ///
    /// # Errors
    /// [`ExtractError`] when the model cannot be loaded or differs from its card.
    pub fn load(runtime: &Runtime, card: &Card) -> Result<Self, ExtractError> {
        let networks = match card.beside() {
            Some((other, weight)) => vec![
                Network::load(runtime, card, 1.0 - weight)?,
                Network::load(runtime, other, weight)?,
            ],
            None => vec![Network::load(runtime, card, 1.0)?],
        };
        Ok(Self {
            card: card.clone(),
            networks,
            embedded: Seconds::default(),
        })
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The embedding of some speech (16 kHz, silence removed), of unit length.
    ///
    /// The model hears the speech in one piece, or, beyond its card's bound, in equal overlapping segments,
    /// of which the mean direction is taken; one segment in a run, for a network of convolutions over seconds of speech gains
    /// nothing from a second one (models/README.md, Speed) and takes as much memory again for it.
    ///
    /// # Errors
    /// [`ExtractError::TooShort`] when there is less speech than the card's `segment.min_seconds`; others
    /// when the graph fails or gives no direction.
    pub fn embed(&mut self, speech: &[f32]) -> Result<Embedding, ExtractError> {
        let mut sum = SegmentSum::default();
        loop {
            if let Some(whole) = self.embed_segment(speech, &mut sum)? {
                return Ok(whole);
            }
        }
    }

    /// One run of a network for [`Extractor::embed`], over one segment: to be called with the same speech and sum until it
    /// gives the embedding.
    ///
    /// # Errors
    /// As [`Extractor::embed`].
    pub fn embed_segment(
        &mut self,
        speech: &[f32],
        sum: &mut SegmentSum,
    ) -> Result<Option<Embedding>, ExtractError> {
        let segment = self.card.segment();
        let too_short = || ExtractError::TooShort {
            got: RATE.seconds(speech.len()),
            needed: segment.shortest,
        };
        if speech.len() < RATE.samples(segment.shortest) {
            return Err(too_short());
        }
        let cuts = segment.cuts(speech.len());
        let (at, turn) = (sum.runs / self.networks.len(), sum.runs % self.networks.len());
        let cut = cuts.get(at).cloned().unwrap_or_default();
        if turn == 0 {
            self.embedded = self.embedded.plus(RATE.seconds(cut.len()));
        }
        sum.direction.resize(self.card.dimension(), 0.0);
        let before = self.networks[..turn]
            .iter()
            .map(Network::dimension)
            .sum::<usize>();
        let network = &mut self.networks[turn];
        let part = &mut sum.direction[before..before + network.dimension()];
        let piece = network.front_end.piece(&speech[cut]).ok_or_else(too_short)?;
        network.add(piece.view(), part)?;
        sum.runs += 1;
        let is_whole = sum.runs >= cuts.len() * self.networks.len();
        Ok(if is_whole {
            Some(Embedding::from_direction(std::mem::take(&mut sum.direction))?)
        } else {
            None
        })
    }

    /// How much speech was embedded so far, what was embedded twice counted twice.
    pub fn embedded(&self) -> Seconds {
        self.embedded
    }
}

impl Network {
    fn load(runtime: &Runtime, card: &Card, weight: f64) -> Result<Self, ExtractError> {
        let graph = runtime.open(&card.graph())?;
        card.check_graph(&graph)?;
        Ok(Self {
            card: card.clone(),
            graph,
            front_end: FrontEnd::new(card.front_end()),
            root_weight: weight.sqrt() as f32,
        })
    }

    fn dimension(&self) -> usize {
        self.card.own_dimension()
    }

    /// Adds the embedding of a piece, as the front end gives it, to the sum of earlier ones. A piece's length says nothing and is
    /// taken out; one without a direction would pass for a voice beside the other network's.
    fn add(&mut self, piece: ArrayViewD<'_, f32>, sum: &mut [f32]) -> Result<(), ExtractError> {
        let expected = sum.len();
        let wrong = |actual| ExtractError::Dimension { expected, actual };
        let answers = self.run(piece)?;
        if answers.is_empty() {
            return Err(wrong(0));
        }
        for row in answers.outer_iter() {
            if row.len() != expected {
                return Err(wrong(row.len()));
            }
            let own = Embedding::from_direction(row.iter().copied().collect())?;
            for (total, value) in sum.iter_mut().zip(own.as_slice()) {
                *total += self.root_weight * value;
            }
        }
        Ok(())
    }

    /// What the graph makes of some pieces, laid out as it wants them: [pieces, dimension].
    fn run(&mut self, pieces: ArrayViewD<'_, f32>) -> Result<ArrayD<f32>, ExtractError> {
        let ports = self.card.ports();
        let lengths = vec![pieces.shape()[1] as i64; pieces.shape()[0]];
        let turned;
        let features = match ports.layout {
            Layout::TimeFeatures | Layout::Samples => pieces,
            Layout::FeaturesTime => {
                turned = pieces
                    .permuted_axes(vec![0, 2, 1])
                    .as_standard_layout()
                    .into_owned();
                turned.view()
            }
        };
        let mut feeds = vec![(ports.input, Input::Floats(features))];
        feeds.extend(ports.length.map(|name| (name, Input::Integers(&lengths))));
        let mut answers = self.graph.run(&feeds, &[ports.output])?;
        answers.pop().ok_or(ExtractError::Dimension {
            expected: self.dimension(),
            actual: 0,
        })
    }
}
