"""A library called row by row: results, memory, and what it is given."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import GATES, Layer, Layers, conv, depthwise, mixed, pool, shown
from tests.kernels.support import CHIPS, build, compare, real
from tests.rows import lowered, random_network
from tests.sampling import some
from tinyc.backends.interpreter import run_program
from tinyc.backends.libraries import EspNN
from tinyc.backends.libraries.by_rows import forms
from tinyc.ir import DType, IRError, Op, Value, ops
from tinyc.ir.rows import RowProgram, Stage, verify_program
from tinyc.ir.rows.kernels import Offer
from tinyc.ir.rows.lives import lives
from tinyc.passes.rows.plan import PlanArena
from tinyc.passes.stream import Stream
from tinyc.passes.stream.choose_kernels import ChooseKernels

PADDED = (1, 1, 1, 1)


@dataclass(frozen=True)
class ByRows:
    """ESP-NN, which refuses to compute a whole."""

    library: EspNN

    @property
    def name(self) -> str:
        return self.library.name

    @property
    def chip(self) -> str:
        return self.library.chip

    def offer(self, program: RowProgram, stage: Stage, whole: bool) -> Offer | str:
        return "not the whole" if whole else self.library.offer(program, stage, False)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("esp_nn"), "esp-nn")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("esp_nn_vectors"), "esp-nn", "-DESP_NN_VECTORS")


def by_rows(maker: Layers, outputs: list[Value], chip: str) -> RowProgram:
    """The program of layers, row by row wherever ESP-NN has that."""
    program = lowered(maker.builder.build([*outputs, *maker.kept]), "arena")
    return PlanArena(seconds=0.05).run(ChooseKernels((ByRows(EspNN(chip)),), True, 1 << 30).run(program))


def taken(program: RowProgram) -> list[Op]:
    return [s.op for s in program.stages if s.kernel.library]


@pytest.mark.parametrize("chip", CHIPS)
def test_layers(chip: str, plain: Path, vectors: Path) -> None:
    """Layers of all kinds, each row by the library: what it is given is aligned, and whatever scratch memory it takes
    is nobody else's."""
    maker, outputs = mixed(20 + CHIPS.index(chip), chip, 60 + len(GATES))
    program = by_rows(maker, outputs, chip)
    kinds = {type(op) for op in taken(program)}
    assert kinds >= {ops.QConv2d, ops.QDepthwiseConv2d, ops.MaxPool2d, ops.QAvgPool2d, ops.QAdd, ops.QMul}
    assert all(s.windows and s.band == 1 for s in program.stages if s.kernel.library)
    compare(program, maker.arrays, {"esp-nn": vectors if chip else plain})


@pytest.mark.slow
@pytest.mark.parametrize("seed", some(range(40, 50), 3))
@pytest.mark.parametrize("chip", CHIPS)
def test_many_layers(chip: str, seed: int, plain: Path, vectors: Path) -> None:
    maker, outputs = mixed(seed, chip, 60 + len(GATES))
    compare(by_rows(maker, outputs, chip), maker.arrays, {"esp-nn": vectors if chip else plain})


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
def test_real_library(chip: str) -> None:
    folder = real("esp-nn")
    for seed in range(50, 52):
        maker, outputs = mixed(seed, chip, 40 + len(GATES))
        compare(by_rows(maker, outputs, chip), maker.arrays, {"esp-nn": folder})


WINDOWS: dict[str, Layer] = {
    "padded": conv((1, 9, 9, 16), 3, 16, pads=PADDED),
    "more below and right": conv((1, 8, 8, 4), 3, 8, strides=(2, 2), pads=(0, 0, 1, 1)),
    "larger strides than kernel": conv((1, 11, 13, 8), 2, 8, strides=(3, 3)),
    "one row": conv((1, 7, 9, 16), (1, 3), 16, pads=(0, 1, 0, 1)),
    "one column": conv((1, 9, 7, 16), (3, 1), 16, pads=(1, 0, 1, 0)),
    "rows apart": conv((1, 12, 8, 16), (3, 1), 16, dilations=(2, 1), pads=(2, 0, 2, 0)),
    "padded pointwise": conv((1, 6, 6, 16), 1, 16, pads=PADDED),
    "more pads than kernel": depthwise((1, 5, 5, 16), 3, (2, 2, 2, 2)),
    "stride": depthwise((1, 9, 9, 8), 3, PADDED, strides=(2, 2)),
    "unaligned rows": depthwise((1, 7, 7, 24), 3, PADDED),
    "largest": lambda m: m.add(ops.MaxPool2d(m.input((1, 9, 8, 16)), (3, 3), (2, 2), PADDED)),
    "average": lambda m: m.add(ops.QAvgPool2d(m.input((1, 8, 8, 16)), (3, 3), (1, 1), PADDED)),
    "plain pool": pool(ops.MaxPool2d, (1, 8, 8, 16), 2),
}


