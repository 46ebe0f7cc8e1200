"""The ONNX graph under construction: nodes, initialisers, and in which layout each value of the module is at hand.

A value of 4 dimensions is NHWC in the module. In the graph it may lie as it is, or channels first, as ONNX's spatial
operators take it. It is transposed when somebody asks for the layout that is not there, and once at most; what is made
from a channels-first value element by element is channels first too. So transposes stand only where they have to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tinyc.compiler.frontend.importer import TO_NCHW, TO_NHWC
from tinyc.ir import DType, Module, TinycError, Value
from tinyc.ir.concern import Concern
from tinyc.ir.constant import fits_4_bits
from tinyc.ir.op import unused
from tinyc.ir.ops import Reshape
from tinyc.ir.ops.movement import same_dimension
from tinyc.ir.ops.quantise import Dequantize
from tinyc.ir.tensor import Array

OPSET = 19
"""Of the exported model: the first one whose average pools have dilations."""
LATER_OPSET = 21
"""The first one that dequantises int4 and quantises to int16. What is written is the same in both otherwise."""


class ExportError(TinycError):
    """A module that cannot be said in ONNX, or a file that cannot be written."""


class Graph:
    """Nodes and initialisers. `reserved` are tensor names that only `define` and `finish` may give."""

    def __init__(self, module: Module, reserved: set[str]) -> None:
        self.module = module
        self.nodes: list[onnx.NodeProto] = []
        self.initialisers: list[onnx.TensorProto] = []
        self._names = {"", *reserved}
        self._reserved = set(reserved)
        self._tensors: dict[tuple[Value, bool], str] = {}
        self._native: dict[Value, bool] = {}
        self._constants: dict[tuple[bytes, str, tuple[int, ...]], str] = {}
        self.opset = OPSET

    def add(self, operator: str, inputs: Sequence[str], hint: str, **attributes: Any) -> str:
        """Adds a node and returns the name of its one output."""
        return self.add_several(operator, inputs, [hint], **attributes)[0]

    def add_several(
        self, operator: str, inputs: Sequence[str], hints: Sequence[str], **attributes: Any
    ) -> Sequence[str]:
        """Adds a node and returns the names of its outputs, of which there are as many as hints."""
        names = [self._fresh(hint) for hint in hints]
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(
            helper.make_node(operator, list(inputs), names, name=f"{operator}_{len(self.nodes)}", **given)
        )
        return names

    def initialiser(self, array: Array, hint: str, four_bits: bool = False) -> str:
        """The name of a constant tensor; equal ones are stored once. With `four_bits` it is of int4."""
        data = np.ascontiguousarray(array).reshape(array.shape)
        key = (data.tobytes(), "int4" if four_bits else str(data.dtype), data.shape)
        if key not in self._constants:
            name = self._constants[key] = self._fresh(hint)
            if four_bits:
                self.opset = LATER_OPSET
                made = helper.make_tensor(name, onnx.TensorProto.INT4, data.shape, data.reshape(-1))
            else:
                made = numpy_helper.from_array(data, name)
            self.initialisers.append(made)
        return self._constants[key]

    def define(self, value: Value, name: str, first: bool = False) -> None:
        """States that a tensor of the graph is a value of the module, as it is or channels first."""
        self._tensors[value, first] = name
        self._native.setdefault(value, first)

    def lies_first(self, *values: Value) -> bool:
        """Whether one of the values was made channels first."""
        return any(self._native.get(v, False) for v in values)

    def name(self, value: Value, first: bool = False) -> str:
        """The tensor that holds a value, as it is or channels first; transposed if need be."""
        if (value, first) not in self._tensors:
            self._tensors[value, first] = self._constant(value, first) or self._turned(value, first)
        return self._tensors[value, first]

    def tensors(self) -> dict[Value, tuple[str, bool]]:
        """The tensor of each value that has been defined, and whether it lies channels first."""
        return {value: (self._tensors[value, first], first) for value, first in self._native.items()}

    def flat(self, value: Value) -> str:
        """A tensor with the elements of a value in the value's order, under whatever shape."""
        if self.lies_first(value) and _keeps_order(value.shape):
            return self.name(value, first=True)
        return self.name(value)

    def relaid(self, value: Value, perm: tuple[int, ...], shape: tuple[int, ...]) -> str:
        """A value with permuted dimensions and then another shape: weights in ONNX's layout. A constant is relaid
        itself, below its dequantize if it has one."""
        array = self.module.constant(value)
        if array is not None:
            return self.initialiser(array.transpose(perm).reshape(shape), value.name)
        weights = self._weights(value)
        if weights is not None:
            op, data = weights
            ints = data.transpose(perm).reshape(shape)
            at = 0 if op.whole() else same_dimension([data.shape[p] for p in perm], shape, perm.index(op.axis))
            assert at is not None  # ONNX's weights have a dimension of output channels
            small = op.x.dtype is DType.I8 and not any(op.zero) and fits_4_bits(ints)
            held = self.initialiser(ints, f"{value.name}_quantized", small)
            return self.dequantised(held, op.x.dtype, op.scale, op.zero, at, value.name, small)
        turned = self.add("Transpose", [self.name(value)], value.name, perm=perm)
        return turned if len(shape) == len(perm) else self.reshaped(turned, shape, value.name)

    def reshaped(self, name: str, shape: Sequence[int], hint: str) -> str:
        """A reshape of a tensor."""
        return self.add("Reshape", [name, self.initialiser(np.asarray(shape, np.int64), "shape")], hint)

    def dequantised(
        self,
        name: str,
        dtype: DType,
        scale: tuple[float, ...],
        zero: tuple[int, ...],
        axis: int,
        hint: str,
        four_bits: bool = False,
    ) -> str:
        """A DequantizeLinear of a tensor, with `four_bits` of int4: one scale and zero point, or one an entry of a
        dimension."""
        whole = len(scale) == 1
        shape = () if whole else (len(scale),)
        inputs = [name, self.initialiser(np.asarray(scale, np.float32).reshape(shape), f"{hint}_scale")]
        if dtype.bytes == 1:  # int32 has no zero point in ONNX
            zeros = np.asarray(zero, dtype.numpy).reshape(shape)
            inputs.append(self.initialiser(zeros, f"{hint}_zero_point", four_bits))
        elif any(zero):
            raise ExportError(f"%{hint}: {dtype.value} with a zero point cannot be dequantised in ONNX")
        return self.add("DequantizeLinear", inputs, hint, axis=None if whole else axis)

    def limited(self, name: str, dtype: DType, low: float, high: float, hint: str) -> str:
        """A tensor limited to low..high: a Relu, a Clip or, without limits, the tensor itself."""
        if (low, high) == (-math.inf, math.inf):
            return name
        if (low, high) == (0.0, math.inf) and dtype.is_float:
            return self.add("Relu", [name], hint)
        limits = [
            "" if math.isinf(v) else self.initialiser(np.asarray(v, dtype.numpy), word)
            for v, word in ((low, "min"), (high, "max"))
        ]
        return self.add("Clip", [name, *limits], hint)

    def finish(self, value: Value, name: str, first: bool = False) -> None:
        """Makes a value the graph's output `name`: by renaming the tensor, or by copying one that has a fixed name. An
        input that is an output under its own name is one already."""
        held = self.name(value, first)
        if held == name:
            return
        fixed = held in self._reserved or any(t.name == held for t in self.initialisers)
        if fixed:
            self.nodes.append(helper.make_node("Identity", [held], [name], name=f"Identity_{len(self.nodes)}"))
            return
        for node in self.nodes:
            for names in (node.input, node.output):
                for k, each in enumerate(names):
                    if each == held:
                        names[k] = name
        self._tensors = {key: name if each == held else each for key, each in self._tensors.items()}

    def _constant(self, value: Value, first: bool) -> str | None:
        """A constant, or quantised weights, in a layout; None for what is computed."""
        if self.module.constant(value) is None and self._weights(value) is None:
            return None
        perm = TO_NCHW if first else tuple(range(value.type.rank))
        return self.relaid(value, perm, tuple(value.shape[p] for p in perm))

    def _weights(self, value: Value) -> tuple[Dequantize, Array] | None:
        found = self.module.made(value, Dequantize)
        data = self.module.constant(found.op.x) if found is not None else None
        return (found.op, data) if found is not None and data is not None else None

    def _turned(self, value: Value, first: bool) -> str:
        reshape = self.module.made(value, Reshape)
        if first and reshape is not None and _keeps_order(value.shape):
            shape = tuple(value.shape[p] for p in TO_NCHW)
            x = reshape.op.x
            return self.name(x) if x.shape == shape else self.reshaped(self.flat(x), shape, f"{value.name}_nchw")
        held = self._tensors[value, not first]
        return self.add(
            "Transpose", [held], f"{held}_{'nchw' if first else 'nhwc'}", perm=TO_NCHW if first else TO_NHWC
        )

    def _fresh(self, hint: str) -> str:
        name = unused(hint, self._names)
        self._names.add(name)
        return name


def _keeps_order(shape: Sequence[int]) -> bool:
    """Whether NHWC and NCHW have the elements in the same order."""
    return len(shape) == 4 and (shape[3] == 1 or shape[1] * shape[2] == 1)


Emitter = Callable[[Graph, Value, Any], None]
"""Adds to a graph what computes a value by an operator, and defines the value: channels first where the operator is
spatial, or works element by element on values that lie so; as the module has it everywhere else."""

SPELLINGS: Concern[Emitter] = Concern(
    "ONNX spelling",
    "give the class argument `onnx` where ONNX has the same operator without attributes, else register a function that "
    "adds its nodes (`SPELLINGS`, in tinyc.compiler.export.graph)",
)
"""How operators are said in ONNX: emitters by operator class."""
