"""Rows that are computed over those of their operand, with some pixels copied aside."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.causal import causal_maker
from tests.passes.stream.brute_force import Tagged, peak_by_bytes
from tests.passes.stream.support import SAME, differences, planned, results, separable, with_pixels_aside
from tests.rows import Network, pointwise
from tinyc.backends.interpreter import run_module
from tinyc.backends.interpreter.steps import run_endless
from tinyc.ir import DType, IRError
from tinyc.ir.rows import Kernel, RowProgram, Stage, View, verify_program
from tinyc.ir.rows.lives import lives, peak
from tinyc.ir.rows.replay import replay
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.order import OrderStages
from tinyc.passes.stream import KeepState, Stream

WINDOWS: dict[str, dict[str, Any]] = {
    "over dead rows": {"kernel": (3, 3), **SAME},
    "no rows above": {"kernel": (3, 3), **SAME, "pads": (0, 1, 2, 1)},
    "narrower": {"kernel": (2, 2), **SAME, "pads": (1, 0, 0, 0)},
    "beside its rows": {"kernel": (5, 2), **SAME, "pads": (2, 0, 2, 1)},
    "dilated": {"kernel": (3, 3), "strides": (1, 1), "pads": (2, 2, 2, 2), "dilations": (2, 2)},
}
DIRECTIONS = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def one_ring(reverse: bool = False) -> tuple[RowProgram, RowProgram]:
    """A program as it was, and with all its stages but the last in one segment, in which all rows are alike."""
    _, program = separable(DType.I8, 14, 1, **WINDOWS["over dead rows"])
    return program, planned(with_pixels_aside(program, reverse)[0])


@DIRECTIONS
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("dtype", "width", "channels"), [(DType.I8, 14, 4), (DType.I8, 28, 7), (DType.F32, 17, 2)])
def test_the_meaning_stays(dtype: DType, width: int, channels: int, window: str, reverse: bool) -> None:
    network, before = separable(dtype, width, channels, **WINDOWS[window])
    scheduled, _ = with_pixels_aside(before, reverse)
    program = planned(scheduled)
    verify_program(program)
    replay(program)
    assert Tagged(program).run() == []
    assert differences(results(before, network.arrays), results(program, network.arrays)) == []
    assert peak_by_bytes(program) <= peak(list(lives(program).values()))
    assert sum(stage.aside > 0 for stage in program.stages) >= 2


@DIRECTIONS
def test_all_rows_between_them_lie_in_one_ring(reverse: bool) -> None:
    """Two rows for each of four windows, and the one that arrives."""
    before, program = one_ring(reverse)
    rings = [b for b in program.buffers if b.ring]
    assert [b.ring for b in rings] == [9]
    assert sum(program.root(s.result.name)[0] is rings[0] for s in program.stages) == 7
    beside = planned(Stream().run(before))
    assert program.plan is not None
    assert beside.plan is not None
    assert beside.plan.bytes <= program.plan.bytes


def test_the_schedule_with_the_least_memory_has_them() -> None:
    _, before = separable(DType.I8, 28, 8, **WINDOWS["over dead rows"])
    assert any(stage.aside for stage in Stream().run(before).stages)


def changed(program: RowProgram, number: int, **fields: Any) -> RowProgram:
    """The program with another stage in the place of one."""
    stages = list(program.stages)
    stages[number] = dataclasses.replace(stages[number], **fields)
    return dataclasses.replace(program, stages=tuple(stages))


def first_aside(program: RowProgram) -> tuple[int, Stage]:
    return next((k, s) for k, s in enumerate(program.stages) if s.aside)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"aside": 0}, "writes over rows that it reads, which its operator cannot"),
        ({"aside": -4}, "copies -4 pixels aside, which are no part of its rows"),
        ({"aside": 14}, "copies 14 pixels aside, which are no part of its rows"),
        ({"kernel": Kernel(library="esp-nn")}, "copies pixels aside, which its kernel cannot"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    _, program = one_ring()
    with pytest.raises(IRError, match=message):
        verify_program(changed(program, first_aside(program)[0], **fields))


def test_only_some_operators_write_over_rows_that_they_read() -> None:
    _, program = one_ring()
    last = next(k for k, s in enumerate(program.stages) if not s.aside and s.op.may_overwrite_row())
    with pytest.raises(IRError, match="copies pixels aside, which its kernel cannot"):
        verify_program(changed(program, last, aside=4))


def test_pixels_are_copied_aside_only_of_rows_that_are_written_over() -> None:
    _, program = one_ring()
    _, stage = first_aside(program)
    apart = tuple(
        dataclasses.replace(b, view=None, ring=3) if b.name == stage.result.name else b for b in program.buffers
    )
    with pytest.raises(IRError, match="copies pixels aside, and does not write over"):
        verify_program(dataclasses.replace(program, buffers=apart, plan=None))


@DIRECTIONS
def test_a_result_over_another_row_of_its_window_is_seen(reverse: bool) -> None:
    """The check itself: over a row that later windows read, or one that has not been computed yet."""
    _, program = one_ring(reverse)
    for change in (-1, 1):
        buffers = []
        for buffer in program.buffers:
            view = buffer.view
            if view is not None and view.follows not in (None, (1, 0)):
                stride, pad = view.follows or (1, 0)
                buffer = dataclasses.replace(buffer, view=View(view.base, follows=(stride, pad + change)))
            buffers.append(buffer)
        with pytest.raises(IRError, match=r"is (not there any more|overwritten while it is read)"):
            replay(dataclasses.replace(program, buffers=tuple(buffers)))


def causal(rows: int) -> Network:
    """Layers of a signal's lines, each of which looks at the two before it."""
    maker = causal_maker(2, DType.I8)
    window: dict[str, Any] = {"kernel": (3, 3), **SAME, "pads": (2, 1, 0, 1)}
    x = pointwise(maker, maker.input((1, rows, 16, 2)), 4)
    for _ in range(3):
        x = pointwise(maker, maker.depthwise(x, each=1, **window), 4)
    x = maker.conv(x, groups=1, outputs=1, **window)
    return Network(maker.builder.build([x]), maker.arrays)


def for_ever(network: Network) -> RowProgram:
    """The program that keeps its state between calls of four lines."""
    program = OrderStages().run(Lower("rows", outputs="rows", strict=False).run(network.module))
    return planned(KeepState(4).run(program))


def test_for_ever() -> None:
    """Where the state is kept between calls, the ring goes on through as many rows as come."""
    program, long = for_ever(causal(32)), causal(160)
    assert sum(stage.aside > 0 for stage in program.stages) == 3
    replay(program)
    (got,), (want,) = run_endless(program, long.arrays), run_module(long.module, long.arrays)
    np.testing.assert_array_equal(got, want)
