"""How far the outputs of two networks are apart, added up over inferences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir.tensor import Array


@dataclass(frozen=True)
class OutputError:
    """How far an output is from that of the model.

    Attributes:
        name: the ONNX output.
        sqnr: signal-to-noise ratio in dB over all inferences; infinite when all are equal.
        largest: the largest difference of an element.
    """

    name: str
    sqnr: float
    largest: float


class Difference:
    """The sums that make an `OutputError`. NaN equals NaN; what is infinite in one only is an infinite difference."""

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

    def error(self, name: str) -> OutputError:
        """What came of it."""
        if self.noise == 0.0:
            return OutputError(name, math.inf, self.largest)
        ratio = self.signal / self.noise
        return OutputError(name, 10 * math.log10(ratio) if ratio > 0.0 else -math.inf, self.largest)
