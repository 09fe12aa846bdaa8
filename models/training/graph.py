"""CAM++ (`campplus.CamPlus`) drawn as one graph of bytes. See `draw`."""

import numpy as np

from campplus import BLOCKS, GROWTH, INNER, SEGMENT, START
from codes import Code, between, fold, positive, signed
from drawing import Drawing

SHARE = 1.0  # of the values seen that a code reaches: real calls go beyond those, and cutting off costs more than steps
MARGIN = 1.25  # how far the state's codes go beyond the values seen
BINS = 80
HEAD = [f"head.layer{layer}.{place}" for layer in (1, 2) for place in (0, 1)]
LAYERS = [
    f"xvector.block{block}.tdnnd{place + 1}" for block, (layers, _) in enumerate(BLOCKS, 1) for place in range(layers)
]
TRANSITS = [f"xvector.transit{block}" for block in range(1, len(BLOCKS) + 1)]


def watched():
    """The modules whose outputs `draw` has to know, and whether a ReLU follows what they say."""
    names = {"head.bn1": True, "head.bn2": True, "xvector.tdnn": False, "xvector.out_nonlinear": False}
    for name in HEAD:
        names |= {f"{name}.bn1": True, f"{name}.bn2": False, name: False}
        if name.endswith("0"):
            names[f"{name}.shortcut"] = False
    for name in LAYERS:
        names |= {f"{name}.nonlinear1": False, f"{name}.nonlinear2": False, name: False}
        names[f"{name}.cam_layer.linear_local"] = False
    for name in TRANSITS:
        names |= {f"{name}.nonlinear": False, name: False}
    return names


class Network:
    """The trained weights, with the norms behind convolutions folded into these."""

    def __init__(self, network):
        self.network = network
        self.state = {name: value.detach().double().numpy() for name, value in network.state_dict().items()}

    def norm(self, name):
        gain, offset = self.network.get_submodule(name).gain_and_offset()
        return gain.detach().double().numpy(), offset.detach().double().numpy()

    def plane(self, conv, norm):
        """A convolution over [mel, time] and its norm -> weights over [time, mel], bias."""
        gain, offset = self.norm(norm)
        return self.state[f"{conv}.weight"].transpose(0, 1, 3, 2) * gain[:, None, None, None], offset

    def line(self, conv, norm=None):
        """A convolution over time and its norm, if any -> weights over [1, time], bias."""
        weight = self.state[f"{conv}.weight"][:, :, None]
        gain, offset = self.norm(norm) if norm else (np.ones(len(weight)), np.zeros(len(weight)))
        return weight * gain[:, None, None, None], offset


