"""A quantised module as a QDQ model in onnxruntime: floats between conversions, nothing fused, exact products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from tinyc.compiler.export import with_tensors
from tinyc.compiler.frontend import Port
from tinyc.compiler.reference import session
from tinyc.ir.errors import TinycError
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array

TO_NHWC = (0, 2, 3, 1)


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
        try:
            self._engine = session(model)
        except Exception as error:  # onnxruntime raises many unrelated classes of its own
            reason = str(error).split("\n")[0]
            raise TinycError(f"onnxruntime refuses the quantised model: {reason}") from None

    def run(self, inputs: Sequence[Array]) -> Mapping[Value, Array]:
        """The values' arrays as the module has them, for inputs in its order and layout."""
        names = list(dict.fromkeys(name for name, _ in self._tensors.values()))
        if not names:
            return {}
        found = dict(zip(names, self._engine(names, dict(zip(self._inputs, inputs, strict=True))), strict=True))
        arrays = {}
        for value, (name, first) in self._tensors.items():
            array = np.asarray(found[name])
            arrays[value] = np.ascontiguousarray(array.transpose(TO_NHWC)) if first else array
        return arrays
