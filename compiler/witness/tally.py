"""What is summed up of a layer's noise over samples, and how it compares with what was predicted."""

from __future__ import annotations

import numpy as np

from tinyc.ir.tensor import Array

ONE_ROUNDING = 1 / 12
"""The variance of a rounding, in squared steps."""


class _Spread:
    """The variance of numbers around the mean of their channel (the last dimension)."""

    def __init__(self) -> None:
        self.count = 0
        self._sum: Array | float = 0.0
        self._squares: Array | float = 0.0

    def see(self, array: Array) -> None:
        """Takes in numbers."""
        flat = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
        self.count += len(flat)
        self._sum = self._sum + flat.sum(axis=0)
        self._squares = self._squares + (flat**2).sum(axis=0)

    def square(self) -> Array:
        """The mean of squares of each channel."""
        return np.asarray(self._squares) / self.count

    def variance(self) -> Array:
        """Of each channel."""
        mean = np.asarray(self._sum) / self.count
        return np.maximum(self.square() - mean**2, 0.0) * self.count / max(self.count - 1, 1)


class Tally:
    """What is summed up of one value: actual and injected noise, what is cut off, elements, and how many of them that
    is."""

    def __init__(self) -> None:
        self.actual, self.moved, self.cut = _Spread(), _Spread(), _Spread()
        self.clipped = self.elements = 0

    def beyond(self) -> tuple[int, float]:
        """How many channels there are, and the mean over them of dB of actual over predicted noise."""
        if self.actual.count < 2:
            return 1, 0.0
        actual = np.maximum(self.actual.variance(), ONE_ROUNDING)
        predicted = ONE_ROUNDING + self.cut.square() + self.moved.variance()
        return actual.size, float(10 * np.log10(actual / predicted).mean())
