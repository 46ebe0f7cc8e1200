"""`optimize`, of the library and the command line: other C that computes the same in the same memory."""

from __future__ import annotations

import re

import numpy as np
import pytest
from typer.testing import CliRunner

import tinyc
from tests.c.test_tunings import OPTIMIZE
from tests.helpers import ROOT
from tinyc.backends.c.tuning import Optimize
from tinyc.compiler.cli import app
from tinyc.compiler.data.calibration import Calibration

EXAMPLE = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
IMAGES = [[np.random.default_rng(k).random((1, 1, 28, 28), np.float32)] for k in range(3)]


@pytest.fixture(scope="module")
def compiled() -> dict[Optimize, tinyc.Compilation]:
    options = {"quantise": tinyc.QuantiseOptions(Calibration(IMAGES)), "verify": False, "ram": "16K"}
    return {how: tinyc.compile(EXAMPLE, optimize=how, **options) for how in OPTIMIZE}  # type: ignore[arg-type]


def test_kernels_are_shared(compiled: dict[Optimize, tinyc.Compilation]) -> None:
    texts = {how: "".join(result.source.files.values()) for how, result in compiled.items()}
    functions = [len(re.findall(r"^TINYC_NOINLINE void mobile_lenet_q", texts[how], re.MULTILINE)) for how in OPTIMIZE]
    assert functions == sorted(functions, reverse=True)
    assert functions[0] > functions[1] > functions[2]
    told = [compiled[how].report["code"] for how in OPTIMIZE]
    assert [code["optimize"] for code in told] == list(OPTIMIZE)
    assert [code["functions"] for code in told] == functions
    assert {code["layers"] for code in told} == {len(compiled["speed"].report["layers"])}
    assert [code["paired_layers"] > 0 for code in told] == [True, True, False]
    assert [bool(re.search(r"/\*paired=\*/[24]", texts[how])) for how in OPTIMIZE] == [True, True, False]


def test_results_and_memory_are_the_same(compiled: dict[Optimize, tinyc.Compilation]) -> None:
    results = {how: tinyc.execute(result, "host", IMAGES) for how, result in compiled.items()}
    for how in OPTIMIZE:
        for got, want in zip(results[how], results["speed"], strict=True):
            np.testing.assert_array_equal(got[0], want[0])
        report, first = compiled[how].report, compiled["speed"].report
        for key in ("macs", "parameters", "target"):
            assert report[key] == first[key]
        for key in ("arena_bytes", "arena_lower_bound_bytes", "input_bytes", "output_bytes", "segments"):
            assert report["ram"][key] == first["ram"][key]


def test_balanced_is_the_default(compiled: dict[Optimize, tinyc.Compilation]) -> None:
    options = {"quantise": tinyc.QuantiseOptions(Calibration(IMAGES)), "verify": False, "ram": "16K"}
    assert tinyc.compile(EXAMPLE, **options).source.files == compiled["balanced"].source.files  # type: ignore[arg-type]


@pytest.mark.parametrize("command", ["compile", "verify", "bench"])
def test_a_wrong_word_is_refused_with_the_choices(command: str) -> None:
    result = CliRunner().invoke(app, [command, str(EXAMPLE), "--optimize", "fast"])
    assert result.exit_code == 2, result.output
    words = " ".join(result.output.split())
    for word in ("optimize", "speed", "balanced", "size", "fast"):
        assert word in words
    assert "Traceback" not in words
