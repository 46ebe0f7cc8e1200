"""Whole models compiled with a kernel library: equal to the interpreter on every layer, bit for bit in int8.

They are linked with the small implementations of tests/kernels, and in slow tests with the real libraries, where
ESP_NN_PATH and ESP_DSP_PATH name folders in which these were built for this computer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import tinyc
from benchmarks.networks import Graph, mobilenet_v1
from tests.helpers import ROOT, model
from tests.kernels.support import build, real
from tests.sampling import ALL
from tinyc.backends.interpreter import run_program
from tinyc.backends.runners import HostRunner
from tinyc.backends.runners.linked import VARIABLES
from tinyc.compiler.data.calibration import Calibration
from tinyc.compiler.session import Compilation
from tinyc.ir import DType
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array

LENET = ROOT / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
QUANTISED = ("micro_kws_m_qdq", "micro_kws_m_qoperator_std", "mnist_convinteger_dynq")
"""Those of the public models that have int8 layers. The layers of other quantised ones stay float, or are int32."""
FLOAT = 1e-6
"""Float layers in the C: sums in float32 in another order than the interpreter's in float64, relative to the largest
element of a layer's result, for layers of up to some hundred terms."""


@pytest.fixture(params=["small", pytest.param("real", marks=pytest.mark.slow)])
def which(request: pytest.FixtureRequest) -> str:
    """The implementation that code is linked with."""
    return str(request.param)


