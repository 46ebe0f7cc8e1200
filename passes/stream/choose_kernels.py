"""Which kernels compute the stages: tinyc's own, or those of a kernel library."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinyc.ir.op import Value, unused
from tinyc.ir.rows import Buffer, Kernel, RowProgram, Segment, Space, Stage
from tinyc.ir.rows.kernels import Estimate, KernelLibrary, Offer, unknown
from tinyc.ir.rows.lives import alive_at, lives, peak, stage_times
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import RowPass, Slack
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream.stream import Stream

LARGEST_SCRATCH = 64 * 1024
"""Bytes of scratch memory that a layer is given where a library is asked for and nobody has said how much memory there
is."""
WORTH = 0.1
"""The part of the program's instructions to save: for less, a library is not worth the dependency."""
SECONDS = 0.3


@dataclass(frozen=True)
class ChooseKernels(RowPass, name="choose-kernels"):
    """Divides the stages into segments, and gives stages to kernel libraries where these are exact and worth it.

    A library computes a whole layer in one call, for which its operands, result and scratch memory lie side by side and
    the layer stands alone in its segment, or row by row, in the midst of others. The first is faster, so that with a
    budget all layers stand alone where that allows it. Where it does not, where no library takes any, and where nobody
    has said how much memory there is, the schedule is that of another pass, and libraries take what they can of that.

    Unless libraries are asked for (`always`), the arena is never larger than without them.

    Fields:
        libraries: those to ask, in this order.
        always: take a library wherever it is exact; without it, only where it is said to be faster, and only if that
            saves enough in all.
        budget: bytes of arena that may be used. Without it, and `always`, no layer gets more than `LARGEST_SCRATCH`.
        apart: what is done to the layers that stand alone, before.
        otherwise: gives the other schedule; `Stream` without it.
        ours: about what tinyc's own kernels take.
        keep: keep the other schedule, and let libraries take what they can of it within the memory that it takes.
    """

    libraries: tuple[KernelLibrary, ...] = ()
    always: bool = False
    budget: int | None = None
    apart: RowPass | None = None
    otherwise: RowPass | None = None
    ours: Estimate = unknown
    keep: bool = False

    slack = Slack(1e-6, "a float sum over a whole tensor may be rounded otherwise than the same sum over one row")

    def run(self, program: RowProgram) -> RowProgram:
        plain, limit = (self.otherwise or Stream(self.budget)).run(program), self.budget
        if self.keep:
            return self._with_kernels(plain, max(_arena(plain), limit or 0))
        if limit is None:
            if self.always:
                return self._with_kernels(plain, None)
            limit = _arena(plain, None)
        chosen = self._with_kernels(self.apart.run(program) if self.apart is not None else program, limit)
        if not _has_kernels(chosen) or _arena(chosen, None) > limit:
            chosen = self._with_kernels(plain, limit)
            if not self.always and _arena(chosen, None) > limit:
                return plain
        return chosen

    def _with_kernels(self, program: RowProgram, limit: int | None) -> RowProgram:
        """The program in this schedule, with layers given to libraries: of those that save most for each byte of
        scratch memory first, all with which the arena stays within the limit."""
        offers: dict[int, list[_Taken]] = {}
        notes: dict[int, str] = {}
        total = 0
        for segment in program.order:
            for number in segment.stages:
                stage = program.stages[number]
                # A library computes a layer on one core.
                ours = (self.ours(program, stage) or 0) // stage.split
                total += ours
                found = self._offers(program, segment, stage, ours)
                if isinstance(found, str):
                    notes[number] = found
                else:
                    offers[number] = found
        if not self.always and sum(o[0].saved for o in offers.values()) < WORTH * total:
            notes |= {n: f"{o[0].library.name}: {o[0].said}; too little in all" for n, o in offers.items()}
            offers = {}
        if limit is None:
            return _applied(program, _least(program, offers, notes), notes)
        order = sorted(offers, key=lambda n: -offers[n][0].saved / (offers[n][0].offer.scratch + 1))
        taken = {n: offers[n][0] for n in order}
        if _peak(_applied(program, taken, notes)) > limit:
            taken = _within(program, {n: offers[n] for n in order}, notes, limit)
        # No plan is smaller than the peak, and few are larger.
        while taken and _arena(_applied(program, taken, notes)) > limit:
            taken.popitem()
        return _applied(program, taken, notes)

    def _offers(self, program: RowProgram, segment: Segment, stage: Stage, ours: int) -> list[_Taken] | str:
        """The ways in which a library computes a stage, the best first; or why none does."""
        if stage.aside:
            return "rows are computed over those of the operand"
        found: list[_Taken] = []
        reasons: list[str] = []
        for whole in (False,) if segment.streams else (True, False):
            for library in self.libraries:
                offer = library.offer(program, stage, whole)
                way = None if isinstance(offer, str) else _Taken(library, offer, ours, whole)
                reason = offer if isinstance(offer, str) else self._against(offer, ours)
                if way is not None and not reason:
                    found.append(way)
                elif whole is not segment.streams and not reason.startswith("no function"):
                    reasons.append(f"{library.name}: {reason}")
        return found or "; ".join(reasons)

    def _against(self, offer: Offer, ours: int) -> str:
        """Why an offer is not taken; empty where it may be."""
        if self.budget is None and self.always and offer.scratch > LARGEST_SCRATCH:
            return f"{offer.scratch:,} bytes of scratch memory"
        if self.always or (offer.theirs is not None and offer.theirs < ours):
            return ""
        return "portable C, no faster than ours" if offer.theirs is None else _said(offer, ours)


