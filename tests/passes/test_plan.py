"""Arena planning: distances between buffers follow from the lives of their rows, and plans keep them."""

from __future__ import annotations

import pytest

from tinyc.ir.module import Builder, Module
from tinyc.ir.ops import AvgPool2d, MaxPool2d
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.lives import lives, peak
from tinyc.ir.types import DType, TensorType
from tinyc.passes.core.base import PassError
from tinyc.passes.placement import Apart
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.plan import PlanArena, distances
from tinyc.passes.stream import Stream

ROW = 4 * 3
"""Bytes of a row of int8 [1, 6, 4, 3]."""


def pooled() -> Module:
    """An image of six rows, pooled twice by windows of three rows and once to a single pixel."""
    b = Builder("pooled")
    x = b.input("x", TensorType((1, 6, 4, 3), DType.I8))
    for _ in range(2):
        x = b.add(MaxPool2d(x, (3, 3), (1, 1), (1, 1, 1, 1)))
    return b.build([b.add(MaxPool2d(x, (6, 4), (1, 1), (0, 0, 0, 0)))])


def lowered(inputs: str = "arena") -> RowProgram:
    return Lower(inputs).run(pooled())  # type: ignore[arg-type]


def test_an_output_may_lie_over_rows_that_are_dead() -> None:
    program = lowered()
    first, second = (s.result.name for s in program.stages[:2])
    found = {(c.first, c.second): c for c in distances(lives(program))}
    # Row r is written while rows r - 1 to r + 1 are read: it lies two rows before row r at least, or after everything.
    assert found["x", first] == Apart("x", first, -2 * ROW, 6 * ROW)
    assert found[first, second] == Apart(first, second, -2 * ROW, 6 * ROW)
    assert ("x", second) not in found


def test_the_plan_uses_them() -> None:
    plan = PlanArena().run(lowered()).plan
    assert plan is not None
    # Each result lies two rows below what it reads: with no row in reverse, that is the least there is.
    assert plan.bytes == plan.lower_bound == 10 * ROW
    assert plan.by_buffer["x"].first == -1


def test_in_reverse_a_result_lies_above_what_it_reads() -> None:
    plan = PlanArena().run(Stream().run(lowered())).plan
    assert plan is not None
    assert plan.bytes <= 8 * ROW


def test_rows_alive_together_count() -> None:
    assert peak(list(lives(lowered()).values())) == 8 * ROW
    # Without the input, the image in the middle alone is whole at one time, and the last lies over it.
    assert peak(list(lives(lowered("argument")).values())) == 8 * ROW


def test_elements_are_aligned_whatever_the_alignment_asked_for() -> None:
    b = Builder("mixed")
    x = b.input("x", TensorType((1, 5, 5, 1), DType.F32))
    y = b.add(AvgPool2d(x, (3, 3), (1, 1), (1, 1, 1, 1)))
    program = Lower().run(b.build([b.add(AvgPool2d(y, (5, 5), (1, 1), (0, 0, 0, 0)))]))
    for alignment in (1, 16):
        plan = PlanArena(alignment).run(program).plan
        assert plan is not None
        assert plan.alignment == max(alignment, 4)
        assert all(slot.offset % plan.alignment == 0 for slot in plan.slots)


@pytest.mark.parametrize("alignment", [0, 3, -16])
def test_an_impossible_alignment_is_refused(alignment: int) -> None:
    with pytest.raises(PassError, match="power of two"):
        PlanArena(alignment).run(RowProgram("p", (), (), (), ()))
