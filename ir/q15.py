"""Fixed-point arithmetic of recurrent layers on integers: what their gates compute, in Q16.15.

Every number is an integer that stands for itself / 2^15, limited to +-2^30. A product or a sum of two products is
rounded once, half up. tanh is a table from 0 to 8, linear in between: in steps of 2^-5 it is off by 1.3e-4 at most, in
the steps of 2^-6 for hidden states of 16 bits by 5e-5.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from tinyc.ir.fixed_point import Int64s
from tinyc.ir.gates import Gate

PLACES = 15
ONE = 1 << PLACES
LIMIT = 1 << 30
COARSE, FINE = PLACES - 5, PLACES - 6
"""Binary places of a step of the table of tanh, in units of 2^-15."""
END = 8 << PLACES
"""Where the table of tanh ends."""


@cache
def knots(step: int) -> Int64s:
    """tanh from 0 to `END`, as int16 has it, in steps of so many binary places."""
    real = np.tanh(np.arange((END >> step) + 1) * 2.0 ** (step - PLACES))
    return np.asarray(np.minimum(np.rint(real * ONE), ONE - 1).astype(np.int64))


def limited(x: Int64s) -> Int64s:
    """Numbers within the limits."""
    return np.clip(x, -LIMIT, LIMIT)


def rounded(products: Int64s) -> Int64s:
    """What products, or sums of two, are."""
    return limited((products + (ONE >> 1)) >> PLACES)


def fixed(number: float) -> int:
    """A real number of at most 2^15."""
    return int(np.clip(np.rint(number * ONE), -LIMIT, LIMIT))


def tanh(z: Int64s, step: int = COARSE) -> Int64s:
    """tanh by the table in steps of so many binary places."""
    table, size = knots(step), np.minimum(np.abs(z), END - 1)
    at, rest = size >> step, size & ((1 << step) - 1)
    value = table[at] + (((table[at + 1] - table[at]) * rest + (1 << (step - 1))) >> step)
    return np.asarray(np.where(z < 0, -value, value))


def sigmoid(z: Int64s, step: int = COARSE) -> Int64s:
    """(1 + tanh(z / 2)) / 2, both halves rounded down."""
    return np.asarray((ONE + tanh(z >> 1, step)) >> 1)


def active(function: Gate, z: Int64s, a: int, b: int, step: int = COARSE) -> Int64s:
    """An activation with its parameters, by a table in steps of so many binary places."""
    if function is Gate.SIGMOID:
        return sigmoid(z, step)
    if function is Gate.TANH:
        return tanh(z, step)
    if function is Gate.RELU:
        return np.maximum(z, 0)
    if function is Gate.SOFTSIGN:
        size = np.abs(z)
        return np.asarray(np.sign(z) * ((size << PLACES) // (ONE + size)))
    if function is Gate.LEAKY_RELU:
        return np.where(z < 0, rounded(z * a), z)
    if function is Gate.SCALED_TANH:
        return rounded(tanh(rounded(z * b), step) * a)
    line = limited(rounded(z * a) + b)
    return np.clip(line, 0, ONE) if function is Gate.HARD_SIGMOID else line
