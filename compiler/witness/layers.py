"""The constants of integer convolutions and dense layers, one by one, against the scales and numbers they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.verify import VerificationError
from tinyc.compiler.witness.arithmetic import BIAS, LEAST
from tinyc.compiler.witness.definition import dequantised
from tinyc.compiler.witness.regions import MOVING, OFFSET, Region
from tinyc.ir.module import Node
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    Constant,
    Dense,
    DepthwiseConv2d,
    Dequantize,
    QConvolution,
    QDense,
    QSoftmax,
    Quantize,
    Softmax,
)
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

MULTIPLIER = 2.0**-30
"""Relative error of a multiplier: its 31 bits leave half a unit of at least 2^30, 2^-31."""


@dataclass(frozen=True)
class _Meant:
    """What a layer of the quantised module says: a result's steps in those of the sum, and its integers."""

    op: Convolution | Dense
    scale: float
    zero: int
    weights: Array
    """Integers less their zero points."""
    sums: Array
    """The real value of one unit of the sums, one a channel."""
    bias: Array | None
    """In units of the sums; None where it is not constant."""


def check_layer(region: Region) -> bool:
    """Whether the region is a layer whose constants can be compared one by one, and were.

    Raises:
        VerificationError: one is not what the definition gives.
    """
    layers = [n for n in region.own if isinstance(n.op, (QConvolution, QDense))]
    meant = _meant(region)
    if (
        len(layers) != 1
        or meant is None
        or region.core is not meant.op
        or not isinstance(region.definition.op, Quantize)
    ):
        return False
    op = layers[0].op
    assert isinstance(op, (QConvolution, QDense))
    arrays = {n.result: n.op.data.array for n in region.own if isinstance(n.op, Constant)}
    vectors = [arrays.get(v) for v in (op.w, op.b, op.multiplier, op.shift)]
    w, b, multiplier, shift = vectors
    if w is None or b is None or multiplier is None or shift is None or w.shape != meant.weights.shape:
        return False
    axis = 2 if isinstance(meant.op, DepthwiseConv2d) else 0
    rows = np.moveaxis(w.astype(np.int64), axis, 0).reshape(w.shape[axis], -1)
    if (wrong := w.astype(np.int64) != meant.weights).any():
        at = tuple(int(i[0]) for i in np.nonzero(wrong))
        _differs(region, f"weight {list(at)} is {int(w[at])}, defined as {int(meant.weights[at])}")
    there = rows.any(axis=1)  # a channel of zeros is its bias alone, in units of its own
    wanted = meant.sums / float(np.float32(region.definition.op.scale))
    given = np.ldexp(multiplier.astype(np.float64), shift.astype(np.int64) - 31)
    off = np.where(there, np.abs(given - wanted) - MULTIPLIER * wanted - LEAST, -1.0)
    if (off > 0).any():
        c = int(np.argmax(off / wanted))
        _differs(
            region,
            f"the multiplier of channel {c} is {given[c]:.9g} where the scales give {wanted[c]:.9g} "
            f"({given[c] / wanted[c] - 1:+.3%})",
        )
    if meant.bias is not None:
        own = b.astype(np.int64) + meant.zero * rows.sum(axis=1)
        off = np.where(there, np.abs(own - meant.bias) - 0.5 - BIAS * np.abs(meant.bias), -1.0)
        if (off > 0).any():
            c = int(np.argmax(off))
            _differs(region, f"the bias of channel {c} is {own[c]} units of the sums, defined as {meant.bias[c]:.6g}")
    _check_fields(region, op, meant)
    return True


def check_softmax(region: Region) -> bool:
    """Whether the region is a softmax whose scaling could be compared, and was: differences times the operand's scale
    in Q5.26, those below -31 left out.

    Raises:
        VerificationError: it is not what the operand's scale gives.
    """
    found = [n.op for n in region.own if isinstance(n.op, QSoftmax)]
    made: Mapping[Value, Node] = {n.result: n for n in region.meant}
    x = behind_moves(made, region.core.x) if isinstance(region.core, Softmax) else None
    if len(found) != 1 or x is None or not x.whole():
        return False
    op = found[0]
    wanted = min(float(np.float32(x.scale[0])) * 2.0**26, 2.0**31 - 1)
    given = op.multiplier * 2.0 ** (op.left - 31)
    # A scale below 2^-26 has fewer bits than 31, and is cut to whole ones.
    if abs(given - wanted) > max(MULTIPLIER * wanted, 2.0**-31):
        _differs(region, f"its differences are scaled by {given:.9g} / 2^26 where the scale gives {wanted:.9g} / 2^26")
    least = -math.floor(31 * 2.0 ** (26 - op.left))
    if op.diff_min != least:
        _differs(region, f"differences count from {op.diff_min} on, defined as {least}")
    return True


