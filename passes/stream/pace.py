"""When the stages of a segment compute their rows.

Stages that advance together form a multirate pipeline: a stage whose window moves by two rows computes one row for two
of its operand's. Each has a period, which follows from the strides, and a delay, the least with which every row that it
reads has been computed (software pipelining, with rows for iterations).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from tinyc.ir.op import Window
from tinyc.ir.rows import Pace, RowProgram


@dataclass(frozen=True)
class Edge:
    """A stage reads by a window what another one computes. Without a window, it cannot advance with the other: it takes
    the result whole, or by other rows than those in which it is computed."""

    writer: int
    reader: int
    window: Window | None


def same_rows(program: RowProgram, one: str, other: str) -> bool:
    """Whether two buffers that share memory have the same rows in the same places."""
    a, b = program.buffer[one], program.buffer[other]
    return (a.rows, a.row_bytes, program.root(one)[1]) == (b.rows, b.row_bytes, program.root(other)[1])


class Wiring:
    """Who reads what whom wrote, and who writes over what whom read, in a whole program.

    Attributes:
        readers: the stages that read each memory, in order, and by which window; None for the whole of an operand.
    """

    def __init__(self, program: RowProgram) -> None:
        self.program = program
        writers = {stage.result.name: k for k, stage in enumerate(program.stages)}
        self._made: list[list[list[Edge]]] = []
        self.readers: dict[str, list[tuple[int, Window | None]]] = {}
        for reader, stage in enumerate(program.stages):
            read = list(zip(stage.op.operands, stage.windows or [None] * len(stage.op.operands), strict=True))
            self._made.append([list(self._makers(writers, reader, v.name, w)) for v, w in read])
            for value, window in read:
                self.readers.setdefault(program.root(value.name)[0].name, []).append((reader, window))

    def _makers(self, writers: dict[str, int], reader: int, operand: str, window: Window | None) -> Iterator[Edge]:
        """The stages that wrote an operand or what it is a view of, the nearest first."""
        name, view = operand, self.program.buffer[operand].view
        while True:
            if name in writers and writers[name] < reader:
                fits = window is not None and same_rows(self.program, operand, name)
                yield Edge(writers[name], reader, window if fits else None)
            if view is None:
                return
            name, view = view.base, self.program.buffer[view.base].view

    def edges(self, first: int, reader: int) -> Iterator[Edge]:
        """From the stages `first` on, those that wrote the operands of another one."""
        for makers in self._made[reader]:
            found = next((edge for edge in makers if edge.writer >= first), None)
            if found is not None:
                yield found

    def overwritten(self, first: int, writer: int) -> Iterator[tuple[int, Window]]:
        """The stages from `first` on, before another one, that read by a window what that one writes its result over:
        row r of the result may be written once they have read row r."""
        readers = self.readers.get(self.program.root(self.program.stages[writer].result.name)[0].name, [])
        for at in range(bisect_left(readers, first, key=_stage), bisect_left(readers, writer, key=_stage)):
            reader, window = readers[at]
            if window is not None:
                yield reader, window


def _stage(reader: tuple[int, Window | None]) -> int:
    return reader[0]


class Pacing:
    """The paces of a segment that grows stage by stage, from the first row to the last or in reverse.

    Periods and delays are counted in a unit of which the least period is a multiple, until somebody asks for them.
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
        least = min(self._periods)
        if any(period % least for period in self._periods):
            return None
        known = self._paces if least == self._least else ()
        fresh = zip(self._delays[len(known) :], self._periods[len(known) :], strict=True)
        self._least, self._paces = least, (*known, *(Pace(d // least, p // least) for d, p in fresh))
        return self._paces

    def _connected(self, edge: Edge) -> bool:
        """Brings the periods of two stages into the ratio of an edge between them; whether others allow it."""
        assert edge.window is not None
        at, other = edge.reader - self._first, edge.writer - self._first
        now, wanted = self._periods[at], self._periods[other] * edge.window.stride
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
        for number in range(self._first + len(self._delays), self._first + len(self._periods)):
            reader = number - self._first
            delay = 0
            for edge in self._wiring.edges(self._first, number):
                writer = edge.writer - self._first
                delay = max(delay, self._delays[writer] + self._reach(edge) * self._periods[writer])
            for earlier, window in self._wiring.overwritten(self._first, number):
                if self._periods[earlier - self._first] != window.stride * self._periods[reader]:
                    self.possible = False
                ahead = max(self._ahead(number, earlier, window), 0)
                delay = max(delay, self._delays[earlier - self._first] + ahead * self._periods[reader])
            self._delays.append(delay)

    def _reach(self, edge: Edge) -> int:
        """The last row, in the order of the segment, that the first row of a reader needs of a writer's."""
        assert edge.window is not None
        if not self._reverse:
            return (edge.window.size - 1) * edge.window.dilation - edge.window.pad
        stages = self._wiring.program.stages
        rows, height = stages[edge.reader].rows, stages[edge.writer].rows
        # Counted from the last row, the first of a window is the last.
        first = (rows - 1) * edge.window.stride - edge.window.pad
        return height - 1 - first

    def _ahead(self, writer: int, earlier: int, window: Window) -> int:
        """How many rows a stage stays behind another one that reads by a window what it writes over."""
        if not self._reverse:
            return window.pad
        stages = self._wiring.program.stages
        last = (stages[earlier].rows - 1) * window.stride + (window.size - 1) * window.dilation
        return last - window.pad - (stages[writer].rows - 1)
