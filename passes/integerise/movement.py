"""Operators that work on int8 as on floats: dequantize sinks below them, quantize rises above them.

Both conversions are monotone and element by element, so moving, repeating and choosing the largest of elements commutes
with them: bit for bit. Where scales differ, a quantize meets a dequantize, and `chain_to_table` makes a table of them.
"""

from __future__ import annotations

import dataclasses

from tinyc.ir.module import Node
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    Broadcast,
    Concat,
    Constant,
    Gather,
    Maximum,
    MaxPool2d,
    Minimum,
    Pad,
    QConvolution,
    Quantize,
    ReduceMax,
    ReduceMin,
    Reshape,
    Slice,
    Transpose,
)
from tinyc.ir.tensor import Tensor
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Replaced, Rewriter, Skip
from tinyc.passes.integerise.patterns import activation, only_quantized
from tinyc.passes.integerise.scales import Scale

ONE = (Reshape, Transpose, Slice, Broadcast, Pad, MaxPool2d, ReduceMax, ReduceMin)
"""Operators that take elements of one value."""
SEVERAL = (Concat, Maximum, Minimum)
"""Operators that take elements of several values."""


def taken(op: Op) -> tuple[Value, ...]:
    """The operands whose elements an operator gives unchanged; none if it is not such an operator."""
    if isinstance(op, Gather):
        return (op.x,)
    return op.operands if isinstance(op, (*ONE, *SEVERAL)) else ()


def sink_dequantize(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Move a dequantize behind an operator that works on int8 as well."""
    op = node.op
    values = taken(op)
    sources = [activation(v, rewriter) for v in values]
    found = [s for s in sources if s is not None]
    if not found or len(found) < len(sources):
        return None
    scale = found[0].scale
    if any(s.scale != scale for s in found):
        return Skip(f"its operands have different scales: {', '.join(sorted({f'{s.scale.scale:.4g}' for s in found}))}")
    if isinstance(op, Pad):
        value = scale.exactly(op.value)
        if value is None:
            return Skip(f"no int8 value stands for the pad value {op.value}")
        op = dataclasses.replace(op, value=float(value))
    new = op.replace_operands({v: s.value for v, s in zip(values, found, strict=True)})
    arrays = [rewriter.constant(v) for v in new.operands]
    known = [a for a in arrays if a is not None]
    if len(known) == len(arrays) and new.type.size <= sum(a.size for a in known):
        new = Constant(Tensor(new.run(known)))
    return Replaced(scale.dequantize(rewriter.add(new)), tuple(s.node for s in found))


def raise_quantize(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Move a quantize before an operator that works on int8 as well."""
    if not isinstance(node.op, Quantize) or node.op.to is not DType.I8:
        return None
    before = rewriter.producer(node.op.x)
    values = taken(before.op) if before is not None else ()
    if before is None or not values:
        return None
    if not only_quantized(node.op.x, rewriter):
        return Skip(f"{node.op.x} is needed in float as well")
    if isinstance(before.op, (Slice, Gather)) and not all(
        rewriter.producer(v) and rewriter.uses(v) == 1 for v in values
    ):
        return Skip(f"the whole of {values[0]} would be quantized for a part of it")
    scale = Scale.of(node.op)
    op = before.op
    if isinstance(op, Pad):
        op = dataclasses.replace(op, value=float(scale.integer(op.value)))
    quantized = {v: rewriter.add(scale.quantize(v)) for v in dict.fromkeys(values)}
    return Replaced(op.replace_operands(quantized), (before,))


def pad_into_convolution(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Absorb an int8 pad of rows and columns."""
    op = node.op
    before = rewriter.producer(op.x) if isinstance(op, QConvolution) else None
    if before is None or not isinstance(op, QConvolution) or not isinstance(before.op, Pad):
        return None
    pad = before.op
    if rewriter.uses(before.result) > 1:
        return Skip(f"{before.result} is needed padded as well")
    if pad.before[0] or pad.after[0] or pad.before[3] or pad.after[3] or any(pad.between):
        return Skip("the batch or the channels are padded too, or there are gaps between the elements")
    if any(op.pads) and op.zero != pad.value:
        return Skip(f"it pads with {op.zero} already, the pad with {pad.value:.0f}")
    more = (pad.before[1], pad.before[2], pad.after[1], pad.after[2])
    pads = tuple(a + b for a, b in zip(op.pads, more, strict=True))
    return Replaced(dataclasses.replace(op, x=pad.x, pads=pads, zero=int(pad.value)), (before,))
