"""Tables of elementwise functions, at all 256 entries."""

from __future__ import annotations

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.definition import column
from tinyc.compiler.witness.regions import Region, offset
from tinyc.ir.ops import Clamp, Constant, Lookup, Quantize
from tinyc.ir.tensor import Array

TABLE_STEPS = 1e-2
"""Steps of a result by which a chain of float32 functions may be off the same in float64: some times 2^-24 of numbers
of some 2^8 steps, and what cancels."""
INT8 = np.arange(-128, 128)


def check_table(region: Region) -> bool:
    """Whether the region is one table, or the limits that one amounts to, and was compared with its definition.

    Raises:
        VerificationError: an entry is not what the definition rounds to.
    """
    made = [n for n in region.own if not isinstance(n.op, Constant)]
    if len(made) != 1 or len(region.taken) != 1 or not isinstance(region.definition.op, Quantize):
        return False
    op = made[0].op
    ((own, meant),) = region.taken
    if op.operands[0] != own or not own.dtype.is_integer:
        return False
    if isinstance(op, Lookup):
        arrays = {n.result: n.op.data.array for n in region.own if isinstance(n.op, Constant)}
        if op.table not in arrays:
            return False
        table: Array = arrays[op.table].astype(np.int64)
    elif isinstance(op, Clamp):
        table = np.clip(INT8, op.min, op.max)
    else:
        return False
    end, shift = region.definition.result, offset(region.node.result, region.definition.result)
    inputs = INT8 - offset(own, meant)
    found = [column(region.meant, meant, end, inputs, nudge) for nudge in (-TABLE_STEPS, 0.0, TABLE_STEPS)]
    steps = [np.clip(f, *region.definition.op.to.limits) + shift for f in found if f is not None]
    if not steps:
        return False
    off = np.maximum(np.minimum.reduce(steps) - table, table - np.maximum.reduce(steps))
    off = np.where(np.isnan(off), 0.0, off)
    if off.max() > 0.5 + TABLE_STEPS:
        k = int(np.argmax(off))
        raise VerificationError(
            f"{region.where}: the table's entry for {INT8[k]} is {table[k]}, defined as {steps[1][k]:.5g}"
        )
    return True