def use(name: str, which: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Lets code be linked with an implementation of a library."""
    path = build(folder / "library", name) if which == "small" else real(name)
    monkeypatch.setenv(VARIABLES[name], str(path))


def random_images(shape: tuple[int, ...], count: int) -> list[list[Array]]:
    """Smooth images with some noise, channels last."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        noise = rng.random((1, -(-shape[1] // 8), -(-shape[2] // 8), shape[3]))
        image = noise.repeat(8, 1).repeat(8, 2)[:, : shape[1], : shape[2]] + 0.1 * rng.standard_normal(shape)
        found.append([np.clip(image, 0, 1).astype(np.float32)])
    return found


def quantised(path: Path, shape: tuple[int, ...], **options: Any) -> Compilation:
    """A float model quantised and compiled."""
    data = Calibration(random_images(shape, 4))
    choice = tinyc.QuantiseOptions(data, input_type="int8", output_type="int8")
    return tinyc.compile(path, quantise=choice, input_layout="nhwc", **options)


def mobilenet(folder: Path, **options: Any) -> Compilation:
    """MobileNetV1 0.25 for 64x64 pixels in int8."""
    path = folder / "mobilenet.onnx"
    onnx.save(mobilenet_v1(0.25, 64, classes=5), path)
    return quantised(path, (1, 64, 64, 3), **options)


def stages_of(program: RowProgram, inputs: list[Array]) -> dict[int, Array]:
    """The results of all stages in the interpreter."""
    found: dict[int, Array] = {}
    run_program(program, inputs, lambda number, array: found.update({number: array.copy()}))
    return found


def assert_equal(found: Compilation, library: str) -> int:
    """Asserts that every layer's result is the interpreter's, and gives the number of layers that the library
    computes."""
    assert not any("not verified" in note for note in found.notes)
    assert [v.executor for v in found.verdicts] == ["interpreter", "host"]
    program, runner = found.program, HostRunner(found.source)
    for sample in found.lowered.samples[:2]:
        want = stages_of(program, list(sample))
        for number, array in runner.trace(list(sample)).items():
            stage, expected = program.stages[number], want[number].reshape(array.shape)
            if stage.result.dtype is DType.F32:
                limit = FLOAT * max(1.0, float(np.abs(expected).max(initial=0.0)))
                np.testing.assert_allclose(array, expected, rtol=0, atol=limit, err_msg=stage.where)
            else:
                np.testing.assert_array_equal(array, expected, err_msg=stage.where)
    return sum(s.kernel.library == library for s in program.stages)


@pytest.mark.parametrize("target", ["esp32", pytest.param("esp32s3", marks=pytest.mark.slow)])
def test_mobile_lenet(target: str, which: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use("esp-nn", which, monkeypatch, tmp_path)
    found = quantised(LENET, (1, 28, 28, 1), kernels="esp-nn", target=target)
    assert assert_equal(found, "esp-nn") >= 14
    assert found.source.libraries == ("esp-nn",)
    assert found.source.arena_bytes <= {"esp32": 3_912, "esp32s3": 5_536}[target]
    assert {layer["kernels"] for layer in found.report["layers"]} <= {"tinyc", "esp-nn"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "options"),
    [
        *((target, {"kernels": "esp-nn"}) for target in ("esp32", "esp32p4", *(["esp32s3"] if ALL else []))),
        ("esp32p4", {"kernels": "auto"}),
        ("esp32", {"kernels": "esp-nn", "ram": 20_000}),
    ],
)
def test_mobilenet(
    target: str, options: dict[str, Any], which: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use("esp-nn", which, monkeypatch, tmp_path)
    found = mobilenet(tmp_path, target=target, **options)
    count = assert_equal(found, "esp-nn")
    assert count >= 5
    assert found.source.arena_bytes <= options.get("ram", 1 << 20)
    if options["kernels"] == "auto":
        own = mobilenet(tmp_path, target=target)
        assert found.source.arena_bytes == own.source.arena_bytes


@pytest.mark.slow
@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_models(name: str, which: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use("esp-nn", which, monkeypatch, tmp_path)
    found = tinyc.compile(model(f"{name}.onnx"), kernels="esp-nn", target="esp32")
    assert assert_equal(found, "esp-nn") > 0


@pytest.mark.parametrize("target", ["esp32s3", pytest.param("host", marks=pytest.mark.slow)])
def test_float_mobile_lenet(target: str, which: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the least memory rows of 14 pixels are no products of matrices with vectors, maps of 196 pixels are."""
    use("esp-dsp", which, monkeypatch, tmp_path)
    found = tinyc.compile(LENET, kernels="esp-dsp", target=target, input_layout="nhwc")
    assert assert_equal(found, "esp-dsp") >= 3
    assert found.source.arena_bytes <= 13_000
    found = tinyc.compile(LENET, kernels="esp-dsp", target=target, input_layout="nhwc", ram="16K")
    assert assert_equal(found, "esp-dsp") >= 5
    assert found.source.libraries == ("esp-dsp",)


def test_auto_without_vectors_is_generic(tmp_path: Path) -> None:
    """Where no library is faster, schedule and code are those without any."""
    own = tinyc.compile(LENET, target="esp32c3", verify=False, input_layout="nhwc")
    auto = tinyc.compile(LENET, target="esp32c3", kernels="auto", verify=False, input_layout="nhwc")
    assert auto.source.files == own.source.files
    assert auto.source.libraries == ()


def test_auto_is_generic_where_ours_have_vectors(tmp_path: Path) -> None:
    """On ESP32-S3 our int8 kernels take fewer instructions: 25,264 bytes of arena were once given for more of them."""
    own = quantised(LENET, (1, 28, 28, 1), target="esp32s3", verify=False)
    auto = quantised(LENET, (1, 28, 28, 1), target="esp32s3", kernels="auto", verify=False)
    assert auto.source.files == own.source.files
    assert auto.source.arena_bytes == 2_968


def test_auto_takes_what_is_faster_for_no_more_memory() -> None:
    """ESP-DSP multiplies float matrices by vectors: behind a large image there is room for whole operands. What it
    saves of a network of other layers is not worth the dependency."""
    graph = Graph("pixels", (1, 32, 32, 32))
    graph.add("MaxPool", "pool", kernel_shape=[4, 4], strides=[4, 4])
    for number in range(3):
        graph.conv(f"pixels_{number}", graph.random(32, 32, 1, 1))
    pixels = graph.model((1, 32, 8, 8))
    for given, libraries in ((pixels, ("esp-dsp",)), (LENET, ())):
        own = tinyc.compile(given, target="esp32s3", verify=False, input_layout="nhwc")
        auto = tinyc.compile(given, target="esp32s3", kernels="auto", verify=False, input_layout="nhwc")
        assert auto.source.libraries == libraries
        assert auto.source.arena_bytes == own.source.arena_bytes
