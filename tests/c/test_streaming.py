"""The C of schedules in which stages advance together: what the interpreter computes, whatever the schedule."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from random import Random

import numpy as np
import pytest

from tests.c.support import AROUND, BUILDS, FUNCTIONS_ONLY, difference
from tests.passes.stream.support import SAME, all_but_the_last, gathering, joined, planned, random_schedule
from tests.rows import (
    PLACES,
    Network,
    is_image,
    lowered,
    maker_of,
    pointwise,
    random_network,
    with_images,
)
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_module, run_program
from tinyc.backends.runners import HostRunner, RunnerError
from tinyc.ir import DType, IRError, Value, ops
from tinyc.ir.ops.conv import Spatial
from tinyc.ir.rows import RowProgram, Space
from tinyc.ir.rows.replay import replay
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import InputPlace
from tinyc.passes.stream import Stream
from tinyc.passes.stream.finer import finer
from tinyc.passes.stream.piece import Cutter, Piece, apply

DTYPES = pytest.mark.parametrize("dtype", [DType.I8, DType.F32], ids=["int8", "float"])
LAYERS = 1e-4
"""The C sums in float32, the interpreter in float64, through up to some twenty layers, whose functions and differences
may enlarge an error. Relative to the largest element of a result, or to one where all are smaller."""


def compare(network: Network, program: RowProgram, build: str, push: bool = False) -> HostRunner:
    """Asserts that the C computes what the interpreter does, twice in a row: nothing is left behind that counts."""
    compiler, flags = BUILDS[build]
    runner = HostRunner(generate(program, name="net"), cc=compiler, flags=flags, push=push)
    want = run_program(program, network.arrays)
    for got in runner.run([network.arrays, network.arrays]):
        for value, g, w in zip(program.outputs, got, want, strict=True):
            assert agree(g, w), f"{value}: {difference(g, w, LAYERS)}\n{program}"
    return runner


def agree(got: Array, want: Array) -> bool:
    """Whether integers are equal, and floats but for rounding."""
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype != np.float32:
        return bool(np.array_equal(got, want))
    finite = want[np.isfinite(want)]
    limit = LAYERS * max(1.0, float(np.abs(finite).max(initial=0.0)))
    return bool(np.allclose(got, want, rtol=0, atol=limit, equal_nan=True))


def compare_stages(network: Network, program: RowProgram, build: str) -> None:
    """Asserts that the C of each stage computes what the interpreter does, each element once."""
    compiler, flags = BUILDS[build]
    want: dict[int, Array] = {}
    run_program(program, network.arrays, lambda number, array: want.update({number: array.copy()}))
    got = HostRunner(generate(program, name="net"), cc=compiler, flags=flags).trace(network.arrays)
    assert got
    for number, array in got.items():
        where = program.stages[number].where
        assert agree(array.reshape(want[number].shape), want[number]), f"{where}\n{program}"


def side_by_side(seed: int, dtype: DType, place: InputPlace, count: int) -> tuple[Network, RowProgram]:
    """So many networks in one program, divided at random into segments."""
    network = random_network(seed, dtype, count)
    program = planned(random_schedule(Random(seed), lowered(network.module, place)))
    assert sum(s.streams for s in program.segments) > count // 2
    return network, program


def with_rows(seeds: range, dtype: DType) -> Iterator[tuple[Network, RowProgram]]:
    """Networks whose input comes row by row, of which the first rows are used up while others come in."""
    for seed in seeds:
        network = random_network(seed, dtype)
        if network.module.inputs[0].shape[1] > 1:
            program = lowered(network.module, "rows")
            chosen = Stream().run(program) if seed % 2 else random_schedule(Random(seed), program)
            yield network, planned(chosen)


@pytest.mark.parametrize("build", AROUND)
@DTYPES
def test_networks_side_by_side(dtype: DType, build: str) -> None:
    """Each build meets both places of the input, and each element type both, one with the other in turn;
    `test_many_networks_side_by_side` has all pairs of the two."""
    places: tuple[InputPlace, ...] = ("argument", "arena")
    place = places[(AROUND.index(build) + (dtype is DType.F32)) % 2]
    network, program = side_by_side(5, dtype, place, 12)
    compare(network, program, build)


@DTYPES
def test_every_stage(dtype: DType) -> None:
    chosen: list[tuple[int, InputPlace]] = [(6, "argument"), (7, "arena")]
    for seed, place in chosen:
        compare_stages(*side_by_side(seed, dtype, place, 6), "gcc-functions")
    for network, program in with_rows(range(300, 302), dtype):
        compare_stages(network, program, "gcc-functions")


@pytest.mark.parametrize("build", AROUND)
@DTYPES
def test_rows_from_outside(dtype: DType, build: str) -> None:
    streamed = 0
    for number, (network, program) in enumerate(with_rows(range(310, 314), dtype)):
        compare(network, program, build, push=bool(number % 2))
        streamed += program.order[0].streams
    assert streamed


@pytest.mark.slow
@pytest.mark.parametrize("build", ["gcc-functions", "clang-sanitize"])
@DTYPES
@pytest.mark.parametrize("block", range(1))
def test_many_networks_side_by_side(block: int, dtype: DType, build: str) -> None:
    places: tuple[InputPlace, ...] = ("argument", "arena")
    for number, place in enumerate(places):
        compare(*side_by_side(100 + 2 * block + number, dtype, place, 20), build)


@pytest.mark.slow
@pytest.mark.parametrize("build", ["clang-functions", "gcc-sanitize"])
@DTYPES
@pytest.mark.parametrize("block", range(1))
def test_rows_from_outside_of_many(block: int, dtype: DType, build: str) -> None:
    for number, (network, program) in enumerate(with_rows(range(1000 + 10 * block, 1005 + 10 * block), dtype)):
        compare(network, program, build, push=bool(number % 2))


@pytest.mark.parametrize("build", AROUND)
@pytest.mark.parametrize("axis", [2, 3])
def test_rows_that_are_joined(axis: int, build: str) -> None:
    found = joined(axis)
    program = planned(Stream().run(found.program))
    assert any(s.streams and len(s.paces) > 3 for s in program.segments)
    compare(found.network, program, build)


HORIZONTAL = ((1, 0), (1, 1), (1, 2), (2, 0), (2, 1))
"""Strides and pads on the left with which a window may slide along a row that is written over."""


def over_dead_rows(dtype: DType, reverse: bool) -> tuple[Network, RowProgram]:
    """Depthwise layers 3x3 whose rows are written over those that die in the ring which they read: all strides, pads
    on the left, widths that end the kernels' loops in each way, and one or more channels."""
    maker = maker_of(0, dtype)
    outputs: list[Value] = []
    verticals = [(1, 1), (2, 1), (1, 0), (2, 0), (1, 2)]
    for turn, (width, horizontal) in enumerate(product((1, 3, 4, 9, 8), HORIZONTAL)):
        # Another vertical geometry with each width, and another end of the rows.
        vertical = verticals[(turn + turn // 5) % 5]
        pads = (vertical[1], horizontal[1], 1, turn % 2)
        wide = pointwise(maker, maker.input((1, 9, width, 1)), 1 + turn % 6)
        strides = (vertical[0], horizontal[0])
        with suppress(IRError):  # the window is wider than the row
            y = maker.depthwise(wide, kernel=(3, 3), each=1, dilations=(1, 1), strides=strides, pads=pads)
            wide = pointwise(maker, y, 2)
        outputs.append(wide)
    network = Network(maker.builder.build(outputs), maker.arrays)
    program = lowered(network.module)
    return network, planned(apply(program, list(triples(program, reverse))))


def triples(program: RowProgram, reverse: bool) -> Iterator[Piece]:
    """Segments of a depthwise layer and the layers before and after it, the rest by itself."""
    cutter, at = Cutter(program), 0
    while at < len(program.stages):
        stop = at + 3 if "depthwise" in program.stages[min(at + 1, len(program.stages) - 1)].op.mnemonic else at + 1
        yield next(iter(cutter.pieces(range(at, stop), reverse)))
        at = stop


@pytest.mark.parametrize(
    ("reverse", "build"),
    [*((False, b) for b in ("gcc", "clang-sanitize")), *((True, b) for b in ("clang", "gcc-sanitize"))],
    ids=lambda p: p if isinstance(p, str) else ("forward", "reverse")[p],
)
@DTYPES
def test_depthwise_rows_over_dead_ones(reverse: bool, dtype: DType, build: str) -> None:
    network, program = over_dead_rows(dtype, reverse)
    seen = set()
    for stage in program.stages:
        view = program.buffer[stage.result.name].view
        if view is not None and view.follows is not None:
            assert isinstance(stage.op, Spatial)
            strides, _, pads = stage.op.geometry()
            seen.add((*strides, pads[1]))
    # Vertical and horizontal stride, pad on the left. With two pads and a row as long as the result, all are met.
    assert {h[1:] for h in seen} == set(HORIZONTAL)
    assert len(seen) > 7
    compare(network, program, build)


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@DTYPES
def test_parts_of_rows_over_dead_ones(dtype: DType, reverse: bool, build: str) -> None:
    network, whole = gathering(dtype, 48)
    program, piece = all_but_the_last(finer(whole), reverse)
    assert piece.follows
    compare(network, planned(program), build)


@DTYPES
def test_a_row_over_dead_ones_is_needed_for_the_result(dtype: DType) -> None:
    """The check itself: with each such row in a place where a living row lies, results differ."""
    network, program = over_dead_rows(dtype, False)
    buffers = []
    for buffer in program.buffers:
        view = buffer.view
        if view is not None and view.follows is not None:
            stride, pad = view.follows
            buffer = dataclasses.replace(buffer, view=dataclasses.replace(view, follows=(stride, pad - 1)))
        buffers.append(buffer)
    wrong = dataclasses.replace(program, buffers=tuple(buffers))
    got = HostRunner(generate(wrong, name="net"), flags=FUNCTIONS_ONLY).run([network.arrays])[0]
    want = run_program(program, network.arrays)
    assert sum(not agree(g, w) for g, w in zip(got, want, strict=True)) > len(want) // 5


def test_the_places_of_inputs() -> None:
    """What the other tests rely on: that their programs take inputs in the places that they are named after."""
    network = random_network(310, DType.I8)
    spaces = [
        lowered(network.module, p).buffer[network.module.inputs[0].name].space for p in ("argument", "arena", "rows")
    ]
    assert spaces == [Space.INPUT, Space.ARENA, Space.ROWS]


@pytest.mark.parametrize("push", [False, True], ids=["asked", "pushed"])
@DTYPES
def test_rows_that_come_slower_than_others_are_computed(dtype: DType, push: bool) -> None:
    """Each row that comes in becomes three, so it comes in every third sweep only, and the last of them in the last."""
    maker = maker_of(3, dtype)
    y = maker.conv(maker.input((1, 5, 6, 2)), kernel=(3, 3), groups=1, outputs=6, **SAME)
    finer = maker.lookup(maker.add(ops.Reshape(y, (1, 15, 6, 2))))
    for window in (False, True):
        z = maker.conv(finer, kernel=(3, 3), groups=1, outputs=2, **SAME) if window else finer
        network = Network(maker.builder.build([z]), maker.arrays)
        program = planned(Stream().run(lowered(network.module, "rows", "rows")))
        assert program.order[0].paces[0].period == 3
        same_as_held(network, program)
        compare(network, program, "gcc-functions", push)
        compare_stages(network, program, "gcc-functions")


@pytest.mark.parametrize("build", AROUND)
@DTYPES
def test_rows_below_the_last(dtype: DType, build: str) -> None:
    """Rows that are padded at the end alone: each reads the row of its own number, and those at the end none."""
    maker = maker_of(4, dtype)
    x = maker.conv(maker.input((1, 4, 5, 2)), kernel=(3, 3), groups=1, outputs=3, **SAME)
    padded = maker.add(ops.Pad(x, (0, 0, 1, 0), (0, 2, 0, 1), value=5.0))
    network = Network(maker.builder.build([maker.lookup(padded), padded]), maker.arrays)
    program = lowered(network.module)
    for chosen in (program, Stream().run(program)):
        compare(network, planned(chosen), build)


@DTYPES
def test_one_row_of_the_middle(dtype: DType) -> None:
    maker = maker_of(6, dtype)
    x = maker.lookup(maker.input((1, 5, 6, 2)))
    row = maker.add(ops.Slice(x, (0, 3, 1, 0), (1, 1, 3, 2), (1, 2, 2, 1)))
    network = Network(maker.builder.build([row, maker.lookup(row)]), maker.arrays)
    compare(network, planned(lowered(network.module)), "gcc-functions")


def giving_rows(seeds: range, dtype: DType) -> Iterator[tuple[Network, RowProgram]]:
    """Networks that hand over the rows of some images, while they hold the rest of what they compute."""
    for seed in seeds:
        network = with_images(random_network(seed, dtype), seed)
        if not any(map(is_image, network.module.outputs)):
            continue
        places = PLACES if is_image(network.module.inputs[0]) else PLACES[:2]
        program = lowered(network.module, places[seed % len(places)], "rows")
        yield network, planned(Stream().run(program) if seed % 2 else random_schedule(Random(seed), program))


def same_as_held(network: Network, program: RowProgram) -> None:
    """Asserts that what is handed over is what the network gives where it holds its outputs."""
    whole = run_module(network.module, network.arrays)
    for value, got, want in zip(program.outputs, run_program(program, network.arrays), whole, strict=True):
        assert agree(got, want), f"{value}\n{program}"


@pytest.mark.parametrize("build", AROUND)
@DTYPES
def test_rows_to_outside(dtype: DType, build: str) -> None:
    streamed = several = 0
    for number, (network, program) in enumerate(giving_rows(range(400, 406), dtype)):
        replay(program)
        same_as_held(network, program)
        compare(network, program, build, push=program.pushed is not None and bool(number % 2))
        given = [number for number, stage in enumerate(program.stages) if program.gives_rows(stage)]
        streamed += any(s.streams and k in s.stages for s in program.order for k in given)
        several += len(given) > 1
    assert streamed > 1
    assert several > 1


@DTYPES
def test_every_stage_of_those_that_hand_over_rows(dtype: DType) -> None:
    for network, program in giving_rows(range(420, 422), dtype):
        compare_stages(network, program, "gcc-functions")


@pytest.mark.slow
@pytest.mark.parametrize("build", ["gcc-sanitize", "clang-functions"])
@DTYPES
def test_rows_to_outside_of_many(dtype: DType, build: str) -> None:
    for network, program in giving_rows(range(2000, 2024), dtype):
        same_as_held(network, program)
        compare(network, program, build, push=program.pushed is not None)


@pytest.mark.parametrize("build", AROUND)
@DTYPES
def test_rows_of_several_inputs(dtype: DType, build: str) -> None:
    """Each has a function of its own; rows are asked for when they are needed, and cannot be pushed."""
    maker = maker_of(5, dtype)
    left, right = (maker.input((1, 9, 5, 2)) for _ in range(2))
    both = maker.sum(maker.conv(left, kernel=(3, 3), outputs=4, **SAME), pointwise(maker, right, 4))
    network = Network(maker.builder.build([maker.conv(both, kernel=(3, 3), outputs=2, **SAME)]), maker.arrays)
    chosen = Stream().run(lowered(network.module, "rows", "rows"))
    assert sum(map(chosen.takes_rows, chosen.stages)) == 2
    assert chosen.pushed is None
    assert len(chosen.order) == 1
    program = planned(chosen)
    same_as_held(network, program)
    compare(network, program, build)
    compare_stages(network, program, build)
    with pytest.raises(RunnerError, match="declares no net_push_row"):
        HostRunner(generate(program, name="net"), push=True)
    other = random_schedule(Random(1), lowered(network.module, "rows", "rows"))
    assert len(other.order) > 1
    compare(network, planned(other), build)
