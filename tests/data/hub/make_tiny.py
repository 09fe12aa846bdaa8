#!/usr/bin/env python3
"""Make `tiny.onnx` and `nameless.onnx`: the smallest graphs that pass for speaker models.

They recognise nobody: random weights, good for testing how a model is fetched, added and switched to. Both
take 80-band features [B, T, 80] and give embeddings [B, 64]: mean over time of the features' magnitudes, one
hidden layer. `tiny.onnx` carries the metadata keys sherpa-onnx writes into WeSpeaker exports, `nameless.onnx`
none.

Needs the `onnx` and `numpy` packages; run it in this folder.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BANDS, HIDDEN, DIMENSION = 80, 96, 64
METADATA = {
    "framework": "wespeaker",
    "language": "English",
    "comment": "random weights, for tests",
    "sample_rate": "16000",
    "output_dim": str(DIMENSION),
    "normalize_samples": "0",
    "feature_normalize_type": "global-mean",
}


def graph() -> onnx.ModelProto:
    rng = np.random.default_rng(20261122)
    weights = [
        numpy_helper.from_array(rng.standard_normal((BANDS, HIDDEN)).astype(np.float32), "w1"),
        numpy_helper.from_array(rng.standard_normal((HIDDEN, DIMENSION)).astype(np.float32), "w2"),
        numpy_helper.from_array(np.array([1], np.int64), "time"),
    ]
    nodes = [
        helper.make_node("Abs", ["feats"], ["size"]),
        helper.make_node("ReduceMean", ["size", "time"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "w1"], ["hidden"]),
        helper.make_node("Tanh", ["hidden"], ["bent"]),
        helper.make_node("MatMul", ["bent", "w2"], ["embs"]),
    ]
    feats = helper.make_tensor_value_info("feats", TensorProto.FLOAT, ["B", "T", BANDS])
    embs = helper.make_tensor_value_info("embs", TensorProto.FLOAT, ["B", DIMENSION])
    made = helper.make_graph(nodes, "tiny", [feats], [embs], weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], producer_name="voxline-tests")
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def main() -> None:
    model = graph()
    onnx.save(model, "nameless.onnx")
    for key, value in METADATA.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, "tiny.onnx")


if __name__ == "__main__":
    main()
