"""Rows that are taken by number: which rule says so, and that what is resized or padded advances row by row."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from tests.passes.checks import check, unchanged
from tests.passes.test_broadcast_rows import agrees
from tinyc.compiler.frontend.resize import Axis, _linear, _origin
from tinyc.ir import Builder, DType, IRError, Module, TensorType, Value
from tinyc.ir.forms import RowMode, Window
from tinyc.ir.ops import Broadcast, Conv2d, Gather, Pad, TakeRows
from tinyc.ir.ops.take_rows import rows_taken
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.passes.tensor.number_rows import NumberRows

HEIGHT = 9


def image(height: int = HEIGHT) -> Value:
    return Value("x", TensorType((1, height, 2, 3), DType.F32))


def taking(numbers: Array, axis: int = 1) -> Module:
    b = Builder("net")
    x = b.input("x", TensorType((1, HEIGHT, 2, 3), DType.F32))
    return b.build([b.add(Gather(x, b.constant(numbers, "numbers"), axis))])


def found(numbers: Array, height: int = HEIGHT) -> TakeRows | None:
    op = rows_taken(image(height), numbers)
    assert op is None or np.array_equal(op.evaluate(np.arange(height).reshape(1, -1, 1, 1))[0, :, 0, 0], numbers)
    return op


@pytest.mark.parametrize("seed", range(60))
def test_a_rule_is_found_for_every_step(seed: int) -> None:
    """floor(y * step + offset), held within the rows, with any step and offset."""
    random = Random(seed)
    height, count = random.randint(1, 40), random.randint(1, 60)
    step, offset = random.uniform(0.02, 4), random.uniform(-5, 5)
    numbers = np.clip(np.floor(np.arange(count) * step + offset), 0, height - 1).astype(np.int64)
    assert found(numbers, height) is not None


@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"])
@pytest.mark.parametrize(("old", "new"), [(8, 16), (10, 17), (17, 10), (7, 13), (48, 209), (5, 5), (1, 4), (4, 1)])
def test_a_rule_is_found_for_what_linear_resizing_takes(old: int, new: int, coordinates: str) -> None:
    axis = Axis(1, old, new, np.float32(new) / np.float32(old))
    assert all(found(numbers, old) is not None for numbers, _ in _linear(axis, _origin(axis, coordinates)))


@pytest.mark.parametrize("mode", ["reflect", "edge"])
@pytest.mark.parametrize(("before", "after"), [(2, 3), (0, 4), (4, 0), (8, 8), (1, 0)])
def test_a_rule_is_found_for_padding(mode: Any, before: int, after: int) -> None:
    op = found(np.pad(np.arange(HEIGHT), (before, after), mode=mode))
    assert op is not None
    assert op.reflect == (mode == "reflect")


@pytest.mark.parametrize("numbers", [[7, 8, 0, 1, 2], [0, 2, 1], [0, 1, 1, 1, 2, 5, 6], [3, 2, 1], [0, 5, 6]])
def test_what_has_no_rule_stays(numbers: list[int]) -> None:
    assert found(np.asarray(numbers)) is None
    said = unchanged(NumberRows(), taking(np.asarray(numbers)))
    assert any("not in even steps" in line for line in said)


def test_the_pass() -> None:
    after = check(NumberRows(), taking(np.asarray([0, 0, 1, 1, 2, 2, 99])), exact=True)
    assert [type(n.op) for n in after.nodes if n.op.operands] == [Gather]  # an index beyond the last is no even step
    after = check(NumberRows(), taking(np.arange(2 * HEIGHT) // 2), exact=True)
    assert [n.op for n in after.nodes if n.op.operands] == [TakeRows(after.inputs[0], 2 * HEIGHT, times=2)]
    assert unchanged(NumberRows(), taking(np.asarray([0, 0, 1]), axis=2)) == []


@pytest.mark.parametrize(
    "given", [{"stride": 0}, {"times": 0}, {"count": 0}, {"reflect": True, "pad": 9}, {"reflect": True, "times": 2}]
)
def test_what_is_no_rule_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(IRError):
        TakeRows(image(), **{"count": HEIGHT, **given})


@pytest.mark.parametrize("seed", range(20))
def test_windows_of_one_row_and_of_many_say_the_same(seed: int) -> None:
    random = Random(seed)
    stride, times, pad = random.randint(1, 3), random.randint(1, 3), random.randint(-2, 5)
    mode = random.choice(list(RowMode)) if times == 1 else random.choice([RowMode.FILL, RowMode.EDGE])
    window = Window(random.randint(1, 3), stride, random.randint(1, 2), pad, mode, times)
    many = window.read(np.arange(HEIGHT), HEIGHT)
    for row in range(HEIGHT):
        assert window.rows(row, HEIGHT) == tuple(many[row])
        for place, read in enumerate(many[row]):
            at = row * stride - pad + place * window.dilation
            whole = at % times == 0
            if whole and 0 <= at // times < HEIGHT:
                assert read == at // times
            elif mode is RowMode.EDGE:
                assert read == min(max(at // times, 0), HEIGHT - 1)


@pytest.mark.parametrize(
    ("stride", "times", "rows", "pace"),
    [(1, 2, 16, (1, 2)), (7, 15, 16, (1, 2)), (7, 13, 13, (1, 2)), (10, 17, 17, (3, 5)), (2, 1, 9, (2, 1))],
)
def test_the_pace_of_what_is_resized(stride: int, times: int, rows: int, pace: tuple[int, int]) -> None:
    assert Window(stride=stride, times=times, mode=RowMode.EDGE).pace(rows) == pace


def between(make: Any, width: int = 6) -> RowProgram:
    """The schedule of something between two convolutions, which gives what the module gives."""
    b = Builder("net")
    x = b.input("x", TensorType((1, 12, width, 2), DType.F32))
    one = np.zeros((4, 3, 3, 2), np.float32)
    one[:, 1, 1] = 0.5  # sums of one product, which are rounded nowhere
    y = b.add(Conv2d(x, b.constant(one, "w"), pads=(1, 1, 1, 1)))
    two = np.zeros((1, 3, 3, 4), np.float32)
    two[0, 1, 1, 0] = 2.0
    z = b.add(Conv2d(b.add(make(y)), b.constant(two, "v"), pads=(1, 1, 1, 1)))
    return agrees(b.build([z]), "arena")


MAKERS: dict[str, Any] = {
    "twice": lambda x: TakeRows(x, 24, 1, 1, 2),
    "two thirds": lambda x: TakeRows(x, 18, 2, -1, 3),
    "edges": lambda x: TakeRows(x, 17, 1, 2),
    "reflected": lambda x: TakeRows(x, 17, 1, 2, reflect=True),
    "zeros between": lambda x: Pad(x, (0, 1, 1, 0), (0, 2, 1, 0), (0, 1, 1, 0)),
}


@pytest.mark.parametrize("name", MAKERS)
def test_it_advances_with_its_neighbours(name: str) -> None:
    """All layers are in one segment, and no map lies in the arena whole."""
    program = between(MAKERS[name])
    assert [len(s.paces) for s in program.order if s.streams] == [len(program.stages)]
    assert all(b.ring or b.view is not None for b in program.buffers if b.space.value == "arena" and b.name != "x")


def test_a_broadcast_of_one_row_is_each_row() -> None:
    row = Value("x", TensorType((1, 1, 4, 1), DType.F32))
    form = Broadcast(row, (1, 5, 4, 3)).row_form()
    assert form is not None
    assert form.windows == (None,)
    assert Broadcast(row, (1, 5, 4, 3)).row_op(2, 0).type.shape == (1, 2, 4, 3)
    assert Broadcast(Value("x", TensorType((5, 1, 1), DType.F32)), (1, 5, 4, 3)).row_form() is None
