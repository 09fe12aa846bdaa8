//! Silero VAD: one probability of speech for every 32 ms, with state carried from window to window.
//!
//! Of the two networks in the file it is the one for 8 kHz that is asked: on telephones it hears callers whom the
//! other is deaf to (models/README.md), and a window costs it less.

use std::path::Path;

use ndarray::{ArrayView3, Ix3};
use thiserror::Error;

use super::feed::{FED, Feed, WINDOW};
use super::network::{CONTEXT, FRAME, FRAMES, HOP, MIRRORED, STATE, Source, network};
use crate::onnx::{Graph, Input, OnnxError, Runtime};

/// Windows that one run takes: it bounds the memory that a long piece of audio needs.
const MOST_AT_ONCE: usize = 64;

/// Why speech could not be looked for.
#[derive(Debug, Error)]
pub enum VadError {
    /// The runtime or the graph failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The file is a graph, but not Silero VAD as its card describes it.
    #[error("the speech detector's graph is not Silero VAD 6: {detail}; run `make provision`")]
    NotSilero {
        /// What is missing or differs.
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
    /// What the model is shown of the windows of a run: kept, so that a run allocates nothing for it.
    frames: Vec<f32>,
}

/// What the model remembers of one stream.
#[derive(Clone)]
pub struct VadState {
    feed: Feed,
    state: [f32; 2 * STATE],
    context: [f32; CONTEXT],
}

impl Default for VadState {
    fn default() -> Self {
        Self {
            feed: Feed::new(),
            state: [0.0; 2 * STATE],
            context: [0.0; CONTEXT],
        }
    }
}

impl VadState {
    /// Takes the next window (16 kHz) and writes what the model is shown of it: four overlapping frames of the line at
    /// 8 kHz, the end mirrored.
    fn show(&mut self, window: &[f32; WINDOW], frames: &mut Vec<f32>) {
        let heard = self.feed.next(window);
        let mut line = [0.0; CONTEXT + FED + MIRRORED];
        line[..CONTEXT].copy_from_slice(&self.context);
        line[CONTEXT..CONTEXT + FED].copy_from_slice(&heard);
        for at in 0..MIRRORED {
            line[CONTEXT + FED + at] = heard[FED - 2 - at];
        }
        for frame in 0..FRAMES {
            frames.extend_from_slice(&line[frame * HOP..][..FRAME]);
        }
        self.context.copy_from_slice(&heard[FED - CONTEXT..]);
    }
}

impl Vad {
    /// Loads Silero VAD from its graph and checks that it is what this code feeds.
    ///
    /// # Errors
    /// [`VadError`] when the file is missing, not a graph, or another model.
    pub fn load(runtime: &Runtime, graph: &Path) -> Result<Self, VadError> {
        let weights = crate::onnx::weights(graph)?;
        let draft = network(&Source(&weights)).map_err(|detail| VadError::NotSilero { detail })?;
        Ok(Self {
            graph: runtime.open_draft(&draft, graph)?,
            frames: Vec::new(),
        })
    }

    /// The probability, 0 to 1, that each of these windows (16 kHz) of one stream holds speech, given what came before
    /// them. It is the same however many are asked for at a time.
    ///
    /// # Errors
    /// [`VadError`] when the runtime fails or the model gives no probability.
    pub fn probabilities(
        &mut self,
        windows: &[[f32; WINDOW]],
        carried: &mut VadState,
    ) -> Result<Vec<f32>, VadError> {
        let mut found = Vec::with_capacity(windows.len());
        for windows in windows.chunks(MOST_AT_ONCE) {
            self.frames.clear();
            for window in windows {
                carried.show(window, &mut self.frames);
            }
            found.extend(self.run(windows.len(), carried)?);
        }
        match found.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            Some(value) => Err(VadError::NoProbability { value: *value }),
            None => Ok(found),
        }
    }

    fn run(&mut self, windows: usize, carried: &mut VadState) -> Result<Vec<f32>, VadError> {
        let not_silero = |cause: ndarray::ShapeError| VadError::NotSilero {
            detail: cause.to_string(),
        };
        let shown = ArrayView3::from_shape((windows, FRAMES, FRAME), &self.frames).map_err(not_silero)?;
        let state = ArrayView3::from_shape((2, 1, STATE), &carried.state).map_err(not_silero)?;
        let feeds = [
            ("frames", Input::Floats(shown.into_dyn())),
            ("state", Input::Floats(state.into_dyn())),
        ];
        let outputs = self.graph.run(&feeds, &["output", "stateN"])?;
        let [output, after] = outputs.as_slice() else {
            return Ok(Vec::new());
        };
        let after = after.view().into_dimensionality::<Ix3>().map_err(not_silero)?;
        for (kept, value) in carried.state.iter_mut().zip(after.iter()) {
            *kept = *value;
        }
        Ok(output.iter().copied().collect())
    }
}
