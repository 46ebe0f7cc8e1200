"""Networks that end in the places of their largest results: masks of images, classes, the best few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import helper

import tinyc
from tests.frontend.support import build
from tinyc.compiler.options import Options
from tinyc.compiler.session import Session
from tinyc.ir import DType
from tinyc.ir.tensor import Array

RNG = np.random.default_rng(7)
SHAPE = (1, 3, 12, 10)


def image() -> Array:
    return RNG.standard_normal(SHAPE).astype(np.float32)


Nodes = Sequence[onnx.NodeProto]


def segmentation(last: Nodes, outputs: Sequence[str] = ("y",), **constants: Array) -> onnx.ModelProto:
    """Two convolutions, c of five channels, and what comes behind them."""
    shapes = {"w": (6, 3, 3, 3), "v": (5, 6, 1, 1)}
    weights = {name: (RNG.standard_normal(shape) / 4).astype(np.float32) for name, shape in shapes.items()}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "v"], ["c"]),
    ]
    return build([*nodes, *last], {"x": image()}, {**weights, **constants}, outputs)


MASK = helper.make_node("ArgMax", ["c"], ["y"], axis=1, keepdims=0)
BEST = helper.make_node("TopK", ["c", "k"], ["v2", "y"], axis=1)


@pytest.mark.parametrize("quantised", [False, True])
def test_a_mask_leaves_row_by_row(quantised: bool) -> None:
    """In a few rows of memory, and in int8 nothing but int8 is compared."""
    how = tinyc.QuantiseOptions([[image()] for _ in range(4)]) if quantised else None
    compiled = tinyc.compile(segmentation([MASK]), target="esp32", rows_to="callback", quantise=how)
    assert all(v.passed for v in compiled.verdicts)
    made = Session(segmentation([MASK]), Options(target="esp32", rows_to="callback", quantise=how, verify=False))
    lowered = made.lowered
    assert not lowered.leftovers
    (stage,) = (s for s in lowered.program.stages if s.op.mnemonic == "arg_max")
    assert stage.windows
    assert stage.op.operands[0].dtype is (DType.I8 if quantised else DType.F32)
    assert compiled.report["ram"]["arena_bytes"] < stage.op.operands[0].type.bytes


def test_the_best_few_in_int8_are_those_of_the_int8_values() -> None:
    k = np.array([2], np.int64)
    how = tinyc.QuantiseOptions([[image()] for _ in range(4)])
    compiled = tinyc.compile(segmentation([BEST], ("v2", "y", "c"), k=k), target="esp32", quantise=how)
    found = compiled(image(), on="host")
    order = np.argsort(~found["c"], axis=1, kind="stable")[:, :2]
    np.testing.assert_array_equal(found["y"], order)
    np.testing.assert_array_equal(found["v2"], np.take_along_axis(found["c"], order, axis=1))


def test_a_table_in_front_of_a_ranking_is_in_int8() -> None:
    nodes = [helper.make_node("Sigmoid", ["c"], ["s"]), helper.make_node("ArgMax", ["s"], ["y"], axis=1)]
    how = tinyc.QuantiseOptions([[image()] for _ in range(4)])
    assert not Session(segmentation(nodes), Options(quantise=how, verify=False)).lowered.leftovers


def test_equal_and_missing_numbers_in_c() -> None:
    """The first of equal ones, or the last; NaN above infinity: the C does what the interpreter says."""
    nodes = [
        helper.make_node("Add", ["given", "special"], ["x"]),
        helper.make_node("ArgMax", ["x"], ["a"], axis=1),
        helper.make_node("ArgMax", ["x"], ["b"], axis=1, select_last_index=1),
        helper.make_node("ArgMin", ["x"], ["c"], axis=1),
        helper.make_node("ArgMin", ["x"], ["d"], axis=1, select_last_index=1),
        helper.make_node("TopK", ["x", "k"], ["e", "f"], axis=1),
        helper.make_node("TopK", ["x", "k"], ["g", "h"], axis=1, largest=0),
    ]
    nan, inf = np.nan, np.inf
    x = np.array(
        [[1, 2, 2, 0, 0], [nan, 1, nan, -inf, 3], [inf, nan, inf, 0, -inf], [nan] * 5, [0.0, -0.0, 0.0, -0.0, 0.0]]
    ).astype(np.float32)
    given, special = (np.where(np.isfinite(x) == keep, x, np.float32(-0.0)) for keep in (True, False))
    model = build(nodes, {"given": given}, {"k": np.array([5], np.int64), "special": special}, "abcdefgh", opset=13)
    compiled = tinyc.compile(model, verify=False)
    here, there = compiled(given), compiled(given, on="host")
    for name, array in here.items():
        np.testing.assert_array_equal(there[name], array, err_msg=name)
    assert here["a"].reshape(-1).tolist() == [1, 0, 1, 0, 0]
    assert here["b"].reshape(-1).tolist() == [2, 2, 1, 4, 4]
    assert here["c"].reshape(-1).tolist() == [3, 3, 4, 0, 0]
    assert here["d"].reshape(-1).tolist() == [4, 3, 4, 4, 4]
    assert here["f"].tolist() == [[1, 2, 0, 3, 4], [0, 2, 4, 1, 3], [1, 0, 2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert here["h"].tolist() == [[3, 4, 0, 1, 2], [3, 1, 4, 0, 2], [4, 3, 0, 2, 1], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


def test_indices_out_of_range_stay_within_the_operand() -> None:
    """Of the entries there are the nearest one is taken, or put something into."""
    nodes = [
        helper.make_node("GatherElements", ["x", "i"], ["a"]),
        helper.make_node("GatherND", ["x", "j"], ["b"]),
        helper.make_node("ScatterND", ["x", "j", "u"], ["c"]),
    ]
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    feeds = {
        "x": x,
        "i": np.array([[7, -9]], np.int64),
        "j": np.array([[5, -9], [-8, 9]], np.int64),
        "u": np.array([10, 20], np.float32),
    }
    compiled = tinyc.compile(build(nodes, feeds, {}, ["a", "b", "c"]), verify=False)
    for on in ("interpreter", "host"):
        found = compiled(**feeds, on=on)
        assert found["a"].tolist() == [[4, 1]]
        assert found["b"].tolist() == [4, 1]
        assert found["c"].tolist() == [[0, 20], [2, 3], [10, 5]]
