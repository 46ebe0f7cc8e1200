"""Integer operators once more, in exact integer arithmetic written from their definitions (Jacob et al. 2018, gemmlowp,
TFLite's softmax). Nothing is shared with `ir/fixed_point.py` or with the operators' own `evaluate`: results that agree
agree because both mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.op import Op
from tinyc.ir.ops import Lookup, MaxPool2d, QAdd, QAvgPool2d, QConv2d, QDense, QDepthwiseConv2d, QMean, QMul, QSoftmax
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.tensor import Array

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


MULTIPLIER = 2.0**-29
"""Relative error of a multiplier of 31 bits (2^-31), or of the two that an operand of a sum goes through, and to
spare."""
BIAS = 1e-6
"""Relative error of a bias: its scale is a float32 that stands for the product of two (2^-24), and may be one from a
file that is off by some units in the last place."""


LEAST = 2.0**-32
"""Factors below this are zero: no multiplier and shift can say them."""


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


def compute(op: Op, operands: Sequence[Array]) -> Result | None:
    """The result of an integer operator; None for an operator that does no integer arithmetic of its own."""
    return OPERATORS[type(op)](op, *operands) if computes(op) else None


def computes(op: Op) -> bool:
    """Whether an operator computes on integers in a way of its own."""
    return type(op) in OPERATORS and op.type.dtype.is_integer


def half_up(numerator: Array, denominator: Array | int) -> Int64s:
    """The nearest whole numbers, ties up."""
    return np.asarray((2 * numerator + denominator) // (2 * np.asarray(denominator, np.int64)))


def half_away(numerator: Array, denominator: Array | int) -> Int64s:
    """The nearest whole numbers, ties away from zero."""
    return np.asarray(np.sign(numerator) * half_up(np.abs(numerator), denominator))


def high(x: Array, multiplier: Array | int) -> Int64s:
    """x * multiplier / 2^31, ties up, at most 2^31 - 1."""
    product = np.asarray(x, np.int64) * np.asarray(multiplier, np.int64)
    # Twice the product does not fit int64: the quotient is taken by halves.
    return np.asarray(np.minimum((product + 2**30) // 2**31, 2**31 - 1))


def requantised(x: Array, multiplier: Array | int, shift: Array | int) -> Int64s:
    """x * multiplier * 2^(shift - 31), rounded by the high multiply and once more by the shift to the right."""
    places = np.asarray(shift, np.int64)
    left, right = 2 ** np.maximum(places, 0), 2 ** np.maximum(-places, 0)
    return half_away(high(np.asarray(x, np.int64) * left, multiplier), right)


def factor(multiplier: Array | int, shift: Array | int) -> Floats:
    """The real number that a multiplier and shift stand for."""
    return np.asarray(np.ldexp(np.asarray(multiplier, np.float64), np.asarray(shift, np.int64) - 31))


def twice(shift: Array | int) -> Floats:
    """Steps by which the high multiply's rounding moves a result beyond the half step of the shift's: half a unit of
    what is shifted to the right. Without such a shift there is one rounding."""
    places = np.asarray(shift, np.int64)
    return np.asarray(np.where(places < 0, 0.5 * 2.0 ** np.minimum(places, 0), 0.0))


def _limited(values: Array, op: Any) -> Int64s:
    return np.asarray(np.minimum(np.maximum(values, op.min), op.max))


def _taps(op: Spatial, x: Array, fill: int) -> Iterator[tuple[int, int, Array, NDArray[np.bool_]]]:
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


def _layer(
    op: QConv2d | QDepthwiseConv2d | QDense, sums: Array, w: Array, vectors: Sequence[Array], zero: int
) -> Result:
    """A result of sums of products; `zero` is the operand's zero point, whose part of the bias is none of its own."""
    b, multiplier, shift = (v.astype(np.int64) for v in vectors)
    total = sums.astype(np.int64) + b
    axis = 2 if isinstance(op, QDepthwiseConv2d) else 0
    weights = np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1).astype(np.int64).sum(axis=1)
    scale = factor(multiplier, shift)
    real = total * scale
    # Half a unit of the sums is what the bias was rounded by.
    allowed = 0.5 * (1 + BIAS) * scale + MULTIPLIER * np.abs(real) + BIAS * np.abs(b + zero * weights) * scale
    allowed = allowed + np.where(multiplier == 0, LEAST * np.abs(total), 0.0)
    integers = _limited(requantised(total, multiplier, shift) + op.out_zero, op)
    return Result(integers, real + op.out_zero, allowed, float(twice(shift).max()))


def _convolution(op: QConv2d, x: Array, w: Array, *vectors: Array) -> Result:
    outputs, inputs = w.shape[0] // op.groups, w.shape[3]
    sums = np.zeros(op.type.shape)
    for ky, kx, met, _ in _taps(op, x, op.zero):
        for g in range(op.groups):
            own = slice(g * outputs, (g + 1) * outputs)
            # int8 products summed in float64 are exact below 2^53.
            taken = met[..., g * inputs : (g + 1) * inputs].astype(np.float64)
            sums[..., own] += np.tensordot(taken, w[own, ky, kx].astype(np.float64), ([3], [1]))
    return _layer(op, sums, w, vectors, op.zero)


def _depthwise(op: QDepthwiseConv2d, x: Array, w: Array, *vectors: Array) -> Result:
    channel = np.arange(w.shape[2]) // (w.shape[2] // x.shape[3])
    sums = np.zeros(op.type.shape, np.int64)
    for ky, kx, met, _ in _taps(op, x, op.zero):
        sums += met[..., channel].astype(np.int64) * w[ky, kx].astype(np.int64)
    return _layer(op, sums, w, vectors, op.zero)


