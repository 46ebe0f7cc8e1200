"""Integer operators once more, in exact integer arithmetic written from their definitions (Jacob et al. 2018, gemmlowp,
TFLite's softmax). Nothing is shared with `ir/fixed_point.py` or with the operators' own `evaluate`: results that agree
agree because both mean the same.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyc.compiler.witness.fixed import Floats, Int64s, factor, half_away, half_up, requantised, twice, whole
from tinyc.compiler.witness.kinds import COMPUTING, GIVING, SUMMING
from tinyc.compiler.witness.normalised import normalised
from tinyc.compiler.witness.softmax import softmax
from tinyc.ir.concern import Concern
from tinyc.ir.op import Op
from tinyc.ir.ops import (
    Constant,
    Interpolate,
    InterpolateUneven,
    Lookup,
    MaxPool2d,
    QAdd,
    QAvgPool2d,
    QConv2d,
    QCumSum,
    QDense,
    QDepthwiseConv2d,
    QDiv,
    QMatMul,
    QMean,
    QMul,
    QNorm,
    QPRelu,
    QSoftmax,
    QSum,
    Requantise,
)
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.ops.layer import IntegerLayer
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

MULTIPLIER = 2.0**-29
"""Relative error of a multiplier of 31 bits (2^-31), or of the two that an operand of a sum goes through, and to
spare."""
OF_BYTE = 2.0**-22
"""The same of a layer's multiplier: scales chosen so that it is one byte are float32 numbers (2^-24 each)."""
BIAS = 1e-6
"""Relative error of a bias: its scale is a float32 that stands for the product of two (2^-24), and may be one from a
file that is off by some units in the last place."""


FINEST = 2.0**-16
"""Steps of the result for which a whole unit of the sum of two operands may stand: of whole factors, which are half a
unit off, two operands of 255 make an error of 2^-8 of a step."""
LEAST = 2.0**-32
"""Factors below this are zero: no multiplier and shift can say them. So much is a multiplier of shift 0 off at most."""


@dataclass(frozen=True)
class Result:
    """What an integer operator gives.

    Attributes:
        integers: the result.
        real: the same before it was rounded and limited, in steps of the result; None where that says nothing (tables,
            maxima).
        allowed: steps by which `real` may differ from its definition: what the rounding of constants explains.
        slack: steps by which rounding more than once moves the result beyond the half step of one rounding.
    """

    integers: Int64s
    real: Floats | None = None
    allowed: Floats | float = 0.0
    slack: float = 0.0


EXACT: Concern[Callable[..., Result]] = Concern(
    "exact integer arithmetic", "register it in compiler/witness/arithmetic.py (`EXACT`)"
)
"""By operator: its result on int8, given the operator and the arrays of its operands."""
EXACT.refuse("it gives elements of its operands", *GIVING)
EXACT.refuse("it computes numbers as they are, which definition.py does", *COMPUTING, *SUMMING)
EXACT.refuse("it has no operands", Constant)


def compute(op: Op, operands: Sequence[Array]) -> Result | None:
    """The result of an integer operator; None for an operator that does no integer arithmetic of its own."""
    exact = EXACT.find(type(op)) if op.type.dtype.is_integer else None
    return exact(op, *operands) if exact is not None else None


def computes(op: Op) -> bool:
    """Whether an operator computes on integers in a way of its own."""
    return EXACT.find(type(op)) is not None and op.type.dtype.is_integer


FAR = 256.0
"""Steps beyond which int8's limits hide what a result is: a channel all of whose results lie there may have another
bias."""


def far(dtype: DType) -> float:
    """The same of any type of integers."""
    return FAR if dtype.bytes == 1 else 2.0 * -dtype.limits[0]


def same_limit(begins: Sequence[Array], products: Array, result: DType = DType.I8) -> Array:
    """Whether the result has the same limit for all operands, whichever of some biases a channel has.

    Args:
        begins: what sums begin with, the operand's zero point folded in, in steps of the result, one a channel.
        products: how far the products of any operands move them either way, in the same steps.
        result: the type of the result.
    """
    hidden = far(result)
    sides = [(begin - products > hidden).astype(int) - (begin + products < -hidden) for begin in begins]
    return np.asarray(np.all([(side == sides[0]) & (side != 0) for side in sides], axis=0))


def _limited(values: Array, op: Any) -> Int64s:
    return np.asarray(np.minimum(np.maximum(values, op.min), op.max))


