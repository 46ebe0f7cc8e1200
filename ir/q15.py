"""Fixed-point arithmetic of recurrent layers on integers: what their gates compute, in Q16.15.

Every number is an integer that stands for itself / 2^15, limited to +-2^30. A product or a sum of two products is
rounded once, half up. tanh is a table in steps of 2^-5 from 0 to 8, linear in between: off by 1.3e-4 at most.
"""

from __future__ import annotations

import numpy as np

from tinyc.ir.fixed_point import Int64s
from tinyc.ir.gates import Gate

PLACES = 15
ONE = 1 << PLACES
LIMIT = 1 << 30
KNOTS = 256
"""Steps of the table of tanh."""
STEP = 3 + PLACES - 8
"""Binary places of a step, in units of 2^-15: 8 is 2^3 * 2^15 of them, in 2^8 steps."""

TANH: Int64s = np.minimum(np.rint(np.tanh(np.arange(KNOTS + 1) / 32) * ONE), ONE - 1).astype(np.int64)
"""tanh from 0 on, as int16 has it."""


def limited(x: Int64s) -> Int64s:
    """Numbers within the limits."""
    return np.clip(x, -LIMIT, LIMIT)


def rounded(products: Int64s) -> Int64s:
    """What products, or sums of two, are."""
    return limited((products + (ONE >> 1)) >> PLACES)


def fixed(number: float) -> int:
    """A real number of at most 2^15."""
    return int(np.clip(np.rint(number * ONE), -LIMIT, LIMIT))


def tanh(z: Int64s) -> Int64s:
    """tanh by table."""
    size = np.minimum(np.abs(z), (KNOTS << STEP) - 1)
    at, rest = size >> STEP, size & ((1 << STEP) - 1)
    value = TANH[at] + (((TANH[at + 1] - TANH[at]) * rest + (1 << (STEP - 1))) >> STEP)
    return np.asarray(np.where(z < 0, -value, value))


def sigmoid(z: Int64s) -> Int64s:
    """(1 + tanh(z / 2)) / 2, both halves rounded down."""
    return np.asarray((ONE + tanh(z >> 1)) >> 1)


def active(function: Gate, z: Int64s, a: int, b: int) -> Int64s:
    """An activation with its parameters."""
    if function is Gate.SIGMOID:
        return sigmoid(z)
    if function is Gate.TANH:
        return tanh(z)
    if function is Gate.RELU:
        return np.maximum(z, 0)
    if function is Gate.SOFTSIGN:
        size = np.abs(z)
        return np.asarray(np.sign(z) * ((size << PLACES) // (ONE + size)))
    if function is Gate.LEAKY_RELU:
        return np.where(z < 0, rounded(z * a), z)
    if function is Gate.SCALED_TANH:
        return rounded(tanh(rounded(z * b)) * a)
    line = limited(rounded(z * a) + b)
    return np.clip(line, 0, ONE) if function is Gate.HARD_SIGMOID else line
