"""Windows that slide: what convolutions and pools share. Brings a channel-first tensor to NHWC rows and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.errors import BatchError
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.ir import Value
from tinyc.ir.ops import Slice


@dataclass(frozen=True)
class Geometry:
    """A window over the 1 or 2 spatial dimensions of a channel-first tensor; pads before and after each dimension.

    Negative pads cut elements off: `crop` does that to the rows, and `pads4` has what remains.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """Elements from the first to the last one the window touches."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def strides2(self) -> tuple[int, ...]:
        """Strides for the IR: vertical, horizontal. One spatial dimension lies along the rows."""
        return two(self.strides)

    def dilations2(self) -> tuple[int, ...]:
        """Dilations for the IR."""
        return two(self.dilations)

    def pads4(self) -> tuple[int, ...]:
        """Pads for the IR, of rows that were cropped: top, left, bottom, right."""
        return tuple(max(p, 0) for p in (*two(self.before, 0), *two(self.after, 0)))


def two(values: tuple[int, ...], rest: int = 1) -> tuple[int, ...]:
    """Values of 1 or 2 spatial dimensions as values of 2."""
    return values if len(values) == 2 else (*values, rest)


def spatial_rank(node: OnnxNode, x: Value, most: int = 2) -> int:
    """1 to `most` spatial dimensions. Raises `FrontendError` for others, and `BatchError` for batches."""
    if not 1 <= x.type.rank - 2 <= most:
        raise node.error(f"its input is {x.type}; only 1 to {most} spatial dimensions are supported")
    if x.shape[0] != 1:
        raise BatchError(f"{node.where}: the batch is {x.shape[0]}; only batch 1 is supported")
    return x.type.rank - 2


def require_float(node: OnnxNode, *values: Value) -> None:
    """Raises `FrontendError` unless all are of floating point."""
    if not all(v.dtype.is_float for v in values):
        raise node.error(f"takes floating point, not {' and '.join(str(v.type) for v in values)}")


Surplus = Callable[[int, bool], int]
"""Where windows begin that leave elements over under SAME padding: given how many are left over, and whether a larger
half lies before (SAME_LOWER). See docs/decisions/0010."""


def from_the_first(surplus: int, lower: bool) -> int:
    """As ONNX's text has it: there is no padding, and the first window begins at the first element."""
    return 0


def window_of(
    node: OnnxNode, x: Value, kernel: tuple[int, ...], begin: Surplus = from_the_first, *, dilated: bool = True
) -> Geometry:
    """The window that the attributes say, auto_pad resolved. Raises `FrontendError` when they do not fit.

    `begin` says how many elements SAME padding skips where the windows leave some over; `dilated`, whether it counts
    the dilations in what a window covers.
    """
    rank = len(kernel)
    strides = node.integers("strides", (1,) * rank)
    dilations = node.integers("dilations", (1,) * rank)
    pads = node.integers("pads", (0,) * (2 * rank))
    if rank != x.type.rank - 2 or len(strides) != rank or len(dilations) != rank or len(pads) != 2 * rank:
        raise node.error(f"kernel {list(kernel)}, strides, dilations and pads do not fit an input of {x.type}")
    if min((*kernel, *strides, *dilations)) < 1:
        raise node.error("kernel, strides and dilations are at least 1")
    window = Geometry(kernel, strides, dilations, pads[:rank], pads[rank:])
    auto = node.choice("auto_pad", ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"), "NOTSET")
    if auto == "VALID":
        return Geometry(kernel, strides, dilations, (0,) * rank, (0,) * rank)
    if auto == "NOTSET":
        if min(pads) < 0:
            raise node.error(f"pads {list(pads)} are negative")
        return window
    before, after = [], []
    covered = window.extents if dilated else kernel
    for size, stride, cover, extent in zip(x.shape[2:], strides, covered, window.extents, strict=True):
        total = (-(-size // stride) - 1) * stride + cover - size
        small, large = total // 2, total - total // 2
        if total < 0:
            small = -begin(-total, auto == "SAME_LOWER")
            # What is left over at the end is less than a stride: only a dilated window could still reach into it.
            large = total - small if extent > cover else 0
        upper = auto == "SAME_UPPER" or total < 0
        before.append(small if upper else large)
        after.append(large if upper else small)
    return Geometry(kernel, strides, dilations, tuple(before), tuple(after))


def crop(ctx: Context, rows: Value, window: Geometry) -> Value:
    """Rows [N,H,W,C] without what negative pads cut off."""
    before = (0, *(max(-p, 0) for p in two(window.before, 0)), 0)
    after = (0, *(max(-p, 0) for p in two(window.after, 0)), 0)
    if not any((*before, *after)):
        return rows
    size = tuple(n - b - a for n, b, a in zip(rows.shape, before, after, strict=True))
    return ctx.emit(Slice(rows, before, size, (1,) * 4))


def to_rows(ctx: Context, x: Value) -> Value:
    """[N,C,H,W] as [N,H,W,C], and [N,C,L] as [N,L,1,C]: one spatial dimension lies along the rows."""
    if x.type.rank == 4:
        return ctx.transpose(x, (0, 2, 3, 1))
    n, c, length = x.shape
    return ctx.reshape(ctx.transpose(x, (0, 2, 1)), (n, length, 1, c))


def from_rows(ctx: Context, y: Value, rank: int) -> Value:
    """The reverse of `to_rows`, for `rank` spatial dimensions."""
    if rank == 2:
        return ctx.transpose(y, (0, 3, 1, 2))
    n, length, _, c = y.shape
    return ctx.transpose(ctx.reshape(y, (n, length, c)), (0, 2, 1))
