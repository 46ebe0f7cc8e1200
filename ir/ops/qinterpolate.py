"""Integer operators of one int16 value: to another scale or type, and functions by a table that is interpolated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import (
    ACTIVATIONS,
    Int8,
    OfElements,
    OneFactor,
    check_activation,
    check_factor,
    drawn_multiplier,
    drawn_result,
    drawn_shift,
    drawn_zero,
    furthest,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

MOST_PIECES = 12
"""The pieces of an interpolated table are at most 2^12: 8 KiB."""
CELLS = 256
"""Of as many integers, as many: what an uneven table divides int16 into."""


@dataclass(frozen=True)
class Requantise(OfElements, OneFactor, mnemonic="requantise"):
    """Integers of another scale, or int8 as int16, or int16 as int8.

    y = clamp(requantise(x - zero, multiplier, shift) + out_zero, min, max). Operand and result are int8 or int16, each
    for itself.
    """

    x: Value
    zero: int
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> Requantise:
        x = draw.value(ACTIVATIONS)
        zero, result = drawn_zero(draw, x.dtype), drawn_result(draw)
        bound = furthest(x.dtype, zero)
        return cls(x, zero, drawn_multiplier(draw), drawn_shift(draw, bound // 3, bound, result["to"]), **result)

    def infer(self) -> TensorType:
        check_activation(self.x, self.zero)
        self.check_result()
        check_factor(self.multiplier, self.shift, 30, furthest(self.x.dtype, self.zero))
        return TensorType(self.x.shape, self.to)

    def evaluate(self, *operands: Array) -> Array:
        return self.narrowed(operands[0].astype(np.int64) - self.zero)


@dataclass(frozen=True)
class OfLines(OfElements, Int8):
    """Base of elementwise functions of an int16 value by a table of int16 entries, between which lie straight lines."""

    x: Value
    table: Value

    def infer(self) -> TensorType:
        if self.x.dtype is not DType.I16 or self.table.dtype is not DType.I16:
            raise IRError(f"takes int16 and a table of int16, not {self.x.type} and {self.table.type}")
        if self.table.type.rank != 1:
            raise IRError(f"a table has one dimension, not {self.table.type}")
        return self.x.type


@dataclass(frozen=True)
class Interpolate(OfLines, mnemonic="interpolate"):
    """An elementwise function of an int16 value by a table of 2^k + 1 int16 entries, between which lie straight lines.

    With n = 16 - k and u = x + 32768, i = u / 2^n rounded down and f what is left over:
    y = table[i] + (table[i + 1] - table[i]) * f / 2^n, rounded to the nearest, ties up. k is 1 to 12.
    """

    @classmethod
    def sample(cls, draw: Draw) -> Interpolate:
        return cls(draw.value((DType.I16,)), draw.constant((2 ** draw.integer(1, 10) + 1,), DType.I16))

    def infer(self) -> TensorType:
        result, pieces = super().infer(), self.table.type.size - 1
        if pieces & (pieces - 1) or not 2 <= pieces <= 2**MOST_PIECES:
            raise IRError(f"a table has 2^k + 1 entries, k of 1 to {MOST_PIECES}, not {self.table.type}")
        return result

    def places(self) -> int:
        """Binary places of what is left over behind an entry."""
        return 17 - (self.table.type.size - 1).bit_length()

    def evaluate(self, *operands: Array) -> Array:
        u, table, places = operands[0].astype(np.int64) + 2**15, operands[1].astype(np.int64), self.places()
        at = u >> places
        moved = (table[at + 1] - table[at]) * (u & ((1 << places) - 1))
        return np.asarray(table[at] + ((moved + (1 << places >> 1)) >> places)).astype(np.int16)


@dataclass(frozen=True)
class InterpolateUneven(OfLines, mnemonic="interpolate_uneven"):
    """An elementwise function of an int16 value by a table with more entries where it bends or jumps.

    Of u = x + 32768, cell c = u / 256 rounded down has n = first[c + 1] - first[c] straight lines, 1 to 256. With
    p = (u - 256 * c) * n, i = first[c] + p / 256 rounded down and f what is left over:
    y = table[i] + (table[i + 1] - table[i]) * f / 256, rounded to the nearest, ties up. `first` has 257 entries, the
    first 0 and the last that of the table's last entry.
    """

    first: Value

    @classmethod
    def sample(cls, draw: Draw) -> InterpolateUneven:
        x = draw.value((DType.I16,))
        counts = [draw.choice([1, 1, 2, 16]) for _ in range(CELLS)]
        counts[draw.integer(0, CELLS - 1)] = 256
        first = np.cumsum([0, *counts]).astype(np.int16)
        return cls(x, draw.constant((int(first[-1]) + 1,), DType.I16), draw.given(first))

    def infer(self) -> TensorType:
        result = super().infer()
        if self.first.type != TensorType((CELLS + 1,), DType.I16):
            raise IRError(f"cells begin at {CELLS + 1} int16 places, not {self.first.type}")
        if not CELLS < self.table.type.size <= 2**15:
            raise IRError(f"a table has {CELLS + 1} to 2^15 entries, not {self.table.type}")
        return result

    def evaluate(self, *operands: Array) -> Array:
        x, table, first = (array.astype(np.int64) for array in operands)
        u = x + 2**15
        begin, end = first[u >> 8], first[(u >> 8) + 1]
        place = (u & 255) * (end - begin)
        at = begin + (place >> 8)
        moved = (table[at + 1] - table[at]) * (place & 255)
        return np.asarray(table[at] + ((moved + 128) >> 8)).astype(np.int16)
