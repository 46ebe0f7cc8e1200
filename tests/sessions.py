"""The one place where tests open onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from tinyc.compiler.exact_products import exact_products


def open_onnxruntime(model: onnx.ModelProto | Path, optimise: bool = True) -> Any:
    """A session on one thread; without `optimise`, it runs operator by operator as the model says.

    Products are exact, so that a test does not pass on one processor and fail on the next. In a model with
    QuantizeLinear or DequantizeLinear the optimiser makes products that saturate: such a model always runs as it says.
    """
    if isinstance(model, Path):
        model = onnx.load(model)
    model = exact_products(model)
    quantised = any(n.op_type in ("QuantizeLinear", "DequantizeLinear") for n in model.graph.node)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimise or quantised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
