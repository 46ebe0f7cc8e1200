"""The factors and zero points of sums, products and means, against the scales that they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.arithmetic import LEAST, MULTIPLIER, factor
from tinyc.compiler.witness.layers import behind_moves
from tinyc.compiler.witness.regions import OFFSET, Region
from tinyc.ir.module import Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Add, AvgPool2d, Dequantize, Mul, QAdd, QMean, QMul, Quantize, ReduceMean, Sub
from tinyc.ir.types import DType


def check_factors(region: Region) -> bool:
    """Whether the region is a sum, product or mean whose factors could be compared, and were.

    Raises:
        VerificationError: one is not what the scales give.
    """
    made: Mapping[Value, Node] = {n.result: n for n in region.meant}
    found = [n.op for n in region.own if isinstance(n.op, (QAdd, QMul, QMean))]
    core, definition = region.core, region.definition.op
    if len(found) != 1 or core is None or not region.rounds_once or not isinstance(definition, Quantize):
        return False
    taken = [d for d in (behind_moves(made, v) for v in core.operands) if d is not None and d.whole()]
    if len(taken) < len(core.operands):
        return False
    op, out = found[0], float(np.float32(definition.scale))
    scales, zeros = [float(np.float32(d.scale[0])) for d in taken], [_zero(d) for d in taken]
    if isinstance(op, QMean) and isinstance(core, (ReduceMean, AvgPool2d)):
        count = op.x.shape[1] * op.x.shape[2]
        _same(region, "factor", float(factor(op.multiplier, op.shift)), scales[0] / (count * out))
        own = [op.zero]
    elif isinstance(op, QMul) and isinstance(core, Mul):
        _same(region, "factor", float(factor(op.multiplier, op.shift)), scales[0] * scales[1] / out)
        own, zeros = sorted((op.x_zero, op.y_zero)), sorted(zeros)
    elif isinstance(op, QAdd) and isinstance(core, (Add, Sub)):
        last = float(factor(op.out_multiplier, op.out_shift)) * 2.0**op.left
        pairs = ((op.x_multiplier, op.x_shift), (op.y_multiplier, op.y_shift))
        for name, pair, scale in zip(("first", "second"), pairs, scales, strict=True):
            _same(region, f"factor of its {name} operand", float(factor(*pair)) * last, scale / out)
        own = [op.x_zero, op.y_zero]
        if isinstance(core, Sub):  # -1 - q stands for the negated value
            zeros[1] = -1 - zeros[1]
    else:
        return False
    if own != zeros:
        raise VerificationError(f"{region.where}: the zero points of its operands are {own}, defined as {zeros}")
    zero = definition.zero - (OFFSET if definition.to is DType.U8 else 0)
    if op.out_zero != zero:
        raise VerificationError(f"{region.where}: the zero point of its result is {op.out_zero}, defined as {zero}")
    return True


def _zero(op: Dequantize) -> int:
    return op.zero[0] - (OFFSET if op.x.dtype is DType.U8 else 0)


def _same(region: Region, what: str, given: float, wanted: float) -> None:
    if abs(given - wanted) > MULTIPLIER * wanted + LEAST:
        raise VerificationError(
            f"{region.where}: the {what} is {given:.9g} where the scales give {wanted:.9g} ({given / wanted - 1:+.3%})"
        )
