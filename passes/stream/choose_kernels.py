"""Which kernels compute the stages: tinyc's own, or those of a kernel library."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.ir.op import Value, unused
from tinyc.ir.rows import Buffer, Kernel, RowProgram, Segment, Space, Stage
from tinyc.ir.rows.kernels import Estimate, KernelLibrary, Offer, unknown
from tinyc.ir.rows.lives import lives, peak
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

    A library computes a whole layer in one call, so its operands, result and scratch memory lie side by side, and the
    layer stands alone in its segment; pointwise convolutions may also be called row by row, within others. So all
    layers stand alone where memory allows it. Where it does not, or where no library takes any, the schedule is that of
    another pass, and libraries take what they can of that.

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
        if limit is None and not self.always:
            limit = _arena(plain, None)
        chosen = self._with_kernels(self.apart.run(program) if self.apart is not None else program, limit)
        if not _has_kernels(chosen) or (limit is not None and _arena(chosen, None) > limit):
            chosen = self._with_kernels(plain, limit)
            if limit is not None and not self.always and _arena(chosen, None) > limit:
                return plain
        return chosen

    def _with_kernels(self, program: RowProgram, limit: int | None) -> RowProgram:
        """The program in this schedule, with layers given to libraries: of those that save most for each byte of
        scratch memory first, all with which the arena stays within the limit."""
        offers: dict[int, _Taken] = {}
        notes: dict[int, str] = {}
        whole = 0
        for segment in program.order:
            for number in segment.stages:
                stage = program.stages[number]
                # A library computes a layer on one core.
                ours = (self.ours(program, stage) or 0) // stage.split
                whole += ours
                found = self._offer(program, segment, stage, ours)
                if isinstance(found, str):
                    notes[number] = found
                else:
                    offers[number] = found
        if not self.always and sum(o.saved for o in offers.values()) < WORTH * whole:
            notes |= {n: f"{o.library.name}: {_said(o.offer, o.ours)}; too little in all" for n, o in offers.items()}
            offers = {}
        order = sorted(offers, key=lambda n: -offers[n].saved / (offers[n].offer.scratch + 1))
        if limit is None:
            return self._applied(program, offers, order, notes)
        taken: list[int] = []
        for number in order:
            trial = self._applied(program, offers, [*taken, number], notes)
            if peak(list(lives(trial).values())) <= limit:
                taken.append(number)
        # No plan is smaller than the peak, and few are larger.
        while taken and _arena(self._applied(program, offers, taken, notes)) > limit:
            taken.pop()
        return self._applied(program, offers, taken, notes)

    def _offer(self, program: RowProgram, segment: Segment, stage: Stage, ours: int) -> _Taken | str:
        """The library for a stage and its offer; or why none takes it."""
        reasons = []
        for library in self.libraries:
            found = library.offer(program, stage, not segment.streams)
            if isinstance(found, str):
                if not found.startswith("no function"):
                    reasons.append(f"{library.name}: {found}")
            elif self.budget is None and self.always and found.scratch > LARGEST_SCRATCH:
                reasons.append(f"{library.name}: {found.scratch:,} bytes of scratch memory")
            elif self.always or (found.theirs is not None and found.theirs < ours):
                return _Taken(library, found, ours)
            elif found.theirs is None:
                reasons.append(f"{library.name}: portable C, no faster than ours")
            else:
                reasons.append(f"{library.name}: {_said(found, ours)}")
        return "; ".join(reasons)

    def _applied(
        self,
        program: RowProgram,
        offers: dict[int, _Taken],
        taken: Sequence[int],
        notes: dict[int, str],
    ) -> RowProgram:
        """The program with these stages given to their libraries."""
        buffers, stages = list(program.buffers), list(program.stages)
        alone = {s.first for s in program.order if not s.streams}
        names = {b.name for b in buffers}
        for number, stage in enumerate(stages):
            if number not in taken:
                why = notes.get(number, "the arena would be larger than allowed")
                stages[number] = dataclasses.replace(stage, kernel=Kernel(note=why))
                continue
            library, offer, ours = offers[number].library, offers[number].offer, offers[number].ours
            scratch = _scratch(stage, offer.scratch, names)
            if scratch is not None:
                buffers.append(Buffer(scratch, Space.ARENA))
            said, theirs = _said(offer, ours), offer.theirs or 0
            kernel = Kernel(library.name, library.chip, said, offer.alignment, scratch, theirs)
            stage = dataclasses.replace(stage, kernel=kernel, split=1)
            stages[number] = dataclasses.replace(stage, windows=(), band=1) if number in alone else stage
        return dataclasses.replace(program, buffers=tuple(buffers), stages=tuple(stages))


@dataclass(frozen=True)
class _Taken:
    """A library, what it takes to compute a stage, and about the instructions of tinyc's own kernel."""

    library: KernelLibrary
    offer: Offer
    ours: int

    @property
    def saved(self) -> int:
        """Instructions that the library saves; negative where ours is faster, 0 where that is not known."""
        return 0 if self.offer.theirs is None else self.ours - self.offer.theirs


def _said(offer: Offer, ours: int) -> str:
    return "" if offer.theirs is None else f"about {offer.theirs:,} instructions, ours {ours:,}"


def _scratch(stage: Stage, size: int, names: set[str]) -> Value | None:
    """The scratch memory of a stage, by a name of its own; None when it needs none."""
    if not size:
        return None
    name = unused(f"{stage.result.name}_scratch", names)
    names.add(name)
    return Value(name, TensorType((size,), DType.I8))


def _has_kernels(program: RowProgram) -> bool:
    return any(s.kernel.library for s in program.stages)


def _arena(program: RowProgram, seconds: float | None = SECONDS) -> int:
    """Bytes of the arena, as far as the planner finds in so many of its seconds; None for as it is planned at last."""
    plan = (PlanArena() if seconds is None else PlanArena(seconds=seconds)).run(program).plan
    assert plan is not None
    return plan.bytes
