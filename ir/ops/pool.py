"""Pooling over NHWC rows. Elements outside the operand never take part, unless an average counts them as zeros."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinyc.ir.draw import Draw, takes
from tinyc.ir.errors import IRError
from tinyc.ir.loops import Loops
from tinyc.ir.op import Accuracy, Form, IntegerForm, Op, RowForm, RowMode, StaysFloat, Value, Window
from tinyc.ir.ops.conv import Spatial, patches
from tinyc.ir.ops.reduce import ReduceMax, ReduceMean
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType


@dataclass(frozen=True)
class Pool(Spatial):
    """Base of both poolings. kernel is (height, width); see `Spatial` for the rest."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...] = (1, 1)
    pads: tuple[int, ...] = (0, 0, 0, 0)
    dilations: tuple[int, ...] = (1, 1)

    @classmethod
    def sample(cls, draw: Draw) -> Pool:
        x = draw.image(takes(lambda v: cls(v, (1, 1)), (1, 1, 1, 1)), channels=9)
        return cls(x, draw.pair(1, 3), **cast("Any", draw.geometry()))

    def keeps_channels(self) -> bool:
        return True

    def window(self) -> tuple[int, int]:
        return self.kernel[0], self.kernel[1]

    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return self.strides, self.dilations, self.pads

    def infer(self) -> TensorType:
        if len(self.kernel) != 2:
            raise IRError("kernel is (height, width)")
        height, width = self.output_size()
        for axis in (0, 1):
            windows = Window(self.kernel[axis], self.strides[axis], self.dilations[axis], self.pads[axis])
            count = self.x.shape[1 + axis]
            inside = range(count)
            if any(not any(at in inside for at in windows.rows(out, count)) for out in range((height, width)[axis])):
                raise IRError(f"pads {list(self.pads)} leave a window wholly outside {self.x.type}")
        return TensorType((self.x.shape[0], height, width, self.x.shape[3]), self.x.dtype)

    def row_mode(self) -> RowMode:
        """What rows outside the operand are."""
        return RowMode.CLIP

    def row_form(self) -> RowForm | None:
        if self.x.shape[0] != 1:
            return None
        return RowForm((Window(self.kernel[0], self.strides[0], self.dilations[0], self.pads[0], self.row_mode()),))

    def is_global(self) -> bool:
        """Whether there is one window, of all pixels."""
        return self.kernel == self.x.shape[1:3] and not any(self.pads)

    def row_op(self, rows: int, valid: int) -> Op:
        clips = self.row_mode() is RowMode.CLIP
        height = valid if clips else self.kernel[0]
        return dataclasses.replace(
            self,
            x=self.x.with_rows(rows if self.kernel[0] == 1 else height),
            kernel=(height, self.kernel[1]),
            strides=(1, self.strides[1]),
            pads=(0, self.pads[1], 0, self.pads[3]),
            dilations=(1, self.dilations[1]),
        )


@dataclass(frozen=True)
class MaxPool2d(Pool, mnemonic="max_pool2d"):
    """The largest element of each window."""

    def infer(self) -> TensorType:
        if self.x.dtype is DType.BOOL:
            raise IRError(f"takes numbers, not {self.x.type}")
        return super().infer()

    def passes_on(self) -> tuple[Value, ...]:
        return (self.x,)

    def chooses(self) -> bool:
        return True

    def absorb_pad(self, x: Value, pads: tuple[int, ...], value: float, least: float) -> Op | str:
        """Left out of a window that holds at least one element (the type checks that), a pad is never missed if no
        element is below it."""
        lowest = -np.inf if x.dtype.is_float else float(x.dtype.limits[0])
        if value != lowest and least < value:
            return f"elements below the pad's {value} are possible"
        return dataclasses.replace(self, x=x, pads=self._pads_with(pads))

    def loops_over_rows(self) -> tuple[Loops, ...] | None:
        return ReduceMax(self.x, (1, 2)).loops() if self.is_global() else None

    def evaluate(self, *operands: Array) -> Array:
        dtype = self.x.dtype
        lowest = -np.inf if dtype.is_float else dtype.limits[0]
        out: Array = np.full(self.type.shape, lowest, dtype.numpy)
        for patch in patches(self, operands[0], lowest):
            out = np.maximum(out, patch)
        return out


@dataclass(frozen=True)
class AvgPool2d(Pool, mnemonic="avg_pool2d", accuracy=Accuracy.SUM):
    """The mean of each window, over the elements inside the operand or, with count_pads, over all as if padded by 0."""

    count_pads: bool = False

    @classmethod
    def sample(cls, draw: Draw) -> Pool:
        return dataclasses.replace(super().sample(draw), **cast("Any", {"count_pads": draw.chance(0.5)}))

    def row_mode(self) -> RowMode:
        return RowMode.FILL if self.count_pads else RowMode.CLIP

    def row_fill(self) -> float | None:
        return 0.0 if self.count_pads else None

    def absorb_pad(self, x: Value, pads: tuple[int, ...], value: float, least: float) -> Op | str:
        if value != 0.0:
            return f"an average counts pads as 0, not as {value}"
        if any(self.pads) and not self.count_pads:
            return "some pads would count and some not"
        return dataclasses.replace(self, x=x, pads=self._pads_with(pads), count_pads=True)

    def quantised(self) -> IntegerForm | StaysFloat:
        """The integer average is over the elements inside, of neighbours."""
        if self.count_pads and any(self.pads):
            return StaysFloat("it counts padding, which the integer average leaves out")
        if self.dilations != (1, 1):
            return StaysFloat("its window is dilated")
        return IntegerForm(Form.SHARING, (self.x,))

    def infer(self) -> TensorType:
        if not self.x.dtype.is_float:
            raise IRError(f"takes floating point, not {self.x.type}")
        return super().infer()

    def loops_over_rows(self) -> tuple[Loops, ...] | None:
        return ReduceMean(self.x, (1, 2)).loops() if self.is_global() else None

    def evaluate(self, *operands: Array) -> Array:
        x = operands[0].astype(np.float64)
        total = sum(patches(self, x, 0.0))
        if self.count_pads:
            count: Array | int = self.kernel[0] * self.kernel[1]
        else:
            count = np.asarray(sum(patches(self, np.ones_like(x), 0.0)))
        return np.asarray(total / count).astype(operands[0].dtype)

    def in_steps(self, fused: bool, *operands: Array) -> Array | None:
        """Row by row of the window, in a row column by column, divided in the end."""
        x = operands[0]
        total = np.zeros(self.type.shape, np.float32)
        for patch in patches(self, x, 0.0):
            total = total + patch
        if self.count_pads:
            return np.asarray(total / np.float32(self.kernel[0] * self.kernel[1]))
        return np.asarray(total / sum(patches(self, np.ones_like(x), 0.0)))
