"""The networks: GE2E as published (the teacher) and the student that starts from it."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import torch
from torch import nn

GE2E = Path(__file__).resolve().parent.parent / "ge2e"


def published_weights():
    """The tensors of Resemblyzer's checkpoint by name, read in place (models/ge2e/make_graph.py)."""
    card = tomllib.loads((GE2E / "card.toml").read_text())
    raw = (GE2E / card["weights"]["file"]).read_bytes()
    if hashlib.sha256(raw).hexdigest() != card["weights"]["sha256"]:
        raise SystemExit("models/ge2e/weights/pretrained.pt is not the published file: run `make provision-ge2e`")
    scope = {"__name__": "make_graph", "__file__": str(GE2E / "make_graph.py")}
    exec(compile((GE2E / "make_graph.py").read_text(), "make_graph.py", "exec"), scope)
    return {
        name: torch.from_numpy(np.frombuffer(raw, "<f4", int(np.prod(shape)), offset).reshape(shape).copy())
        for name, (offset, shape) in scope["TENSORS"].items()
    }


LAYERS = 3
# The first mel band that lies above 4 kHz, and the least share of the power from there on that no telephone leaves: its
# filters let through 1e-6, and the quietest of 140 wide-band recordings has 3e-4.
WIDE_FROM, WIDE_SHARE = 32, 2e-5


def is_wide(frames):
    """Whether windows of mel power, [windows, frames, 40], of one recording hold a voice above 4 kHz."""
    return bool(frames[:, :, WIDE_FROM:].sum() > frames.sum() * WIDE_SHARE)


class Ge2e(nn.Module):
    """GE2E, its layers apart so that each can be listened to: [windows, frames, 40] mel power -> what each layer
    says of each frame, [layers][windows, frames, 256], and the embeddings, [windows, 256], of unit length."""

    def __init__(self, weights=None):
        super().__init__()
        self.layers = nn.ModuleList(nn.LSTM(40 if layer == 0 else 256, 256, batch_first=True) for layer in range(LAYERS))
        self.linear = nn.Linear(256, 256)
        for layer, lstm in enumerate(self.layers):
            lstm.load_state_dict({f"{part}_l0": weights[f"lstm.{part}_l{layer}"] for part in PARTS})
        self.linear.load_state_dict({part: weights[f"linear.{part}"] for part in ("weight", "bias")})

    def forward(self, frames):
        said = []
        for lstm in self.layers:
            frames = lstm(frames)[0]
            said.append(frames)
        return said, nn.functional.normalize(torch.relu(self.linear(frames[:, -1].float())), dim=-1)


PARTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Repair(nn.Module):
    """What a line took, put back as well as can be told: a residual on the logarithm of the mel bands,
    [windows, 40, frames], that begins by doing nothing. Convolutions over time, 0.43 s of it on either side."""

    DILATIONS = (1, 2, 4, 8, 16, 8, 2)

    def __init__(self, width=160):
        super().__init__()
        self.first = nn.Conv1d(80, width, 5, padding=2)
        self.blocks = nn.ModuleList(nn.Conv1d(width, width, 3, padding=d, dilation=d) for d in self.DILATIONS)
        self.last = nn.Conv1d(width, 40, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, logarithm):
        # The window's mean spectrum tells the line from the voice.
        mean = logarithm.mean(dim=2, keepdim=True).expand_as(logarithm)
        heard = torch.relu(self.first(torch.cat([logarithm, mean], dim=1) * 0.2))
        for block in self.blocks:
            heard = heard + torch.relu(block(heard))
        return logarithm + self.last(heard)


class Student(nn.Module):
    """GE2E behind a repair of the spectrum; any level, 160 frames or so."""

    LEVEL = -4.9  # ln of the mean mel power of what the teacher is given
    FLOOR = 1e-4  # of the window's mean power, under the logarithm

    def __init__(self):
        super().__init__()
        self.repair = Repair()
        self.ge2e = Ge2e(published_weights())

    def repaired(self, frames):
        """The logarithm of the mel bands over the window's mean power, repaired: [windows, frames, 40]."""
        power = frames.mean(dim=(1, 2), keepdim=True)
        logarithm = torch.log(frames / (power + 1e-12) + self.FLOOR)
        return self.repair(logarithm.transpose(1, 2)).transpose(1, 2).float()

    def listen(self, frames):
        repaired = self.repaired(frames)
        return repaired, *self.ge2e(torch.exp(repaired + self.LEVEL))

    def forward(self, frames):
        return self.listen(frames)[-1]
