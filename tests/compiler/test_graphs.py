"""Models with what broadcasts along channels, and with one value as several outputs, through the driver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinyc
from tests.helpers import DATA
from tests.sessions import open_onnxruntime
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.session import quantize


def case(name: str) -> Path:
    path = DATA / "cases" / "compile" / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    return path


def test_a_scale_of_channels_first_channels_streams_and_agrees() -> None:
    for options in ({}, {"rows_from": "argument"}, {"cores": 2, "target": "esp32s3"}):
        result = tinyc.compile(case("broadcast_channel_scale"), **options)
        assert [v.max_abs_error for v in result.verdicts] == [0.0, 0.0]
    # A row of the product: the input is read where it lies.
    assert tinyc.compile(case("broadcast_channel_scale"), rows_from="argument").source.arena_bytes == 9 * 7 * 4


def test_one_value_as_two_outputs() -> None:
    result = tinyc.compile(case("two_equal_outputs"))
    assert [v.passed for v in result.verdicts] == [True, True]
    x = [np.random.default_rng(0).standard_normal((1, 2, 6, 6)).astype(np.float32)]
    for executor in ("interpreter", "host"):
        ((y, z),) = tinyc.execute(result, executor, [x])
        np.testing.assert_array_equal(y, z)


def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.random.default_rng(0).standard_normal((8, 2, 6, 6)).astype(np.float32))
    return path


@pytest.mark.parametrize("output_type", ["float32", "int8"])
def test_one_value_as_two_outputs_is_quantised(tmp_path: Path, output_type: str) -> None:
    options = QuantiseOptions(data(tmp_path), output_type=output_type)  # type: ignore[arg-type]
    result = tinyc.compile(case("two_equal_outputs"), quantise=options)
    ((y, z),) = tinyc.execute(result, "host", result.lowered.samples[:1])
    np.testing.assert_array_equal(y, z)
    assert y.dtype == np.dtype(output_type)


def test_one_value_as_two_outputs_is_exported(tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    quantize(case("two_equal_outputs"), out, QuantiseOptions(data(tmp_path)))
    feeds = {"x": np.load(tmp_path / "data.npz")["x"][:1]}
    y, z = open_onnxruntime(out).run(None, feeds)
    np.testing.assert_array_equal(y, z)


def test_a_lone_prelu_has_a_slope_a_channel(tmp_path: Path) -> None:
    slopes = numpy_helper.from_array(np.asarray([0.1, -0.5, 2.0], np.float32).reshape(3, 1, 1), "s")
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("PRelu", ["x", "s"], ["y"])],
        "g",
        [port("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [port("y", TensorProto.FLOAT, [1, 3, 8, 8])],
        [slopes],
    )
    path = tmp_path / "prelu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), path)
    for verify in (True, False):
        result = tinyc.compile(path, verify=verify)
        x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
        (expected,) = open_onnxruntime(path).run(None, {"x": x})
        np.testing.assert_array_equal(tinyc.execute(result, "host", [[x]])[0][0], expected)


def test_rows_are_asked_for_before_a_constant_output_is_copied(tmp_path: Path) -> None:
    port = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Identity", ["c"], ["z"]),
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Add", ["r", "s"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [port("x", TensorProto.FLOAT, [1, 6, 4, 3]), port("s", TensorProto.FLOAT, [6, 1, 1])],
        [port("z", TensorProto.FLOAT, [2]), port("y", TensorProto.FLOAT, [1, 6, 4, 3])],
        [numpy_helper.from_array(np.asarray([3.0, 4.0], np.float32), "c")],
    )
    path = tmp_path / "callback.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8), path)
    result = tinyc.compile(path, rows_from="callback")
    assert [v.max_abs_error for v in result.verdicts] == [0.0, 0.0]
    assert result.program.takes_rows(result.program.stages[0])
