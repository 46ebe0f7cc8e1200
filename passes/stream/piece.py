"""One segment, worked out: its paces, the rings in it, and the memory it needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tinyc.ir.rows import Buffer, Pace, RowProgram, Segment, Stage, View
from tinyc.passes.rows.split import saving
from tinyc.passes.stream.alive import Alive
from tinyc.passes.stream.pace import paces, same_rows

CALL = 40
"""Instructions that one more call of a row kernel takes, about: measured on rv32imc."""
TILE = 4
"""Pixels that the pointwise kernels compute together; a row's last tile may be smaller, and then costs more a pixel."""


@dataclass(frozen=True)
class Piece:
    """A segment that a schedule may have.

    `peak` is the largest sum of bytes alive at one time while it runs, `kept` what its rings take of that, and `cost`
    an estimate of the instructions it takes beyond those of its stages run one after another, in whole bands, and where
    there are more cores than one, shared by them. With `split`, it is one stage that so many cores share.
    """

    segment: Segment
    by_rows: bool
    peak: int
    cost: int
    kept: int = 0
    rings: Mapping[str, int] = field(default_factory=dict)
    follows: Mapping[str, View] = field(default_factory=dict)
    split: int = 1


class Cutter:
    """Works out the segments that the schedule of a program may have, where it runs on so many cores."""

    def __init__(self, program: RowProgram, cores: int = 1) -> None:
        self._program, self._cores = program, cores
        self._lost = [saving(program, stage, cores) for stage in program.stages]
        self._alive = Alive(program)
        self._by_rows = [dataclasses.replace(s, band=1) if s.windows else s for s in program.stages]
        self._streamable = self._memories_by_rows()
        self._over: dict[tuple[int, bool], tuple[str, View] | None] = {}

    def pieces(self, stages: range, reverse: bool = False) -> Iterator[Piece]:
        """The ways to run these stages as one segment, from the first row to the last or in reverse."""
        if len(stages) == 1:
            stage = self._program.stages[stages.start]
            single = Segment(stages.start, (Pace(),), reverse)
            lost = self._lost[stages.start]
            if lost:
                shared = dataclasses.replace(stage, split=self._cores)
                yield Piece(single, False, self._alive.need(single, [shared], (), {}).peak, 0, split=self._cores)
            yield Piece(single, False, self._alive.need(single, [stage], (), {}).peak, lost)
            if stage.band > 1:
                by_rows = self._by_rows[stages.start]
                yield Piece(single, True, self._alive.need(single, [by_rows], (), {}).peak, lost + _cost(stage))
            return
        pace = paces(self._program, stages, reverse)
        if pace is not None:
            yield self._with_rings(Segment(stages.start, pace, reverse))

    def _memories_by_rows(self) -> dict[str, tuple[int, int]]:
        """The memories that all stages take row by row, and the first and the last that does: a segment which has
        these needs only some of the rows."""
        program = self._program
        whole = {
            program.root(operand.name)[0].name
            for stage in program.stages
            for operand, window in zip(stage.op.operands, stage.windows or [None] * len(stage.op.operands), strict=True)
            if window is None
        }
        return {
            name: ends
            for name, ends in self._alive.touched.items()
            if program.buffer[name].rows > 1
            and name not in whole
            and all(same_rows(program, b.name, name) for b in self._alive.shown[name])
        }

    def _with_rings(self, segment: Segment) -> Piece:
        """The piece with rings as small as can be, and rows written over others where that saves something."""
        stages = segment.stages
        cost = sum(_cost(self._program.stages[k]) + self._lost[k] for k in stages)
        full = [name for name, (first, last) in self._streamable.items() if first in stages and last in stages]
        plain = self._shrunk(segment, cost, full, {})
        follows: dict[str, View] = {}
        for k in stages:
            name, over = self._program.stages[k].result.name, self._over_dead_row(k, segment.reverse)
            if over is not None and name in full and over[0] in full and over[0] not in follows:
                follows[name] = over[1]
        if not follows:
            return plain
        piece = self._shrunk(segment, cost, [name for name in full if name not in follows], follows)
        # Rows follow those of a ring: a buffer that has to keep all its rows is none.
        rings = {self._program.root(view.base)[0].name for view in follows.values()} <= set(piece.rings)
        return min(plain, piece, key=lambda p: p.peak) if rings else plain

    def _shrunk(self, segment: Segment, cost: int, full: Sequence[str], follows: Mapping[str, View]) -> Piece:
        """The piece with the least rings."""
        stages = segment.stages
        need = self._alive.need(segment, self._by_rows[stages.start : stages.stop], full, follows)
        return Piece(segment, True, need.peak, cost, need.kept, need.rings, follows)

    def _over_dead_row(self, number: int, reverse: bool) -> tuple[str, View] | None:
        """The place of a stage's rows over the first rows of its windows, and the memory in which it is: where nothing
        else reads or writes these and all that reads the result takes it one row after the other. It is there where
        the segment needs only some rows of both."""
        if (number, reverse) not in self._over:
            self._over[number, reverse] = self._find_over(number, reverse)
        return self._over[number, reverse]

    def _find_over(self, number: int, reverse: bool) -> tuple[str, View] | None:
        program, stage = self._program, self._by_rows[number]
        window = stage.windows[0] if stage.windows else None
        if not stage.op.may_overwrite_row() or window is None:
            return None
        operand = program.buffer[stage.op.operands[0].name]
        home = program.root(operand.name)[0].name
        target = program.buffer[stage.result.name]
        if target.view is not None or target.row_bytes > operand.row_bytes:
            return None
        for k, other in enumerate(self._by_rows):
            if (other.result.name != home and program.root(other.result.name)[0].name == home) or (
                k != number and any(program.root(v.name)[0].name == home for v in other.op.operands)
            ):
                return None
            for value, read in zip(other.op.operands, other.windows, strict=False):
                if program.root(value.name)[0] is target and read is not None and not read.is_pointwise:
                    return None
        ahead = (window.size - 1) * window.dilation if reverse else 0
        return home, View(operand.name, follows=(window.stride, window.pad - ahead))


def apply(program: RowProgram, chosen: Sequence[Piece]) -> RowProgram:
    """The program with these segments, in order, which hold all its stages."""
    stages = list(program.stages)
    rings: dict[str, int] = {}
    follows: dict[str, View] = {}
    for piece in chosen:
        for k in piece.segment.stages:
            if piece.by_rows and stages[k].windows:
                stages[k] = dataclasses.replace(stages[k], band=1)
            if piece.split > 1:
                stages[k] = dataclasses.replace(stages[k], split=piece.split)
        rings.update(piece.rings)
        follows.update(piece.follows)
    placed = with_places(dataclasses.replace(program, stages=tuple(stages)), rings, follows)
    return dataclasses.replace(placed, segments=tuple(piece.segment for piece in chosen))


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
    if stage.band <= 1:
        return 0
    rows, pixels = stage.result.shape[1:3]
    partial = rows * (pixels % TILE) / max(rows * pixels, 1)
    return rows * CALL + int(2 * partial * stage.op.macs())
