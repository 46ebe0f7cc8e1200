"""The constants of integer convolutions and dense layers, one by one, against the scales and numbers they stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.arithmetic import BIAS, LEAST, OF_BYTE, same_limit
from tinyc.compiler.witness.behind import behind_moves, only, real_constant
from tinyc.compiler.witness.region import OFFSET, Region
from tinyc.ir.module import Module, made
from tinyc.ir.ops import Dequantize, QSoftmax, Quantize, Softmax
from tinyc.ir.ops.layer import IntegerLayer, LinearLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

MULTIPLIER = 2.0**-30
"""Relative error of a multiplier: its 31 bits leave half a unit of at least 2^30, 2^-31."""


@dataclass(frozen=True)
class _Meant:
    """What a layer of the quantised module says: a result's steps in those of the sum, and its integers."""

    op: LinearLayer
    scale: float
    zero: int
    weights: Array
    """Integers less their zero points."""
    sums: Array
    """The real value of one unit of the sums, one a channel."""
    bias: Array | None
    """In units of the sums; None where it is not constant."""


@dataclass(frozen=True)
class _Given:
    """The constants of an integer layer. Weights and biases are wide enough to compute with."""

    op: IntegerLayer
    weights: Array
    bias: Array
    factors: Array
    """What the multipliers and shifts stand for."""


def check_layer(region: Region) -> bool:
    """Whether the region is a layer whose constants can be compared one by one, and were.

    Raises:
        VerificationError: one is not what the definition gives.
    """
    given, meant, rounded = _given(region.own), _meant(region.meant), region.quantize
    if given is None or meant is None or rounded is None or region.core is None or region.core.op is not meant.op:
        return False
    if given.weights.shape != meant.weights.shape:
        return False
    if (wrong := given.weights != meant.weights).any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        _differs(region, f"weight {list(at)} is {int(given.weights[at])}, defined as {int(meant.weights[at])}")
    _check_vectors(region, given, meant, float(np.float32(rounded.op.scale)))
    _check_fields(region, given.op, meant, rounded.op)
    return True


def _given(own: Module) -> _Given | None:
    """The integer module's layer, if there is one alone and its operands are constants."""
    layer = only(own, IntegerLayer)
    if layer is None:
        return None
    op = layer.op
    w, b, multiplier, shift = (own.constant(v) for v in (op.w, op.b, op.multiplier, op.shift))
    if w is None or b is None or multiplier is None or shift is None:
        return None
    factors = np.ldexp(multiplier.astype(np.float64), shift.astype(np.int64) - 31)
    return _Given(op, w.astype(np.int64), b.astype(np.int64), factors)


def _check_vectors(region: Region, given: _Given, meant: _Meant, scale: float) -> None:
    """Multipliers and biases, where a channel has weights: one of zeros is its bias alone, in units of its own."""
    rows = given.op.by_output(given.weights)
    there = rows.any(axis=1)
    wanted = meant.sums / scale
    off = np.where(there, np.abs(given.factors - wanted) - OF_BYTE * wanted - LEAST, -1.0)
    if (off > 0).any():
        c = int(np.argmax(off / wanted))
        _differs(
            region,
            f"the multiplier of channel {c} is {given.factors[c]:.9g} where the scales give {wanted[c]:.9g} "
            f"({given.factors[c] / wanted[c] - 1:+.3%})",
        )
    if meant.bias is None:
        return
    own = given.bias + meant.zero * rows.sum(axis=1)
    begins = [b * wanted + given.op.out_zero for b in (given.bias, meant.bias - meant.zero * rows.sum(axis=1))]
    operand, result = given.op.x.dtype, given.op.type.dtype
    seen = there & ~same_limit(begins, -operand.limits[0] * np.abs(rows).sum(axis=1) * wanted, result)
    off = np.where(seen, np.abs(own - meant.bias) - 0.5 - BIAS * np.abs(meant.bias), -1.0)
    if (off > 0).any():
        c = int(np.argmax(off))
        _differs(region, f"the bias of channel {c} is {own[c]} units of the sums, defined as {meant.bias[c]:.6g}")


def check_softmax(region: Region) -> bool:
    """Whether the region is a softmax whose scaling could be compared, and was: differences times the operand's scale
    in Q5.26, those below -31 left out.

    Raises:
        VerificationError: it is not what the operand's scale gives.
    """
    found, core = only(region.own, QSoftmax), made(region.core, Softmax)
    x = behind_moves(region.meant, core.op.x) if core is not None else None
    if found is None or x is None or not x.whole():
        return False
    op = found.op
    wanted = min(float(np.float32(x.scale[0])) * 2.0**26, 2.0**31 - 1)
    given = op.multiplier * 2.0 ** (op.left - 31)
    # A scale below 2^-26 has fewer bits than 31, and is cut to whole ones.
    if abs(given - wanted) > max(MULTIPLIER * wanted, 2.0**-31):
        _differs(region, f"its differences are scaled by {given:.9g} / 2^26 where the scale gives {wanted:.9g} / 2^26")
    least = -math.floor(31 * 2.0 ** (26 - op.left))
    if op.diff_min != least:
        _differs(region, f"differences count from {op.diff_min} on, defined as {least}")
    return True


def _check_fields(region: Region, op: IntegerLayer, meant: _Meant, made: Quantize) -> None:
    """Zero points, padding and limits."""
    zero, (least, most) = made.zero - (OFFSET if made.to is DType.U8 else 0), op.to.limits
    if op.to is not (DType.I8 if made.to is DType.U8 else made.to):
        _differs(region, f"its result is {op.to.value}, defined as {made.to.value}")
    if op.out_zero != zero:
        _differs(region, f"the zero point of its result is {op.out_zero}, defined as {zero}")
    pad, outside = op.outside(), meant.op.outside()
    if pad is not None and outside is not None and pad != (steps := outside / meant.scale + meant.zero):
        _differs(region, f"padding holds {pad}, a pad value of {outside} is {steps:.6g}")
    _, *limits = region.limits
    for name, own, limit in zip(("lower", "upper"), (op.min, op.max), limits, strict=True):
        steps = limit / float(np.float32(made.scale)) + zero
        if abs(own - min(max(steps, least), most)) > 0.5 + BIAS * min(abs(steps), -least):
            _differs(region, f"its {name} limit is {own}, {limit:.6g} is {steps:.6g} steps")


def _meant(part: Module) -> _Meant | None:
    """The layer in the quantised module, if there is one alone whose weights are the dequantize of a constant."""
    layer = only(part, LinearLayer)
    if layer is None:
        return None
    op = layer.op
    x, w = behind_moves(part, op.x), part.made(op.w, Dequantize)
    data = part.constant(w.op.x) if w is not None else None
    if x is None or not x.whole() or w is None or data is None:
        return None
    if not w.op.whole() and w.op.axis != op.output_axis:
        return None
    weights = data.astype(np.int64) - op.per_output(np.asarray(w.op.zero, np.int64))
    scale = float(np.float32(x.scale[0]))
    factors = scale * np.asarray(w.op.scale, np.float32).astype(np.float64)
    sums = np.broadcast_to(factors, (data.shape[op.output_axis],))
    zero = x.zero[0] - (OFFSET if x.x.dtype is DType.U8 else 0)
    bias = real_constant(part, op.b) if op.b is not None else np.zeros(len(sums))
    return _Meant(op, scale, zero, weights, sums, None if bias is None else bias / sums)


def _differs(region: Region, what: str) -> None:
    raise VerificationError(f"{region.where}: {what}")
