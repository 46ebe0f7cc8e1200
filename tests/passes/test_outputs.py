"""One value as several outputs, and outputs that show others, inputs or constants: through every pass to the C."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.generate import TO_NCHW, TO_NHWC
from tests.helpers import assert_close
from tests.passes.checks import numbers
from tinyc.backends.c import generate
from tinyc.backends.interpreter import run_module, run_program
from tinyc.ir import Builder, DType, Module, TensorType, Value, verify
from tinyc.ir.ops import Clamp, Conv2d, Reshape, Slice, Transpose
from tinyc.ir.rows import RowProgram
from tinyc.ir.rows.replay import replay
from tinyc.passes.core.manager import PassManager, VerifyTypes
from tinyc.passes.pipeline import integer_passes, row_passes, tensor_passes
from tinyc.passes.tensor.channels_last import ChannelsLast

SHOWN = {
    "itself": lambda b, v: v,
    "flat": lambda b, v: b.add(Reshape(v, (1, v.type.size))),
    "channels last": lambda b, v: b.add(Transpose(v, TO_NHWC)),
    "without its batch": lambda b, v: b.add(Reshape(v, v.shape[1:])),
    "its first channel": lambda b, v: b.add(Slice(v, (0,) * 4, (1, 1, *v.shape[2:]), (1,) * 4)),
    "limited": lambda b, v: b.add(Clamp(v, min=0.0)),
}


def network() -> tuple[Builder, dict[str, Value]]:
    """A channels-first convolution, as the frontend writes it, and the values that outputs show."""
    b = Builder("net")
    x = b.input("x", TensorType((1, 2, 6, 5), DType.F32))
    w = b.constant(numbers(4, 3, 3, 2), "w")
    conv = b.add(Transpose(b.add(Conv2d(b.add(Transpose(x, TO_NHWC)), w, pads=(1, 1, 1, 1))), TO_NCHW), "y")
    return b, {"conv": conv, "input": x, "constant": b.constant(numbers(1, 2, 3, 4), "c")}


def check(module: Module) -> RowProgram:
    """Compiles the module, and compares; the convolution's sums may be rounded otherwise (1e-6 of the largest)."""
    program, _ = PassManager([*tensor_passes(), *integer_passes(), *row_passes("arena")], (VerifyTypes(),)).run(module)
    assert isinstance(program, RowProgram)
    replay(program)
    generate(program, name="net")
    inputs = [numbers(*v.shape) for v in module.inputs]
    assert_close(run_module(module, inputs), run_program(program, inputs), 1e-6)
    return program


@pytest.mark.parametrize("source", ["conv", "input", "constant"])
def test_any_two_outputs_may_show_one_value(source: str) -> None:
    for one, other in itertools.product(SHOWN, repeat=2):
        b, values = network()
        outputs = [SHOWN[kind](b, values[source]) for kind in (one, other)]
        check(b.build([values["conv"], *outputs]))


def test_one_value_may_be_three_outputs() -> None:
    b, values = network()
    check(b.build([values["conv"]] * 3))


def test_an_output_may_show_another_one() -> None:
    for one, other in itertools.product(SHOWN, repeat=2):
        b, values = network()
        y = b.add(Clamp(values["conv"], min=0.0))
        check(b.build([SHOWN[one](b, y), y, SHOWN[other](b, y)]))


def test_the_layout_pass_makes_a_value_once_that_is_two_outputs() -> None:
    b, values = network()
    module = b.build([values["conv"], values["conv"]])
    after = ChannelsLast().run(module)
    verify(after)
    assert after.outputs == module.outputs
    inputs = [numbers(*v.shape) for v in module.inputs]
    assert_close(run_module(module, inputs), run_module(after, inputs), 1e-6)


def test_only_what_has_to_is_copied() -> None:
    b, values = network()
    y = values["conv"]
    once, twice = (check(b_.build([v] * n)) for b_, v, n in ((b, y, 1), (b, y, 2)))
    assert len(twice.stages) == len(once.stages) + 1
    one, other = run_program(twice, [numbers(1, 2, 6, 5)])
    np.testing.assert_array_equal(one, other)
