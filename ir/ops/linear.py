"""Matrix products: dense layers (constant or computed weights, bias, activation) and batched matrix products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinyc.ir.draw import Draw, takes
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg
from tinyc.ir.loops import Index, Loops, broadcast_strides, contiguous
from tinyc.ir.op import Accuracy, Form, IntegerForm, OfRows, RowForm, StaysFloat, Value, Window
from tinyc.ir.ops.layer import LinearLayer, WeightedLayer, some_places
from tinyc.ir.steps import limited, sums_in_order
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

MOST_PRODUCTS = 2**15
"""Products of two int8 values, each less its zero point, of which int32 holds any sum: each part of one, too, where the
zero point of one operand is taken off apart."""


@dataclass(frozen=True)
class DenseLayer(OfRows, WeightedLayer):
    """Base of dense layers: weights [outputs, inputs] over the last dimension of x."""

    x: Value
    w: Value

    @classmethod
    def sample(cls, draw: Draw) -> DenseLayer:
        x = draw.value(cls.operands_of, 1)
        w = draw.weights((draw.integer(1, 6), x.shape[-1]), cls.element)
        return cast("DenseLayer", cast("Any", cls)(x, w, **cls.rest(draw, w.shape[0], w.shape[1], x.dtype)))

    def fan_in(self) -> int:
        return self.w.shape[1]

    def check_weights(self) -> None:
        """Raises `IRError` when the weights do not fit the operand."""
        if self.x.type.rank < 1 or self.w.type.rank != 2 or self.x.shape[-1] != self.w.shape[1] or 0 in self.w.shape:
            raise IRError(f"weights {self.w.type} ([outputs, inputs]) do not fit {self.x.type}")

    def macs(self) -> int:
        return self.type.size * self.w.shape[1]

    def per_input(self, vector: Array) -> Array:
        return vector

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        if not self.x.type.has_rows:
            return None
        return RowForm((Window(),) + (None,) * (len(self.operands) - 1))


@dataclass(frozen=True)
class Dense(DenseLayer, LinearLayer, mnemonic="dense", accuracy=Accuracy.SUM):
    """y = clamp(x @ w.T + b, min, max) over the last dimension of x. Weights are [outputs, inputs]."""

    b: Value | None = None
    min: float = -math.inf
    max: float = math.inf

    def infer(self) -> TensorType:
        self.check_floats()
        self.check_weights()
        if self.b is not None and self.b.shape != (self.w.shape[0],):
            raise IRError(f"the bias {self.b.type} has not one entry an output ({self.w.shape[0]})")
        if self.min > self.max:
            raise IRError(f"min {self.min} is above max {self.max}")
        return TensorType((*self.x.shape[:-1], self.w.shape[0]), self.x.dtype)

    def evaluate(self, *operands: Array) -> Array:
        x, w, b = operands
        total = x.astype(np.float64) @ w.astype(np.float64).T
        if b is not None:
            total = total + b.astype(np.float64)
        return np.clip(total, self.min, self.max).astype(x.dtype)

    def in_steps(self, fused: bool, *operands: Array) -> Array | None:
        """The bias, then input by input."""
        x, w, b = operands
        total = sums_in_order(x.reshape(-1, w.shape[1]), w, b, fused)
        return limited(total, self.min, self.max)

    def met(self, x: Array, most: int) -> Array:
        rows = x.reshape(-1, x.shape[-1])
        return rows[np.newaxis, some_places(len(rows), most)]

    def quantised(self) -> IntegerForm | StaysFloat:
        return IntegerForm(Form.LAYER, (self.x,), self.operands[1:])


class MatrixProduct(OfRows):
    """Base of products of the last two dimensions of two values; leading dimensions broadcast."""

    x: Value
    y: Value

    @classmethod
    def drawn(cls, draw: Draw, x: Value, dtype: DType | None = None) -> Value:
        """A random value that x is multiplied by, constant or not; of its type unless said."""
        lead = tuple(1 if draw.chance(0.3) else d for d in x.shape[draw.integer(0, x.type.rank - 2) : -2])
        type = TensorType((*lead, x.shape[-1], draw.integer(1, 5)), dtype or x.dtype)
        return draw.constant(type.shape, type.dtype) if draw.chance(0.5) else draw.pick(lambda v: v.type == type, type)

    def product_type(self, mixed: bool = False) -> TensorType:
        """The type of the result; raises `IRError` where the operands do not fit each other. They are of one element
        type, unless they may be `mixed`."""
        x, y = self.x, self.y
        alike = mixed or x.dtype == y.dtype
        if x.type.rank < 2 or y.type.rank < 2 or x.shape[-1] != y.shape[-2] or not alike or x.shape[-1] == 0:
            raise IRError(f"{x.type} and {y.type} have no matrix product")
        try:
            lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        except ValueError:
            raise IRError(f"the leading dimensions of {x.type} and {y.type} do not broadcast") from None
        return TensorType((*(int(d) for d in lead), x.shape[-2], y.shape[-1]), x.dtype)

    def macs(self) -> int:
        return self.type.size * self.x.shape[-1]

    def row_form(self) -> RowForm | None:
        """Rows of a matrix one by one, with all of the other one; or one product a row, where there are many."""
        if not self.type.has_rows:
            return None
        rank, rows = self.type.rank, self.type.shape[1]
        if rank == 3:
            return RowForm((Window(), None)) if self.x.type.rank == 3 else None
        windows = tuple(Window() if v.type.rank == rank and v.shape[1] == rows else None for v in self.operands)
        reach = all(v.type.rank in (rank, *range(rank - 1)) or rows == 1 for v in self.operands)
        return RowForm(windows) if any(windows) and reach else None


@dataclass(frozen=True)
class MatMul(MatrixProduct, mnemonic="matmul", onnx="MatMul", accuracy=Accuracy.SUM):
    """Matrix product of the last two dimensions; leading dimensions broadcast."""

    x: Value
    y: Value

    @classmethod
    def sample(cls, draw: Draw) -> MatMul:
        x = draw.value(takes(lambda v: cls(v, v), (1, 1)), 2)
        return cls(x, cls.drawn(draw, x))

    def infer(self) -> TensorType:
        if self.x.dtype is DType.BOOL:
            raise IRError(f"takes numbers, not {self.x.type}")
        return self.product_type()

    def evaluate(self, *operands: Array) -> Array:
        wide = np.float64 if self.x.dtype.is_float else self.x.dtype.numpy
        return np.asarray(operands[0].astype(wide) @ operands[1].astype(wide)).astype(self.x.dtype.numpy)

    def quantised(self) -> IntegerForm | StaysFloat:
        if self.x.shape[-1] > MOST_PRODUCTS:
            return StaysFloat(f"a sum of {self.x.shape[-1]} products of int8 may not fit int32")
        return IntegerForm(Form.PRODUCT, self.operands)

    def resolution(self, scales: Sequence[float]) -> float:
        return math.prod(scales)

    def loops(self) -> tuple[Loops, ...]:
        shape = self.type.shape
        rows, inner, columns = shape[-2], self.x.shape[-1], shape[-1]
        left = broadcast_strides(self.x.shape, (*shape[:-2], rows, inner))
        right = broadcast_strides(self.y.shape, (*shape[:-2], inner, columns))
        nest = Loops(
            space=(*shape, inner),
            inputs=(
                Index(0, (*left[:-2], left[-2], 0, left[-1])),
                Index(0, (*right[:-2], 0, right[-1], right[-2])),
            ),
            output=Index(0, contiguous(shape)),
            body=Arg(self.x.dtype, 0) * Arg(self.y.dtype, 1),
            reduced=1,
            combine="add",
        )
        return (nest,)
