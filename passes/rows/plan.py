"""Arena planning: an offset for every buffer, from the lives of its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tinyc.ir.rows import WORD, Plan, RowProgram, Slot, Stage
from tinyc.ir.rows.lives import Life, lifetimes, lives, peak
from tinyc.passes.core.base import PassError, RowPass
from tinyc.passes.placement import Apart, Block, place


@dataclass(frozen=True)
class PlanArena(RowPass, name="plan-arena"):
    """Gives every arena buffer an offset such that rows alive at one time never share bytes.

    A buffer may lie over rows of another one that are dead by the time its own rows are written: how far apart two
    buffers have to lie follows from the lives of their rows. The search is exact within its limit; the lower bound
    says how far from optimal the plan can be.

    `alignment` is that of all offsets; elements are aligned in any case. `seconds` limits the search, which as a rule
    takes a fraction of one.
    """

    alignment: int = 1
    seconds: float = 10.0

    def run(self, program: RowProgram) -> RowProgram:
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise PassError(f"plan-arena: the alignment is a power of two, not {self.alignment}")
        found = lives(program)
        wanted = alignments(program)
        blocks = [
            Block(name, life.owner.bytes, max(self.alignment, wanted[name], life.owner.value.dtype.bytes))
            for name, life in found.items()
        ]
        placed = place(blocks, list(distances(found)), lower_bound=peak(list(found.values())), seconds=self.seconds)
        touched = lifetimes(program)
        slots = tuple(Slot(b.name, placed.offsets[b.name], b.bytes, *touched[b.name]) for b in blocks)
        alignment = max((b.alignment for b in blocks), default=1)
        plan = Plan(slots, placed.bytes, placed.bytes if placed.optimal else placed.lower_bound, alignment)
        return dataclasses.replace(program, plan=plan)


def alignments(program: RowProgram) -> dict[str, int]:
    """What the addresses of each memory have to be multiples of for the kernel libraries that touch it, and for what
    moves elements within it by words."""
    found = {program.root(b.name)[0].name: 1 for b in program.buffers}
    for stage in program.stages:
        for value in stage.touched:
            name = program.root(value.name)[0].name
            found[name] = max(found[name], stage.kernel.alignment, _words_moved(program, stage))
        held = stage.op.gathered() if stage.gathers else None
        if held is not None:
            name = program.root(stage.result.name)[0].name
            found[name] = max(found[name], held.dtype.bytes)
    return found


def _words_moved(program: RowProgram, stage: Stage) -> int:
    """What the addresses of rows are multiples of that are moved by the word, and of what moves within its memory."""
    blocks = stage.op.in_blocks() if program.overwrites(stage) else None
    if blocks is not None:
        return blocks.word
    moved = stage.copies_rows and not program.takes_rows(stage) and not program.gives_rows(stage)
    return WORD if moved and program.buffer[stage.result.name].row_bytes % WORD == 0 else 1


def distances(found: Mapping[str, Life]) -> Iterator[Apart]:
    """How far apart buffers must lie that are alive at one time.

    Where a row of the first and one of the second are alive at one time, they must not share bytes: that forbids an
    interval of distances. What is forbidden altogether is taken to be one interval, from the least to the largest.
    """
    parts = {name: part for name, life in found.items() if len(part := life.rectangles())}
    names = list(parts)
    first = np.array([parts[name][:, 2].min() for name in names])
    last = np.array([parts[name][:, 3].max() for name in names])
    for position, name in enumerate(names):
        together = (first[position + 1 :] <= last[position]) & (first[position] <= last[position + 1 :])
        for other in (np.flatnonzero(together) + position + 1).tolist():
            a, b = parts[name], parts[names[other]]
            meet = (a[:, None, 2] <= b[None, :, 3]) & (b[None, :, 2] <= a[:, None, 3])
            if meet.any():
                below = (a[:, None, 0] - b[None, :, 1])[meet].min()
                above = (a[:, None, 1] - b[None, :, 0])[meet].max()
                yield Apart(name, names[other], int(below), int(above))
