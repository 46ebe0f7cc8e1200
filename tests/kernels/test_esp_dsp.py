"""Generated code that calls ESP-DSP: what the interpreter computes, but for rounding."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.c.support import STRICT
from tests.kernels.support import build, choose, notes, real
from tests.rows import Floats, lowered, pointwise
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_program
from tinyc.backends.libraries import EspDSP
from tinyc.backends.libraries.esp_dsp import GATES, TOLERANCE
from tinyc.backends.runners import HostRunner
from tinyc.ir import Value, ops
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Tensor


@pytest.fixture(scope="module", params=["small", pytest.param("real", marks=pytest.mark.slow)])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("esp_dsp"), "esp-dsp") if request.param == "small" else real("esp-dsp")


def layers(seed: int, count: int) -> tuple[Floats, RowProgram]:
    """Pointwise convolutions and dense layers of all sizes, side by side."""
    maker = Floats(np.random.default_rng(seed))
    outputs: list[Value] = []
    for _ in range(count):
        rng = maker.rng
        shape = (1, int(rng.integers(1, 9)), int(rng.integers(1, 9)), int(rng.choice([1, 3, 4, 8, 16, 33, 64])))
        x = maker.input(shape if rng.random() < 0.6 else (int(rng.integers(1, 4)), shape[3]))
        outputs.append(pointwise(maker, x) if x.type.rank == 4 and rng.random() < 0.7 else maker.dense(x))
    return maker, choose(lowered(maker.builder.build(outputs)), "", "esp-dsp")


def assert_close(maker: Floats, program: RowProgram, library: Path) -> None:
    """Within the tolerance of the largest sum of the sizes of the products, for each layer."""
    runner = HostRunner(generate(program, name="net"), flags=STRICT, libraries={"esp-dsp": library})
    want = run_program(program, maker.arrays)
    sizes = run_program(absolute(program), [np.abs(a) for a in maker.arrays])
    for got, exact, size in zip(runner.run([maker.arrays])[0], want, sizes, strict=True):
        assert np.abs(got - exact).max() <= TOLERANCE * max(float(size.max()), 1e-30)


def absolute(program: RowProgram) -> RowProgram:
    """The program that sums the sizes of the products."""

    def positive(op: Any) -> Any:
        return dataclasses.replace(op, min=-np.inf, max=np.inf)

    buffers = tuple(
        dataclasses.replace(b, data=Tensor(np.abs(b.data.array))) if b.data is not None else b for b in program.buffers
    )
    stages = tuple(dataclasses.replace(s, op=positive(s.op)) for s in program.stages)
    return dataclasses.replace(program, buffers=buffers, stages=stages)


@pytest.mark.parametrize("seed", range(2))
def test_layers(seed: int, library: Path) -> None:
    maker, program = layers(seed, 60)
    assert all(s.kernel.library == "esp-dsp" for s in program.stages)
    assert_close(maker, program, library)


def test_functions(library: Path) -> None:
    """One row is a product of vectors, several are one of matrices, with weights the other way round."""
    maker = Floats(np.random.default_rng(0))
    x = maker.input((1, 8))
    y = maker.input((1, 2, 2, 8))
    program = choose(
        lowered(maker.builder.build([maker.dense(x, outputs=3), pointwise(maker, y, 3)])), "", "esp-dsp", isa=""
    )
    text = generate(program, name="net").files["net.c"]
    assert "dsps_dotprod_f32(x, w + k * 8, out + k, 8);" in text
    assert "dspm_mult_f32(x, w, out, 4, 8, 3);" in text
    assert_close(maker, program, library)


def test_gates() -> None:
    """Vectors of the ESP32-S3 need sizes that are multiples of 4, and memory of the arena."""
    maker = Floats(np.random.default_rng(0))
    odd, even, straight = (pointwise(maker, maker.input((1, 4, 4, 8)), n) for n in (6, 8, 8))
    outputs = [maker.add(ops.Clamp(v, -1.0, 1.0)) for v in (odd, even)]
    program = choose(lowered(maker.builder.build([*outputs, straight]), "arena"), "esp32s3", "esp-dsp")
    found = notes(program)
    assert found[odd.name].startswith("esp-dsp: multiple-of-4: ")
    assert found[even.name] == "esp-dsp"
    assert found[straight.name].startswith("esp-dsp: alignment: ")
    assert {"multiple-of-4", "alignment"} <= {g.name for g in GATES}


def test_other_operators_are_ours() -> None:
    maker = Floats(np.random.default_rng(0))
    x = maker.input((1, 6, 6, 4))
    plain: dict[str, Any] = {"groups": 1, "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
    wide = maker.conv(x, kernel=(3, 3), outputs=4, **plain)
    program = lowered(maker.builder.build([wide, maker.softmax(x)]))
    said = [str(EspDSP().offer(program, s, True)) for s in program.stages]
    assert said == ["convolutions of more than a pixel are no product of matrices", "no function for softmax"]
