"""Memory of the arena that is free while a stage runs, for kernels that are faster with some."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.op import Value, unused
from tinyc.ir.rows import Buffer, Plan, RowProgram, Slot, Space, Stage
from tinyc.ir.rows.lives import lifetimes, lives
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import RowPass

Wants = Callable[[RowProgram, Stage], Sequence[int]]
"""How many int32 words a stage's kernel can use, the best first; none for no use of any."""


def nothing(program: RowProgram, stage: Stage) -> Sequence[int]:
    """No kernel wants memory."""
    return ()


Saves = Callable[[RowProgram, Stage], float]
"""About the instructions that a stage takes less with the memory that it has been given."""


def saves_nothing(program: RowProgram, stage: Stage) -> float:
    """The estimate of who knows of none."""
    return 0.0


@dataclass(frozen=True)
class UseSpareMemory(RowPass, name="use-spare-memory"):
    """Gives stages scratch memory where the planned arena has a gap whenever their kernels run.

    What a kernel leaves there is of no use to it the next time: between two rows the gap may be anybody's. Stages come
    in their order, each with the first gap that is large enough for the best that it can use, or the next best. Those
    that find none share one place behind the arena, which is a part `growth` of the arena's size at most: without it
    the arena stays as large as it is. With a `budget` the arena may take all of that. Stages that a kernel library
    computes have what it asked for, and those that cores share would write one memory at once.

    `wants` says what a stage can use; `words` is for those of which it says nothing. `budget` is what the arena may
    take in bytes, None for any size. The arena of an external memory has none of it.
    """

    wants: Wants = nothing
    words: int = 0
    growth: float = 0.0
    budget: int | None = None

    def run(self, program: RowProgram) -> RowProgram:
        plan = program.plan
        wanted = _wanted(program, self.wants, self.words) if plan is not None else {}
        if not wanted or plan is None:
            return program
        names = _names(program, wanted)
        # When memory is alive does not depend on its size.
        trial = _with(program, {k: _memory(names[k], sizes[0], program.stages[k]) for k, sizes in wanted.items()})
        found, touched = lives(trial), lifetimes(trial)
        taken = [np.zeros((0, 4), np.int64)]
        for name, life in found.items():
            if name not in names.values() and not plan.by_buffer[name].external:
                at = plan.by_buffer[name].offset
                taken.append(life.rectangles() + np.array([at, at, 0, 0]))
        behind, room = self._behind(plan)
        slots: list[Slot] = []
        given: dict[int, Value] = {}
        occupied = np.concatenate(taken)
        for number, sizes in wanted.items():
            name = names[number]
            times = found[name].rectangles()[:, 2:]
            fitting = [(_gap(occupied, times, 4 * size, 4, plan.bytes), size) for size in sizes]
            spare = [(behind if 4 * size <= room else None, size) for size in sizes]
            # What was given may be taken for the best; what was not is for those that have none otherwise.
            order = fitting + spare if self.budget is None else chain(*zip(fitting, spare, strict=True))
            place, size = next((p for p in order if p[0] is not None), (None, 0))
            if place is None:
                continue
            given[number] = _memory(name, size, program.stages[number])
            slots.append(Slot(name, place, 4 * size, *touched[name]))
            if place != behind:
                here = np.broadcast_to([place, place + 4 * size], times.shape)
                occupied = np.concatenate([occupied, np.concatenate([here, times], axis=1)])
        if not given:
            return program
        end = max(plan.bytes, *(slot.offset + slot.bytes for slot in slots))
        grown = dataclasses.replace(
            plan, slots=(*plan.slots, *slots), bytes=end, alignment=max(plan.alignment, DType.I32.bytes)
        )
        return dataclasses.replace(_with(program, given), plan=grown)

    def saved(self, program: RowProgram, saves: Saves) -> float:
        """About the instructions that a planned program takes less with this memory."""
        after = self.run(program)
        return sum(saves(after, stage) for stage in after.stages)

    def _behind(self, plan: Plan) -> tuple[int, int]:
        """Where memory behind the arena begins, and how many bytes of it there may be."""
        begin = -(-plan.bytes // 4) * 4
        most = int(plan.bytes * (1 + self.growth)) if self.budget is None else self.budget
        return begin, most - begin


def _wanted(program: RowProgram, wants: Wants, otherwise: int) -> dict[int, Sequence[int]]:
    """How many words stages can use, the best first, by their number."""
    found = {}
    for number, stage in enumerate(program.stages):
        apart = bool(stage.kernel.library) or stage.split > 1
        sizes = () if apart else wants(program, stage) or ((otherwise,) if otherwise else ())
        if sizes:
            found[number] = sizes
    return found


def _names(program: RowProgram, numbers: Iterable[int]) -> dict[int, str]:
    """Names for the memory of stages."""
    names = {b.name for b in program.buffers}
    found: dict[int, str] = {}
    for number in numbers:
        found[number] = unused(f"{program.stages[number].result.name}_words", names)
        names.add(found[number])
    return found


def _memory(name: str, words: int, stage: Stage) -> Value:
    """Memory that each application of a stage needs anew."""
    shape = (1, stage.applications, words) if stage.applications > 1 else (words,)
    return Value(name, TensorType(shape, DType.I32))


def _with(program: RowProgram, scratch: dict[int, Value]) -> RowProgram:
    """The program with scratch memory for these stages."""
    stages = list(program.stages)
    for number, value in scratch.items():
        kernel = dataclasses.replace(stages[number].kernel, scratch=value)
        stages[number] = dataclasses.replace(stages[number], kernel=kernel)
    buffers = (*program.buffers, *(Buffer(v, Space.ARENA, ring=int(v.type.has_rows)) for v in scratch.values()))
    return dataclasses.replace(program, buffers=buffers, stages=tuple(stages))


def _gap(occupied: NDArray[np.int64], times: NDArray[np.int64], size: int, step: int, end: int) -> int | None:
    """The lowest multiple of `step` at which `size` bytes below `end` are free at all times (first, last), which follow
    each other; None without any. `occupied` has rows of (first byte, end, first time, last time)."""
    before = np.searchsorted(times[:, 0], occupied[:, 3], side="right") - 1
    meets = (before >= 0) & (times[before, 1] >= occupied[:, 2])
    at = 0
    for low, high in sorted(map(tuple, np.unique(occupied[meets, :2], axis=0).tolist())):
        if low - at >= size:
            break
        at = max(at, -(-high // step) * step)
    return at if at + size <= end else None
