"""One segment, worked out: its paces, the rings in it, and the memory it needs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tinyc.ir.rows import Buffer, Pace, RowProgram, Segment, Space, Stage, View
from tinyc.passes.rows.split import saving
from tinyc.passes.stream.alive import Alive, Growth
from tinyc.passes.stream.hold import Ring, held_back, ring_of
from tinyc.passes.stream.pace import Pacing, Wiring, same_rows

CALL = 40
"""Instructions that one more call of a row kernel takes, about: measured on rv32imc."""
TILE = 4
"""Pixels that the pointwise kernels compute together; a row's last tile may be smaller, and then costs more a pixel."""


Way = tuple[Segment, bool, int, bool, bool]


@dataclass(frozen=True)
class Piece:
    """A segment that a schedule may have.

    `peak` is the largest sum of bytes alive at one time while it runs, `kept` what its rings take of that, and `cost`
    an estimate of the instructions it takes beyond those of its stages run one after another, in whole bands, and where
    there are more cores than one, shared by them. With `split`, it is one stage that so many cores share. Rings that
    are `held` have a row less (`hold`); the peak is then an estimate.
    """

    segment: Segment
    by_rows: bool
    peak: int
    cost: int
    kept: int = 0
    rings: Mapping[str, int] = field(default_factory=dict)
    follows: Mapping[str, View] = field(default_factory=dict)
    split: int = 1
    held: tuple[Ring, ...] = ()

    @property
    def way(self) -> Way:
        """How its stages are run: pieces that begin and end alike, and are run in one way, are the same."""
        return self.segment, self.by_rows, self.split, bool(self.follows), bool(self.held)


