"""Transpositions in place: how they are divided, and that the C moves every element to its place."""

from __future__ import annotations

from itertools import permutations
from random import Random

import numpy as np
import pytest

from tests.c.support import BUILDS, PARAMETERS, need, random
from tests.sampling import ALL
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir.blocks import FEWEST, LOCAL, WORD, blocks_of
from tinyc.ir.module import Builder
from tinyc.ir.ops import Copy, Transpose
from tinyc.ir.rows import RowProgram
from tinyc.ir.types import DType, TensorType
from tinyc.passes.rows.lower import Lower
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.share import ShareBuffers

TO_PIXELS, TO_PLANES = (0, 2, 3, 1), (0, 3, 1, 2)
Given = tuple[tuple[int, ...], tuple[int, ...], DType]


def images(count: int) -> list[Given]:
    """Images of all types in both layouts, some of them of one block, some of an odd number of elements."""
    draw = Random(count)
    found: list[Given] = [((1, 3, 24, 16), TO_PIXELS, d) for d in DType]
    found += [((1, 24, 16, 3), TO_PLANES, d) for d in DType]
    found += [((3, 2, 9, 5), TO_PIXELS, DType.I8), ((2, 7, 11, 4), TO_PLANES, DType.U8)]
    found += [((5, 2, 8), (0, 2, 1), DType.F32), ((4, 16), (1, 0), DType.I16), ((2, 3, 4, 5), (2, 3, 0, 1), DType.I8)]
    for _ in range(count):
        planes, high, wide = draw.randint(2, 12), draw.randint(1, 15), draw.randint(1, 15)
        shape = (draw.randint(1, 2), planes, high, wide)
        found.append((shape, TO_PIXELS, draw.choice(list(DType))))
        found.append(((shape[0], high, wide, planes), TO_PLANES, draw.choice(list(DType))))
    return found


def program_of(given: list[Given]) -> RowProgram:
    """A program that permutes inputs in the arena, and hands them out."""
    builder = Builder("planes")
    moved = []
    for number, (shape, perm, dtype) in enumerate(given):
        x = builder.input(f"x{number}", TensorType(shape, dtype))
        moved.append(builder.add(Transpose(x, perm), f"t{number}"))
    module = builder.build([builder.add(Copy(t), f"{t.name}_out") for t in moved])
    program = PlanArena().run(ShareBuffers().run(Lower("arena").run(module)))
    assert isinstance(program, RowProgram)
    return program


@pytest.mark.parametrize("build", PARAMETERS)
def test_elements_come_to_their_places(build: str) -> None:
    need(build)
    given = images(100 if ALL else 25)
    program, rng = program_of(given), np.random.default_rng(1)
    moves = [s for s in program.stages if isinstance(s.op, Transpose)]
    assert [program.overwrites(s) for s in moves] == [s.op.in_blocks() is not None for s in moves]
    assert sum(map(program.overwrites, moves)) > len(moves) // 3
    arrays = [random(rng, shape, dtype) for shape, _, dtype in given]
    want = [a.transpose(perm) for a, (_, perm, _) in zip(arrays, given, strict=True)]
    compiler, flags = BUILDS[build]
    source = generate(program, name="planes")
    for got in (run_program(program, arrays), HostRunner(source, cc=compiler, flags=flags).run([arrays])[0]):
        wrong = [g for g, a, b in zip(given, got, want, strict=True) if not np.array_equal(a, b)]
        assert not wrong


def test_words_lie_at_addresses_of_words() -> None:
    program = program_of([((3,), (0,), DType.I8), *images(10)])
    plan = program.plan
    assert plan is not None
    words = 0
    for stage in program.stages:
        blocks = stage.op.in_blocks()
        if blocks is not None and program.overwrites(stage):
            assert plan.by_buffer[program.root(stage.result.name)[0].name].offset % blocks.word == 0
            assert plan.alignment % blocks.word == 0
            words += blocks.word == WORD and blocks.dtype.bytes == 1
    assert words


def test_an_image_of_planes_needs_no_other_memory() -> None:
    for dtype in DType:
        program = program_of([((1, 3, 24, 16), TO_PIXELS, dtype)])
        assert program.plan is not None
        assert program.plan.bytes == 3 * 24 * 16 * dtype.bytes


def test_what_is_read_later_is_not_overwritten() -> None:
    builder = Builder("kept")
    x = builder.input("x", TensorType((1, 3, 8, 8), DType.I8))
    moved, kept = builder.add(Transpose(x, TO_PIXELS), "moved"), builder.add(Copy(x), "kept")
    module = builder.build([builder.add(Copy(moved), "out"), kept])
    program = ShareBuffers().run(Lower("arena").run(module))
    assert not any(program.overwrites(s) for s in program.stages)


@pytest.mark.parametrize("seed", range(40))
def test_divisions_are_the_permutation(seed: int) -> None:
    draw = Random(seed)
    shape = tuple(draw.randint(1, 9) for _ in range(draw.randint(1, 4)))
    array = np.arange(np.prod(shape)).reshape(shape)
    for perm in permutations(range(len(shape))):
        blocks = blocks_of(TensorType(shape, DType.I8), perm)
        if blocks is None:
            continue
        places = blocks.blocks * blocks.places
        apart = (places, blocks.planes) if blocks.back else (blocks.planes, places)
        moved = array.reshape(blocks.images, *apart).swapaxes(1, 2)
        assert np.array_equal(moved.reshape(-1), array.transpose(perm).reshape(-1))
        assert blocks.planes * blocks.places <= LOCAL[-1]
        assert blocks.places >= FEWEST


def test_what_is_not_divided() -> None:
    assert blocks_of(TensorType((1, 3, 5, 7), DType.I8), TO_PIXELS) is not None
    assert blocks_of(TensorType((1, 3, 67, 1), DType.F32), TO_PIXELS) is None  # 67 places: a block of one, or of all
    assert blocks_of(TensorType((1, 64, 9, 9), DType.F32), TO_PIXELS) is None
    assert blocks_of(TensorType((4, 5, 6), DType.I8), (2, 1, 0)) is None
    assert blocks_of(TensorType((1, 0, 6), DType.I8), (0, 2, 1)) is None
