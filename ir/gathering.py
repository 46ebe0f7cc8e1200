"""Operators that take the rows of their first operand one by one, and add each to a result that has none, or others.

A mean over rows and columns needs a running sum and no map; so does whatever reduces rows. What permutes rows away, as
an image's way to planes does, puts each where it belongs. Both follow from an operator's loops.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir import loops
from tinyc.ir.expr import Expr, evaluate
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType

_JOIN = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@dataclass(frozen=True)
class OneRow:
    """What is done with one row of the operand.

    Attributes:
        nest: the loops over that row, which operand 0 is.
        step: elements of the result that each row lies after the one before; 0 where rows are reduced.
        combine: how what a row gives and what is there become one ("add", "mul", "max" or "min"); empty for none.
        finish: what is done to the result after the last row, if anything.
        held: what the result's memory holds until then.
    """

    nest: loops.Loops
    step: int
    combine: str
    finish: Expr | None
    held: TensorType


def one_row(nests: Sequence[loops.Loops] | None, x: TensorType, result: TensorType) -> OneRow | None:
    """An operator on one row of its first operand `x`, from its loops; None where these are not such."""
    if nests is None or len(nests) != 1 or 0 in nests[0].space:
        return None
    (nest,) = nests
    if not x.has_rows or x.shape[1] < 2 or not x.size:
        return None
    rows, width, source = x.shape[1], x.size // x.shape[1], nest.inputs[0]
    down = [d for d, n in enumerate(nest.space) if n > 1 and abs(source.strides[d]) >= width]
    if len(down) != 1 or (source.strides[down[0]], nest.space[down[0]]) != (width, rows):
        return None
    (d,) = down
    others = [(n - 1) * s for k, (n, s) in enumerate(zip(nest.space, source.strides, strict=True)) if k != d]
    low, high = (source.offset + sum(pick(reach, 0) for reach in others) for pick in (min, max))
    whole = all(index.strides[d] == 0 for index in nest.inputs[1:]) and all(i.via is None for i in nest.inputs)
    if low < 0 or high >= width or not whole or nest.body.dtype is not result.dtype:
        return None
    space = tuple(1 if k == d else n for k, n in enumerate(nest.space))
    parallel = len(space) - nest.reduced
    if d < parallel:
        return OneRow(dataclasses.replace(nest, space=space), nest.output.strides[d], "", None, result)
    return OneRow(dataclasses.replace(nest, space=space, finish=None), 0, nest.combine, nest.finish, result)


def gather(
    one: OneRow, held: Array, operands: Sequence[Array], row: int, first: bool, last: bool, fused: bool | None = None
) -> Array:
    """What the result's memory holds after one more row.

    Args:
        one: what is done with it.
        held: what is there, of type `one.held`; anything before the first row.
        operands: the row, and the other operands whole.
        row: its number.
        first: whether it is the first that is taken.
        last: whether it is the last.
        fused: as for `loops.run`.
    """
    flat = [np.ascontiguousarray(a).reshape(-1) for a in operands]
    if not one.combine:
        result = held.copy()
        loops.run(one.nest, flat, result.reshape(-1)[row * one.step :], fused)
        return result
    part = np.empty(held.size, held.dtype)
    loops.run(one.nest, flat, part, fused)
    total = part if first else _JOIN[one.combine](held.reshape(-1), part)
    if last and one.finish is not None:
        total = evaluate(one.finish, [total])
    return np.asarray(total).astype(held.dtype, copy=False).reshape(held.shape)
