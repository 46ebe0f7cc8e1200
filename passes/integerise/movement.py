"""Operators that work on int8 as on floats: dequantize sinks below them, quantize rises above them.

Both conversions are monotone and element by element, so moving, repeating and choosing the largest of elements commutes
with them: bit for bit. Where scales differ, a quantize meets a dequantize, and `chain_to_table` makes a table of them.
"""

from __future__ import annotations

from tinyc.ir.constant import Constant
from tinyc.ir.module import Made, Node, made
from tinyc.ir.op import Op
from tinyc.ir.ops import Pad, QConvolution, Quantize, Where
from tinyc.ir.tensor import Tensor
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.patterns import activation, only_quantized
from tinyc.passes.integerise.scales import Scale
from tinyc.passes.tensor.fuse_pad import absorb


def sink_dequantize(node: Node, rewriter: Rewriter) -> Answer:
    """Move a dequantize behind an operator that works on int8 as well."""
    op, values = node.op, node.op.passes_on()
    sources = [activation(v, rewriter, wide=True) for v in values]
    found = [s for s in sources if s is not None]
    if not found or len(found) < len(sources):
        return None
    scale = found[0].scale
    if any(s.scale != scale for s in found):
        apart = sorted({f"{s.scale.scale:.4g} from {s.scale.zero}" for s in found})
        return Skip(f"its operands have different scales and zero points: {', '.join(apart)}")
    fill = op.fill()
    if fill is not None:
        value = scale.exactly(fill)
        if value is None:
            return Skip(f"no {scale.dtype.numpy.name} value stands for the pad value {fill}")
        op = op.filled(float(value))
    new = op.replace_operands({v: s.value for v, s in zip(values, found, strict=True)})
    arrays = [rewriter.constant(v) for v in new.operands]
    known = [a for a in arrays if a is not None]
    if len(known) == len(arrays) and new.type.size <= sum(a.size for a in known):
        new = Constant(Tensor(new.run(known)))
    return Replaced(scale.dequantize(rewriter.add(new)), tuple(s.node for s in found))


@on(Quantize)
def raise_quantize(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Move a quantize before an operator that works on int8 as well."""
    before = rewriter.producer(at.op.x)
    # A choice may be part of what a table or an integer operator computes together.
    return None if made(before, Where) is not None else raised(at, Op, rewriter)


def raised(at: Made[Quantize], kind: type[Op], rewriter: Rewriter) -> Answer:
    """The quantize moved before an operator of a class that works on int8 as well."""
    before = rewriter.made(at.op.x, kind) if at.op.to in (DType.I8, DType.I16) else None
    values = before.op.passes_on() if before is not None else ()
    if before is None or not values:
        return None
    if not only_quantized(at.op.x, rewriter):
        return Skip(f"{at.op.x} is needed in float as well")
    op, whole = before.op, sum(v.type.size for v in values)
    leaves_out = whole > op.type.size and not op.chooses() and len(values) == 1
    if leaves_out and not all(rewriter.producer(v) and rewriter.uses(v) == 1 for v in values):
        return Skip(f"the whole of {values[0]} would be quantized for a part of it")
    scale, fill = Scale.of(at.op), op.fill()
    if fill is not None:
        op = op.filled(float(scale.integer(fill)))
    quantized = {v: rewriter.add(scale.quantize(v)) for v in dict.fromkeys(values)}
    return Replaced(op.replace_operands(quantized), (before.node,))


@on(QConvolution)
def pad_into_convolution(at: Made[QConvolution], rewriter: Rewriter) -> Answer:
    """Absorb an int8 pad of rows and columns."""
    pad = rewriter.made(at.op.x, Pad)
    if pad is None:
        return None
    if rewriter.uses(pad.result) > 1:
        return Skip(f"{pad.result} is needed padded as well")
    fused = absorb(at.op, pad.op, rewriter)
    return fused if isinstance(fused, Skip) else Replaced(fused, (pad.node,))
