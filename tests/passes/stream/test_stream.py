"""The search over divisions: what it chooses, what a budget changes, and small programs that are easy to get wrong."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.passes.stream.support import (
    SAME,
    Case,
    cases,
    differences,
    joined,
    planned,
    random_division,
    results,
    small_case,
)
from tests.rows import Integers, lowered, maker_of, pointwise
from tinyc.ir import DType, Value, ops
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.lives import lives, peak
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream import Stream
from tinyc.passes.stream.piece import Cutter, apply


def size(program: RowProgram) -> int:
    """Bytes of the planned arena."""
    plan = PlanArena().run(program).plan
    assert plan is not None
    return plan.bytes


def banded(before: RowProgram, after: RowProgram) -> int:
    """How many rows are computed one at a time that could be computed in a band: what streaming costs."""
    banded = {s.op: s.rows for s in before.stages if s.band > 1}
    return sum(banded.get(s.op, 0) for s in after.stages if s.band == 1)


def agree(case: Case, program: RowProgram) -> None:
    assert differences(results(case.program, case.network.arrays), results(planned(program), case.network.arrays)) == []


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("height", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("vertical", [(1, 1, 1), (1, 2, 1), (1, 0, 2), (1, 2, 2), (2, 1, 1), (2, 0, 1), (3, 1, 1)])
def test_a_depthwise_layer_between_pointwise_ones(vertical: tuple[int, int, int], height: int, reverse: bool) -> None:
    """Where the ring of the wide rows would have to keep all of them, too, or more."""
    stride, top, bottom = vertical
    if height + top + bottom < 3:
        pytest.skip("the window does not fit")
    geometry: dict[str, Any] = {
        "kernel": (3, 3),
        "each": 1,
        "strides": (stride, 1),
        "pads": (top, 1, bottom, 1),
        "dilations": (1, 1),
    }

    def make(m: Integers, x: Value) -> Value:
        return pointwise(m, m.depthwise(pointwise(m, x, 12), **geometry), 2)

    small = small_case(make, (1, height, 4, 2))
    agree(small, Stream().run(small.program))
    for piece in Cutter(small.program).pieces(range(3), reverse):
        agree(small, apply(small.program, [piece]))


@pytest.mark.parametrize("order", [1, -1])
def test_an_input_in_the_arena_that_is_concatenated(order: int) -> None:
    small = small_case(lambda m, x: m.add(ops.Concat((x, m.lookup(x))[::order], 1)), (1, 3, 4, 2), "arena")
    agree(small, small.program)
    agree(small, Stream().run(small.program))


def test_a_concatenation_is_no_reason_to_take_more_memory() -> None:
    """While the first part of a concatenation is written, the rows of the second one are not alive."""

    def make(m: Integers, x: Value) -> Value:
        y = pointwise(m, x, 5)
        parts = [m.conv(y, kernel=(3, 3), groups=1, outputs=5, **SAME) for _ in range(2)]
        return m.flat(m.mean(m.add(ops.Concat(tuple(parts), 1))))

    small = small_case(make, (1, 12, 2, 1))
    assert size(Stream().run(small.program)) <= size(small.program)


@pytest.mark.parametrize("axis", [2, 3])
def test_columns_and_channels_are_joined_row_by_row(axis: int) -> None:
    """Of branches of other delays, and one of them twice."""
    small = joined(axis)
    streamed = Stream().run(small.program)
    assert size(streamed) < 0.7 * size(small.program)
    agree(small, streamed)
    for reverse in (False, True):
        pieces = Cutter(small.program).pieces(range(len(small.program.stages)), reverse)
        assert pieces
        for piece in pieces:
            agree(small, apply(small.program, [piece]))


def test_a_whole_that_was_written_in_parts_is_read_behind_all_of_them() -> None:
    """Parts that lie in their whole, and meet its reader again by another way."""

    def make(m: Integers, x: Value) -> Value:
        near, far = pointwise(m, x, 4), pointwise(m, x, 4)
        rows, columns = (m.add(ops.Concat((near, far), axis)) for axis in (1, 2))
        shape: dict[str, Any] = {"kernel": (3, 3), "groups": 1, "outputs": 3, **SAME}
        return m.sum(m.conv(rows, **shape | {"strides": (2, 1)}), m.conv(columns, **shape | {"strides": (1, 2)}))

    small = small_case(make, (1, 12, 10, 4))
    agree(small, Stream().run(small.program))
    for reverse in (False, True):
        for piece in Cutter(small.program).pieces(range(len(small.program.stages)), reverse):
            agree(small, apply(small.program, [piece]))


def test_rows_are_gathered_from_where_they_arrive() -> None:
    """The newest row of a ring that has a row less lies elsewhere, for what gathers rows as for windows."""

    def make(m: Integers, x: Value) -> Value:
        shape: dict[str, Any] = {"kernel": (3, 3), "groups": 1, "outputs": 5, **SAME}
        for _ in range(5):
            x = m.conv(x, **shape)
        planes = (m.add(ops.Transpose(v, (0, 3, 1, 2))) for v in (x, m.conv(x, **shape)))
        return m.add(ops.Concat(tuple(planes), 1))

    small = small_case(make, (1, 14, 6, 5))
    streamed = Stream().run(small.program)
    assert any(stage.gathers and stage.fresh for stage in streamed.stages)
    agree(small, streamed)


@pytest.mark.parametrize("block", range(2))
def test_streaming_never_takes_more_memory(block: int) -> None:
    smaller = 0
    for found in cases(range(100 * block, 100 * block + 60)):
        streamed, plain = size(Stream().run(found.program)), size(found.program)
        assert streamed <= plain, found.name
        smaller += streamed < plain
    assert smaller > 20


@pytest.mark.parametrize("block", range(2))
def test_a_budget_is_met_whenever_it_can_be(block: int) -> None:
    for found in cases(range(200 + 20 * block, 220 + 20 * block)):
        least, plain = size(Stream().run(found.program)), size(found.program)
        costs = []
        for budget in sorted({least, (3 * least + plain) // 4, (least + plain) // 2, max(least, plain - 1), plain}):
            program = Stream(budget).run(found.program)
            assert size(program) <= budget, f"{found.name}: {budget} bytes, {least} would do"
            costs.append(banded(found.program, program))
        # More memory never takes more calls of row kernels, and none are needed where there is enough for all.
        assert costs == sorted(costs, reverse=True), found.name
        assert costs[-1] == 0 or least >= plain, found.name
        # What cannot be met is as small as can be.
        assert size(Stream(least - 1).run(found.program)) == least, found.name


def test_float_and_int8_networks_of_the_same_form_stream_alike() -> None:
    """Element size changes bytes, not what may advance together."""
    forms = []
    for dtype in (DType.I8, DType.F32):
        maker = maker_of(0, dtype)
        wide = pointwise(maker, maker.input((1, 16, 8, 2)), 12)
        module = maker.builder.build([pointwise(maker, maker.depthwise(wide, kernel=(3, 3), each=1, **SAME), 2)])
        program = Stream().run(lowered(module))
        rings = [b.ring for b in program.buffers if b.ring]
        forms.append((program.segments, rings, size(program) // dtype.bytes))
    assert forms[0] == forms[1]
    assert forms[0][1]


def test_a_segment_that_grows_is_what_it_is_by_itself() -> None:
    """Lives are worked out once for all segments in which they are the same: also where one begins or ends elsewhere,
    runs in reverse, or has a stage that makes all others slower."""
    for case in cases(range(24)):
        program, cutter = case.program, Cutter(case.program)
        for reverse in (False, True):
            for start in range(len(program.stages)):
                stages = range(start, min(start + 8, len(program.stages)))
                for end, pieces in enumerate(cutter.growing(stages, reverse), start + 1):
                    assert pieces == Cutter(program).pieces(range(start, end), reverse), (
                        f"{case.name}: {start} to {end}"
                    )


def test_no_segment_needs_more_than_its_peak() -> None:
    """Peaks are those of the lives that the whole schedule has, or more where several stages write parts of a whole."""
    random, exact = Random(5), 0
    for case in cases(range(60)):
        division = random_division(random, case.program)
        needed = peak(list(lives(apply(case.program, division)).values()))
        most = max(piece.peak for piece in division)
        assert most >= needed, case.name
        exact += most == needed
    assert exact > 30
