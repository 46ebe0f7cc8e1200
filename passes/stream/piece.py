"""One segment, worked out: its paces, the rings in it, and the memory it needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tinyc.ir.rows import Buffer, Pace, RowProgram, Segment, Space, Stage, View
from tinyc.ir.rows.lives import ALWAYS, BEFORE, Life, lives, peak, touching
from tinyc.passes.rows.split import saving
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
        self._touched = touching(program)
        self._shown: dict[str, list[Buffer]] = {}
        for buffer in program.buffers:
            self._shown.setdefault(program.root(buffer.name)[0].name, []).append(buffer)

    def pieces(self, stages: range, reverse: bool = False) -> Iterator[Piece]:
        """The ways to run these stages as one segment, from the first row to the last or in reverse."""
        if len(stages) == 1:
            stage = self._program.stages[stages.start]
            single = Segment(stages.start, (Pace(),), reverse)
            lost = self._lost[stages.start]
            if lost:
                shared = self._part(stages, single, stage.band, self._cores)
                yield Piece(single, False, peak(self._lives(shared, stages)), 0, split=self._cores)
            yield Piece(single, False, peak(self._lives(self._part(stages, single, stage.band), stages)), lost)
            if stage.band > 1:
                yield Piece(single, True, peak(self._lives(self._part(stages, single), stages)), lost + _cost(stage))
            return
        pace = paces(self._program, stages, reverse)
        if pace is not None:
            yield self._with_rings(Segment(stages.start, pace, reverse))

    def _part(self, stages: range, segment: Segment, band: int = 1, split: int = 1) -> RowProgram:
        """The stages of a segment as a program of their own, each computing one row at a time."""
        found = [self._program.stages[k] for k in stages]
        parts = tuple(dataclasses.replace(s, band=band, split=split) if s.windows else s for s in found)
        names = {v.name for s in found for v in (s.result, *s.op.operands)}
        roots = {self._program.root(name)[0].name for name in names}
        buffers = tuple(b for root in sorted(roots) for b in self._shown[root])
        moved = dataclasses.replace(segment, first=0)
        return RowProgram(self._program.name, (), (), buffers, parts, None, (moved,))

    def _lives(self, part: RowProgram, stages: range) -> list[Life]:
        """The lives while a segment runs; what lives across it is included."""
        found = lives(part)
        for name, (first, last) in self._touched.items():
            if name in found:
                life = found[name]
                if first < stages.start:
                    life.birth[:] = BEFORE
                    life.death[life.death < BEFORE] = BEFORE
                if last >= stages.stop:
                    # What is written after the segment is not there yet.
                    life.death[life.birth < ALWAYS] = ALWAYS
            elif first < stages.start and last >= stages.stop:
                found[name] = Life.whole(self._program.buffer[name])
        return list(found.values())

    def _internal(self, stages: range) -> list[str]:
        """The memories of which a segment needs only some rows: nothing outside it touches them, and all in it takes
        them row by row."""
        program = self._program
        found = []
        for name, (first, last) in self._touched.items():
            root = program.buffer[name]
            if first in stages and last in stages and root.rows > 1 and root.space is Space.ARENA:
                shown = self._shown[name]
                if all(same_rows(program, b.name, name) for b in shown):
                    found.append(name)
        whole = {
            program.root(operand.name)[0].name
            for k in stages
            for operand, window in zip(program.stages[k].op.operands, program.stages[k].windows, strict=True)
            if window is None
        }
        return [name for name in found if name not in whole]

    def _with_rings(self, segment: Segment) -> Piece:
        """The piece with rings as small as can be, and rows written over others where that saves something."""
        stages = segment.stages
        part = self._part(stages, segment)
        cost = sum(_cost(self._program.stages[k]) + self._lost[k] for k in stages)
        full = {name: self._program.buffer[name].rows for name in self._internal(stages)}
        plain = self._shrunk(part, segment, cost, full, {})
        follows: dict[str, View] = {}
        for stage in part.stages:
            view = _over_dead_row(part, segment, stage, set(full) - set(follows))
            if view is not None:
                follows[stage.result.name] = view
        if not follows:
            return plain
        fewer = {name: rows for name, rows in full.items() if name not in follows}
        over = self._shrunk(part, segment, cost, fewer, follows)
        # Rows follow those of a ring: a buffer that has to keep all its rows is none.
        rings = {part.root(view.base)[0].name for view in follows.values()} <= set(over.rings)
        return min(plain, over, key=lambda p: p.peak) if rings else plain

    def _shrunk(
        self, part: RowProgram, segment: Segment, cost: int, full: Mapping[str, int], follows: Mapping[str, View]
    ) -> Piece:
        """The piece with the least rings."""
        found = self._lives(with_places(part, full, follows), segment.stages)
        rings: dict[str, int] = {}
        kept = 0
        for position, life in enumerate(found):
            name = life.owner.name
            if name in full:
                size = life.ring()
                if size < full[name]:
                    rings[name] = size
                owner = dataclasses.replace(life.owner, ring=rings.get(name, 0))
                kept += owner.bytes
                found[position] = dataclasses.replace(life, owner=owner)
        return Piece(segment, True, peak(found), cost, kept, rings, follows)


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


def _over_dead_row(part: RowProgram, segment: Segment, stage: Stage, internal: set[str]) -> View | None:
    """The place of a stage's rows over the first rows of its windows, where nothing else reads or writes these and all
    that reads the result takes it one row after the other."""
    window = stage.windows[0] if stage.windows else None
    if not stage.op.may_overwrite_row() or window is None or stage.result.name not in internal:
        return None
    operand = part.buffer[stage.op.operands[0].name]
    home = part.root(operand.name)[0].name
    target = part.buffer[stage.result.name]
    if home not in internal or target.view is not None or target.row_bytes > operand.row_bytes:
        return None
    for other in part.stages:
        if (other.result.name != home and part.root(other.result.name)[0].name == home) or (
            other is not stage and any(part.root(v.name)[0].name == home for v in other.op.operands)
        ):
            return None
        for value, read in zip(other.op.operands, other.windows, strict=True):
            if part.root(value.name)[0] is target and read is not None and not read.is_pointwise:
                return None
    ahead = (window.size - 1) * window.dilation if segment.reverse else 0
    return View(operand.name, follows=(window.stride, window.pad - ahead))


def _cost(stage: Stage) -> int:
    """Instructions that a stage takes more when it computes one row at a time instead of a band."""
    if stage.band <= 1:
        return 0
    rows, pixels = stage.result.shape[1:3]
    partial = rows * (pixels % TILE) / max(rows * pixels, 1)
    return rows * CALL + int(2 * partial * stage.op.macs())
