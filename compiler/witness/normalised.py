"""The integer normalisation once more, one Python integer at a time: of the reciprocal of the root's definition."""

from __future__ import annotations

import math

import numpy as np

from tinyc.compiler.witness.fixed import Int64s
from tinyc.ir.tensor import Array


def _reciprocal(x: int, fine: bool) -> tuple[int, int]:
    """(r, k): m = x // 4^k has 31 or 32 bits, and r is the largest number with r^2 * m <= 2^62, of at most 16 bits;
    times 2^15, and half what is missing to 2^62 added in its own proportion if `fine`."""
    bits = max(x, 1).bit_length()
    k = (bits - 31) // 2
    m = max(x, 1) >> 2 * k if k >= 0 else max(x, 1) << -2 * k
    r = min(math.isqrt(2**62 // m), 2**16 - 1)
    return r * 2**15 + (r * ((2**62 - r * r * m) // 2**32) // 2**16 if fine else 0), k


def normalised(differences: Array, variances: Array, n: int, finest: int, long: bool) -> Int64s:
    """Differences of n elements to their mean, n times as large, over the root of their variances in units of
    2^-finest: with as many binary places as numbers of up to sqrt(n) have in 15 bits, or if `long` in 23."""
    found = [_reciprocal(int(v), long) for v in variances.reshape(-1)]
    roots = np.asarray([r for r, _ in found], np.int64).reshape(variances.shape)
    halves = np.asarray([k for _, k in found], np.int64).reshape(variances.shape)
    half_log = math.ceil(math.log2(n) / 2)
    if long:
        # Everything that a root of 46 places and a product have in front of the point is kept.
        products, shifts = differences * roots, halves + 46 - finest // 2 - (23 - half_log)
    else:
        left = 31 - (255 * n).bit_length()
        products = differences * 2**left * roots // 2**32
        shifts = halves + left + 14 - finest // 2 - (15 - half_log)
    ones = 2 ** np.maximum(shifts, 1)
    return np.asarray((products + ones // 2) // ones)