class Cutter:
    """Works out the segments that the schedule of a program may have, where it runs on so many cores."""

    def __init__(self, program: RowProgram, cores: int = 1) -> None:
        self._cores = cores
        self._lost = [saving(program, stage, cores) for stage in program.stages]
        self._costs = [_cost(stage) + lost for stage, lost in zip(program.stages, self._lost, strict=True)]
        self._stages = program.stages
        self._program = by_rows(program, range(len(program.stages)))
        self._by_rows = self._program.stages
        self._alive = Alive(self._program)
        self._wiring = Wiring(self._program)
        self._ending = self._memories_by_rows()

    def pieces(self, stages: range, reverse: bool = False) -> list[Piece]:
        """The ways to run these stages as one segment, from the first row to the last or in reverse."""
        found = list(self.growing(stages, reverse))
        return found[-1] if len(found) == len(stages) else []

    def growing(self, stages: range, reverse: bool = False) -> Iterator[list[Piece]]:
        """The ways to run the first of these stages as one segment, then the first two, and so on, until no more can
        advance together."""
        pacing = Pacing(self._wiring, stages.start, reverse)
        plain, over = (Growth(self._alive, stages.start, reverse) for _ in range(2))
        full: set[str] = set()
        above: list[tuple[str, str, View]] = []
        smaller = _Smaller(self._wiring, stages.start, reverse)
        for number in stages:
            pacing.grow()
            ending = [name for name, first in self._ending.get(number, ()) if first >= stages.start]
            full.update(ending)
            smaller.more(ending)
            above += self._over_dead_row(number, reverse)
            if number == stages.start:
                yield self._alone(number, reverse)
                continue
            if not pacing.possible:
                return
            paces = pacing.paces()
            if paces is None:
                yield []
                continue
            segment = Segment(stages.start, paces, reverse)
            whole = self._shrunk(segment, plain, full, {})
            found = [whole]
            if follows := _followers(above, full):
                piece = self._shrunk(segment, over, full - follows.keys(), follows)
                # Rows follow those of a ring: a buffer that has to keep all its rows is none.
                bases = {self._program.root(view.base)[0].name for view in follows.values()}
                if bases <= piece.rings.keys():
                    found = [piece] if piece.peak <= whole.peak else [piece, whole]
            held = smaller.piece(whole)
            if held is not None and held.peak < min(piece.peak for piece in found):
                found.append(held)
            yield found

    def _alone(self, number: int, reverse: bool) -> list[Piece]:
        """The ways to run one stage."""
        stage, single, lost = self._stages[number], Segment(number, (Pace(),), reverse), self._lost[number]

        def peak(as_run: Stage) -> int:
            return Growth(self._alive, number, reverse).need(single.paces, [as_run], (), {}).peak

        found = [Piece(single, False, peak(stage), lost)]
        if lost:
            shared = dataclasses.replace(stage, split=self._cores)
            found.insert(0, Piece(single, False, peak(shared), 0, split=self._cores))
        if stage.band > 1:
            found.append(Piece(single, True, peak(self._by_rows[number]), self._costs[number]))
        return found

    def _memories_by_rows(self) -> dict[int, list[tuple[str, int]]]:
        """The memories that all stages take row by row, by the last stage that does, and the first: a segment which has
        these needs only some of the rows."""
        program = self._program
        whole = {
            program.root(operand.name)[0].name
            for stage in program.stages
            for operand, window in zip(stage.op.operands, stage.windows or [None] * len(stage.op.operands), strict=True)
            if window is None
        }
        found: dict[int, list[tuple[str, int]]] = {}
        for name, (first, last) in self._alive.touched.items():
            by_rows = program.buffer[name].rows > 1 and name not in whole
            if by_rows and all(program.rolls(b.name) for b in self._alive.taken.get(name, {}).values()):
                found.setdefault(last, []).append((name, first))
        return found

    def _shrunk(self, segment: Segment, growth: Growth, full: Collection[str], follows: Mapping[str, View]) -> Piece:
        """The piece with the least rings."""
        numbers = segment.stages
        cost = sum(self._costs[numbers.start : numbers.stop])
        need = growth.need(segment.paces, self._by_rows[numbers.start : numbers.stop], full, follows)
        return Piece(segment, True, need.peak, cost, need.kept, need.rings, follows)

    def _over_dead_row(self, number: int, reverse: bool) -> Iterator[tuple[str, str, View]]:
        """The name of a stage's result, the memory over which its rows may lie, and their place over the first rows of
        its windows: where nothing else reads or writes these and all that reads the result takes it one row after the
        other. It is there where the segment needs only some rows of both."""
        program, stage = self._program, self._by_rows[number]
        window = stage.windows[0] if stage.windows else None
        if not stage.op.may_overwrite_row() or window is None:
            return
        operand = program.buffer[stage.op.operands[0].name]
        home = program.root(operand.name)[0].name
        target = program.buffer[stage.result.name]
        if target.view is not None or target.row_bytes > operand.row_bytes or home in self._wiring.shared:
            return
        if not same_rows(program, operand.name, home):
            return
        if any(read.stage != number for read in self._wiring.readers.get(home, ())):
            return
        if all(
            read.window is None or (read.window.is_pointwise and _in_rows(program, read.name, target.name))
            for read in self._wiring.readers.get(target.name, ())
        ):
            ahead = (window.size - 1) * window.dilation if reverse else 0
            yield stage.result.name, home, View(operand.name, follows=(window.stride, window.pad - ahead))


def _in_rows(program: RowProgram, part: str, whole: str) -> bool:
    """Whether each row of a buffer is one of another, or an equal part of it."""
    a, b = program.buffer[part], program.buffer[whole]
    return program.root(part)[1] == program.root(whole)[1] and a.row_bytes > 0 and not b.row_bytes % a.row_bytes


