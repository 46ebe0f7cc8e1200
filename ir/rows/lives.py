"""When each row of a row program must keep its bytes.

Times are steps of the schedule, counted so that a later step has a larger time; the inputs that lie in the arena are
there at time -1. A row is alive from the step that writes it to the last step that reads it, both included: a step
reads its operands while it writes its result. What several cores do at once happens at one time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.rows.parts import Buffer, Pace, Space, Stage, begin_of_rows, row_count
from tinyc.ir.rows.program import RowProgram

Times = NDArray[np.int64]
BEFORE, NEVER, ALWAYS = -1, -2, np.iinfo(np.int64).max // 4
"""Times: before the first step; of a row that nothing touches; after the last step."""


@dataclass(frozen=True)
class Life:
    """The rows of one memory (a buffer that owns bytes): when each is written first and touched last.

    Row number `k` of the arrays is row `k - before` of the buffer: rows that follow another one's may begin before its
    first, or end after its last. In a memory that is no ring, rows are equal parts of its bytes. One that is kept
    `always` is alive before the first and after the last row, too.
    """

    owner: Buffer
    row_bytes: int
    birth: Times
    death: Times
    before: int = 0
    always: bool = False

    @staticmethod
    def whole(owner: Buffer) -> Life:
        """The life of a memory that is alive all the time."""
        return Life(owner, owner.bytes, np.array([BEFORE]), np.array([ALWAYS]))

    @property
    def hull(self) -> tuple[int, int]:
        """From the first birth to the last death."""
        if self.always:
            return BEFORE, int(ALWAYS)
        used = self.death > NEVER
        return (int(self.birth[used].min()), int(self.death[used].max())) if used.any() else (NEVER, NEVER)

    def ring(self) -> int:
        """The least number of rows that a ring needs: none is written while the one in its place is alive."""
        birth, death = self.birth, self.death
        if len(birth) > 1 and birth[0] > birth[-1]:
            birth, death = birth[::-1], death[::-1]
        death = np.maximum.accumulate(death)
        size = 1
        while size < len(birth) and bool((death[:-size] >= birth[size:]).any()):
            size += 1
        return size

    def rectangles(self, exact: bool = True) -> NDArray[np.int64]:
        """Which bytes are alive when: rows of (first byte, end, first time, last time).

        Unless they are `exact`, the places of a ring of which each is free at other moments are alive together: what is
        free in them is of use to few others.
        """
        if self.hull[1] <= NEVER:
            return np.zeros((0, 4), np.int64)
        if self.always:
            return np.array([[0, self.owner.bytes, *self.hull]], np.int64)
        used = np.flatnonzero(self.death > NEVER)
        birth, death = self.birth[used], self.death[used]
        if not self.owner.ring:
            begin = used * self.row_bytes
            return np.stack([begin, begin + self.row_bytes, birth, death], axis=1)
        size = self.row_bytes
        low: Times = (used - self.before) % self.owner.ring * size
        if not exact and not self._in_step(death):
            low, size = low * 0, self.owner.ring * size
        # Rows of which one comes when another goes, or before, are alive as one.
        order = np.lexsort((birth, low))
        low, birth, death = low[order], birth[order], death[order]
        until = death if low.any() else np.maximum.accumulate(death)
        apart = np.flatnonzero((low[1:] != low[:-1]) | (birth[1:] > until[:-1] + 1)) + 1
        first, last = np.append(0, apart), np.append(apart, len(low)) - 1
        return np.stack([low[first], low[first] + size, birth[first], until[last]], axis=1)

    def during(self, start: int, stop: int) -> Life:
        """The life from one time on until before another one."""
        here = (self.birth < stop) & (self.death >= start)
        return dataclasses.replace(
            self, birth=np.where(here, self.birth, ALWAYS), death=np.where(here, self.death, NEVER)
        )

    def _in_step(self, death: Times) -> bool:
        """Whether places of the ring are free at the same moments in each period of those that read it, so that
        something that advances with these can lie there."""
        together = np.unique(death, return_counts=True)[1]
        return int(np.median(together)) % self.owner.ring == 0


def sweeps_of(stage: Stage, pace: Pace, reverse: bool) -> Times:
    """In which sweep of its segment each application of a stage happens; applications are in the order of their rows,
    in which they need not happen. Those of a split stage happen at once."""
    if stage.split > 1:
        return np.zeros(stage.applications, np.int64)
    count = np.arange(stage.applications)
    return pace.delay + (count[::-1] if reverse else count) * pace.period


def stage_times(program: RowProgram) -> dict[int, Times]:
    """The time of each application of each stage, by stage number, in the order of their rows."""
    times: dict[int, Times] = {}
    now = 0
    for segment in program.order:
        width = len(segment.paces)
        for place, (number, pace) in enumerate(zip(segment.stages, segment.paces, strict=True)):
            times[number] = now + sweeps_of(program.stages[number], pace, segment.reverse) * width + place
        now += program.sweeps(segment) * width
    return times


def lifetimes(program: RowProgram) -> dict[str, tuple[int, int]]:
    """The stages that touch each memory of the arena first and last, by the name of the buffer that owns it; the first
    of an input is -1."""
    times = stage_times(program)
    first: dict[str, tuple[int, int]] = {}
    last: dict[str, tuple[int, int]] = {}
    for value in program.inputs:
        if program.buffer[value.name].space is Space.ARENA:
            first[value.name] = last[value.name] = (BEFORE, -1)
    for number, stage in enumerate(program.stages):
        for value in stage.touched:
            root, _ = program.root(value.name)
            if root.space is Space.ARENA:
                start, end = (int(times[number].min()), number), (int(times[number].max()), number)
                first[root.name] = min(first.get(root.name, start), start)
                last[root.name] = max(last.get(root.name, end), end)
    if program.endless is not None:
        counter = program.endless.counter.name
        first[counter], last[counter] = (BEFORE, -1), (int(ALWAYS), len(program.stages) - 1)
    return {name: (first[name][1], last[name][1]) for name in first}


class Ledger:
    """Collects when the rows of some memories are touched.

    Args:
        buffers: those that own the memories, and all others that lie in them, by name.
    """

    def __init__(self, buffers: Mapping[str, Buffer]) -> None:
        self._buffers = dict(buffers)
        self._parts: Mapping[str, int] | None = None
        self.lives: dict[str, Life] = {}

    def add(self, buffers: Mapping[str, Buffer]) -> None:
        """More buffers that lie in the memories, which are rings. A stage that touches one of them has to run again."""
        self._buffers |= buffers

    def run(self, stage: Stage, times: Times) -> None:
        """A stage is applied at these times."""
        for name, rows, when in accesses(stage, self._buffers, times):
            self.touch(name, rows, when)

    def touch(self, name: str, rows: Times, times: Times) -> None:
        """Row `rows[k]` of a buffer is read or written at `times[k]`."""
        size = self._buffers[name].row_bytes
        if not self._buffers[name].bytes or not len(rows):
            return
        owner, start = begin_of_rows(self._buffers, name, rows)
        life = self._life(owner, int(start.min()), int(start.max()) + size)
        first = start // life.row_bytes + life.before
        last = (start + size - 1) // life.row_bytes + life.before
        for further in range(int((last - first).max()) + 1):
            part = np.minimum(first + further, last)
            np.minimum.at(life.birth, part, times)
            np.maximum.at(life.death, part, times)

    def _life(self, buffer: Buffer, start: int, stop: int) -> Life:
        """What is known of a memory, with room for the rows of bytes from one on to another one, which may lie before
        the first and after the last."""
        if buffer.name not in self.lives:
            count = buffer.rows if buffer.ring else self._parts_of(buffer)
            part = buffer.row_bytes if buffer.ring else -(-buffer.bytes // count)
            birth, death = np.full(count, ALWAYS, np.int64), np.full(count, NEVER, np.int64)
            self.lives[buffer.name] = Life(buffer, part, birth, death)
        life = self.lives[buffer.name]
        before, after = -(start // life.row_bytes), -(-stop // life.row_bytes)
        more = (max(before - life.before, 0), max(after - (len(life.birth) - life.before), 0))
        if buffer.ring and any(more):
            birth = np.pad(life.birth, more, constant_values=ALWAYS)
            death = np.pad(life.death, more, constant_values=NEVER)
            life = self.lives[buffer.name] = Life(buffer, life.row_bytes, birth, death, life.before + more[0])
        return life

    def _parts_of(self, buffer: Buffer) -> int:
        if self._parts is None:
            self._parts = _parts(self._buffers)
        return self._parts[buffer.name]


def _parts(buffers: Mapping[str, Buffer]) -> dict[str, int]:
    """Into how many parts the bytes of each memory that is no ring are divided: the rows of the finest of the buffers
    that show all of it. What is gathered in more bytes than the value has is one part."""
    parts: dict[str, int] = {}
    for buffer in buffers.values():
        root = buffer
        while root.view is not None:
            root = buffers[root.view.base]
        rows, size = buffer.rows, root.value.type.bytes
        even = rows > 1 and size and size % rows == 0 and buffer.value.type.bytes == size and root.bytes <= size
        parts[root.name] = max(parts.get(root.name, 1), rows if even else 1)
    return parts


def lives(program: RowProgram) -> dict[str, Life]:
    """The life of each memory in the arena, by the name of the buffer that owns it. The rings of the program need not
    fit its segments."""
    times = stage_times(program)
    ledger = Ledger({b.name: b for b in program.buffers if program.root(b.name)[0].space is Space.ARENA})
    for value in program.inputs:
        if program.buffer[value.name].space is Space.ARENA:
            ledger.touch(value.name, _all_rows(program.buffer[value.name]), np.array([BEFORE]))
    for number, stage in enumerate(program.stages):
        ledger.run(stage, times[number])
    if program.endless is not None:
        return _kept(program, ledger.lives)
    return ledger.lives


def _kept(program: RowProgram, found: Mapping[str, Life]) -> dict[str, Life]:
    """The lives of an endless program: what is kept from call to call is alive all the time."""
    assert program.endless is not None
    counter = program.buffer[program.endless.counter.name]
    kept = {counter.name: Life.whole(counter)}
    carried = {s.kernel.scratch.name for s in program.stages if s.carries and s.kernel.scratch is not None}
    for name, life in found.items():
        always = life.owner.ring > 1 or name in carried
        kept[name] = dataclasses.replace(life, always=True) if always else life
    return kept


def touching(program: RowProgram) -> dict[str, tuple[int, int]]:
    """The least and the largest number of a stage that touches each memory of the arena; -1 for an input."""
    found: dict[str, tuple[int, int]] = {}
    for value in program.inputs:
        if program.buffer[value.name].space is Space.ARENA:
            found[value.name] = (-1, -1)
    for number, stage in enumerate(program.stages):
        for value in stage.touched:
            root, _ = program.root(value.name)
            if root.space is Space.ARENA:
                found[root.name] = (found.get(root.name, (number, number))[0], number)
    return found


def accesses(stage: Stage, buffers: Mapping[str, Buffer], times: Times) -> Iterator[tuple[str, Times, Times]]:
    """Which of these buffers a stage touches: name, rows, and when each of these rows is touched. The result comes
    first."""
    name = stage.result.name
    if name in buffers:
        if stage.gathers:
            for when in (times.min(), times.max()):
                yield name, _all_rows(buffers[name]), np.full(buffers[name].rows, when)
        elif not stage.windows:
            yield name, _all_rows(buffers[name]), times
        else:
            rows = np.arange(stage.rows)
            yield name, rows, times[rows // stage.band]
    yield from _scratch(stage, buffers, times)
    for position, operand in enumerate(stage.op.operands):
        window = stage.windows[position] if stage.windows else None
        if operand.name not in buffers and (window is None or not stage.fresh):
            continue
        if window is None:
            # Read whole each time; the last time is what counts, and the first for what nothing has written.
            everything = _all_rows(buffers[operand.name])
            yield operand.name, everything, np.full(len(everything), times.min())
            yield operand.name, everything, np.full(len(everything), times.max())
            continue
        rows = np.repeat(np.arange(stage.rows), window.size)
        place = np.tile(np.arange(window.size), stage.rows)
        read = window.read(np.arange(stage.rows), row_count(operand)).reshape(-1)
        inside = (read >= 0) & (read < row_count(operand))
        for fresh in (f for f in stage.fresh if f.operand == position):
            newest = inside & (place == fresh.place)
            inside = inside & ~newest
            if fresh.value.name in buffers:
                yield fresh.value.name, read[newest], times[rows[newest] // stage.band]
        if operand.name in buffers:
            yield operand.name, read[inside], times[rows[inside] // stage.band]


def _scratch(stage: Stage, buffers: Mapping[str, Buffer], times: Times) -> Iterator[tuple[str, Times, Times]]:
    """As `accesses`, of the scratch memory: from the first time to the last, or, in a ring, each time anew."""
    value = stage.kernel.scratch
    if value is None or value.name not in buffers:
        return
    if buffers[value.name].ring:
        yield value.name, np.arange(len(times)), times
        return
    for when in (times.min(), times.max()):
        yield value.name, np.array([0]), np.array([when])


def _all_rows(buffer: Buffer) -> Times:
    return np.arange(buffer.rows)


def peak(found: Sequence[Life], extra: int = 0) -> int:
    """The largest sum of the bytes alive at one time, and `extra` ones."""
    return highest([life.rectangles() for life in found]) + extra


def alive_at(found: Sequence[Life], times: Times) -> int:
    """The largest sum of the bytes that are alive at one of these times."""
    if not found:
        return 0
    low, end, birth, death = np.concatenate([life.rectangles() for life in found]).T
    return max((int((end - low)[(birth <= when) & (death >= when)].sum()) for when in times.tolist()), default=0)


def highest(rectangles: Sequence[NDArray[np.int64]]) -> int:
    """The largest sum of the bytes alive at one time, of which `Life.rectangles` tells."""
    if not rectangles:
        return 0
    low, end, birth, death = np.concatenate(rectangles).T
    if not len(low):
        return 0
    when = np.concatenate([birth, death + 1])
    change = np.concatenate([end - low, low - end])
    # At one time, bytes are given back before others are taken.
    order = np.lexsort((change, when))
    return int(np.cumsum(change[order]).max())
