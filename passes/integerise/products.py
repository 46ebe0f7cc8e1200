"""Matrix products of two activations."""

from __future__ import annotations

import dataclasses

from tinyc.ir.module import Made
from tinyc.ir.ops import MatMul, QMatMul, Quantize
from tinyc.ir.ops.linear import MOST_PRODUCTS
from tinyc.ir.types import DType
from tinyc.passes.core.facts import scaled_by
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.elementwise import activations
from tinyc.passes.integerise.patterns import INTEGERS, Match, only_quantized
from tinyc.passes.integerise.scales import Scale, requantiser_of


@INTEGERS(MatMul)
def matrix_product(match: Match[MatMul], rewriter: Rewriter) -> Answer:
    """Compute a matrix product on integers."""
    op = match.op
    operands = activations(op.operands, rewriter, wide=True)
    if isinstance(operands, Skip):
        return operands
    x, y = operands
    count = op.x.shape[-1]
    if count > MOST_PRODUCTS:
        return Skip(f"a sum of {count} products of int8 may not fit int32")
    pair = requantiser_of(x.scale.scale * y.scale.scale / match.out.scale, (x.scale, y.scale), match.out, count)
    if isinstance(pair, Skip):
        return pair
    made = QMatMul(x.value, y.value, x.scale.zero, y.scale.zero, *pair, **match.result())
    return Replaced(made, match.absorbed)


@on(Quantize)
def scaled_product(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Compute a matrix product and its factor on integers, as attention has one."""
    node = rewriter.producer(at.op.x) if at.op.to in (DType.I8, DType.I16) else None
    found = scaled_by(node, rewriter.producer) if node is not None else None
    product = rewriter.made(found[0], MatMul) if found is not None else None
    if node is None or found is None or product is None:
        return None
    if rewriter.uses(product.result) > 1 or not only_quantized(at.op.x, rewriter):
        return Skip(f"{product.result} or its multiple is needed in float as well")
    out = Scale.of(at.op)
    plain = dataclasses.replace(out, scale=out.scale / found[1])
    return matrix_product(Match(product.op, plain, *out.dtype.limits, (product.node, node)), rewriter)