def _least(program: RowProgram, offers: Mapping[int, Sequence[_Taken]], notes: Mapping[int, str]) -> dict[int, _Taken]:
    """The best way for each stage with which no more is alive at one time than has to be."""
    best, least = ({n: ways[k] for n, ways in offers.items()} for k in (0, -1))
    applied = _applied(program, best, notes)
    found, most = list(lives(applied).values()), _peak(_applied(program, least, notes))
    if peak(found) <= most:
        return best
    # What else is alive while a stage runs that stands alone does not depend on how others are computed.
    times = stage_times(applied)
    return {n: way if alive_at(found, times[n]) <= most else least[n] for n, way in best.items()}


def _within(
    program: RowProgram, offers: Mapping[int, Sequence[_Taken]], notes: Mapping[int, str], limit: int
) -> dict[int, _Taken]:
    """The first way for each stage, one after the other, with which no more bytes are alive at one time."""
    taken: dict[int, _Taken] = {}
    for number in offers:
        for way in offers[number]:
            trial = {**taken, number: way}
            if _peak(_applied(program, trial, notes)) <= limit:
                taken = trial
                break
    return taken


def _applied(program: RowProgram, taken: Mapping[int, _Taken], notes: Mapping[int, str]) -> RowProgram:
    """The program with these stages given to their libraries."""
    buffers, stages = list(program.buffers), list(program.stages)
    names = {b.name for b in buffers}
    for number, stage in enumerate(stages):
        way = taken.get(number)
        if way is None:
            why = notes.get(number, "the arena would be larger than allowed")
            stages[number] = dataclasses.replace(stage, kernel=Kernel(note=why, scratch=stage.kernel.scratch))
            continue
        scratch = _scratch(stage, way, names)
        if scratch is not None:
            buffers.append(scratch)
        kernel = Kernel(
            way.library.name,
            way.library.chip,
            way.said,
            way.offer.alignment,
            scratch.value if scratch is not None else None,
            way.offer.theirs or 0,
        )
        windows = () if way.whole else stage.windows
        stages[number] = dataclasses.replace(stage, kernel=kernel, split=1, windows=windows, band=1)
    return dataclasses.replace(program, buffers=tuple(buffers), stages=tuple(stages))


@dataclass(frozen=True)
class _Taken:
    """A library, what it takes to compute a stage, about the instructions of tinyc's own kernel, and whether there is
    one call for the whole."""

    library: KernelLibrary
    offer: Offer
    ours: int
    whole: bool

    @property
    def saved(self) -> int:
        """Instructions that the library saves; negative where ours is faster, 0 where that is not known."""
        return 0 if self.offer.theirs is None else self.ours - self.offer.theirs

    @property
    def said(self) -> str:
        """Both in words."""
        return _said(self.offer, self.ours)


def _said(offer: Offer, ours: int) -> str:
    return "" if offer.theirs is None else f"about {offer.theirs:,} instructions, ours {ours:,}"


def _scratch(stage: Stage, way: _Taken, names: set[str]) -> Buffer | None:
    """The scratch memory of a stage, by a name of its own; None when it needs none. Of one that is computed row by row
    it is written anew for each row: a ring of one."""
    size = way.offer.scratch
    if not size:
        return None
    name = unused(f"{stage.result.name}_scratch", names)
    names.add(name)
    if way.whole:
        return Buffer(Value(name, TensorType((size,), DType.I8)), Space.ARENA)
    return Buffer(Value(name, TensorType((1, stage.rows, size), DType.I8)), Space.ARENA, ring=1)


def _has_kernels(program: RowProgram) -> bool:
    return any(s.kernel.library for s in program.stages)


def _peak(program: RowProgram) -> int:
    """The most bytes alive at one time."""
    return peak(list(lives(program).values()))


def _arena(program: RowProgram, seconds: float | None = SECONDS) -> int:
    """Bytes of the arena, as far as the planner finds in so many of its seconds; None for as it is planned at last."""
    plan = (PlanArena() if seconds is None else PlanArena(seconds=seconds)).run(program).plan
    assert plan is not None
    return plan.bytes
