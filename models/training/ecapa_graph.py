"""ECAPA-TDNN (`ecapa.Ecapa`) drawn as one graph of bytes. See `draw`."""

import numpy as np
from onnx import helper

from campplus import BINS
from codes import Code, between, fold, positive
from drawing import Drawing
from ecapa import CHANNELS, DILATIONS, POOLED, SCALE
from graph import Network

SHARE = 0.9999  # of the values seen behind a ReLU that a code reaches
WEIGHT_TOP = 63  # so that two products fit into 16 bits, as processors without VNNI need
BLOCKS = list(DILATIONS)
WIDTH = CHANNELS // SCALE  # of a group's channels


def watched():
    """The modules whose outputs `draw` has to know, and whether a ReLU follows what they say."""
    layers = ["blocks.0", "mfa"]
    for block in BLOCKS:
        layers += [f"blocks.{block}.tdnn1", f"blocks.{block}.tdnn2"]
        layers += [f"blocks.{block}.res2net_block.blocks.{place}" for place in range(SCALE - 1)]
    streams = {f"blocks.{block}": False for block in (0, *BLOCKS)}
    return {f"{layer}.conv": True for layer in layers} | streams | {"heard": False}


class Bytes:
    """A tensor [clips, 1, frames, channels] of bytes: its name in the graph, what its bytes stand for, and some values
    of each channel [channels, samples], at the same places for all tensors."""

    def __init__(self, name, code, values):
        self.name, self.code, self.values = name, code, values

    def means(self):
        return self.values.mean(1, dtype=np.float64) / self.code.scale + self.code.zero

    def group(self, name, place):
        cut = slice(WIDTH * place, WIDTH * (place + 1))
        return Bytes(name, Code(self.code.scale[cut], self.code.zero[cut]), self.values[cut])


def joined(name, parts):
    code = Code(*(np.concatenate([getattr(part.code, field) for part in parts]) for field in ("scale", "zero")))
    return Bytes(name, code, np.concatenate([part.values for part in parts]))


