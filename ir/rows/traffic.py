"""How many bytes the stages of a row program move in each memory: what makes a buffer worth a place in a fast one.

Stages count, not loads: a step reads every row of its windows once, so that a row which three windows hold is read
three times; an operand that it takes whole it reads whole, and it writes the rows that it computes. What is gathered of
rows is read and written with each of them. Scratch memory is
written and read once a step. What a kernel keeps in registers, or loads more than once, is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinyc.ir.rows.parts import Space, Stage, row_count
from tinyc.ir.rows.program import RowProgram


def stage_traffic(stage: Stage) -> Iterator[tuple[str, int]]:
    """The bytes that a stage moves in an inference, by the name of each value that it touches; one may come twice."""
    for position, operand in enumerate(stage.op.operands):
        size = operand.type.bytes // max(row_count(operand), 1)
        read = _rows_read(stage, position)
        for fresh in (f for f in stage.fresh if f.operand == position):
            newest = _rows_read(stage, position, fresh.place)
            yield fresh.value.name, newest * size
            read -= newest
        yield operand.name, read * size
    held = stage.op.gathered() if stage.gathers else None
    if held is None:
        yield stage.result.name, stage.result.type.bytes
    else:
        # What is gathered is written with each row, and read with each but the first.
        yield stage.result.name, max(held.bytes, stage.result.type.bytes) * (2 * stage.rows - 1)
    if stage.kernel.scratch is not None:
        # One that has rows has one for each application.
        times = stage.applications // row_count(stage.kernel.scratch)
        yield stage.kernel.scratch.name, 2 * stage.kernel.scratch.type.bytes * times


def _rows_read(stage: Stage, position: int, place: int | None = None) -> int:
    """How many rows of an operand the steps of a stage read, all together; or those at one place of the window."""
    window, height = stage.windows[position] if stage.windows else None, row_count(stage.op.operands[position])
    if window is None:
        return height * stage.applications
    rows = window.read(np.arange(stage.rows), height)
    rows = rows if place is None else rows[:, place]
    return int(((rows >= 0) & (rows < height)).sum())


def traffic(program: RowProgram) -> dict[str, int]:
    """The bytes moved in each memory of the arena in an inference, by the name of the buffer that owns it."""
    found: dict[str, int] = {}
    for stage in program.stages:
        for name, size in stage_traffic(stage):
            root, _ = program.root(name)
            if root.space is Space.ARENA:
                found[root.name] = found.get(root.name, 0) + size
    return found


def moved(program: RowProgram) -> tuple[int, int]:
    """The bytes moved in the arena, and in that of the external memory."""
    slots = program.plan.by_buffer if program.plan is not None else {}
    sums = [0, 0]
    for name, size in traffic(program).items():
        sums[name in slots and slots[name].external] += size
    return sums[0], sums[1]
