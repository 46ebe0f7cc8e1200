"""Arena planning: an offset for every buffer, from the lives of its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tinyc.ir.lives import Life, lifetimes, lives, peak
from tinyc.ir.rows import Plan, RowProgram, Slot, verify_program
from tinyc.passes.base import PassError, RowPass
from tinyc.passes.placement import Apart, Block, place


@dataclass(frozen=True)
class PlanArena(RowPass, name="plan-arena"):
    """Gives every arena buffer an offset such that rows alive at one time never share bytes.

    A buffer may lie over rows of another one that are dead by the time its own rows are written: how far apart two
    buffers have to lie follows from the lives of their rows. The search is exact within its limit; the lower bound
    says how far from optimal the plan can be.

    `alignment` is that of all offsets; elements are aligned in any case. `seconds` limits the search.
    """

    alignment: int = 1
    seconds: float = 1.0

    def run(self, program: RowProgram) -> RowProgram:
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise PassError(f"plan-arena: the alignment is a power of two, not {self.alignment}")
        found = lives(program)
        blocks = [
            Block(name, life.owner.bytes, max(self.alignment, life.owner.value.dtype.bytes))
            for name, life in found.items()
        ]
        placed = place(blocks, list(distances(found)), lower_bound=peak(list(found.values())), seconds=self.seconds)
        touched = lifetimes(program)
        slots = tuple(Slot(b.name, placed.offsets[b.name], b.bytes, *touched[b.name]) for b in blocks)
        alignment = max((b.alignment for b in blocks), default=1)
        plan = Plan(slots, placed.bytes, placed.bytes if placed.optimal else placed.lower_bound, alignment)
        planned = dataclasses.replace(program, plan=plan)
        verify_program(planned)
        return planned


def distances(found: Mapping[str, Life]) -> Iterator[Apart]:
    """How far apart buffers must lie that are alive at one time.

    Where a row of the first and one of the second are alive at one time, they must not share bytes: that forbids an
    interval of distances. What is forbidden altogether is taken to be one interval, from the least to the largest.
    """
    names = list(found)
    rectangles = {name: life.rectangles() for name, life in found.items()}
    for position, first in enumerate(names):
        a = rectangles[first]
        for second in names[position + 1 :]:
            b = rectangles[second]
            start, end = found[first].hull
            other_start, other_end = found[second].hull
            if start > other_end or other_start > end or not len(a) or not len(b):
                continue
            meet = (a[:, None, 2] <= b[None, :, 3]) & (b[None, :, 2] <= a[:, None, 3])
            if meet.any():
                below = (a[:, None, 0] - b[None, :, 1])[meet].min()
                above = (a[:, None, 1] - b[None, :, 0])[meet].max()
                yield Apart(first, second, int(below), int(above))


__all__ = ["PlanArena", "distances"]
