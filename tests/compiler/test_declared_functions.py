"""A function that is an operator by its declaration alone, through everything: int8 tables, and the export of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import tinyc
from tests.frontend.support import build, save
from tinyc.ir.ops import Lookup


@pytest.fixture
def between_convolutions(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A model with a function between two convolutions, and calibration data beside it."""
    rng = np.random.default_rng(4)
    nodes = [
        helper.make_node("Conv", ["x", "v"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node(request.param, ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w"], ["y"]),
    ]
    weights = {"v": rng.normal(size=(4, 3, 3, 3)) / 8, "w": rng.normal(size=(2, 4, 1, 1))}
    x = rng.uniform(-1, 1, size=(20, 3, 8, 8)).astype(np.float32)
    np.save(tmp_path / "samples.npy", x)
    return save(build(nodes, {"x": x[:1]}, {k: w.astype(np.float32) for k, w in weights.items()}), tmp_path)


@pytest.mark.parametrize("between_convolutions", ["Sin", "Cos", "Atan", "Sinh", "Cosh"], indirect=True)
def test_a_function_becomes_a_table(between_convolutions: Path, tmp_path: Path) -> None:
    options = tinyc.QuantiseOptions(tmp_path / "samples.npy")
    compiled = tinyc.compile(between_convolutions, quantise=options)
    assert [type(s.op) for s in compiled.program.stages].count(Lookup) == 1
    assert [v.executor for v in compiled.verdicts if v.passed] == ["interpreter", "host"]
    assert compiled.quality is not None
    # Steps of 1/255 of the range are noise 40 dB and more below the numbers. Four tensors are rounded, which is 6 dB,
    # and a function that grows quickly makes the noise before it larger.
    assert compiled.quality.sqnr > 32


@pytest.mark.parametrize("between_convolutions", ["Sin", "Cos"], indirect=True)
def test_a_quantised_model_is_exported_and_read_again(between_convolutions: Path, tmp_path: Path) -> None:
    written = tmp_path / "q.onnx"
    tinyc.quantize(between_convolutions, written, tinyc.QuantiseOptions(tmp_path / "samples.npy"))
    own = {n.op_type for n in onnx.load(between_convolutions).graph.node}
    exported = {n.op_type for n in onnx.load(written).graph.node}
    assert exported == own | {"QuantizeLinear", "DequantizeLinear"}
    compiled = tinyc.compile(written)
    assert [type(s.op) for s in compiled.program.stages].count(Lookup) == 1
    assert all(v.passed for v in compiled.verdicts)