class EcapaGraph:
    def __init__(self, network, observed, exact=False):
        self.net, self.seen, self.stride = Network(network), observed, network.stride
        self.d = Drawing(exact, WEIGHT_TOP)

    # Bytes.

    def mel(self):
        values = self.seen.values["heard"]
        code = between(values.min(1), values.max(1))
        scaled = self.d.node("Mul", ["feats", self.d.floats(1 / code.scale, "mel.step")], "mel.scaled")
        moved = self.d.node("Add", [scaled, self.d.floats(code.zero, "mel.zero")], "mel.moved")
        heard = self.d.to_bytes(moved, 1, 0, "mel.bytes")
        return Bytes(self.d.node("Unsqueeze", [heard, self.d.whole([1], "row_axis")], "mel"), code, values)

    def tdnn(self, name, heard, dilation=1, twice=False):
        """A convolution and ReLU into bytes; the norm behind it goes into what these stand for."""
        d, weight = self.d, self.net.state[f"{name}.conv.weight"]
        weight = np.concatenate([weight, weight], 1) if twice else weight
        said = positive(self.seen.tops(f"{name}.conv", SHARE))
        folded = fold(weight[:, :, None], self.net.state[f"{name}.conv.bias"], heard.code, said)
        ear, pad = heard.name, dilation * (weight.shape[2] // 2)
        if pad:
            pads = d.whole([0, 0, pad, 0, 0, 0, pad, 0], f"pad.{pad}")
            ear = d.node("Pad", [ear, pads], f"{name}.padded", mode="reflect")
        d.conv(ear, folded, heard.means(), name, True, dilations=(1, dilation))
        gain, offset = self.net.norm(f"{name}.norm")
        gain = np.where(np.abs(gain) < 1e-9, 1e-9, gain)
        values = self.seen.values[f"{name}.conv"] * np.float32(gain)[:, None] + np.float32(offset)[:, None]
        return Bytes(name, Code(said.scale * gain, -offset / (said.scale * gain)), values)

    def block(self, number, heard, stream):
        """The block's bytes, and its stream: floats in steps of `self.step` from its middle."""
        name = f"blocks.{number}"
        inner, parts = self.tdnn(f"{name}.tdnn1", heard), [f"{name}.part{place}" for place in range(SCALE)]
        self.d.nodes.append(helper.make_node("Split", [inner.name], parts, name=parts[0], axis=3, num_outputs=SCALE))
        groups = [inner.group(part, place) for place, part in enumerate(parts)]
        said = groups[:1]
        for place, group in enumerate(groups[1:]):
            layer = f"{name}.res2net_block.blocks.{place}"
            if place:
                # Over the sum of its channels and of what the group before said: as one over both, its weights twice.
                both = self.d.node("Concat", [group.name, said[-1].name], f"{layer}.both", axis=3)
                group = joined(both, [group, said[-1]])
            said.append(self.tdnn(layer, group, DILATIONS[number], twice=place > 0))
        whole = self.d.node("Concat", [part.name for part in said], f"{name}.groups", axis=3)
        return self.added(name, self.tdnn(f"{name}.tdnn2", joined(whole, said)), stream)

    def added(self, name, outer, stream):
        """The block's last layer, each channel by its share, added to the stream."""
        d, state, scale, zero = self.d, self.net.state, outer.code.scale, outer.code.zero
        floats = d.to_floats(outer.name, 0, f"{name}.floats")
        mean = d.node("ReduceMean", [floats, d.whole([1, 2], "over_time")], f"{name}.mean", keepdims=0)
        first, second = (state[f"{name}.se_block.conv{at}.weight"][:, :, 0] for at in (1, 2))
        bias = state[f"{name}.se_block.conv1.bias"] - first @ (scale * zero)
        weights = self.small((first * scale).T, f"{name}.w1"), d.floats(bias, f"{name}.b1")
        inner = d.node("Relu", [d.node("Gemm", [mean, *weights], f"{name}.se1")], f"{name}.se2")
        weights = self.small(second.T, f"{name}.w2"), d.floats(state[f"{name}.se_block.conv2.bias"], f"{name}.b2")
        share = d.node("Sigmoid", [d.node("Gemm", [inner, *weights], f"{name}.se3")], f"{name}.share")
        factor = d.node("Mul", [share, d.floats(scale / self.step, f"{name}.step")], f"{name}.factors")
        factor = d.node("Reshape", [factor, d.whole([-1, 1, 1, CHANNELS], "gate_shape")], f"{name}.factor")
        # The channels' zeros go into the offset, with which the stream's middle also moves to the next block's.
        centre, before = self.centres[name], self.centres[stream[1]]
        offset = d.node("Mul", [factor, d.floats(-zero, f"{name}.zeros")], f"{name}.lifted")
        offset = d.node("Add", [offset, d.floats((before - centre) / self.step, f"{name}.middle")], f"{name}.offset")
        gated = d.node("Add", [d.node("Mul", [floats, factor], f"{name}.gated"), offset], f"{name}.shifted")
        said = d.node("Add", [gated, stream[0]], f"{name}.stream")
        code = Code(self.step, 128 - centre / self.step)
        return Bytes(d.to_bytes(said, 1, 128, f"{name}.bytes"), code, self.seen.values[name]), (said, name)

    def streams(self):
        """One step a channel for all blocks' streams, and each stream's middle."""
        bounds = {name: self.seen.bounds(name, 1) for name in (f"blocks.{block}" for block in (0, *BLOCKS))}
        self.centres = {name: (low.astype(float) + high) / 2 for name, (low, high) in bounds.items()}
        width = np.max([high.astype(float) - low for low, high in bounds.values()], 0)
        self.step = np.maximum(width, 1e-2 * width.max()) / 254

    def frames(self):
        """What is pooled over time."""
        d = self.d
        self.streams()
        heard = self.tdnn("blocks.0", self.mel())
        floats = d.to_floats(heard.name, 0, "first.floats")
        floats = d.node("Mul", [floats, d.floats(heard.code.scale / self.step, "first.step")], "first.scaled")
        middle = -heard.code.zero * heard.code.scale / self.step - self.centres["blocks.0"] / self.step
        stream, said = (d.node("Add", [floats, d.floats(middle, "first.middle")], "first.stream"), "blocks.0"), []
        for number in BLOCKS:
            heard, stream = self.block(number, heard, stream)
            said.append(heard)
        whole = d.node("Concat", [part.name for part in said], "blocks", axis=3)
        if self.stride > 1:
            cut = {"first": self.stride // 2, "last": 1 << 40, "axis": 2, "step": self.stride}
            cut = [d.whole([value], f"stride.{what}") for what, value in cut.items()]
            whole = d.node("Slice", [whole, *cut], "pooled_frames")
        return self.tdnn("mfa", joined(whole, said))

    # Floats.

    def embedding(self):
        d, heard, axis = self.d, self.frames(), self.d.whole([2], "time_axis")
        scale, zero = heard.code.scale, heard.code.zero
        floats = d.to_floats(heard.name, 0, "pooled")
        mean = d.node("ReduceMean", [floats, axis], "mean", keepdims=1)
        power = d.node("ReduceMean", [d.node("Mul", [floats, floats], "squares"), axis], "power", keepdims=1)
        share = self.shares(heard, self.statistics("context", mean, power))
        weighted = d.node("Mul", [share, floats], "weighted")
        total = d.node("ReduceSum", [share, axis], "shares.sum", keepdims=1)
        mean = d.node("ReduceSum", [weighted, axis], "weighted.sum", keepdims=1)
        mean = d.node("Div", [mean, total], "weighted.mean")
        power = d.node("Mul", [weighted, floats], "weighted.squares")
        power = d.node("Div", [d.node("ReduceSum", [power, axis], "squares.sum", keepdims=1), total], "weighted.power")
        gain, offset = self.net.norm("asp_bn.norm")
        weight, bias = self.net.state["fc.conv.weight"][:, :, 0], self.net.state["fc.conv.bias"]
        bias = bias + weight @ (offset - gain * np.concatenate([scale * zero, np.zeros(POOLED)]))
        weight = weight * gain * np.concatenate([scale, np.abs(scale)])
        last = self.small(weight.T, "last.weight"), d.floats(bias, "last.bias")
        d.node("Gemm", [self.statistics("said", mean, power), *last], "embedding")
        d.node("Identity", ["embedding"], "embs")

    def shares(self, heard, context):
        """How much each frame counts in each channel, from the frame and from the whole clip's statistics."""
        d, state, scale, zero = self.d, self.net.state, heard.code.scale, heard.code.zero
        weight, bias = state["asp.tdnn.conv.weight"][:, :, 0], state["asp.tdnn.conv.bias"]
        of_frame, of_mean, of_deviation = weight[:, :POOLED], weight[:, POOLED : 2 * POOLED], weight[:, 2 * POOLED :]
        wide = np.concatenate([of_mean * scale, of_deviation * np.abs(scale)], 1)
        partial = of_frame @ (heard.values + (scale * zero)[:, None])
        code = between(partial.min(1), partial.max(1))
        bias = bias - (of_mean + of_frame) @ (scale * zero) - code.scale * code.zero
        wide = self.small(wide.T, "context.weight"), d.floats(bias, "context.bias")
        context = d.node("Gemm", [context, *wide], "context.said")
        context = d.node("Reshape", [context, d.whole([-1, 1, 1, 128], "context_shape")], "context.row")
        folded = fold(of_frame[:, :, None, None], np.zeros(128), Code(scale, np.zeros(POOLED)), code)
        frame = d.to_floats(d.conv(heard.name, folded, heard.means(), "attention"), 0, "attention.floats")
        frame = d.node("Mul", [frame, d.floats(code.scale, "attention.scale")], "attention.scaled")
        frame = d.node("Relu", [d.node("Add", [frame, context], "attention.sum")], "attention.positive")
        gain, offset = self.net.norm("asp.tdnn.norm")
        frame = d.node("Mul", [frame, d.floats(gain, "attention.gain")], "attention.gained")
        frame = d.node("Add", [frame, d.floats(offset, "attention.offset")], "attention.normed")
        frame = d.node("Tanh", [frame], "attention.tanh")
        # Their bias is the same at all times, and so says nothing.
        weight = self.small(state["asp.conv.weight"][:, :, 0].T, "logits.weight")
        return d.node("Exp", [d.node("MatMul", [frame, weight], "logits")], "shares")

    def statistics(self, name, mean, power):
        """Mean and deviation of each channel's bytes [clips, 2 channels], by the means of them and of their squares."""
        d = self.d
        square = d.node("Mul", [mean, mean], f"{name}.mean_square")
        variance = d.node("Sub", [power, square], f"{name}.variance")
        above = d.node("Max", [variance, d.floats(1e-4, "least")], f"{name}.above")
        deviation = d.node("Sqrt", [above], f"{name}.deviation")
        both = d.node("Concat", [mean, deviation], f"{name}.both", axis=3)
        return d.node("Reshape", [both, d.whole([-1, 2 * POOLED], "statistics_shape")], f"{name}.flat")

    def small(self, weight, name):
        """A constant of floats that is kept in bytes [in, out], one step for each output."""
        if self.d.exact:
            return self.d.floats(weight, name)
        step = np.maximum(np.abs(weight).max(0), 1e-12) / 127
        whole = self.d.constant(np.round(weight / step).astype(np.int8), f"{name}.bytes")
        whole = self.d.node("Cast", [whole], f"{name}.cast", to=1)
        return self.d.node("Mul", [whole, self.d.floats(step, f"{name}.steps")], name)


def draw(network, observed, exact=False):
    """[clips, frames, 80] `feats` -> [clips, 192] `embs`: the model, every convolution over time in bytes.

    A norm behind a ReLU costs nothing: it is in what the bytes stand for. Statistics and shares are floats."""
    graph = EcapaGraph(network, observed, exact)
    graph.embedding()
    return graph.d.model("ecapa", ("feats", ["B", "T", BINS]), ("embs", ["B", 192]))
