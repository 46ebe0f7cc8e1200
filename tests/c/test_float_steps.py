"""Float layers in C, bit for bit: each sum is made of steps in a stated order, fused where the program says so,
whatever the compiler, its options, the tiles and the processor."""

from __future__ import annotations

import dataclasses
import itertools
import platform
from collections.abc import Sequence
from functools import cache, partial

import numpy as np
import pytest

from tests.c.support import BUILDS, EXACT, STRICT, Case, difference, need, program_of, random
from tests.c.test_spatial import conv_cases, depthwise_cases, pool_cases
from tests.runners.support import simulator
from tinyc.backends.c import CSource, generate
from tinyc.backends.c.tuning import Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner, Runner
from tinyc.backends.runners.host import fused_options
from tinyc.backends.targets import builtin
from tinyc.ir.ops import Conv2d, Dense, DepthwiseConv2d, MatMul, ReduceSum
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

PROCESSORS = [(True, 32), (True, 16), (False, 16), (False, 0)]
"""Whether sums are fused, and floating-point registers: RISC-V, Xtensa, any computer, and none."""


def constant(number: int, make: object, arrays: list[Array]) -> Case:
    return Case(f"layer_{number}", make, arrays, constants=frozenset(range(1, len(arrays))))  # type: ignore[arg-type]


@cache
def product_cases() -> list[Case]:
    """Dense layers, matrix products, sums of products, and tiles of every number of pixels, inputs and outputs."""
    rng = np.random.default_rng(5)
    cases: list[Case] = []
    for pixels in (*range(1, 20), 47, 63):
        inputs, outputs = 1 + int(rng.integers(20)), 1 + int(rng.integers(9))
        arrays = [random(rng, s) for s in ((pixels, inputs), (outputs, inputs), (outputs,))]
        cases.append(constant(len(cases), lambda x, w, b: Dense(x, w, b, min=0.0), arrays))
        arrays = [random(rng, s) for s in ((1, 2, pixels, inputs), (outputs, 1, 1, inputs))]
        cases.append(constant(len(cases), lambda x, w: Conv2d(x, w, max=0.5), arrays))
        arrays = [random(rng, s) for s in ((1, 3, pixels + 2, 1 + inputs % 3), (outputs, 3, 3, 1 + inputs % 3))]
        cases.append(constant(len(cases), lambda x, w: Conv2d(x, w, min=0.0, max=1.0), arrays))
        arrays = [random(rng, s) for s in ((1, 3, pixels + 2, 1 + inputs % 5), (3, 3, 1 + inputs % 5))]
        cases.append(constant(len(cases), lambda x, w: DepthwiseConv2d(x, w, min=0.0, pads=(0, 1, 0, 0)), arrays))
        cases.append(Case(f"matmul_{pixels}", MatMul, [random(rng, (2, inputs)), random(rng, (inputs, outputs))]))
    cases.append(Case("sum", lambda x: ReduceSum(x, axes=(1,)), [random(rng, (4, 9, 5))]))
    return cases


