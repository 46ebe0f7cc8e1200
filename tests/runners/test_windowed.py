"""What the cores of ESP32 and ESP32-S3 have beside the ESP8266's: windows of registers, and floats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.networks.graph import Graph
from tests.c.support import need
from tests.runners.support import images, need_simulator, network, simulator
from tests.runners.test_simulator import exact
from tinyc.backends.runners import MACHINES, HostRunner
from tinyc.backends.runners.families import WINDOWED
from tinyc.compiler.session import api

pytestmark = pytest.mark.simulator

FUNCTION = 4
"""Units in the last place by which exponentials, logarithms and what is made of them differ between C libraries."""


@pytest.fixture(params=[name for name, machine in MACHINES.items() if machine.family is WINDOWED])
def name(request: pytest.FixtureRequest) -> str:
    need_simulator(request.param)
    return str(request.param)


DEEP = """
/* Sums 1 to k, with more calls within each other than the core has registers for. */
__attribute__((noinline)) static int deep(int k)
{
    volatile int own = k;
    return k == 0 ? 0 : deep(k - 1) + own;
}

/* The same with a stack pointer that moves after calls have sent the caller's registers to memory. */
__attribute__((noinline)) static int moving(int k)
{
    int sum = k == 0 ? 0 : moving(k - 1);
    const int before = deep(20);
    volatile signed char array[k + 1];
    array[k] = (signed char)k;
    array[0] = (signed char)(k == 0 ? 0 : 1);
    return sum + array[k] + deep(20) - before;
}
"""


def test_calls_within_calls(name: str) -> None:
    body = "output[0] = (int8_t)(deep(100) % 100); output[1] = (int8_t)(moving(100) % 100);"
    ((got,),) = simulator(network("argument", DEEP + exact(body)), name, flags=("-w",)).run(images(1))
    assert list(got.ravel()[:2]) == [5050 % 100, 5050 % 100]


def test_calls_that_save_registers_are_counted(name: str) -> None:
    """A call, a store, a load, a test, a sum and a return in each of these functions; some instructions more for each
    whose registers are saved and loaded again."""
    depths = (2, 3, 100, 101)
    counts = [
        simulator(network("argument", DEEP + exact(f"output[0] = (int8_t)deep({depth});")), name, flags=("-w",))
        .measure(images(1)[0])
        .instructions
        for depth in depths
    ]
    shallow, deep = counts[1] - counts[0], counts[3] - counts[2]
    assert shallow < 12
    assert 20 < deep < 45


@pytest.mark.parametrize("operator", ["Exp", "Log", "Sqrt", "Reciprocal", "Tanh", "Sigmoid", "Erf", "Softmax"])
def test_functions_of_floats(operator: str, tmp_path: Path, name: str) -> None:
    """By the compiler's own library, or the C library."""
    need("gcc")
    g = Graph(operator, (1, 500))
    g.add(operator, "y")
    onnx.save(g.model((1, 500)), tmp_path / "f.onnx")
    compiled = api.compile(tmp_path / "f.onnx", verify=False)
    rng = np.random.default_rng(5)
    low = 0.0 if operator in ("Log", "Sqrt") else -8.0
    samples = [[rng.uniform(low, 8.0, (1, 500)).astype(np.float32)] for _ in range(4)]
    exactly = operator in ("Sqrt", "Reciprocal")
    for (got,), (want,) in zip(
        simulator(compiled.source, name).run(samples), HostRunner(compiled.source).run(samples), strict=True
    ):
        np.testing.assert_array_max_ulp(got, want, 0 if exactly else FUNCTION)


def test_float_registers_hold_what_layers_sum(name: str) -> None:
    """A fused multiply-add for each product: no routine, which would take some dozens of instructions."""
    g = Graph("dense", (1, 64))
    g.add("MatMul", "y", g.weight("w", g.random(64, 64)))
    compiled = api.compile(g.model((1, 64)), verify=False, target=name)
    found = simulator(compiled.source, name).measure(list(compiled.lowered.samples[0]))
    assert 1 < found.instructions / compiled.program.macs() < 5


LAYERS = {"pointwise": (1, 32, 32, 32, 2.0), "depthwise": (3, 8, 8, 1, 2.5), "convolution": (3, 3, 8, 3, 2.35)}
"""Height and width of the window, input channels, output channels, input channels of each, and instructions a
multiply-accumulate at most: about 8 % above what was measured. With tiles of eight sums, which the compiler copies from
register to register, they take 2.20, 2.99 and 2.56."""


@pytest.mark.parametrize("layer", LAYERS)
def test_float_layers_take_few_instructions(layer: str, name: str) -> None:
    """Twelve sums in registers, none of them spilled or copied; loops and loads of the floating-point unit."""
    kernel, inputs, outputs, each, limit = LAYERS[layer]
    g = Graph(layer, (1, inputs, 24, 24))
    g.conv("c", g.random(outputs, each, kernel, kernel), group=inputs // each, pads=[kernel // 2] * 4)
    g.add("Relu", "y")
    compiled = api.compile(g.model((1, outputs, 24, 24)), verify=False, target=name, input_layout="nhwc")
    found = simulator(compiled.source, name).measure(list(compiled.lowered.samples[0]))
    assert found.instructions / compiled.program.macs() < limit
