//! Speech to voiceprint: front end, graph, mean over pieces.

use ndarray::{ArrayD, ArrayViewD, Axis};
use thiserror::Error;

use crate::onnx::{Graph, Input, OnnxError, Runtime};
use crate::samples::RATE;
use crate::units::Seconds;

use super::card::{Card, CardError, Layout};
use super::embedding::{BadEmbedding, Embedding};
use super::front_end::FrontEnd;

/// Segments in one run: a network of convolutions over seconds of speech gains nothing from a second one
/// (models/README.md, Speed) and takes as much memory again for it.
const SEGMENTS: usize = 1;

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
        /// What came.
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

/// A loaded speaker model, for use by one thread.
pub struct Extractor {
    card: Card,
    graph: Graph,
    front_end: FrontEnd,
}

impl Extractor {
    /// Loads a model and checks it against its card: ports by name, element and shape, and that the front
    /// end gives what the graph takes. The files' hashes are checked by [`Card::check_files`], once a
    /// process and not once a thread.
    ///
    /// # Errors
    /// [`ExtractError`] when the model cannot be loaded or differs from its card.
    pub fn load(runtime: &Runtime, card: &Card) -> Result<Self, ExtractError> {
        let graph = runtime.open(&card.graph())?;
        card.check_graph(&graph)?;
        Ok(Self {
            card: card.clone(),
            graph,
            front_end: FrontEnd::new(card.front_end()),
        })
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The embedding of some speech (16 kHz, silence removed), of unit length.
    ///
    /// The model hears the speech in one piece, or, beyond its card's bound, in equal overlapping segments,
    /// of which the mean direction is taken.
    ///
    /// # Errors
    /// [`ExtractError::TooShort`] when there is less speech than the card's `segment.min_seconds`; others
    /// when the graph fails or gives no direction.
    pub fn embed(&mut self, speech: &[f32]) -> Result<Embedding, ExtractError> {
        let segment = self.card.segment();
        let too_short = || ExtractError::TooShort {
            got: RATE.seconds(speech.len()),
            needed: segment.shortest,
        };
        if speech.len() < RATE.samples(segment.shortest) {
            return Err(too_short());
        }
        let pieces = self.front_end.pieces(speech, segment).ok_or_else(too_short)?;
        let mut sum = vec![0.0f32; self.card.dimension()];
        for batch in pieces.axis_chunks_iter(Axis(0), SEGMENTS) {
            let answers = self.run(batch)?;
            for row in answers.outer_iter() {
                if row.len() != sum.len() {
                    return Err(ExtractError::Dimension {
                        expected: sum.len(),
                        actual: row.len(),
                    });
                }
                // A segment's length says nothing and is taken out.
                let scale = 1.0 / length(&row);
                for (total, value) in sum.iter_mut().zip(row.iter()) {
                    *total += value * scale;
                }
            }
        }
        Ok(Embedding::from_direction(sum)?)
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
            expected: self.card.dimension(),
            actual: 0,
        })
    }
}

/// The length of an answer; never zero, so that nothing is divided by it.
fn length(row: &ArrayViewD<'_, f32>) -> f32 {
    let squares = row.iter().map(|value| f64::from(*value).powi(2));
    squares.sum::<f64>().sqrt().max(f64::from(f32::MIN_POSITIVE)) as f32
}
