"""Fixed-point numbers from their definitions (Jacob et al. 2018, gemmlowp): whole numbers, rounded as they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.tensor import Array

Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]


def half_up(numerator: Array, denominator: Array | int) -> Int64s:
    """The nearest whole numbers, ties up."""
    return np.asarray((2 * numerator + denominator) // (2 * np.asarray(denominator, np.int64)))


def half_away(numerator: Array, denominator: Array | int) -> Int64s:
    """The nearest whole numbers, ties away from zero."""
    return np.asarray(np.sign(numerator) * half_up(np.abs(numerator), denominator))


def high(x: Array, multiplier: Array | int) -> Int64s:
    """x * multiplier / 2^31, ties up, at most 2^31 - 1."""
    wide, factor = np.asarray(x, np.int64), np.asarray(multiplier, np.int64)
    if wide.size and np.abs(wide).max() > 2**31:
        # Products of sums beyond int32 may not fit int64.
        exact = (wide.astype(object) * factor.astype(object) + 2**30) // 2**31
        return np.asarray(exact).astype(np.int64)
    # Twice the product does not fit int64: the quotient is taken by halves.
    return np.asarray(np.minimum((wide * factor + 2**30) // 2**31, 2**31 - 1))


def requantised(x: Array, multiplier: Array | int, shift: Array | int) -> Int64s:
    """x * multiplier * 2^(shift - 31), rounded by the high multiply and once more by the shift to the right."""
    places = np.asarray(shift, np.int64)
    left, right = 2 ** np.maximum(places, 0), 2 ** np.maximum(-places, 0)
    return half_away(high(np.asarray(x, np.int64) * left, multiplier), right)


def factor(multiplier: Array | int, shift: Array | int) -> Floats:
    """The real number that a multiplier and shift stand for."""
    return np.asarray(np.ldexp(np.asarray(multiplier, np.float64), np.asarray(shift, np.int64) - 31))


def whole(multiplier: int, shift: int, left: int) -> bool:
    """Whether whole numbers times 2^left are multiplied by a whole number, so that nothing is rounded."""
    return shift == 0 and multiplier * 2**left % 2**31 == 0


def twice(shift: Array | int) -> Floats:
    """Steps by which the high multiply's rounding moves a result beyond the half step of the shift's: half a unit of
    what is shifted to the right. Without such a shift there is one rounding."""
    places = np.asarray(shift, np.int64)
    return np.asarray(np.where(places < 0, 0.5 * 2.0 ** np.minimum(places, 0), 0.0))
