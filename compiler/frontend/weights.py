"""Quantised weights keep their integers: what moves elements about is done to the constant below a dequantize.

A weight stands in the module as dequantize(constant). Bringing it to the layout of the IR must leave it so, or the
integers, and with them the reason to quantise, are lost.
"""

from __future__ import annotations

import dataclasses

from tinyc.ir import Op, Value
from tinyc.ir.ops.quantise import Dequantize


def moves(op: Op) -> bool:
    """Whether an operator takes elements of its one operand from places to places, one by one, and makes no more."""
    if len(op.operands) != 1 or op.passes_on() != op.operands:
        return False
    return op.fill() is None and not op.chooses() and op.type.size <= op.operands[0].type.size


def moved(op: Op, below: Dequantize, x: Value) -> Dequantize | None:
    """What `op` on the result of `below` is, as a dequantize of `x`, the result of `op` on the operand of `below`.

    None where the channels that have scales of their own do not stay one dimension.
    """
    if below.whole():
        return dataclasses.replace(below, x=x, axis=0)
    axis, taken = op.entries(below.axis) or (0, ())
    scale, zero = tuple(below.scale[k] for k in taken), tuple(below.zero[k] for k in taken)
    return dataclasses.replace(below, x=x, axis=axis, scale=scale, zero=zero) if taken else None
