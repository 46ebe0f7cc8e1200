"""Images of planes that are converted before they become pixels: by rows of a plane, over what has been read."""

from __future__ import annotations

import numpy as np
import pytest

from tests.c.support import random
from tests.helpers import run
from tinyc.backends.interpreter import run_program
from tinyc.ir.module import Builder, Module
from tinyc.ir.op import Value
from tinyc.ir.ops import Add, Cast, Copy, MaxPool2d, Quantize, Transpose
from tinyc.ir.rows import RowProgram
from tinyc.ir.types import DType, TensorType
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.share import ShareBuffers
from tinyc.passes.rows.short_rows import with_short_rows
from tinyc.passes.stream.stream import Stream

TO_PIXELS = (0, 2, 3, 1)


def planned(module: Module) -> RowProgram:
    program = PlanArena().run(Stream().run(ShareBuffers().run(Lower("arena").run(module))))
    assert isinstance(program, RowProgram)
    return program


def pixels(builder: Builder, converted: Value) -> Module:
    return builder.build([builder.add(Copy(builder.add(Transpose(converted, TO_PIXELS))), "out")])


@pytest.mark.parametrize(("planes", "high", "wide"), [(3, 12, 8), (2, 5, 16), (4, 9, 2), (3, 2, 24)])
def test_floats_become_integers_at_the_distance_of_a_row(planes: int, high: int, wide: int) -> None:
    builder = Builder("floats")
    x = builder.input("x", TensorType((1, planes, high, wide), DType.F32))
    module = pixels(builder, builder.add(Quantize(x, 1 / 16), "q"))
    program, array = planned(module), random(np.random.default_rng(planes), x.shape)
    assert np.array_equal(run_program(program, [array])[0], run(module, [array])[0])
    assert program.plan is not None
    assert program.plan.bytes <= x.type.bytes + -(-wide // 4) * 4


def test_bytes_are_centred_in_their_place() -> None:
    builder = Builder("bytes")
    x = builder.input("x", TensorType((1, 3, 12, 8), DType.U8))
    cast, offset = builder.add(Cast(x, DType.I8), "cast"), builder.constant(np.int8(-128), "offset")
    module = pixels(builder, builder.add(Add(cast, offset), "centred"))
    program, array = planned(module), random(np.random.default_rng(0), x.shape, DType.U8)
    assert np.array_equal(run_program(program, [array])[0], run(module, [array])[0])
    assert program.plan is not None
    assert program.plan.bytes == x.type.bytes + 8


def test_rows_that_are_read_by_rows_stay() -> None:
    builder = Builder("rows")
    x = builder.input("x", TensorType((1, 6, 6, 4), DType.F32))
    q = builder.add(Quantize(x, 1 / 16), "q")
    pooled = builder.add(MaxPool2d(q, (2, 2)), "pooled")
    module = builder.build([pooled])
    assert with_short_rows(module) is module
    both = builder.build([pooled, builder.add(Copy(builder.add(Transpose(q, TO_PIXELS))), "out")])
    assert with_short_rows(both) is both


def test_outputs_and_what_is_computed_before_stay() -> None:
    builder = Builder("outputs")
    x = builder.input("x", TensorType((1, 3, 6, 4), DType.F32))
    q = builder.add(Quantize(x, 1 / 16), "q")
    moved = builder.add(Copy(builder.add(Transpose(q, TO_PIXELS))), "out")
    kept = builder.build([moved, q])
    assert with_short_rows(kept) is kept
    late = Builder("late")
    y = late.input("y", TensorType((1, 4, 6, 3), DType.F32))
    planes = late.add(Transpose(y, (0, 3, 1, 2)), "planes")
    computed = pixels(late, late.add(Quantize(planes, 1 / 16), "q"))
    assert with_short_rows(computed) is computed
