"""What convolutions and dense layers have in common: weights whose channels other operators can be folded into."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar, cast

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.fixed_point import accumulator_bound
from tinyc.ir.op import Op, Value
from tinyc.ir.ops.int8 import (
    ACTIVATIONS,
    Requantised,
    check_activation,
    check_int8,
    drawn_channels,
    drawn_result,
)
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType

WeightedT = TypeVar("WeightedT", bound="WeightedLayer")
LinearT = TypeVar("LinearT", bound="LinearLayer")
IntegerT = TypeVar("IntegerT", bound="IntegerLayer")


class WeightedLayer(Op):
    """A sum of products of an operand with weights, for each output channel (the last dimension of the result)."""

    output_axis: ClassVar[int] = 0
    """Which dimension of the weights counts output channels."""
    element: ClassVar[DType] = DType.F32
    """Of the weights."""
    operands_of: ClassVar[tuple[DType, ...]] = (DType.F32,)
    """Element types of the operand, as they are drawn."""

    x: Value
    w: Value

    @classmethod
    def rest(cls, draw: Draw, outputs: int, products: int, operand: DType) -> dict[str, Any]:
        """Random fields besides operand and weights, for so many outputs that sum so many products each, of an operand
        of this element type."""
        raise NotImplementedError

    def fan_in(self) -> int:
        """How many channels of the operand each output channel sums over."""
        raise NotImplementedError

    def outside(self) -> float | None:
        """The number that weights meet where a window leaves the operand; None where none does."""
        return None

    def with_outside(self: WeightedT, value: float) -> WeightedT:
        """The same layer with another number outside."""
        return self

    def channel_operands(self) -> Mapping[int, int]:
        if self.fan_in() != self.x.shape[-1]:
            return {}
        return {k: self.output_axis if v == self.w else 0 for k, v in enumerate(self.operands) if k}

    def by_output(self, weights: Array) -> Array:
        """Weights, or numbers of their shape, as [output channels, the rest]."""
        return np.moveaxis(weights, self.output_axis, 0).reshape(weights.shape[self.output_axis], -1)

    def per_input(self, vector: Array) -> Array:
        """One number an input channel (the last dimension of x), shaped to broadcast with the weights it meets."""
        raise NotImplementedError

    def from_output(self, rows: Array) -> Array:
        """What `by_output` made rows of, in the weights' own shape."""
        shape = self.w.shape
        kept = [d for k, d in enumerate(shape) if k != self.output_axis]
        return np.moveaxis(rows.reshape(shape[self.output_axis], *kept), 0, self.output_axis)

    def per_output(self, vector: Array) -> Array:
        """One number an output channel, shaped to broadcast with the weights."""
        return vector.reshape([-1 if d == self.output_axis else 1 for d in range(self.w.type.rank)])


class LinearLayer(WeightedLayer):
    """A layer in float, with an optional bias and the limits of an activation."""

    b: Value | None
    min: float
    max: float

    @classmethod
    def rest(cls, draw: Draw, outputs: int, products: int, operand: DType) -> dict[str, Any]:
        bias = draw.weights((outputs,)) if draw.chance(0.5) else None
        return {"b": bias, **(draw.limits() if draw.chance(0.2) else {})}

    def check_floats(self) -> None:
        """Raises `IRError` unless all operands are floating point."""
        for value in self.operands:
            if not value.dtype.is_float:
                raise IRError(f"takes floating point, not {value} of {value.type}")

    def met(self, x: Array, most: int) -> Array:
        """The numbers of an operand that weights meet, [groups, places, products]: each output's weights `by_output`
        are multiplied with them, and outputs are in as many equal groups, in order, as meet different ones.

        Args:
            x: the operand.
            most: of how many places of the result at most; they are taken evenly.
        """
        raise NotImplementedError

    def with_weights(self: LinearT, w: Value, b: Value | None) -> LinearT:
        """The same layer with other weights and bias."""
        return dataclasses.replace(self, **cast("Any", {"w": w, "b": b}))


def some_places(count: int, most: int) -> Array:
    """Of so many places, at most `most`, evenly taken."""
    return np.arange(count) if count <= most else np.arange(most) * count // most


class IntegerLayer(WeightedLayer, Requantised):
    """A layer with int8 weights: sums with the bias, requantised by each output channel's multiplier and shift.

    Operand and result are int8 or int16, each for itself. Where the operand is int16, sums may need more than 32 bits,
    and so may biases, which are int64 then.
    """

    element: ClassVar[DType] = DType.I8
    operands_of: ClassVar[tuple[DType, ...]] = ACTIVATIONS
    """Element types of operand and result, as they are drawn."""

    b: Value
    multiplier: Value
    shift: Value

    @classmethod
    def rest(cls, draw: Draw, outputs: int, products: int, operand: DType) -> dict[str, Any]:
        result = drawn_result(draw, cls.operands_of)
        return {**drawn_channels(draw, outputs, products, operand, result["to"]), **result}

    def check_operands(self) -> None:
        """Raises `IRError` unless operand, weights and result have types that a layer has."""
        check_int8(self.w)
        check_activation(self.x)
        self.check_result()
        for dtype in (self.x.dtype, self.to):
            if dtype not in self.operands_of:
                raise IRError(f"has no form for {dtype.value}")

    def bounds(self, weights: Array, bias: Array) -> Array:
        """The largest possible size of each output channel's sums: `fixed_point.accumulator_bound`."""
        return accumulator_bound(weights, bias, self.output_axis, self.x.dtype)

    def with_factors(self: IntegerT, b: Value, multiplier: Value, shift: Value) -> IntegerT:
        """The same layer with another bias and other factors."""
        return dataclasses.replace(self, **cast("Any", {"b": b, "multiplier": multiplier, "shift": shift}))
