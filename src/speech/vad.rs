//! Silero VAD: one probability of speech for every 32 ms, with state carried from window to window.
//!
//! Of the two networks in the file it is the one for 8 kHz that is asked: on telephones it hears callers whom the
//! other is deaf to (models/README.md), and a window costs it less.

use std::path::Path;

use ndarray::{Array2, Array3, Axis, concatenate};
use thiserror::Error;

use super::feed::{FED, Feed, WINDOW};
use crate::onnx::{Graph, Input, OnnxError, Runtime};

/// Samples of the window before that the model sees again.
const CONTEXT: usize = 32;
const STATE: usize = 128;

/// Why speech could not be looked for.
#[derive(Debug, Error)]
pub enum VadError {
    /// The runtime or the graph failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The file is a graph, but not Silero VAD as its card describes it.
    #[error("the speech detector's graph is not Silero VAD 6: {detail}; run `make provision`")]
    NotSilero {
        /// Which input or output differs.
        detail: String,
    },
    /// The model gave something that is no probability.
    #[error("the speech detector gave {value}, which is no probability")]
    NoProbability {
        /// What it gave.
        value: f32,
    },
}

/// The model, for use by one thread.
pub struct Vad {
    graph: Graph,
}

/// What the model remembers of one stream.
#[derive(Clone)]
pub struct VadState {
    feed: Feed,
    state: Array3<f32>,
    context: [f32; CONTEXT],
}

impl Default for VadState {
    fn default() -> Self {
        Self {
            feed: Feed::new(),
            state: Array3::zeros((2, 1, STATE)),
            context: [0.0; CONTEXT],
        }
    }
}

impl Vad {
    /// Loads Silero VAD from its graph and checks that it is what this code feeds.
    ///
    /// # Errors
    /// [`VadError`] when the file is missing, not a graph, or another model.
    pub fn load(runtime: &Runtime, graph: &Path) -> Result<Self, VadError> {
        let graph = runtime.open(graph)?;
        let names =
            |ports: Vec<crate::onnx::Port>| ports.into_iter().map(|port| port.name).collect::<Vec<_>>();
        let (inputs, outputs) = (names(graph.inputs()), names(graph.outputs()));
        if inputs != ["input", "state", "sr"] || outputs != ["output", "stateN"] {
            let detail = format!("its inputs are {inputs:?} and its outputs {outputs:?}");
            return Err(VadError::NotSilero { detail });
        }
        Ok(Self { graph })
    }

    /// The probability, 0 to 1, that `window` (16 kHz) holds speech, given what came before it.
    ///
    /// # Errors
    /// [`VadError`] when the runtime fails or the model gives no probability.
    pub fn probability(&mut self, window: &[f32; WINDOW], carried: &mut VadState) -> Result<f32, VadError> {
        let context = Array2::from_shape_fn((1, CONTEXT), |(_, at)| carried.context[at]);
        let heard = carried.feed.next(window);
        let fresh = Array2::from_shape_fn((1, FED), |(_, at)| heard[at]);
        let input = concatenate![Axis(1), context, fresh].into_dyn();
        let state = carried.state.view().into_dyn();
        let feeds = [
            ("input", Input::Floats(input.view())),
            ("state", Input::Floats(state)),
            ("sr", Input::Integer(8_000)),
        ];
        let outputs = self.graph.run(&feeds, &["output", "stateN"])?;
        let probability = outputs[0].first().copied().unwrap_or(f32::NAN);
        if !(0.0..=1.0).contains(&probability) {
            return Err(VadError::NoProbability { value: probability });
        }
        for (kept, value) in carried.state.iter_mut().zip(outputs[1].iter()) {
            *kept = *value;
        }
        carried.context.copy_from_slice(&heard[FED - CONTEXT..]);
        Ok(probability)
    }
}
