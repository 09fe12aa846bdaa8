#!/usr/bin/env python3
"""Write a trained student as an ONNX graph: the operators of `ge2e.Student`, one by one.

    export.py FOLDER/student.pt --backend FOLDER/backend.npz --out models/voxline-phone-1/voxline-phone-1.onnx
        [--golden FILE] [--blend 0.75]

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
from ge2e import LAYERS, Student

HIDDEN = 256
BLEND = 0.75  # chosen on the dev protocols, see README.md
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


def draw(student, backend):
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

    # GE2E.
    heard = d.node("Transpose", ["spectrum"], "frames_first", perm=[2, 0, 1])
    for layer in range(LAYERS):
        part = lambda name: gates(weights[f"ge2e.layers.{layer}.{name}_l0"])
        w = d.constant(f"lstm.{layer}.w", part("weight_ih"))
        r = d.constant(f"lstm.{layer}.r", part("weight_hh"))
        b = d.constant(f"lstm.{layer}.b", np.concatenate([part("bias_ih"), part("bias_hh")], axis=1))
        d.node("LSTM", [heard, w, r, b], f"lstm_{layer}", hidden_size=HIDDEN)
        heard = d.node("Squeeze", [f"lstm_{layer}", axes(f"direction_{layer}", 1)], f"hidden_{layer}")
    d.node("Gather", [heard, d.constant("last", np.array(-1, dtype=np.int64))], "last_hidden", axis=0)
    linear = [d.constant("linear.weight", weights["ge2e.linear.weight"].T)]
    linear.append(d.constant("linear.bias", weights["ge2e.linear.bias"]))
    d.node("Gemm", ["last_hidden", *linear], "direction")
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


def through(backend, said):
    """What the graph's last two operators do."""
    return (said - torch.from_numpy(backend["middle"])) @ torch.from_numpy(backend["turn"])


@torch.no_grad()
def golden(student, backend):
    """PyTorch's embeddings of clips of speech.wav; sample i of a clip is gain * audio[i mod its length]."""
    speech, found = load(SPEECH), []
    for seconds, gain in ((1.0, 1.0), (3.0, 1.0), (3.0, 0.01), (8.0, 1.0)):
        clip = np.resize(speech, round(seconds * RATE)) * np.float32(gain)
        level = 10 ** (-30 / 20) / np.sqrt(np.mean(clip**2))
        raised = torch.from_numpy(clip * np.float32(max(1.0, level)))
        frames = mel(torch.nn.functional.pad(raised, (0, max(0, 160 * 160 - len(raised))))[None])[0]
        starts = windows(len(clip) // 160 + 1, 160, 160)
        said = student(torch.stack([frames[start : start + 160] for start in starts]))
        mean = through(backend, said).mean(dim=0)
        embedding = torch.nn.functional.normalize(mean, dim=0)
        found.append(
            {
                "samples": len(clip),
                "gain": gain,
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
    student = blended(torch.load(args.student, weights_only=True), args.blend)
    backend = dict(np.load(args.backend))
    raw = draw(student, backend).SerializeToString()
    session = onnxruntime.InferenceSession(raw)
    for frames in (20, 160, 333):
        mel = torch.rand(3, frames, 40) ** 4 * 1e-2
        with torch.no_grad():
            wanted = through(backend, student(mel)).numpy()
        said = session.run(None, {"mel": mel.numpy()})[0]
        if not np.allclose(said, wanted, atol=2e-5):
            raise SystemExit(f"the graph differs from PyTorch by {abs(said - wanted).max()} at {frames} frames")
    args.out.write_bytes(raw)
    if args.golden:
        args.golden.write_text(json.dumps(golden(student, backend)) + "\n")
    print(f"{args.out}: {len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")


if __name__ == "__main__":
    main()
