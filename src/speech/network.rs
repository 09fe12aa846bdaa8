//! Silero's network for 8 kHz, written down once more so that many windows of one stream are one run.
//!
//! The published graph takes one step at a time and works through its branches, slices and reshapings anew at each: 88 us
//! for a window of 32 ms, of which a fifth is arithmetic. All but the recurrent layer looks at one window only, and
//! convolutions over the four frames of a window are products with one matrix: so the windows of a piece of audio go
//! through them together, and the recurrent layer takes them in turn. The weights are the published file's; the
//! probabilities are the published graph's to 1e-7.

use crate::onnx::{Attribute, Draft, Weights};

use super::feed::FED;

/// Samples of the window before that the model sees again.
pub(super) const CONTEXT: usize = 32;
/// Numbers in each of the two halves of the state.
pub(super) const STATE: usize = 128;
/// Samples of a frame of the short-time Fourier transform, and from one to the next.
pub(super) const FRAME: usize = 128;
pub(super) const HOP: usize = 64;
/// Frames of a window: its samples with the context, and the last of them mirrored.
pub(super) const FRAMES: usize = 4;
/// Samples that are mirrored at the end.
pub(super) const MIRRORED: usize = (FRAMES - 1) * HOP + FRAME - CONTEXT - FED;

/// Magnitudes of a frame.
const BINS: usize = FRAME / 2 + 1;

/// Where the file keeps the network for 8 kHz.
const PLACE: &str = "If_0_else_branch__Inline_0__";

/// Asks a file for weights by their name.
pub(super) struct Source<'a>(pub &'a std::collections::HashMap<String, Weights>);

impl Source<'_> {
    /// The weights of that name; says which are missing or have another shape.
    fn take(&self, name: &str, shape: &[usize]) -> Result<&Weights, String> {
        match self.0.get(&format!("{PLACE}{name}")) {
            Some(weights) if weights.shape == shape => Ok(weights),
            Some(weights) => Err(format!(
                "`{name}` has the shape {:?}, not {shape:?}",
                weights.shape
            )),
            None => Err(format!("it has no weights called `{name}`")),
        }
    }
}

/// The network: `frames` [windows, 4, 128] and `state` [2, 1, 128] to `output` [windows, 1, 1, 1] and `stateN`.
///
/// # Errors
/// Which weights are missing or differ.
pub(super) fn network(source: &Source<'_>) -> Result<Draft, String> {
    let mut draft = Draft::default();
    draft.input("frames", &[None, Some(FRAMES as u64), Some(FRAME as u64)]);
    draft.input("state", &[Some(2), Some(1), Some(STATE as u64)]);
    spectrum(&mut draft, source)?;
    let layers = [
        Layer::new(BINS, 128, FRAMES, 1),
        Layer::new(128, 64, FRAMES, 2),
        Layer::new(64, 64, 2, 2),
        Layer::new(64, 128, 1, 1),
    ];
    let mut heard = "magnitudes".to_owned();
    for (at, layer) in layers.iter().enumerate() {
        heard = layer.add(&mut draft, source, at, &heard)?;
    }
    recurrent(&mut draft, source, &heard)?;
    draft.output("output");
    draft.output("stateN");
    Ok(draft)
}

/// The magnitudes of the frames, those of a window in a row.
fn spectrum(draft: &mut Draft, source: &Source<'_>) -> Result<(), String> {
    let basis = source.take("stft.forward_basis_buffer", &[2 * BINS, 1, FRAME])?;
    draft.floats("basis", &turned(&basis.values, 2 * BINS, FRAME));
    draft.integers("window", &[-1, (FRAMES * BINS) as i64]);
    draft.node("MatMul", &["frames", "basis"], &["spectrum"], &[]);
    draft.node(
        "Split",
        &["spectrum"],
        &["real", "imaginary"],
        &[("axis", Attribute::Integer(2))],
    );
    draft.node("Mul", &["real", "real"], &["real_power"], &[]);
    draft.node("Mul", &["imaginary", "imaginary"], &["imaginary_power"], &[]);
    draft.node("Add", &["real_power", "imaginary_power"], &["power"], &[]);
    draft.node("Sqrt", &["power"], &["magnitude"], &[]);
    draft.node("Reshape", &["magnitude", "window"], &["magnitudes"], &[]);
    Ok(())
}

/// A convolution of three taps over the frames of a window, one frame of silence on either side.
struct Layer {
    from: usize,
    to: usize,
    frames: usize,
    stride: usize,
}

impl Layer {
    const TAPS: usize = 3;

    fn new(from: usize, to: usize, frames: usize, stride: usize) -> Self {
        Self {
            from,
            to,
            frames,
            stride,
        }
    }

