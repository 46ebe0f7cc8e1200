"""Integer operators once more, one Python integer at a time, each rounding written as an exact quotient.

Nothing is shared with `tinyc.ir`: what agrees here agrees because both mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from tinyc.ir import DType, Op
from tinyc.ir import ops as o
from tinyc.ir.tensor import Array


def half_up(numerator: int, denominator: int) -> int:
    """The nearest integer, ties up."""
    return (2 * numerator + denominator) // (2 * denominator)


def half_away(numerator: int, denominator: int) -> int:
    """The nearest integer, ties away from zero."""
    return half_up(numerator, denominator) if numerator >= 0 else -half_up(-numerator, denominator)


def high(x: int, multiplier: int) -> int:
    found = half_up(x * multiplier, 2**31)
    return min(found, 2**31 - 1) if -(2**31) <= x < 2**31 else found


def requantise(x: int, multiplier: int, shift: int) -> int:
    return half_away(high(x * 2 ** max(shift, 0), multiplier), 2 ** max(-shift, 0))


def limit(x: int, low: int, high: int) -> int:
    return max(low, min(high, x))


Indices = tuple[int, ...]


def places(op: o.QConvolution | o.QAvgPool2d, y: int, x: int) -> Iterator[tuple[int, int, int, int]]:
    """(ky, kx, row, column) of the window at output (y, x); rows and columns may lie outside."""
    kh, kw = op.window()
    for ky, kx in product(range(kh), range(kw)):
        row = y * op.strides[0] + ky * op.dilations[0] - op.pads[0]
        yield ky, kx, row, x * op.strides[1] + kx * op.dilations[1] - op.pads[1]


def at(x: Array, n: int, row: int, column: int, channel: int, outside: int) -> int:
    inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    return int(x[n, row, column, channel]) if inside else outside


def conv(op: o.QConv2d, index: Indices, x: Array, w: Array, b: Array, multiplier: Array, shift: Array) -> int:
    n, oy, ox, oc = index
    inputs = w.shape[3]
    first = oc // (w.shape[0] // op.groups) * inputs
    total = int(b[oc])
    for ky, kx, row, column in places(op, oy, ox):
        for c in range(inputs):
            total += at(x, n, row, column, first + c, op.zero) * int(w[oc, ky, kx, c])
    return limit(requantise(total, int(multiplier[oc]), int(shift[oc])) + op.out_zero, op.min, op.max)


def depthwise(
    op: o.QDepthwiseConv2d, index: Indices, x: Array, w: Array, b: Array, multiplier: Array, shift: Array
) -> int:
    n, oy, ox, oc = index
    channel = oc // (w.shape[2] // x.shape[3])
    total = int(b[oc])
    for ky, kx, row, column in places(op, oy, ox):
        total += at(x, n, row, column, channel, op.zero) * int(w[ky, kx, oc])
    return limit(requantise(total, int(multiplier[oc]), int(shift[oc])) + op.out_zero, op.min, op.max)


def dense(op: o.QDense, index: Indices, x: Array, w: Array, b: Array, multiplier: Array, shift: Array) -> int:
    k = index[-1]
    total = int(b[k]) + sum(int(p) * int(q) for p, q in zip(x[index[:-1]], w[k], strict=True))
    return limit(requantise(total, int(multiplier[k]), int(shift[k])) + op.out_zero, op.min, op.max)


def add(op: o.QAdd, index: Indices, x: Array, y: Array) -> int:
    p = requantise((int(x[index]) - op.x_zero) * 2**op.left, op.x_multiplier, op.x_shift)
    q = requantise((int(y[index]) - op.y_zero) * 2**op.left, op.y_multiplier, op.y_shift)
    return limit(requantise(p + q, op.out_multiplier, op.out_shift) + op.out_zero, op.min, op.max)


def matmul(op: o.QMatMul, index: Indices, x: Array, y: Array) -> int:
    *lead, r, c = index
    rows = x[tuple(_own(lead, x))][r]
    columns = y[tuple(_own(lead, y))][:, c]
    total = sum((int(p) - op.x_zero) * (int(q) - op.y_zero) for p, q in zip(rows, columns, strict=True))
    return limit(requantise(total, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


def _own(lead: Sequence[int], x: Array) -> Iterator[int]:
    """The leading part of an index as it is in an operand that is broadcast."""
    shape = x.shape[:-2]
    for n, size in zip(lead[len(lead) - len(shape) :], shape, strict=True):
        yield n if size > 1 else 0


def mul(op: o.QMul, index: Indices, x: Array, y: Array) -> int:
    other = y[index] if y.shape == x.shape else y.reshape(-1)[index[-1]]
    total = (int(x[index]) - op.x_zero) * (int(other) - op.y_zero)
    return limit(requantise(total, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


def avg_pool(op: o.QAvgPool2d, index: Indices, x: Array) -> int:
    n, oy, ox, c = index
    found = [
        int(x[n, row, column, c])
        for _, _, row, column in places(op, oy, ox)
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    ]
    return limit(half_away(sum(found), len(found)), op.min, op.max)


def total(op: o.QSum, index: Indices, x: Array) -> int:
    part = x[tuple(slice(None) if d in op.axes else slice(n, n + 1) for d, n in enumerate(index))]
    summed = sum(int(v) - op.zero for v in part.reshape(-1))
    return limit(requantise(summed, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


def running_total(op: o.QCumSum, index: Indices, x: Array) -> int:
    place, count = index[op.axis], x.shape[op.axis]
    first, stop = (place, count) if op.reverse else (0, place + 1)
    if op.exclusive:
        first, stop = (first + 1, stop) if op.reverse else (first, stop - 1)
    line = x[tuple(slice(first, stop) if d == op.axis else n for d, n in enumerate(index))]
    summed = sum(int(v) - op.zero for v in line)
    return limit(requantise(summed, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


def norm(op: o.QNorm, index: Indices, x: Array, g: Array, b: Array) -> int:
    group = x[tuple(slice(None) if d in op.axes else slice(n, n + 1) for d, n in enumerate(index))].reshape(-1)
    values, count = [int(v) - op.zero for v in group], len(group)
    mean = sum(values) if op.centred else 0
    long = DType.I16 in (op.x.dtype, op.to)
    log = next(p for p in range(16) if 2**p >= count)
    finest = 12 if op.x.dtype is DType.I8 else min(12, 30 - 2 * log)
    variance = max((count * sum(v * v for v in values) - mean * mean) * 2**finest + op.epsilon, 1)
    k = (variance.bit_length() - 31) // 2
    m = variance >> 2 * k if k >= 0 else variance << -2 * k
    root = max(r for r in _near(2**31 / m**0.5) if r * r * m <= 2**62)
    fraction = (23 if long else 15) - (log + 1) // 2
    difference = count * (int(x[index]) - op.zero) - mean
    if long:
        root = root * 2**15 + root * ((2**62 - root * root * m) // 2**32) // 2**16
        high, right = difference * root, max(k + 46 - finest // 2 - fraction, 1)
    else:
        left = 31 - (255 * count).bit_length()
        high, right = difference * 2**left * root * 2**15 // 2**32, max(k + left + 8 - fraction, 1)
    at = tuple(0 if size == 1 else n for n, size in zip(index, g.shape, strict=True))
    total = (high + 2 ** (right - 1)) // 2**right * int(g[at]) // (512 if long else 1) + int(b[at])
    return limit(requantise(total, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


def _near(root: float) -> list[int]:
    """Numbers of 16 bits around one."""
    return [r for r in range(int(root) - 2, int(root) + 3) if r < 2**16]


def prelu(op: o.QPRelu, index: Indices, x: Array, below: Array) -> int:
    difference = int(x[index]) - op.zero
    product = difference * (int(below[index[-1]]) if difference < 0 else op.above)
    return limit(requantise(product, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


def div(op: o.QDiv, index: Indices, x: Array, y: Array) -> int:
    number = int(x[index]) - op.x_zero
    by = int(y[index] if x.shape == y.shape else y.reshape(-1)[index[-1]]) - op.y_zero
    if by == 0:
        return op.max if number > 0 else op.min if number < 0 else limit(0, op.min, op.max)
    size = abs(number) * op.factor // abs(by)
    return limit(half_up(size if number * by >= 0 else -size, 2**op.places) + op.out_zero, op.min, op.max)


def mean(op: o.QMean, index: Indices, x: Array) -> int:
    total = sum(int(v) - op.zero for v in x[index[0], :, :, index[3]].reshape(-1))
    return limit(requantise(total, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


def lookup(op: o.Lookup, index: Indices, x: Array, table: Array) -> int:
    return int(table[int(x[index]) + 128])


def interpolate(op: o.Interpolate, index: Indices, x: Array, table: Array) -> int:
    width = 2**16 // (len(table) - 1)
    k, rest = divmod(int(x[index]) + 2**15, width)
    return int(table[k]) + half_up((int(table[k + 1]) - int(table[k])) * rest, width)


def uneven(op: o.InterpolateUneven, index: Indices, x: Array, table: Array, first: Array) -> int:
    cell, within = divmod(int(x[index]) + 2**15, 256)
    k, rest = divmod(within * (int(first[cell + 1]) - int(first[cell])), 256)
    low, high = (int(v) for v in table[first[cell] + k : first[cell] + k + 2])
    return low + half_up((high - low) * rest, 256)


def other_scale(op: o.Requantise, index: Indices, x: Array) -> int:
    return limit(requantise(int(x[index]) - op.zero, op.multiplier, op.shift) + op.out_zero, op.min, op.max)


# exp(-2^k), k = -2 .. 4, in Q0.31.
HALVINGS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def exponential(x: int) -> int:
    """exp of x <= 0 in Q5.26, in Q0.31."""
    if x == 0:
        return 2**31 - 1
    # x = -quarters / 4 + rest, the rest in [-1/4, 0).
    quarters = -(x // 2**24) - 1
    rest = x + quarters * 2**24
    t = rest * 32 + 2**28
    t2 = high(t, t)
    cubic = high(half_away(high(t2, t2), 4) + high(t2, t), 715827883)
    result = 1895147668 + high(1895147668, t + half_away(cubic + t2, 2))
    for k, factor in enumerate(HALVINGS):
        if quarters >> k & 1:
            result = high(result, factor)
    return result


def inverse(x: int) -> int:
    """1 / (1 + x) of x in Q0.31, in Q0.31."""
    half = (x + 2**31) // 2
    guess = 1515870810 + high(half, -1010580540)
    for _ in range(3):
        step = high(guess, 2**29 - high(half, guess)) * 4
        guess += limit(step, -(2**31), 2**31 - 1)
    return limit(guess * 2, -(2**31), 2**31 - 1)


def softmax(op: o.QSoftmax, index: Indices, x: Array) -> int:
    row = [int(v) for v in x[index[:-1]]]
    differences = [v - max(row) for v in row]
    raised = [exponential(high(d * 2**op.left, op.multiplier)) if d >= op.diff_min else None for d in differences]
    total = sum(half_away(e, 2**12) for e in raised if e is not None)
    headroom = 32 - total.bit_length()
    mine = raised[index[-1]]
    # Of results of 2^n steps for 1.
    places, zero, most = (35, -128, 127) if op.to is DType.I8 else (28, 0, 2**15 - 1)
    if mine is None:
        return zero
    return min(half_away(high(inverse(total * 2**headroom - 2**31), mine), 2 ** (places - headroom)) + zero, most)


ELEMENT: dict[type[Op], Callable[..., int]] = {
    o.QConv2d: conv,
    o.QDepthwiseConv2d: depthwise,
    o.QDense: dense,
    o.QAdd: add,
    o.QMul: mul,
    o.QDiv: div,
    o.QNorm: norm,
    o.QPRelu: prelu,
    o.QMatMul: matmul,
    o.QAvgPool2d: avg_pool,
    o.QMean: mean,
    o.QSum: total,
    o.QCumSum: running_total,
    o.Lookup: lookup,
    o.Interpolate: interpolate,
    o.InterpolateUneven: uneven,
    o.Requantise: other_scale,
    o.QSoftmax: softmax,
}
"""What one element of an operator's result is, given the operator, the element's index and the operands."""


def evaluate(op: Op, arrays: Sequence[Array]) -> Array:
    element = ELEMENT[type(op)]
    result: Array = np.empty(op.type.shape, op.type.dtype.numpy)
    for index in np.ndindex(*op.type.shape):
        result[index] = element(op, index, *arrays)
    return result