def taps(op: Spatial, x: Array, fill: int) -> Iterator[tuple[int, int, Array, NDArray[np.bool_]]]:
    """For each place of the window: the elements that it meets at every output, and whether they lie inside."""
    strides, dilations, pads = op.geometry()
    height, width = op.output_size()
    for ky in range(op.window()[0]):
        rows = np.arange(height) * strides[0] + ky * dilations[0] - pads[0]
        for kx in range(op.window()[1]):
            columns = np.arange(width) * strides[1] + kx * dilations[1] - pads[1]
            inside = ((rows >= 0) & (rows < x.shape[1]))[:, None] & ((columns >= 0) & (columns < x.shape[2]))
            met = x[:, np.clip(rows, 0, x.shape[1] - 1)][:, :, np.clip(columns, 0, x.shape[2] - 1)]
            yield ky, kx, np.where(inside[None, :, :, None], met, fill), inside


def layer(op: IntegerLayer, sums: Array, w: Array, vectors: Sequence[Array], zero: int) -> Result:
    """A result of sums of products; `zero` is the operand's zero point, whose part of the bias is none of its own."""
    b, multiplier, shift = (v.astype(np.int64) for v in vectors)
    total = sums.astype(np.int64) + b
    weights = op.by_output(w).astype(np.int64).sum(axis=1)
    scale = factor(multiplier, shift)
    real = total * scale
    # Half a unit of the sums is what the bias was rounded by, half a unit of itself the multiplier.
    allowed = 0.5 * (1 + BIAS) * scale + OF_BYTE * np.abs(real) + BIAS * np.abs(b + zero * weights) * scale
    allowed = allowed + np.ldexp(0.5, shift - 31) * np.abs(total)
    integers = _limited(requantised(total, multiplier, shift) + op.out_zero, op)
    return Result(integers, real + op.out_zero, allowed, float(twice(shift).max()))


@EXACT(QConv2d)
def _convolution(op: QConv2d, x: Array, w: Array, *vectors: Array) -> Result:
    outputs, inputs = w.shape[0] // op.groups, w.shape[3]
    sums = np.zeros(op.type.shape)
    for ky, kx, met, _ in taps(op, x, op.zero):
        for g in range(op.groups):
            own = slice(g * outputs, (g + 1) * outputs)
            # int8 products summed in float64 are exact below 2^53.
            taken = met[..., g * inputs : (g + 1) * inputs].astype(np.float64)
            sums[..., own] += np.tensordot(taken, w[own, ky, kx].astype(np.float64), ([3], [1]))
    return layer(op, sums, w, vectors, op.zero)


@EXACT(QDepthwiseConv2d)
def _depthwise(op: QDepthwiseConv2d, x: Array, w: Array, *vectors: Array) -> Result:
    channel = np.arange(w.shape[2]) // (w.shape[2] // x.shape[3])
    sums = np.zeros(op.type.shape, np.int64)
    for ky, kx, met, _ in taps(op, x, op.zero):
        sums += met[..., channel].astype(np.int64) * w[ky, kx].astype(np.int64)
    return layer(op, sums, w, vectors, op.zero)


@EXACT(QDense)
def _dense(op: QDense, x: Array, w: Array, *vectors: Array) -> Result:
    sums = np.tensordot(x.astype(np.float64), w.astype(np.float64), ([x.ndim - 1], [1]))
    return layer(op, sums, w, vectors, 0)


@EXACT(QAdd)
def _add(op: QAdd, x: Array, y: Array) -> Result:
    parts = [
        ((array.astype(np.int64) - zero) * 2**op.left, multiplier, shift)
        for array, zero, multiplier, shift in (
            (x, op.x_zero, op.x_multiplier, op.x_shift),
            (y, op.y_zero, op.y_multiplier, op.y_shift),
        )
    ]
    total = sum(requantised(*part) for part in parts)
    out = float(factor(op.out_multiplier, op.out_shift))
    reals = [values * factor(multiplier, shift) * out for values, multiplier, shift in parts]
    # Each operand is rounded to whole units by its shift, if it has one, or by the high multiply; by whole factors not.
    units = sum(0.0 if whole(m, shift, op.left) else 0.5 + float(twice(shift)) for _, m, shift in parts)
    halves = [np.abs(values) * 2.0**-op.left * half_unit(op, m, shift) for values, m, shift in parts]
    return Result(
        _limited(requantised(np.asarray(total), op.out_multiplier, op.out_shift) + op.out_zero, op),
        sum(reals) + np.asarray(float(op.out_zero)),
        MULTIPLIER * sum(np.abs(r) for r in reals) + sum(halves),
        units * out + float(twice(op.out_shift)),
    )


