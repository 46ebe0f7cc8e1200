"""Integer normalisation by the elements' own mean and deviation: layer, instance, group and RMS norms in one operator.

Nothing is rounded to int8 or int16 between the operand and the result, so that a norm costs one rounding, as any layer
does.
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
from tinyc.ir.ops.int8 import (
    ACTIVATIONS,
    OneFactor,
    OverAxes,
    check_activation,
    drawn_result,
    drawn_zero,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

MOST_NORMALISED = 2**15
"""Elements of a group, at most: their squares, of 16 bits each, then have a sum in int32, those of int16 in int64."""
EPSILON_PLACES, EPSILON_MOST = 12, 2**59
"""Binary places with which a variance is counted, so that epsilon can be small; the largest epsilon in such units."""


@dataclass(frozen=True)
class Precision:
    """How many bits there are between operands and results.

    Attributes:
        bits: of normalised numbers, without sign.
        factor: the largest factor of an element.
        offset: the largest offset of an element.
        dropped: binary places of products of normalised numbers and factors that are cut off before offsets are added.
    """

    bits: int
    factor: int
    offset: int
    dropped: int

    @property
    def largest(self) -> int:
        """What no sum is beyond."""
        return (self.factor << self.bits >> self.dropped) + self.offset

    def places(self, count: int) -> int:
        """Binary places of normalised numbers of so many elements: they are at most sqrt(count)."""
        return self.bits - ((count - 1).bit_length() + 1) // 2


NARROW = Precision(15, 2**13 - 1, 2**28 - 1, 0)
"""Of int8 alone: sums are below 2^29."""
WIDE = Precision(23, 2**15 - 1, 2**30 - 1, 9)
"""Where int16 has a part in it: sums are below 2^31 - 2^16."""


def epsilon_places(dtype: DType, count: int) -> int:
    """Binary places with which the variance of so many integers of a type is counted, an even number: of int16 as many
    as int64 has room for."""
    room = 30 - 2 * (count - 1).bit_length()
    return EPSILON_PLACES if dtype is DType.I8 else min(EPSILON_PLACES, room)


def period(own: Sequence[int], shape: Sequence[int]) -> int | None:
    """After how many elements of some dimensions their factors, of the shape `own`, begin again: 1 where one is for
    all, else as many as the last dimensions have for which there are factors; None for any other shape."""
    part = next((d for d, n in enumerate(own) if n != 1), len(own))
    return math.prod(own[part:]) if tuple(own[part:]) == tuple(shape[part:]) else None


@dataclass(frozen=True)
class QNorm(OverAxes, OneFactor, mnemonic="qnorm"):
    """Integer normalisation of groups of elements, over `axes`, ascending and without a gap.

    Of n elements x of a group, less `zero`: with m their sum where `centred`, else 0, and v = n * (sum of x^2) - m^2,
    t = (n * x - m) / sqrt(v + epsilon * 2^-p), in fixed point with `places()` places. p is 12, of int16 operands
    min(12, 30 - 2 * log2(n)), the logarithm rounded up. The result is requantise(t * g + b, multiplier, shift) +
    out_zero, limited; where operand or result is int16, of t * g / 512 rounded down + b. g and b have the shape of x,
    but size 1 in all dimensions before the axes, in the first of these or all, or in all behind. Operand and result are
    int8 or int16, each for itself.
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
    to: DType = DType.I8

    @classmethod
    def sample(cls, draw: Draw) -> QNorm:
        x, result = draw.value(ACTIVATIONS, 1), drawn_result(draw)
        form = WIDE if DType.I16 in (x.dtype, result["to"]) else NARROW
        axes = cls.drawn_axes(draw, x)
        first, last = axes[0], axes[-1]
        full = [draw.chance(0.5) for _ in range(3)]
        begin = draw.choice([first, first, draw.integer(first, last)])
        shape = tuple(
            n if full[(d >= first) + (d > last)] and not first <= d < begin else 1 for d, n in enumerate(x.shape)
        )
        size = math.prod(shape)
        g = np.array([draw.integer(-form.factor, form.factor) for _ in range(size)], np.int16).reshape(shape)
        reach = draw.choice([0, 2**20, form.offset])
        b = np.array([draw.integer(-reach, reach) for _ in range(size)], np.int32).reshape(shape)
        epsilon = draw.choice([0, 1, 2**12, draw.integer(0, 2**30), EPSILON_MOST])
        count = math.prod(x.shape[a] for a in axes)
        bits = form.bits - form.dropped + form.factor.bit_length() + 1 - 8 * result["to"].bytes
        spread = 2.0 ** -(bits + draw.integer(-7, 1)) * count**0.5
        factor = fixed_point.to_multiplier(min(spread, 0.9))
        return cls(
            x,
            draw.given(g),
            draw.given(b),
            axes,
            drawn_zero(draw, x.dtype),
            epsilon,
            draw.chance(0.6),
            *factor,
            **result,
        )

    def infer(self) -> TensorType:
        check_activation(self.x, self.zero)
        self.check_result()
        self.check_axes()
        if not 1 <= self.count() <= MOST_NORMALISED:
            raise IRError(f"normalises 1 to {MOST_NORMALISED} elements together, not {self.count()}")
        if not 0 <= self.epsilon <= EPSILON_MOST:
            raise IRError(f"epsilon is 0 to {EPSILON_MOST}, not {self.epsilon}")
        if (self.g.dtype, self.b.dtype) != (DType.I16, DType.I32) or self.g.shape != self.b.shape:
            raise IRError(f"factors {self.g.type} and offsets {self.b.type} are int16 and int32 of one shape")
        self.steps()
        self.check_sums(0, self.precision().largest)
        return TensorType(self.x.shape, self.to)

    def precision(self) -> Precision:
        """How many bits normalised numbers, factors and offsets have."""
        return WIDE if self.is_wide() else NARROW

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
        return self.precision().places(self.count())

    def epsilon_places(self) -> int:
        """Binary places with which a variance is counted."""
        return epsilon_places(self.x.dtype, self.count())

    def right(self) -> int:
        """Places by which a product of a difference and of a root's reciprocal is shifted right, less half the places
        by which the root's operand was shifted left. Where int16 has a part in it, of all 64 bits of that product."""
        before = 46 if self.is_wide() else self.left() + 14
        return before - self.epsilon_places() // 2 - self.places()

    def normalised(self, x: Array) -> Array:
        """Normalised numbers, in `places()` places."""
        wide, n = x.astype(np.int64) - self.zero, self.count()
        mean = wide.sum(axis=self.axes, keepdims=True) if self.centred else np.int64(0)
        squares = n * (wide * wide).sum(axis=self.axes, keepdims=True) - mean * mean
        difference, variance = n * wide - mean, (squares << self.epsilon_places()) + self.epsilon
        if self.is_wide():
            root, halves = fixed_point.fine_inverse_root(variance)
            product = difference * root
        else:
            root, halves = fixed_point.inverse_root(variance)
            product = ((difference << self.left()) * (root << 15)) >> 32
        # Of fewer places than one, which a root of 0 may have, differences are 0.
        places = np.maximum(halves + self.right(), 1)
        return np.asarray((product + (np.int64(1) << (places - 1))) >> places)

    def evaluate(self, *operands: Array) -> Array:
        x, g, b = operands
        total = (self.normalised(x) * g.astype(np.int64) >> self.precision().dropped) + b
        return self.narrowed(total)

    def row_form(self) -> RowForm | None:
        """Each row by itself, where not over rows, nor with factors of rows."""
        form = super().row_form()
        return form if form is not None and self.g.shape[1] == 1 else None
