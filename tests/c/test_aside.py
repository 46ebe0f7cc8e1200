"""The C of rows that are computed over those of their operand: of all forms of kernels."""

from __future__ import annotations

from functools import partial

import pytest

from tests.c.support import BUILDS
from tests.c.test_streaming import DTYPES, agree, compare, compare_stages
from tests.passes.stream.support import planned, separable, with_pixels_aside
from tests.passes.stream.test_over import WINDOWS, causal, for_ever
from tinyc.backends.c import generate
from tinyc.backends.c.scratch import wanted
from tinyc.backends.c.tuning import DEFAULT, Tuning
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.ir import DType
from tinyc.passes.rows.spare import UseSpareMemory

SHAPES = ((8, 8), (9, 4), (12, 5), (13, 1), (28, 12), (30, 16))
"""Widths and channels: rows that are a whole number of parts or not, of pixels that are words or not."""


@pytest.mark.parametrize(("reverse", "build"), [(False, "gcc-functions"), (True, "clang-sanitize")])
@DTYPES
def test_rows_over_those_of_operands(dtype: DType, reverse: bool, build: str) -> None:
    windows = list(WINDOWS.values())
    for turn, (width, channels) in enumerate(SHAPES):
        network, before = separable(dtype, width, channels, **windows[turn % len(windows)])
        program = planned(with_pixels_aside(before, reverse)[0])
        compare(network, program, build)
    compare_stages(network, program, build)


@pytest.mark.parametrize(
    "tuning",
    [
        Tuning(optimize="size"),
        Tuning(optimize="speed"),
        DEFAULT,
        Tuning(tile=2, paired_tile=1, mac16=True),
        Tuning(pie=True),
    ],
    ids=["size", "speed", "balanced", "mac16", "vectors"],
)
def test_all_forms_of_kernels(tuning: Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinyc.backends.c.pie._MAC", 1e6)
    compiler, flags = BUILDS["clang-sanitize"]
    for width, channels in SHAPES[::2]:
        network, before = separable(DType.I8, width, channels, **WINDOWS["over dead rows"])
        program = planned(with_pixels_aside(before, width % 2 > 0)[0])
        program = UseSpareMemory(partial(wanted, tuning=tuning), growth=2.0).run(program)
        runner = HostRunner(generate(program, name="net", tuning=tuning), cc=compiler, flags=flags)
        (got,) = runner.run([network.arrays])
        want = run_program(program, network.arrays)
        assert all(agree(g, w) for g, w in zip(got, want, strict=True)), f"{width}x{channels}"


def test_state_between_calls() -> None:
    network = causal(32)
    program = for_ever(network)
    assert any(stage.aside for stage in program.stages)
    compare(network, program, "gcc-sanitize")
