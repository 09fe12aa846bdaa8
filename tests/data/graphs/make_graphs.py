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

Needs onnx==1.23.2. With `--check` it only says whether the committed graphs are what it would write.
"""

import sys
from pathlib import Path

from onnx import TensorProto, helper

HERE = Path(__file__).resolve().parent
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def main() -> int:
    wrong = 0
    for name, model in (("mean", mean()), ("nemo", nemo()), ("waveform", waveform())):
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


def model(nodes, inputs, outputs, keys):
    """A model whose nodes may use the constants `zero`, `one` and `two` as axes and bounds."""
    graph = helper.make_graph(
        nodes,
        "statistics",
        inputs=[helper.make_tensor_value_info(*port) for port in inputs],
        outputs=[helper.make_tensor_value_info(*port) for port in outputs],
        initializer=[
            helper.make_tensor(name, INT64, [1], [value]) for name, value in (("zero", 0), ("one", 1), ("two", 2))
        ],
    )
    made = helper.make_model(
        graph, producer_name="voxline", ir_version=9, opset_imports=[helper.make_opsetid("", 18)]
    )
    helper.set_model_props(made, keys)
    return made


if __name__ == "__main__":
    sys.exit(main())
