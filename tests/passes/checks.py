"""Running a pass in a test with the checks that every pass must stand."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np

from tests.generate import random_array
from tests.helpers import assert_close, assert_same, run
from tinyc.backends.interpreter.tensor import run_module
from tinyc.ir import Builder, DType, Module, TensorType, Value, verify
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import Pass
from tinyc.passes.core.rewrite import tracing


def input_(b: Builder, *shape: int, dtype: DType = DType.F32) -> Value:
    """Adds an input."""
    return b.input("x", TensorType(shape, dtype))


def numbers(*shape: int, seed: int = 1) -> Array:
    """Float32 numbers around zero."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(step: Pass, module: Module, exact: bool | None = None) -> Module:
    """The module after a pass, which has the same interface and meaning, and which the pass leaves alone.

    Inputs are zeros, ones, negative and mixed numbers, and for exact passes large ones. The tolerance is the slack the
    pass declares, of the largest number that occurs on the way; `exact` overrides that there is any.
    """
    after = step.run(module)
    verify(after)
    assert after.inputs == module.inputs
    assert after.outputs == module.outputs
    assert step.run(after) is after
    slack = None if exact else step.slack
    random = Random(0)
    cases = [[np.full(v.shape, n, v.dtype.numpy) for v in module.inputs] for n in (0, 1)]
    for calm in (True, True, slack is not None):
        cases.append([random_array(random, v.type, calm) for v in module.inputs])
    cases.append([-np.abs(a) if a.dtype == np.float32 else a for a in cases[-1]])
    for inputs in cases:
        before_out, after_out = run(module, inputs), run(after, inputs)
        if slack is None:
            assert_same(before_out, after_out)
        else:
            assert_close(before_out, after_out, slack.relative, largest(module, inputs))
    return after


def unchanged(step: Pass, module: Module) -> list[str]:
    """Asserts that a pass leaves a module alone, and returns what it said about why."""
    said: list[str] = []
    with tracing(said.append):
        assert step.run(module) is module
    return said


def largest(module: Module, inputs: Sequence[Array]) -> float:
    """The largest finite float that occurs while a module runs."""
    found = [0.0]

    def watch(_: Value, array: Array) -> None:
        if array.dtype == np.float32:
            found.append(float(np.abs(array[np.isfinite(array)]).max(initial=0.0)))

    with np.errstate(all="ignore"):
        run_module(module, inputs, watch)
    return max(found)
