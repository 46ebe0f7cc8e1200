"""When the stages of a segment compute their rows.

Stages that advance together form a multirate pipeline: a stage whose window moves by two rows computes one row for two
of its operand's. Each has a period, which follows from the strides, and a delay, the least with which every row that it
reads has been computed (software pipelining, with rows for iterations).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import NamedTuple

import numpy as np

from tinyc.ir.forms import Numbers, Window
from tinyc.ir.rows import Pace, RowProgram


@dataclass(frozen=True)
class Edge:
    """A stage reads by a window what another one computes. Without a window, it cannot advance with the other: it takes
    the result whole, or by rows that are neither parts of those in which it is computed nor made of them.

    `sizes` are the bytes of a row as it is read and as it is written; `shift` are those of the result before the first
    row that may be read. `counts` are the rows of the reader, and of its operand.
    """

    writer: int
    reader: int
    window: Window | None
    sizes: tuple[int, int] = (1, 1)
    shift: int = 0
    counts: tuple[int, int] = (1, 1)

    @cached_property
    def pace(self) -> tuple[int, int]:
        """How many rows of the writer go with how many of the reader."""
        assert self.window is not None
        rows, times = self.window.pace(self.counts[0])
        return rows * self.sizes[0], times * self.sizes[1]

    def lag(self, paces: tuple[int, int], reverse: int | None) -> int:
        """How long after the first row of the writer the reader's first row can be computed at the earliest, so that
        each finds what it reads.

        Args:
            paces: the periods of writer and reader.
            reverse: how many rows the writer has, where rows are computed from the last to the first.
        """
        assert self.window is not None
        written, read = paces
        if not self.window.is_even:
            rows, first, last = self._reads
            if reverse is None:
                return int((written * last - read * rows).max())
            return int((written * (reverse - 1 - first) - read * (self.counts[0] - 1 - rows)).max())
        if reverse is None:
            return max(written * self.reads(row)[1] - read * row for row in range(self.cycle))
        # Counted from the last row, the first of a window is the last.
        count, back = self.counts[0], range(min(self.cycle, self.counts[0]))
        return max(written * (reverse - 1 - self.reads(count - 1 - row)[0]) - read * row for row in back)

    @cached_property
    def _reads(self) -> tuple[Numbers, Numbers, Numbers]:
        """The reader's rows, each as often as it reads a row, and the first and the last of the writer's in that."""
        assert self.window is not None
        count, height = self.counts
        found = self.window.read(np.arange(count), height)
        rows, place = np.nonzero((found >= 0) & (found < height))
        first = found[rows, place] * self.sizes[0] + self.shift
        return rows, first // self.sizes[1], (first + self.sizes[0] - 1) // self.sizes[1]

    def reads(self, row: int) -> tuple[int, int]:
        """The first and the last row of the writer that row `row` of the reader reads; they may lie outside."""
        assert self.window is not None
        read, written = self.sizes
        first = row * self.window.stride - self.window.pad
        end = first + (self.window.size - 1) * self.window.dilation + 1
        return (self.shift + first * read) // written, (self.shift + end * read - 1) // written

    @property
    def cycle(self) -> int:
        """The reader's rows after which what they read is repeated, so many rows further on."""
        return max(self.sizes[1] // self.sizes[0], 1)


def same_rows(program: RowProgram, one: str, other: str) -> bool:
    """Whether two buffers that share memory have the same rows in the same places."""
    a, b = program.buffer[one], program.buffer[other]
    return (a.rows, a.row_bytes, program.root(one)[1]) == (b.rows, b.row_bytes, program.root(other)[1])


class Read(NamedTuple):
    """A stage reads a buffer by a window; None for all of it."""

    stage: int
    window: Window | None
    name: str


class Wiring:
    """Who reads what whom wrote, and who writes over what whom read, in a whole program.

    Attributes:
        writers: the stage that writes each result.
        shared: the memories that stages write by other names than their own.
        readers: what reads each memory, in the order of stages.
    """

    def __init__(self, program: RowProgram) -> None:
        self.program = program
        self.writers = writers = {stage.result.name: k for k, stage in enumerate(program.stages)}
        roots = {name: program.root(name)[0].name for name in writers}
        self.shared = {root for name, root in roots.items() if name != root}
        self._parts: dict[str, list[int]] = {}
        for name, root in roots.items():
            self._parts.setdefault(root, []).append(writers[name])
        self._made: list[list[list[Edge]]] = []
        self.readers: dict[str, list[Read]] = {}
        for reader, stage in enumerate(program.stages):
            read = list(zip(stage.op.operands, stage.windows or [None] * len(stage.op.operands), strict=True))
            self._made.append([list(self._makers(writers, reader, v.name, w)) for v, w in read])
            for value, window in read:
                self.readers.setdefault(program.root(value.name)[0].name, []).append(Read(reader, window, value.name))

    def _makers(self, writers: dict[str, int], reader: int, operand: str, window: Window | None) -> Iterator[Edge]:
        """The stages that wrote an operand or what it is a view of, the nearest first; of a whole that nobody wrote but
        in parts, the last that wrote one."""
        name, view, found = operand, self.program.buffer[operand].view, False
        while True:
            if name in writers and writers[name] < reader:
                found = True
                yield self._edge(writers[name], reader, operand, name, window)
            if view is None:
                break
            name, view = view.base, self.program.buffer[view.base].view
        parts = [writer for writer in self._parts.get(name, ()) if writer < reader] if not found else []
        if parts:
            yield Edge(max(parts), reader, None)

    def _edge(self, writer: int, reader: int, operand: str, result: str, window: Window | None) -> Edge:
        times = self.program.repeats(operand)
        sizes = self.program.buffer[operand].row_bytes, self.program.buffer[result].row_bytes * times
        shift = (self.program.root(operand)[1] - self.program.root(result)[1]) * times
        least = min(sizes)
        whole = window is None or self.program.stages[writer].gathers
        fits = not whole and least > 0 and not any(n % least for n in (*sizes, shift))
        counts = self.program.stages[reader].rows, self.program.buffer[operand].rows
        return Edge(writer, reader, window, sizes, shift, counts) if fits else Edge(writer, reader, None)

    def edges(self, first: int, reader: int) -> Iterator[Edge]:
        """From the stages `first` on, those that wrote the operands of another one."""
        for makers in self._made[reader]:
            found = next((edge for edge in makers if edge.writer >= first), None)
            if found is not None:
                yield found

    def overwritten(self, first: int, writer: int) -> Iterator[Read]:
        """The stages from `first` on, before another one, that read by a window what that one writes its result over:
        row r of the result may be written once they have read row r."""
        readers = self.readers.get(self.program.root(self.program.stages[writer].result.name)[0].name, [])
        for at in range(bisect_left(readers, first, key=_stage), bisect_left(readers, writer, key=_stage)):
            if readers[at].window is not None:
                yield readers[at]


def _stage(reader: Read) -> int:
    return reader.stage


class Pacing:
    """The paces of a segment that grows stage by stage, from the first row to the last or in reverse.

    Periods and delays are counted in a unit of which all periods are multiples, until somebody asks for them.
    Where some stages are not connected with the others yet, the delays wait until they are.
    """

    def __init__(self, wiring: Wiring, first: int, reverse: bool = False) -> None:
        self._wiring, self._first, self._reverse = wiring, first, reverse
        self._periods: list[int] = []
        self._delays: list[int] = []
        self._parts: list[int] = []
        """For each stage, the first stage of those that it is connected with."""
        self._least = 0
        self._paces: tuple[Pace, ...] = ()
        self.possible = True
        """False once no segment that begins with these stages can advance together."""

    def grow(self) -> None:
        """Adds the next stage."""
        number = self._first + len(self._periods)
        stages = self._wiring.program.stages
        self.possible = self.possible and bool(stages[number].windows)
        self._periods.append(1)
        self._parts.append(number)
        for edge in self._wiring.edges(self._first, number) if self.possible else ():
            self.possible = self.possible and edge.window is not None and self._connected(edge)
        if self.possible and all(part == self._first for part in self._parts):
            self._delay()

    def paces(self) -> tuple[Pace, ...] | None:
        """The pace of each stage, as early as can be; None when these stages cannot advance together. A stage has the
        same object as before, where it keeps its pace."""
        if not self.possible or len(self._delays) < len(self._periods):
            return None
        least = gcd(*self._periods)
        known = self._paces if least == self._least else ()
        fresh = zip(self._delays[len(known) :], self._periods[len(known) :], strict=True)
        self._least, self._paces = least, (*known, *(Pace(d // least, p // least) for d, p in fresh))
        return self._paces

    def _connected(self, edge: Edge) -> bool:
        """Brings the periods of two stages into the ratio of an edge between them; whether others allow it."""
        assert edge.window is not None
        at, other = edge.reader - self._first, edge.writer - self._first
        rows, times = edge.pace
        now, wanted = self._periods[at] * times, self._periods[other] * rows
        common = gcd(now, wanted)
        now, wanted = now // common, wanted // common
        if self._parts[at] == self._parts[other]:
            return now == wanted
        # Each side is counted in a unit of its own.
        factors = {self._parts[at]: wanted, self._parts[other]: now}
        for k, part in enumerate(self._parts):
            if part in factors:
                self._periods[k] *= factors[part]
                self._parts[k] = min(factors)
        if (factor := factors.get(self._first, 1)) != 1:
            self._delays = [delay * factor for delay in self._delays]
            self._least *= factor
        return True

    def _delay(self) -> None:
        """The delays of the stages that have none yet."""
        fresh = range(self._first + len(self._delays), self._first + len(self._periods))
        for number in fresh:
            reader = number - self._first
            delay = 0
            for edge in self._wiring.edges(self._first, number):
                writer = edge.writer - self._first
                delay = max(delay, self._delays[writer] + self._lag(edge))
            for earlier, window, name in self._wiring.overwritten(self._first, number):
                assert window is not None
                result = self._wiring.program.stages[number].result.name
                alike = same_rows(self._wiring.program, name, result)
                paces = self._periods[earlier - self._first], self._periods[reader]
                if not alike or (window.is_even and paces[0] != window.stride * paces[1]):
                    self.possible = False
                ahead = max(self._ahead(number, earlier, window, paces), 0)
                delay = max(delay, self._delays[earlier - self._first] + ahead)
            self._delays.append(delay)
        self._put_off(fresh)

    def _put_off(self, fresh: range) -> None:
        """Lets stages of which none is the first, and that take nothing from the segment, wait for those that read
        them: each of these reads the row then that was computed for it."""
        waiting = {number for number in fresh[:-1] if next(self._wiring.edges(self._first, number), None) is None}
        latest: dict[int, int] = {}
        for reader in fresh if waiting - {self._first} else ():
            for edge in self._wiring.edges(self._first, reader):
                if edge.writer in waiting and edge.writer > self._first:
                    last = self._delays[reader - self._first] - self._lag(edge)
                    latest[edge.writer] = min(latest.get(edge.writer, last), last)
        for number, delay in latest.items():
            self._delays[number - self._first] = max(self._delays[number - self._first], delay)

    def _lag(self, edge: Edge) -> int:
        """How long after a writer a reader begins: each of its rows then finds what it reads."""
        written, read = (self._periods[k - self._first] for k in (edge.writer, edge.reader))
        return edge.lag((written, read), self._wiring.program.stages[edge.writer].rows if self._reverse else None)

    def _ahead(self, writer: int, earlier: int, window: Window, paces: tuple[int, int]) -> int:
        """How long a stage stays behind another one that reads by a window what it writes over. The two have these
        periods, that of the stage which reads first."""
        stages = self._wiring.program.stages
        count, height = stages[earlier].rows, stages[writer].rows
        if not window.is_even:
            found = window.read(np.arange(count), height)
            rows, place = np.nonzero((found >= 0) & (found < height))
            read = found[rows, place]
            if self._reverse:
                rows, read = count - 1 - rows, height - 1 - read
            return int((paces[0] * rows - paces[1] * read).max())
        if not self._reverse:
            return window.pad * paces[1]
        last = (count - 1) * window.stride + (window.size - 1) * window.dilation
        return (last - window.pad - (height - 1)) * paces[1]
