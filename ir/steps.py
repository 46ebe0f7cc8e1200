"""Sums of float32 as a processor makes them: product by product, each rounded in float32.

Definitions sum in float64 and round once, in no order. What a kernel gives is a matter of order and of rounding: after
each product and each sum, or, by a fused multiply-add, once for both. numpy has no such operation. Here it is made of
float64, in which the product of two float32 is exact: the sum of that and of a float32 rounds to float64, and that to
float32. The two roundings are one unless the first gives a number half way between two float32 (then its error says
which is nearer: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
odd", IEEE Transactions on Computers 57, 2008).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.tensor import Array

Wide = NDArray[np.float64]

_BELOW = np.int64((1 << 29) - 1)
"""The bits of a float64 that a float32 with as large an exponent does not have."""
_HALF = np.int64(1 << 28)
"""What they are half way between two float32."""
_NORMAL = 2.0**-126
"""The least float32 that has all its bits."""
_BLOCK = 1 << 13
"""Sums that are computed at a time, so that all that is needed stays in a cache."""


class Sums:
    """float32 sums that grow by products.

    Args:
        start: what they begin with; its shape is theirs.
        fused: whether a product and the sum that it is added to are rounded once.
        small: whether products may be so small that float32 has not all bits of the sums.
    """

    def __init__(self, start: Array, fused: bool, small: bool = False) -> None:
        self._fused, self._small = fused, small
        self._total: Any = start.astype(np.float64 if fused else np.float32)
        self._product = np.empty_like(self._total)
        if fused:
            self._sum = np.empty_like(self._total)
            self._bits = np.empty(start.shape, np.int64)
            self._narrow = np.empty(start.shape, np.float32)
            self._doubtful = np.empty(start.shape, np.bool_)

    def add(self, x: Array, w: Array) -> None:
        """Adds products of float32 numbers, which `wide` has made ready."""
        np.multiply(x, w, out=self._product)
        if not self._fused:
            self._total += self._product
            return
        np.add(self._product, self._total, out=self._sum)
        np.copyto(self._narrow, self._sum, casting="same_kind")
        np.bitwise_and(self._sum.view(np.int64), _BELOW, out=self._bits)
        np.equal(self._bits, _HALF, out=self._doubtful)
        if self._small:
            self._doubtful |= np.abs(self._sum) < _NORMAL
        if self._doubtful.any():
            where = self._doubtful
            self._narrow[where] = _rounded(self._product[where], self._total[where], self._sum[where])
        np.copyto(self._total, self._narrow)

    def wide(self, array: Array) -> Array:
        """float32 numbers in the type that products are computed in."""
        return array.astype(self._total.dtype, copy=False)

    @property
    def total(self) -> Array:
        """The sums as they are now, float32."""
        return np.asarray(self._total, np.float32)


def multiply_add(x: Array, w: Array, total: Array) -> Array:
    """x * w + total of float32, rounded once."""
    shape = np.broadcast_shapes(x.shape, w.shape, total.shape)
    sums = Sums(np.broadcast_to(total, shape), fused=True, small=True)
    sums.add(sums.wide(x), sums.wide(w))
    return sums.total


def _rounded(product: Wide, total: Wide, rounded: Wide) -> Array:
    """The float32 nearest to product + total, which `rounded` is in float64: rounded to odd first, by its error."""
    behind = rounded - product
    error = (product - (rounded - behind)) + (total - behind)
    even = (rounded.view(np.int64) & 1) == 0
    inexact = np.isfinite(rounded) & np.isfinite(error) & (error != 0)
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where(inexact & even, np.nextafter(rounded, toward), rounded).astype(np.float32)


def may_be_small(x: Array, w: Array) -> bool:
    """Whether a product of two of these may be so small that a sum of such has not all bits of a float32."""
    return _least(x) * _least(w) < _NORMAL


def _least(array: Array) -> float:
    """The least magnitude in it that is not zero."""
    sizes = np.abs(array)
    return float(np.min(sizes, where=sizes > 0, initial=np.inf))


def sums_in_order(x: Array, w: Array, bias: Array | None, fused: bool) -> Array:
    """For each row of x [rows, n] and of w [outputs, n], the bias and then the products in order: [rows, outputs]."""
    outputs = w.shape[0]
    start = np.zeros(outputs, np.float32) if bias is None else bias
    small = fused and may_be_small(x, w)
    found = np.empty((x.shape[0], outputs), np.float32)
    step = max(1, _BLOCK // max(outputs, 1))
    kind = np.float64 if fused else np.float32
    weights = np.ascontiguousarray(w.T, kind)[:, np.newaxis, :]
    for row in range(0, x.shape[0], step):
        elements = np.ascontiguousarray(x[row : row + step].T, kind)[:, :, np.newaxis]
        sums = Sums(np.broadcast_to(start, (elements.shape[1], outputs)), fused, small)
        for element, weight in zip(elements, weights, strict=True):
            sums.add(element, weight)
        found[row : row + step] = sums.total
    return found


def limited(v: Array, low: float, high: float) -> Array:
    """As kernels limit: NaN stays, and what is not above `low` is `low`, whatever its sign if it is zero."""
    v = np.where(v <= low, np.float32(low), v) if low > -np.inf else v
    return np.where(v > high, np.float32(high), v) if high < np.inf else v
