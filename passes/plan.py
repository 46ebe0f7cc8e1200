"""Arena planning: an offset for every buffer, from liveness."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tinyc.ir.rows import Plan, RowProgram, Slot, verify_program
from tinyc.passes.base import PassError, RowPass


@dataclass(frozen=True)
class Interval:
    """A buffer to place: its size in bytes, and the first and last time (inclusive) at which it is alive."""

    name: str
    bytes: int
    first: int
    last: int

    def meets(self, other: Interval) -> bool:
        """Whether the two are alive at one time."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class PlanArena(RowPass, name="plan-arena"):
    """Gives every arena buffer an offset such that buffers alive at one time never share bytes.

    Tries several orders of greedy best fit (Pisarchyk and Lee, 2020, "Efficient memory management for deep neural net
    inference", section 5) and keeps the smallest arena; the lower bound says how far from optimal it can be.
    """

    alignment: int = 16

    def run(self, program: RowProgram) -> RowProgram:
        if self.alignment < 1 or self.alignment & (self.alignment - 1):
            raise PassError(f"plan-arena: the alignment is a power of two, not {self.alignment}")
        buffers = program.buffer
        intervals = [
            Interval(name, _round_up(buffers[name].bytes, self.alignment), first, last)
            for name, (first, last) in program.lifetimes().items()
        ]
        offsets = place(intervals)
        slots = tuple(Slot(i.name, offsets[i.name], i.bytes, i.first, i.last) for i in intervals)
        size = max((s.offset + s.bytes for s in slots), default=0)
        plan = Plan(slots, size, lower_bound(intervals), self.alignment)
        planned = dataclasses.replace(program, plan=plan)
        verify_program(planned)
        return planned


def lower_bound(intervals: Sequence[Interval]) -> int:
    """The largest sum of sizes alive at one time: no placement is smaller."""
    return max((sum(j.bytes for j in intervals if j.first <= i.first <= j.last) for i in intervals), default=0)


def place(intervals: Sequence[Interval]) -> dict[str, int]:
    """Offsets such that intervals that meet do not overlap, by the best of several greedy orders.

    Each interval goes to the smallest gap between those placed already that it meets, or above them. Deterministic.
    """
    orders: tuple[Callable[[Interval], tuple[int, ...]], ...] = (
        lambda i: (-i.bytes, i.first, i.last),
        lambda i: (-(i.last - i.first), -i.bytes, i.first),
        lambda i: (-i.bytes * (i.last - i.first + 1), i.first),
        lambda i: (i.first, -i.bytes, i.last),
        lambda i: (i.last, -i.bytes, i.first),
    )
    named = sorted(intervals, key=lambda i: i.name)
    candidates = [_best_fit(sorted(named, key=order)) for order in orders]
    return min(candidates, key=lambda offsets: max((offsets[i.name] + i.bytes for i in intervals), default=0))


def _best_fit(order: Sequence[Interval]) -> dict[str, int]:
    placed: list[tuple[int, Interval]] = []
    offsets: dict[str, int] = {}
    for interval in order:
        at, gap, chosen, slack = 0, -1, -1, -1
        for offset, other in sorted((p for p in placed if p[1].meets(interval)), key=lambda p: p[0]):
            gap = offset - at
            if gap >= interval.bytes and (chosen < 0 or gap - interval.bytes < slack):
                chosen, slack = at, gap - interval.bytes
            at = max(at, offset + other.bytes)
        offsets[interval.name] = chosen if chosen >= 0 else at
        placed.append((offsets[interval.name], interval))
    return offsets


def _round_up(size: int, alignment: int) -> int:
    return (size + alignment - 1) // alignment * alignment
