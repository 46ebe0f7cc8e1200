"""The shapes inside a model for a batch that no other dimension can be mistaken for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from tinyc.compiler.frontend.constants import evaluate_by_reference, is_function
from tinyc.compiler.frontend.node import normal_domain, operator_name
from tinyc.compiler.frontend.registry import SHAPED_LIKE
from tinyc.ir.tensor import Array
from tinyc.ir.types import LARGEST

PROBE = 1_000_003
"""The batch that shapes are inferred with: a prime, so that a dimension it divides is a number of batches."""

SMALL = 4096
"""Elements up to which a constant may be a shape, and is evaluated to infer other shapes with."""

_FROM_AXIS = ("LayerNormalization", "RMSNormalization")
_SOFTMAX = ("Softmax", "LogSoftmax", "Hardmax")
_AXES = dict.fromkeys((*_FROM_AXIS, *_SOFTMAX, "LpNormalization", "TopK"), -1) | {"Gather": 0}
"""Operators that work along a dimension which their result has as well, and which one when they do not say."""

Shape = tuple[int, ...]


class Probe:
    """What is known of a model's tensors.

    `types` has their types with the batch `PROBE`; `data`, the values of small constants with that batch; `now`, the
    values of those that differ with the batch `new`.
    """

    def __init__(self, new: int, opset: int) -> None:
        self.types: dict[str, onnx.TypeProto] = {}
        self.data: dict[str, Array] = {}
        self.now: dict[str, Array] = {}
        self._new, self._opset = new, opset
        self._tensors: dict[str, TensorProto] = {}
        self._makers: dict[str, onnx.NodeProto] = {}

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor with the batch `PROBE`; None when it is not known."""
        kind = self.types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        dims = kind.tensor_type.shape.dim
        return tuple(int(d.dim_value) for d in dims) if all(d.HasField("dim_value") for d in dims) else None

    @staticmethod
    def at(size: int, batch: int) -> int:
        """A dimension with another batch instead of `PROBE`."""
        return size // PROBE * batch if size and size % PROBE == 0 else size

    def constant(self, name: str, tensor: TensorProto) -> None:
        """Notes a constant."""
        self._tensors[name] = tensor
        self.types[name] = helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
        if math.prod(tensor.dims) <= SMALL and tensor.data_type != TensorProto.STRING:
            self.data[name] = numpy_helper.to_array(tensor)

    def carried(self, name: str) -> tuple[int, int] | None:
        """The dimension of a tensor that has the batch, and how many of it; None when there is none, or more."""
        found = [(axis, n // PROBE) for axis, n in enumerate(self.shape(name) or ()) if n and n % PROBE == 0]
        return found[0] if len(found) == 1 else None

    def along(self, node: onnx.NodeProto) -> int | None:
        """The dimension of its first operand that a node works along; None when it does not say."""
        rank = len(self.shape(node.input[0]) or ())
        listed = {a.name: int(a.i) for a in node.attribute}
        default = 1 if self._flattens(node) else _AXES.get(node.op_type)
        axis = listed.get("axis", default)
        return None if axis is None or not rank else axis % rank

    def mixing(self, node: onnx.NodeProto, batch: int) -> bool:
        """Whether a node works along dimension `batch` of its first operand, which its result has as well."""
        if node.op_type == "MeanVarianceNormalization":
            axes = next((list(a.ints) for a in node.attribute if a.name == "axes"), [0, 2, 3])
            return batch in [a % len(self.shape(node.input[0]) or (0,)) for a in axes]
        axis = self.along(node)
        if node.op_type not in _AXES or axis is None:
            return False
        return axis <= batch if self._flattens(node) or node.op_type in _FROM_AXIS else axis == batch

    def _flattens(self, node: onnx.NodeProto) -> bool:
        """Whether a softmax takes all dimensions from its axis on as one."""
        return node.op_type in _SOFTMAX and self._opset < 13

    def add(self, node: onnx.NodeProto) -> bool:
        """Notes what a node's outputs are; False when its operands do not fit each other, or one is not known."""
        for name in node.output:
            self._makers[name] = node
        value = next((a.t for a in node.attribute if a.name == "value" and node.op_type == "Constant"), None)
        if value is not None:
            self.constant(node.output[0], value)
            return True
        found = self._infer(node)
        if found is not None:
            self.types |= found
            self._evaluate(node)
        return found is not None

    def _infer(self, node: onnx.NodeProto) -> dict[str, onnx.TypeProto] | None:
        """The types of a node's outputs; None when its operands do not fit each other, or one is not known."""
        like, names = self._like(node)
        if like is None or any(name not in self.types for name in names):
            return None
        known = {n: numpy_helper.from_array(self.data[n], n) for n in names if n in self.data}
        infos = [helper.make_value_info(n, self.types[n]) for n in dict.fromkeys(names) if n not in known]
        outputs = [helper.make_value_info(n, onnx.TypeProto()) for n in node.output if n]
        graph = helper.make_graph([like], "node", infos, outputs, list(known.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._opset)], ir_version=8)
        try:
            inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except Exception:  # whatever the C++ code of onnx raises
            return None
        return {o.name: o.type for o in inferred.graph.output if o.type.HasField("tensor_type")}

    def _like(self, node: onnx.NodeProto) -> tuple[onnx.NodeProto | None, list[str]]:
        """The node, or for one of another domain one of ONNX's own with a result of that shape; and its operands."""
        if not normal_domain(node.domain):
            return node, [n for n in node.input if n]
        found = SHAPED_LIKE.get(operator_name(node))
        if found is None or any(a.name == "channels_last" and a.i for a in node.attribute):
            return None, []
        op_type, taken = found
        names = [n for n in taken(list(node.input)) if n]
        kept = [a for a in node.attribute if a.name not in ("channels_last", "opset")]
        like = onnx.NodeProto(op_type=op_type, input=names, output=node.output[:1], attribute=kept)
        return like, names

    def _evaluate(self, node: onnx.NodeProto) -> None:
        """Notes the values of a node's small outputs, if its operands are known."""
        shape = self.shape(node.input[0]) if node.input else None
        if node.op_type in ("Shape", "Size") and shape is not None:
            bounds = {a.name: int(a.i) for a in node.attribute}
            part = shape[bounds.get("start", 0) : bounds.get("end", len(shape))]
            for values, dims in ((self.data, part), (self.now, [self.at(n, self._new) for n in part])):
                values[node.output[0]] = np.asarray(dims if node.op_type == "Shape" else math.prod(dims), np.int64)
            return
        sizes = [self.shape(name) for name in node.output if name]
        known = all(not n or n in self.data for n in node.input) and is_function(node, self._opset)
        if not known or any(s is not None and math.prod(s) > SMALL for s in sizes):
            return
        self.data |= self._results(node, self.data)
        if any(n in self.now for n in node.input):
            self.now |= self._results(node, self.data | self.now)

    def _results(self, node: onnx.NodeProto, values: Mapping[str, Array]) -> dict[str, Array]:
        try:
            arrays = evaluate_by_reference(node, self._opset, [values.get(n) for n in node.input])
        except Exception:  # malformed: the import says why
            return {}
        return {n: a for n, a in zip(node.output, arrays, strict=True) if n}

    def array(self, name: str) -> Array | None:
        """The array of a constant or of an expression of constants; None for anything else."""
        if name in self.data or name in self._tensors:
            return self.data[name] if name in self.data else numpy_helper.to_array(self._tensors[name])
        node, shape = self._makers.get(name), self.shape(name)
        if node is None or shape is None or math.prod(shape) > LARGEST or not is_function(node, self._opset):
            return None
        arrays = [self.array(n) if n else None for n in node.input]
        if any(n and a is None for n, a in zip(node.input, arrays, strict=True)):
            return None
        try:
            return evaluate_by_reference(node, self._opset, arrays)[list(node.output).index(name)]
        except Exception:  # malformed: the import says why
            return None
