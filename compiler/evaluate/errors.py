"""How far the outputs of two networks are apart, added up over inferences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.tensor import Array
from tinyc.passes.quantise.report import decibels


@dataclass(frozen=True)
class OutputNoise:
    """How far an output is from that of the model, over all inferences.

    Attributes:
        name: the ONNX output.
        signal: the sum of its squares.
        noise: the sum of squared differences.
        largest: the largest difference of an element.
    """

    name: str
    signal: float
    noise: float
    largest: float

    @property
    def sqnr(self) -> float:
        """Signal-to-noise ratio in dB; infinite when all are equal."""
        return decibels(self.signal, self.noise)


class Difference:
    """The sums that make an `OutputNoise`. NaN equals NaN; what is infinite in one only is an infinite difference."""

    def __init__(self) -> None:
        self.signal = self.noise = self.largest = 0.0

    def add(self, expected: Array, found: Array) -> None:
        """Takes one inference's array of each. They have the same number of elements."""
        meant, own = (a.astype(np.float64).reshape(-1) for a in (expected, found))
        with np.errstate(all="ignore"):
            apart = np.abs(np.where((meant == own) | (np.isnan(meant) & np.isnan(own)), 0.0, own - meant))
        apart[np.isnan(apart)] = np.inf
        self.signal += float(np.square(meant[np.isfinite(meant)]).sum())
        self.noise += float(np.square(apart).sum())
        self.largest = max(self.largest, float(apart.max(initial=0.0)))

    def of(self, name: str) -> OutputNoise:
        """What came of it."""
        return OutputNoise(name, self.signal, self.noise, self.largest)
