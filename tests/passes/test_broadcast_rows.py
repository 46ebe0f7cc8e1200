"""Row forms follow the axes that broadcasting aligns: which operands have rows of their own, and what streams."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.helpers import assert_close
from tests.passes.checks import numbers
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_module, run_program
from tinyc.ir import Builder, DType, Module, TensorType
from tinyc.ir.op import Window
from tinyc.ir.ops import Add, Clamp, Mul, Reshape, Where
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.replay import replay
from tinyc.passes.core.manager import PassManager
from tinyc.passes.pipeline import row_passes
from tinyc.passes.rows.lower import InputPlace, Lower
from tinyc.passes.stream import Stream

IMAGE = (1, 6, 5, 4)
"""Of a channels-first graph: its rows are the channels."""
SHAPES = sorted(
    {
        tuple(n if kept else 1 for n, kept in zip(IMAGE[4 - rank :], mask, strict=True))
        for rank in range(5)
        for mask in itertools.product((True, False), repeat=rank)
    }
)
"""Every rank and every broadcast of it."""


def chain(shape: tuple[int, ...], constant: bool) -> Module:
    """x * s + x, where s has that shape."""
    b = Builder("net")
    x = b.input("x", TensorType(IMAGE, DType.F32))
    s = b.constant(numbers(*shape), "s") if constant else b.input("s", TensorType(shape, DType.F32))
    return b.build([b.add(Add(b.add(Mul(x, s)), x))])


def scheduled(module: Module, inputs: InputPlace = "argument") -> RowProgram:
    program, _ = PassManager(row_passes(inputs)).run(module)
    assert isinstance(program, RowProgram)
    return program


def agrees(module: Module, place: InputPlace = "argument") -> RowProgram:
    """The program, whose result is that of the module to the bit: there are no sums to be rounded otherwise."""
    program = scheduled(module, place)
    replay(program)
    generate(program, name="net")
    inputs = [numbers(*v.shape, seed=k) for k, v in enumerate(module.inputs)]
    assert_close(run_module(module, inputs), run_program(program, inputs), 0.0)
    return program


@pytest.mark.parametrize("constant", [True, False])
def test_every_operand_that_broadcasts_streams(constant: bool) -> None:
    for shape in SHAPES:
        program = agrees(chain(shape, constant))
        assert any(segment.streams for segment in program.order), shape
        product = program.buffer[program.stages[0].result.name]
        assert product.ring == 1, f"one row of x * s is kept, for s {shape}"


def test_an_operand_that_varies_along_the_rows_has_rows_and_others_are_read_whole() -> None:
    for shape in SHAPES:
        (product, _) = Lower().run(chain(shape, True)).stages
        varies = len(shape) >= 3 and shape[-3] != 1
        assert product.windows == (Window(), Window() if varies else None), shape
        shown = product.op.operands[1]
        assert shown.shape == ((1, *shape) if varies and len(shape) == 3 else shape)


def test_what_is_shown_with_more_dimensions_takes_no_memory() -> None:
    program = Lower().run(chain((6, 1, 1), True))
    shown = program.buffer[program.stages[0].op.operands[1].name]
    assert shown.view is not None
    assert program.root(shown.name) == (program.buffer["s"], 0)


def test_a_computed_operand_of_three_dimensions_is_read_by_rows_and_overwritten() -> None:
    b = Builder("net")
    x = b.input("x", TensorType(IMAGE, DType.F32))
    y = b.add(Clamp(b.input("y", TensorType(IMAGE[1:], DType.F32)), min=0.0))
    program = agrees(b.build([b.add(Clamp(b.add(Add(x, y)), max=1.0))]), "arena")
    assert program.plan is not None
    assert program.plan.bytes == 2 * 6 * 5 * 4 * 4, "no more than x and y"


def test_two_operands_of_one_value_and_a_condition_of_three_dimensions() -> None:
    b = Builder("net")
    x = b.input("x", TensorType(IMAGE[1:], DType.F32))
    image = b.add(Reshape(x, IMAGE))
    condition = b.constant(numbers(6, 1, 4) > 0)
    chosen = b.add(Where(condition, b.add(Mul(image, x)), x))
    agrees(b.build([b.add(Add(chosen, b.constant(np.float32(2.0))))]))


def test_images_of_one_row_and_of_several_in_a_batch() -> None:
    for shape, other in (((1, 1, 5, 4), (1, 5, 4)), ((1, 1, 5, 4), (5, 4)), ((2, 6, 5, 4), (6, 5, 4))):
        b = Builder("net")
        x = b.input("x", TensorType(shape, DType.F32))
        agrees(b.build([b.add(Clamp(b.add(Add(x, b.constant(numbers(*other)))), min=0.0))]))


def test_a_channel_scale_needs_no_more_memory_by_rows_than_whole() -> None:
    module = chain((6, 1, 1), True)
    whole = PassManager([p for p in row_passes() if not isinstance(p, Stream)]).run(module)[0]
    assert isinstance(whole, RowProgram)
    assert whole.plan is not None
    plan = scheduled(module).plan
    assert plan is not None
    assert plan.bytes < whole.plan.bytes
