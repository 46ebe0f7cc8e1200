"""Row programs that would touch bytes outside their buffers are refused, by whatever takes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
import pytest

from tests.rows import lowered, random_network
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_program
from tinyc.ir import Builder, DType, IRError, Op, TensorType, Value
from tinyc.ir.op import RowForm, RowMode, Window
from tinyc.ir.ops import Add, AvgPool2d, Clamp, Conv2d, Copy, Dense, MaxPool2d, Mul, Where
from tinyc.ir.rows import Buffer, Pace, RowProgram, Segment, Space, Stage, verify_program, whole_because
from tinyc.ir.rows.checks import rows_problem
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream import Stream

ROWS, ONE = Window(), None


def value(name: str, *shape: int, dtype: DType = DType.F32) -> Value:
    return Value(name, TensorType(shape, dtype))


X, Y = value("x", 1, 6, 4, 3), value("y", 1, 6, 4, 3)


def program(op: Op, windows: Sequence[Window | None], band: int = 1, result: Value | None = None) -> RowProgram:
    """One stage, without a check."""
    out = result or Value("out", op.type)
    buffers = [Buffer(v, Space.INPUT) for v in dict.fromkeys(op.operands)]
    stage = Stage(out, op, tuple(windows), band, "layer7")
    return RowProgram("net", tuple(b.value for b in buffers), (out,), (*buffers, Buffer(out, Space.OUTPUT)), (stage,))


def refused(bad: RowProgram, why: str) -> None:
    """By the checker, by the code generator and by the interpreter; the message names the layer."""
    takers: list[Callable[[], object]] = [
        lambda: verify_program(bad),
        lambda: generate(bad, name="net"),
        lambda: run_program(bad, [np.zeros(v.shape, v.dtype.numpy) for v in bad.inputs]),
    ]
    for take in takers:
        with pytest.raises(IRError, match=why) as caught:
            take()
        assert "layer7" in str(caught.value)


class Careless(Mul):
    """A product whose row form goes by ranks alone."""

    def row_form(self) -> RowForm | None:
        return RowForm(tuple(Window() if v.type.rank == 4 else None for v in self.operands))


CHANNELS = value("s", 6, 1, 1)
MALFORMED = {
    "a whole operand that varies along the rows": (Mul(X, CHANNELS), (ROWS, ONE), 1, "other rows than its operator"),
    "the same said by a wrong row form": (Careless(X, CHANNELS), (ROWS, ONE), 1, r"gives \[1, 6, 4, 3\] in one step"),
    "the same in a band": (Careless(X, CHANNELS), (ROWS, ONE), 6, "reads %s .* whole, which varies"),
    "one row read as if it had six": (Careless(X, value("s", 1, 1, 4, 3)), (ROWS, ROWS), 1, "reads rows outside %s"),
    "a band over one row": (Careless(X, value("s", 1, 1, 4, 3)), (ROWS, ROWS), 6, "operand %s has other rows"),
    "a row too far": (Add(X, Y), (ROWS, Window(pad=-1)), 1, "other rows than its operator"),
    "a window for one operand of two": (Add(X, Y), (ROWS,), 1, "one window an operand"),
    "rows of what has none": (Add(X, value("z", 4, 3)), (ROWS, ROWS), 1, "other rows than its operator"),
    "a band of too many rows": (Clamp(X), (ROWS,), 7, "7 of 6 rows"),
    "no rows at a time": (Clamp(X), (ROWS,), 0, "0 of 6 rows"),
    "rows of a batch": (Clamp(value("b", 2, 6, 4, 3)), (ROWS,), 1, "which has none"),
    "a window that is too large": (MaxPool2d(X, (2, 2)), (Window(3, mode=RowMode.CLIP),), 1, "other rows"),
    "a window that clips, not fills": (
        Conv2d(X, value("w", 2, 3, 3, 3), pads=(1, 1, 1, 1)),
        (Window(3, pad=1, mode=RowMode.CLIP), ONE),
        1,
        "other rows",
    ),
    "a band of windows": (Conv2d(X, value("w", 2, 3, 3, 3)), (Window(3), ONE), 2, "operand %x has other rows"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_rows_are_refused(name: str) -> None:
    op, windows, band, why = MALFORMED[name]
    refused(program(op, windows, band), why)


def test_a_result_of_another_type_is_refused() -> None:
    refused(program(Clamp(X), (ROWS,), result=value("out", 1, 6, 4, 2)), "writes f32.* to %out")


class Shifted(Clamp):
    """Reads the row below."""

    def row_form(self) -> RowForm | None:
        return RowForm((Window(pad=-1),))

    def row_fill(self) -> float | None:
        return 0.0


def test_a_row_form_that_loops_contradict_is_refused() -> None:
    refused(program(Shifted(X), (Window(pad=-1),)), "outside the rows that row 0 is given")


GOOD = {
    "one row for all": (Add(X, value("s", 1, 1, 4, 3)), (ROWS, ONE), 6),
    "a plane for all channels": (Mul(X, value("s", 1, 6, 4, 1)), (ROWS, ROWS), 6),
    "a number a row": (Mul(X, value("s", 1, 6, 1, 1)), (ROWS, ROWS), 1),
    "a condition of one row": (Where(value("c", 4, 3, dtype=DType.BOOL), X, Y), (ONE, ROWS, ROWS), 1),
    "pads that fill": (Conv2d(X, value("w", 2, 3, 3, 3), pads=(1, 1, 1, 1)), (Window(3, pad=1), ONE), 1),
    "pads that are counted": (AvgPool2d(X, (3, 3), pads=(1, 1, 1, 1), count_pads=True), (Window(3, pad=1),), 1),
    "a dense layer": (Dense(X, value("w", 2, 3)), (ROWS, ONE), 6),
}


@pytest.mark.parametrize("name", GOOD)
def test_rows_that_an_operator_reads_are_not(name: str) -> None:
    op, windows, band = GOOD[name]
    assert rows_problem(op, windows, band) == ""
    good = program(op, windows, band)
    verify_program(good)
    generate(good, name="net")


def test_a_stage_of_a_planned_program_is_checked_too() -> None:
    b = Builder("net")
    x = b.input("x", TensorType((1, 6, 4, 3), DType.F32))
    y = b.add(Clamp(x, min=0.0), loc="layer6")
    planned = PlanArena().run(
        lowered(b.build([b.add(Add(y, b.constant(np.ones((1, 6, 4, 3), np.float32))), loc="layer7")]))
    )
    stages = [dataclasses.replace(s, windows=(ROWS, ONE)) if s.loc == "layer7" else s for s in planned.stages]
    refused(dataclasses.replace(planned, stages=tuple(stages)), "other rows than its operator")


@pytest.mark.parametrize("dtype", [DType.F32, DType.I8])
def test_what_the_lowering_makes_passes(dtype: DType) -> None:
    for seed in range(60):
        found = lowered(random_network(Random(seed).getrandbits(20), dtype).module)
        assert [rows_problem(s.op, s.windows, s.band) for s in found.stages if s.windows] == [
            "" for s in found.stages if s.windows
        ]


def handing_over() -> RowProgram:
    """An input that comes by rows, a pooling of 2 rows, and its rows handed over."""
    b = Builder("net")
    y = b.add(MaxPool2d(b.input("x", TensorType((1, 6, 4, 3), DType.F32)), (2, 2)))
    return Stream().run(lowered(b.build([y]), "rows", "rows"))


def unsound(bad: RowProgram, why: str) -> None:
    with pytest.raises(IRError, match=why):
        verify_program(bad)


def test_rows_are_handed_over_by_copies_of_outputs_alone() -> None:
    good = handing_over()
    verify_program(good)
    (given,) = good.outputs
    assert good.gives_rows(good.stages[-1])
    unsound(dataclasses.replace(good, outputs=()), f"writes %{given.name}, whose rows lie nowhere")
    direct = dataclasses.replace(good.stages[-1], op=Copy(good.inputs[0]), result=given)
    (stage, *_), buffers = good.stages, [b for b in good.buffers if b.name != given.name]
    nowhere = [Buffer(given, Space.ROWS), *(dataclasses.replace(b, ring=0) for b in buffers)]
    unsound(
        dataclasses.replace(good, stages=(stage, direct), buffers=tuple(nowhere), segments=()), "writes .* which is"
    )
    computing = dataclasses.replace(good.stages[1], result=given)
    wrong = dataclasses.replace(good, stages=(stage, computing), buffers=tuple(nowhere), segments=())
    unsound(wrong, f"writes %{given.name}, whose rows lie nowhere")
    unwritten = dataclasses.replace(good, stages=good.stages[:2], buffers=tuple(nowhere), segments=())
    unsound(unwritten, "not an output that a stage wrote")


def test_rows_from_one_outside_to_the_other_lie_nowhere_between() -> None:
    x, y = Value("x", TensorType((1, 6, 4, 3), DType.F32)), Value("y", TensorType((1, 6, 4, 3), DType.F32))
    stage = Stage(y, Copy(x), (ROWS,))
    unsound(
        RowProgram("net", (x,), (y,), (Buffer(x, Space.ROWS), Buffer(y, Space.ROWS)), (stage,)),
        "writes %y, whose rows lie nowhere",
    )


@pytest.mark.parametrize("number", [0, 2])
def test_rows_come_and_go_from_the_first_to_the_last(number: int) -> None:
    program = handing_over()
    free = [dataclasses.replace(b, ring=0) for b in program.buffers]
    segments = [Segment(k, (Pace(),), reverse=k == number) for k in range(3)]
    wrong = dataclasses.replace(program, buffers=tuple(free), segments=tuple(segments))
    unsound(wrong, "from the first to the last, and runs in reverse")


def test_rows_that_go_outside_are_not_split_between_cores() -> None:
    program = handing_over()
    assert "one after the other" in whole_because(program, dataclasses.replace(program.stages[-1], split=2))


def test_slots_and_outputs_without_a_buffer_are_refused() -> None:
    b = Builder("net")
    x = b.input("x", TensorType((1, 6, 4, 3), DType.F32))
    good = PlanArena().run(lowered(b.build([b.add(Clamp(b.add(Clamp(x, min=0.0)), max=1.0))])))
    assert good.plan is not None
    (slot,) = good.plan.slots
    wrong = {
        "does not exist": dataclasses.replace(slot, buffer="nobody"),
        "outside the arena": dataclasses.replace(slot, offset=slot.offset + 4),
        "smaller than its buffer": dataclasses.replace(slot, bytes=slot.bytes - 4),
    }
    for why, bad in wrong.items():
        plan = dataclasses.replace(good.plan, slots=(bad,))
        with pytest.raises(IRError, match=why):
            generate(dataclasses.replace(good, plan=plan), name="net")
    with pytest.raises(IRError, match="output %nobody: has no buffer"):
        verify_program(dataclasses.replace(good, outputs=(value("nobody", 1),)))
