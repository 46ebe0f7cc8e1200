"""quantize and dequantize in integer arithmetic: bit for bit what the operators mean, and what they cost."""

from __future__ import annotations

import numpy as np
import pytest

from tests.c.support import PARAMETERS, Case, check, lowered, need
from tinyc.backends.c import generate
from tinyc.backends.c.borders import LEAST, MOST
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.runners import MissingTool
from tinyc.backends.runners.machines import MACHINES
from tinyc.backends.runners.simulator import SimulatorRunner
from tinyc.ir.module import Builder
from tinyc.ir.op import Value
from tinyc.ir.ops import Dequantize, Quantize
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType, TensorType

ULPS = 4
"""So many floats on either side of each tie are tried."""
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-45, -1e-45, 2.0**-126, -(2.0**-126), 3.4e38, -3.4e38]
ZEROS = [(DType.I8, -128), (DType.I8, 127), (DType.I8, 0), (DType.U8, 0), (DType.U8, 255), (DType.I8, -3)]


def scales(count: int) -> list[float]:
    """Mantissas at both ends, ties that are floats, and random ones, of sizes as networks have and of all that fit."""
    rng = np.random.default_rng(7)
    ends = [1.0, 2.0, 0.5, float(np.nextafter(np.float32(1), 2)), float(np.nextafter(np.float32(2), 0)), LEAST, MOST]
    usual = 10.0 ** rng.uniform(-4, 1, count)
    any_size = 2.0 ** rng.uniform(-125, 118, count)
    return [float(np.float32(s)) for s in (*ends, *usual, *any_size)]


def corners(scale: float) -> Array:
    """Floats around every multiple of half a scale up to what is cut off, special ones, and random bits."""
    with np.errstate(over="ignore", invalid="ignore"):
        near = (np.arange(-1040, 1041) / 2 * scale).astype(np.float32)
        bits = near.view(np.int32)[:, np.newaxis] + np.arange(-ULPS, ULPS + 1, dtype=np.int32)
        random = np.random.default_rng(3).integers(0, 2**32, 4000, dtype=np.uint64).astype(np.uint32)
        special = np.array(SPECIAL, np.float32).view(np.uint32)
        return np.concatenate([bits.astype(np.uint32).ravel(), random, special]).view(np.float32)


@pytest.mark.parametrize("build", PARAMETERS)
def test_quantize_at_every_tie(build: str) -> None:
    need(build)
    cases = []
    for k, scale in enumerate(scales(12)):
        to, zero = ZEROS[k % len(ZEROS)]
        cases.append(Case(f"q{k}", lambda x, s=scale, z=zero, t=to: Quantize(x, s, z, t), [corners(scale)]))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        text = check(cases, build).files["cases.c"]
    assert "math.h" not in text


@pytest.mark.parametrize("build", PARAMETERS)
def test_dequantize_of_every_integer(build: str) -> None:
    need(build)
    cases = []
    for k, scale in enumerate(scales(12)):
        kind, zero = ZEROS[k % len(ZEROS)]
        every = np.arange(256).astype(np.uint8).view(kind.numpy)
        cases.append(Case(f"d{k}", lambda x, s=scale, z=zero: Dequantize(x, (s,), (z,)), [every]))
    text = check(cases, build, fpu=False).files["cases.c"]
    assert "tinyc_dequantize_bits" in text


def test_scales_of_other_sizes_are_as_they_are_defined() -> None:
    """Half a step is no normal number, or 256 steps are none."""
    outside = [float(np.nextafter(np.float32(LEAST), 0)), float(np.nextafter(np.float32(MOST), np.inf)), 3e38, 1.2e-38]
    cases = [
        Case(f"q{k}", lambda x, s=s: Quantize(x, s, 3), [np.array(SPECIAL, np.float32)]) for k, s in enumerate(outside)
    ]
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        text = check(cases, "gcc", fpu=False).files["cases.c"]
    assert text.count("rintf(") == len(outside)
    assert "tinyc_quantize_bits" not in text


def test_a_target_with_floats_multiplies() -> None:
    x = Value("x", TensorType((4,), DType.I8))
    assert "dequantize_bits" not in generate(program(Dequantize(x, (0.5,), (3,))), name="n").files["n.c"]


def program(op: Quantize | Dequantize) -> RowProgram:
    b = Builder("m")
    x = b.input("x", op.x.type)
    return lowered(b.build([b.add(op.with_operands([x]))]))


@pytest.mark.parametrize("data", ["ties", "random", "cut off", "zeros"])
@pytest.mark.parametrize("back", [False, True])
def test_at_most_forty_instructions_an_element(data: str, back: bool) -> None:
    """On a chip without floats in hardware, whatever the elements."""
    count = 1024
    integers = {"ties": 1, "random": 0, "cut off": 127, "zeros": 3}[data]
    rng = np.random.default_rng(1)
    floats = {
        "ties": (rng.integers(-100, 100, count) + 0.5) * 2.0,
        "random": rng.uniform(-200, 200, count),
        "cut off": rng.choice([-1.0, 1.0], count) * 1e6,
        "zeros": np.zeros(count),
    }[data].astype(np.float32)
    array = np.full(count, integers, np.int8) if integers else rng.integers(-128, 128, count).astype(np.int8)
    x = Value("x", TensorType((count,), DType.I8 if back else DType.F32))
    op = Dequantize(x, (2.0,), (3,)) if back else Quantize(x, 2.0, 3)
    try:
        runner = SimulatorRunner(generate(program(op), name="net", tuning=Tuning(fpu=False)), MACHINES["rv32imc"])
    except MissingTool as error:
        pytest.skip(str(error))
    assert runner.measure([array if back else floats]).instructions <= 40 * count + 200