def half_unit(op: QAdd, multiplier: int, shift: int) -> float:
    """Steps of the result by which a whole factor of an operand is off at most, for each step of it: half of what the
    last bit that its multiplier keeps stands for. A multiplier of 31 bits is held to those (`MULTIPLIER`)."""
    unit = float(factor(op.out_multiplier, op.out_shift))
    return unit / 2 if whole(multiplier, shift, op.left) and unit <= FINEST else 0.0


@EXACT(QMul)
def _multiply(op: QMul, x: Array, y: Array) -> Result:
    other = y if y.shape == x.shape else y.reshape(-1)
    product = (x.astype(np.int64) - op.x_zero) * (other.astype(np.int64) - op.y_zero)
    return _scaled(op, product)


@EXACT(QDiv)
def _divide(op: QDiv, x: Array, y: Array) -> Result:
    by = (y if y.shape == x.shape else y.reshape(-1)).astype(np.int64) - op.y_zero
    number, zero = x.astype(np.int64) - op.x_zero, by == 0
    divisor = np.where(zero, 1, by)
    # Cut off towards 0: what is left over has the sign of the dividend.
    cut = (number * op.factor - np.fmod(number * op.factor, divisor)) // divisor
    steps = np.where(zero, 2 * -op.to.limits[0] * np.sign(number), half_up(cut, 2**op.places) + op.out_zero)
    real = np.where(zero, np.nan, number * op.factor / divisor / 2.0**op.places + op.out_zero)
    allowed = 0.5 * np.abs(number / divisor) * 2.0**-op.places
    return Result(_limited(steps, op), real, allowed, 2.0**-op.places)


@EXACT(QMatMul)
def _matrix_product(op: QMatMul, x: Array, y: Array) -> Result:
    return _scaled(op, np.matmul(x.astype(np.int64) - op.x_zero, y.astype(np.int64) - op.y_zero))


@EXACT(QMean)
def _mean(op: QMean, x: Array) -> Result:
    return _scaled(op, (x.astype(np.int64) - op.zero).sum(axis=(1, 2), keepdims=True))


@EXACT(QSum)
def _total(op: QSum, x: Array) -> Result:
    return _scaled(op, (x.astype(np.int64) - op.zero).sum(axis=op.axes, keepdims=True))


@EXACT(QCumSum)
def _running(op: QCumSum, x: Array) -> Result:
    """Each sum is a product with ones and zeros."""
    taken = np.tri(x.shape[op.axis], k=-1 if op.exclusive else 0, dtype=np.int64)
    sums = np.moveaxis(x.astype(np.int64) - op.zero, op.axis, -1) @ (taken if op.reverse else taken.T)
    return _scaled(op, np.moveaxis(sums, -1, op.axis))


def _scaled(op: QMul | QMatMul | QMean | QSum | QCumSum | QPRelu | Requantise, total: Array) -> Result:
    integers = _limited(requantised(total, op.multiplier, op.shift) + op.out_zero, op)
    real = total * factor(op.multiplier, op.shift)
    # Half a unit of itself, too, is what a multiplier of shift 0 is rounded by.
    allowed = MULTIPLIER * np.abs(real) + np.ldexp(0.5, op.shift - 31) * np.abs(total)
    return Result(integers, real + op.out_zero, allowed, float(twice(op.shift)))


