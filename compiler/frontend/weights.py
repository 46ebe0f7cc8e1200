"""Quantised weights keep their integers: what moves elements about is done to the constant below a dequantize.

A weight stands in the module as dequantize(constant). Bringing it to the layout of the IR must leave it so, or the
integers, and with them the reason to quantise, are lost.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from tinyc.ir import Op, Value
from tinyc.ir.ops import Reshape, Slice, Transpose
from tinyc.ir.ops.quantise import Dequantize

MOVES = (Reshape, Transpose, Slice)
"""Operators that take elements from places to places, one by one."""


def moved(op: Op, below: Dequantize, x: Value) -> Dequantize | None:
    """What `op` on the result of `below` is, as a dequantize of `x`, the result of `op` on the operand of `below`.

    None where the channels that have scales of their own do not stay one dimension.
    """
    if below.whole():
        return dataclasses.replace(below, x=x, axis=0)
    axis = below.axis
    if isinstance(op, Transpose):
        return dataclasses.replace(below, x=x, axis=op.perm.index(axis))
    if isinstance(op, Reshape):
        found = _same_dimension(below.x.shape, op.shape, axis)
        return None if found is None else dataclasses.replace(below, x=x, axis=found)
    if isinstance(op, Slice):
        taken = [op.start[axis] + k * op.step[axis] for k in range(op.size[axis])]
        scale, zero = tuple(below.scale[k] for k in taken), tuple(below.zero[k] for k in taken)
        return dataclasses.replace(below, x=x, scale=scale, zero=zero) if taken else None
    return None


def _same_dimension(before: Sequence[int], after: Sequence[int], axis: int) -> int | None:
    """The dimension of `after` that holds exactly the entries of dimension `axis` of `before`, in row-major order."""
    lead = math.prod(before[:axis])
    return next((d for d, n in enumerate(after) if n == before[axis] and math.prod(after[:d]) == lead), None)
