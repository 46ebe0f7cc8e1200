"""Rows that are put into a matrix by number: what all of ONNX's scatters are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir import expr
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.expr import Arg, Expr, call
from tinyc.ir.forms import StaysFloat
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.movement import Movement
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Put(Op):
    """Base: x [n, m], into whose rows those of `updates` [count, m] go, one after the other; `indices` [count] of int32
    say into which. An index is limited to the rows there are, nothing is written beyond."""

    among: ClassVar[tuple[DType, ...]] = tuple(DType)
    function: ClassVar[str] = ""
    """What becomes of an element and an update, as `tinyc.ir.expr` calls it; empty for the update."""

    x: Value
    indices: Value
    updates: Value

    @classmethod
    def sample(cls, draw: Draw) -> Put:
        """Now and then with an index that there is not."""
        n, m, count = draw.integer(1, 6), draw.integer(1, 5), draw.integer(1, 5)
        new = TensorType((n, m), draw.dtype(cls.among))
        x = draw.pick(lambda v: v.dtype in cls.among and v.type.rank == 2 and bool(v.type.size), new)
        updates = TensorType((count, x.shape[1]), x.dtype)
        indices = draw.given(np.array([draw.integer(-1, x.shape[0]) for _ in range(count)], np.int32))
        computed = draw.fresh(indices.type)
        picked = draw.pick(lambda v: v.type == updates, updates)
        return cls(x, indices if draw.chance(0.5) else computed, picked)

    def joined(self) -> Expr | None:
        """What becomes of an element, argument 0, and an update, argument 1; None for the update."""
        return call(self.function, Arg(self.x.dtype, 0), Arg(self.x.dtype, 1)) if self.function else None

    def infer(self) -> TensorType:
        x, updates = self.x.type, self.updates.type
        if x.rank != 2 or updates.rank != 2 or updates.shape[1] != x.shape[1] or updates.dtype is not x.dtype:
            raise IRError(f"x and updates are matrices with rows of one size and type, not {x} and {updates}")
        if self.indices.type != TensorType(updates.shape[:1], DType.I32):
            raise IRError(f"indices are int32, one for each row of {updates}, not {self.indices.type}")
        if not x.shape[0]:
            raise IRError(f"{x} has no row to put anything into")
        if x.dtype not in self.among:
            raise IRError(f"does not take {x}")
        return x

    def runs_whole(self) -> bool:
        return True

    def may_overwrite(self, operand: int) -> bool:
        return operand == 0 and self.x not in (self.indices, self.updates)

    def evaluate(self, *operands: Array) -> Array:
        x, indices, updates = operands
        out, joined = x.copy(), self.joined()
        for row, update in zip(np.clip(indices, 0, len(x) - 1), updates, strict=True):
            out[row] = update if joined is None else expr.evaluate(joined, [out[row], update])
        return out


@dataclass(frozen=True)
class Scatter(Put, Movement, mnemonic="scatter"):
    """x [n, m] with rows of `updates` [count, m] in place of those that `indices` [count], int32, name; the last one
    for a row stays. An index is limited to the rows there are."""

    def passes_on(self) -> tuple[Value, ...]:
        return self.x, self.updates


@dataclass(frozen=True)
class PutTogether(Put):
    """Base of those that compute a row's elements from what is there and the update, in the updates' order."""

    among: ClassVar[tuple[DType, ...]] = tuple(d for d in DType if d is not DType.BOOL)

    def quantised(self) -> StaysFloat:
        return StaysFloat("how many updates come together in an element is not known, so no scale suits the result")


@dataclass(frozen=True)
class ScatterAdd(PutTogether, mnemonic="scatter_add"):
    """x [n, m] with rows of `updates` [count, m] added to those that `indices` [count], int32, name, one after the
    other. An index is limited to the rows there are. Integers wrap around."""

    function: ClassVar[str] = "add"


@dataclass(frozen=True)
class ScatterMul(PutTogether, mnemonic="scatter_mul", steep=True):
    """x [n, m], whose rows that `indices` [count], int32, name are multiplied by rows of `updates` [count, m], one
    after the other. An index is limited to the rows there are. Integers wrap around."""

    function: ClassVar[str] = "mul"


@dataclass(frozen=True)
class ScatterMax(PutTogether, mnemonic="scatter_max"):
    """x [n, m], whose rows that `indices` [count], int32, name become the larger of what is there and of rows of
    `updates` [count, m], element by element. An index is limited to the rows there are."""

    function: ClassVar[str] = "max"


@dataclass(frozen=True)
class ScatterMin(PutTogether, mnemonic="scatter_min"):
    """x [n, m], whose rows that `indices` [count], int32, name become the smaller of what is there and of rows of
    `updates` [count, m], element by element. An index is limited to the rows there are."""

    function: ClassVar[str] = "min"
