"""onnxruntime, the reference that everything is measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import onnx
import onnxruntime

from tinyc.compiler.exact_products import exact_products
from tinyc.compiler.frontend import FrontendError, Imported, Port
from tinyc.ir.tensor import Array

_QUANTISED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}


def to_module(port: Port, array: Array) -> Array:
    """An array of the ONNX model as the module takes it."""
    return array if port.perm is None else np.ascontiguousarray(array.transpose(port.perm))


def to_onnx(port: Port, array: Array) -> Array:
    """An array of the module as the ONNX model takes it."""
    return array if port.perm is None else np.ascontiguousarray(array.transpose(np.argsort(port.perm)))


class Reference:
    """The model in onnxruntime, on one thread, so that sums are added in the same order every time."""

    def __init__(self, imported: Imported) -> None:
        self._imported = imported
        self._session = self._open(imported.model)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Outputs for inputs given in the module's order and layout; outputs likewise."""
        found = self._session.run([p.name for p in self._imported.outputs], self._feeds(inputs))
        return [to_module(p, np.asarray(a)) for p, a in zip(self._imported.outputs, found, strict=True)]

    def intermediates(self, inputs: Sequence[Array], names: Sequence[str]) -> Mapping[str, Array]:
        """The arrays of the named tensors inside the model."""
        model = onnx.ModelProto()
        model.CopyFrom(self._imported.model)
        known = {o.name for o in model.graph.output}
        model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
        return dict(zip(names, self._open(model).run(list(names), self._feeds(inputs)), strict=True))

    def _feeds(self, inputs: Sequence[Array]) -> dict[str, Array]:
        return {p.name: to_onnx(p, a) for p, a in zip(self._imported.inputs, inputs, strict=True)}

    @staticmethod
    def _open(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
        model = exact_products(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        if any(node.op_type in _QUANTISED for node in model.graph.node):
            # The optimiser turns quantised operators into others that round differently, some of them coarsely.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            return cast(
                onnxruntime.InferenceSession,
                onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]),
            )
        except Exception as error:  # onnxruntime raises many unrelated classes of its own
            reason = str(error).split("\n")[0]
            raise FrontendError(f"onnxruntime, the reference to verify against, refuses the model: {reason}") from None
