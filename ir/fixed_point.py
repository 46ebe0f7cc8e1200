"""Fixed-point arithmetic of integer inference, bit for bit as TFLite Micro and ESP-NN do it.

A real factor is a 32-bit multiplier and a power of two: factor = multiplier * 2^(shift - 31), as TFLite has it with a
multiplier in [2^30, 2^31), or with a shift of 0 where that is as good (`plain_multipliers`). Applying it rounds twice:
a doubling high multiply, whose ties go up, then a right shift, whose ties go away from zero (Jacob et al. 2018,
"Quantization and training of neural networks for efficient integer-arithmetic-only inference", section 2.2; the exact
form is gemmlowp's).

"Qm.n" is a 32-bit integer that stands for itself / 2^n, of m integer bits.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.errors import IRError
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

Int64s = NDArray[np.int64]
INT32 = (-(2**31), 2**31 - 1)


def to_multiplier(factor: float) -> tuple[int, int]:
    """The multiplier and shift (-31 to 30) nearest to a factor >= 0. A factor below 2^-32 becomes zero.

    Raises:
        IRError: the factor is negative, not finite, or too large (2^30 and above).
    """
    if not 0.0 <= factor < 2.0**30:
        raise IRError(f"a scale factor of {factor} is out of range (0 to 2^30)")
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    if shift > 30:
        return INT32[1], 30
    return (0, 0) if shift < -31 else (multiplier, shift)


def plain_multipliers(factors: Array, bounds: Array) -> Int64s | None:
    """Multipliers of shift 0 nearest to factors >= 0, for integers of at most `bounds`; None where they are not good
    enough, or not below 2^31.

    A result is then rounded once, and its error is that of a multiplier, half a unit of 2^-31, times the integer: at
    most 2^-8 of a step for integers up to 2^24. Four times such an integer still fits int32, and so does four times a
    multiplier below 2^29: a 32-bit high multiply by one of them is all that a processor needs.
    """
    largest = float(np.max(bounds, initial=0))
    if not (np.all(np.isfinite(factors)) and np.all(factors >= 0)) or largest > 2.0**24:
        return None
    multipliers = np.floor(np.minimum(factors, 1.0) * 2.0**31 + 0.5)
    return multipliers.astype(np.int64) if np.all(multipliers < 2**31) else None


BYTE = 255
"""The largest multiplier that one byte holds."""
MOST_PLACES = 23
"""Places of such multipliers, at most: half a step and a zero point of int8 in units of 2^-places then fit int32."""
FLOAT_ERROR = 2.0**-22
"""Relative error of a factor that is a quotient of products of three float32 numbers, and to spare."""


def byte_places(largest: float) -> int:
    """With how many binary places factors of at most `largest` are at most `BYTE` in units of 2^-places."""
    return MOST_PLACES if largest <= 0 else min(MOST_PLACES, math.floor(math.log2(BYTE / largest)))


def byte_multipliers(factors: Array) -> Int64s | None:
    """Multipliers of shift 0 for factors that stand for whole numbers of one byte times 2^-places, as far as float32
    numbers can; None where they do not. `2^(31 - places)` divides them, so that a sum needs a product of 32 bits only.
    """
    largest = float(np.max(factors, initial=0.0))
    if not (np.all(np.isfinite(factors)) and np.all(factors >= 0)) or not 0 < largest < 1 - FLOAT_ERROR:
        return None
    places = byte_places(largest * (1 - FLOAT_ERROR))
    units = factors * 2.0**places
    whole = np.rint(units)
    if np.any(np.abs(units - whole) > FLOAT_ERROR * units) or np.any(whole > BYTE):
        return None
    return np.asarray(whole.astype(np.int64) << (31 - places))


LEAST_PLACES = 16
"""Binary places that the factors of a sum have at least: two operands of 255 steps, each with a factor that is half a
unit off, are off by 2^-8 of a step."""
SUM_LEFT = 22
"""Bits by which the operands of a sum with whole factors are shifted left before they are scaled. Factors are below
2^22."""


def whole_factors(x: float, y: float) -> tuple[int, int, int] | None:
    """(a, b, places) such that a * 2^-places and b * 2^-places are nearest to two factors >= 0 of a sum, with as many
    places as there is room for; None where there is none for `LEAST_PLACES`.

    An int8 sum, each operand less its zero point, is then (x * a + y * b) * 2^-places, rounded once. There is room in
    int32 for it, with a zero point and the half that rounds it (`sums_fit`).
    """
    if not (0.0 <= x < math.inf and 0.0 <= y < math.inf):
        return None
    for places in range(23, LEAST_PLACES - 1, -1):
        a, b = (math.floor(min(factor, 2.0**31) * 2.0**places + 0.5) for factor in (x, y))
        if max(a, b) < 2**SUM_LEFT and sums_fit(a, b, places):
            return a, b, places
    return None


def sums_fit(a: int, b: int, places: int) -> bool:
    """Whether int32 holds a * x + b * y, each operand at most 255, with an int8 zero point and the half of a step that
    rounds it, both in units of 2^-places."""
    return 255 * (a + b) + 128 * (1 << places) + (1 << places >> 1) <= INT32[1]


def whole_factor(multiplier: int, shift: int, left: int) -> int | None:
    """The whole number by which `requantise` multiplies what was shifted left by `left`, None where it rounds."""
    unit = 1 << (31 - left)
    return multiplier // unit if shift == 0 and multiplier % unit == 0 else None


def high_multiply(x: Array, multiplier: Array | int) -> Int64s:
    """x * multiplier / 2^31, rounded to the nearest, ties up; of int32 x saturated to int32.

    Larger x, of up to 2^62, are taken in two parts, x = a * 2^31 + b, of which the first gives whole numbers.
    """
    wide, factor = x.astype(np.int64), np.asarray(multiplier, np.int64)
    if wide.size and (wide.max() > INT32[1] or wide.min() < INT32[0]):
        return np.asarray((wide >> 31) * factor + (((wide & INT32[1]) * factor + (1 << 30)) >> 31))
    return np.asarray(np.minimum((wide * factor + (1 << 30)) >> 31, INT32[1]))


def rounding_shift(x: Array, right: Array | int) -> Int64s:
    """x / 2^right, rounded to the nearest, ties away from zero."""
    wide = x.astype(np.int64)
    places = np.asarray(right, np.int64)
    mask = (np.int64(1) << places) - 1
    threshold = (mask >> 1) + (wide < 0)
    return (wide >> places) + ((wide & mask) > threshold)


def requantise(x: Array, multiplier: Array | int, shift: Array | int) -> Int64s:
    """x * multiplier * 2^(shift - 31) with both roundings. x shifted left by a positive shift must fit int32, or for
    results of 16 bits `WIDE_SUM`."""
    places = np.asarray(shift, np.int64)
    shifted = x.astype(np.int64) << np.maximum(places, 0)
    return rounding_shift(high_multiply(shifted, multiplier), np.maximum(-places, 0))


def accumulator_bound(weights: Array, bias: Array, axis: int = 0, operand: DType = DType.I8) -> Int64s:
    """The largest possible size of any partial sum of x * weight and bias, over all x of the element type `operand`,
    int8 or int16, and every order of adding.

    One bound an entry of dimension `axis` of the weights (the output channels).
    """
    low, high = operand.limits
    wide = np.moveaxis(weights.astype(np.int64), axis, 0).reshape(weights.shape[axis], -1)
    above = np.where(wide > 0, high * wide, low * wide).sum(axis=1)
    below = np.where(wide > 0, -low * wide, -high * wide).sum(axis=1)
    offset = bias.astype(np.int64)
    return np.asarray(np.maximum(np.maximum(above, below), np.maximum(above + offset, below - offset)))


HIDDEN = 272
"""Steps from 0 beyond which int8's limits hide what a result is, and to spare; of int16 256 times as many."""


