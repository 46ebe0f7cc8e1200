"""What kernels with the vector instructions of the ESP32-S3 take: weights in vectors, and tables for results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.backends.c.calls import Literal
from tinyc.ir.tensor import Array

VECTOR = 16
"""Elements of a vector, and output channels of a block."""
MOST = 7
"""Vectors of a pixel that registers hold at once."""
BY_VECTORS = 4
"""The form of results that are made by vectors; others are those of `narrow_i8.h`."""
_RAISED = 0x40008000

# Instructions, as counted: of 16 output channels; of a pixel that is added to these; of a chunk of a channel; of a
# result by itself, and of eight by vectors.
_BLOCK, _TAP, _CHUNK, _SINGLE, _EIGHT = 25.0, 15.0, 2.0, 16.0, 24.0


def up(count: int) -> int:
    """The least multiple of a vector that is not below."""
    return -(-count // VECTOR) * VECTOR


@dataclass(frozen=True)
class Chunks:
    """A pixel's elements in vectors: `number` chunks of `vectors`, the last one of `last`."""

    elements: int

    @property
    def total(self) -> int:
        """All vectors."""
        return -(-self.elements // VECTOR)

    @property
    def number(self) -> int:
        """How many chunks."""
        return -(-self.total // MOST)

    @property
    def vectors(self) -> int:
        """Vectors of all but the last."""
        return -(-self.total // self.number)

    @property
    def last(self) -> int:
        """Vectors of the last."""
        return self.total - self.vectors * (self.number - 1)

    def instructions(self, outputs: int, taps: int = 1) -> float:
        """About what the sums of a pixel take, or of so many that are added."""
        each = -(-outputs // VECTOR) * (_TAP + self.total) + outputs * (self.total + _CHUNK * self.number)
        return -(-outputs // VECTOR) * _BLOCK + taps * each

    def packed(self, weights: Array) -> Array:
        """Weights [outputs, taps, elements] as `qpie_pixel_i8.h` takes them, by blocks of outputs and then by taps."""
        outputs, taps, _ = weights.shape
        wide = np.zeros((outputs, taps, self.total * VECTOR), np.int8)
        wide[:, :, : self.elements] = weights
        size = self.vectors * VECTOR
        parts = [
            wide[first : first + VECTOR, tap, begin : begin + size].reshape(-1)
            for first in range(0, outputs, VECTOR)
            for tap in range(taps)
            for begin in range(0, self.total * VECTOR, size)
        ]
        return np.concatenate([*parts, np.zeros(VECTOR, np.int8)])

    def literals(self, outputs: int) -> list[Literal]:
        """The kernel's arguments for these and so many output channels."""
        values = {
            "vectors": self.vectors,
            "chunks": self.number,
            "last": self.last,
            "elements": self.elements - VECTOR * self.vectors * (self.number - 1),
            "outputs": outputs,
            "blocks": outputs // VECTOR,
            "rest": outputs % VECTOR,
        }
        return [(name, str(value)) for name, value in values.items()]


@dataclass(frozen=True)
class Results:
    """How sums become results: the form, and multiplier, shift and bias of each channel."""

    form: int
    multiplier: Array
    shift: Array
    bias: Array

    @property
    def by_vectors(self) -> bool:
        """Whether vector instructions do it."""
        return self.form == BY_VECTORS

    def repeated(self, times: int) -> Results:
        """Those of all channels, one after another, so many times."""
        return Results(self.form, *(np.tile(v, times) for v in (self.multiplier, self.shift, self.bias)))

    def instructions(self, outputs: int) -> float:
        """About what the results of a pixel take."""
        return _EIGHT * -(-outputs // 8) if self.by_vectors else _SINGLE * outputs

    def factors(self) -> Array:
        """Low and high factors, 8 of each in turn, [blocks of 8 channels, 16]; of whole blocks of 16 channels."""
        wide = np.zeros(up(self.multiplier.size), np.int64)
        wide[: self.multiplier.size] = self.multiplier
        low = (wide + 2**14) % 2**15 - 2**14
        pairs = np.stack([2 * low, (wide - low) >> 15]).reshape(2, -1, 8)
        return np.ascontiguousarray(pairs.transpose(1, 0, 2).reshape(-1, 16).astype(np.int16))

    def biased(self) -> Array:
        """The same, those of 8 channels behind their biases, which are greater by 2^15: [blocks of 8 channels, 32]."""
        wide = np.full(up(self.bias.size), 2**15, np.int64)
        wide[: self.bias.size] += self.bias
        halves = wide.astype("<i4").view("<i2").reshape(-1, 16)
        return np.concatenate([halves, self.factors()], axis=1).astype(np.int16)

    def raised(self) -> Array:
        """Biases as sums begin with, [channels, 2]."""
        wide = self.bias.astype(np.int64) + _RAISED
        return np.stack([wide, np.zeros_like(wide)], axis=1).astype(np.int32)


def constants(zero: int, low: int, high: int) -> Array:
    """What `pie_narrow_i8.h` takes besides the factors."""
    return np.repeat(np.array([-(2**15), 2**14, 4 * zero + 2, low, high], np.int16), 8)


def addition(a: int, b: int, start: int, low: int, high: int) -> Array | None:
    """What `pie_add_i8.h` takes for a sum by whole factors; None where a start is too large for it."""
    lower = (start + 2**15) % 2**16 - 2**15
    parts = [2**8, lower, a & 0xFF, b & 0xFF, a >> 8, b >> 8, (start - lower) >> 16, low, high]
    return np.repeat(np.array(parts, np.int16), 8) if max(parts) < 2**15 else None
