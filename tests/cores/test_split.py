"""Split stages: what may be split, that the plan keeps the parts apart, and that the interpreter would notice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from random import Random

import numpy as np
import pytest

from tests.cores.support import split_all
from tests.passes.stream.support import cases, differences, gathers_floats, planned, random_schedule, results
from tests.rows import lowered, random_network
from tinyc.backends.interpreter import run_program
from tinyc.ir import Builder, DType, IRError, TensorType, ops
from tinyc.ir.rows import Pace, RowProgram, Segment, Stage, row_count, verify_program, whole_because
from tinyc.ir.rows.lives import lives
from tinyc.passes.core.base import PassError
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.split import HAND_OVER, PER_MAC, Split, saving
from tinyc.passes.stream import Stream


def split_of(program: RowProgram, number: int, ways: int = 2) -> RowProgram:
    stages = list(program.stages)
    stages[number] = dataclasses.replace(stages[number], split=ways)
    return dataclasses.replace(program, stages=tuple(stages))


def chain(height: int = 9, channels: int = 8, layers: int = 3) -> RowProgram:
    """Convolutions 3x3 one after another."""
    rng = np.random.default_rng(0)
    b = Builder("chain")
    x = b.input("x", TensorType((1, height, 6, channels), DType.F32))
    for _ in range(layers):
        w = b.constant(rng.normal(0, 0.1, (channels, 3, 3, channels)).astype(np.float32))
        x = b.add(ops.Conv2d(x, w, None, pads=(1, 1, 1, 1)))
    return lowered(b.build([x]))


@pytest.mark.parametrize("rows", [2, 3, 7, 8, 113])
@pytest.mark.parametrize("ways", [1, 2, 3])
def test_parts_hold_each_row_once(rows: int, ways: int) -> None:
    stage = dataclasses.replace(chain(rows).stages[0], split=ways)
    if ways > rows:
        return
    assert [r for part in stage.parts for r in part] == list(range(rows))
    sizes = [len(part) for part in stage.parts]
    assert sizes[0] == max(sizes) <= min(sizes) + 1


def test_random_programs_compute_the_same() -> None:
    """Whatever is split, with the last part first and the result spoilt before the first row is read."""
    split = 0
    for case in cases(range(400, 450)):
        want = results(planned(case.program), case.network.arrays)
        for program in (case.program, random_schedule(Random(case.name), case.program, longest=3)):
            parted = planned(split_all(program))
            rounded = gathers_floats(parted)
            assert not differences(want, results(parted, case.network.arrays), rounded), f"{case.name}\n{parted}"
            split += sum(s.split > 1 for s in parted.stages)
    assert split > 300


def test_no_part_writes_what_the_other_reads() -> None:
    """The plan: bytes of the result and of operands are apart, unless each row lies over its own operand."""
    over = apart = 0
    for case in cases(range(445, 485)):
        program = planned(split_all(case.program))
        for stage in program.stages:
            if stage.split > 1:
                result = places(program, stage.result.name, range(stage.rows))
                for position, value in enumerate(stage.op.operands):
                    read = places(program, value.name, sorted(read_rows(stage, position)))
                    if read and result and result == read:
                        over += 1
                    else:
                        assert not set().union(*result) & set().union(*read), f"{case.name}: {stage.where}"
                        apart += 1
    assert over > 10
    assert apart > 100


def read_rows(stage: Stage, operand: int) -> set[int]:
    """The rows of an operand that are read at all."""
    windows = [stage.input_rows(operand, row) for row in range(stage.rows)]
    every = range(row_count(stage.op.operands[operand]))
    return {r for window in windows for r in (every if window is None else window) if r is not None}


def places(program: RowProgram, name: str, rows: Iterable[int]) -> list[set[int]]:
    """The bytes of the arena in which each of the rows lies; none for what lies elsewhere."""
    assert program.plan is not None
    found = []
    for row in rows:
        owner, offset = program.row_at(name, row)
        if owner.name not in program.plan.by_buffer:
            return []
        start = program.plan.by_buffer[owner.name].offset + offset
        found.append(set(range(start, start + program.buffer[name].row_bytes)))
    return found


def test_an_overlap_that_one_core_may_have_is_noticed() -> None:
    """The plan of the program that is not split, under the split one: the interpreter computes something else."""
    wrong = 0
    for seed in range(12):
        network = random_network(500 + seed, DType.I8)
        one = planned(lowered(network.module, "arena"))
        parted = split_all(one)
        assert one.plan is not None
        apart = planned(dataclasses.replace(parted, plan=None)).plan
        assert apart is not None
        want, got = (run_program(p, network.arrays) for p in (one, parted))
        if any(not np.array_equal(g, w) for g, w in zip(got, want, strict=True)):
            wrong += 1
            assert one.plan.bytes <= apart.bytes
    assert wrong > 3


def test_rows_of_a_split_stage_live_at_one_time() -> None:
    program = split_of(chain(), 1)
    life = lives(program)[program.stages[0].result.name]
    assert len(set(life.death)) == 1
    assert len(set(lives(chain())[program.stages[0].result.name].death)) > 1


def test_what_cannot_be_split() -> None:
    program = chain(9, layers=3)
    together = dataclasses.replace(program, segments=(Segment(0, (Pace(), Pace(1), Pace(2))),))
    with pytest.raises(IRError, match="does not stand alone"):
        verify_program(split_of(together, 1))
    with pytest.raises(IRError, match="it has 9 row"):
        verify_program(split_of(program, 1, 10))
    with pytest.raises(IRError, match="is split 0 ways"):
        verify_program(split_of(program, 1, 0))
    b = Builder("dense")
    x = b.input("x", TensorType((1, 100), DType.F32))
    dense = lowered(b.build([b.add(ops.Dense(x, b.constant(np.ones((50, 100), np.float32)), None))]))
    with pytest.raises(IRError, match="it has 1 row"):
        verify_program(split_of(dense, 0))
    rows = lowered(random_network(310, DType.I8).module, "rows")
    with pytest.raises(IRError, match="come from outside"):
        verify_program(split_of(rows, 0))
    with pytest.raises(PassError, match="at least 1, not 0"):
        Split(0).run(program)


def test_a_library_computes_whole_stages() -> None:
    from tinyc.ir.rows import Kernel

    stage = dataclasses.replace(chain().stages[0], kernel=Kernel("esp-nn"))
    assert "esp-nn computes it" in whole_because(chain(), stage)


def conv_of(height: int, channels: int) -> tuple[RowProgram, Stage]:
    program = chain(height, channels)
    return program, program.stages[1]


def test_only_heavy_stages_are_split() -> None:
    light, heavy = conv_of(4, 2), conv_of(8, 16)
    assert PER_MAC * light[1].op.macs() / 2 < HAND_OVER < PER_MAC * heavy[1].op.macs() / 2
    assert [s.split for s in Split().run(light[0]).stages] == [1, 1, 1]
    assert [s.split for s in Split().run(heavy[0]).stages] == [2, 2, 2]
    assert Split(1).run(heavy[0]) is heavy[0]
    assert "on 2 cores" in str(Split().run(heavy[0]))
    # Of three rows, two are computed one after the other.
    assert saving(*conv_of(3, 16), 2) < saving(*conv_of(4, 16), 2) / 1.5


def test_with_a_budget_the_fastest_that_fits() -> None:
    """The less memory, the less is shared: from what is shared without a limit down to the smallest arena."""
    program = chain(24, 16, layers=6)
    everything = Split().run(program)
    assert all(s.split == 2 for s in everything.stages)
    largest, smallest = (PlanArena().run(p).plan for p in (everything, Stream().run(program)))
    assert largest is not None
    assert smallest is not None
    shared = []
    for budget in np.linspace(largest.bytes, smallest.bytes, 6).astype(int):
        made = Stream(int(budget), 2).run(program)
        plan = PlanArena().run(made).plan
        assert plan is not None
        assert plan.bytes <= budget
        shared.append(sum(s.split > 1 for s in made.stages))
    assert shared[0] == 6
    assert shared[-1] < 6
    assert shared == sorted(shared, reverse=True)
    assert Stream(largest.bytes, 1).run(program).stages == program.stages
