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
from tinyc.passes.stream.over import Over, one_through_another, over_dead_rows, over_its_operand, set_aside
from tinyc.passes.stream.pace import Pacing, Wiring

CALL = 40
"""Instructions that one more call of a row kernel takes, about: measured on rv32imc."""
TILE = 4
"""Pixels that the pointwise kernels compute together; a row's last tile may be smaller, and then costs more a pixel."""


Way = tuple[Segment, bool, int, bool, bool, bool]


@dataclass(frozen=True)
class Piece:
    """A segment that a schedule may have.

    `peak` is the largest sum of bytes alive at one time while it runs, `kept` what its rings take of that, and `cost`
    an estimate of the instructions it takes beyond those of its stages run one after another, in whole bands, and where
    there are more cores than one, shared by them. With `split`, it is one stage that so many cores share. Rings that
    are `held` have a row less (`hold`); the peak is then an estimate. Rows that follow those of others may be computed
    over the ones that are read for them, with some pixels `aside` (`over`).
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
    aside: bool = False

    @property
    def way(self) -> Way:
        """How its stages are run: pieces that begin and end alike, and are run in one way, are the same."""
        return self.segment, self.by_rows, self.split, bool(self.follows), bool(self.held), self.aside


class Cutter:
    """Works out the segments that the schedule of a program may have, where it runs on so many cores; without `aside`,
    none whose rows are computed over those that are read for them."""

    def __init__(self, program: RowProgram, cores: int = 1, aside: bool = True) -> None:
        self._cores, self._may_aside = cores, aside
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
        plain, over, through = (Growth(self._alive, stages.start, reverse) for _ in range(3))
        full: set[str] = set()
        above: list[Over] = []
        smaller = _Smaller(self._wiring, stages.start, reverse)
        for number in stages:
            pacing.grow()
            ending = [name for name, first in self._ending.get(number, ()) if first >= stages.start]
            full.update(ending)
            smaller.more(ending)
            above += filter(None, [over_its_operand(self._wiring, number, reverse)])
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
            if follows := over_dead_rows(above, full):
                piece = self._shrunk(segment, over, full - follows.keys(), follows)
                if self._in_rings(piece):
                    found = [piece] if piece.peak <= whole.peak else [piece, whole]
            if self._may_aside and (follows := one_through_another(above, full)):
                piece = self._aside(self._shrunk(segment, through, full - follows.keys(), follows))
                if self._in_rings(piece) and piece.peak < min(other.peak for other in found):
                    found.append(piece)
            held = smaller.piece(whole)
            if held is not None and held.peak < min(piece.peak for piece in found if not piece.aside):
                found.append(held)
            yield found

    def _in_rings(self, piece: Piece) -> bool:
        """Whether all rows that follow others do so in rings: a buffer that has to keep all its rows is none."""
        bases = {self._program.root(view.base)[0].name for view in piece.follows.values()}
        return bases - piece.follows.keys() <= piece.rings.keys()

    def _aside(self, piece: Piece) -> Piece:
        """A piece with what it costs to copy pixels aside."""
        cost = piece.cost
        for number in piece.segment.stages:
            stage = self._by_rows[number]
            if pixels := set_aside(stage, piece.follows):
                size = stage.op.operands[0].type
                cost += size.bytes + stage.rows * -(-size.shape[2] // pixels) * CALL
        return dataclasses.replace(piece, cost=cost, aside=True)

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
            if piece.aside and (pixels := set_aside(stages[k], piece.follows)):
                stages[k] = dataclasses.replace(stages[k], aside=pixels)
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
    which their result's memory must have room, and may not be the operand's."""
    stages, work = list(program.stages), {}
    for number in numbers:
        stage = stages[number].by_rows()
        held = stage.op.gathered() if stage.gathers else None
        target = program.buffer[stage.result.name]
        if stage.gathers and program.overwrites(stage):
            continue
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
