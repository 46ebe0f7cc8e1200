"""When the stages of a segment compute their rows.

Stages that advance together form a multirate pipeline: a stage whose window moves by two rows computes one row for two
of its operand's. Each has a period, which follows from the strides, and a delay, the least with which every row that it
reads has been computed (software pipelining, with rows for iterations).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from tinyc.ir.op import Window
from tinyc.ir.rows import Pace, RowProgram


@dataclass(frozen=True)
class Edge:
    """A stage of a segment reads what another one of it computes, by a window."""

    writer: int
    reader: int
    window: Window


def edges(program: RowProgram, stages: range) -> list[Edge] | None:
    """The edges within these stages, by reader; None when one of them reads another's result whole, or by other rows
    than those in which it is computed."""
    writers = {program.stages[k].result.name: k for k in stages}
    found = []
    for reader in stages:
        stage = program.stages[reader]
        for operand, window in zip(stage.op.operands, stage.windows, strict=True):
            name = operand.name
            while name not in writers:
                view = program.buffer[name].view
                if view is None:
                    break
                name = view.base
            if name not in writers or writers[name] >= reader:
                continue
            if window is None or not same_rows(program, operand.name, name):
                return None
            found.append(Edge(writers[name], reader, window))
    return found


def same_rows(program: RowProgram, one: str, other: str) -> bool:
    """Whether two buffers that share memory have the same rows in the same places."""
    a, b = program.buffer[one], program.buffer[other]
    return (a.rows, a.row_bytes, program.root(one)[1]) == (b.rows, b.row_bytes, program.root(other)[1])


def paces(program: RowProgram, stages: range, reverse: bool) -> tuple[Pace, ...] | None:
    """The pace of each stage, as early as can be; None when these stages cannot advance together."""
    if any(not program.stages[k].windows for k in stages):
        return None
    within = edges(program, stages)
    periods = _periods(stages, within) if within is not None else None
    if within is None or periods is None:
        return None
    delay = dict.fromkeys(stages, 0)
    for reader in stages:
        for edge in within:
            if edge.reader == reader:
                ahead = reach(program, edge, reverse)
                delay[reader] = max(delay[reader], delay[edge.writer] + ahead * periods[edge.writer])
        for earlier, window in overwritten(program, stages, reader):
            if periods[earlier] != window.stride * periods[reader]:
                return None
            height = program.stages[reader].rows
            last = (program.stages[earlier].rows - 1) * window.stride + (window.size - 1) * window.dilation
            pad = last - window.pad - (height - 1) if reverse else window.pad
            delay[reader] = max(delay[reader], delay[earlier] + max(pad, 0) * periods[reader])
    return tuple(Pace(delay[k], periods[k]) for k in stages)


def reach(program: RowProgram, edge: Edge, reverse: bool) -> int:
    """The last row, in the order of the segment, that the first row of a reader needs of a writer's."""
    span = (edge.window.size - 1) * edge.window.dilation
    if not reverse:
        return span - edge.window.pad
    rows, height = program.stages[edge.reader].rows, program.stages[edge.writer].rows
    # Counted from the last row, the first of a window is the last.
    first = (rows - 1) * edge.window.stride - edge.window.pad
    return height - 1 - first


def overwritten(program: RowProgram, stages: range, writer: int) -> Iterator[tuple[int, Window]]:
    """The earlier stages of a segment that read by a window what stage `writer` writes its result over: row r of the
    result may be written once they have read row r."""
    home = program.root(program.stages[writer].result.name)[0]
    for earlier in range(stages.start, writer):
        stage = program.stages[earlier]
        for operand, window in zip(stage.op.operands, stage.windows, strict=True):
            if window is not None and program.root(operand.name)[0] is home:
                yield earlier, window


def _periods(stages: range, within: list[Edge]) -> dict[int, int] | None:
    """The period of each stage, the least 1; None when strides contradict each other or stages are not connected."""
    # On the way to a stage each edge is taken once at most, so all rates are whole.
    rate: dict[int, int] = {stages.start: prod(edge.window.stride for edge in within)}
    waiting = [stages.start]
    while waiting:
        at = waiting.pop()
        for edge in within:
            if at == edge.writer and edge.reader not in rate:
                rate[edge.reader] = rate[at] * edge.window.stride
                waiting.append(edge.reader)
            elif at == edge.reader and edge.writer not in rate:
                rate[edge.writer] = rate[at] // edge.window.stride
                waiting.append(edge.writer)
    if len(rate) != len(stages) or any(rate[e.reader] != rate[e.writer] * e.window.stride for e in within):
        return None
    least = min(rate.values())
    return {k: value // least for k, value in rate.items()} if all(v % least == 0 for v in rate.values()) else None
