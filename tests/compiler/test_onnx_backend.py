"""ONNX's backend interface: what is written for it runs tinyc."""

from __future__ import annotations

import unittest

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.backend.test import BackendTest
from onnx.backend.test.runner import BackendIsNotSupposedToImplementIt

from benchmarks.onnx_tests import CONSTANT, PASSED, REFUSED, all_of, main
from tinyc import onnx_backend
from tinyc.onnx_backend import Interpreter

# ONNX makes its tests' data with overflows and divisions by zero.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

BACKENDS = {"c": onnx_backend.C, "interpreter": Interpreter}


@pytest.mark.parametrize("name", BACKENDS)
def test_onnx_s_own_runner(name: str) -> None:
    tests = BackendTest(BACKENDS[name], __name__)
    tests.include("^test_(add|relu|reshape_reduced_dims|and_bcast3v1d|lstm_defaults|operator_params)_cpu$")
    cases = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in tests.test_cases.values()
    )
    result = unittest.TestResult()
    cases.run(result)
    assert result.wasSuccessful(), [text for _, text in (*result.failures, *result.errors)]
    ran = result.testsRun - len(result.skipped)
    assert ran == 6


def reshape() -> onnx.ModelProto:
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6])]
    ports.append(helper.make_tensor_value_info("shape", TensorProto.INT64, [2]))
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    graph = helper.make_graph([node], "g", ports, [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b"])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_inputs_that_have_to_be_known_are_constants() -> None:
    """Each run's own."""
    prepared = Interpreter.prepare(reshape())
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    for shape in ((3, 4), (12, 1)):
        (y,) = prepared.run([x, np.array(shape)])
        np.testing.assert_array_equal(y, x.reshape(shape))
        assert prepared.constants == ("shape",)
    (y,) = prepared.run({"x": x, "shape": np.array((4, 3))})
    assert y.shape == (4, 3)


def test_half_floats_are_given_as_such() -> None:
    x = np.array([1.5, -2.0], np.float16)
    (y,) = Interpreter.run_node(helper.make_node("Neg", ["x"], ["y"]), [x], outputs_info=[(np.float16, (2,))])
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, -x)


def test_what_it_does_not_take_is_said_as_onnx_s_runner_expects() -> None:
    node = helper.make_node("Neg", ["x"], ["y"])
    one = np.ones(3, np.float32)
    with pytest.raises(BackendIsNotSupposedToImplementIt, match="`outputs_info`"):
        onnx_backend.run_node(node, [one])
    with pytest.raises(BackendIsNotSupposedToImplementIt, match="no device 'CUDA'"):
        onnx_backend.prepare(reshape(), "CUDA")
    with pytest.raises(BackendIsNotSupposedToImplementIt, match="'shape' is no tensor"):
        onnx_backend.run_model(reshape(), [one])
    text = helper.make_node("StringNormalizer", ["x"], ["y"])
    with pytest.raises(BackendIsNotSupposedToImplementIt, match="StringNormalizer"):
        onnx_backend.run_node(text, [one], outputs_info=[(np.float32, (3,))])
    assert onnx_backend.supports_device("CPU")
    assert not onnx_backend.supports_device("CUDA")


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    found = {r.name: r for r in all_of(["node"], "interpreter", ["reshape_one_dim", "test_neg", "optional_get"], 1)}
    assert found["test_neg"].outcome == PASSED
    assert (found["test_reshape_one_dim"].outcome, found["test_reshape_one_dim"].constants) == (CONSTANT, ("shape",))
    refused = found["test_optional_get_element_sequence"]
    assert (refused.outcome, refused.reason) == (REFUSED, "sequences, optional values and maps")
    assert main(["--executor", "interpreter", "--kind", "simple", "--processes", "1", "--list", "sequence"]) == 0
    assert "refused: test_sequence_model1" in capsys.readouterr().out
