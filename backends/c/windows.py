"""Which windows reach beyond the rows and columns of their operand."""

from __future__ import annotations

from tinyc.ir.op import Window
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.rows import Stage


def beside(op: Spatial) -> tuple[int, int]:
    """How many pixels at the begin of a row of the result, and how many of the others at its end, have windows that
    reach columns that the operand does not have."""
    (_, stride), (_, dilation), (_, left, _, _) = op.geometry()
    width = op.type.shape[2]
    before = min(-(-left // stride), width)
    last = op.x.shape[2] - 1 + left - (op.window()[1] - 1) * dilation
    return before, width - max(min(last // stride + 1, width), before)


def leaves_columns(op: Spatial) -> bool:
    """Whether a window reaches columns that the operand does not have."""
    return any(beside(op))


def leaves_rows(stage: Stage, window: Window, height: int) -> bool:
    """Whether a window reaches rows that the operand does not have."""
    last = (stage.rows - 1) * window.stride - window.pad + (window.size - 1) * window.dilation
    return window.pad > 0 or (last >= height and not stage.endless)
