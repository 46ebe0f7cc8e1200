"""Integer normalisation by the elements' own mean and deviation: layer, instance, group and RMS norms in one operator.

Nothing is rounded to int8 between the operand and the result, so that a norm costs one rounding, as any layer does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir import fixed_point
from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import RowForm, Value
from tinyc.ir.ops.int8 import OneFactor, OverAxes, check_factor, check_int8, check_output, drawn_output, drawn_zero
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

MOST_NORMALISED = 2**15
"""Elements of a group, at most: their squares, of 16 bits each, then have a sum in int32."""
FACTOR, OFFSET = 2**13 - 1, 2**28 - 1
"""The largest factor and offset of an element: with a normalised number of up to 2^15 their sum is below 2^29."""
LARGEST_NORMALISED = FACTOR * 2**15 + OFFSET
"""What no sum reaches."""
EPSILON_PLACES, EPSILON_MOST = 12, 2**59
"""Binary places with which a variance is counted, so that epsilon can be small; the largest epsilon in such units."""


def places_of(count: int) -> int:
    """Binary places of normalised numbers of so many elements: they are at most sqrt(count), and have 15 bits."""
    return 15 - ((count - 1).bit_length() + 1) // 2


def period(own: Sequence[int], shape: Sequence[int]) -> int | None:
    """After how many elements of some dimensions their factors, of the shape `own`, begin again: 1 where one is for
    all, else as many as the last dimensions have for which there are factors; None for any other shape."""
    part = next((d for d, n in enumerate(own) if n != 1), len(own))
    return math.prod(own[part:]) if tuple(own[part:]) == tuple(shape[part:]) else None


@dataclass(frozen=True)
class QNorm(OverAxes, OneFactor, mnemonic="qnorm"):
    """int8 normalisation of groups of elements, over `axes`, ascending and without a gap.

    Of n elements x of a group, less `zero`: with m their sum where `centred`, else 0, and v = n * (sum of x^2) - m^2,
    t = (n * x - m) / sqrt(v + epsilon * 2^-12), in fixed point with `places()` places. The result is
    requantise(t * g + b, multiplier, shift) + out_zero, limited. g and b have the shape of x, but size 1 in all
    dimensions before the axes, in the first of these or all, or in all behind.
    """

    x: Value
    g: Value
    b: Value
    axes: tuple[int, ...]
    zero: int
    epsilon: int
    centred: bool
    multiplier: int
    shift: int
    out_zero: int = 0
    min: int = -128
    max: int = 127

    @classmethod
    def sample(cls, draw: Draw) -> QNorm:
        x = draw.value((DType.I8,), 1)
        axes = cls.drawn_axes(draw, x)
        first, last = axes[0], axes[-1]
        full = [draw.chance(0.5) for _ in range(3)]
        begin = draw.choice([first, first, draw.integer(first, last)])
        shape = tuple(
            n if full[(d >= first) + (d > last)] and not first <= d < begin else 1 for d, n in enumerate(x.shape)
        )
        size = math.prod(shape)
        g = np.array([draw.integer(-FACTOR, FACTOR) for _ in range(size)], np.int16).reshape(shape)
        reach = draw.choice([0, 2**20, OFFSET])
        b = np.array([draw.integer(-reach, reach) for _ in range(size)], np.int32).reshape(shape)
        epsilon = draw.choice([0, 1, 2**12, draw.integer(0, 2**30), EPSILON_MOST])
        count = math.prod(x.shape[a] for a in axes)
        spread = 2.0 ** -draw.integer(14, 22) * count**0.5
        factor = fixed_point.to_multiplier(min(spread, 0.9))
        return cls(
            x,
            draw.given(g),
            draw.given(b),
            axes,
            drawn_zero(draw),
            epsilon,
            draw.chance(0.6),
            *factor,
            **drawn_output(draw),
        )

    def infer(self) -> TensorType:
        check_int8(self.x)
        check_output(self.to, self.min, self.max, self.zero, self.out_zero)
        self.check_axes()
        if not 1 <= self.count() <= MOST_NORMALISED:
            raise IRError(f"normalises 1 to {MOST_NORMALISED} elements together, not {self.count()}")
        if not 0 <= self.epsilon <= EPSILON_MOST:
            raise IRError(f"epsilon is 0 to {EPSILON_MOST}, not {self.epsilon}")
        if (self.g.dtype, self.b.dtype) != (DType.I16, DType.I32) or self.g.shape != self.b.shape:
            raise IRError(f"factors {self.g.type} and offsets {self.b.type} are int16 and int32 of one shape")
        self.steps()
        check_factor(self.multiplier, self.shift, 0, LARGEST_NORMALISED)
        return self.x.type

    def sizes(self) -> tuple[int, int, int]:
        """Elements before the axes, of a group, and behind the axes."""
        first, shape = self.axes[0], self.x.shape
        return math.prod(shape[:first]), self.count(), math.prod(shape[first + len(self.axes) :])

    def steps(self) -> tuple[int, int, int]:
        """By how many factors it goes on from one element to the next before the axes, within a group, and behind.

        Raises:
            IRError: the factors have another shape.
        """
        shape, own = self.x.shape, self.g.shape
        found, step = [], 1
        for part in self._parts()[::-1]:
            several = period(own[part], shape[part]) if len(own) == len(shape) else None
            if several is None or (part != self._parts()[1] and several not in (1, math.prod(shape[part]))):
                raise IRError(f"factors {self.g.type} are neither of the size of {self.x.type} nor 1")
            found.append(step if several > 1 else 0)
            step *= several
        return found[2], found[1], found[0]

    def period(self) -> int:
        """After how many elements of a group its factors begin again."""
        part = self._parts()[1]
        several = period(self.g.shape[part], self.x.shape[part])
        return several if several not in (None, 1) else self.count()

    def _parts(self) -> tuple[slice, slice, slice]:
        """The dimensions before the axes, these, and those behind."""
        first, last = self.axes[0], self.axes[-1]
        return slice(0, first), slice(first, last + 1), slice(last + 1, None)

    def left(self) -> int:
        """Places by which a difference to the mean is shifted left, so that it has 31 bits."""
        return 31 - (255 * self.count()).bit_length()

    def places(self) -> int:
        """Binary places of normalised numbers."""
        return places_of(self.count())

    def right(self) -> int:
        """Places by which a product of a difference and of a root's reciprocal is shifted right, less half the places
        by which the root's operand was shifted left."""
        return self.left() + 14 - EPSILON_PLACES // 2 - self.places()

    def normalised(self, x: Array) -> Array:
        """Normalised numbers, in `places()` places."""
        wide, n = x.astype(np.int64) - self.zero, self.count()
        mean = wide.sum(axis=self.axes, keepdims=True) if self.centred else np.int64(0)
        variance = n * (wide * wide).sum(axis=self.axes, keepdims=True) - mean * mean
        root, halves = fixed_point.inverse_root((variance << EPSILON_PLACES) + self.epsilon)
        product = (((n * wide - mean) << self.left()) * (root << 15)) >> 32
        places = np.maximum(halves + self.right(), 1)
        return np.asarray((product + (np.int64(1) << (places - 1))) >> places)

    def evaluate(self, *operands: Array) -> Array:
        x, g, b = operands
        total = self.normalised(x) * g.astype(np.int64) + b
        return self.narrowed(total)

    def row_form(self) -> RowForm | None:
        """Each row by itself, where not over rows, nor with factors of rows."""
        form = super().row_form()
        return form if form is not None and self.g.shape[1] == 1 else None
