#!/usr/bin/env python3
"""Write a trained student as an ONNX graph: the operators of `ge2e.Student`, one by one.

    export.py FOLDER/student.pt --backend FOLDER/backend.npz --out models/voxline-phone-1/voxline-phone-1.onnx
        [--golden FILE] [--blend 0.75]

What still has a voice above 4 kHz came over no telephone and goes, behind the repair, through layers that are nearer to
the published ones: the trained ones know 120 readers, GE2E thousands. They are kept as their distance from those for
the telephone, in half precision.

The graph is checked against PyTorch on random input before it is kept. `--golden` writes PyTorch's embeddings of
tests/data/golden/speech.wav, which the Rust ones are tested against. `--blend` is how far GE2E's own layers go from
where they began to where training took them (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
"""

import argparse
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import onnx

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before it is loaded, or it reports on its use

import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from audio import RATE, load, mel, windows
from ge2e import LAYERS, WIDE_FROM, WIDE_SHARE, Student, is_wide

HIDDEN = 256
BLEND, WIDE_BLEND = 0.75, 0.2  # for the telephone and for more; chosen on the dev protocols, see README.md
SPEECH = Path(__file__).resolve().parents[2] / "tests/data/golden/speech.wav"


def gates(matrix):
    """PyTorch's gate order i, f, g, o -> ONNX's i, o, f, g, along the first axis."""
    i, f, g, o = np.split(matrix, 4)
    return np.concatenate([i, o, f, g])[None]


class Drawing:
    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def ge2e_weights(network):
    """What ONNX wants of GE2E's layers: of each LSTM its weights, its recurrence and its biases, then the last layer's."""
    weights = {name: value.detach().numpy().astype(np.float32) for name, value in network.ge2e.state_dict().items()}
    for layer in range(LAYERS):
        part = lambda name: gates(weights[f"layers.{layer}.{name}_l0"])
        yield part("weight_ih")
        yield part("weight_hh")
        yield np.concatenate([part("bias_ih"), part("bias_hh")], axis=1)
    yield weights["linear.weight"].T
    yield weights["linear.bias"]


def branch(kind, apart):
    """GE2E's layers as a graph within the graph; their weights are the outer one's."""
    d, heard = Drawing(), "frames_first"
    for layer in range(LAYERS):
        parts = [f"{kind}.{part}.{layer}" for part in "wrb"]
        d.node("LSTM", [heard, *parts], f"{kind}_lstm_{layer}", hidden_size=HIDDEN)
        heard = d.node("Squeeze", [f"{kind}_lstm_{layer}", apart["axis"]], f"{kind}_hidden_{layer}")
    d.node("Gather", [heard, apart["last"]], f"{kind}_last_hidden", axis=0)
    d.node("Gemm", [f"{kind}_last_hidden", f"{kind}.linear.weight", f"{kind}.linear.bias"], f"{kind}_direction")
    said = helper.make_tensor_value_info(f"{kind}_direction", TensorProto.FLOAT, ["batch", HIDDEN])
    return helper.make_graph(d.nodes, kind, [], [said])