def with_everything(cases: Sequence[Case], seed: int) -> list[Case]:
    """The cases with NaN, infinities, zeros of both signs and the smallest numbers among the elements of some."""
    rng = np.random.default_rng(seed)
    special = np.float32([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1e-42, 3e38, 1e-30])
    made = []
    for case in cases:
        x = case.arrays[0].copy()
        if x.dtype == np.float32 and x.size:
            at = rng.integers(0, x.size, 1 + x.size // 8)
            x.reshape(-1)[at] = rng.choice(special, at.size)
        made.append(dataclasses.replace(case, arrays=[x, *case.arrays[1:]]))
    return made


def built(cases: Sequence[Case], fused: bool, registers: int) -> tuple[RowProgram, CSource, list[Array]]:
    program, inputs = program_of(cases)
    program = dataclasses.replace(program, fused=fused)
    return program, generate(program, name="cases", tuning=Tuning(float_registers=registers)), inputs


def compare(cases: Sequence[Case], program: RowProgram, inputs: list[Array], runner: Runner) -> None:
    """Every result is that of the interpreter's steps: every bit, but that any NaN is as good as another."""
    got, want = runner.run([inputs])[0], run_program(program, inputs, in_steps=True)
    wrong: list[str] = []
    for case, g, w in zip(cases, got, want, strict=True):
        verdict = difference(g, w, EXACT)
        if g.dtype == np.float32 and not np.array_equal(np.signbit(g) | np.isnan(g), np.signbit(w) | np.isnan(w)):
            verdict = verdict or "zeros have other signs"
        wrong += [f"{case.name}: {verdict}"] if verdict else []
    assert not wrong, "\n".join(wrong)


GROUPS = {"conv": conv_cases, "depthwise": depthwise_cases, "pool": pool_cases, "product": product_cases}


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
@pytest.mark.parametrize(("fused", "registers"), PROCESSORS)
@pytest.mark.parametrize("group", GROUPS)
def test_kernels_take_the_steps(group: str, fused: bool, registers: int, build: str) -> None:
    need(build)
    cases = GROUPS[group]()
    turn = PROCESSORS.index((fused, registers)) + (build == "gcc")
    cases = cases[turn % 3 :: 3] if group != "product" or build != "gcc" else cases
    cases = [*cases[::2], *with_everything(cases[1::2], 6)]
    program, source, inputs = built(cases, fused, registers)
    compiler, flags = BUILDS[build]
    compare(cases, program, inputs, HostRunner(source, cc=compiler, flags=flags))


@pytest.mark.simulator
@pytest.mark.parametrize("flags", [(), ("-Os", "-ffp-contract=fast"), ("-O3",)])
def test_the_riscv_kernels_take_the_steps(flags: tuple[str, ...]) -> None:
    """Their limits are instructions of the floating-point unit, which treat NaN and zeros in their own way."""
    cases = [c for group in (conv_cases, depthwise_cases, product_cases) for c in group()][::3]
    cases = [*cases[::2], *with_everything(cases[1::2], 7)]
    program, source, inputs = built(cases, True, 32)
    compare(cases, program, inputs, simulator(source, "rv32imafc", flags=(*STRICT, *flags)))


@cache
def row_cases() -> list[Case]:
    """Depthwise rows of every number of outputs around a turn of the loops on Xtensa, under each pair of limits."""
    rng = np.random.default_rng(8)
    limits = [{}, {"min": 0.0}, {"min": -0.25, "max": 0.5}, {"max": 0.5}]
    cases: list[Case] = []
    for width, stride, (left, right) in itertools.product(range(3, 15), (1, 2), ((1, 1), (0, 0), (2, 2), (0, 1))):
        if stride == 2 and left > 1:
            continue
        attributes = {"strides": (1, stride), "pads": (1, left, 1, right), **limits[len(cases) % 4]}
        channels = (1, 3, 300)[len(cases) % 3]
        arrays = [random(rng, s) for s in ((1, 3, width, channels), (3, 3, channels), (channels,))]
        arrays = arrays[: 2 + len(cases) % 5 // 2]
        case = constant(len(cases), partial(DepthwiseConv2d, **attributes), arrays)
        cases.append(dataclasses.replace(case, name=f"row_{len(cases)}"))
    return cases


@pytest.mark.parametrize("build", ["gcc", "clang-sanitize"])
def test_rows_of_every_length(build: str) -> None:
    need(build)
    cases = with_everything(row_cases(), 9)
    program, source, inputs = built(cases, True, 16)
    compiler, flags = BUILDS[build]
    compare(cases, program, inputs, HostRunner(source, cc=compiler, flags=flags))


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("esp32", ("-O0",)),
        ("esp32", ("-Os", "-ffp-contract=fast")),
        ("esp32s3", ("-O3",)),
        ("esp32", ("-DTINYC_EMULATE",)),
    ],
)
def test_the_xtensa_kernels_take_the_steps(name: str, flags: tuple[str, ...]) -> None:
    """Inline assembly and the C beside it."""
    cases = [c for group in (conv_cases, depthwise_cases, product_cases) for c in group()][::8]
    cases = [*cases[::2], *with_everything([*cases[1::2], *row_cases()], 10)]
    program, source, inputs = built(cases, True, 16)
    compare(cases, program, inputs, simulator(source, name, flags=(*STRICT, *flags)))


@pytest.mark.simulator
def test_without_fusing_no_assembly_fuses() -> None:
    cases = [*row_cases()[::7], *product_cases()[::7]]
    program, source, inputs = built(cases, False, 16)
    compare(cases, program, inputs, simulator(source, "esp32", flags=STRICT))


CONTRACTING = {
    "gcc": [("-ffp-contract=fast",), ("-ffp-contract=off",), ("-O3", "-ffp-contract=fast"), ("-Os",), ("-O0",)],
    "clang": [(), ("-ffp-contract=off",), ("-O3", "-ffp-contract=on")],
}
X86 = platform.machine() in ("x86_64", "AMD64")


@pytest.mark.skipif(not X86 or not fused_options(), reason="this computer has no fused multiply-add to be told of")
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("compiler", CONTRACTING)
def test_no_option_contracts(compiler: str, fused: bool) -> None:
    """With an instruction for fused multiply-adds at hand, and where the C library computes them."""
    need(compiler)
    cases = [c for group in (conv_cases, depthwise_cases, product_cases) for c in group()][::7]
    program, source, inputs = built(cases, fused, 16)
    for options in CONTRACTING[compiler]:
        for machine in ("-mfma", "-mno-fma"):
            compare(cases, program, inputs, HostRunner(source, cc=compiler, flags=(*options, machine)))


def test_fused_multiply_adds_are_called_where_the_target_has_them() -> None:
    assert [t.name for t in builtin().values() if t.fma] == ["esp32", "esp32p4", "esp32s3"]
    assert all(t.fpu and t.float_registers for t in builtin().values() if t.fma)
    case = product_cases()[:5]
    for fused in (True, False):
        _, source, _ = built(case, fused, 16)
        assert source.fused is fused
        assert ("fmaf(" in source.files["cases.c"]) is fused