class Campplus:
    def __init__(self, network, observed, exact=False, balance=0.5, weight_top=127):
        self.net, self.seen, self.balance = Network(network), observed, balance
        self.d = Drawing(exact, weight_top)

    # The head: [clips, frames, mel, channels], a residual network.

    def head(self):
        heard, means = self.mel()
        weight, offset = self.net.plane("head.conv1", "head.bn1")
        code = Code(np.array([1, -1, 1, -1]) * self.mel_steps, np.zeros(4))
        said = positive(self.seen.tops("head.bn1", SHARE), 0)
        folded = fold(np.repeat(weight, 4, 1), offset, code, said)
        heard, code = self.d.conv(heard, folded, means, "head.conv1", True, (1, 1)), said
        seen = "head.bn1"
        for name in HEAD:
            heard, code = self.residual(name, heard, code, seen)
            seen = name
        said = positive(self.seen.tops("head.bn2", SHARE), self.balance)
        folded = fold(*self.net.plane("head.conv2", "head.bn2"), code, said)
        heard = self.d.conv(heard, folded, self.mean(seen, code), "head.conv2", True, (1, 1), (1, 2))
        heard = self.d.node("Reshape", [heard, self.d.whole([0, 1, -1, BINS // 8 * 32], "head_shape")], "head")
        return heard, said

    def mel(self):
        """[clips, frames, mel, 4] bytes, and their means: how far a value is above zero and below it, up to a middling
        size and beyond that. All are 0 for a value of 0, as padding is. A single byte is too coarse for the mel."""
        values = self.seen.values["mel"].astype(np.float64).ravel()
        inner, outer = np.quantile(np.abs(values), 0.85), np.abs(values).max() * 1.1
        self.mel_steps = np.array([inner, inner, outer - inner, outer - inner]) / 255
        factors = np.array([1, -1, 1, -1]) / self.mel_steps
        start = -np.array([0, 0, inner, inner]) / self.mel_steps
        means = np.clip(values[:, None] * factors + start, 0, 255).mean(0)
        spread = np.kron(np.eye(BINS), factors[None])
        apart = self.d.node("MatMul", ["feats", self.d.floats(spread, "mel_spread")], "mel_apart")
        moved = self.d.node("Add", [apart, self.d.floats(np.tile(start, BINS), "mel_start")], "mel_moved")
        if self.d.exact:
            moved = self.d.node("Relu", [moved], "mel_above")
            most = np.tile([255, 255, np.inf, np.inf], BINS)
            moved = self.d.node("Min", [moved, self.d.floats(most, "mel_most")], "mel_cut")
        heard = self.d.to_bytes(moved, 1, 0, "mel_bytes")
        return self.d.node("Reshape", [heard, self.d.whole([0, 0, BINS, 4], "mel_shape")], "mel"), means

    def residual(self, name, heard, code, seen):
        stride = 2 if name.endswith("0") else 1
        means = self.mean(seen, code)
        inside = positive(self.seen.tops(f"{name}.bn1", SHARE), self.balance)
        folded = fold(*self.net.plane(f"{name}.conv1", f"{name}.bn1"), code, inside)
        inner = self.d.conv(heard, folded, means, f"{name}.conv1", True, (1, 1), (1, stride))
        added = signed(self.seen.tops(f"{name}.bn2", SHARE), 0)
        folded = fold(*self.net.plane(f"{name}.conv2", f"{name}.bn2"), inside, added)
        inner = self.d.conv(inner, folded, self.mean(f"{name}.bn1", inside), f"{name}.conv2", False, (1, 1))
        said = positive(self.seen.tops(name, SHARE), 0)
        if stride == 1:
            return self.d.add(inner, added.scale[0] / said.scale[0], heard, code.scale[0] / said.scale[0], name), said
        short = signed(self.seen.tops(f"{name}.shortcut", SHARE), 0)
        folded = fold(*self.net.plane(f"{name}.shortcut.0", f"{name}.shortcut.1"), code, short)
        beside = self.d.conv(heard, folded, means, f"{name}.shortcut", strides=(1, stride))
        steps = added.scale[0] / said.scale[0], short.scale[0] / said.scale[0]
        return self.d.add(inner, steps[0], beside, steps[1], name, other_zero=128), said

    # Over time: [clips, 1, frames, channels].

    def line(self):
        heard, code = self.head()
        weight = self.net.state["xvector.tdnn.linear.weight"].reshape(START, 32, BINS // 8, 5)
        weight = weight.transpose(0, 2, 1, 3).reshape(START, -1, 1, 5)  # channels last: the mel bins come first
        gain, offset = self.net.norm("xvector.tdnn.nonlinear.batchnorm")
        code = Code(np.tile(code.scale, BINS // 8), np.tile(code.zero, BINS // 8))
        said = positive(self.seen.tops("xvector.tdnn", SHARE), self.balance)
        folded = fold(weight * gain[:, None, None, None], offset, code, said)
        means = np.tile(self.seen.mean("head.bn2") / code.scale[:32], BINS // 8)
        heard = self.d.conv(heard, folded, means, "xvector.tdnn", True, (0, 2), (1, 2))
        self.segments(heard)
        for block, (layers, dilation) in enumerate(BLOCKS, 1):
            for place in range(layers):
                heard, said = self.layer(f"xvector.block{block}.tdnnd{place + 1}", heard, said, dilation)
            heard, said = self.transit(f"xvector.transit{block}", heard, said, last=block == len(BLOCKS))
        return heard, said

    def segments(self, heard):
        """`means` [segments, frames] takes the mean of the clip plus that of each segment; `segment_of` [clips, 1,
        frames] says in which row of all clips' segments a frame is."""
        d, one = self.d, self.d.whole(1, "one")
        d.node("Shape", [heard], "shape")
        clips = d.node("Gather", ["shape", d.whole(0, "clip_axis")], "clips")
        frames = d.node("Gather", ["shape", d.whole(2, "frame_axis")], "frames")
        places = d.node("Range", [d.whole(0, "clip_axis"), frames, one], "places")
        segment = d.node("Div", [places, d.whole(SEGMENT, "segment")], "segment_in_clip")
        up = d.node("Add", [frames, d.whole(SEGMENT - 1, "segment_less_one")], "frames_up")
        count = d.node("Div", [up, "segment"], "segments")
        rows = d.node("Range", ["clip_axis", count, one], "rows")
        rows = d.node("Unsqueeze", [rows, d.whole([1], "column")], "rows_down")
        inside = d.node("Cast", [d.node("Equal", [rows, segment], "is_inside")], "inside", to=1)
        length = d.node("ReduceSum", [inside, "column"], "lengths", keepdims=1)
        local = d.node("Div", [inside, length], "local")
        whole = d.node("Reciprocal", [d.node("Cast", [frames], "frames_float", to=1)], "whole")
        d.node("Add", [local, whole], "means")
        clip = d.node("Range", ["clip_axis", clips, one], "clip")
        first = d.node("Mul", [clip, count], "first")
        first = d.node("Unsqueeze", [first, d.whole([1, 2], "to_column")], "first_down")
        d.node("Add", [first, segment], "segment_of")

    def rectified(self, name, heard, code):
        """The norm and ReLU before a convolution: bytes kept on the side of their limit where the norm is positive.
        The norm itself goes into the code."""
        gain, offset = self.net.norm(f"{name}.batchnorm")
        gain = np.where(np.abs(gain) < 1e-12, 1e-12, gain)
        limit = code.zero - offset / gain / code.scale
        out = Code(gain * code.scale, limit)
        up = gain > 0
        dead = np.where(up, limit > 255, limit < 0)  # no byte is beyond the limit: the ReLU lets nothing through
        dead &= not self.d.exact
        out.scale[dead], out.zero[dead] = 0, 0
        if not self.d.exact:  # a limit is a whole byte: values that are cut off are that much too large
            cut = (self.seen.values[name] == 0).mean(1)
            out.zero[:] = np.where(dead, 0, limit + cut * (np.clip(np.round(limit), 0, 255) - limit))
        heard = self.d.limit(heard, np.where(up, limit, -np.inf), "Max", f"{name}.above")
        if not up.all():
            heard = self.d.limit(heard, np.where(up, np.inf, limit), "Min", f"{name}.below")
        return heard, out

    def layer(self, name, state, code, dilation):
        rectified, inner = self.rectified(f"{name}.nonlinear1", state, code)
        hidden = positive(self.seen.tops(f"{name}.nonlinear2", SHARE), self.balance)
        folded = fold(*self.net.line(f"{name}.linear1", f"{name}.nonlinear2.batchnorm"), inner, hidden)
        seen = f"{name}.nonlinear1"
        spread = self.spread(seen, inner)
        heard = self.d.conv(rectified, folded, self.mean(seen, inner), f"{name}.hidden", True, spread=spread)
        said = self.state_code(name, len(code.scale))
        mask, ratio = self.mask(f"{name}.cam_layer", heard, hidden, said)
        local = Code(said.scale / ratio, np.full(GROWTH, 128.0))
        folded = fold(*self.net.line(f"{name}.cam_layer.linear_local"), hidden, local)
        pads = {"pads": (0, dilation), "dilations": (1, dilation)}
        heard = self.d.conv(heard, folded, self.mean(f"{name}.nonlinear2", hidden), f"{name}.local", **pads)
        heard = self.d.to_floats(heard, 128, f"{name}.local_floats")
        masked = self.d.node("Mul", [heard, mask], f"{name}.masked")
        moved = self.d.node("Add", [masked, self.d.floats(said.zero, f"{name}.zeros")], f"{name}.moved")
        more = self.d.to_bytes(moved, 1, 0, f"{name}.more")
        both = self.d.node("Concat", [state, more], f"{name}.state", axis=3)
        return both, Code(np.concatenate([code.scale, said.scale]), np.concatenate([code.zero, said.zero]))

    def state_code(self, name, start):
        """The code of what a layer adds to the state from channel `start` on: no lower than its readers care for."""
        low, high = (MARGIN * bound for bound in self.seen.bounds(name, SHARE))
        cared = np.full(GROWTH, np.inf)
        for reader in self.readers(name):
            gain, offset = (part[start : start + GROWTH] for part in self.net.norm(f"{reader}.batchnorm"))
            cared = np.minimum(cared, np.where(gain > 1e-12, -offset / np.maximum(gain, 1e-12), -np.inf))
        return between(np.minimum(np.maximum(low, cared), high), high)

    def readers(self, name):
        """The norms that hear what a layer adds: those of the layers behind it and of the block's end."""
        block = name.split(".")[1]
        inside = [layer for layer in LAYERS if layer.split(".")[1] == block]
        later = [f"{layer}.nonlinear1" for layer in inside[inside.index(name) + 1 :]]
        return [*later, f"xvector.{block.replace('block', 'transit')}.nonlinear"]

    def mask(self, name, heard, code, said):
        """What the surroundings say of each channel, at every frame, times the ratio that is given back as well."""
        d, state = self.d, self.net.state
        ratio = said.scale / signed(self.seen.tops(f"{name}.linear_local", SHARE), 1).scale
        first, second = (state[f"{name}.linear{number}.weight"][:, :, 0] for number in (1, 2))
        biases = [d.floats(state[f"{name}.linear{number}.bias"], f"{name}.b{number}") for number in (1, 2)]
        floats = d.to_floats(heard, 0, f"{name}.floats")
        context = d.node("MatMul", ["means", floats], f"{name}.context")
        context = d.node("Reshape", [context, d.whole([-1, INNER], "context_shape")], f"{name}.contexts")
        weights = [d.floats((first * code.scale).T, f"{name}.w1"), biases[0]]
        inner = d.node("Relu", [d.node("Gemm", [context, *weights], f"{name}.linear1")], f"{name}.inner")
        weights = [d.floats(second.T, f"{name}.w2"), biases[1]]
        mask = d.node("Sigmoid", [d.node("Gemm", [inner, *weights], f"{name}.linear2")], f"{name}.shares")
        mask = d.node("Mul", [mask, d.floats(1 / ratio, f"{name}.ratio")], f"{name}.scaled")
        return d.node("Gather", [mask, "segment_of"], f"{name}.mask", axis=0), ratio

    def transit(self, name, state, code, last):
        rectified, inner = self.rectified(f"{name}.nonlinear", state, code)
        if last:
            said = positive(self.seen.tops("xvector.out_nonlinear", SHARE), 1)
            weight = self.net.line(f"{name}.linear", "xvector.out_nonlinear.batchnorm")
        else:
            said, weight = between(*self.seen.bounds(name, SHARE)), self.net.line(f"{name}.linear")
        folded = fold(*weight, inner, said)
        seen = f"{name}.nonlinear"
        spread = self.spread(seen, inner)
        return self.d.conv(rectified, folded, self.mean(seen, inner), name, last, spread=spread), said

    def embedding(self, heard, code):
        """Mean and standard deviation over time, the last layer and its norm."""
        d, axis = self.d, self.d.whole([2], "time_axis")
        floats = d.to_floats(heard, 0, "pooled_over")
        mean = d.node("ReduceMean", [floats, axis], "mean", keepdims=1)
        apart = d.node("Sub", [floats, mean], "apart")
        power = d.node("ReduceSumSquare", [apart, axis], "power", keepdims=1)
        less = d.node("Sub", ["frames_float", d.floats(1, "one_frame")], "frames_less_one")
        deviation = d.node("Sqrt", [d.node("Div", [power, less], "variance")], "deviation")
        both = d.node("Concat", [mean, deviation], "statistics_apart", axis=3)
        both = d.node("Reshape", [both, d.whole([-1, 2 * len(code.scale)], "statistics_shape")], "statistics")
        gain, offset = self.net.norm("xvector.dense.nonlinear.batchnorm")
        weight = self.net.state["xvector.dense.linear.weight"][:, :, 0] * gain[:, None] * np.tile(code.scale, 2)
        d.node("Gemm", [both, d.floats(weight.T, "last.weight"), d.floats(offset, "last.bias")], "embs")

    def spread(self, name, code):
        """The covariance of the bytes of each two channels."""
        if self.d.exact:
            return None
        scale = np.where(code.scale == 0, np.inf, code.scale)
        values = self.seen.values[name] / scale[:, None].astype(np.float32)
        return np.cov(values, dtype=np.float32).astype(np.float64)

    def mean(self, name, code):
        """The mean byte of each channel."""
        scale = np.where(code.scale == 0, 1, code.scale)
        return self.seen.mean(name) / scale + code.zero


def draw(network, observed, exact=False, **choices):
    """[clips, frames, 80] `feats` -> [clips, 192] `embs`: the model.

    Between convolutions there are bytes, channels last. A norm and ReLU before a convolution, over a state that only
    grows, are one `Max` of bytes with each channel's limit: relu(gain * x + offset) = gain * (max(x, limit) - limit),
    where the gain and the limit go into the weights. What a layer adds to the state is written once, in the code that
    all later layers read. The masks are floats, computed once a segment."""
    campplus = Campplus(network, observed, exact, **choices)
    campplus.embedding(*campplus.line())
    size = campplus.net.state["xvector.dense.linear.weight"].shape[0]
    return campplus.d.model("campplus", ("feats", ["B", "T", BINS]), ("embs", ["B", size]))