@EXACT(QNorm)
def _normalised(op: QNorm, x: Array, g: Array, b: Array) -> Result:
    n, zeroed = op.count(), x.astype(np.int64) - op.zero
    mean = zeroed.sum(axis=op.axes, keepdims=True) * int(op.centred)
    differences = n * zeroed - mean
    long, log = DType.I16 in (op.x.dtype, op.to), math.ceil(math.log2(n))
    finest = 12 if op.x.dtype is DType.I8 else min(12, 30 - 2 * log)
    squares = n * (zeroed * zeroed).sum(axis=op.axes, keepdims=True) - mean * mean
    variance = squares * 2**finest + op.epsilon
    t = normalised(differences, variance, n, finest, long)
    real = differences / np.sqrt(np.maximum(variance, 1) / 2.0**finest)
    places, dropped = 2.0 ** ((23 if long else 15) - math.ceil(log / 2)), 512 if long else 1
    unit = float(factor(op.multiplier, op.shift))
    wide, offsets = g.astype(np.int64), b.astype(np.int64)
    integers = _limited(requantised(t * wide // dropped + offsets, op.multiplier, op.shift) + op.out_zero, op)
    sums = real * places * wide / dropped + offsets
    # The reciprocal has 16 or 31 bits, epsilon is a whole number, normalised numbers and their constants are rounded to
    # one, products of int16 cut off.
    least = np.maximum(variance, 2.0**finest)
    error = (2.0 ** (-28 if long else -15) + 0.5 / least) * np.abs(real) * places + 1.0
    halves = (error * np.abs(wide) + np.abs(real) * places * 0.5) / dropped + (1.5 if long else 0.5)
    allowed = halves * unit + MULTIPLIER * np.abs(sums) * unit
    return Result(integers, sums * unit + op.out_zero, allowed, float(twice(op.shift)))


@EXACT(QPRelu)
def _rectified(op: QPRelu, x: Array, below: Array) -> Result:
    differences = x.astype(np.int64) - op.zero
    found = _scaled(op, differences * np.where(differences < 0, below.astype(np.int64), op.above))
    # Half a unit of a factor is what it was rounded by.
    halves = 0.5 * np.abs(differences) * factor(op.multiplier, op.shift)
    return dataclasses.replace(found, allowed=found.allowed + halves)


@EXACT(QAvgPool2d)
def _average(op: QAvgPool2d, x: Array) -> Result:
    total, count = np.zeros(op.type.shape, np.int64), np.zeros(op.type.shape, np.int64)
    for _, _, met, inside in taps(op, x, 0):
        total += met.astype(np.int64)
        count += inside[None, :, :, None]
    return Result(_limited(half_away(total, count), op), total / count)


@EXACT(MaxPool2d)
def _maximum(op: MaxPool2d, x: Array) -> Result:
    largest = np.full(op.type.shape, np.iinfo(np.int64).min)
    for _, _, met, inside in taps(op, x.astype(np.int64), 0):
        largest = np.where(inside[None, :, :, None], np.maximum(largest, met), largest)
    return Result(largest)


@EXACT(Lookup)
def _lookup(op: Lookup, x: Array, table: Array) -> Result:
    return Result(np.asarray([int(v) for v in table], np.int64)[x.astype(np.int64) + 128])


@EXACT(Interpolate)
def _interpolated(op: Interpolate, x: Array, table: Array) -> Result:
    entries = np.asarray([int(v) for v in table], np.int64)
    width = 2**16 // (len(entries) - 1)
    at, rest = np.divmod(x.astype(np.int64) + 2**15, width)
    return Result(entries[at] + half_up((entries[at + 1] - entries[at]) * rest, width))


@EXACT(InterpolateUneven)
def _uneven(op: InterpolateUneven, x: Array, table: Array, first: Array) -> Result:
    entries, begins = (np.asarray([int(v) for v in array], np.int64) for array in (table, first))
    cell, within = np.divmod(x.astype(np.int64) + 2**15, 256)
    at, rest = np.divmod(256 * begins[cell] + within * np.diff(begins)[cell], 256)
    return Result(entries[at] + half_up((entries[at + 1] - entries[at]) * rest, 256))


@EXACT(Requantise)
def _other_scale(op: Requantise, x: Array) -> Result:
    """A step to spare for the zero point: the operator may stand for any straight line, which has one between two steps
    (tables.py compares all that it gives)."""
    return Result(_scaled(op, x.astype(np.int64) - op.zero).integers, slack=1.0 + float(twice(op.shift)))


@EXACT(QSoftmax)
def _softmax(op: QSoftmax, x: Array) -> Result:
    # A sum in Q12.19 rounds each exponential: of n entries, n / 2^20 of a sum of at least 1, times 256 steps. The rest
    # is the polynomial's 4e-7 and Q2.29, times 256 steps, far below 1/64.
    # Of int16 results 2^15 steps.
    finer = 1 if op.to is DType.I8 else 128
    integers = softmax(x, op.multiplier, op.left, op.diff_min, op.to is DType.I16)
    return Result(integers, slack=finer * (1 / 64 + x.shape[-1] * 2.0**-12))
