"""Normalisation by the elements' own mean and deviation: what float operators do together becomes one on integers."""

from __future__ import annotations

import math

import numpy as np

from tinyc.ir.module import Made
from tinyc.ir.op import Value
from tinyc.ir.ops import QNorm, Quantize
from tinyc.ir.ops.qnormalise import EPSILON_MOST, EPSILON_PLACES, FACTOR, LARGEST_NORMALISED, OFFSET, places_of
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.norms import Norm, broadcastable, norm_at, why_float
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.patterns import taken_together
from tinyc.passes.integerise.scales import Scale, requantiser


@on(Quantize)
def normalise_in_integers(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Normalise on integers what a quantize takes."""
    norm = norm_at(rewriter.producer(at.op.x), rewriter.producer) if at.op.to is DType.I8 else None
    if norm is None:
        return None
    x = taken_together(at, norm.x, why_float(norm), rewriter)
    if isinstance(x, Skip):
        return x
    return _made(norm, x.value, x.scale, Scale.of(at.op), rewriter)


def _made(norm: Norm, value: Value, own: Scale, out: Scale, rewriter: Rewriter) -> Replaced | Skip:
    count = math.prod(norm.x.shape[a] for a in norm.axes)
    # In units of steps of the operand, n times as many for each of n elements.
    epsilon = norm.epsilon * (count / own.scale) ** 2 * 2.0**EPSILON_PLACES
    if not epsilon <= EPSILON_MOST:
        return Skip(f"epsilon, {norm.epsilon:.4g}, is too large beside the operand's scale, {own.scale:.4g}")
    factors = _factors(norm, places_of(count))
    if isinstance(factors, Skip):
        return factors
    g, b, unit = factors
    pair = requantiser(unit / out.scale, LARGEST_NORMALISED)
    if isinstance(pair, Skip):
        return pair
    if pair[1] > 0:
        return Skip(f"the scale of the result, {out.scale:.4g}, is too fine for its factors")
    constants = rewriter.constant_value(g, "factors"), rewriter.constant_value(b, "offsets")
    made = QNorm(value, *constants, norm.axes, own.zero, round(epsilon), norm.centred, *pair, out.zero)
    return Replaced(made, norm.nodes)


def _factors(norm: Norm, places: int) -> tuple[Array, Array, float] | Skip:
    """Factors and offsets as integers, of one shape, and the real number that a unit of their sums stands for."""
    rank = norm.x.type.rank
    scale, bias = (
        broadcastable(np.asarray(default if array is None else array, np.float64), rank)
        for array, default in ((norm.scale, 1.0), (norm.bias, 0.0))
    )
    scale, bias = np.broadcast_arrays(scale, bias)
    if not (np.isfinite(scale).all() and np.isfinite(bias).all()):
        return Skip("a factor or offset is not finite")
    largest = max(float(np.abs(scale).max()) / FACTOR, float(np.abs(bias).max()) * 2.0**places / OFFSET)
    step = largest or 1.0
    g, b = np.rint(scale / step).astype(np.int16), np.rint(bias / step * 2.0**places).astype(np.int32)
    return g, b, step * 2.0**-places
