"""Which kernels are chosen: by cost, within memory, and by option."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tinyc
from tests.helpers import ROOT
from tests.kernels.cases import Layers, conv, shown
from tests.kernels.support import choose, notes
from tests.rows import lowered, random_network
from tinyc.backends.interpreter import run_program
from tinyc.backends.libraries import EspNN
from tinyc.ir import DType, IRError, TinycError
from tinyc.ir.rows import RowProgram, Stage, verify_program
from tinyc.ir.rows.kernels import Offer
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.rows.split import Split
from tinyc.passes.stream import Stream
from tinyc.passes.stream.choose_kernels import ChooseKernels

ROOMY = 1 << 20
LENET = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"


@dataclass(frozen=True)
class Everything:
    """A library that takes every stage of its own."""

    scratch: int = 100
    theirs: int | None = 500
    name: str = "everything"
    chip: str = ""

    def offer(self, program: RowProgram, stage: Stage, whole: bool) -> Offer | str:
        return Offer(self.scratch, 16, self.theirs) if whole else "not by rows"


def slow(program: RowProgram, stage: Stage) -> int:
    """Kernels of ours that each take a million."""
    return 1_000_000


def program_of(seed: int) -> tuple[list[np.ndarray[tuple[int, ...], np.dtype[np.int8]]], RowProgram]:
    network = random_network(seed, DType.I8)
    return list(network.arrays), lowered(network.module, "arena")


def test_the_faster_ones() -> None:
    _, program = program_of(400)
    for library, taken in (
        (Everything(), True),
        (Everything(theirs=1_500_000), False),
        (Everything(theirs=None), False),
    ):
        stages = ChooseKernels((library,), budget=ROOMY, ours=slow).run(program).stages
        assert {bool(s.kernel.library) for s in stages} == {taken}
        assert all(s.kernel.note for s in stages)
    assert all(s.kernel.library for s in ChooseKernels((Everything(theirs=None),), True, ROOMY).run(program).stages)


def test_too_little_in_all() -> None:
    """A few instructions are not worth a library."""
    _, program = program_of(400)
    chosen = ChooseKernels((Everything(theirs=950_000),), budget=ROOMY, ours=slow).run(program)
    assert not any(s.kernel.library for s in chosen.stages)
    assert any(s.kernel.note.endswith("too little in all") for s in chosen.stages)
    assert chosen.segments == Stream(ROOMY).run(program).segments


@pytest.mark.parametrize("seed", range(400, 406))
@pytest.mark.parametrize("scratch", [0, 100])
def test_never_a_larger_arena_unless_asked(seed: int, scratch: int) -> None:
    """A library that is faster everywhere gets what there is room for beside nothing else."""
    arrays, program = program_of(seed)
    want = run_program(program, arrays)
    arena = [
        PlanArena().run(a_pass.run(program))
        for a_pass in (
            Stream(),
            ChooseKernels((Everything(scratch),), ours=slow),
            ChooseKernels((Everything(scratch),), True),
        )
    ]
    generic, auto, asked = (found.plan.bytes for found in arena if found.plan is not None)
    assert auto <= generic <= asked
    for got, exact in zip(run_program(arena[1], arrays), want, strict=True):
        np.testing.assert_array_equal(got, exact)


def test_too_much_scratch() -> None:
    _, program = program_of(400)
    chosen = ChooseKernels((Everything(scratch=1 << 20),), always=True).run(program)
    assert all("1,048,576 bytes of scratch memory" in s.kernel.note or s.windows for s in chosen.stages)
    assert not any(s.kernel.library for s in chosen.stages)


@pytest.mark.parametrize("seed", range(400, 403))
def test_within_the_budget(seed: int) -> None:
    """The more memory, the more layers a library takes; results stay what they were."""
    arrays, program = program_of(seed)
    want = run_program(program, arrays)
    free = PlanArena(seconds=0.05).run(ChooseKernels((Everything(),), True, ROOMY).run(program))
    assert free.plan is not None
    counts = []
    for share in (1.0, 0.8, 0.5):
        budget = int(free.plan.bytes * share)
        chosen = PlanArena(seconds=0.05).run(ChooseKernels((Everything(),), budget=budget, ours=slow).run(program))
        assert chosen.plan is not None
        counts.append(sum(bool(s.kernel.library) for s in chosen.stages))
        assert chosen.plan.bytes <= budget or not counts[-1]
        for got, exact in zip(run_program(chosen, arrays), want, strict=True):
            np.testing.assert_array_equal(got, exact)
    assert counts[0] == len(program.stages)
    assert counts == sorted(counts, reverse=True)


def test_scratch_that_is_shared_with_an_operand_shows() -> None:
    """The check itself: the interpreter's scratch memory is written while its stage runs."""
    maker = Layers(np.random.default_rng(3))
    value = conv((1, 8, 8, 16), 3, 16)(maker)
    program = choose(lowered(maker.builder.build([shown(maker, value)]), "arena"), "esp32s3")
    assert program.plan is not None
    slots = program.plan.by_buffer
    scratch = next(s.kernel.scratch for s in program.stages if s.kernel.scratch is not None)
    assert scratch is not None
    want = run_program(program, maker.arrays)
    for name in (value.name, program.inputs[0].name):
        moved = tuple(
            dataclasses.replace(s, offset=slots[name].offset) if s.buffer == scratch.name else s
            for s in program.plan.slots
        )
        size = max(s.offset + s.bytes for s in moved)
        wrong = dataclasses.replace(program, plan=dataclasses.replace(program.plan, slots=moved, bytes=size))
        assert not np.array_equal(run_program(wrong, maker.arrays)[0], want[0]), name


