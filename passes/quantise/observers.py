"""Observers: from the numbers that a tensor takes on calibration data to the range that int8 shall represent.

An observer sees one array after another and keeps a bounded summary. Observers that clip keep a histogram whose bins
are as wide as a power of two and start at multiples of it: when a number falls outside, neighbouring bins are merged
until it fits. Merging is exact, so the histogram does not depend on the order in which data comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.tensor import Array
from tinyc.passes.quantise.ranges import LOW, STEPS, parameters

BINS = 4096
"""Most bins of a histogram; more than half of them are in use."""
FINEST = -140
"""The finest bin is 2^-140 wide: float32 has nothing below 2^-149."""
CANDIDATES = 64
"""Limits that a search tries on each side, evenly spaced from the extreme down to one of these parts of it."""


class Observer(Protocol):
    """Sees the arrays of one tensor, all finite, and answers with a range that contains 0."""

    def see(self, array: Array) -> None:
        """Takes in the numbers of one sample."""

    def range(self) -> tuple[float, float]:
        """The range to represent."""


class MinMax:
    """The smallest and the largest number seen: nothing is clipped."""

    def __init__(self) -> None:
        self.low, self.high = 0.0, 0.0

    def see(self, array: Array) -> None:
        if array.size:
            self.low = min(self.low, float(array.min()))
            self.high = max(self.high, float(array.max()))

    def range(self) -> tuple[float, float]:
        return self.low, self.high


class MovingAverage:
    """The mean over samples of their smallest and largest numbers, in which old samples fade.

    The weight of a new sample is 1/n, and at least `fade` (0.01, as PyTorch's MovingAverageMinMaxObserver): a mean at
    first, an exponential average in the long run, so that the first sample has no more say than the others.
    """

    def __init__(self, fade: float = 0.01) -> None:
        self._fade, self._count = fade, 0
        self._low = self._high = 0.0

    def see(self, array: Array) -> None:
        if array.size:
            self._count += 1
            weight = max(1 / self._count, self._fade)
            self._low += weight * (min(float(array.min()), 0.0) - self._low)
            self._high += weight * (max(float(array.max()), 0.0) - self._high)

    def range(self) -> tuple[float, float]:
        return self._low, self._high


class Histogram:
    """Base of observers that clip. Its bins span what was seen and 0.

    Zeros are counted apart: int8 represents them exactly, whatever the range.
    """

    def __init__(self) -> None:
        self.low = self.high = 0.0
        self.zeros = 0
        self.counts: NDArray[np.int64] = np.zeros(1, np.int64)
        """Numbers other than zero in each bin."""
        self._power = FINEST
        self._first = 0

    def see(self, array: Array) -> None:
        numbers = array.reshape(-1).astype(np.float64)
        numbers = numbers[numbers != 0]
        self.zeros += array.size - numbers.size
        if not numbers.size:
            return
        self.low, self.high = min(self.low, float(numbers.min())), max(self.high, float(numbers.max()))
        self._fit()
        places = np.floor(numbers * 2.0**-self._power).astype(np.int64) - self._first
        self.counts += np.bincount(places, minlength=len(self.counts))

    def _fit(self) -> None:
        """Merges bins to the least width with which low..high takes at most `BINS`, and adds those that are missing."""
        power = max(self._power, math.frexp((self.high - self.low) / BINS)[1] - 1)
        while math.floor(self.high * 2.0**-power) - math.floor(self.low * 2.0**-power) >= BINS:
            power += 1
        first, last = math.floor(self.low * 2.0**-power), math.floor(self.high * 2.0**-power)
        counts = np.zeros(last - first + 1, np.int64)
        used = np.flatnonzero(self.counts)
        np.add.at(counts, ((self._first + used) >> (power - self._power)) - first, self.counts[used])
        self._power, self._first, self.counts = power, first, counts

    def edges(self) -> NDArray[np.float64]:
        """Where bins begin; the last one's end is appended."""
        return np.asarray((self._first + np.arange(len(self.counts) + 1)) * 2.0**self._power)

    def bin(self, number: float) -> int:
        """Which bin a number from low to high is in."""
        return math.floor(number * 2.0**-self._power) - self._first

    def centres(self) -> NDArray[np.float64]:
        """The middles of the bins, limited to the numbers seen."""
        edges = self.edges()
        return np.asarray(np.clip((edges[:-1] + edges[1:]) / 2, self.low, self.high))


class Percentile(Histogram):
    """The range that leaves out a part of the numbers, half of it on each side (as onnxruntime's percentile).

    Args:
        kept: percent of all numbers, zeros included, inside the range.
    """

    def __init__(self, kept: float = 99.999) -> None:
        super().__init__()
        self._cut = (1.0 - kept / 100.0) / 2.0

    def range(self) -> tuple[float, float]:
        total = int(self.counts.sum()) + self.zeros
        allowed = self._cut * total
        edges = self.edges()
        low = self._limit(edges, self.counts, allowed) if self.low < 0 else 0.0
        high = -self._limit(-edges[::-1], self.counts[::-1], allowed) if self.high > 0 else 0.0
        return min(max(low, self.low), 0.0), max(min(high, self.high), 0.0)

    @staticmethod
    def _limit(edges: NDArray[np.float64], counts: NDArray[np.int64], allowed: float) -> float:
        """Below which number `allowed` of the numbers lie; inside a bin they are taken to be spread evenly."""
        summed = np.cumsum(counts)
        at = int(np.searchsorted(summed, allowed, side="right"))
        if at >= len(counts):
            return 0.0
        before = float(summed[at - 1]) if at else 0.0
        return float(edges[at] + (edges[at + 1] - edges[at]) * (allowed - before) / float(counts[at]))


class MeanSquare(Histogram):
    """The range with the least mean squared error of rounding and clipping together.

    Limits are searched on one side at a time, until neither side improves.
    """

    def range(self) -> tuple[float, float]:
        used = self.counts > 0
        centres, counts = self.centres()[used], self.counts[used].astype(np.float64)
        low, high = self.low, self.high
        best = _error(centres, counts, low, high)
        improved = True
        while improved:
            improved = False
            for side in (0, 1):
                for limit in _parts((self.low, self.high)[side]):
                    tried = (limit, high) if side == 0 else (low, limit)
                    error = _error(centres, counts, *tried)
                    if error < best:
                        (low, high), best, improved = tried, error, True
        return low, high


def _parts(extreme: float) -> Iterator[float]:
    """Limits to try: parts of the extreme, the whole first."""
    if extreme:
        for part in range(CANDIDATES, 0, -1):
            yield extreme * part / CANDIDATES


def _error(centres: NDArray[np.float64], counts: NDArray[np.float64], low: float, high: float) -> float:
    """The sum of squared errors of int8 that represents low..high."""
    chosen = parameters(low, high)
    q = np.clip(np.round(centres / chosen.scale) + chosen.zero, LOW, LOW + STEPS)
    return float(counts @ (centres - chosen.scale * (q - chosen.zero)) ** 2)


class Entropy(Histogram):
    """The range whose int8 distribution tells least from the float one (Kullback-Leibler divergence).

    As TensorRT (Migacz, "8-bit inference with TensorRT", GTC 2017) and onnxruntime (`get_entropy_threshold`): for each
    threshold t, the numbers beyond -t..t are added to the outermost bins (P); the bins are grouped into as many levels
    as int8 has, and each group's count is spread evenly over its bins that hold anything (Q). The range is -t..t for
    the t of least KL(P|Q), cut to the numbers seen; a tensor that has one sign uses all levels for it.

    Unlike there, at most `CLIPPED` of the numbers may lie outside. The divergence blames coarse levels for any group
    with uneven bins: where one number is frequent (what an even background gives), it prefers fine levels for a sliver.
    """

    CLIPPED = 1e-3

    def range(self) -> tuple[float, float]:
        total = int(self.counts.sum())
        extreme = max(-self.low, self.high)
        best, chosen = math.inf, (self.low, self.high)
        for part in range(CANDIDATES * 2, 0, -1):
            limit = extreme * part / (CANDIDATES * 2)
            low, high = max(self.low, -limit), min(self.high, limit)
            first, last = self.bin(low), self.bin(high)
            inside = int(self.counts[first : last + 1].sum())
            if last - first < STEPS or total - inside > self.CLIPPED * total:
                break
            divergence = _divergence(self.counts, first, last)
            if divergence < best:
                best, chosen = divergence, (low, high)
        return chosen


def _divergence(counts: NDArray[np.int64], first: int, last: int) -> float:
    """KL(P|Q) for the bins first..last as P, outliers on the outermost bins, and Q its int8 image."""
    inside = counts[first : last + 1].astype(np.float64)
    p = inside.copy()
    p[0] += counts[:first].sum()
    p[-1] += counts[last + 1 :].sum()
    group = np.arange(len(inside)) * (STEPS + 1) // len(inside)
    occupied = (inside > 0).astype(np.float64)
    summed = np.bincount(group, weights=inside, minlength=STEPS + 1)
    holders = np.bincount(group, weights=occupied, minlength=STEPS + 1)
    q = occupied * (summed / np.maximum(holders, 1.0))[group]
    if not q.sum():
        return math.inf
    p, q = p / p.sum(), q / q.sum()
    # Bins that only outliers fill have q = 0: as onnxruntime, a small probability stands for none.
    q = np.maximum(q, 1e-4 / len(q))
    there = p > 0
    return float((p[there] * np.log(p[there] / q[there])).sum())


OBSERVERS: Mapping[str, Callable[[], Observer]] = {
    "min-max": MinMax,
    "moving-average": MovingAverage,
    "percentile": Percentile,
    "mse": MeanSquare,
    "entropy": Entropy,
}
