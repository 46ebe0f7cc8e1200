"""Which memories are alive while a segment runs.

A segment that grows by one stage mostly has the lives of the shorter one: the stages that it has keep their paces, and
only the memories that the new stage touches live otherwise. Times are counted so that they stay the same, too, with
room in each sweep for all stages of the program; so a life is worked out once for all segments that begin alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.rows import Buffer, RowProgram, Segment, Space, Stage, View
from tinyc.ir.rows.lives import ALWAYS, BEFORE, Ledger, Times, highest, sweeps_of, touching


@dataclass(frozen=True)
class Kept:
    """A memory in a segment: the rows that it keeps (0: all), its bytes, and which of them are alive when
    (`Life.rectangles`)."""

    ring: int
    bytes: int
    rectangles: NDArray[np.int64]


@dataclass(frozen=True)
class Need:
    """What a segment needs: the largest sum of bytes alive at one time, and its rings, with the bytes of all the
    memories that could be such."""

    peak: int
    rings: Mapping[str, int]
    kept: int


class Alive:
    """Works out what segments of a program need.

    Attributes:
        touched: the first and the last stage that touches each memory of the arena (`touching`).
        shown: the buffers in each memory, its owner among them.
    """

    def __init__(self, program: RowProgram) -> None:
        self._program = program
        self.touched = touching(program)
        self.shown: dict[str, list[Buffer]] = {}
        for buffer in program.buffers:
            self.shown.setdefault(program.root(buffer.name)[0].name, []).append(buffer)
        self._touching: dict[str, list[int]] = {}
        self._homes = [self._homes_of(number, stage) for number, stage in enumerate(program.stages)]
        self._segment: Segment | None = None
        self._stages: Sequence[Stage] = ()
        self._times: dict[int, Times] = {}
        self._known: dict[tuple[str, int, bool, tuple[str, ...]], Kept] = {}

    def need(
        self, segment: Segment, stages: Sequence[Stage], streamed: Sequence[str], follows: Mapping[str, View]
    ) -> Need:
        """What a segment needs, what lives across it included.

        Args:
            segment: which stages, and when.
            stages: these stages, as they are run.
            streamed: the memories of which it needs only some rows.
            follows: places over the rows of others (`View.follows`), by the name of a memory.
        """
        self._begin(segment, stages)
        numbers = segment.stages
        lodgers: dict[str, list[str]] = {}
        for name, view in follows.items():
            lodgers.setdefault(self._program.root(view.base)[0].name, []).append(name)
        across = [
            self._program.buffer[name].bytes
            for name, (first, last) in self.touched.items()
            if first < numbers.start and last >= numbers.stop and not self._count(name, numbers)
        ]
        rings: dict[str, int] = {}
        kept, found = 0, []
        for name in dict.fromkeys(home for k in numbers for home in self._homes[k] if home not in follows):
            one = self._kept(name, numbers, name in streamed, lodgers.get(name, ()), follows)
            found.append(one.rectangles)
            if name in streamed:
                kept += one.bytes
                if one.ring:
                    rings[name] = one.ring
        return Need(highest(found) + sum(across), rings, kept)

    def _homes_of(self, number: int, stage: Stage) -> list[str]:
        """The memories of the arena that a stage touches."""
        roots = (self._program.root(value.name)[0] for value in stage.touched)
        homes = list(dict.fromkeys(root.name for root in roots if root.space is Space.ARENA))
        for name in homes:
            self._touching.setdefault(name, []).append(number)
        return homes

    def _count(self, name: str, numbers: range) -> int:
        """How many of these stages touch a memory."""
        return sum(k in numbers for k in self._touching.get(name, ()))

    def _begin(self, segment: Segment, stages: Sequence[Stage]) -> None:
        """Forgets what was known of segments that do not begin as this one does."""
        old = self._segment
        alike = (
            old is not None
            and (old.first, old.reverse) == (segment.first, segment.reverse)
            and all(a is b for a, b in zip(self._stages, stages, strict=False))
            and all(a == b for a, b in zip(old.paces, segment.paces, strict=False))
        )
        if not alike:
            self._known.clear()
            self._times.clear()
        if old is None or not alike or len(segment.paces) > len(old.paces):
            self._segment, self._stages = segment, stages
            width = len(self._program.stages)
            for place, (stage, pace) in enumerate(zip(stages, segment.paces, strict=True)):
                number = segment.first + place
                if number not in self._times:
                    self._times[number] = sweeps_of(stage, pace, segment.reverse) * width + place

    def _kept(
        self, name: str, numbers: range, streamed: bool, lodgers: Sequence[str], follows: Mapping[str, View]
    ) -> Kept:
        """A memory in a segment, those that lie over its rows included."""
        members = (name, *lodgers)
        touching = sorted({k for member in members for k in self._touching.get(member, ()) if k in numbers})
        key = (name, len(touching), streamed, tuple(lodgers))
        if key not in self._known:
            self._known[key] = self._worked_out(name, numbers, touching, streamed, members, follows)
        return self._known[key]

    def _worked_out(
        self,
        name: str,
        numbers: range,
        touching: Sequence[int],
        streamed: bool,
        members: Sequence[str],
        follows: Mapping[str, View],
    ) -> Kept:
        buffers = {b.name: b for member in members for b in self.shown[member]}
        owner = buffers[name]
        if streamed:
            buffers[name] = dataclasses.replace(owner, ring=owner.rows)
        for member in members:
            if member in follows:
                buffers[member] = dataclasses.replace(buffers[member], view=follows[member], ring=0)
        ledger = Ledger(buffers)
        for k in touching:
            ledger.run(self._stages[k - numbers.start], self._times[k])
        life = ledger.lives.get(name)
        if life is None:
            return Kept(0, 0, np.zeros((0, 4), np.int64))
        first, last = self.touched[name]
        if first < numbers.start:
            life.birth[:] = BEFORE
            life.death[life.death < BEFORE] = BEFORE
        if last >= numbers.stop:
            # What is written after the segment is not there yet.
            life.death[life.birth < ALWAYS] = ALWAYS
        if streamed:
            size = life.ring()
            ring = size if size < owner.rows else 0
            life = dataclasses.replace(life, owner=dataclasses.replace(owner, ring=ring))
        return Kept(life.owner.ring if streamed else 0, life.owner.bytes, life.rectangles())
