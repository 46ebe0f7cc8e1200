"""Spare memory of the arena: only what is free while a stage runs, and no byte more."""

from __future__ import annotations

import dataclasses
from functools import partial
from random import Random

import numpy as np
import pytest

from tests.c.quantised import Maker
from tests.passes.stream.support import planned, random_schedule
from tests.rows import Integers, lowered, pointwise, random_network
from tinyc.backends.c.pairs import wanted_words
from tinyc.backends.c.scratch import saved
from tinyc.backends.c.tuning import DEFAULT
from tinyc.backends.interpreter import run_program
from tinyc.ir import DType, Module
from tinyc.ir.rows import Kernel, RowProgram, Stage
from tinyc.ir.rows.lives import lives
from tinyc.ir.tensor import Array
from tinyc.passes.rows.lower import InputPlace
from tinyc.passes.rows.spare import UseSpareMemory
from tinyc.passes.rows.split import Split
from tinyc.passes.stream import Stream

SAME = {"strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
PLACES: tuple[InputPlace, ...] = ("argument", "arena", "rows")


def words(program: RowProgram) -> list[int]:
    """By stage, the bytes of scratch memory that it has."""
    return [0 if s.kernel.scratch is None else program.buffer[s.kernel.scratch.name].bytes for s in program.stages]


def shares_bytes(program: RowProgram) -> list[str]:
    """Stages whose scratch memory lies on bytes that are alive while they run: stated byte by byte, time by time."""
    assert program.plan is not None
    found = lives(program)
    rectangles = {
        name: life.rectangles() + np.array([slot.offset, slot.offset, 0, 0])
        for name, life in found.items()
        for slot in [program.plan.by_buffer[name]]
    }
    wrong = []
    for stage in program.stages:
        if stage.kernel.scratch is None:
            continue
        own = stage.kernel.scratch.name
        low, high, first, last = np.split(rectangles[own], 4, axis=1)
        for name, boxes in rectangles.items():
            a, b, begin, end = boxes.T
            if name != own and ((a < high) & (low < b) & (begin <= last) & (first <= end)).any():
                wrong.append(f"{stage.where}: {own} and {name}")
    return wrong


def mobile(maker: Maker, size: int) -> Module:
    """A stem, and depthwise and pointwise layers by turns, that lose rows and gain channels."""
    x = maker.input((1, size, size, 3))
    y = maker.conv(x, "ordinary", kernel=(3, 3), groups=1, outputs=8, **{**SAME, "strides": (2, 2)})
    for channels, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        y = maker.depthwise(y, "ordinary", kernel=(3, 3), each=1, **{**SAME, "strides": (stride, stride)})
        y = pointwise(maker, y, channels)
    return maker.builder.build([y])


def kept(module: Module) -> Module:
    """The module with weights above -128, which can all be paired."""
    nodes = []
    for node in module.nodes:
        data = getattr(node.op, "data", None)
        if data is not None and data.array.dtype == np.int8:
            op = dataclasses.replace(node.op, data=type(data)(np.maximum(data.array, np.int8(-127))))  # type: ignore[call-arg]
            node = dataclasses.replace(node, op=op)
        nodes.append(node)
    return dataclasses.replace(module, nodes=tuple(nodes))


def network(size: int = 24) -> tuple[Module, list[Array]]:
    maker = Integers(np.random.default_rng(3))
    return kept(mobile(maker, size)), maker.arrays


def checked(program: RowProgram, arrays: list[Array], step: UseSpareMemory) -> RowProgram:
    """The program with spare memory, whose arena is as large and whose results are what they were."""
    after = step.run(program)
    assert program.plan is not None
    assert after.plan is not None
    assert (after.plan.bytes, after.plan.lower_bound) == (program.plan.bytes, program.plan.lower_bound)
    assert after.plan.slots[: len(program.plan.slots)] == program.plan.slots
    assert not shares_bytes(after)
    for slot in after.plan.slots[len(program.plan.slots) :]:
        assert slot.offset % 4 == 0
        assert slot.offset + slot.bytes <= after.plan.bytes
    assert after.plan.alignment % 4 == 0 or not any(words(after))
    for got, want in zip(run_program(after, arrays), run_program(program, arrays), strict=True):
        np.testing.assert_array_equal(got, want)
    return after


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_mobile_network(streamed: bool, place: InputPlace) -> None:
    module, arrays = network(48 if streamed else 24)
    whole = lowered(module, place)
    program = planned(Stream().run(whole) if streamed else whole)
    after = checked(program, arrays, UseSpareMemory(wanted_words))
    # Where all layers are one segment, with all buffers alive at one time, there is no gap.
    assert any(words(after)) or len(program.segments) == 1
    wanted = [4 * sum(wanted_words(program, s)) for s in program.stages]
    assert all(got in (0, want) for got, want in zip(words(after), wanted, strict=True))


@pytest.mark.parametrize("place", PLACES)
def test_within_a_budget(place: InputPlace) -> None:
    """Layers that advance together in part: those that do not have memory left by those that do."""
    module, arrays = network(48)
    whole = lowered(module, place)
    least = planned(Stream().run(whole)).plan
    assert least is not None
    program = planned(Stream(int(1.4 * least.bytes)).run(whole))
    assert program.segments
    after = checked(program, arrays, UseSpareMemory(wanted_words))
    assert any(words(after))


def test_a_schedule_within_a_budget_leaves_room_for_what_saves_more() -> None:
    module, _ = network(48)
    whole = lowered(module, "arena")
    least = planned(Stream().run(whole)).plan
    assert least is not None
    saves = partial(saved, tuning=DEFAULT, family="riscv")
    more = []
    for budget in (int(part * least.bytes) for part in (1.1, 1.2, 1.3, 1.4)):
        spare = UseSpareMemory(wanted_words, budget=budget)
        found = []
        for schedule in (Stream(budget), Stream(budget, saved=partial(spare.saved, saves=saves))):
            after = spare.run(planned(schedule.run(whole)))
            assert after.plan is not None
            assert after.plan.bytes <= budget
            found.append(sum(saves(after, stage) for stage in after.stages))
        more.append(found[1] - found[0])
    assert min(more) == 0
    assert max(more) > 10_000


@pytest.mark.parametrize("seed", range(24))
def test_random_networks(seed: int) -> None:
    """Random schedules of random networks, in which every stage asks for a few words."""
    dtype = (DType.I8, DType.F32)[seed % 2]
    net = random_network(seed, dtype)
    place = PLACES[seed % 3] if net.module.inputs[0].shape[1] > 1 else "arena"
    program = planned(random_schedule(Random(seed), lowered(net.module, place)))
    checked(program, list(net.arrays), UseSpareMemory(words=1 + seed % 7))


def moved(program: RowProgram, scratch: str, to: int) -> RowProgram:
    assert program.plan is not None
    slots = tuple(dataclasses.replace(s, offset=to) if s.buffer == scratch else s for s in program.plan.slots)
    size = max(program.plan.bytes, *(s.offset + s.bytes for s in slots))
    return dataclasses.replace(program, plan=dataclasses.replace(program.plan, slots=slots, bytes=size))


def test_a_planted_overlap_is_found() -> None:
    """By the rule above, and by the interpreter, which scribbles over the memory before and after a stage computes."""
    module, arrays = network()
    program = UseSpareMemory(wanted_words).run(planned(lowered(module, "arena")))
    assert program.plan is not None
    want = run_program(program, arrays)[0]
    found = 0
    for stage in program.stages:
        if stage.kernel.scratch is None:
            continue
        for value in (stage.op.operands[0], stage.result):
            root = program.root(value.name)[0].name
            if root not in program.plan.by_buffer:  # the caller's memory
                continue
            wrong = moved(program, stage.kernel.scratch.name, program.plan.by_buffer[root].offset // 4 * 4)
            assert shares_bytes(wrong), value
            assert not np.array_equal(run_program(wrong, arrays)[0], want), value
            found += 1
    assert found >= 4


@pytest.mark.parametrize("streamed", [False, True])
def test_one_place_behind_the_arena(streamed: bool) -> None:
    """Stages that find no gap share a place behind the arena, and the arena grows by no more than it may."""
    module, arrays = network()
    program = lowered(module, "arena")
    program = planned(Stream().run(program) if streamed else program)
    plan = program.plan
    assert plan is not None
    least = plan.bytes // 40

    def grown(growth: float, budget: int | None = None) -> RowProgram:
        # A gap for all of it is there for none of them; the second best is.
        step = UseSpareMemory(lambda *_: (plan.bytes, least), growth=growth, budget=budget)
        after = step.run(program)
        for got, want in zip(run_program(after, arrays), run_program(program, arrays), strict=True):
            np.testing.assert_array_equal(got, want)
        return after

    without, after = grown(0.0), grown(0.11)
    assert any(count == 0 for count in words(without))
    assert all(count == 4 * least for count in words(after))
    assert after.plan is not None
    assert plan.bytes + 4 * least <= after.plan.bytes <= 1.11 * plan.bytes
    behind = {slot.offset for slot in after.plan.slots if slot.offset >= plan.bytes}
    assert behind == {-(-plan.bytes // 4) * 4}
    assert grown(0.09).plan == without.plan
    assert grown(0.11, plan.bytes + 4).plan == without.plan
    assert grown(0.11, 2 * plan.bytes).plan == after.plan
    # What was given may be taken.
    assert grown(0.0, 2 * plan.bytes).plan == after.plan
    assert all(count == 4 * plan.bytes for count in words(grown(0.0, 6 * plan.bytes)))


def test_two_cores_have_none() -> None:
    """Two cores would write one memory at once."""
    module, arrays = network()
    program = planned(Split(2).run(lowered(module, "arena")))
    shared = [s.split > 1 for s in program.stages]
    assert any(shared)
    after = checked(program, arrays, UseSpareMemory(words=1))
    assert any(words(after))
    assert not any(count for count, split in zip(words(after), shared, strict=True) if split)


def test_library_kernels_keep_what_they_have() -> None:
    module, _ = network()
    program = lowered(module, "arena")
    stages = [dataclasses.replace(s, kernel=Kernel("esp-nn")) if k % 2 else s for k, s in enumerate(program.stages)]
    program = planned(dataclasses.replace(program, stages=tuple(stages)))
    after = UseSpareMemory(words=1).run(program)
    assert [bool(count) for count in words(after)][:2] == [True, False]
    assert not any(words(after)[1::2])


def test_no_plan_no_memory() -> None:
    module, _ = network()
    program = lowered(module, "arena")
    assert UseSpareMemory(words=1).run(program) is program


def test_one_stage_without_room_does_not_keep_others_from_it() -> None:
    module, arrays = network()
    program = planned(lowered(module, "arena"))
    assert program.plan is not None
    second = program.stages[1].result.name

    def wants(_: RowProgram, stage: Stage) -> tuple[int, ...]:
        return (10**6,) if stage.result.name == second else (1,)

    after = checked(program, arrays, UseSpareMemory(wants))
    assert words(after)[1] == 0
    assert any(words(after))
