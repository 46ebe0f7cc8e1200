"""Whatever advances together, row by row, forward or in reverse: the same numbers in no less memory than is needed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from random import Random

import numpy as np
import pytest

from tests.passes.stream.brute_force import Tagged, peak_by_bytes
from tests.passes.stream.support import (
    SAME,
    Case,
    all_but_the_last,
    cases,
    differences,
    gathering,
    gathers_floats,
    planned,
    random_schedule,
    results,
    small_case,
)
from tests.rows import PLACES, Integers, Network, lowered, maker_of, pointwise
from tests.sampling import some
from tinyc.ir import DType, Value, ops
from tinyc.ir.op import Window
from tinyc.ir.rows import RowProgram, verify_program
from tinyc.ir.rows.lives import lives, peak
from tinyc.ir.rows.replay import replay
from tinyc.passes.stream import Stream
from tinyc.passes.stream.finer import coarser, finer
from tinyc.passes.stream.piece import Cutter, apply

SLOW = pytest.mark.slow


def check(case: Case, scheduled: RowProgram) -> RowProgram:
    """The planned program, which has the meaning of the one before it was scheduled."""
    program = planned(scheduled)
    verify_program(program)
    before, after = (results(p, case.network.arrays) for p in (case.program, program))
    assert differences(before, after, gathers_floats(program)) == [], case.name
    assert Tagged(program).run() == [], case.name
    assert program.macs() == case.program.macs()
    _check_rows(program)
    _check_memory(case, program)
    return program


def _check_rows(program: RowProgram) -> None:
    """Each row of each stage is computed once, those of a stage in one direction."""
    rows: dict[int, list[int]] = {number: [] for number in range(len(program.stages))}
    for step in program.schedule():
        assert 1 <= step.rows <= program.stages[step.stage].band
        rows[step.stage] += range(step.row, step.row + step.rows)
    for number, stage in enumerate(program.stages):
        assert sorted(rows[number]) == list(range(stage.rows)), stage.where
        if stage.band == 1:
            assert rows[number] in (list(range(stage.rows)), list(range(stage.rows))[::-1]), stage.where


def _check_memory(case: Case, program: RowProgram) -> None:
    """Peak and lower bound are what they say, counted byte by byte."""
    assert program.plan is not None
    found = lives(program)
    analysed, counted = peak(list(found.values())), peak_by_bytes(program)
    roots = {b.name: program.root(b.name) for b in program.buffers}
    even = all(
        b.row_bytes % found[root.name].row_bytes == 0 and offset % found[root.name].row_bytes == 0
        for b in program.buffers
        for root, offset in [roots[b.name]]
        if root.name in found
    )
    # Where views cut a memory at places that its rows do not have, lives are of whole parts.
    assert analysed == counted if even else analysed >= counted, case.name
    assert counted <= analysed <= program.plan.lower_bound <= program.plan.bytes, case.name


def features(program: RowProgram) -> Counter[str]:
    """What a schedule has, so that a test can tell that it tests something."""
    found: Counter[str] = Counter()
    found["streams"] = any(s.streams for s in program.segments)
    found["reverse"] = any(s.streams and s.reverse for s in program.segments)
    found["rings"] = any(b.ring > 1 for b in program.buffers)
    found["rings of one"] = any(b.ring == 1 for b in program.buffers)
    found["strides"] = any(p.period > 1 for s in program.segments for p in s.paces)
    for segment in program.segments:
        views = [program.buffer[program.stages[k].result.name].view for k in segment.stages]
        over = any(v is not None and v.follows is not None for v in views)
        found["over dead rows"] |= over
        found["over dead rows in reverse"] |= over and segment.reverse
    return found


@pytest.mark.parametrize("block", range(4))
def test_streaming_keeps_the_meaning(block: int) -> None:
    found: Counter[str] = Counter()
    for case in cases(range(block * 30, block * 30 + 30)):
        found += features(check(case, Stream().run(case.program)))
    assert found["streams"] > 5
    assert found["rings"] > 2


@pytest.mark.parametrize("block", range(4))
def test_random_divisions_keep_the_meaning(block: int) -> None:
    found: Counter[str] = Counter()
    for case in cases(range(1000 + block * 50, 1000 + block * 50 + 50)):
        found += features(check(case, random_schedule(Random(case.name), case.program)))
    assert min(found[name] for name in ("streams", "reverse", "rings", "rings of one", "strides")) > 2


@SLOW
@pytest.mark.parametrize("block", some(range(10), 2))
def test_streaming_keeps_the_meaning_of_many(block: int) -> None:
    for case in cases(range(10000 + block * 50, 10000 + block * 50 + 25), PLACES):
        check(case, Stream().run(case.program))


@SLOW
@pytest.mark.parametrize("block", some(range(10), 2))
def test_random_divisions_keep_the_meaning_of_many(block: int) -> None:
    found: Counter[str] = Counter()
    for case in cases(range(20000 + block * 100, 20000 + block * 100 + 50), PLACES):
        found += features(check(case, random_schedule(Random(case.name), case.program)))
    assert min(found.values()) > 2
    assert set(found) >= {"over dead rows", "over dead rows in reverse"}


def test_the_account_by_bytes_sees_an_overlap() -> None:
    """The check itself: two slots in one place are found, and so is a ring one row short."""
    seen = Counter[str]()
    for case in cases(range(1000, 1030)):
        program = planned(random_schedule(Random(case.name), case.program))
        assert program.plan is not None
        short = [b for b in program.buffers if b.ring > 1]
        for buffer in short:
            fewer = dataclasses.replace(buffer, ring=buffer.ring - 1)
            buffers = tuple(fewer if b is buffer else b for b in program.buffers)
            assert Tagged(dataclasses.replace(program, buffers=buffers)).run(), f"{case.name}: ring {buffer.name}"
            seen["rings"] += 1
        for slot in program.plan.slots:
            others = [s for s in program.plan.slots if s.first <= slot.last and slot.first <= s.last and s is not slot]
            for other in others[:1]:
                moved = tuple(
                    dataclasses.replace(s, offset=other.offset) if s is slot else s for s in program.plan.slots
                )
                size = max(program.plan.bytes, *(s.offset + s.bytes for s in moved))
                plan = dataclasses.replace(program.plan, slots=moved, bytes=size)
                seen["moved"] += 1
                seen["found"] += bool(Tagged(dataclasses.replace(program, plan=plan)).run())
    assert seen["rings"] > 10
    # Slots that share a stage need not be apart altogether: a result may lie over the rows that are read.
    assert seen["found"] > 0.9 * seen["moved"] > 20


def test_seeded_networks_are_the_same_each_time() -> None:
    first, second = (next(cases(range(7, 8))) for _ in range(2))
    assert first.program == second.program
    assert all(np.array_equal(a, b) for a, b in zip(first.network.arrays, second.network.arrays, strict=True))


def test_sums_are_whole_where_their_result_has_rows() -> None:
    """Each of the four bytes of a mean is seen as a row; while it is gathered, it takes sixteen."""

    def make(m: Integers, x: Value) -> Value:
        mean = m.mean(m.conv(x, kernel=(3, 3), groups=1, outputs=4, **SAME))
        return m.lookup(m.add(ops.Reshape(mean, (1, 4, 1, 1))))

    program = planned(Stream().run(small_case(make, (1, 8, 6, 2)).program))
    (gathering,) = [s for s in program.stages if s.gathers]
    owner = program.root(gathering.result.name)[0]
    assert (owner.bytes, owner.value.type.bytes) == (16, 4)
    assert lives(program)[owner.name].rectangles()[:, :2].tolist() == [[0, 16]]
    replay(program)


@pytest.mark.parametrize("width", [16, 24, 40, 48, 13])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("dtype", [DType.I8, DType.F32], ids=["int8", "float"])
def test_parts_of_rows_keep_the_meaning(dtype: DType, reverse: bool, width: int) -> None:
    network, whole = gathering(dtype, width)
    program = finer(whole)
    # 13 pixels are no equal parts.
    assert (program is whole) == (width == 13)
    scheduled, over = all_but_the_last(program, reverse)
    assert over.follows
    check(Case(f"{width} pixels", network, whole), scheduled)
    assert over.peak < all_but_the_last(whole, reverse)[1].peak or program is whole


def test_what_has_no_parts() -> None:
    """Whatever else needs the rows, or is no plain reduction of all pixels."""
    for change in ("output", "columns", "neighbours"):
        maker = maker_of(3, DType.F32)
        x = pointwise(maker, maker.input((1, 6, 16, 3)), 4)
        if change == "neighbours":
            x = maker.conv(x, kernel=(3, 3), outputs=4, groups=1, strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1))
        mean = maker.add(ops.ReduceMean(x, (1,) if change == "columns" else (1, 2)))
        outputs = [mean, x] if change == "output" else [mean]
        program = lowered(maker.builder.build(outputs))
        assert finer(program) is program, change


@pytest.mark.parametrize("height", [8, 15, 25, 7])
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("dtype", [DType.I8, DType.F32], ids=["int8", "float"])
def test_several_rows_at_once_keep_the_meaning(dtype: DType, reverse: bool, height: int) -> None:
    """Between depthwise layers, which read and write a row at a time."""
    maker = maker_of(5, dtype)
    x = maker.depthwise(maker.input((1, height, 5, 3)), kernel=(3, 3), each=1, **SAME)
    x = maker.depthwise(pointwise(maker, x, 6), kernel=(3, 3), each=1, **SAME)
    network = Network(maker.builder.build([pointwise(maker, pointwise(maker, x, 4), 2)]), maker.arrays)
    whole = lowered(network.module)
    program = coarser(whole)
    calls = [stage.rows for stage in program.stages if set(stage.windows) <= {Window(), None}]
    # The result of the last one is the caller's.
    assert calls == [*{8: (2, 2), 15: (3, 3), 25: (5, 5), 7: (7, 7)}[height], height]
    assert (program is whole) == (height == 7)
    cutter = Cutter(program)
    for piece in cutter.pieces(range(len(program.stages)), reverse):
        check(Case(f"{height} rows", network, whole), apply(program, [piece]))
