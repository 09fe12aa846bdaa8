"""Numbers as bytes: what a byte of each channel stands for, and convolutions folded so that they read and write bytes.

A byte u of channel c stands for the value scale[c] * (u - zero[c]). A runtime's quantised convolution knows one scale
and one zero for a whole tensor; that channels have their own here costs nothing, because their scales are multiplied
into the weights that read them (cross-layer equalisation, Nagel et al. 2019, arXiv 1906.04721). Weights are symmetric
bytes with one step for each output channel (Jacob et al. 2018, arXiv 1712.05877).
"""

from dataclasses import dataclass

import numpy as np

TOP = 255


@dataclass
class Code:
    """What the bytes of a tensor stand for: `scale` and `zero` have one number a channel."""

    scale: np.ndarray
    zero: np.ndarray

    def shared_zero(self):
        """The one zero of all channels, as a byte; None when they differ or it is none."""
        zero = self.zero[0]
        return int(zero) if np.all(self.zero == zero) and 0 <= zero <= TOP and zero == round(zero) else None


def scales_for(tops, balance):
    """One scale a channel for largest values `tops` in `TOP` steps: 0 gives all the same, 1 to each its own."""
    tops = np.maximum(tops, 1e-2 * tops.max() + 1e-12)
    scale = tops**balance
    return scale * (tops / scale).max() / TOP


def positive(tops, balance=1.0):
    """The code of values that a ReLU left: zero is the byte 0."""
    scale = scales_for(np.asarray(tops, np.float64), balance)
    return Code(scale, np.zeros_like(scale))


def signed(tops, balance=1.0):
    """The code of values on both sides of zero, up to `tops` in size: zero is the byte 128."""
    scale = scales_for(np.asarray(tops, np.float64), balance) * TOP / 127
    return Code(scale, np.full_like(scale, 128))


def between(low, high):
    """The code of values from `low` to `high`, each channel with a zero of its own."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    width = high - low
    scale = np.maximum(width, 1e-2 * width.max() + 1e-12) / TOP
    return Code(scale, TOP / 2 - (low + high) / 2 / scale)


@dataclass
class Folded:
    """A convolution on bytes: out = weight * (u - heard_zero) + bias, in steps of the output's code."""

    weight: np.ndarray  # [out, in, height, width]
    bias: np.ndarray  # [out], from the byte `said_zero` on
    heard_zero: int
    said_zero: int

    def in_bytes(self, means, spread=None, top=127):
        """(weights int8, steps float32, bias int32). `means` are the mean bytes of the input's channels: what rounding
        the weights does to the mean of the output is taken off the bias (Nagel et al. 2019, section 4.2). With their
        covariance `spread`, a 1x1 convolution's weights are rounded so that their errors cancel out."""
        flat = self.weight.reshape(len(self.weight), -1)
        step = best_steps(flat, top)
        whole = nearest(flat, step[:, None], top) if spread is None else rounded(flat, step, spread, top)
        lost = (flat - whole * step[:, None]).reshape(self.weight.shape).sum((2, 3)) @ (means - self.heard_zero)
        bias = np.round((self.bias + lost) / step)
        bias = np.clip(bias, -(2**31), 2**31 - 1)
        return whole.reshape(self.weight.shape).astype(np.int8), step.astype(np.float32), bias.astype(np.int32)


def best_steps(rows, top):
    """The step of each row's weights with the least squared error: the largest weights may be clipped a little."""
    largest = np.maximum(np.abs(rows).max(1), 1e-9)
    best, least = largest / top, np.full(len(rows), np.inf)
    for share in np.linspace(0.6, 1, 21):
        step = largest * share / top
        whole = nearest(rows, step[:, None], top)
        error = ((rows - whole * step[:, None]) ** 2).sum(1)
        best, least = np.where(error < least, step, best), np.minimum(error, least)
    return best


def nearest(weights, step, top):
    return np.clip(np.round(weights / step), -top, top)


def rounded(rows, step, spread, top, damping=0.01):
    """Weights in whole steps, rounded one input after another; what rounding one does to the output is made up for, as
    far as the inputs vary together, by those still to come (GPTQ: Frantar et al. 2022, arXiv 2210.17323)."""
    order = np.argsort(-np.diag(spread))
    spread = spread[np.ix_(order, order)]
    spread = spread + damping * np.mean(np.diag(spread)) * np.eye(len(spread))
    upper = np.linalg.cholesky(np.linalg.inv(spread)).T
    rows, whole = rows[:, order].copy(), np.empty_like(rows)
    for place in range(rows.shape[1]):
        whole[:, place] = nearest(rows[:, place], step, top)
        error = (rows[:, place] - whole[:, place] * step) / upper[place, place]
        rows[:, place:] -= error[:, None] * upper[place, place:]
    back = np.empty_like(whole)
    back[:, order] = whole
    return back


def fold(weight, bias, heard, said):
    """A convolution of values [out, in, height, width] as one of bytes of the code `heard` into bytes of `said`.

    Where the input's zeros differ (only without padding, which is the shared zero) they go into the bias."""
    weight = weight * heard.scale[None, :, None, None] / said.scale[:, None, None, None]
    bias = bias / said.scale
    heard_zero, said_zero = heard.shared_zero(), said.shared_zero()
    if heard_zero is None:
        heard_zero, bias = 0, bias - weight.sum((2, 3)) @ heard.zero
    if said_zero is None:
        said_zero, bias = 0, bias + said.zero
    return Folded(weight, bias, heard_zero, said_zero)