def _dense(op: QDense, x: Array, w: Array, *vectors: Array) -> Result:
    sums = np.tensordot(x.astype(np.float64), w.astype(np.float64), ([x.ndim - 1], [1]))
    return _layer(op, sums, w, vectors, 0)


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
    # Each operand is rounded to whole units by its shift, if it has one, or by the high multiply.
    units = sum(0.5 + float(twice(shift)) for _, _, shift in parts)
    return Result(
        _limited(requantised(np.asarray(total), op.out_multiplier, op.out_shift) + op.out_zero, op),
        sum(reals) + np.asarray(float(op.out_zero)),
        MULTIPLIER * sum(np.abs(r) for r in reals),
        units * out + float(twice(op.out_shift)),
    )


def _multiply(op: QMul, x: Array, y: Array) -> Result:
    other = y if y.shape == x.shape else y.reshape(-1)
    product = (x.astype(np.int64) - op.x_zero) * (other.astype(np.int64) - op.y_zero)
    return _scaled(op, product)


def _mean(op: QMean, x: Array) -> Result:
    return _scaled(op, (x.astype(np.int64) - op.zero).sum(axis=(1, 2), keepdims=True))


def _scaled(op: QMul | QMean, total: Array) -> Result:
    integers = _limited(requantised(total, op.multiplier, op.shift) + op.out_zero, op)
    real = total * factor(op.multiplier, op.shift)
    return Result(integers, real + op.out_zero, MULTIPLIER * np.abs(real), float(twice(op.shift)))


def _average(op: QAvgPool2d, x: Array) -> Result:
    total, count = np.zeros(op.type.shape, np.int64), np.zeros(op.type.shape, np.int64)
    for _, _, met, inside in _taps(op, x, 0):
        total += met.astype(np.int64)
        count += inside[None, :, :, None]
    return Result(_limited(half_away(total, count), op), total / count)


def _maximum(op: MaxPool2d, x: Array) -> Result:
    largest = np.full(op.type.shape, np.iinfo(np.int64).min)
    for _, _, met, inside in _taps(op, x.astype(np.int64), 0):
        largest = np.where(inside[None, :, :, None], np.maximum(largest, met), largest)
    return Result(largest)


def _lookup(op: Lookup, x: Array, table: Array) -> Result:
    return Result(np.asarray([int(v) for v in table], np.int64)[x.astype(np.int64) + 128])


_HALVINGS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-2^k), k = -2 .. 4, in Q0.31."""


def _exponential(x: Int64s) -> Int64s:
    """exp of x <= 0 in Q5.26, in Q0.31: a polynomial of degree 4 around -1/8, times exp(-2^k) for each bit beyond."""
    quarters = -(x // 2**24) - 1
    t = (x + quarters * 2**24) * 32 + 2**28
    t2 = high(t, t)
    cubic = high(half_away(high(t2, t2), 4) + high(t2, t), 715827883)  # 1/3
    result = 1895147668 + high(t + half_away(cubic + t2, 2), 1895147668)  # exp(-1/8)
    for k, halving in enumerate(_HALVINGS):
        result = np.where(quarters >> k & 1, high(result, halving), result)
    return np.asarray(np.where(x == 0, 2**31 - 1, result))


def _inverse(x: Int64s) -> Int64s:
    """1 / (1 + x) of x in [0, 1) in Q0.31, in Q0.31: three of Newton's steps from 48/17 - 32/17 of half of 1 + x."""
    half = (x + 2**31) // 2
    guess = 1515870810 + high(half, -1010580540)
    for _ in range(3):
        guess = guess + np.clip(high(guess, 2**29 - high(half, guess)) * 4, -(2**31), 2**31 - 1)
    return np.asarray(np.clip(guess * 2, -(2**31), 2**31 - 1))


def _softmax(op: QSoftmax, x: Array) -> Result:
    wide = x.astype(np.int64)
    difference = wide - wide.max(axis=-1, keepdims=True)
    counts = difference >= op.diff_min
    raised = _exponential(high(np.where(counts, difference, 0) * 2**op.left, op.multiplier))
    raised = np.where(counts, raised, 0)
    total = half_away(raised, 2**12).sum(axis=-1, keepdims=True)
    headroom = 32 - np.asarray([int(v).bit_length() for v in total.reshape(-1)], np.int64).reshape(total.shape)
    product = high(raised, _inverse(total * 2**headroom - 2**31))
    integers = np.where(counts, np.minimum(half_away(product, 2 ** (35 - headroom)) - 128, 127), -128)
    # A sum in Q12.19 rounds each exponential: of n entries, n / 2^20 of a sum of at least 1, times 256 steps. The rest
    # is the polynomial's 4e-7 and Q2.29, times 256 steps, far below 1/64.
    return Result(integers, slack=1 / 64 + x.shape[-1] * 2.0**-12)


OPERATORS: dict[type[Op], Callable[..., Result]] = {
    Lookup: _lookup,
    MaxPool2d: _maximum,
    QAdd: _add,
    QAvgPool2d: _average,
    QConv2d: _convolution,
    QDense: _dense,
    QDepthwiseConv2d: _depthwise,
    QMean: _mean,
    QMul: _multiply,
    QSoftmax: _softmax,
}
"""The operators that compute on integers, and how."""
