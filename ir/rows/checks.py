"""Whether the rows that a stage is given are those that its operator reads.

What a row form says is held against what the operator itself does: its types on the rows that one step gets and, where
it can be said in loops, the elements that these touch. A row form that is wrong passes no better than wrong windows.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinyc.ir.errors import IRError
from tinyc.ir.expr import arguments
from tinyc.ir.loops import Index, Loops
from tinyc.ir.op import Op, RowMode, Value, Window

Windows = tuple[Window | None, ...]


def rows_problem(op: Op, windows: Windows, band: int) -> str:
    """What is wrong with computing an operator row by row, given these rows of its operands; empty if nothing is.

    Args:
        op: the operator on whole tensors.
        windows: the rows of each operand that one row of the result reads; None for all of them.
        band: how many rows of the result one step computes.
    """
    shape = op.type.shape
    if not op.type.has_rows:
        return f"computes rows of {op.type}, which has none"
    if not 1 <= band <= max(shape[1], 1):
        return f"computes {band} of {shape[1]} rows at a time"
    form = op.row_form()
    if form is None or form.windows != windows:
        return "is given other rows than its operator asks for"
    if not op.type.size:
        return ""
    for value, window in zip(op.operands, windows, strict=True):
        if problem := _window_problem(op, value, window, band):
            return problem
    for row in sorted({0, shape[1] // 2, shape[1] - 1} if band == 1 else {0}):
        if problem := _step_problem(op, windows, band, row):
            return problem
    for nest in op.loops() or ():
        if 0 not in nest.space and (problem := _nest_problem(op, windows, nest)):
            return problem
    return ""


def gathering_problem(op: Op, windows: Windows, band: int) -> str:
    """What is wrong with taking the rows of an operator's first operand one by one; empty if nothing is."""
    if op.gathered() is None:
        return "takes rows one by one, which its operator cannot"
    if windows != (Window(), *(None for _ in op.operands[1:])) or band != 1:
        return "is given other rows than its operator gathers"
    return ""


def _window_problem(op: Op, value: Value, window: Window | None, band: int) -> str:
    """Rows that do not exist, and bands of rows that do not lie side by side."""
    if window is None:
        return ""
    if not value.type.has_rows:
        return f"reads rows of {value} {value.type}, which has none"
    rows, height = op.type.shape[1], value.shape[1]
    if band > 1 and not (window.is_pointwise and height == rows):
        return f"computes {band} rows at a time, whose operand {value} has other rows"
    for row in (0, rows - 1):
        inside = [0 <= r < height for r in window.rows(row, height)]
        if window.mode is RowMode.CLIP and not any(inside):
            return f"row {row} reads no row of {value}"
        filled = window.mode is RowMode.FILL and op.row_fill() is not None
        if window.mode is not RowMode.CLIP and not all(inside) and not filled:
            return f"row {row} reads rows outside {value}, for which nothing stands"
    return ""


def _step_problem(op: Op, windows: Windows, band: int, row: int) -> str:
    """Whether the operator on the rows that a step gets gives the rows that it writes."""
    given: list[tuple[int, ...]] = []
    valid = 0
    for value, window in zip(op.operands, windows, strict=True):
        if window is None:
            given.append(value.shape)
            continue
        inside = [r for r in window.rows(row, value.shape[1]) if 0 <= r < value.shape[1]]
        valid = len(inside) if window.mode is RowMode.CLIP else window.size
        given.append((1, band if band > 1 else valid, *value.shape[2:]))
    try:
        step = op.row_op(band, valid)
    except IRError as error:
        return f"has no meaning on rows: {error}"
    for value, shape in zip(step.operands, given, strict=True):
        if value.shape != shape:
            return f"takes {list(value.shape)} of {value} in one step, and is given {list(shape)}"
    if step.type.shape != (1, band, *op.type.shape[2:]):
        return f"gives {list(step.type.shape)} in one step, not {band} row(s) of {op.type}"
    return ""


def _nest_problem(op: Op, windows: Windows, nest: Loops) -> str:
    """Whether the elements that a loop nest reads for a row of the result lie in the rows that are given."""
    rows = op.type.shape[1]
    width = op.type.size // rows
    space = nest.space[: len(nest.space) - nest.reduced]
    down = [d for d, n in enumerate(space) if n > 1 and abs(nest.output.strides[d]) >= width]
    across = [d for d in range(len(nest.space)) if d not in down]
    start, stop = _reach(nest.output, nest.space, [d for d in across if d < len(space)])
    apart = nest.output.strides[down[0]] if down else width
    if len(down) > 1 or apart < 0 or apart % width or start // width != stop // width:
        return "computes elements of several rows in one loop"
    first = start // width
    for number in sorted(_read(nest)):
        value, index, window = op.operands[number], nest.inputs[number], windows[number]
        step = sum(index.strides[d] for d in down)
        if window is None:
            if step:
                return f"reads {value} {value.type} whole, which varies along the rows"
            continue
        low, high = _reach(index, nest.space, across)
        for row in (0, nest.space[down[0]] - 1 if down else 0):
            inside = [r for r in window.rows(first + row * (apart // width), value.shape[1]) if 0 <= r < value.shape[1]]
            size = value.type.size // value.shape[1]
            if low + row * step < min(inside) * size or high + row * step >= (max(inside) + 1) * size:
                return f"reads elements of {value} outside the rows that row {first + row} is given"
    return ""


def _read(nest: Loops) -> set[int]:
    """The operands that a nest reads, those of numbers included."""
    found = arguments(nest.body)
    via = (nest.inputs[k].via for k in found)
    return set(found) | {v.operand for v in via if v is not None}


def _reach(index: Index, space: Sequence[int], dims: Sequence[int]) -> tuple[int, int]:
    """The first and the last element while the counters of some dimensions run and the others stand at 0."""
    ends = [index.strides[d] * (space[d] - 1) for d in dims]
    return index.offset + sum(min(e, 0) for e in ends), index.offset + sum(max(e, 0) for e in ends)
