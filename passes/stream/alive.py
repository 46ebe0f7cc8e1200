"""Which memories are alive while a segment runs.

A segment that grows by one stage mostly has the lives of the shorter one: the stages that it has keep their paces, and
only the memories that the new stage touches live otherwise. And in segments that begin elsewhere, a memory lives as it
does here, but sooner or later, where the stages that touch it keep their distances in time. So a life is worked out
once for all segments in which it is the same.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import lcm

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.rows import Buffer, Pace, RowProgram, Space, Stage, View
from tinyc.ir.rows.lives import ALWAYS, BEFORE, Ledger, Life, highest, sweeps_of, touching


@dataclass(frozen=True)
class Kept:
    """A memory in a segment: the rows that it keeps (0: all), its bytes, and which of them are alive when
    (`Life.rectangles`)."""

    ring: int
    bytes: int
    rectangles: NDArray[np.int64]

    def later(self, time: int) -> Kept:
        """The same at another time: but what is before the segment stays before it, and what is after it after it."""
        if not time:
            return self
        moved = self.rectangles.copy()
        when = moved[:, 2:]
        when[(when > BEFORE) & (when < ALWAYS)] += time
        return Kept(self.ring, self.bytes, moved)


@dataclass(frozen=True)
class Need:
    """What a segment needs: the largest sum of bytes alive at one time, and its rings, with the bytes of all the
    memories that could be such."""

    peak: int
    rings: Mapping[str, int]
    kept: int


@dataclass(frozen=True)
class _Way:
    """How a memory lives in a segment: what else is the same has the same life.

    `members` are the memory and those that lie over its rows, `touches` of each stage that touches them its number,
    its band, on how many cores, and when: sweeps behind the first, and its period.
    """

    members: tuple[str, ...]
    touches: tuple[tuple[int, int, int, int, int], ...]
    reverse: bool
    streamed: bool
    before: bool
    after: bool

    def continues(self, other: _Way) -> bool:
        """Whether the other one is the beginning of this: a ring that fewer memories lie in, or fewer stages touch."""
        members, touches = self.members[: len(other.members)], self.touches[: len(other.touches)]
        same = (members, touches, self.reverse, True) == (other.members, other.touches, other.reverse, other.streamed)
        return same and self.streamed


@dataclass(frozen=True)
class _Record:
    """What has been collected of a memory that lives in this way."""

    way: _Way
    ledger: Ledger


class Alive:
    """What is known of the memories of a program, for all its segments.

    Attributes:
        touched: the first and the last stage that touches each memory of the arena (`touching`).
        shown: the buffers in each memory, its owner among them.
        taken: those of the buffers in each memory that stages read or write.
        homes: the memories of the arena that each stage touches.
        across: for each stage, the bytes of all memories that it or a later one touches, and one before it, too.
    """

    def __init__(self, program: RowProgram) -> None:
        self.program = program
        self.touched = touching(program)
        self.shown: dict[str, list[Buffer]] = {}
        for buffer in program.buffers:
            self.shown.setdefault(program.root(buffer.name)[0].name, []).append(buffer)
        self.taken: dict[str, dict[str, Buffer]] = {}
        self._touching: dict[str, list[int]] = {}
        self.homes = [self._homes_of(number, stage) for number, stage in enumerate(program.stages)]
        self.across = self._bytes_across()
        self._known: dict[_Way, Kept] = {}

    def _homes_of(self, number: int, stage: Stage) -> list[str]:
        for value in stage.touched:
            root = self.program.root(value.name)[0].name
            self.taken.setdefault(root, {})[value.name] = self.program.buffer[value.name]
        roots = (self.program.root(value.name)[0] for value in stage.touched)
        homes = list(dict.fromkeys(root.name for root in roots if root.space is Space.ARENA))
        for name in homes:
            self._touching.setdefault(name, []).append(number)
        return homes

    def _bytes_across(self) -> list[int]:
        change = [0] * (len(self.program.stages) + 1)
        for name, (first, last) in self.touched.items():
            change[first + 1] += self.program.buffer[name].bytes
            change[last + 1] -= self.program.buffer[name].bytes
        return list(accumulate(change))

    def touching(self, members: Sequence[str], numbers: range) -> list[int]:
        """Those of these stages that touch one of these memories."""
        found: list[int] = []
        for name in members:
            every = self._touching.get(name, [])
            found += every[bisect_left(every, numbers.start) : bisect_left(every, numbers.stop)]
        return found if len(members) == 1 else sorted(set(found))

    def worked_out(
        self, way: _Way, stages: Sequence[Stage], follows: Mapping[str, View], records: dict[str, _Record]
    ) -> Kept:
        """A memory that lives so, by the time of the first of these stages, which touch it. `records` are those of
        shorter segments that begin where this one does, by memory; its own is added."""
        if way not in self._known:
            self._known[way] = self._work_out(way, stages, follows, records)
        return self._known[way]

    def _work_out(
        self, way: _Way, stages: Sequence[Stage], follows: Mapping[str, View], records: dict[str, _Record]
    ) -> Kept:
        name = way.members[0]
        owner = self.program.buffer[name]
        record = records.get(name)
        if record is None or not way.continues(record.way):
            record = _Record(dataclasses.replace(way, members=(), touches=()), Ledger({}))
        lodgers = way.members[len(record.way.members) :]
        fresh = {b.name: b for member in lodgers for b in self.shown[member]}
        if way.streamed and name in fresh:
            fresh[name] = dataclasses.replace(owner, ring=owner.rows)
        for member in lodgers:
            if member in follows:
                fresh[member] = dataclasses.replace(fresh[member], view=follows[member], ring=0)
        record.ledger.add(fresh)
        # Room in each sweep for all stages of the program, so that times do not change with the segment.
        width = len(self.program.stages)
        for place, (stage, touch) in enumerate(zip(stages, way.touches, strict=True)):
            number, _, _, delay, period = touch
            if place >= len(record.way.touches) or any(value.name in fresh for value in stage.touched):
                sweeps = sweeps_of(stage, Pace(delay, period), way.reverse)
                record.ledger.run(stage, sweeps * width + number - way.touches[0][0])
        records[name] = _Record(way, record.ledger)
        life = record.ledger.lives.get(name)
        if life is None:
            return Kept(0, 0, np.zeros((0, 4), np.int64))
        life = _open(life, way)
        if way.streamed:
            # Rows of several of the ring's rows lie in one piece.
            shown = [b for member in way.members for b in self.taken.get(member, {}).values()]
            several = lcm(*(-(-b.row_bytes // owner.row_bytes) for b in shown))
            size = -(-life.ring() // several) * several
            ring = size if size < owner.rows else 0
            life = dataclasses.replace(life, owner=dataclasses.replace(owner, ring=ring))
        return Kept(life.owner.ring if way.streamed else 0, life.owner.bytes, life.rectangles(exact=False))


def _open(life: Life, way: _Way) -> Life:
    """The life of a memory, longer than the segment where it is there before or after it."""
    birth, death = life.birth, life.death
    if way.before:
        birth = np.full_like(birth, BEFORE)
        death = np.where(death < BEFORE, BEFORE, death)
    if way.after:
        # What is written after the segment is not there yet.
        death = np.where(birth < ALWAYS, ALWAYS, death)
    return dataclasses.replace(life, birth=birth, death=death)


class Growth:
    """What a segment needs that grows stage by stage."""

    def __init__(self, alive: Alive, first: int, reverse: bool = False) -> None:
        self._alive, self._first, self._reverse = alive, first, reverse
        self._paces: Sequence[Pace] = ()
        self._members: dict[str, tuple[str, ...]] = {}
        self._found: dict[str, Kept] = {}
        self._records: dict[str, _Record] = {}

    def need(
        self,
        paces: Sequence[Pace],
        stages: Sequence[Stage],
        streamed: Collection[str],
        follows: Mapping[str, View],
    ) -> Need:
        """What the segment needs, what lives across it included.

        Args:
            paces: of its stages. It has those of which this was asked before, and their successors.
            stages: its stages, as they are run.
            streamed: the memories of which it needs only some rows: all that it alone touches and can take by rows.
            follows: places over the rows of others (`View.follows`), by the name of a memory.
        """
        program, first = self._alive.program, self._first
        if len(self._paces) > len(paces) or any(a is not b for a, b in zip(self._paces, paces, strict=False)):
            self._paces, self._found, self._members = (), {}, {}
        fresh = range(first + len(self._paces), first + len(paces))
        touched = dict.fromkeys(home for k in fresh for home in self._alive.homes[k])
        lodgers: dict[str, list[str]] = {}
        homes: dict[str, str] = {}
        for name, view in follows.items():
            # Stage by stage: what is followed was made before.
            base = program.root(view.base)[0].name
            homes[name] = home = homes.get(base, base)
            lodgers.setdefault(home, []).append(name)
        for name in [*touched, *(name for name in self._members if name not in touched)]:
            members = () if name in follows else (name, *lodgers.get(name, ()))
            if not touched.keys().isdisjoint(members) or members != self._members.get(name):
                self._members[name] = members
                self._found.pop(name, None)
                if members:
                    self._found[name] = self._kept(members, paces, stages, name in streamed, follows)
        self._paces = paces
        return self._sum(streamed)

    def _sum(self, streamed: Collection[str]) -> Need:
        rings: dict[str, int] = {}
        kept, across = 0, self._alive.across[self._first]
        for name, one in self._found.items():
            if name in streamed:
                kept += one.bytes
                if one.ring:
                    rings[name] = one.ring
            if self._alive.touched[name][0] < self._first:
                across -= self._alive.program.buffer[name].bytes
        return Need(highest([one.rectangles for one in self._found.values()]) + across, rings, kept)

    def _kept(
        self,
        members: tuple[str, ...],
        paces: Sequence[Pace],
        stages: Sequence[Stage],
        streamed: bool,
        follows: Mapping[str, View],
    ) -> Kept:
        """A memory in the segment, those that lie over its rows included."""
        first, numbers = self._first, range(self._first, self._first + len(paces))
        touching = self._alive.touching(members, numbers)
        run = [stages[k - first] for k in touching]
        start = min(paces[k - first].delay for k in touching)
        when = [(paces[k - first].delay - start, paces[k - first].period) for k in touching]
        touches = tuple((k, s.band, s.split, *w) for k, s, w in zip(touching, run, when, strict=True))
        least, most = self._alive.touched[members[0]]
        way = _Way(members, touches, self._reverse, streamed, least < first, most >= numbers.stop)
        time = start * len(self._alive.program.stages) + touching[0] - first
        return self._alive.worked_out(way, run, follows, self._records).later(time)