@pytest.mark.parametrize("chip", ["", "esp32s3"])
def test_windows(chip: str, plain: Path, vectors: Path) -> None:
    """The borders of windows, each a layer in the midst of others that advance together."""
    maker = Layers(np.random.default_rng(7))
    outputs = [shown(maker, make(maker)) for make in WINDOWS.values()]
    program = by_rows(maker, outputs, chip)
    assert len(taken(program)) == len(WINDOWS), [s.kernel.note for s in program.stages if not s.kernel.library]
    compare(program, maker.arrays, {"esp-nn": vectors if chip else plain})


@pytest.mark.parametrize("name", WINDOWS)
def test_the_operator_on_a_gathered_window(name: str) -> None:
    """What the library is called for computes the row, whatever lies around it."""
    maker = Layers(np.random.default_rng(9))
    value = WINDOWS[name](maker)
    program = lowered(maker.builder.build([value]), "arena")
    stage = program.stages[0].by_rows()
    op, gathered = list(forms(stage))[-1]
    assert gathered is not None
    x = maker.arrays[0].reshape(stage.op.operands[0].shape)
    others = [program.buffer[v.name].data for v in stage.op.operands[1:]]
    constants = [t.array for t in others if t is not None]
    want = stage.op.evaluate(x, *constants)
    for row in range(stage.rows):
        rows = stage.input_rows(0, row)
        assert rows is not None
        if gathered.fewer and len(rows) < gathered.rows:
            continue
        row_elements = x.size // x.shape[1]
        block = np.full((gathered.rows, gathered.before + gathered.size + gathered.after), gathered.fill, np.int8)
        for k, y in enumerate(rows):
            held = np.full(row_elements, gathered.fill, np.int8) if y is None else x[0, y].ravel()
            block[k, gathered.before : gathered.before + gathered.size] = held[: gathered.size]
        np.testing.assert_array_equal(
            op.evaluate(block.reshape(op.operands[0].shape), *constants), want[:, row : row + 1], err_msg=f"row {row}"
        )


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("seed", range(440, 443))
def test_networks_keep_their_stream(seed: int, chip: str, plain: Path, vectors: Path) -> None:
    """A library that is asked for by name has the schedule of least memory."""
    network = random_network(seed, DType.I8)
    program = lowered(network.module, "arena")
    chosen = PlanArena(seconds=0.05).run(ChooseKernels((EspNN(chip),), True).run(program))
    assert chosen.segments == Stream().run(program).segments
    if taken(chosen):
        compare(chosen, network.arrays, {"esp-nn": vectors if chip else plain})


def chain() -> tuple[Layers, RowProgram]:
    """Convolutions that advance together, each with scratch memory."""
    maker = Layers(np.random.default_rng(3))
    value = maker.input((1, 24, 16, 16))
    plain = {"groups": 1, "kernel": (3, 3), "strides": (1, 1), "pads": PADDED, "dilations": (1, 1)}
    for outputs in (32, 32, 16):
        value = maker.conv(value, "ordinary", outputs=outputs, **plain)
    program = lowered(maker.builder.build([shown(maker, value)]), "arena")
    return maker, PlanArena(seconds=0.5).run(ChooseKernels((EspNN("esp32s3"),), True).run(program))


def test_scratch_memory_of_layers_that_advance_together_is_shared() -> None:
    _, program = chain()
    scratch = [s.kernel.scratch for s in program.stages if s.kernel.scratch is not None]
    assert len(scratch) == 3
    assert any(segment.streams for segment in program.order)
    assert program.plan is not None
    sizes = [program.plan.by_buffer[v.name].bytes for v in scratch]
    assert program.plan.bytes < sum(sizes)
    found = lives(program)
    # None is alive between two applications of its layer.
    assert all(len(found[v.name].rectangles()) == 24 for v in scratch)


def test_scratch_memory_over_rows_that_are_alive_shows() -> None:
    """The check itself."""
    maker, program = chain()
    want = run_program(program, maker.arrays)
    plan = program.plan
    assert plan is not None
    scratch = next(s.kernel.scratch for s in program.stages if s.kernel.scratch is not None)
    rings = [b.name for b in program.buffers if b.ring > 1]
    assert rings
    for name in rings:
        at = plan.by_buffer[name].offset
        slots = tuple(dataclasses.replace(s, offset=at) if s.buffer == scratch.name else s for s in plan.slots)
        size = max(s.offset + s.bytes for s in slots)
        wrong = dataclasses.replace(program, plan=dataclasses.replace(plan, slots=slots, bytes=size))
        assert not np.array_equal(run_program(wrong, maker.arrays)[0], want[0]), name


def test_scratch_memory_has_a_row_for_each_application() -> None:
    _, program = chain()
    number, stage = next((k, s) for k, s in enumerate(program.stages) if s.kernel.scratch is not None)
    assert stage.kernel.scratch is not None
    for rows in (stage.rows - 1, stage.rows + 1):
        value = stage.kernel.scratch.with_rows(rows)
        kernel = dataclasses.replace(stage.kernel, scratch=value)
        stages = list(program.stages)
        stages[number] = dataclasses.replace(stage, kernel=kernel)
        buffers = [dataclasses.replace(b, value=value) if b.name == value.name else b for b in program.buffers]
        with pytest.raises(IRError, match="whose rows are not its applications"):
            verify_program(dataclasses.replace(program, stages=tuple(stages), buffers=tuple(buffers)))