def test_scratch_memory_is_a_buffer_of_the_arena() -> None:
    _, program = program_of(400)
    chosen = ChooseKernels((Everything(),), always=True).run(program)
    without = tuple(b for b in chosen.buffers if not b.name.endswith("_scratch"))
    with pytest.raises(IRError, match=r"has scratch memory .* that is no buffer of the arena"):
        verify_program(dataclasses.replace(chosen, buffers=without))


def test_two_cores_or_a_library() -> None:
    """A library runs on one core; what it leaves is shared."""
    maker = Layers(np.random.default_rng(3))
    inside, outside = conv((1, 32, 32, 16), 3, 16)(maker), conv((1, 32, 32, 16), 3, 16, dilations=(2, 2))(maker)
    program = lowered(maker.builder.build([shown(maker, inside), shown(maker, outside)]), "arena")
    chosen = ChooseKernels((EspNN("esp32s3"),), always=True, otherwise=Split(2)).run(program)
    split = {s.result.name: s.split for s in chosen.stages}
    assert (split[inside.name], split[outside.name]) == (1, 2)
    assert notes(chosen)[inside.name] == "esp-nn"


def test_options() -> None:
    with pytest.raises(TinycError, match="`kernels` takes one of 'generic', 'auto', 'esp-nn', 'esp-dsp', not 'cmsis'"):
        tinyc.compile(LENET, kernels="cmsis", verify=False)
    found = tinyc.compile(LENET, kernels="esp-nn", target="esp32", verify=False)
    assert any("`kernels=esp-nn`: no layer could be given to it" in note for note in found.notes)


def test_a_target_without_the_library(tmp_path: Path) -> None:
    board = tmp_path / "board.toml"
    board.write_text('base = "esp32c3"\nname = "board"\ndescription = "A board"\nkernels = ["esp-dsp"]\n')
    with pytest.raises(TinycError, match=r"there is no esp-nn for the target board \(kernel libraries: esp-dsp\)"):
        tinyc.compile(LENET, kernels="esp-nn", target=str(board), verify=False)
    tinyc.compile(LENET, kernels="auto", target=str(board), verify=False)


@pytest.mark.parametrize("format", ["arduino", "platformio"])
def test_formats_that_cannot_bring_a_library(format: str) -> None:
    with pytest.raises(TinycError, match=f"`format={format}` cannot bring esp-dsp"):
        tinyc.compile(LENET, kernels="esp-dsp", target="esp32", format=format, verify=False)
    tinyc.compile(LENET, kernels="generic", target="esp32", format=format, verify=False)
