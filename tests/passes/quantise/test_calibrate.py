"""Calibration: which tensors are seen, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tests.passes.checks import input_, numbers
from tinyc.backends.interpreter import run_module
from tinyc.ir import Builder, Module
from tinyc.ir.ops import Add, Clamp, Div, Log
from tinyc.passes import PassError
from tinyc.passes.quantise import OBSERVERS, calibrate, quantise_module


def small() -> Module:
    b = Builder("m")
    x = input_(b, 1, 4)
    limited = b.add(Clamp(x, min=0.0), "limited", "relu1")
    return b.build([b.add(Add(limited, b.constant(numbers(4))), "sum", "add1")])


def test_every_float_activation_is_seen() -> None:
    module = small()
    sample = np.array([[-1.0, 0.5, 2.0, 0.0]], np.float32)
    told: list[tuple[str, int, int]] = []
    ranges = calibrate(module, [[sample]], run_module, "min-max", lambda *a: told.append(a))
    assert {v.name: (r.low, r.high) for v, r in ranges.items() if v.name != "sum"} == {
        "x": (-1.0, 2.0),
        "limited": (0.0, 2.0),
    }
    assert told == [("calibrate", 1, 1)]
    seen = next(r for v, r in ranges.items() if v.name == "sum")
    out = run_module(module, [sample])[0]
    assert (seen.seen_low, seen.seen_high) == (float(out.min()), float(out.max()))


def test_no_samples() -> None:
    with pytest.raises(PassError, match="at least one sample"):
        calibrate(small(), [], run_module, "min-max")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_inputs_name_input_and_sample(bad: float) -> None:
    good, wrong = numbers(1, 4), numbers(1, 4)
    wrong[0, 2] = bad
    with pytest.raises(PassError, match=r"input %x has (NaN|an infinite value) on calibration sample 1"):
        calibrate(small(), [[good], [wrong]], run_module, "min-max")


def test_bad_activations_name_value_and_node() -> None:
    b = Builder("m")
    x = input_(b, 1, 4)
    module = b.build([b.add(Div(x, b.add(Log(x), "logged", "log_1")), "out", "div_1")])
    with pytest.raises(PassError, match=r"log %logged \(from log_1\) has NaN on calibration sample 0"):
        calibrate(module, [[np.full((1, 4), -1.0, np.float32)]], run_module, "min-max")


def test_unknown_observer_lists_those_there_are() -> None:
    with pytest.raises(PassError, match=f"'median'; the observers are {', '.join(OBSERVERS)}"):
        quantise_module(small(), [[numbers(1, 4)]], run_module, observer="median")
