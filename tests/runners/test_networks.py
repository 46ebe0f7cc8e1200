"""Real networks on every machine: integers agree with the interpreter bit for bit, floats within 1e-6."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

import tinyc
from benchmarks.networks import mobilenet_v1
from tests import mnist
from tests.helpers import ROOT
from tinyc.backends.runners import MACHINES, MissingTool, Runner, runner_for
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.session import Compilation, execute

pytestmark = pytest.mark.simulator

MOBILE_LENET = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
FLOATS = [name for name, machine in MACHINES.items() if machine.family.runs_float]
# Probabilities: a few units in the last place of 1, by the order of sums and by the C libraries' exp.
FLOAT = 1e-6


def runner(compiled: Compilation, machine: str) -> Runner:
    try:
        return runner_for(compiled.source, machine)
    except MissingTool as error:
        pytest.skip(str(error))


def quantised(model: Path, samples: list[list[np.ndarray]]) -> Compilation:  # type: ignore[type-arg]
    options = tinyc.QuantiseOptions(Calibration(samples), input_type="int8", output_type="int8")
    return tinyc.compile(model, quantise=options, verify=False)


@cache
def mobile_lenet() -> Compilation:
    images, _ = mnist.training_images()
    return quantised(MOBILE_LENET, [[image[None]] for image in images[:100]])


@pytest.mark.parametrize(("machine", "count"), [(m, 200 if m == "rv32imc" else 10) for m in MACHINES])
def test_digits(machine: str, count: int) -> None:
    compiled = mobile_lenet()
    images, labels = mnist.test_images()
    samples = compiled.as_taken([[image[None]] for image in images[:count]])
    own = runner(compiled, machine).run([list(s) for s in samples])
    # The interpreter and this computer's C agree on thousands of images, layer by layer: test_int8_mobile_lenet.py.
    for executor, few in (("host", count), ("interpreter", 10)):
        for got, expected in zip(own[:few], execute(compiled, executor, samples[:few]), strict=True):
            np.testing.assert_array_equal(got[0], expected[0])
    right = sum(int(got[0].argmax()) == int(label) for got, label in zip(own, labels[:count], strict=True))
    assert right >= 0.97 * count - 1


@pytest.mark.parametrize("machine", FLOATS)
def test_digits_in_float(machine: str) -> None:
    compiled = tinyc.compile(MOBILE_LENET, verify=False)
    images, _ = mnist.test_images()
    samples = [[image[None]] for image in images[:10]]
    own = runner(compiled, machine).run(samples)
    for executor in ("interpreter", "host"):
        for got, expected in zip(own, execute(compiled, executor, samples), strict=True):
            np.testing.assert_allclose(got[0], expected[0], rtol=0, atol=FLOAT)


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Compilation:
    path = tmp_path_factory.mktemp("mobilenet") / "mobilenet.onnx"
    onnx.save(mobilenet_v1(0.25, 64, classes=5), path)
    rng = np.random.default_rng(0)
    return quantised(path, [[rng.random((1, 3, 64, 64), np.float32)] for _ in range(2)])


@pytest.mark.parametrize("machine", MACHINES)
def test_mobilenet(machine: str, mobilenet: Compilation) -> None:
    compiled = mobilenet
    samples = [list(s) for s in compiled.lowered.samples]
    expected = execute(compiled, "interpreter", samples)
    for machine_outputs in (runner(compiled, machine).run(samples), execute(compiled, "host", samples)):
        for got, wanted in zip(machine_outputs, expected, strict=True):
            np.testing.assert_array_equal(got[0], wanted[0])
