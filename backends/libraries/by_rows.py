"""What a library is called with for one row of a result, in the midst of layers that advance together.

A library takes an operand that lies in one piece. One row, the window of most layers of 1x1 and of elements, does. The
rows of a larger window lie in a ring, some of them elsewhere or not at all: they are copied side by side, padding among
them, and the layer that is then computed has no pads, one row, and an operand that begins where vectors can be loaded
and that the result may lie over. A result that lies where they cannot be stored is put aside and copied.

All of that is in the scratch memory of the stage: first what the library asks for, then the window, then the result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import singledispatch

from tinyc.backends.libraries.call import Gathered, LibraryCall
from tinyc.backends.libraries.operands import VECTOR
from tinyc.ir.op import Op, RowMode, Value, Window
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.rows import Stage, row_count
from tinyc.ir.types import TensorType

PER_BYTE, PER_ROW, PER_WEIGHT = 0.6, 20, 1
"""About the instructions that copying takes for each byte and each row, and what a library does with each weight at the
begin of each call: they are laid out otherwise, or summed. Nobody has counted them."""


def forms(stage: Stage) -> Iterator[tuple[Op, Gathered | None]]:
    """The operators that compute a row of a stage from its window, and how that is gathered: as it lies first, where it
    can be. None for a stage that has no rows, or gathers its result from them."""
    if not stage.windows or stage.gathers:
        return
    taken = [(v, w) for v, w in zip(stage.op.operands, stage.windows, strict=True) if w is not None]
    if all(window.size == 1 for _, window in taken):
        yield stage.op.row_op(1, 1), None
    if len(taken) == 1 and taken[0][0] is stage.op.operands[0]:
        yield _side_by_side(stage, *taken[0])


def _side_by_side(stage: Stage, value: Value, window: Window) -> tuple[Op, Gathered]:
    """The operator on the rows of a window side by side."""
    op, size = stage.op.row_op(1, window.size), value.type.size // row_count(value)
    if window.mode is not RowMode.CLIP:
        return _padded(op, Gathered(window.size, size, fill=int(stage.op.row_fill() or 0)))
    clips = any(len(stage.input_rows(0, row) or ()) < window.size for row in range(stage.rows))
    return op, Gathered(window.size, size, fewer=clips)


@singledispatch
def _padded(op: Op, rows: Gathered) -> tuple[Op, Gathered]:
    """The same without pads, which are among what is gathered."""
    return op, rows


@_padded.register
def _padded_window(op: Spatial, rows: Gathered) -> tuple[Op, Gathered]:
    (_, stride), (_, dilation), (_, left, *_) = op.geometry()
    batch, height, width, channels = op.x.shape
    # As many columns as a library thinks that the last window could reach.
    wide = op.type.shape[2] * stride + (op.window()[1] - 1) * dilation
    inside = min(width, wide - left)
    x = Value(op.x.name, TensorType((batch, height, wide, channels), op.x.dtype))
    plain = dataclasses.replace(op, x=x, pads=(0, 0, 0, 0))  # type: ignore[call-arg]
    before, after = left * channels, (wide - left - inside) * channels
    return plain, dataclasses.replace(rows, size=inside * channels, before=before, after=after)


def window_at(asked: int) -> int:
    """Where the gathered window begins in scratch memory of which the library asks for so many bytes."""
    return -(-asked // VECTOR) * VECTOR


def result_at(call: LibraryCall, asked: int) -> int:
    """Where the result begins that is put aside."""
    window = call.gathered.elements if call.gathered is not None else 0
    return -(-(window_at(asked) + window) // VECTOR) * VECTOR


def memory(call: LibraryCall, asked: int) -> int:
    """The bytes of scratch memory that a call takes of which the library asks for so many."""
    if call.aside:
        return result_at(call, asked) + call.results
    return asked if call.gathered is None else window_at(asked) + call.gathered.elements


def estimated(call: LibraryCall, each: int | None, calls: int) -> int | None:
    """About the instructions of so many calls of which each takes so many, were it the only one; None where nothing is
    known."""
    if each is None:
        return None
    rows, elements = (0, 0) if call.gathered is None else (call.gathered.rows, call.gathered.elements)
    copied = PER_ROW * rows + PER_BYTE * (elements + call.results * call.aside)
    return round(calls * (each + copied) + (calls - 1) * PER_WEIGHT * call.weights)
