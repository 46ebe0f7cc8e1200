"""What random operators are made from: values, constants and numbers.

An operator class makes random instances of itself (`Op.sample`) for the tests over all operators. It draws operands and
attributes here, and says nothing of where the values come from: they may be those of a module under way, or new ones.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import TypeVar

import numpy as np

from tinyc.ir.errors import IRError
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType
from tinyc.ir.value import Value

F32 = DType.F32
CORNERS = (0.0, -0.0, 1.0, -1.0, 100.0, -1e4, 1e-30)
CALM_CORNERS = (0.0, -0.0, 1.0, -1.0, 0.5)

ItemT = TypeVar("ItemT")


class GiveUp(Exception):
    """What was drawn does not fit together; what is drawn next may."""


def random_array(random: Random, type: TensorType, calm: bool = False) -> Array:
    """An array with corners: zeros of both signs, small and, unless calm, large numbers; of int8 and int16 all."""
    rng = np.random.default_rng(random.getrandbits(32))
    if type.dtype is DType.BOOL:
        return rng.random(type.shape) < 0.5
    if type.dtype in (DType.I8, DType.I16):
        low, high = type.dtype.limits
        return rng.integers(low, high + 1, type.shape).astype(type.dtype.numpy)
    if type.dtype.is_integer:
        low = 0 if type.dtype is DType.U8 else -9
        return rng.integers(low, 10, type.shape).astype(type.dtype.numpy)
    array = rng.standard_normal(type.shape)
    picked = rng.random(type.shape) < 0.2
    corners = rng.choice(CALM_CORNERS if calm else CORNERS, type.shape)
    return np.where(picked, corners, array).astype(np.float32)


def takes(make: Callable[[Value], object], shape: tuple[int, ...] = ()) -> tuple[DType, ...]:
    """The element types of an operand of this shape from which `make` makes an operator."""
    found = []
    for dtype in DType:
        with suppress(IRError):
            make(Value("x", TensorType(shape, dtype)))
            found.append(dtype)
    return tuple(found)


class Draw(ABC):
    """Random choices. What samplers call is made of `pick`, `fresh` and `given`.

    Attributes:
        random: where all of them come from.
        smooth: whether the module is compared within a tolerance, and must not amplify rounding: no steps, no
            infinities. Operators that are `steep` are left out then, and those that jump where rounding may reach them.
    """

    def __init__(self, random: Random, smooth: bool = False) -> None:
        self.random = random
        self.smooth = smooth

    @abstractmethod
    def pick(self, fits: Callable[[Value], bool], type: TensorType) -> Value:
        """A value there is, of those that fit, or a new one of this type."""

    @abstractmethod
    def fresh(self, type: TensorType) -> Value:
        """A new value."""

    @abstractmethod
    def given(self, array: Array) -> Value:
        """A constant."""

    # Numbers

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random.random() < probability

    def choice(self, items: Sequence[ItemT]) -> ItemT:
        """One of several."""
        return self.random.choice(items)

    def integer(self, low: int, high: int) -> int:
        """An integer, both limits included."""
        return self.random.randint(low, high)

    def pair(self, low: int, high: int) -> tuple[int, int]:
        """Two integers."""
        return self.integer(low, high), self.integer(low, high)

    def shape(self, low: int = 0, high: int = 5) -> tuple[int, ...]:
        """A shape of `low` to `high` dimensions, small enough for a value."""
        rank = self.integer(low, high)
        return tuple(self.choice([1, 2, 3, 4, 5, 6] if rank < 4 else [1, 1, 2, 3]) for _ in range(rank))

    def dtype(self, among: Sequence[DType] = tuple(DType)) -> DType:
        """An element type, float the likeliest. Raises `GiveUp` where there is none."""
        others = [d for d in among if d is not F32]
        if F32 in among and (not others or self.chance(0.6)):
            return F32
        if not others:
            raise GiveUp
        return self.choice(others)

    # Values

    def value(self, among: Sequence[DType], rank: int = 0) -> Value:
        """A value of one of these element types, of at least `rank` dimensions."""
        new = TensorType(self.shape(rank), self.dtype(among))
        return self.pick(lambda v: v.dtype in among and v.type.rank >= rank, new)

    def floating(self, rank: int = 0) -> Value:
        """A value of floats."""
        return self.value((F32,), rank)

    def anything(self, rank: int = 0) -> Value:
        """A value of any element type."""
        return self.value(tuple(DType), rank)

    def image(self, among: Sequence[DType] = (F32,), channels: int = 4) -> Value:
        """An NHWC value, a new one of at most so many channels."""
        size = (*self.pair(1, 6), self.integer(1, channels))
        new = TensorType((self.choice([1, 1, 1, 2]), *size), self.dtype(among))
        return self.pick(lambda v: v.dtype in among and v.type.rank == 4, new)

    def partner(self, x: Value, dtype: DType | None = None) -> Value:
        """A value that broadcasts with another one; of its element type unless said."""
        dtype = dtype or x.dtype
        shape = x.shape
        kind = self.random.randrange(4)
        if kind == 0:
            shape = x.shape[-1:]
        elif kind == 1:
            shape = ()
        elif kind == 2:
            shape = tuple(1 if self.chance(0.5) else d for d in shape[self.integer(0, len(shape)) :])
        if self.chance(0.5):
            return self.pick(lambda v: v.dtype is dtype and _broadcast(v.shape, x.shape), TensorType(shape, dtype))
        return self.weights(shape, dtype) if self.chance(0.7) else self.fresh(TensorType(shape, dtype))

    def array(self, type: TensorType) -> Array:
        """What a constant holds: small numbers, at times all the same."""
        if self.chance(0.2):
            fills = {DType.BOOL: [0, 1], DType.I8: [0, 1, 2, -128, 127], DType.I16: [0, 1, -32768, 32767]}.get(
                type.dtype, [0, 1, 2]
            )
            return np.full(type.shape, self.choice(fills), type.dtype.numpy)
        return random_array(self.random, type, calm=True)

    def constant(self, shape: tuple[int, ...], dtype: DType = F32) -> Value:
        """A constant of small numbers."""
        return self.given(self.array(TensorType(shape, dtype)))

    def weights(self, shape: tuple[int, ...], dtype: DType = F32) -> Value:
        """Mostly a constant, now and then computed."""
        return self.constant(shape, dtype) if self.chance(0.9) else self.fresh(TensorType(shape, dtype))

    # Attributes that several operators have

    def limits(self) -> dict[str, float]:
        """Limits of an activation on floats."""
        return {"min": self.choice([-math.inf, 0.0, -1.0]), "max": self.choice([math.inf, 6.0, 0.5, 0.0])}

    def geometry(self) -> dict[str, tuple[int, ...]]:
        """How a window slides."""
        pads = tuple(self.choice([0, 0, 1, 2]) for _ in range(4)) if self.chance(0.5) else (0, 0, 0, 0)
        dilations = self.pair(1, 2) if self.chance(0.2) else (1, 1)
        return {"strides": self.pair(1, 2), "pads": pads, "dilations": dilations}


def _broadcast(*shapes: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True
