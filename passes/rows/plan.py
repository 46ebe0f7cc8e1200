"""Arena planning: an offset for every buffer, from the lives of its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.ir.rows import Plan, RowProgram, Slot, Stage
from tinyc.ir.rows.lives import NEVER, Life, lifetimes, lives, peak
from tinyc.ir.rows.traffic import traffic
from tinyc.ir.types import WORD
from tinyc.passes.core.base import PassError, RowPass
from tinyc.passes.placement import Apart, Block, Placement, Region, place, place_in_regions

TRIALS, NODES = 1000, 40
"""Of the time for one placement, each trial of what lies in which memory has such a part; and so many assignments a
second of it are tried beyond the greedy ones. In less than a second there is none of that."""
SHORTLY = 0.02
"""Seconds, as the planner counts them, for what one segment needs."""


@dataclass(frozen=True)
class PlanArena(RowPass, name="plan-arena"):
    """Gives every arena buffer an offset such that rows alive at one time never share bytes.

    A buffer may lie over rows of another one that are dead by the time its own rows are written: how far apart two
    buffers have to lie follows from the lives of their rows. The search is exact within its limit; the lower bound
    says how far from optimal the plan can be.

    `alignment` is that of all offsets; elements are aligned in any case. `seconds` limits the search, which as a rule
    takes a fraction of one.

    With `memories`, the bytes of an internal and of an external memory, buffers that do not fit into the first go to
    the second: those of which the fewest bytes are moved for each byte that they take. Raises `PassError` where that is
    not found to be large enough either.
    """

    alignment: int = 1
    seconds: float = 4.0
    memories: tuple[int, int] | None = None

    def run(self, program: RowProgram) -> RowProgram:
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise PassError(f"plan-arena: the alignment is a power of two, not {self.alignment}")
        found = lives(program)
        blocks = _blocks(program, found, self.alignment)
        apart, most = list(distances(found)), peak(list(found.values()))
        inside, outside = None, Placement({}, 0, 0, True)
        if self.memories is None or most <= self.memories[0]:
            inside = place(blocks, apart, lower_bound=most, seconds=self.seconds)
        if self.memories is not None and (inside is None or inside.bytes > self.memories[0]):
            inside, outside = _in_two(blocks, apart, self.memories, traffic(program), self.seconds)
        assert inside is not None
        touched = lifetimes(program)
        slots = [
            Slot(b.name, p.offsets[b.name], b.bytes, *touched[b.name], external=p is outside)
            for p in (inside, outside)
            for b in blocks
            if b.name in p.offsets
        ]
        alignment = max((b.alignment for b in blocks), default=1)
        bound = inside.bytes if inside.optimal else inside.lower_bound
        plan = Plan(tuple(slots), inside.bytes, bound, alignment, outside.bytes)
        return dataclasses.replace(program, plan=plan)


def _blocks(program: RowProgram, found: Mapping[str, Life], alignment: int = 1) -> list[Block]:
    wanted = alignments(program)
    return [
        Block(name, life.owner.bytes, max(alignment, wanted[name], life.owner.value.dtype.bytes))
        for name, life in found.items()
    ]


def segment_needs(program: RowProgram, wanted: Collection[int]) -> dict[int, int]:
    """The least bytes in which all that is alive while a segment runs can be placed, as far as a short search proves
    it, for each of these segments by its place in the order."""
    found, start = lives(program), 0
    hulls = {name: life.hull for name, life in found.items()}
    blocks = {block.name: block for block in _blocks(program, found)}
    needs = {}
    for number, segment in enumerate(program.order):
        stop = start + program.sweeps(segment) * len(segment.paces)
        if number in wanted:
            near = [name for name, (first, last) in hulls.items() if first < stop and last >= start]
            here = {name: found[name].during(start, stop) for name in near}
            here = {name: life for name, life in here.items() if life.hull[1] > NEVER}
            most = peak(list(here.values()))
            placed = place([blocks[name] for name in here], list(distances(here)), lower_bound=most, seconds=SHORTLY)
            needs[number] = placed.bytes if placed.optimal else placed.lower_bound
        start = stop
    return needs


def _in_two(
    blocks: Sequence[Block],
    apart: Sequence[Apart],
    memories: tuple[int, int],
    moved: Mapping[str, int],
    seconds: float,
) -> tuple[Placement, Placement]:
    """Placements in an internal and an external memory, each as small as can be for what lies in it."""
    regions = [Region(name, size) for name, size in zip(("internal", "external"), memories, strict=True)]
    effort = seconds / TRIALS
    nodes = int(NODES * seconds) if seconds >= 1 else 0
    found = place_in_regions(blocks, apart, regions, moved, seconds=effort if seconds >= 1 else 0.0, nodes=nodes)
    placed = []
    for region in regions:
        inside = [b for b in blocks if found.region[b.name] == region.name]
        names = {b.name for b in inside}
        within = [a for a in apart if a.first in names and a.second in names]
        first = found.placements[region.name]
        placed.append(min(place(inside, within, seconds=seconds), first, key=lambda p: p.bytes))
    return placed[0], placed[1]


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
    if stage.aside:
        return WORD if stage.words_aside else 1
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
