"""Programs that keep their state between calls: what holds after any number of sweeps.

Such a program has one segment, whose sweeps are counted. Rings and paces repeat themselves, so that a count that goes
back by a multiple of all of them finds everything where it lay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from tinyc.ir.errors import IRError
from tinyc.ir.op import Value
from tinyc.ir.rows.parts import Pace, Space, Stage, row_count
from tinyc.ir.rows.program import RowProgram

LONGEST = 1 << 30
"""Sweeps to which a program may count."""


def paced(program: RowProgram) -> Iterator[tuple[int, Stage, Pace]]:
    """The stages with their numbers and paces."""
    for segment in program.order:
        for number, pace in zip(segment.stages, segment.paces, strict=True):
            yield number, program.stages[number], pace


def every(program: RowProgram) -> int:
    """The sweeps after which all stages are due as they were."""
    return lcm(*(pace.period for _, _, pace in paced(program)))


def rows_a_call(program: RowProgram) -> Mapping[str, int]:
    """How many rows of each input come in a call, and of each output go, by name."""
    assert program.endless is not None
    found: dict[str, int] = {}
    for _, stage, pace in paced(program):
        if program.takes_rows(stage):
            found[stage.op.operands[0].name] = program.endless.hop // pace.period
        elif program.gives_rows(stage):
            found[stage.result.name] = program.endless.hop // pace.period
    return found


def late_rows(program: RowProgram) -> Mapping[str, int]:
    """How many rows each output is behind the rows that come in, by name."""
    return {s.result.name: pace.delay // pace.period for _, s, pace in paced(program) if program.gives_rows(s)}


def warm_up(program: RowProgram) -> int:
    """The first sweep from which on no stage reads a row before the first one, or computes its first row."""
    found = 0
    for _, stage, pace in paced(program):
        first = max((-(-max(w.pad, 0) // w.stride) for w in stage.windows if w is not None), default=0)
        found = max(found, pace.delay + max(first, int(stage.carries)) * pace.period)
    return found


@dataclass(frozen=True)
class Turn:
    """A stage touches rows of a memory: in each of its rows, which come every `period` sweeps, it moves on by so many
    bytes; only after a multiple of `whole` rows by whole rows of the memory."""

    period: int
    bytes: Fraction
    whole: int

    def repeated(self, size: int) -> int:
        """The sweeps after which it is where it was, in a ring of so many bytes."""
        return self.period * lcm(self.whole, (self.bytes / size).denominator)


def turns(program: RowProgram) -> dict[str, list[Turn]]:
    """How the stages move through the memories of the arena, by the names of the buffers that own these."""
    found: dict[str, list[Turn]] = {}
    for _, stage, pace in paced(program):
        windows = zip(stage.op.operands, stage.windows, strict=True)
        touched = [(stage.result.name, 1), *((v.name, w.stride) for v, w in windows if w is not None)]
        touched += [(f.value.name, w.stride) for f in stage.fresh if (w := stage.windows[f.operand]) is not None]
        for name, stride in touched:
            root = program.root(name)[0]
            if root.space is Space.ARENA:
                found.setdefault(root.name, []).append(_turn(program, name, stride, pace.period))
    return found


def _turn(program: RowProgram, name: str, stride: int, period: int) -> Turn:
    buffer, rows = program.buffer[name], Fraction(stride)
    size, whole = buffer.row_bytes, 1
    while buffer.view is not None:
        base = program.buffer[buffer.view.base]
        if buffer.view.follows is not None:
            rows, size = rows * buffer.view.follows[0], base.row_bytes
        rows /= buffer.view.repeats
        whole = lcm(whole, rows.denominator)
        buffer = base
    return Turn(period, rows * size, whole)


def repeated_after(program: RowProgram) -> int:
    """The sweeps after which all stages are where they were in their rings."""
    found = every(program)
    for name, moves in turns(program).items():
        found = lcm(found, *(turn.repeated(program.buffer[name].bytes) for turn in moves))
    return found


def verify_endless(program: RowProgram) -> None:
    """Raises `IRError` unless a program can go on for ever, call after call."""
    endless, where = program.endless, f"program {program.name}"
    if endless is None:
        if any(stage.endless for stage in program.stages):
            raise IRError("has stages that never end, and ends", where)
        return
    counter = program.buffer.get(endless.counter.name)
    if counter is None or counter.value != endless.counter or counter.space is not Space.ARENA or counter.view:
        raise IRError("counts in what is no buffer of the arena", where)
    if len(program.order) != 1 or program.order[0].reverse or not program.takes_rows(program.stages[0]):
        raise IRError("keeps its state, and is not one segment from the first row to the last", where)
    for value in (*program.inputs, *program.outputs):
        if program.buffer[value.name].space is not Space.ROWS:
            raise IRError(f"keeps its state, and {value} does not come or go by rows", where)
    for _, stage, pace in paced(program):
        _verify_stage(program, stage, pace)
    if endless.warm % endless.hop or endless.warm < warm_up(program):
        raise IRError(f"counts again from sweep {endless.warm}, where rows before the first are read", where)
    if endless.cycle % lcm(endless.hop, repeated_after(program)) or endless.warm + endless.cycle >= 2 * LONGEST:
        raise IRError(f"counts {endless.cycle} sweeps again, after which not all lies where it lay", where)


def _verify_stage(program: RowProgram, stage: Stage, pace: Pace) -> None:
    assert program.endless is not None
    even = all(window is None or window.is_even for window in stage.windows)
    if not stage.endless or not stage.windows or stage.band != 1 or stage.gathers or stage.split != 1 or not even:
        raise IRError("does not take and give rows for ever", stage.where)
    if program.endless.hop % pace.period:
        raise IRError(f"has a row every {pace.period} sweeps, of which a call has {program.endless.hop}", stage.where)
    windows = zip(stage.op.operands, stage.windows, strict=True)
    for value in (stage.result, *(v for v, w in windows if w is not None or not is_constant(program, v))):
        root = program.root(value.name)[0]
        if root.space is not Space.ROWS and not root.ring:
            raise IRError(f"takes or gives {value}, of which there are only {row_count(value)} rows", stage.where)
    due = in_time(program, stage, pace)
    if stage.rows != due:
        raise IRError(f"has {stage.rows} rows, of which {due} are due while its inputs come", stage.where)


def in_time(program: RowProgram, stage: Stage, pace: Pace) -> int:
    """How many rows of a stage are due while the rows that the program's types tell come in."""
    return -(-(program.window_sweeps - pace.delay) // pace.period)


def looks_back(program: RowProgram) -> Mapping[str, int]:
    """From which of its rows on each output is the same whatever came before the first row of the inputs, at the
    latest, by name; those that something carries from row to row to are left out."""
    far: dict[str, Fraction | None] = {}
    begun: dict[str, int] = {}
    found: dict[str, int] = {}
    for _, stage, pace in paced(program):
        lags: list[Fraction | None] = [Fraction(0)]
        moved = {f.operand: f.value for f in stage.fresh}
        windows = zip(stage.op.operands, stage.windows, strict=True)
        for number, (value, window) in enumerate(windows if not program.takes_rows(stage) else ()):
            if window is not None:
                home = program.root(moved.get(number, value).name)[0].name
                before, apart = far[home], pace.delay - begun[home]
                more = apart + pace.period + Fraction(window.pad * pace.period, window.stride)
                lags.append(None if before is None else before + more)
        root = program.root(stage.result.name)[0].name
        begun[root] = min(begun.get(root, pace.delay), pace.delay)
        known = [lag for lag in (*lags, far.get(root, Fraction(0))) if lag is not None]
        most = max(known) if len(known) > len(lags) and not stage.carries else None
        far[root] = most
        if program.gives_rows(stage) and most is not None:
            found[stage.result.name] = int(most) // pace.period + 1
    return found


def is_constant(program: RowProgram, value: Value) -> bool:
    """Whether the bytes of a value are known when the code is made."""
    return program.root(value.name)[0].space is Space.CONSTANT


def unending(program: RowProgram) -> RowProgram:
    """The program with stages behind whose last rows more come."""
    return dataclasses.replace(program, stages=tuple(dataclasses.replace(s, endless=True) for s in program.stages))
