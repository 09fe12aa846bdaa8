//! How much of some speech several people say at once.
//!
//! pyannote's segmentation-3.0 gives, for each 16.875 ms, the probabilities of seven classes: nobody, one of three speakers,
//! two of the three (Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization",
//! Interspeech 2023). Its three speakers are numbered anew in each run, so only how many speak is counted. `models/training/segmentation.py` writes the graph.

use std::path::{Path, PathBuf};

use ndarray::{ArrayView2, Axis};
use thiserror::Error;

use crate::onnx::{Graph, Input, OnnxError, Port, Runtime};

/// What goes into the graph, and what comes out.
const AUDIO: &str = "audio";
const SAID: &str = "classes";

/// The classes: nobody, three of one speaker, three of two.
const CLASSES: usize = 7;

/// The first class in which two speak.
const FIRST_OF_TWO: usize = 4;

/// The fewest samples (16 kHz) that are heard: 0.2 s, of which a frame remains after the convolutions.
const FEWEST: usize = 3200;

/// Why it could not be told how many speak.
#[derive(Debug, Error)]
pub enum OverlapError {
    /// The runtime or the graph failed.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// The file is a graph, but not segmentation-3.0 as its card describes it.
    #[error(
        "{path} is not the segmentation network that its card describes: {detail}; put back the file of models/segmentation"
    )]
    NotSegmentation {
        /// The graph.
        path: PathBuf,
        /// What differs.
        detail: String,
    },
}

/// How many frames of some audio held speech, and in how many of them several people spoke at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Frames in which somebody speaks.
    pub speech: usize,
    /// Frames in which two do.
    pub at_once: usize,
}

/// The network, for use by one thread.
pub struct OverlapDetector {
    graph: Graph,
    path: PathBuf,
}

impl OverlapDetector {
    /// Loads the network and has it hear a soft tone, to see that it is what this code feeds.
    ///
    /// # Errors
    /// [`OverlapError`] when the file is missing, not a graph, or another network.
    pub fn load(runtime: &Runtime, graph: &Path) -> Result<Self, OverlapError> {
        let mut loaded = Self {
            graph: runtime.open(graph)?,
            path: graph.to_owned(),
        };
        let has = |ports: Vec<Port>, name: &str| ports.iter().any(|port| port.name == name);
        if !has(loaded.graph.inputs(), AUDIO) || !has(loaded.graph.outputs(), SAID) {
            let path = graph.to_owned();
            let detail = format!("it has no input `{AUDIO}` or no output `{SAID}`");
            return Err(OverlapError::NotSegmentation { path, detail });
        }
        let tone: Vec<f32> = (0..FEWEST).map(|at| 0.05 * (at as f32 * 0.1).sin()).collect();
        loaded.hear(&tone)?;
        Ok(loaded)
    }

    /// Counts the frames of some speech (16 kHz, not much softer than -30 dBFS) by how many people speak in them; of less than 0.2 s
    /// nothing is counted.
    ///
    /// # Errors
    /// [`OverlapError`] when the runtime fails or the network gives something else than probabilities of its classes.
    pub fn hear(&mut self, speech: &[f32]) -> Result<Overlap, OverlapError> {
        if speech.len() < FEWEST {
            return Ok(Overlap::default());
        }
        let path = &self.path;
        let differs = |detail: String| OverlapError::NotSegmentation {
            path: path.clone(),
            detail,
        };
        let shaped = ArrayView2::from_shape((1, speech.len()), speech);
        let shaped = shaped.map_err(|cause| differs(cause.to_string()))?;
        let feeds = [(AUDIO, Input::Floats(shaped.into_dyn()))];
        let given = self.graph.run(&feeds, &[SAID])?;
        let frames = given
            .first()
            .filter(|array| matches!(array.shape(), [_, CLASSES]));
        let Some(frames) = frames else {
            let shapes: Vec<&[usize]> = given.iter().map(|array| array.shape()).collect();
            return Err(differs(format!(
                "it gives {shapes:?} where [frames, {CLASSES}] is wanted"
            )));
        };
        if let Some(value) = frames.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            return Err(differs(format!("it gave {value}, which is no probability")));
        }
        let mut counted = Overlap::default();
        for frame in frames.axis_iter(Axis(0)) {
            let likelier = |best, class| if frame[class] > frame[best] { class } else { best };
            let likeliest = (1..CLASSES).fold(0, likelier);
            counted.speech += usize::from(likeliest > 0);
            counted.at_once += usize::from(likeliest >= FIRST_OF_TWO);
        }
        Ok(counted)
    }
}