def _check_fields(region: Region, op: QConvolution | QDense, meant: _Meant) -> None:
    """Zero points, padding and limits."""
    made = region.definition.op
    assert isinstance(made, Quantize)
    shift = OFFSET if made.to is DType.U8 else 0
    zero = made.zero - shift
    if op.out_zero != zero:
        _differs(region, f"the zero point of its result is {op.out_zero}, defined as {zero}")
    padded = isinstance(op, QConvolution) and isinstance(meant.op, Convolution) and op.pads == meant.op.pads
    if padded and any(op.pads) and op.zero != (pad := meant.op.pad_value / meant.scale + meant.zero):  # type: ignore[union-attr]
        _differs(region, f"padding holds {op.zero}, a pad value of {meant.op.pad_value} is {pad:.6g}")  # type: ignore[union-attr]
    _, *limits = region.limits
    for name, own, limit in zip(("lower", "upper"), (op.min, op.max), limits, strict=True):
        steps = limit / float(np.float32(made.scale)) + zero
        if abs(own - min(max(steps, -128), 127)) > 0.5 + BIAS * min(abs(steps), OFFSET):
            _differs(region, f"its {name} limit is {own}, {limit:.6g} is {steps:.6g} steps")


def _meant(region: Region) -> _Meant | None:
    """The layer in the quantised module, if there is one alone whose weights are the dequantize of a constant."""
    made: Mapping[Value, Node] = {n.result: n for n in region.meant}
    layers = [n.op for n in region.meant if isinstance(n.op, (Convolution, Dense))]
    if len(layers) != 1:
        return None
    op = layers[0]
    x, w = behind_moves(made, op.x), made.get(op.w)
    if x is None or not x.whole() or w is None or not isinstance(w.op, Dequantize):
        return None
    integers = made.get(w.op.x)
    if integers is None or not isinstance(integers.op, Constant):
        return None
    axis = 2 if isinstance(op, DepthwiseConv2d) else 0
    if not w.op.whole() and w.op.axis != axis:
        return None
    data = integers.op.data.array.astype(np.int64)
    zeros = np.asarray(w.op.zero, np.int64).reshape([-1 if d == axis else 1 for d in range(data.ndim)])
    scale = float(np.float32(x.scale[0]))
    sums = np.broadcast_to(scale * np.asarray(w.op.scale, np.float32).astype(np.float64), (data.shape[axis],))
    zero = x.zero[0] - (OFFSET if x.x.dtype is DType.U8 else 0)
    return _Meant(op, scale, zero, data - zeros, sums, _bias(made, op, sums))


def behind_moves(made: Mapping[Value, Node], value: Value) -> Dequantize | None:
    """What made a float value of integers, if it was only moved since; else None."""
    node = made.get(value)
    while node is not None and isinstance(node.op, MOVING):
        node = made.get(node.op.operands[0])
    return node.op if node is not None and isinstance(node.op, Dequantize) else None


def _bias(made: Mapping[Value, Node], op: Convolution | Dense, sums: Array) -> Array | None:
    """The bias in units of the sums; None where it is not constant."""
    if op.b is None:
        return np.zeros(len(sums))
    node = made.get(op.b)
    scaled: Op | None = node.op if node is not None else None
    if isinstance(scaled, Constant):
        return np.asarray(scaled.data.array.astype(np.float64) / sums)
    integers = made.get(scaled.x) if isinstance(scaled, Dequantize) else None
    if isinstance(scaled, Dequantize) and integers is not None and isinstance(integers.op, Constant):
        return np.asarray(dequantised(scaled, integers.op.data.array) / sums)
    return None


def _differs(region: Region, what: str) -> None:
    raise VerificationError(f"{region.where}: {what}")
