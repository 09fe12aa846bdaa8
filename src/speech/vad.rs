//! pyannote's segmentation-3.0: of each 17 ms of a window, whether nobody, one of three people, or two of them
//! at once speak.

use std::path::Path;

use ndarray::ArrayView3;
use thiserror::Error;

use crate::onnx::{Graph, Input, OnnxError, Runtime};

/// Samples from one frame to the next at 16 kHz: 16.875 ms.
pub const FRAME: usize = 270;

/// How many samples one frame is made of, and the fewest that can be judged.
pub const RECEPTIVE_FIELD: usize = 991;

const CLASSES: usize = 7;

/// Who speaks in one frame: probabilities that sum to one. The three are told apart within a window only:
/// the first of one window may be the second of the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame(pub [f32; CLASSES]);

impl Frame {
    /// Nobody, surely.
    pub const SILENCE: Self = Self([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);

    /// The probability, 0 to 1, that anybody speaks.
    pub fn speech(&self) -> f32 {
        1.0 - self.0[0]
    }

    /// The probability, 0 to 1, that two speak at once.
    pub fn overlap(&self) -> f32 {
        self.0[4] + self.0[5] + self.0[6]
    }

    /// The probability, 0 to 1, that each of the three speaks, alone or with another.
    pub fn speakers(&self) -> [f32; 3] {
        let [_, a, b, c, ab, ac, bc] = self.0;
        [a + ab + ac, b + ab + bc, c + ac + bc]
    }
}

/// Why speech could not be looked for.
#[derive(Debug, Error)]
pub enum VadError {
    /// The runtime or the graph failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The file is a graph, but not segmentation-3.0 as its card describes it.
    #[error(
        "the speech detector's graph is not pyannote's segmentation-3.0: {detail}; put models/segmentation back as \
         released"
    )]
    NotSegmentation {
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

/// The model, for use by one thread. It remembers nothing from window to window.
pub struct Vad {
    graph: Graph,
}

impl Vad {
    /// Loads the model from its graph and checks that it is what this code feeds.
    ///
    /// # Errors
    /// [`VadError`] when the file is missing, not a graph, or another model.
    pub fn load(runtime: &Runtime, graph: &Path) -> Result<Self, VadError> {
        let graph = runtime.open(graph)?;
        let names =
            |ports: Vec<crate::onnx::Port>| ports.into_iter().map(|port| port.name).collect::<Vec<_>>();
        let (inputs, outputs) = (names(graph.inputs()), names(graph.outputs()));
        if inputs != ["samples"] || outputs != ["classes"] {
            let detail = format!("its inputs are {inputs:?} and its outputs {outputs:?}");
            return Err(VadError::NotSegmentation { detail });
        }
        Ok(Self { graph })
    }

    /// Who speaks in each frame of `window` (16 kHz, filled up with silence to [`RECEPTIVE_FIELD`]). Frame `n` is of
    /// the samples from `n` x [`FRAME`] on. How loud the window is does not matter: the model brings every
    /// window to one level first.
    ///
    /// # Errors
    /// [`VadError`] when the runtime fails or the model gives no probability.
    pub fn frames(&mut self, window: &[f32]) -> Result<Vec<Frame>, VadError> {
        let mut filled = Vec::new();
        let samples = if window.len() < RECEPTIVE_FIELD {
            filled.extend_from_slice(window);
            filled.resize(RECEPTIVE_FIELD, 0.0);
            filled.as_slice()
        } else {
            window
        };
        let shaped = ArrayView3::from_shape((1, 1, samples.len()), samples).map_err(|fault| {
            VadError::NotSegmentation {
                detail: format!("a window does not fit it ({fault})"),
            }
        })?;
        let outputs = self
            .graph
            .run(&[("samples", Input::Floats(shaped.into_dyn()))], &["classes"])?;
        let shape = outputs[0].shape();
        if shape.len() != 3 || shape[0] != 1 || shape[1] == 0 || shape[2] != CLASSES {
            let detail = format!("it gave {shape:?} for one window, not [1, frames, {CLASSES}]");
            return Err(VadError::NotSegmentation { detail });
        }
        let values: Vec<f32> = outputs[0].iter().copied().collect();
        // Half a thousandth: they are quotients of rounded numbers.
        if let Some(value) = values.iter().find(|value| !(0.0..=1.0005).contains(*value)) {
            return Err(VadError::NoProbability { value: *value });
        }
        let (frames, _) = values.as_chunks::<CLASSES>();
        Ok(frames.iter().map(|frame| Frame(*frame)).collect())
    }
}
