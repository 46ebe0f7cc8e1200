"""A quantised module as a QDQ model in onnxruntime: floats between conversions, nothing fused, exact products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime

from tinyc.compiler.export import with_tensors
from tinyc.compiler.frontend import Port
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array

TO_NHWC = (0, 2, 3, 1)


def open_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A model in onnxruntime as it is written: no optimisations, whose integer kernels round in ways of their own; one
    thread, so that sums are added in the same order every time; and products of uint8 and int8 that do not saturate,
    which on x86 without VNNI has to be asked for.

    Raises:
        TinycError: onnxruntime refuses the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many unrelated classes of its own
        reason = str(error).split("\n")[0]
        raise TinycError(f"onnxruntime refuses the quantised model: {reason}") from None


class QdqModel:
    """The module in onnxruntime, with every quantised value as an output.

    Args:
        module: the quantised module.
        values: whose arrays are wanted.

    Raises:
        TinycError: the module has an operator that ONNX has no form for, or onnxruntime refuses it.
    """

    def __init__(self, module: Module, values: Sequence[Value]) -> None:
        inputs = [Port(v.name, v, v.shape, None) for v in module.inputs]
        outputs = [Port(f"output {k}", v, v.shape, None) for k, v in enumerate(module.outputs)]
        model, tensors = with_tensors(module, inputs, outputs)
        self._inputs = [p.name for p in inputs]
        self._tensors = {v: tensors[v] for v in values if v in tensors and v not in module.inputs}
        known = {o.name for o in model.graph.output}
        names = dict.fromkeys(name for name, _ in self._tensors.values())
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
        self._session = open_session(model)

    def run(self, inputs: Sequence[Array]) -> Mapping[Value, Array]:
        """The values' arrays as the module has them, for inputs in its order and layout."""
        names = list(dict.fromkeys(name for name, _ in self._tensors.values()))
        if not names:
            return {}
        found = dict(zip(names, self._session.run(names, dict(zip(self._inputs, inputs, strict=True))), strict=True))
        arrays = {}
        for value, (name, first) in self._tensors.items():
            array = np.asarray(found[name])
            arrays[value] = np.ascontiguousarray(array.transpose(TO_NHWC)) if first else array
        return arrays