def draw(student, wide, backend):
    weights = {name: value.detach().numpy().astype(np.float32) for name, value in student.state_dict().items()}
    d = Drawing()
    f32 = lambda value: np.array(value, dtype=np.float32)
    axes = lambda name, *values: d.constant(name, np.array(values, dtype=np.int64))

    # The window's own level taken out, the logarithm.
    d.node("ReduceMean", ["mel", axes("time_and_bands", 1, 2)], "power", keepdims=1)
    d.node("Add", ["power", d.constant("power_guard", f32(1e-12))], "guarded_power")
    d.node("Div", ["mel", "guarded_power"], "relative")
    d.node("Add", ["relative", d.constant("floor", f32(student.FLOOR))], "floored")
    d.node("Log", ["floored"], "logarithm_by_time")
    d.node("Transpose", ["logarithm_by_time"], "logarithm", perm=[0, 2, 1])

    # The repair, over logarithm and mean spectrum: the second half of the first convolution sees the same
    # values at all times, all of them inside the window.
    d.node("ReduceMean", ["logarithm", axes("time", 2)], "mean", keepdims=1)
    d.node("Sub", ["logarithm", "logarithm"], "zeros")
    d.node("Add", ["zeros", "mean"], "mean_spectrum")
    d.node("Concat", ["logarithm", "mean_spectrum"], "both", axis=1)
    d.node("Mul", ["both", d.constant("fifth", f32(0.2))], "scaled")

    def conv(name, heard, pad, dilation):
        parts = [d.constant(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias")]
        return d.node("Conv", [heard, *parts], name, pads=[pad, pad], dilations=[dilation])

    heard = d.node("Relu", [conv("repair.first", "scaled", 2, 1)], "repair.0")
    for block, dilation in enumerate(student.repair.DILATIONS):
        more = d.node("Relu", [conv(f"repair.blocks.{block}", heard, dilation, dilation)], f"repair.{block}.more")
        heard = d.node("Add", [heard, more], f"repair.{block + 1}")
    d.node("Add", ["logarithm", conv("repair.last", heard, 0, 1)], "repaired")
    d.node("Add", ["repaired", d.constant("level", f32(student.LEVEL))], "levelled")
    d.node("Exp", ["levelled"], "spectrum")

    # Whether there is a voice above 4 kHz in these windows.
    d.node("Slice", ["mel", axes("first", WIDE_FROM), axes("end", 40), axes("bands", 2)], "upper_bands")
    d.node("ReduceSum", ["upper_bands"], "upper_power", keepdims=0)
    d.node("ReduceSum", ["mel"], "whole_power", keepdims=0)
    d.node("Mul", ["whole_power", d.constant("wide_share", f32(WIDE_SHARE))], "least_power")
    d.node("Greater", ["upper_power", "least_power"], "is_wide")

    # GE2E, over one of two sets of layers.
    d.node("Transpose", ["spectrum"], "frames_first", perm=[2, 0, 1])
    apart = {"axis": axes("direction_axis", 1), "last": d.constant("last", np.array(-1, dtype=np.int64))}
    layers = [f"{part}.{layer}" for layer in range(LAYERS) for part in "wrb"] + ["linear.weight", "linear.bias"]
    narrow, broad = (dict(zip(layers, ge2e_weights(network))) for network in (student, wide))
    for name in layers:
        d.constant(f"narrow.{name}", narrow[name])
        d.constant(f"distance.{name}", (broad[name] - narrow[name]).astype(np.float16))
        d.node("Cast", [f"distance.{name}"], f"distance_32.{name}", to=TensorProto.FLOAT)
        d.node("Add", [f"narrow.{name}", f"distance_32.{name}"], f"wide.{name}")
    branches = {f"{which}_branch": branch(kind, apart) for which, kind in (("then", "wide"), ("else", "narrow"))}
    d.node("If", ["is_wide"], "direction", **branches)
    d.node("Relu", ["direction"], "positive")
    d.node("LpNormalization", ["positive"], "said", axis=1, p=2)

    # The back end: not of unit length, so that the mean over windows is the same before it and after it.
    d.node("Sub", ["said", d.constant("middle", backend["middle"])], "centred")
    d.node("MatMul", ["centred", d.constant("turn", backend["turn"])], "embedding")

    mel = helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", "frames", 40])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])
    graph = helper.make_graph(d.nodes, "voxline_phone", [mel], [embedding], d.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="voxline")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def blended(trained, share):
    """A student whose GE2E layers lie between the published ones (0) and the trained ones (1)."""
    student = Student()
    began = student.state_dict()
    mixed = {
        name: (1 - share) * began[name] + share * value if name.startswith("ge2e.") else value
        for name, value in trained.items()
    }
    student.load_state_dict(mixed)
    return student.eval()


def stored(student, wide):
    """The second as the graph has it: its distance from the first in half precision."""
    theirs = wide.state_dict()
    wide.load_state_dict({name: own + (theirs[name] - own).half().float() for name, own in student.state_dict().items()})
    return wide


def through(backend, said):
    """What the graph's last two operators do."""
    return (said - torch.from_numpy(backend["middle"])) @ torch.from_numpy(backend["turn"])


@torch.no_grad()
def said_by(student, wide, mel):
    """What the graph says before its back end."""
    return wide(mel) if is_wide(mel) else student(mel)


@torch.no_grad()
def golden(student, wide, backend):
    """PyTorch's embeddings of clips of speech.wav; sample i of a clip is gain * audio[i mod its length], and a
    smoothed one is the mean of the last eight samples, six times over: nothing is left above 4 kHz."""
    speech, found = load(SPEECH), []
    for seconds, gain, smoothed in ((1, 1, 0), (3, 1, 0), (3, 0.01, 0), (8, 1, 0), (3, 1, 6), (8, 1, 6)):
        clip = np.resize(speech, round(seconds * RATE)) * np.float32(gain)
        for _ in range(smoothed):
            clip = np.convolve(clip, np.full(8, 1 / 8))[: len(clip)].astype(np.float32)
        level = 10 ** (-30 / 20) / np.sqrt(np.mean(clip**2))
        raised = torch.from_numpy(clip * np.float32(max(1.0, level)))
        frames = mel(torch.nn.functional.pad(raised, (0, max(0, 160 * 160 - len(raised))))[None])[0]
        starts = windows(len(clip) // 160 + 1, 160, 160)
        said = said_by(student, wide, torch.stack([frames[start : start + 160] for start in starts]))
        mean = through(backend, said).mean(dim=0)
        embedding = torch.nn.functional.normalize(mean, dim=0)
        found.append(
            {
                "samples": len(clip),
                "gain": gain,
                "smoothed": smoothed,
                "embedding": [float(f"{value:.8g}") for value in embedding],
            }
        )
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("student", type=Path)
    parser.add_argument("--backend", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--golden", type=Path)
    parser.add_argument("--blend", type=float, default=BLEND)
    args = parser.parse_args()
    trained = torch.load(args.student, weights_only=True)
    student = blended(trained, args.blend)
    wide = stored(student, blended(trained, WIDE_BLEND))
    backend = dict(np.load(args.backend))
    raw = draw(student, wide, backend).SerializeToString()
    session = onnxruntime.InferenceSession(raw)
    for frames, upper in ((20, 1), (160, 1), (333, 1), (160, 1e-9), (333, 1e-9)):
        mel = torch.rand(3, frames, 40) ** 4 * 1e-2
        mel[:, :, WIDE_FROM:] *= upper
        wanted = through(backend, said_by(student, wide, mel)).numpy()
        said = session.run(None, {"mel": mel.numpy()})[0]
        if not np.allclose(said, wanted, atol=2e-5):
            raise SystemExit(f"the graph differs from PyTorch by {abs(said - wanted).max()} at {frames} frames")
    args.out.write_bytes(raw)
    if args.golden:
        args.golden.write_text(json.dumps(golden(student, wide, backend)) + "\n")
    print(f"{args.out}: {len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")


if __name__ == "__main__":
    main()