class _Smaller:
    """Finds the rings of a growing segment that can have a row less, and what that makes of it."""

    def __init__(self, wiring: Wiring, first: int, reverse: bool) -> None:
        self._wiring, self._first, self._reverse = wiring, first, reverse
        self._waiting: list[str] = []
        self._found: list[Ring] = []
        self._saved = self._largest = 0

    def more(self, names: Iterable[str]) -> None:
        """These memories belong to the segment, too."""
        self._waiting += names

    def piece(self, piece: Piece) -> Piece | None:
        """A piece with such rings; None where it has none."""
        for name in self._waiting:
            ring = ring_of(self._wiring, name, self._first, piece.segment.paces, self._reverse)
            if ring is not None:
                self._found.append(ring)
                self._saved += self._wiring.program.buffer[name].row_bytes
                self._largest = max(self._largest, self._wiring.program.buffer[name].row_bytes)
        self._waiting = []
        less = self._saved - self._largest
        if less <= 0:
            return None
        cost = piece.cost + sum(self._wiring.program.buffer[ring.name].value.type.bytes for ring in self._found)
        kept, peak = piece.kept - self._saved, piece.peak - less
        return dataclasses.replace(piece, peak=peak, kept=kept, cost=cost, held=tuple(self._found))


def _followers(above: Sequence[tuple[str, str, View]], full: Collection[str]) -> dict[str, View]:
    """The memories whose rows may follow those of another one, where a segment needs only some rows of both."""
    follows: dict[str, View] = {}
    for name, home, view in above:
        if name in full and home in full and home not in follows:
            follows[name] = view
    return follows


def apply(program: RowProgram, chosen: Sequence[Piece]) -> RowProgram:
    """The program with these segments, in order, which hold all its stages."""
    program = by_rows(program, [k for piece in chosen if piece.by_rows for k in piece.segment.stages])
    stages = list(program.stages)
    rings: dict[str, int] = {}
    follows: dict[str, View] = {}
    for piece in chosen:
        for k in piece.segment.stages:
            if piece.split > 1:
                stages[k] = dataclasses.replace(stages[k], split=piece.split)
        rings.update(piece.rings)
        follows.update(piece.follows)
    placed = with_places(dataclasses.replace(program, stages=tuple(stages)), rings, follows)
    placed = dataclasses.replace(placed, segments=tuple(piece.segment for piece in chosen))
    for number in reversed(range(len(chosen))):
        if chosen[number].held:
            placed = held_back(placed, placed.segments[number], chosen[number].held)
    return placed


def by_rows(program: RowProgram, numbers: Iterable[int]) -> RowProgram:
    """The program with these stages run one row at a time: a row of the result, or of the operand that they gather, for
    which their result's memory must have room."""
    stages, work = list(program.stages), {}
    for number in numbers:
        stage = stages[number].by_rows()
        held = stage.op.gathered() if stage.gathers else None
        target = program.buffer[stage.result.name]
        if held is not None and held.bytes > target.bytes:
            if target.space is not Space.ARENA or target.view is not None:
                continue
            work[target.name] = held.bytes
        stages[number] = stage
    buffers = tuple(dataclasses.replace(b, work=work[b.name]) if b.name in work else b for b in program.buffers)
    return dataclasses.replace(program, stages=tuple(stages), buffers=buffers)


def with_places(program: RowProgram, rings: Mapping[str, int], follows: Mapping[str, View]) -> RowProgram:
    """The program with these buffers as rings, and those as views that follow the rows of others."""

    def placed(buffer: Buffer) -> Buffer:
        if buffer.name in follows:
            return dataclasses.replace(buffer, view=follows[buffer.name], ring=0)
        ring = rings.get(buffer.name, buffer.ring)
        return buffer if ring == buffer.ring else dataclasses.replace(buffer, ring=ring)

    return dataclasses.replace(program, buffers=tuple(placed(b) for b in program.buffers))


def _cost(stage: Stage) -> int:
    """Instructions that a stage takes more when it computes one row at a time instead of a band."""
    if stage.by_rows().gathers:
        return stage.op.operands[0].shape[1] * CALL
    if stage.band <= 1:
        return 0
    rows, pixels = stage.rows, math.prod(stage.result.shape[2:-1])
    partial = rows * (pixels % TILE) / max(rows * pixels, 1)
    return rows * CALL + int(2 * partial * stage.op.macs())
