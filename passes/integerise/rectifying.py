"""Rectifiers with a slope for each channel: what float operators do together becomes one on integers."""

from __future__ import annotations

import numpy as np

from tinyc.ir.module import Made
from tinyc.ir.ops import QPRelu, Quantize
from tinyc.ir.ops.qprelu import STEEPEST
from tinyc.ir.types import DType
from tinyc.passes.core.rectifiers import rectifier_at, why_float
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on
from tinyc.passes.integerise.patterns import taken_together
from tinyc.passes.integerise.scales import Scale, requantiser_of


@on(Quantize)
def rectify_in_integers(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Rectify on integers, with a slope for each channel, what a quantize takes."""
    found = rectifier_at(rewriter.producer(at.op.x), rewriter.producer) if at.op.to in (DType.I8, DType.I16) else None
    if found is None:
        return None
    x = taken_together(at, found.x, why_float(found), rewriter)
    if isinstance(x, Skip):
        return x
    slopes = found.slopes.reshape(-1).astype(np.float64)
    step = max(1.0, float(np.abs(slopes).max())) / STEEPEST
    out = Scale.of(at.op)
    pair = requantiser_of(step * x.scale.scale / out.scale, (x.scale,), out, 2**15)
    if isinstance(pair, Skip):
        return pair
    below = rewriter.constant_value(np.rint(slopes / step).astype(np.int16), "below")
    return Replaced(
        QPRelu(x.value, below, x.scale.zero, round(1 / step), *pair, out.zero, *out.dtype.limits, out.dtype),
        found.nodes,
    )
