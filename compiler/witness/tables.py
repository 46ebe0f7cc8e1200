"""Tables of elementwise functions, at all 256 entries."""

from __future__ import annotations

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness import arithmetic
from tinyc.compiler.witness.definition import column
from tinyc.compiler.witness.region import Region, offset
from tinyc.ir.module import Module, Node, made
from tinyc.ir.ops import Clamp, Lookup, Requantise
from tinyc.ir.ops.qinterpolate import OfLines
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

TABLE_STEPS = 1e-2
"""Steps of a result by which a chain of float32 functions may be off the same in float64: some times 2^-24 of numbers
of some 2^8 steps, and what cancels."""
INT8 = np.arange(-128, 128)
INT16 = np.arange(-(2**15), 2**15)
OFF = 3.5
"""Steps of an int16 result by which a table with straight lines between its entries may be off, rounding included."""
LINE = 1.5
"""The same of one straight line, whose zero point is rounded, and which may be limited on either side of a step."""


def table_steps(result: DType) -> float:
    """`TABLE_STEPS` for results of a type: of int16, some times 2^-24 of 2^16 steps."""
    return TABLE_STEPS * (16 if result is DType.I16 else 1)


def check_table(region: Region) -> bool:
    """Whether the region is one table, or the limits that one amounts to, and was compared with its definition.

    Raises:
        VerificationError: an entry is not what the definition rounds to.
    """
    computing = [n for n in region.own.nodes if n.op.constant() is None]
    if len(computing) != 1 or len(region.taken) != 1 or region.quantize is None:
        return False
    ((own, meant),) = region.taken
    table = _table(region.own, computing[0], own.dtype) if own.dtype in (DType.I8, DType.I16) else None
    if table is None or computing[0].op.operands[0] != own:
        return False
    end, shift = region.definition.result, offset(region.node.result, region.definition.result)
    inputs = (INT16 if own.dtype is DType.I16 else INT8) - offset(own, meant)
    slack = table_steps(region.quantize.op.to)
    found = [column(region.meant.nodes, meant, end, inputs, nudge) for nudge in (-slack, 0.0, slack)]
    steps = [np.clip(f, *region.quantize.op.to.limits) + shift for f in found if f is not None]
    if not steps:
        return False
    off = np.maximum(np.minimum.reduce(steps) - table, table - np.maximum.reduce(steps))
    off = np.where(np.isnan(off), 0.0, off)
    most = OFF if made(computing[0], OfLines) else LINE if made(computing[0], Requantise) else 0.5
    if off.max() > most + slack:
        k = int(np.argmax(off))
        raise VerificationError(
            f"{region.where}: the table's entry for {inputs[k]} is {table[k]}, defined as {steps[1][k]:.5g}"
        )
    return True


def _table(own: Module, node: Node, operand: DType) -> Array | None:
    """What a node gives for each integer, if it is a table or limits; else None."""
    lookup, clamp, straight = made(node, Lookup), made(node, Clamp), made(node, OfLines)
    every, line = INT16 if operand is DType.I16 else INT8, made(node, Requantise)
    if clamp is not None:
        return np.clip(every, clamp.op.min, clamp.op.max)
    if line is not None:
        found = arithmetic.compute(line.op, [every])
        return None if found is None else found.integers
    if straight is not None:
        constants = [own.constant(v) for v in straight.op.operands[1:]]
        known = [array for array in constants if array is not None]
        exact = arithmetic.compute(straight.op, [INT16, *known]) if len(known) == len(constants) else None
        return None if exact is None else exact.integers
    table = own.constant(lookup.op.table) if lookup is not None else None
    return None if table is None else table.astype(np.int64)
