"""What a call of a kernel library computes, as numbers that gates, scratch sizes and costs are stated in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Gathered:
    """Rows of a window that are copied, one after another, to where the library reads them.

    Attributes:
        rows: how many.
        size: elements of each that are copied.
        before, after: elements beside them, of padding.
        fill: what those are.
        fewer: where some are not there, the call is for a window of those that are.
    """

    rows: int
    size: int
    before: int = 0
    after: int = 0
    fill: int = 0
    fewer: bool = False

    @property
    def elements(self) -> int:
        """Those of all rows."""
        return self.rows * (self.before + self.size + self.after)


@dataclass(frozen=True)
class LibraryCall:
    """The geometry of one call.

    Attributes:
        kind: the function: conv, depthwise, dense, max_pool, avg_pool, mean, add, mul, mul_channels, softmax.
        height, width, channels: of the operand. Dense layers and softmax: rows, 1, entries of a row. Elementwise ones:
            1, 1, elements; a factor for each channel: 1, pixels, channels.
        out_height, out_width, outputs: of the result; outputs are channels.
        kernel, strides, begin, dilations: (vertical, horizontal); `begin` are the pads above and to the left.
        images: batch size.
        groups: of a convolution.
        each: channel multiplier of a depthwise convolution.
        low, high: limits of the result.
        largest_sum: what the size of no partial sum exceeds, with zero points subtracted as the library does it.
        left: left shift of a softmax.
        whole: a sum by whole factors (`QAdd.whole`).
        aligned: operands, and the result where vectors are stored to it, lie at multiples of 16 bytes.
        in_place: the result lies over an operand.
        gathered: how the operand comes to lie in one piece; None where it does.
        aside: the result is put aside at first, since vectors cannot be stored to where it lies.
    """

    kind: str
    height: int
    width: int
    channels: int
    out_height: int
    out_width: int
    outputs: int
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    begin: tuple[int, int] = (0, 0)
    dilations: tuple[int, int] = (1, 1)
    images: int = 1
    groups: int = 1
    each: int = 1
    low: int = -128
    high: int = 127
    largest_sum: int = 0
    left: int = 0
    whole: bool = False
    aligned: bool = True
    in_place: bool = False
    gathered: Gathered | None = None
    aside: bool = False

    @property
    def end(self) -> tuple[int, int]:
        """Rows below and columns to the right of the operand that the last windows reach."""
        ends = zip(
            (self.out_height, self.out_width),
            self.strides,
            self.kernel,
            self.begin,
            (self.height, self.width),
            strict=True,
        )
        down, right = (max((out - 1) * step + size - start - inside, 0) for out, step, size, start, inside in ends)
        return down, right

    @property
    def pads(self) -> bool:
        """Whether a window reaches what the operand does not have."""
        return any(self.begin) or any(self.end)

    @property
    def window(self) -> int:
        """Elements of the operand that one element of a convolution's result is a sum over."""
        return self.kernel[0] * self.kernel[1] * self.channels // self.groups

    @property
    def results(self) -> int:
        """Elements of the result."""
        return self.images * self.out_height * self.out_width * self.outputs

    @property
    def work(self) -> int:
        """What costs are counted by: multiply-accumulates, or, of what has none, elements of the result; for a mean,
        those of the operand."""
        if self.kind in ("conv", "dense"):
            return self.results * self.window
        if self.kind == "depthwise":
            return self.results * self.kernel[0] * self.kernel[1]
        if self.kind == "mean":
            return self.images * self.height * self.width * self.channels
        return self.results

    @property
    def weights(self) -> int:
        """Those of a convolution."""
        area = self.kernel[0] * self.kernel[1]
        return {"conv": self.window * self.outputs, "depthwise": area * self.outputs}.get(self.kind, 0)


@dataclass(frozen=True)
class Gate:
    """Where a library must not be called.

    Attributes:
        name: what reports call it.
        kinds: of which layers; none for all.
        chips: on chips with which vector instructions ("" for those without any); none for all.
        fires: whether it holds for a call.
        because: what would go wrong, in a few words.
        known: how that is known: "run" (seen to be wrong), "read" (from the sources), "interface" (the function has no
            parameter for it), or "caution".
        fixed: the version of the library from which on it is right; empty when there is none that is known.
    """

    name: str
    kinds: tuple[str, ...]
    chips: tuple[str, ...]
    fires: Callable[[LibraryCall], bool]
    because: str
    known: str
    fixed: str = ""

    def holds(self, call: LibraryCall, chip: str) -> bool:
        """Whether it keeps this layer from the library on such a chip."""
        return (
            (not self.kinds or call.kind in self.kinds) and (not self.chips or chip in self.chips) and self.fires(call)
        )
