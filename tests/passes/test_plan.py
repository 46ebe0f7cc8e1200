"""Arena planning: placements never overlap, and the lower bound is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyc.passes.base import PassError
from tinyc.passes.plan import Interval, PlanArena, lower_bound, place


def overlapping(intervals: list[Interval], offsets: dict[str, int]) -> list[tuple[str, str]]:
    return [
        (a.name, b.name)
        for n, a in enumerate(intervals)
        for b in intervals[:n]
        if a.meets(b) and offsets[a.name] < offsets[b.name] + b.bytes and offsets[b.name] < offsets[a.name] + a.bytes
    ]


spans = st.lists(st.tuples(st.integers(0, 64), st.integers(0, 12), st.integers(0, 6)), min_size=0, max_size=24).map(
    lambda found: [Interval(f"b{n}", size, first, first + length) for n, (size, first, length) in enumerate(found)]
)


@given(spans)
def test_buffers_alive_together_never_share_bytes(intervals: list[Interval]) -> None:
    offsets = place(intervals)
    assert not overlapping(intervals, offsets)
    size = max((offsets[i.name] + i.bytes for i in intervals), default=0)
    assert lower_bound(intervals) <= size <= sum(i.bytes for i in intervals)


def test_a_chain_reaches_its_lower_bound() -> None:
    chain = [Interval(f"b{n}", size, n, n + 1) for n, size in enumerate([10, 40, 20, 30, 5, 50])]
    offsets = place(chain)
    assert max(offsets[i.name] + i.bytes for i in chain) == lower_bound(chain) == 60


def test_the_best_gap_is_used() -> None:
    intervals = [
        Interval("low", 4, 0, 9),
        Interval("mid", 8, 0, 4),
        Interval("top", 4, 0, 9),
        Interval("late", 8, 5, 9),
    ]
    offsets = place(intervals)
    assert max(offsets[i.name] + i.bytes for i in intervals) == 16


@pytest.mark.parametrize("alignment", [0, 3, -16])
def test_an_impossible_alignment_is_refused(alignment: int) -> None:
    from tinyc.ir.rows import RowProgram

    with pytest.raises(PassError, match="power of two"):
        PlanArena(alignment).run(RowProgram("p", (), (), (), ()))
