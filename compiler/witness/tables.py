"""Tables of elementwise functions, at all 256 entries."""

from __future__ import annotations

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.definition import column
from tinyc.compiler.witness.region import Region, offset
from tinyc.ir.module import Module, Node, made
from tinyc.ir.ops import Clamp, Lookup
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
    computing = [n for n in region.own.nodes if n.op.constant() is None]
    if len(computing) != 1 or len(region.taken) != 1 or region.quantize is None:
        return False
    ((own, meant),) = region.taken
    table = _table(region.own, computing[0]) if own.dtype.is_integer else None
    if table is None or computing[0].op.operands[0] != own:
        return False
    end, shift = region.definition.result, offset(region.node.result, region.definition.result)
    inputs = INT8 - offset(own, meant)
    found = [column(region.meant.nodes, meant, end, inputs, nudge) for nudge in (-TABLE_STEPS, 0.0, TABLE_STEPS)]
    steps = [np.clip(f, *region.quantize.op.to.limits) + shift for f in found if f is not None]
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


def _table(own: Module, node: Node) -> Array | None:
    """What a node gives for each int8 value, if it is a table or limits; else None."""
    lookup, clamp = made(node, Lookup), made(node, Clamp)
    if clamp is not None:
        return np.clip(INT8, clamp.op.min, clamp.op.max)
    table = own.constant(lookup.op.table) if lookup is not None else None
    return None if table is None else table.astype(np.int64)
