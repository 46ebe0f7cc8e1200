"""The integer normalisation once more, one Python integer at a time: of the reciprocal of the root's definition."""

from __future__ import annotations

import math

import numpy as np

from tinyc.compiler.witness.fixed import Int64s
from tinyc.ir.tensor import Array


def _reciprocal(x: int) -> tuple[int, int]:
    """(r, k): m = x // 4^k has 31 or 32 bits, and r is the largest number with r^2 * m <= 2^62, of at most 16 bits."""
    bits = max(x, 1).bit_length()
    k = (bits - 31) // 2
    m = max(x, 1) >> 2 * k if k >= 0 else max(x, 1) << -2 * k
    return min(math.isqrt(2**62 // m), 2**16 - 1), k


def normalised(differences: Array, variances: Array, n: int) -> Int64s:
    """Differences of n elements to their mean, n times as large, over the root of their variances in units of 2^-12:
    with as many binary places as numbers of up to sqrt(n) have in 15 bits."""
    left = 31 - (255 * n).bit_length()
    places = 15 - math.ceil(math.log2(n) / 2)
    found = [_reciprocal(int(v)) for v in variances.reshape(-1)]
    roots = np.asarray([r * 2**15 for r, _ in found], np.int64).reshape(variances.shape)
    shifts = np.asarray([max(k + left + 8 - places, 1) for _, k in found], np.int64).reshape(variances.shape)
    high = differences * 2**left * roots // 2**32
    return np.asarray((high + 2 ** (shifts - 1)) // 2**shifts)
