"""Recurrent layers on integers, of recurrent layers in float between dequantize and quantize.

They go before all others: a hidden state is rounded to int8 or int16 in each step, for the products of the next. That
is part of quantising the layer, and not what a float operator between conversions says. What comes behind takes the
integers as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinyc.ir import fixed_point, q15
from tinyc.ir.module import Made, Module
from tinyc.ir.op import StaysFloat, Value
from tinyc.ir.ops.qrecurrent import (
    MOST,
    MOST_LEFT,
    MOST_SUMS,
    QGru,
    QLstm,
    QRecurrent,
    QRnn,
    most_products,
)
from tinyc.ir.ops.quantise import Quantize
from tinyc.ir.ops.recurrent import NO_CLIP, Gru, Lstm, Recurrent, Rnn
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.base import Pass, Slack
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite
from tinyc.passes.integerise.layers import Int8Weights, weights_of
from tinyc.passes.integerise.patterns import INTEGERS, activation, float_operand, only_quantized, real_constant
from tinyc.passes.integerise.scales import Scale

KINDS: dict[type[Recurrent], type[QRecurrent]] = {Rnn: QRnn, Gru: QGru, Lstm: QLstm}
MOST_PLACES = 40

INTEGERS.refuse("its weights, or its initial states, are no constants that int8 stands for", Recurrent)


@dataclass(frozen=True)
class RecurrentToIntegers(Pass, name="recurrent-to-integers"):
    """Computes recurrent layers between dequantize and quantize on integers, their states as well."""

    slack = Slack(
        2e-5,
        "the hidden state is rounded in every step, which later steps may make more of: the witness holds each step "
        "against its definition",
        steps=255,
    )
    keeps_names = True

    def run(self, module: Module) -> Module:
        names = {v.name for v in (*module.inputs, *(n.result for n in module.nodes))}
        return rewrite(module, (in_integers,), names)


@on(Quantize)
def in_integers(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Compute a recurrent layer on integers."""
    found = rewriter.made(at.op.x, Recurrent)
    if found is None or at.op.to not in (DType.I8, DType.I16):
        return None
    op, x = found.op, activation(found.op.x, rewriter, wide=True)
    if x is None:
        return float_operand(op.x)
    if not only_quantized(at.op.x, rewriter):
        return Skip(f"{at.op.x} is needed in float as well")
    if isinstance(form := op.quantised(), StaysFloat):
        return Skip(form.reason)
    w, r = (weights_of(v, rewriter, 0) for v in (op.w, op.r))
    if isinstance(w, Skip):
        return w
    if isinstance(r, Skip):
        return r
    fields = integer_fields(op, x.scale, Scale.of(at.op), w, r, rewriter)
    if isinstance(fields, Skip):
        return fields
    return Replaced(KINDS[type(op)](x=x.value, **fields), (found.node,))


def integer_fields(
    op: Recurrent, x: Scale, out: Scale, w: Int8Weights, r: Int8Weights, rewriter: Rewriter
) -> dict[str, Any] | Skip:
    """The fields of the integer operator but its operand, given scales of that and of the result."""
    if max(op.hidden, op.x.shape[2]) > MOST:
        return Skip(f"it has more than {MOST} inputs or units")
    places = q15.PLACES + (MOST_LEFT if out.dtype is DType.I16 else 0)
    if out.scale <= 2.0**-places:
        return Skip(f"a step of its result, {out.scale:.3g}, is less than 2^-{places}")
    parameters = [abs(v) for v in (*op.alpha, *op.beta)]
    if max(parameters, default=0.0) >= q15.LIMIT / q15.ONE:
        return Skip(f"a parameter of its activations is {max(parameters):.6g}, more than fits")
    b, *states = (constant_of(v, rewriter) for v in (op.b, op.h, *op.own_operands().values()))
    if any(isinstance(v, Skip) for v in (b, *states)):
        return next(v for v in (b, *states) if isinstance(v, Skip))
    own = {"x": x.scale * w.scale * q15.ONE, "h": out.scale * r.scale * q15.ONE}
    largest = max(float(f.max()) for f in own.values())
    sums = most_products(x.dtype, out.dtype, w.rows(), r.rows(), own["x"], own["h"])
    # Half of what there is room for: rounding adds to multipliers, and to sums.
    room = MOST_SUMS / 2 / max(float(sums.max()), 1.0)
    places = math.floor(math.log2(min(fixed_point.INT32[1] / largest, room)))
    if not places >= 1:
        return Skip(f"sums of its products have steps of {largest / q15.ONE:.3g}")
    places = min(places, MOST_PLACES)
    recalled = -out.zero * r.rows().sum(axis=1) * own["h"]
    bias = np.asarray(b) * q15.ONE - x.zero * w.rows().sum(axis=1) * own["x"]
    more = dict(zip(op.own_operands(), states[1:], strict=True))
    if op.scaled():
        rows, given = slice(-op.scaled() * op.hidden, None), more["rb"]
        more["rb"] = (0.0 if given is None else np.asarray(given)) + recalled[rows] / q15.ONE
        recalled[rows] = 0.0
    multiplier, shift = fixed_point.to_multiplier(1 / (q15.ONE * out.scale))

    def words(real: Array | Skip | None, hint: str) -> Value | None:
        if real is None:
            return None
        fixed = np.clip(np.rint(np.asarray(real) * q15.ONE), -q15.LIMIT, q15.LIMIT)
        return rewriter.constant_value(fixed.astype(np.int32), hint)

    def multipliers(scale: Array, hint: str) -> Value:
        integers = np.minimum(np.rint(scale * 2.0**places), fixed_point.INT32[1])
        return rewriter.constant_value(integers.astype(np.int32), hint)

    return {
        "w": w.add(rewriter),
        "r": r.add(rewriter),
        "b": words((bias + recalled) / q15.ONE, "bias"),
        "wm": multipliers(own["x"], "multiplier"),
        "rm": multipliers(own["h"], "multiplier"),
        "h": words(states[0], "state"),
        "places": places,
        "multiplier": multiplier,
        "shift": shift,
        "zero": out.zero,
        "functions": op.functions,
        "alpha": tuple(q15.fixed(v) for v in op.alpha),
        "beta": tuple(q15.fixed(v) for v in op.beta),
        "clip": q15.LIMIT if op.clip == NO_CLIP else max(q15.fixed(op.clip), 1),
        "reverse": op.reverse,
        "every": op.every,
        "x_scale": x.scale,
        "x_zero": x.zero,
        "scale": out.scale,
        "to": out.dtype,
        **{name: words(value, name) for name, value in more.items()},
        **op.own_flags(),
    }


def constant_of(value: Value | None, rewriter: Rewriter) -> Array | Skip | None:
    """The numbers of an operand, None for none."""
    if value is None:
        return None
    found = real_constant(value, rewriter)
    return Skip(f"{value} is not constant") if found is None else found
