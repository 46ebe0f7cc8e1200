"""Streaming: which stages advance together, row by row."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tinyc.ir.rows import Plan, RowProgram
from tinyc.passes.core.base import RowPass, Slack
from tinyc.passes.rows.plan import PlanArena, segment_needs
from tinyc.passes.stream.apart import apart
from tinyc.passes.stream.by_channels import by_channels
from tinyc.passes.stream.finer import coarser, finer
from tinyc.passes.stream.piece import Cutter, Piece, Way, apply

SHORT, LONG = 4, 40
"""Stages of the segments from which a first bound is found, and of the longest that are looked at."""
TRIAL = 0.3
"""Seconds, as the planner counts them, for the arena of one schedule that is tried."""
TRIES = 12
"""How many schedules are planned, of those that the search over segments finds."""
LIMITS = 60
"""At how many limits they are looked for: at several of these it is the same one."""
CHECKS = 60
"""Of how many schedules the needs of segments are corrected before that."""
FITTING = 6
"""Of how many schedules that fit a budget it is found out what memory beside them saves."""


def nothing_saved(program: RowProgram) -> float:
    """No memory beside a plan is of use."""
    return 0.0


@dataclass(frozen=True)
class Stream(RowPass, name="stream-rows"):
    """Divides the stages into segments that advance row by row, so that little is alive at one time.

    Every run of consecutive stages that can advance together is a segment that the schedule may have. The search goes
    over all divisions into segments (dynamic programming over the places where they end) for the one with the least
    peak of bytes alive at one time, and of these for the one that takes the fewest instructions; then it plans the
    arena of the best few and keeps the smallest. No row is computed twice.

    With `budget`, in bytes of arena, it is the one that takes the fewest instructions of those that fit, less what the
    memory beside it saves (`saved`); pointwise layers may then compute several short rows at once. With several
    `cores`, they share the rows of heavy stages that stand alone; where one does not, that costs what it would save.
    `found` is told the segments that the schedule may have. Without `aside`, no rows are computed over those that are
    read for them, which kernel libraries cannot do.
    """

    slack = Slack(1e-6, "a float sum over one row may be rounded otherwise than the same sum over several")

    budget: int | None = None
    cores: int = 1
    found: Callable[[RowProgram, Sequence[Piece]], None] | None = None
    saved: Callable[[RowProgram], float] = nothing_saved
    aside: bool = True

    def run(self, program: RowProgram) -> RowProgram:
        wider = [] if self.budget is None or (long := coarser(program)) is program else [long]
        found = [self._best(p) for p in [*variants(program), *wider]]
        fitting = [best for best in found if self.budget is not None and best.bytes <= self.budget]
        if fitting:
            return min(fitting, key=lambda best: (best.cost, best.bytes)).program
        return min(found, key=lambda best: (best.bytes, best.cost)).program

    def _best(self, program: RowProgram) -> _Planned:
        """The best schedule of these stages, whose results lie over operands or beside them as they do here."""
        options = candidates(program, self.budget, self.cores, self.aside)
        if self.found is not None:
            self.found(program, options)
        return self._of(program, options)

    def of(self, program: RowProgram, options: Sequence[Piece]) -> RowProgram:
        """The program in the schedule that is chosen among these segments (`candidates`)."""
        return self._of(program, options).program

    def _of(self, program: RowProgram, pieces: Sequence[Piece]) -> _Planned:
        # As they are, one layer after the other: peaks are estimated from above where several write parts of a whole.
        best, options = _with_plan(program), _Options(program, pieces)
        if self.budget is not None:
            fitting = self._fitting(best, options, self.budget)
            best = min(fitting, key=lambda p: (p.cost, p.bytes), default=best)
        if self.budget is None or best.bytes > self.budget:
            for planned in _planned(options, options.rising()):
                if planned.limit >= best.bytes:
                    break
                if (planned.bytes, planned.cost) < (best.bytes, best.cost):
                    best = planned
        return best

    def _fitting(self, plain: _Planned, options: _Options, budget: int) -> list[_Planned]:
        """The schedules that fit a budget, those of the least cost by their segments first, with what they cost in
        all."""
        if self.cores == 1 and plain.bytes <= budget:
            return [self._weighed(plain)]
        fitting = (p for p in _planned(options, options.falling(budget)) if p.bytes <= budget)
        return [self._weighed(p) for p in itertools.islice(fitting, FITTING)]

    def _weighed(self, planned: _Planned) -> _Planned:
        program = dataclasses.replace(planned.program, plan=planned.plan)
        return dataclasses.replace(planned, cost=planned.cost - self.saved(program))


def variants(program: RowProgram) -> list[RowProgram]:
    """The program, and others of the same meaning: by parts of rows, with results beside what they could lie over, by
    some channels at a time."""
    found = [program]
    for change in (finer, apart, by_channels):
        other = change(found[-1])
        if other is not found[-1]:
            found.append(other)
    return found


@dataclass(frozen=True)
class _Planned:
    """A schedule, its arena, its cost, and the peak that its segments were to stay within."""

    program: RowProgram
    plan: Plan
    cost: float = 0
    limit: int = 0

    @property
    def bytes(self) -> int:
        """The size of the arena."""
        return self.plan.bytes


def _with_plan(program: RowProgram) -> _Planned:
    plan = PlanArena(seconds=TRIAL).run(program).plan
    assert plan is not None
    return _Planned(program, plan)


class _Options:
    """The segments that the schedule of a program may have, and what has been found of them.

    Their peaks are estimates: rows that are dead need not lie where others could use them. What a segment needs is
    found when it is chosen for the first time (`segment_needs`).
    """

    def __init__(self, program: RowProgram, pieces: Sequence[Piece]) -> None:
        self.program = program
        self._pieces = sorted(pieces, key=lambda p: (p.segment.stages.stop, p.segment.stages.start))
        self._needs: dict[Way, int] = {}
        self._checks = CHECKS

    def cheapest(self, limit: int) -> list[Piece]:
        """The division with the least cost of those of whose segments none is known to need more than the limit; empty
        without any."""
        count = len(self.program.stages)
        while _least_peak(self._pieces, count) <= limit:
            chosen = division([(piece, (piece.cost,)) for piece in self._pieces if piece.peak <= limit], count)
            if self._checks <= 0 or not self._corrected(chosen, limit):
                return chosen
            self._checks -= 1
        return []

    def rising(self) -> Iterator[int]:
        """The limits at which there is another schedule, from the least on."""
        limit = 0
        while higher := [piece.peak for piece in self._pieces if piece.peak > limit]:
            limit = max(min(higher), _least_peak(self._pieces, len(self.program.stages)))
            yield limit

    def falling(self, limit: int) -> Iterator[int]:
        """The same downwards."""
        least = _least_peak(self._pieces, len(self.program.stages))
        yield from sorted({piece.peak for piece in self._pieces if least <= piece.peak <= limit}, reverse=True)

    def _corrected(self, chosen: Sequence[Piece], limit: int) -> bool:
        """Whether some of the segments turn out to need more than the limit; from then on these have that as their
        peak."""
        unknown = [number for number, piece in enumerate(chosen) if piece.way not in self._needs]
        if unknown:
            found = segment_needs(apply(self.program, chosen), unknown)
            self._needs |= {chosen[number].way: need for number, need in found.items()}
        above = {piece.way: need for piece in chosen if (need := self._needs[piece.way]) > limit}
        if above:
            self._pieces = [dataclasses.replace(p, peak=above.get(p.way, p.peak)) for p in self._pieces]
        return bool(above)


def _planned(options: _Options, limits: Iterable[int]) -> Iterator[_Planned]:
    """The cheapest schedules within the first limits, planned."""
    seen: set[tuple[Way, ...]] = set()
    for limit in itertools.islice(limits, LIMITS):
        chosen = options.cheapest(limit)
        key = tuple(piece.way for piece in chosen)
        if chosen and key not in seen:
            seen.add(key)
            yield _best_way(options.program, chosen, limit)
        if len(seen) == TRIES:
            return


def _best_way(program: RowProgram, chosen: Sequence[Piece], limit: int) -> _Planned:
    """The schedule with the smallest arena: that in which all segments run forward, or those in which every second one
    runs in reverse.

    Where each segment's result lies over the dead rows of what it reads, results lie lower and lower in the arena when
    all run forward. In reverse a result lies above what it reads.
    """
    best = min(map(_with_plan, turned(program, chosen)), key=lambda way: way.bytes)
    return dataclasses.replace(best, cost=sum(p.cost for p in chosen), limit=limit)


def turned(program: RowProgram, chosen: Sequence[Piece]) -> Iterator[RowProgram]:
    """The program in these segments: all of them forward, then every second one in reverse, from the second and from
    the first on."""
    cutter = Cutter(program)
    for turns in (range(0), range(1, len(chosen), 2), range(0, len(chosen), 2)):
        pieces = []
        for number, piece in enumerate(chosen):
            stages = piece.segment.stages
            forward = piece.split > 1 or any(program.stages[k].copies_rows for k in stages)
            reverse = number in turns and not forward
            options = [p for p in cutter.pieces(stages, True) if p.way[1:] == piece.way[1:]] if reverse else [piece]
            pieces.append(options[0] if options else piece)
        yield apply(program, pieces)


def candidates(program: RowProgram, budget: int | None = None, cores: int = 1, aside: bool = True) -> list[Piece]:
    """The segments that a schedule may have: all whose peak is not above that of the best schedule of short ones, or
    above the budget, and some more.

    The rings of a segment stay when it becomes longer. So a segment whose rings alone take more than that is not made
    longer.
    """
    cutter, count = Cutter(program, cores, aside), len(program.stages)
    growing = [cutter.growing(range(start, min(start + LONG, count))) for start in range(count)]
    short = [list(itertools.islice(pieces, SHORT)) for pieces in growing]
    most = max(_least_peak([p for begun in short for pieces in begun for p in pieces], count), budget or 0)
    begun = (itertools.chain(first, rest) for first, rest in zip(short, growing, strict=True))
    return [p for pieces in begun for p in within(pieces, most)]


def within(growing: Iterable[Sequence[Piece]], most: int) -> Iterator[Piece]:
    """The segments that begin with one stage, up to the first whose rings take more."""
    for pieces in growing:
        yield from pieces
        if pieces and all(piece.kept > most for piece in pieces):
            return


def _least_peak(options: Sequence[Piece], count: int) -> int:
    """The least peak that any division has."""
    return least_peak_of([(p.segment.stages.start, p.segment.stages.stop, p.peak) for p in options], count)


def least_peak_of(found: Sequence[tuple[int, int, int]], count: int) -> int:
    """The least peak that any division of so many stages has, by first stage, end and peak of the segments."""
    reach = [0] + [1 << 62] * count
    for start, stop, peak in sorted(found, key=lambda f: f[1]):
        reach[stop] = min(reach[stop], max(reach[start], peak))
    return reach[count]


def division(options: Sequence[tuple[Piece, tuple[float, ...]]], count: int) -> list[Piece]:
    """The division into segments with the least sum of costs, the first of which counts most; of equal ones, that of
    the most segments, which are the simplest."""
    reach: list[tuple[float, ...]] = [(0.0,) * 4] + [(float("inf"),)] * count
    via: dict[int, Piece] = {}
    for piece, cost in sorted(options, key=lambda o: (o[0].segment.stages.stop, o[0].segment.stages.start)):
        stages = piece.segment.stages
        found = tuple(a + b for a, b in zip(reach[stages.start], (*cost, -1), strict=False))
        if len(found) > 1 and found < reach[stages.stop]:
            reach[stages.stop] = found
            via[stages.stop] = piece
    chosen: list[Piece] = []
    while count:
        chosen.append(via[count])
        count = via[count].segment.stages.start
    return chosen[::-1]
