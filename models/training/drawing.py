"""An ONNX graph drawn node by node: convolutions of bytes, or, to prove the drawing, the same ones of floats."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

MS = "com.microsoft"  # ONNX Runtime's own operators


class Drawing:
    """Tensors of bytes have the channels last. `exact` draws floats in their place: nothing is rounded, and nothing
    is cut off but what a ReLU cuts off."""

    def __init__(self, exact=False, weight_top=127):
        self.exact, self.weight_top, self.nodes, self.constants = exact, weight_top, [], {}

    def constant(self, value, name):
        value = np.array(value, order="C")
        if name in self.constants and not np.array_equal(self.constants[name], value):
            raise ValueError(f"two constants are called {name}")
        self.constants[name] = value
        return name

    def floats(self, value, name):
        return self.constant(np.asarray(value, np.float32), name)

    def whole(self, value, name):
        return self.constant(np.asarray(value, np.int64), name)

    def byte(self, value):
        return self.constant(np.uint8(value), f"byte.{value}")

    def scale(self, value):
        value = np.float32(value)
        return self.constant(value, f"scale.{value}")

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def conv(
        self, heard, folded, means, output, positive=False, pads=(0, 0), strides=(1, 1), dilations=(1, 1), spread=None
    ):
        """`folded` over [clips, height, width, channels]; `positive` where a ReLU follows (bytes end at 0 anyway).
        `means` and `spread` are those of the bytes heard (`Folded.in_bytes`)."""
        shape = {"kernel_shape": folded.weight.shape[2:], "pads": [*pads, *pads], "strides": strides}
        shape["dilations"] = dilations
        if self.exact:
            return self.exact_conv(heard, folded, output, positive, shape)
        weight, step, bias = folded.in_bytes(means, spread, self.weight_top)
        inputs = [heard, self.scale(1), self.byte(folded.heard_zero)]
        inputs += [self.constant(weight, f"{output}.weight"), self.floats(step, f"{output}.step")]
        inputs += [self.constant(np.zeros(len(step), np.int8), f"zeros.{len(step)}")]
        inputs += [self.scale(1), self.byte(folded.said_zero), self.constant(bias, f"{output}.bias")]
        return self.node("QLinearConv", inputs, output, domain=MS, channels_last=1, **shape)

    def exact_conv(self, heard, folded, output, positive, shape):
        if folded.heard_zero:
            heard = self.node("Sub", [heard, self.floats(folded.heard_zero, f"{output}.zero")], f"{output}.centred")
        heard = self.node("Transpose", [heard], f"{output}.heard", perm=[0, 3, 1, 2])
        bias = self.floats(folded.bias + folded.said_zero, f"{output}.bias")
        inputs = [heard, self.floats(folded.weight, f"{output}.weight"), bias]
        said = self.node("Conv", inputs, f"{output}.said", **shape)
        if positive:
            said = self.node("Relu", [said], f"{output}.positive")
        return self.node("Transpose", [said], output, perm=[0, 2, 3, 1])

    def to_bytes(self, heard, scale, zero, output):
        if not self.exact:
            return self.node("QuantizeLinear", [heard, self.scale(scale), self.byte(zero)], output)
        scaled = self.node("Div", [heard, self.scale(scale)], f"{output}.scaled")
        return self.node("Add", [scaled, self.floats(zero, f"{output}.zero")], output)

    def to_floats(self, heard, zero, output):
        """Steps from the zero, as floats."""
        if not self.exact:
            return self.node("DequantizeLinear", [heard, self.scale(1), self.byte(zero)], output)
        return self.node("Sub", [heard, self.floats(zero, f"{output}.zero")], output)

    def limit(self, heard, limits, kind, output):
        """No channel's bytes below (`Max`) or above (`Min`) its limit."""
        limits = self.floats(limits, f"{output}.at") if self.exact else self.constant(
            np.clip(np.round(limits), 0, 255).astype(np.uint8), f"{output}.at"
        )
        return self.node(kind, [heard, limits], output)

    def add(self, one, one_step, other, other_step, output, other_zero=0):
        """relu(one + other): `one` has its zero at 128; steps are in the output's."""
        if not self.exact:
            inputs = [one, self.scale(one_step), self.byte(128), other, self.scale(other_step), self.byte(other_zero)]
            inputs += [self.scale(1), self.byte(0)]
            return self.node("QLinearAdd", inputs, output, domain=MS)
        one = self.node("Sub", [one, self.floats(128, f"{output}.zero")], f"{output}.centred")
        one = self.node("Mul", [one, self.scale(one_step)], f"{output}.one")
        if other_zero:
            other = self.node("Sub", [other, self.floats(other_zero, f"{output}.zero2")], f"{output}.centred2")
        other = self.node("Mul", [other, self.scale(other_step)], f"{output}.other")
        return self.node("Relu", [self.node("Add", [one, other], f"{output}.sum")], output)

    def model(self, name, given, said):
        """The finished model; `given` and `said` are its ports: (name, shape)."""
        ports = [[helper.make_tensor_value_info(port, TensorProto.FLOAT, shape)] for port, shape in (given, said)]
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, name, *ports, constants)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(MS, 1)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="voxline")
        model.ir_version = 8
        return model
