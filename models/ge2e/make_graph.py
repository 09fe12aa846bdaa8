#!/usr/bin/env python3
"""Write `ge2e.onnx`: the GE2E speaker network over Resemblyzer's weights, left where they are.

The checkpoint `weights/pretrained.pt` (Resemblyzer 0.1.4; older, non-zip torch format) holds its tensors
as raw little-endian float32 at fixed byte offsets, so the graph names them in place as ONNX external data:
nothing is converted, and the graph is a few kilobytes. The offsets hold for exactly the file whose SHA-256
is in `card.toml`; scripts/provision.py sees to that.

Network (Wan et al. 2018, "Generalized End-to-End Loss for Speaker Verification", as trained by
Resemblyzer): three LSTM layers, 40 -> 256; the last hidden state of the top one -> Linear 256 -> 256 ->
ReLU -> unit length.

    input   mel        [batch, 160, 40]  float32   mel power, not its logarithm: see the card's front end
    output  embedding  [batch, 256]      float32   unit length, no component negative

Run it to rewrite the graph, with `--check` to see that the committed one is what it would write.
Needs onnx==1.23.2 (Python 3.11) and the provisioned weights.
"""

import sys
from pathlib import Path

from onnx import TensorProto, checker, helper

HERE = Path(__file__).resolve().parent
GRAPH = HERE / "ge2e.onnx"
WEIGHTS = "weights/pretrained.pt"

FRAMES = 160  # 1.6 s, the length of window the network was trained on
BINS = 40
HIDDEN = 256
LAYERS = 3

# Byte offset in the checkpoint, and shape, of each tensor.
TENSORS = {
    "lstm.weight_ih_l0": (269_883, (4 * HIDDEN, BINS)),
    "lstm.weight_hh_l0": (433_723, (4 * HIDDEN, HIDDEN)),
    "lstm.bias_ih_l0": (5_676_603, (4 * HIDDEN,)),
    "lstm.bias_hh_l0": (5_680_699, (4 * HIDDEN,)),
    "lstm.weight_ih_l1": (1_482_299, (4 * HIDDEN, HIDDEN)),
    "lstm.weight_hh_l1": (2_530_875, (4 * HIDDEN, HIDDEN)),
    "lstm.bias_ih_l1": (5_684_795, (4 * HIDDEN,)),
    "lstm.bias_hh_l1": (5_688_891, (4 * HIDDEN,)),
    "lstm.weight_ih_l2": (3_579_451, (4 * HIDDEN, HIDDEN)),
    "lstm.weight_hh_l2": (4_628_027, (4 * HIDDEN, HIDDEN)),
    "lstm.bias_ih_l2": (5_692_987, (4 * HIDDEN,)),
    "lstm.bias_hh_l2": (5_697_083, (4 * HIDDEN,)),
    "linear.weight": (7_731, (HIDDEN, HIDDEN)),
    "linear.bias": (6_699, (HIDDEN,)),
}


def main() -> int:
    graph = model().SerializeToString(deterministic=True)
    if "--check" in sys.argv[1:]:
        same = GRAPH.read_bytes() == graph
        print(f"{GRAPH.name} is {'as' if same else 'NOT what'} make_graph.py writes it")
        return 0 if same else 1
    GRAPH.write_bytes(graph)
    checker.check_model(str(GRAPH))  # by its path, so that the offsets are checked against the weights
    print(f"wrote {GRAPH.name}, {len(graph)} bytes")
    return 0


def model():
    """The whole network as an ONNX model."""
    nodes = [helper.make_node("Transpose", ["mel"], ["layer0"], perm=[1, 0, 2])]  # to [time, batch, bins]
    for layer in range(LAYERS):
        nodes += lstm(layer)
    nodes.pop()  # nobody reads the top layer's sequence, only its last state
    nodes += head(f"last{LAYERS - 1}")
    graph = helper.make_graph(
        nodes,
        "ge2e",
        inputs=[helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", FRAMES, BINS])],
        outputs=[helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])],
        initializer=[external(name, *place) for name, place in TENSORS.items()] + constants(),
    )
    # IR 9 and opset 18 are read by every ONNX Runtime since 1.16.
    made = helper.make_model(
        graph, producer_name="voxline", ir_version=9, opset_imports=[helper.make_opsetid("", 18)]
    )
    helper.set_model_props(made, {"id": "ge2e", "sample_rate": "16000", "front_end": "ge2e_mel"})
    return made


def lstm(layer: int) -> list:
    """One LSTM layer, from `layer{n}` [time, batch, in] to `layer{n+1}` and its last state `last{n}`."""
    return [
        *gates(f"lstm.weight_ih_l{layer}", f"w{layer}"),
        *gates(f"lstm.weight_hh_l{layer}", f"r{layer}"),
        *gates(f"lstm.bias_ih_l{layer}", f"bi{layer}"),
        *gates(f"lstm.bias_hh_l{layer}", f"bh{layer}"),
        helper.make_node("Concat", [f"bi{layer}", f"bh{layer}"], [f"b{layer}"], axis=1),
        helper.make_node(
            "LSTM",
            [f"layer{layer}", f"w{layer}", f"r{layer}", f"b{layer}"],
            [f"states{layer}", f"last{layer}"],
            hidden_size=HIDDEN,
        ),
        # The only direction is an axis of its own in ONNX: [time, 1, batch, hidden].
        helper.make_node("Squeeze", [f"states{layer}", "one"], [f"layer{layer + 1}"]),
    ]


def gates(torch_name: str, onnx_name: str) -> list:
    """Torch keeps the gates as input, forget, cell, output; ONNX as input, output, forget, cell. Both
    nodes have constant inputs only, so the runtime folds them away when it loads the graph."""
    parts = [f"{onnx_name}_{gate}" for gate in "ifco"]
    order = [f"{onnx_name}_{gate}" for gate in "iofc"]
    return [
        helper.make_node("Split", [torch_name], parts, axis=0, num_outputs=4),
        helper.make_node("Concat", order, [f"{onnx_name}_ordered"], axis=0),
        helper.make_node("Unsqueeze", [f"{onnx_name}_ordered", "zero"], [onnx_name]),
    ]


def head(last: str) -> list:
    """From the top layer's last state [1, batch, hidden] to an embedding of unit length."""
    return [
        helper.make_node("Squeeze", [last, "zero"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "linear.weight", "linear.bias"], ["projected"], transB=1),
        helper.make_node("Relu", ["projected"], ["positive"]),
        helper.make_node("ReduceL2", ["positive", "one"], ["length"], keepdims=1),
        # An embedding that the ReLU has emptied stays zero, where a division by zero would make it NaN.
        helper.make_node("Max", ["length", "tiny"], ["divisor"]),
        helper.make_node("Div", ["positive", "divisor"], ["embedding"]),
    ]


def external(name: str, offset: int, shape: tuple[int, ...]) -> TensorProto:
    """A float32 tensor that lies in the checkpoint."""
    length = 4
    for size in shape:
        length *= size
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", WEIGHTS), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def constants() -> list[TensorProto]:
    """The axes that Squeeze, Unsqueeze and ReduceL2 take as inputs, and the floor of the length."""
    return [
        helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        helper.make_tensor("one", TensorProto.INT64, [1], [1]),
        helper.make_tensor("tiny", TensorProto.FLOAT, [1], [1e-12]),
    ]


if __name__ == "__main__":
    sys.exit(main())
