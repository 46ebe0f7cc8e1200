"""State that is kept between calls: a network of signals that runs for ever, some samples a call.

All stages advance together in one segment, whose rings are what is kept. Nothing is computed twice, and there is no
window: a row of an output is what the network makes of all rows that came, up to its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

from tinyc.ir.op import Value, unused
from tinyc.ir.rows import Buffer, Endless, RowProgram, Space, Stage, row_count
from tinyc.ir.rows.endless import (
    LONGEST,
    Turn,
    every,
    in_time,
    is_constant,
    paced,
    repeated_after,
    turns,
    unending,
    warm_up,
)
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import PassError, RowPass, Slack
from tinyc.passes.rows.lower import TIME_FIRST, time_first
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream.pace import Pacing, Wiring
from tinyc.passes.stream.piece import Cutter, apply, by_rows
from tinyc.passes.stream.stream import TRIAL, variants

ROUND = (735134400, 367567200, 122522400, 61261200, 21621600, 7207200, 2162160, 720720, 55440, 5040, 720, 120, 24, 4, 1)
"""Numbers with more divisors than any smaller one has, or nearly, so that between a number and its double many lie."""


@dataclass(frozen=True)
class KeepState(RowPass, name="keep-state"):
    """Makes the program one that is called with `hop` rows of its first input (with 0 the fewest that can be), gives
    what belongs to them, and goes on there when it is called again.

    Raises `PassError` where a row of an output is not made of the rows that came up to its own alone.
    """

    hop: int = 0

    slack = Slack(1e-6, "a float sum over one row may be rounded otherwise than the same sum over several")

    def run(self, program: RowProgram) -> RowProgram:
        _check_rows(program)
        # Results over operands may have to wait for these; results beside them never do.
        found: list[RowProgram] = []
        refused: list[PassError] = []
        for way in variants(program):
            try:
                found += self._ways(way)
            except PassError as error:
                refused.append(error)
        if not found:
            raise refused[-1] if refused else PassError(_no_pace(program))
        return min(found, key=_bytes)

    def _ways(self, program: RowProgram) -> list[RowProgram]:
        """The ways to run all stages in one segment. Raises `PassError` where one cannot be."""
        pieces = Cutter(program).pieces(range(len(program.stages)))
        return [self._endless(unending(apply(program, [piece]))) for piece in pieces]

    def _endless(self, program: RowProgram) -> RowProgram:
        for _, stage, pace in paced(program):
            _check(program, stage, in_time(program, stage, pace))
        hop = self._sweeps_a_call(program)
        _check_window(program)
        _check_rings(program)
        program = _with_short_cycle(program, hop)
        warm = -(-warm_up(program) // hop) * hop
        least = lcm(hop, repeated_after(program))
        # In the model's window no row has the number of another one: that is how traces tell them apart.
        cycle = -(-max(program.window_sweeps - warm, 1) // least) * least
        counter = Value(unused("sweeps_counted", {b.name for b in program.buffers}), TensorType((1,), DType.I32))
        buffers = (*program.buffers, Buffer(counter, Space.ARENA))
        return dataclasses.replace(program, buffers=buffers, endless=Endless(hop, warm, cycle, counter))

    def _sweeps_a_call(self, program: RowProgram) -> int:
        """The sweeps in which `hop` rows come."""
        takers = {s.op.operands[0].name: p.period for _, s, p in paced(program) if program.takes_rows(s)}
        period, least = takers[program.inputs[0].name], every(program)
        hop = self.hop * period or least
        if hop % least:
            rows = least // period
            raise PassError(f"`hop`: the network repeats its steps every {rows} rows; a call takes a multiple of these")
        if rest := program.window_sweeps % hop:
            raise PassError(
                f"`hop`: the model's window of {row_count(program.inputs[0])} rows is no whole number of calls of "
                f"{hop // period}, {rest // period} are left: choose another, or another window (`input_shapes`)"
            )
        return hop


def _check_window(program: RowProgram) -> None:
    """Raises `PassError` where the rows of the model's window are too few to see how the network goes on."""
    if program.window_sweeps < (least := warm_up(program) + 2 * every(program)):
        value = program.inputs[0]
        rows = -(-row_count(value) * least // program.window_sweeps)
        raise PassError(
            f"`hop`: the model's window has {row_count(value)} rows, fewer than a layer looks back at: compile it with "
            f"a window of {rows} or more (`input_shapes`)"
        )


def _bytes(program: RowProgram) -> int:
    plan = PlanArena(seconds=TRIAL).run(program).plan
    assert plan is not None
    return plan.bytes


def _check(program: RowProgram, stage: Stage, due: int) -> None:
    """Raises `PassError` for a stage whose rows are not those that it has for ever."""
    if stage.rows > due:
        raise PassError(
            f"`hop`: {stage.where} gives {stage.rows} rows where the rows of the inputs that have come make {due}: it "
            "looks ahead. Let it pad before the first row alone, as causal layers do"
        )
    if stage.rows < due:
        raise PassError(f"`hop`: {stage.where} gives {stage.rows} rows of {due}: the network cuts off part of the time")
    for value, window in zip(stage.op.operands, stage.windows, strict=True):
        if window is not None and is_constant(program, value):
            raise PassError(f"`hop`: {stage.where} has other numbers in each row of {value}, which end")


def _check_rings(program: RowProgram) -> None:
    """Raises `PassError` for what cannot be kept in a ring."""
    for stage in program.stages:
        for value in (v for v in stage.touched if v != stage.kernel.scratch):
            root = program.root(value.name)[0]
            if root.space is Space.ARENA and not root.ring:
                raise PassError(f"`hop`: {stage.where} takes or gives {value}, all of whose rows have to be kept")


def _check_rows(program: RowProgram) -> None:
    """Raises `PassError` for what has no rows that come for ever."""
    ports = [v for v in (*program.inputs, *program.outputs) if program.buffer[v.name].space is not Space.ROWS]
    if found := next(filter(time_first, ports), None):
        raise PassError(f"{_no_signal(found)}; {TIME_FIRST}")
    for stage in by_rows(program, range(len(program.stages))).stages:
        windows = () if stage.gathers else stage.windows
        if any(window is not None and not window.is_even for window in windows):
            raise PassError(
                f"`hop`: {stage.where} takes rows at another pace than they come, or those at the border again, "
                "as resizing, transposed convolutions and padding by edges or reflection do: end the network before "
                "it, or compile it without `hop`"
            )
        read = zip(stage.op.operands, windows or [None] * len(stage.op.operands), strict=True)
        whole = [value for value, window in read if window is None and not is_constant(program, value)]
        if whole or not windows:
            taken = f" (all of {whole[0]})" if whole else ""
            raise PassError(
                f"`hop`: {stage.where} reads the whole window{taken}: "
                + (_other_layout(program, stage) or "end the network before it, or compile it without `hop`")
            )
    if ports:
        raise PassError(_no_signal(ports[0]))


def _no_signal(value: Value) -> str:
    return f"`hop`: {value} is {value.type}, no signal (1xLxC) or image (1xHxWxC) whose rows go on for ever"


def _other_layout(program: RowProgram, stage: Stage) -> str:
    """The layout with which a transposition that comes first or last is left out; empty for any other stage."""
    if not stage.op.renames():
        return ""
    x = stage.op.operands[0]
    takers = {s.result.name for s in program.stages if program.takes_rows(s)}
    givers = {program.root(s.op.operands[0].name)[0].name for s in program.stages if program.gives_rows(s)}
    layouts = {3: ("signal", "nlc"), 4: ("image", "nhwc")}
    sides = {
        "input": program.root(x.name)[0].name in takers,
        "output": program.root(stage.result.name)[0].name in givers,
    }
    side = next((side for side, found in sides.items() if found), "")
    if not side or x.type.rank not in layouts:
        return ""
    kind, layout = layouts[x.type.rank]
    return f"its {side} is a {kind} channel by channel; choose `{side}_layout={layout}`, or none, which finds that"


def _no_pace(program: RowProgram) -> str:
    """Why not all stages can advance together."""
    pacing = Pacing(Wiring(by_rows(program, range(len(program.stages)))), 0)
    for stage in program.stages:
        pacing.grow()
        if not pacing.possible:
            return f"`hop`: the rows of {stage.where} do not come at the pace of what it reads"
    return "`hop`: parts of the network share nothing, and have no common pace"


def _with_short_cycle(program: RowProgram, hop: int) -> RowProgram:
    """The program with rings some rows longer, where it would take too many sweeps until all are where they were: of
    some numbers with very many divisors, the sizes divide one, so that the fewest bytes are added."""
    if lcm(hop, repeated_after(program)) <= LONGEST:
        return program
    rings = [_Ring(program, name, moves) for name, moves in turns(program).items()]
    ways: list[dict[str, int]] = []
    for number in ROUND:
        cycle = lcm(number, hop, every(program))
        sizes = {ring.name: ring.size(cycle) for ring in rings} if cycle <= LONGEST else {}
        if sizes and all(sizes.values()):
            ways.append(sizes)
    if not ways:
        raise PassError(f"`hop`: calls of {hop} rows and the layers' steps have no common multiple below {LONGEST:,}")
    best = min(ways, key=lambda sizes: sum(ring.row_bytes * sizes[ring.name] for ring in rings))
    buffers = (dataclasses.replace(b, ring=best.get(b.name, b.ring)) for b in program.buffers)
    return dataclasses.replace(program, buffers=tuple(buffers))


class _Ring:
    """A ring that may be longer, and how the stages move through it."""

    def __init__(self, program: RowProgram, name: str, moves: Sequence[Turn]) -> None:
        self.name, self._moves = name, moves
        owner = program.buffer[name]
        self.row_bytes, self._choices = owner.row_bytes, range(owner.ring, min(2 * owner.ring, owner.rows) + 1)
        views = (b.view for b in program.buffers)
        apart = {b.name for b, v in zip(program.buffers, views, strict=True) if v is not None and v.follows is not None}
        inside = (b for b in program.buffers if program.root(b.name)[0] is owner and b.name not in apart)
        self._parts = [b.row_bytes for b in inside]

    def size(self, cycle: int) -> int:
        """The least number of rows with which everything lies as before after so many sweeps; 0 where that takes
        more than twice those that it needs, or than there are."""
        return next((n for n in self._choices if self._fits(n, cycle)), 0)

    def _fits(self, rows: int, cycle: int) -> bool:
        size = rows * self.row_bytes
        return not any(size % n for n in self._parts) and not any(cycle % m.repeated(size) for m in self._moves)
