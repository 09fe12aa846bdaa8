#!/usr/bin/env python3
"""Write the small graphs by which the tests see what a speaker model is fed.

None knows a voice: each gives back a plain statistic of its input, so that a layout turned round, a length
forgotten or a frame too many shows in the answer.

    mean.onnx      feats [batch, frames, 80] -> embs [batch, 80]: the mean over the frames. Carries
                   sherpa-onnx's keys as WeSpeaker's exports do.
    nemo.onnx      audio_signal [batch, 80, frames], length [batch] -> logits [batch, 2] and
                   embs [batch, 80]: the sum over the frames divided by the *given* length. Carries
                   sherpa-onnx's keys as NeMo's exports do.
    waveform.onnx  waveform [batch, samples] -> embedding [batch, 2]: the mean and the mean square.
    slow.onnx      feats [batch, frames, 80] -> embs [batch, 192], the ports of voxline-phone-2: a Loop of a
                   thousand million MatMuls, each a few microseconds. No test waits for its answer.
    convolutions.onnx  heard [batch, 8, frames] -> said [batch, 16, frames]: convolutions over time of every make
                   (pads on one side, strides, dilations, groups, one filter for two), with what stands between
                   them, and graphs within the graph. convolutions.json is an input with the answer of onnx's own reference evaluator, which is
                   numpy and has nothing of ONNX Runtime's.

Needs onnx==1.23.2. With `--check` it only says whether the committed files are what it would write.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = Path(__file__).resolve().parent
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def main() -> int:
    wrong = 0
    graphs = {"mean": mean(), "nemo": nemo(), "waveform": waveform(), "slow": slow(), "convolutions": convolutions()}
    files = {f"{name}.onnx": graph.SerializeToString(deterministic=True) for name, graph in graphs.items()}
    files["convolutions.json"] = answered(graphs["convolutions"])
    for name, made in files.items():
        path = HERE / name
        if "--check" not in sys.argv[1:]:
            path.write_bytes(made)
        elif path.read_bytes() != made:
            print(f"{path.name} is not what make_graphs.py writes")
            wrong += 1
    return 1 if wrong else 0


def mean():
    return model(
        [helper.make_node("ReduceMean", ["feats", "one"], ["embs"], keepdims=0)],
        inputs=[("feats", FLOAT, ["B", "T", 80])],
        outputs=[("embs", FLOAT, ["B", 80])],
        keys={
            "framework": "wespeaker",
            "language": "English",
            "url": "none",
            "comment": "the mean of its input",
            "sample_rate": "16000",
            "output_dim": "80",
            "normalize_samples": "0",
            "feature_normalize_type": "",
        },
    )


def nemo():
    return model(
        [
            helper.make_node("ReduceSum", ["audio_signal", "two"], ["sum"], keepdims=0),
            helper.make_node("Cast", ["length"], ["frames"], to=FLOAT),
            helper.make_node("Unsqueeze", ["frames", "one"], ["column"]),
            helper.make_node("Div", ["sum", "column"], ["embs"]),
            helper.make_node("Slice", ["embs", "zero", "two", "one"], ["logits"]),
        ],
        inputs=[("audio_signal", FLOAT, ["B", 80, "T"]), ("length", INT64, ["B"])],
        outputs=[("logits", FLOAT, ["B", 2]), ("embs", FLOAT, ["B", 80])],
        keys={
            "framework": "nemo",
            "language": "English",
            "url": "none",
            "comment": "the mean of its input",
            "sample_rate": "16000",
            "output_dim": "80",
            "feature_normalize_type": "NA",
            "window_size_ms": "25",
            "window_stride_ms": "10",
            "window_type": "hann",
            "feat_dim": "80",
        },
    )


def waveform():
    return model(
        [
            helper.make_node("ReduceMean", ["waveform", "one"], ["mean"], keepdims=1),
            helper.make_node("Mul", ["waveform", "waveform"], ["squares"]),
            helper.make_node("ReduceMean", ["squares", "one"], ["power"], keepdims=1),
            helper.make_node("Concat", ["mean", "power"], ["embedding"], axis=1),
        ],
        inputs=[("waveform", FLOAT, ["B", "samples"])],
        outputs=[("embedding", FLOAT, ["B", 2])],
        keys={},
    )


def slow():
    turn = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["goes_on_still"]),
            helper.make_node("MatMul", ["before", "weights"], ["product"]),
            helper.make_node("Tanh", ["product"], ["after"]),
        ],
        "turn",
        inputs=[
            helper.make_tensor_value_info("nth", INT64, []),
            helper.make_tensor_value_info("goes_on", BOOL, []),
            helper.make_tensor_value_info("before", FLOAT, ["B", 192]),
        ],
        outputs=[
            helper.make_tensor_value_info("goes_on_still", BOOL, []),
            helper.make_tensor_value_info("after", FLOAT, ["B", 192]),
        ],
    )
    nodes = [
        helper.make_node("ReduceMean", ["feats", "one"], ["mean"], keepdims=0),
        helper.make_node("Tile", ["mean", "threefold"], ["wide"]),
        helper.make_node("Slice", ["wide", "zero", "width", "one"], ["start"]),
        # Weights that need no room in the file: cos(i j).
        helper.make_node("Range", ["from", "until", "step"], ["line"]),
        helper.make_node("Unsqueeze", ["line", "one"], ["column"]),
        helper.make_node("Unsqueeze", ["line", "zero"], ["row"]),
        helper.make_node("MatMul", ["column", "row"], ["outer"]),
        helper.make_node("Cos", ["outer"], ["weights"]),
        helper.make_node("Loop", ["turns", "", "start"], ["embs"], body=turn),
    ]
    return model(
        nodes,
        inputs=[("feats", FLOAT, ["B", "T", 80])],
        outputs=[("embs", FLOAT, ["B", 192])],
        keys={},
        constants=[
            helper.make_tensor("threefold", INT64, [2], [1, 3]),
            helper.make_tensor("width", INT64, [1], [192]),
            helper.make_tensor("turns", INT64, [], [1_000_000_000]),
            helper.make_tensor("from", FLOAT, [], [0.0]),
            helper.make_tensor("until", FLOAT, [], [192.0]),
            helper.make_tensor("step", FLOAT, [], [1.0]),
        ],
    )


def convolutions():
    rng = np.random.default_rng(7)

    def filters(name, *shape):
        numbers = rng.normal(0, 1 / np.sqrt(shape[1] * shape[2]), shape).astype(np.float32)
        return numpy_helper.from_array(numbers, name)

    nodes = [
        helper.make_node("Conv", ["heard", "f1", "b1"], ["c1"], kernel_shape=[5], pads=[2, 2]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "f2"], ["c2"], kernel_shape=[3], pads=[1, 3], dilations=[2]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("Add", ["r1", "r2"], ["sum"]),
        helper.make_node("Conv", ["sum", "f2", "b1"], ["again"], pads=[2, 0], strides=[1]),
        helper.make_node("Conv", ["again", "f3"], ["grouped"], group=4, strides=[2]),
        helper.make_node("ReduceMean", ["grouped", "two"], ["pooled"], keepdims=1),
        helper.make_node("Conv", ["pooled", "f4"], ["opinion"]),
        helper.make_node("Sigmoid", ["opinion"], ["gate"]),
        helper.make_node("Mul", ["grouped", "gate"], ["gated"]),
        helper.make_node("Concat", ["gated", "grouped"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "f5"], ["joined"], auto_pad="SAME_UPPER", kernel_shape=[4]),
        # A filter that is also something else has to stay what it is.
        helper.make_node("Conv", ["joined", "f6"], ["last"]),
        helper.make_node("ReduceMean", ["f6", "two"], ["mean_of_filter"], keepdims=1),
        helper.make_node("ReduceSum", ["mean_of_filter"], ["offset"], keepdims=0),
        helper.make_node("Add", ["last", "offset"], ["moved"]),
        # Graphs within the graph: they take a value and a filter of the outer one by their names alone.
        helper.make_node("ReduceMax", ["heard"], ["peak"], keepdims=0),
        helper.make_node("Greater", ["peak", "offset"], ["is_loud"]),
        helper.make_node(
            "If",
            ["is_loud"],
            ["aside"],
            then_branch=aside("then", ("sum", "f5")),
            else_branch=aside("else", ("again", "f5")),
        ),
        helper.make_node("Add", ["moved", "aside"], ["said"]),
    ]
    return model(
        nodes,
        inputs=[("heard", FLOAT, ["B", 8, "T"])],
        outputs=[("said", FLOAT, ["B", 16, "S"])],
        keys={},
        constants=[
            filters("f1", 16, 8, 5),
            filters("f2", 16, 16, 3),
            filters("f3", 16, 4, 3),
            filters("f4", 16, 16, 1),
            filters("f5", 16, 32, 4),
            filters("f6", 16, 16, 1),
            numpy_helper.from_array(rng.normal(0, 0.3, 16).astype(np.float32), "b1"),
        ],
    )


def aside(name, of):
    """The sum of the means over time, [batch, 16, 1], of a value and of a filter."""
    nodes = [
        helper.make_node("ReduceMean", [of[0], "two"], [f"{name}_mean"], keepdims=1),
        helper.make_node("ReduceMean", [of[1]], [f"{name}_of_filter"], keepdims=0),
        helper.make_node("Add", [f"{name}_mean", f"{name}_of_filter"], [f"{name}_aside"]),
    ]
    port = helper.make_tensor_value_info(f"{name}_aside", FLOAT, ["B", 16, 1])
    return helper.make_graph(nodes, name, [], [port])


def answered(graph) -> bytes:
    heard = np.random.default_rng(8).normal(0, 1, (2, 8, 23)).round(6).astype(np.float32)
    said = ReferenceEvaluator(graph).run(None, {"heard": heard})[0]
    whole = {
        "shape": said.shape,
        "heard": [round(float(value), 6) for value in heard.flat],
        "said": [round(float(value), 6) for value in said.flat],
    }
    return (json.dumps(whole) + "\n").encode()


def model(nodes, inputs, outputs, keys, constants=()):
    """A model whose nodes may use the constants `zero`, `one` and `two` as axes and bounds, and its own."""
    graph = helper.make_graph(
        nodes,
        "statistics",
        inputs=[helper.make_tensor_value_info(*port) for port in inputs],
        outputs=[helper.make_tensor_value_info(*port) for port in outputs],
        initializer=[
            helper.make_tensor(name, INT64, [1], [value]) for name, value in (("zero", 0), ("one", 1), ("two", 2))
        ]
        + list(constants),
    )
    made = helper.make_model(
        graph, producer_name="voxline", ir_version=9, opset_imports=[helper.make_opsetid("", 18)]
    )
    helper.set_model_props(made, keys)
    return made


if __name__ == "__main__":
    sys.exit(main())
