"""Matrix products of two activations."""

from __future__ import annotations

from tinyc.ir.ops import MatMul, QMatMul
from tinyc.ir.ops.linear import MOST_PRODUCTS
from tinyc.ir.types import DType
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip
from tinyc.passes.integerise.elementwise import activations, widest
from tinyc.passes.integerise.patterns import INTEGERS, Match
from tinyc.passes.integerise.scales import requantiser


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
    wide = DType.I16 in (x.scale.dtype, y.scale.dtype, match.out.dtype)
    bound = widest(x.scale) * widest(y.scale) * count
    pair = requantiser(x.scale.scale * y.scale.scale / match.out.scale, bound, wide)
    if isinstance(pair, Skip):
        return pair
    zeros = x.scale.zero, y.scale.zero
    made = QMatMul(x.value, y.value, *zeros, *pair, match.out.zero, match.low, match.high, match.out.dtype)
    return Replaced(made, match.absorbed)
