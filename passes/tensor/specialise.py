"""Special cases of general operators that have a cheaper operator of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Module
from tinyc.ir.ops import Dense, MatMul, Mul, Pow, Sqrt
from tinyc.passes.core.base import Pass, Slack
from tinyc.passes.core.facts import uniform
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite


@dataclass(frozen=True)
class Specialise(Pass, name="specialise"):
    """Replaces matrix products with constants by dense layers, and powers by products and roots."""

    slack = Slack(1e-5, "sums may be added in another order, and a power may differ in its last bit")

    def run(self, module: Module) -> Module:
        return rewrite(module, [matmul_to_dense, power_to_product])


@on(MatMul)
def matmul_to_dense(at: Made[MatMul], rewriter: Rewriter) -> Answer:
    """Replace a matrix product by a dense layer.

    Its right operand is one constant matrix, and its left operand sets the leading dimensions.
    """
    op = at.op
    weights = rewriter.constant(op.y)
    if weights is None:
        return None
    if not op.type.dtype.is_float:
        return Skip("integer products wrap around, a dense layer's sums do not")
    if math.prod(weights.shape[:-2]) != 1 or weights.shape[-1] == 0 or op.x.type.rank < weights.ndim:
        return Skip("the constant is not one matrix")
    matrix = np.ascontiguousarray(weights.reshape(weights.shape[-2:]).T)
    return Replaced(Dense(op.x, rewriter.constant_value(matrix, op.y.name)))


@on(Pow)
def power_to_product(at: Made[Pow], rewriter: Rewriter) -> Answer:
    """Replace the powers 1/2 and 2 by a square root and a product."""
    op = at.op
    if op.x.type != op.type:
        return None
    exponent = uniform(rewriter.constant(op.y))
    if exponent == 2.0:
        return Replaced(Mul(op.x, op.x))
    return Replaced(Sqrt(op.x)) if exponent == 0.5 else None
