"""What a handler works with: it adds tinyc operators to the module and asks for constants.

Operators on constants are evaluated at once, so that the shape arithmetic of ONNX exports never reaches the module.
Quantised weights are the exception: they stay integers below a dequantize (see `weights`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from numpy.typing import DTypeLike

from tinyc.compiler.frontend.limits import check_elements
from tinyc.compiler.frontend.node import OnnxNode, Scope
from tinyc.compiler.frontend.weights import moved, moves
from tinyc.ir import Builder, DType, Op, Tensor, Value
from tinyc.ir.module import Made, made
from tinyc.ir.ops import Broadcast, Cast, Reshape, Slice, Transpose
from tinyc.ir.ops.quantise import Dequantize
from tinyc.ir.tensor import Array

SMALL = 4096
"""Elements up to which a float constant expression is evaluated here even if the result is larger than its operands."""


class Context:
    """The module under construction. `nested` imports the body of a branch."""

    def __init__(self, name: str, nested: Callable[[onnx.GraphProto, Scope], list[Value]]) -> None:
        self.builder = Builder(name)
        self.nested = nested
        self.loc = ""
        self.hint = ""
        self._constants: dict[Tensor, Value] = {}

    def emit(self, op: Op, hint: str = "") -> Value:
        """Adds an operator and returns its result: a constant when all operands are constants and the result is of
        integers or booleans, small, or no larger than the operands. What moves quantised weights moves their integers.
        """
        below = self._dequantized(op.operands[0]) if moves(op) else None
        if below is not None:
            x = self.emit(op.with_operands([below.op.x]), hint)
            above = moved(op, below.op, x)
            if above is not None:
                return self.add(above, hint)
        check_elements(op.type.shape, f"node {self.loc}: its result")
        arrays = [self.data(v) for v in op.operands]
        known = [a for a in arrays if a is not None]
        small = not op.type.dtype.is_float or op.type.size <= max(SMALL, sum(a.size for a in known))
        if len(known) == len(arrays) and small:
            return self.constant(op.run(known), hint or op.mnemonic)
        return self.add(op, hint)

    def add(self, op: Op, hint: str = "") -> Value:
        """Adds an operator as it is, whatever its operands are: the dequantize of a constant, which stays."""
        check_elements(op.type.shape, f"node {self.loc}: its result")
        return self.builder.add(op, self._name(hint or op.mnemonic), self.loc)

    def data(self, value: Value | None) -> Array | None:
        """The array of a constant, else None."""
        node = self.builder.node(value) if value is not None else None
        return node.op.constant() if node is not None else None

    def is_constant(self, value: Value | None) -> bool:
        """Whether a value is a constant, or quantised weights: the dequantize of one."""
        return self.data(value) is not None or self._dequantized(value) is not None

    def _dequantized(self, value: Value | None) -> Made[Dequantize] | None:
        """The node of a value that is the dequantize of a constant, else None."""
        found = made(self.builder.node(value), Dequantize) if value is not None else None
        return found if found is not None and self.data(found.op.x) is not None else None

    def constant(self, array: Array, hint: str = "constant", dtype: DTypeLike | None = None) -> Value:
        """A constant; equal constants are one value."""
        tensor = Tensor(np.asarray(array, dtype=dtype))
        if tensor not in self._constants:
            self._constants[tensor] = self.builder.constant(tensor, self._name(hint), self.loc)
        return self._constants[tensor]

    def scalar(self, number: float, like: Value) -> Value:
        """A constant of no dimensions, of the element type of `like`."""
        return self.constant(np.asarray(number, dtype=like.dtype.numpy))

    def integers(self, node: OnnxNode, value: Value | None, what: str) -> tuple[int, ...] | None:
        """The elements of a constant integer operand, None when it is left out.

        Raises `FrontendError` when it is computed from the model's inputs.
        """
        if value is None:
            return None
        array = self.known(node, value, what)
        if not value.dtype.is_integer:
            raise node.error(f"{what} is {value.type}, not integers")
        return tuple(int(v) for v in array.reshape(-1))

    def known(self, node: OnnxNode, value: Value, what: str) -> Array:
        """The array of an operand that has to be a constant. Raises `FrontendError` when it is computed."""
        below = self._dequantized(value)
        array = self.data(value) if below is None else below.op.run([self.known(node, below.op.x, what)])
        if array is None:
            raise node.error(f"{what} is computed from the model's inputs; tinyc needs a constant there")
        return array

    def attribute_or_input(self, node: OnnxNode, name: str, index: int) -> tuple[int, ...] | None:
        """Integers that are an attribute in old opsets and an input in new ones; None when given as neither."""
        if node.has(name):
            return node.integers(name)
        return self.integers(node, node.optional(index), name)

    def least(self, value: Value) -> float:
        """A number that no element of an integer value is below; -inf where nothing is known."""
        node = self.builder.node(value)
        if node is None or not value.dtype.is_integer:
            return -math.inf
        array = node.op.constant()
        if array is not None:
            return float(array.min(initial=array.dtype.type(0)))
        return node.op.least([self.least(v) for v in node.op.operands])

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The same elements under another shape; x itself when it has that shape."""
        return x if x.shape == tuple(shape) else self.emit(Reshape(x, tuple(int(d) for d in shape)))

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """Permuted dimensions; x itself for the identity."""
        return x if tuple(perm) == tuple(range(x.type.rank)) else self.emit(Transpose(x, tuple(perm)))

    def broadcast(self, x: Value, shape: Sequence[int]) -> Value:
        """Repeated to a shape; x itself when it has that shape."""
        return x if x.shape == tuple(shape) else self.emit(Broadcast(x, tuple(int(d) for d in shape)))

    def cast(self, x: Value, dtype: DType) -> Value:
        """Converted to an element type; x itself when it has that type."""
        return x if x.dtype is dtype else self.emit(Cast(x, dtype))

    def part(self, x: Value, axis: int, start: int, size: int) -> Value:
        """`size` entries of one dimension from `start`; x itself when these are all."""
        if start == 0 and size == x.shape[axis]:
            return x
        starts = tuple(start if d == axis else 0 for d in range(x.type.rank))
        sizes = tuple(size if d == axis else n for d, n in enumerate(x.shape))
        return self.emit(Slice(x, starts, sizes, (1,) * x.type.rank))

    def entry(self, x: Value, axis: int, number: int) -> Value:
        """One entry of a dimension, which is dropped."""
        return self.reshape(self.part(x, axis, number, 1), (*x.shape[:axis], *x.shape[axis + 1 :]))

    def relayout(self, x: Value, perm: Sequence[int], shape: Sequence[int]) -> Value:
        """Permuted dimensions, then another shape: how weights come to the layout of the IR."""
        return self.reshape(self.transpose(x, perm), shape)

    def per_channel(self, x: Value, rank: int) -> Value:
        """A vector of one entry a channel, shaped to broadcast over the channels (axis 1) of a tensor of `rank`."""
        return self.reshape(x, (math.prod(x.shape), *(1,) * (rank - 2)))

    def _name(self, hint: str) -> str:
        return f"{self.hint}.{hint}" if self.hint else hint
