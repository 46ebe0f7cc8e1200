"""Normalisation: batch norm (as trained, before it is folded away) and softmax."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Accuracy, Form, IntegerForm, OfRows, Op, RowForm, StaysFloat, Value, Window
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType


@dataclass(frozen=True)
class BatchNorm(Op, mnemonic="batch_norm", accuracy=Accuracy.SUM):
    """y = (x - mean) / sqrt(variance + epsilon) * scale + bias, for each channel (the last dimension)."""

    x: Value
    scale: Value
    bias: Value
    mean: Value
    variance: Value
    epsilon: float = 1e-5

    @classmethod
    def sample(cls, draw: Draw) -> BatchNorm:
        x = draw.floating(1)
        channels = x.shape[-1:]
        scale, bias, mean = (draw.weights(channels) for _ in range(3))
        variance = np.abs(draw.array(TensorType(channels, x.dtype))) + np.float32(0.25)
        return cls(x, scale, bias, mean, draw.given(variance))

    def infer(self) -> TensorType:
        if self.x.type.rank < 1 or not self.x.dtype.is_float:
            raise IRError(f"takes floating point with a channel dimension, not {self.x.type}")
        for value in self.operands[1:]:
            if value.type != TensorType(self.x.shape[-1:], self.x.dtype):
                raise IRError(
                    f"{value} {value.type} is not floating point with one entry a channel ({self.x.shape[-1]})"
                )
        return self.x.type

    def unrunnable(self) -> str:
        return "a batch norm is folded into another operator, or decomposed, before it runs"

    def evaluate(self, *operands: Array) -> Array:
        x, scale, bias, mean, variance = (o.astype(np.float64) for o in operands)
        return np.asarray((x - mean) / np.sqrt(variance + self.epsilon) * scale + bias)

    def affine(self, place: int, constants: Mapping[int, Array]) -> tuple[Array, Array] | None:
        if place != 0:
            return None
        scale, bias, mean, variance = (constants[k].astype(np.float64) for k in (1, 2, 3, 4))
        with np.errstate(all="ignore"):
            factor = scale / np.sqrt(variance + self.epsilon)
            return factor, bias - mean * factor


@dataclass(frozen=True)
class Softmax(OfRows, mnemonic="softmax", accuracy=Accuracy.FUNCTION):
    """exp(x - max) / sum of exp(x - max), along the last dimension."""

    natural_scale: ClassVar[tuple[float, int] | None] = (1 / 256, -128)

    x: Value

    @classmethod
    def sample(cls, draw: Draw) -> Softmax:
        return cls(draw.floating(1))

    def infer(self) -> TensorType:
        if self.x.type.rank < 1 or self.x.shape[-1] < 1 or not self.x.dtype.is_float:
            raise IRError(f"takes floating point with a last dimension, not {self.x.type}")
        return self.x.type

    def may_overwrite(self, operand: int) -> bool:
        return True

    def runs_whole(self) -> bool:
        return True

    def row_form(self) -> RowForm | None:
        """Each row by itself: the last dimension is none of rows."""
        return RowForm((Window(),)) if self.type.has_rows else None

    def evaluate(self, *operands: Array) -> Array:
        x = operands[0].astype(np.float64)
        raised = np.exp(x - x.max(axis=-1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=-1, keepdims=True))

    def quantised(self) -> IntegerForm | StaysFloat:
        return IntegerForm(Form.SOFTMAX, (self.x,))
