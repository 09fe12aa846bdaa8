//! Speech to voiceprint: front end, graph, mean over windows.

use ndarray::Axis;
use thiserror::Error;

use crate::onnx::{Graph, Input, OnnxError, Runtime};

use super::card::{Card, CardError};
use super::embedding::{BadEmbedding, Embedding};
use super::front_end::Ge2eMel;

/// Windows in one run of the graph: batches are twice as fast as single windows, and a bound on them is
/// a bound on memory.
const BATCH: usize = 16;

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
    #[error("the model gave {actual} numbers for a window, its card says {expected}")]
    Dimension {
        /// What the card says.
        expected: usize,
        /// What came.
        actual: usize,
    },
}

/// A loaded speaker model, for use by one thread.
pub struct Extractor {
    card: Card,
    graph: Graph,
    front_end: Ge2eMel,
}

impl Extractor {
    /// Loads a model and checks it against its card: ports by name and shape, and one run on silence.
    /// The files' hashes are checked by [`Card::check_files`], once a process and not once a thread.
    ///
    /// # Errors
    /// [`ExtractError`] when the model cannot be loaded or differs from its card.
    pub fn load(runtime: &Runtime, card: &Card) -> Result<Self, ExtractError> {
        let graph = runtime.open(&card.graph())?;
        card.check_graph(&graph)?;
        Ok(Self {
            card: card.clone(),
            graph,
            front_end: Ge2eMel::new(card.mel()),
        })
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The embedding of some speech (16 kHz, silence removed): the mean of the embeddings of its
    /// windows, scaled to unit length. Speech shorter than a window is filled up with silence; whether
    /// that little may be judged is the caller's to decide.
    ///
    /// # Errors
    /// [`ExtractError`] when the graph fails or gives no direction.
    pub fn embed(&mut self, speech: &[f32]) -> Result<Embedding, ExtractError> {
        let windows = self.front_end.windows(speech.len());
        let mel = self.front_end.mel(speech, &windows);
        let (input, output) = self.card.ports();
        let mut sum = vec![0.0f32; self.card.dimension()];
        for batch in mel.axis_chunks_iter(Axis(0), BATCH) {
            let feeds = [(input, Input::Floats(batch.into_dyn()))];
            let answers = self.graph.run(&feeds, &[output])?;
            for row in answers[0].outer_iter() {
                if row.len() != sum.len() {
                    return Err(ExtractError::Dimension {
                        expected: sum.len(),
                        actual: row.len(),
                    });
                }
                for (total, value) in sum.iter_mut().zip(row.iter()) {
                    *total += value;
                }
            }
        }
        Ok(Embedding::from_direction(sum)?)
    }
}
