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
    slow.onnx      mel [batch, frames, 40] -> embedding [batch, 256], the ports of voxline-phone-1: a Loop of a
                   thousand million MatMuls, each a few microseconds. No test waits for its answer.

Needs onnx==1.23.2. With `--check` it only says whether the committed graphs are what it would write.
"""

import sys
from pathlib import Path

from onnx import TensorProto, helper

HERE = Path(__file__).resolve().parent
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def main() -> int:
    wrong = 0
    for name, model in (("mean", mean()), ("nemo", nemo()), ("waveform", waveform()), ("slow", slow())):
        path, made = HERE / f"{name}.onnx", model.SerializeToString(deterministic=True)
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
            helper.make_tensor_value_info("before", FLOAT, ["B", 256]),
        ],
        outputs=[
            helper.make_tensor_value_info("goes_on_still", BOOL, []),
            helper.make_tensor_value_info("after", FLOAT, ["B", 256]),
        ],
    )
    nodes = [
        helper.make_node("ReduceMean", ["mel", "one"], ["mean"], keepdims=0),
        helper.make_node("Tile", ["mean", "sevenfold"], ["wide"]),
        helper.make_node("Slice", ["wide", "zero", "width", "one"], ["start"]),
        # Weights that need no room in the file: cos(i j).
        helper.make_node("Range", ["from", "until", "step"], ["line"]),
        helper.make_node("Unsqueeze", ["line", "one"], ["column"]),
        helper.make_node("Unsqueeze", ["line", "zero"], ["row"]),
        helper.make_node("MatMul", ["column", "row"], ["outer"]),
        helper.make_node("Cos", ["outer"], ["weights"]),
        helper.make_node("Loop", ["turns", "", "start"], ["embedding"], body=turn),
    ]
    return model(
        nodes,
        inputs=[("mel", FLOAT, ["B", "T", 40])],
        outputs=[("embedding", FLOAT, ["B", 256])],
        keys={},
        constants=[
            helper.make_tensor("sevenfold", INT64, [2], [1, 7]),
            helper.make_tensor("width", INT64, [1], [256]),
            helper.make_tensor("turns", INT64, [], [1_000_000_000]),
            helper.make_tensor("from", FLOAT, [], [0.0]),
            helper.make_tensor("until", FLOAT, [], [256.0]),
            helper.make_tensor("step", FLOAT, [], [1.0]),
        ],
    )


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
