"""Compiles a model for the board beside this script, by the kernels and the pass of the package."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from outside import Sums

import tinyc

HERE = Path(__file__).parent

weights = np.full((1, 1, 1, 1), 2.0, np.float32)
triangle = np.triu(np.ones((5, 5), np.float32))
shape = [1, 1, 6, 5]
graph = helper.make_graph(
    [helper.make_node("Conv", ["image", "w"], ["doubled"]), helper.make_node("MatMul", ["doubled", "t"], ["sums"])],
    "doubling",
    [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("sums", TensorProto.FLOAT, shape)],
    [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(triangle, "t")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.save(model, str(HERE / "doubling.onnx"))

result = tinyc.compile(
    HERE / "doubling.onnx", target=str(HERE / "board.toml"), output=HERE / "component", extra_passes=[Sums()]
)
text = (HERE / "component" / "src" / "doubling.c").read_text(encoding="ascii")
assert "tinyc_double_each_f32(" in text
assert "tinyc_prefix_sum_f32(" in text
print(result.report["target"])
