"""Memory of the arena that is free while a stage runs, for kernels that are faster with some."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.op import Value, unused
from tinyc.ir.rows import Buffer, RowProgram, Slot, Space, Stage
from tinyc.ir.rows.lives import lifetimes, lives
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import RowPass

Wants = Callable[[RowProgram, Stage], int]
"""How many int32 words a stage's kernel can use; 0 for none."""


def nothing(program: RowProgram, stage: Stage) -> int:
    """No kernel wants memory."""
    return 0


@dataclass(frozen=True)
class UseSpareMemory(RowPass, name="use-spare-memory"):
    """Gives stages scratch memory where the planned arena has a gap while they run: the arena stays as large as it is.

    Stages come in their order, each with the first gap that is large enough. Those that a kernel library computes have
    what it asked for, and those that cores share would write one memory at once.

    `wants` says what a stage can use; `words` is for those of which it says nothing.
    """

    wants: Wants = nothing
    words: int = 0

    def run(self, program: RowProgram) -> RowProgram:
        wanted = _wanted(program, self.wants, self.words) if program.plan is not None else {}
        if not wanted or program.plan is None:
            return program
        found, touched = lives(_with(program, wanted)), lifetimes(_with(program, wanted))
        scratch = {value.name for value in wanted.values()}
        taken = [np.zeros((0, 4), np.int64)]
        for name, life in found.items():
            if name not in scratch:
                at = program.plan.by_buffer[name].offset
                taken.append(life.rectangles() + np.array([at, at, 0, 0]))
        slots: list[Slot] = []
        given: dict[int, Value] = {}
        occupied = np.concatenate(taken)
        for number, value in wanted.items():
            span = found[value.name].hull
            place = _gap(occupied, span, value.type.bytes, value.dtype.bytes, program.plan.bytes)
            if place is None:
                continue
            given[number] = value
            slots.append(Slot(value.name, place, value.type.bytes, *touched[value.name]))
            occupied = np.concatenate([occupied, [[place, place + value.type.bytes, *span]]])
        if not given:
            return program
        alignment = max([program.plan.alignment, *(v.dtype.bytes for v in given.values())])
        plan = dataclasses.replace(program.plan, slots=(*program.plan.slots, *slots), alignment=alignment)
        return dataclasses.replace(_with(program, given), plan=plan)


def _wanted(program: RowProgram, wants: Wants, otherwise: int) -> dict[int, Value]:
    """The memory that stages can use, by their number."""
    names = {b.name for b in program.buffers}
    found: dict[int, Value] = {}
    for number, stage in enumerate(program.stages):
        words = 0 if stage.kernel.library or stage.split > 1 else wants(program, stage) or otherwise
        if words:
            found[number] = Value(unused(f"{stage.result.name}_words", names), TensorType((words,), DType.I32))
            names.add(found[number].name)
    return found


def _with(program: RowProgram, scratch: dict[int, Value]) -> RowProgram:
    """The program with scratch memory for these stages."""
    stages = list(program.stages)
    for number, value in scratch.items():
        kernel = dataclasses.replace(stages[number].kernel, scratch=value)
        stages[number] = dataclasses.replace(stages[number], kernel=kernel)
    buffers = (*program.buffers, *(Buffer(value, Space.ARENA) for value in scratch.values()))
    return dataclasses.replace(program, buffers=buffers, stages=tuple(stages))


def _gap(occupied: NDArray[np.int64], span: tuple[int, int], size: int, step: int, end: int) -> int | None:
    """The lowest multiple of `step` at which `size` bytes below `end` are free in a span of time; None without any.
    `occupied` has rows of (first byte, end, first time, last time)."""
    first, last = span
    meets = (occupied[:, 2] <= last) & (occupied[:, 3] >= first)
    at = 0
    for low, high in sorted(map(tuple, occupied[meets, :2].tolist())):
        if low - at >= size:
            break
        at = max(at, -(-high // step) * step)
    return at if at + size <= end else None
