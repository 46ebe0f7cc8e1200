"""Convolutions over NHWC rows, with the bias and the activation's limits fused in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinyc.ir.draw import Draw
from tinyc.ir.errors import IRError
from tinyc.ir.op import Accuracy, Form, IntegerForm, Op, RowForm, StaysFloat, Value, Window
from tinyc.ir.ops.layer import LinearLayer, WeightedLayer, some_places
from tinyc.ir.steps import Sums, limited, may_be_small, sums_in_order
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

ConvT = TypeVar("ConvT", bound="Convolution")


@dataclass(frozen=True)
class Spatial(Op):
    """Base of operators that slide a window over the rows and columns of an NHWC operand.

    pads are (top, left, bottom, right); strides and dilations are (vertical, horizontal).
    """

    x: Value

    def unrunnable(self) -> str:
        return "works on batches of 1 only" if self.row_form() is None else ""

    def window(self) -> tuple[int, int]:
        """Height and width of the window."""
        raise NotImplementedError

    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Strides, dilations and pads."""
        raise NotImplementedError

    def per_pixel(self) -> bool:
        """Whether each pixel of the result is made of the one pixel of the operand in its place."""
        strides, _, pads = self.geometry()
        return self.window() == (1, 1) and strides == (1, 1) and not any(pads)

    def absorb_pad(self, x: Value, pads: tuple[int, ...], value: float, least: float) -> Op | str:
        """The operator that reads `x` and pads it itself, in place of reading `x` padded; or why there is none.

        Args:
            x: what the pad pads.
            pads: its rows and columns: top, left, bottom, right.
            value: what it pads with.
            least: a number that no element of `x` is below.

        Raises:
            IRError: the operator cannot have such pads.
        """
        return "this operator does not pad"

    def _pads_with(self, more: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(a + b for a, b in zip(self.geometry()[2], more, strict=True))

    def output_size(self) -> tuple[int, int]:
        """Height and width of the result. Raises `IRError` when no window fits or the geometry is malformed."""
        strides, dilations, pads = self.geometry()
        if self.x.type.rank != 4:
            raise IRError(f"takes an NHWC operand of 4 dimensions, not {self.x.type}")
        if len(strides) != 2 or len(dilations) != 2 or len(pads) != 4:
            raise IRError("takes 2 strides, 2 dilations and 4 pads (top, left, bottom, right)")
        if min(strides) < 1 or min(dilations) < 1 or min(pads) < 0 or min(self.window()) < 1:
            raise IRError("window, strides and dilations are at least 1 and pads at least 0")
        sizes = []
        for axis in (0, 1):
            extent = dilations[axis] * (self.window()[axis] - 1) + 1
            room = self.x.shape[1 + axis] + pads[axis] + pads[2 + axis] - extent
            if room < 0:
                what = f"{extent} {('rows', 'columns')[axis]}"
                raise IRError(f"a window of {what} does not fit {self.x.type} with pads {list(pads)}")
            sizes.append(room // strides[axis] + 1)
        return sizes[0], sizes[1]


@dataclass(frozen=True)
class RowWindows(Spatial):
    """Base of spatial operators whose rows outside the operand are filled: one output row reads the window's rows of x,
    and all other operands whole."""

    def row_form(self) -> RowForm | None:
        (stride, _), (dilation, _), pads = self.geometry()
        if self.x.shape[0] != 1:
            return None
        window = Window(self.window()[0], stride, dilation, pads[0])
        return RowForm((window,) + (None,) * (len(self.operands) - 1))

    def row_op(self, rows: int, valid: int) -> Op:
        strides, dilations, pads = self.geometry()
        taken = rows if self.window()[0] == 1 else self.window()[0]
        flat = {"strides": (1, strides[1]), "dilations": (1, dilations[1]), "pads": (0, pads[1], 0, pads[3])}
        return dataclasses.replace(self, x=self.x.with_rows(taken), **cast("Any", flat))


@dataclass(frozen=True)
class Weighted(RowWindows, WeightedLayer):
    """Base of convolutions: a spatial operator with weights."""

    w: Value

    def out_channels(self) -> int:
        """Channels of the result."""
        raise NotImplementedError

    def check_weights(self) -> None:
        """Raises `IRError` when the weights do not fit the operand."""
        raise NotImplementedError

    def per_pixel(self) -> bool:
        """Whether each pixel of the result is made of the one pixel of the operand in its place."""
        strides, _, pads = self.geometry()
        return self.window() == (1, 1) and strides == (1, 1) and not any(pads)

    def absorb_pad(self, x: Value, pads: tuple[int, ...], value: float, least: float) -> Op | str:
        own = self.outside()
        if own is not None and own != value:
            return f"it pads with {own} already, the pad with {type(own)(value)}"
        changes = {"x": x, "pads": self._pads_with(pads)}
        return dataclasses.replace(self.with_outside(value), **cast("Any", changes))


TILE = 4
"""Pixels of which multiples are copied aside (`Op.pixels_aside`): pointwise layers compute the results of so many at a
time."""
ASIDE, MOST_ASIDE = 128, 512
"""Bytes that are copied so: as many as fit the first, or, of pixels of many channels, the fewest within the second."""


class OhwiWeights(Weighted):
    """Weights [out_channels, kernel_height, kernel_width, in_channels / groups]."""

    groups: int

    @classmethod
    def sample(cls, draw: Draw, largest: int = 3) -> OhwiWeights:
        """With a window that is at most `largest` high and wide."""
        x = draw.image(cls.operands_of, channels=9)
        groups = draw.choice([n for n in (1, 1, 2, 3, 4) if x.shape[3] % n == 0])
        w = draw.weights((groups * draw.integer(1, 4), *draw.pair(1, largest), x.shape[3] // groups), cls.element)
        rest = cls.rest(draw, w.shape[0], w.type.size // w.shape[0], x.dtype)
        return cast("OhwiWeights", cast("Any", cls)(x, w, **rest, groups=groups))

    def window(self) -> tuple[int, int]:
        return self.w.shape[1], self.w.shape[2]

    def out_channels(self) -> int:
        return self.w.shape[0]

    def output_size(self) -> tuple[int, int]:
        if self.w.type.rank != 4:
            raise IRError(f"weights have 4 dimensions (OHWI), not {self.w.type}")
        return super().output_size()

    def check_weights(self) -> None:
        channels = self.x.shape[3]
        if self.groups < 1 or channels != self.w.shape[3] * self.groups or self.w.shape[0] % self.groups:
            raise IRError(f"weights {self.w.type} do not fit {self.x.type} in {self.groups} group(s)")

    def macs(self) -> int:
        return self.type.size * self.w.shape[1] * self.w.shape[2] * self.w.shape[3]

    def fan_in(self) -> int:
        return self.w.shape[3]

    def pixels_aside(self) -> int:
        """Two thirds of the row at most, of pixels whose channels are not divided into groups."""
        if self.groups != 1 or not self.per_pixel() or self.x.shape[0] != 1 or self.x.dtype is not self.type.dtype:
            return 0
        width, size = self.x.shape[2], max(self.x.shape[3] * self.x.dtype.bytes, 1)
        most = 2 * width // 3
        pixels = max(min(ASIDE // size, most) // TILE, 1) * TILE
        return pixels if pixels * size <= MOST_ASIDE and pixels <= most else 0

    def per_input(self, vector: Array) -> Array:
        """See `WeightedLayer`."""
        inputs, outputs = self.w.shape[3], self.w.shape[0]
        groups = np.repeat(vector.reshape(self.groups, inputs), outputs // self.groups, axis=0)
        return groups.reshape(outputs, 1, 1, inputs)


class HwcWeights(Weighted):
    """Depthwise weights [kernel_height, kernel_width, in_channels * channel_multiplier]."""

    output_axis: ClassVar[int] = 2

    @classmethod
    def sample(cls, draw: Draw) -> HwcWeights:
        x = draw.image(cls.operands_of, channels=9)
        w = draw.weights((*draw.pair(1, 3), x.shape[3] * draw.choice([1, 1, 2, 3])), cls.element)
        rest = cls.rest(draw, w.shape[2], w.shape[0] * w.shape[1], x.dtype)
        return cast("HwcWeights", cast("Any", cls)(x, w, **rest))

    def window(self) -> tuple[int, int]:
        return self.w.shape[0], self.w.shape[1]

    def out_channels(self) -> int:
        return self.w.shape[2]

    def channel_multiplier(self) -> int:
        """Output channels for each input channel."""
        return self.w.shape[2] // self.x.shape[3]

    def fan_in(self) -> int:
        return 1

    def per_input(self, vector: Array) -> Array:
        """See `WeightedLayer`."""
        return np.repeat(vector, self.channel_multiplier())

    def may_overwrite_row(self) -> bool:
        """A 3x3 window that holds its columns while it moves by one or two reads each element once, before the output
        at its place is written."""
        (_, stride), (_, dilation), (_, left, _, _) = self.geometry()
        plain = self.window() == (3, 3) and self.channel_multiplier() == 1 and dilation == 1
        alike = self.x.dtype is self.type.dtype
        return plain and alike and stride in (1, 2) and left <= 3 - stride

    def output_size(self) -> tuple[int, int]:
        if self.w.type.rank != 3:
            raise IRError(f"weights have 3 dimensions (HWC), not {self.w.type}")
        return super().output_size()

    def check_weights(self) -> None:
        if self.x.shape[3] < 1 or self.w.shape[2] < 1 or self.w.shape[2] % self.x.shape[3]:
            raise IRError(f"weights {self.w.type} have not a multiple of the {self.x.shape[3]} input channels")

    def macs(self) -> int:
        return self.type.size * self.w.shape[0] * self.w.shape[1]


BLOCK = 1 << 16
"""Elements of windows that are laid out side by side at a time, so that they stay in a cache."""


def windows(op: Spatial, x: Array, pad_value: float) -> Array:
    """The windows of an operand, [batch, rows and columns of the result, kernel rows, kernel columns, channels]: a view
    of the padded operand, to be read only."""
    (sy, sx), (dy, dx), (top, left, bottom, right) = op.geometry()
    batch, rows, columns, channels = x.shape
    padded = x
    if any((top, left, bottom, right)):
        padded = np.full((batch, top + rows + bottom, left + columns + right, channels), pad_value, x.dtype)
        padded[:, top : top + rows, left : left + columns] = x
    b, y, x_, c = padded.strides
    shape = (batch, *op.output_size(), *op.window(), channels)
    return as_strided(padded, shape, (b, sy * y, sx * x_, dy * y, dx * x_, c), writeable=False)


def patches(op: Spatial, x: Array, pad_value: float) -> Iterator[Array]:
    """For each place of the window, the operand's elements it meets, NHWC at the result's size."""
    found = windows(op, x, pad_value)
    return (found[:, :, :, ky, kx] for ky in range(found.shape[3]) for kx in range(found.shape[4]))


def sums_of_products(op: Spatial, x: Array, w: Array, groups: int, pad_value: float) -> Array:
    """The sums over window and input channels, in float64; weights are OHWI. Of int8 they are exact."""
    inputs, outputs = w.shape[3], w.shape[0] // groups
    found = windows(op, x.astype(np.float64), pad_value)
    total = np.empty((*found.shape[:3], w.shape[0]), np.float64)
    products = w[0].size
    step = max(1, BLOCK // max(found.shape[0] * found.shape[2] * products, 1))
    for g in range(groups):
        out = slice(g * outputs, (g + 1) * outputs)
        weights = w[out].reshape(outputs, products).T.astype(np.float64)
        for row in range(0, found.shape[1], step):
            block = found[:, row : row + step, ..., g * inputs : (g + 1) * inputs]
            total[:, row : row + step, :, out] = block.reshape(*block.shape[:3], products) @ weights
    return total


@dataclass(frozen=True)
class Convolution(Weighted, LinearLayer, accuracy=Accuracy.SUM):
    """Base of both convolutions: weights, an optional bias, geometry, pad value and the fused activation's limits.

    Sums are accumulated in float64 and rounded once: the reference every float kernel is measured against.
    """

    b: Value | None = None
    strides: tuple[int, ...] = (1, 1)
    pads: tuple[int, ...] = (0, 0, 0, 0)
    dilations: tuple[int, ...] = (1, 1)
    pad_value: float = 0.0
    min: float = -math.inf
    max: float = math.inf

    @classmethod
    def rest(cls, draw: Draw, outputs: int, products: int, operand: DType) -> dict[str, Any]:
        pad_value = draw.choice([0.0, 0.0, 0.0, 1.5])
        return {**super().rest(draw, outputs, products, operand), **draw.geometry(), "pad_value": pad_value}

    def geometry(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return self.strides, self.dilations, self.pads

    def infer(self) -> TensorType:
        self.check_floats()
        height, width = self.output_size()
        self.check_weights()
        if self.b is not None and self.b.shape != (self.out_channels(),):
            raise IRError(f"the bias {self.b.type} has not one entry an output channel ({self.out_channels()})")
        if self.min > self.max:
            raise IRError(f"min {self.min} is above max {self.max}")
        return TensorType((self.x.shape[0], height, width, self.out_channels()), self.x.dtype)

    def finish(self, total: Array, bias: Array | None) -> Array:
        """Adds the bias, rounds and limits."""
        if bias is not None:
            total = total + bias.astype(np.float64)
        return np.clip(total, self.min, self.max).astype(self.x.dtype.numpy)

    def some_windows(self, x: Array, most: int) -> Array:
        """Windows of an operand, [places, kernel rows, kernel columns, channels], of at most `most` places."""
        found = windows(self, x, self.pad_value)
        return found[np.unravel_index(some_places(math.prod(found.shape[:3]), most), found.shape[:3])]

    def row_fill(self) -> float | None:
        return self.pad_value

    def outside(self) -> float | None:
        return self.pad_value if any(self.pads) else None

    def with_outside(self: ConvT, value: float) -> ConvT:
        return dataclasses.replace(self, pad_value=value)

    def quantised(self) -> IntegerForm | StaysFloat:
        if not math.isfinite(self.outside() or 0.0):
            return StaysFloat(f"it pads with {self.pad_value}, which no int8 value stands for")
        return IntegerForm(Form.LAYER, (self.x,), self.operands[1:])


@dataclass(frozen=True)
class Conv2d(OhwiWeights, Convolution, mnemonic="conv2d"):
    """2-D convolution. Weights are [out_channels, kernel_height, kernel_width, in_channels / groups] (OHWI).

    y = clamp(sum over window and input channels of x * w + b, min, max); outside the operand x is pad_value.
    """

    groups: int = 1

    def evaluate(self, *operands: Array) -> Array:
        x, w, b = operands
        return self.finish(sums_of_products(self, x, w, self.groups, self.pad_value), b)

    def met(self, x: Array, most: int) -> Array:
        found = self.some_windows(x, most)
        grouped = found.reshape(*found.shape[:3], self.groups, -1)
        return np.moveaxis(grouped, 3, 0).reshape(self.groups, len(found), -1)

    def in_steps(self, fused: bool, *operands: Array) -> Array | None:
        """The bias, then row by row of the window, in a row column by column, and in a column channel by channel."""
        x, w, b = operands
        inputs, outputs = self.w.shape[3], self.w.shape[0] // self.groups
        found = windows(self, x, self.pad_value)
        total = np.empty((*found.shape[:3], w.shape[0]), np.float32)
        for g in range(self.groups):
            out = slice(g * outputs, (g + 1) * outputs)
            for row in range(found.shape[1]):
                elements = found[:, row, ..., g * inputs : (g + 1) * inputs].reshape(-1, w[0].size)
                weights = w[out].reshape(outputs, -1)
                sums = sums_in_order(elements, weights, None if self.b is None else b[out], fused)
                total[:, row, :, out] = sums.reshape(found.shape[0], found.shape[2], outputs)
        return limited(total, self.min, self.max)


@dataclass(frozen=True)
class DepthwiseConv2d(HwcWeights, Convolution, mnemonic="depthwise_conv2d"):
    """Depthwise convolution. Weights are [kernel_height, kernel_width, in_channels * multiplier].

    Output channel c * multiplier + m sees input channel c alone; the rest is as in `conv2d`.
    """

    def evaluate(self, *operands: Array) -> Array:
        x, w, b = operands
        wide = np.repeat(x.astype(np.float64), self.channel_multiplier(), axis=3)
        total = np.einsum("nhwykc,ykc->nhwc", windows(self, wide, self.pad_value), w.astype(np.float64))
        return self.finish(total, b)

    def met(self, x: Array, most: int) -> Array:
        found = np.moveaxis(self.some_windows(x, most), 3, 0)
        return found.reshape(*found.shape[:2], -1)

    def in_steps(self, fused: bool, *operands: Array) -> Array | None:
        """The bias, then column by column of the window, in a column from the top down."""
        x, w, b = operands
        found = windows(self, np.repeat(x, self.channel_multiplier(), axis=3), self.pad_value)
        total = np.empty(found.shape[:3] + found.shape[5:], np.float32)
        start = np.zeros(self.w.shape[2], np.float32) if self.b is None else b
        small = fused and may_be_small(x, w)
        for row in range(found.shape[1]):
            sums = Sums(np.broadcast_to(start, total[:, row].shape), fused, small)
            for kx in range(w.shape[1]):
                for ky in range(w.shape[0]):
                    sums.add(sums.wide(found[:, row, :, ky, kx]), sums.wide(w[ky, kx]))
            total[:, row] = sums.total
        return limited(total, self.min, self.max)