    /// Adds it, with what is below zero cut off, and gives the name of what comes out.
    fn add(&self, draft: &mut Draft, source: &Source<'_>, at: usize, heard: &str) -> Result<String, String> {
        let filter = format!("encoder.{at}.reparam_conv.weight");
        let filter = source.take(&filter, &[self.to, self.from, Self::TAPS])?;
        let bias = source.take(&format!("encoder.{at}.reparam_conv.bias"), &[self.to])?;
        let out = self.frames.div_ceil(self.stride);
        let [weights, offset, sum, kept] =
            ["weights", "offset", "sum", "kept"].map(|what| format!("encoder.{at}.{what}"));
        draft.floats(&weights, &self.matrix(&filter.values, out));
        let offsets = Weights {
            shape: vec![out * self.to],
            values: bias.values.repeat(out),
        };
        draft.floats(&offset, &offsets);
        draft.node("Gemm", &[heard, &weights, &offset], &[&sum], &[]);
        draft.node("Relu", &[&sum], &[&kept], &[]);
        Ok(kept)
    }

    /// The convolution as a matrix: from each number of each frame to each of each frame that comes out.
    fn matrix(&self, filter: &[f32], out: usize) -> Weights {
        let (rows, columns) = (self.frames * self.from, out * self.to);
        let mut values = vec![0.0; rows * columns];
        for frame_out in 0..out {
            for tap in 0..Self::TAPS {
                let Some(frame) = (frame_out * self.stride + tap).checked_sub(1) else {
                    continue;
                };
                if frame >= self.frames {
                    continue;
                }
                for from in 0..self.from {
                    let row = (frame * self.from + from) * columns + frame_out * self.to;
                    for to in 0..self.to {
                        values[row + to] = filter[(to * self.from + from) * Self::TAPS + tap];
                    }
                }
            }
        }
        Weights {
            shape: vec![rows, columns],
            values,
        }
    }
}

/// The recurrent layer, and from what it gives to a probability.
fn recurrent(draft: &mut Draft, source: &Source<'_>, heard: &str) -> Result<(), String> {
    let gates = 4 * STATE;
    let input = source.take("decoder.rnn.weight_ih", &[gates, STATE])?;
    let again = source.take("decoder.rnn.weight_hh", &[gates, STATE])?;
    let biases = ["decoder.rnn.bias_ih", "decoder.rnn.bias_hh"].map(|name| source.take(name, &[gates]));
    let [input_bias, again_bias] = biases;
    let matrix = |values: &[f32]| Weights {
        shape: vec![1, gates, STATE],
        values: in_onnx_order(values),
    };
    draft.floats("input_weights", &matrix(&input.values));
    draft.floats("again_weights", &matrix(&again.values));
    let bias = Weights {
        shape: vec![1, 2 * gates],
        values: [
            in_onnx_order(&input_bias?.values),
            in_onnx_order(&again_bias?.values),
        ]
        .concat(),
    };
    draft.floats("biases", &bias);
    let last = source.take("decoder.decoder.2.weight", &[1, STATE, 1])?;
    draft.floats("last_weights", &turned(&last.values, 1, STATE));
    draft.floats("last_bias", source.take("decoder.decoder.2.bias", &[1])?);
    draft.integers("one", &[1]);

    let halves = [("axis", Attribute::Integer(0))];
    draft.node("Unsqueeze", &[heard, "one"], &["steps"], &[]);
    draft.node("Split", &["state"], &["hidden", "cell"], &halves);
    let inputs = [
        "steps",
        "input_weights",
        "again_weights",
        "biases",
        "",
        "hidden",
        "cell",
    ];
    let size = [("hidden_size", Attribute::Integer(STATE as i64))];
    draft.node("LSTM", &inputs, &["each", "hidden_last", "cell_last"], &size);
    draft.node("Concat", &["hidden_last", "cell_last"], &["stateN"], &halves);
    draft.node("Relu", &["each"], &["each_kept"], &[]);
    draft.node("MatMul", &["each_kept", "last_weights"], &["product"], &[]);
    draft.node("Add", &["product", "last_bias"], &["score"], &[]);
    draft.node("Sigmoid", &["score"], &["output"], &[]);
    Ok(())
}

/// PyTorch's order of an LSTM's gates (input, forget, cell, output) as ONNX has it (input, output, forget, cell).
fn in_onnx_order(values: &[f32]) -> Vec<f32> {
    let (input, rest) = values.split_at(values.len() / 4);
    let (forget_and_cell, output) = rest.split_at(values.len() / 2);
    [input, output, forget_and_cell].concat()
}

/// A matrix [rows, columns], turned to [columns, rows].
fn turned(values: &[f32], rows: usize, columns: usize) -> Weights {
    let turned = (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column]));
    Weights {
        shape: vec![columns, rows],
        values: turned.collect(),
    }
}