def seen_biases(
    rows: Array, factors: Array, zero: int, margin: float = 0.0, operand: DType = DType.I8, result: DType = DType.I8
) -> tuple[Array, Array]:
    """The least and the greatest bias of each output channel, [outputs] in units of its sums, that can be told from
    others: with one beyond, all operands give the same limit.

    Args:
        rows: integer weights [outputs, products of a sum].
        factors: what sums are multiplied with to be steps of the result.
        zero: the result's zero point.
        margin: steps by which the biases are to lie within.
        operand: the element type of the operands.
        result: that of the result.
    """
    products = -float(operand.limits[0]) * np.abs(rows.astype(np.float64)).sum(axis=1)
    hidden = HIDDEN * (result.limits[0] // DType.I8.limits[0])
    with np.errstate(divide="ignore"):
        low, high = ((end - zero) / factors for end in (margin - hidden, hidden - margin))
    return np.floor(low - products), np.ceil(high + products)


WIDE_SUM = 2**46
"""What sums that int16 has a part in may be, shifted left: 2^15 products of 31 bits. They are requantised in int64
where they do not fit int32."""


def fits(bound: Array | int, shift: Array | int, wide: bool = False) -> bool:
    """Whether sums of at most `bound` can be requantised with `shift` in int32: shifted left, and moved by an int8 zero
    point afterwards, they never overflow. With `wide`, whether they can in int64."""
    places = np.maximum(np.asarray(shift, np.int64), 0)
    return bool(np.all(np.asarray(bound, np.int64) <= (WIDE_SUM if wide else INT32[1] - 128) >> places))


def fits_words(bound: Array | int, shift: Array | int) -> bool:
    """Whether sums of at most `bound` can be requantised with `shift` to int16 in int32."""
    places = np.maximum(np.asarray(shift, np.int64), 0)
    return bool(np.all(np.asarray(bound, np.int64) <= (INT32[1] - 2**16) >> places))


def inverse_root(x: Array) -> tuple[Int64s, Int64s]:
    """The reciprocal of a square root, in 16 bits: (r, k) of whole numbers x of int64, 0 or more.

    With m = x * 4^-k rounded down, and k such that m has 31 or 32 bits, r is the largest number of 16 bits whose square
    times m is at most 2^62: 1 / sqrt(x) is r * 2^(-31 - k), and at most 2^-15 of it more. 0 is taken as 1.
    """
    wide = np.maximum(x.astype(np.int64), 1)
    halves = np.zeros_like(wide)
    while (large := wide >= 2**32).any():
        wide, halves = np.where(large, wide >> 2, wide), halves + large
    while (small := wide < 2**30).any():
        wide, halves = np.where(small, wide << 2, wide), halves - small
    root = np.zeros_like(wide)
    for bit in reversed(range(16)):
        tried = root | 1 << bit
        squares = (tried * tried).astype(np.uint64) * wide.astype(np.uint64)
        root = np.where(squares <= np.uint64(2**62), tried, root)
    return root, halves


def fine_inverse_root(x: Array) -> tuple[Int64s, Int64s]:
    """The same in 31 bits: 1 / sqrt(x) is r * 2^(-46 - k), but for less than 2^-28 of it. 0 is taken as 1.

    One step of Newton's from that of 16 bits, R: with e = (2^62 - R^2 * m) * 2^-32 rounded down, r is
    R * 2^15 + R * e * 2^-16, rounded down.
    """
    root, halves = inverse_root(x)
    wide = np.maximum(x.astype(np.int64), 1)
    scaled = (wide >> np.maximum(2 * halves, 0)) << np.maximum(-2 * halves, 0)
    missing = (np.int64(2**62) - root * root * scaled) >> 32
    return (root << 15) + (root * missing >> 16), halves


SOFTMAX_LARGEST = 4095
"""Entries that the int32 sum of exponentials (Q12.19) of a softmax can hold."""


def softmax_scaling(scale: float) -> tuple[int, int, int]:
    """(multiplier, left, diff_min) of a softmax over int8 values of this scale, as TFLite prepares them (beta 1).

    difference * 2^left * multiplier / 2^31 is difference * scale in Q5.26; from diff_min on that stays above -32.

    Raises:
        IRError: the scale is not positive and finite.
    """
    if not 0.0 < scale < math.inf:
        raise IRError(f"a scale is positive and finite, not {scale}")
    factor = min(scale * 2.0**26, 2.0**31 - 1.0)
    fraction, left = math.frexp(factor)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, left = 2**30, left + 1
    if left < 0:
        multiplier, left = multiplier >> -left, 0
    return multiplier, left, -math.floor(31 * 2.0 ** (26 - left))


def softmax(x: Array, multiplier: int, left: int, diff_min: int, to: DType = DType.I8) -> Array:
    """Softmax along the last dimension; int8 results have scale 1/256 and zero point -128, int16 ones 1/32768 and 0.

    Differences to the maximum become Q5.26 by (multiplier, left), those below diff_min count for nothing. Exponentials
    are Q0.31, their sum Q12.19.
    """
    difference = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    counts = difference >= diff_min
    scaled = high_multiply(np.where(counts, difference, 0) << left, multiplier)
    raised = np.where(counts, exp_of_negative(scaled), 0)
    total = rounding_shift(raised, 12).sum(axis=-1, keepdims=True)
    # frexp's exponent is the number of bits of a positive integer.
    headroom = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    scale = one_over_one_plus((total << headroom) - 2**31)
    # Steps of the result in Q0.31 are 2^23, or 2^16.
    places, zero = (35, to.limits[0]) if to is DType.I8 else (28, 0)
    shifted = rounding_shift(high_multiply(raised, scale), places - headroom)
    return np.where(counts, np.minimum(shifted + zero, to.limits[1]), zero).astype(to.numpy)


def exp_of_negative(x: Array) -> Int64s:
    """exp(x) in Q0.31 of x <= 0 in Q5.26.

    x is a multiple of -1/4 and a rest in [-1/4, 0). The rest's exponential is a Taylor polynomial of degree 4 around
    -1/8; each bit of the multiple then multiplies by exp(-2^k), k = -2 .. 4.
    """
    x = x.astype(np.int64)
    quarter = 1 << 24
    rest = (x & (quarter - 1)) - quarter
    # Q0.31, from the middle of the interval.
    t = (rest << 5) + (1 << 28)
    t2 = high_multiply(t, t)
    t3, t4 = high_multiply(t2, t), high_multiply(t2, t2)
    cubic = high_multiply(rounding_shift(t4, 2) + t3, _q31(1 / 3))
    polynomial = t + rounding_shift(cubic + t2, 1)
    middle = _q31(math.exp(-1 / 8))
    result = middle + high_multiply(polynomial, middle)
    multiple = rest - x
    for k in range(-2, 5):
        factor = _q31(math.exp(-(2.0**k)))
        result = np.where(multiple & (1 << (26 + k)), high_multiply(result, factor), result)
    return np.where(x == 0, INT32[1], result)


def one_over_one_plus(x: Array) -> Int64s:
    """1 / (1 + x) in Q0.31 of x in [0, 1) in Q0.31.

    Newton-Raphson division: three steps on d = (1 + x) / 2 from the best linear guess 48/17 - 32/17 * d, in Q2.29.
    """
    total = x.astype(np.int64) + INT32[1]
    half = (total + 1) >> 1
    guess = round(48 / 17 * 2**29) + high_multiply(half, round(-32 / 17 * 2**29))
    for _ in range(3):
        error = (1 << 29) - high_multiply(half, guess)
        guess = guess + _shift_left(high_multiply(guess, error), 2)
    # The inverse of d is twice what is wanted: Q2.29 read as Q1.30.
    return _shift_left(guess, 1)


def _q31(real: float) -> int:
    """A real number below 1 in Q0.31."""
    return round(real * 2**31)


def _shift_left(x: Int64s, places: int) -> Int64s:
    """x * 2^places, saturated to int32."""
    return np.asarray(np.clip(x << places, *INT32))
