"""Normalisation by the elements' own mean and deviation: what float operators do together becomes one on integers."""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.module import Made
from tinyc.ir.op import Value
from tinyc.ir.ops import QNorm, Quantize, Transpose
from tinyc.ir.ops.qnormalise import EPSILON_MOST, NARROW, WIDE, Precision, epsilon_places
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.norms import Norm, broadcastable, norm_at, why_float
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.patterns import taken_together
from tinyc.passes.integerise.scales import Scale, requantiser

SMALL = 2.0**-16
"""What, beside a deviation, is as good as nothing: its reciprocal has 16 bits."""
UNSEEN = 2.0**-12
"""What, beside a step of int16, is as good as nothing: operands are off by half a step."""


@on(Quantize)
def normalise_in_integers(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Normalise on integers what a quantize takes."""
    norm = norm_at(rewriter.producer(at.op.x), rewriter.producer) if at.op.to in (DType.I8, DType.I16) else None
    if norm is None:
        return None
    x = taken_together(at, norm.x, why_float(norm), rewriter)
    if isinstance(x, Skip):
        return x
    return _made(norm, x.value, x.scale, Scale.of(at.op), rewriter)


def _made(norm: Norm, value: Value, own: Scale, out: Scale, rewriter: Rewriter) -> Replaced | Skip:
    count, epsilon = norm.count, norm.epsilon
    if norm.outside:
        # Of integers that are not all alike, the deviation is at least this; beside it, epsilon is as good as none.
        least = own.scale * math.sqrt(count - 1) / count if norm.centred else own.scale / math.sqrt(count)
        if epsilon > max(least * SMALL, own.scale * UNSEEN if own.dtype is DType.I16 else 0.0):
            return Skip(f"epsilon, {epsilon:.4g}, is added to the root, and not small beside the least, {least:.4g}")
        epsilon *= epsilon
    if norm.least > own.scale:
        return Skip(f"the root that it divides by is at least {norm.least:.4g}, and may be {own.scale:.4g}")
    # In units of steps of the operand, n times as many for each of n elements.
    epsilon = epsilon * (count / own.scale) ** 2 * 2.0 ** epsilon_places(own.dtype, count)
    if not epsilon <= EPSILON_MOST:
        return Skip(f"epsilon, {norm.epsilon:.4g}, is too large beside the operand's scale, {own.scale:.4g}")
    wide = DType.I16 in (own.dtype, out.dtype)
    form = WIDE if wide else NARROW
    factors = _factors(norm, form)
    if isinstance(factors, Skip):
        return factors
    g, b, unit = factors
    pair = requantiser(unit / out.scale, form.largest, wide)
    if isinstance(pair, Skip):
        return pair
    if pair[1] > 0:
        return Skip(f"the scale of the result, {out.scale:.4g}, is too fine for its factors")
    constants = rewriter.constant_value(g, "factors"), rewriter.constant_value(b, "offsets")
    order = norm.order
    moved = order != tuple(range(len(order)))
    x = rewriter.add(Transpose(value, order)) if moved else value
    axes = tuple(sorted(order.index(a) for a in norm.axes))
    made = QNorm(
        x, *constants, axes, own.zero, round(epsilon), norm.centred, *pair, out.zero, *out.dtype.limits, out.dtype
    )
    if moved:
        return Replaced(Transpose(rewriter.add(made), tuple(order.index(d) for d in range(len(order)))), norm.nodes)
    return Replaced(made, norm.nodes)


def _factors(norm: Norm, form: Precision) -> tuple[Array, Array, float] | Skip:
    """Factors and offsets as integers, of one shape, and the real number that a unit of their sums stands for."""
    rank = norm.x.type.rank
    scale, bias = (
        broadcastable(np.asarray(default if array is None else array, np.float64), rank)
        for array, default in ((norm.scale, 1.0), (norm.bias, 0.0))
    )
    scale, bias = (np.transpose(array, norm.order) for array in np.broadcast_arrays(scale, bias))
    if not (np.isfinite(scale).all() and np.isfinite(bias).all()):
        return Skip("a factor or offset is not finite")
    places = form.places(norm.count)
    of_offsets = 2.0 ** (places - form.dropped)
    largest = max(float(np.abs(scale).max()) / form.factor, float(np.abs(bias).max()) * of_offsets / form.offset)
    step = largest or 1.0
    g, b = np.rint(scale / step).astype(np.int16), np.rint(bias / step * of_offsets).astype(np.int32)
    return g, b, step / of_offsets
