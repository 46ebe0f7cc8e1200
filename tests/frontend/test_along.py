"""Operators that go along one dimension, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.frontend.support import build, check, example, save
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.ir.ops import Gather, TakeAlong, Where
from tinyc.ir.tensor import Array

SHAPES = [((7,), 0), ((3, 5), 1), ((2, 3, 4), 1), ((1, 6, 3, 2), 1), ((2, 3, 4, 5), -1), ((1, 4, 3, 5), -4)]


def tied(shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
    """Few numbers, so that many are equal."""
    return np.random.default_rng(3).integers(0, 4, shape).astype(dtype)


@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_arg_most(tmp_path: Path, operator: str, shape: tuple[int, ...], axis: int) -> None:
    for keep, last, dtype in [(0, 0, np.float32), (1, 1, np.float32), (1, 0, np.int8), (0, 1, np.int32)]:
        flags = {"axis": axis, "keepdims": keep, "select_last_index": last}
        node = helper.make_node(operator, ["x"], ["y"], **flags)
        check(tmp_path, [node], {"x": tied(shape, dtype)}, opset=13)
        check(tmp_path, [node], {"x": example(shape, dtype=dtype)}, opset=13)


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_top_k(tmp_path: Path, shape: tuple[int, ...], axis: int) -> None:
    for largest, dtype in [(0, np.float32), (1, np.float32), (1, np.int32), (0, np.int64)]:
        for k in {1, shape[axis] - 1, shape[axis]} - {0}:
            node = helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=axis, largest=largest)
            constants = {"k": np.array([k], np.int64)}
            check(tmp_path, [node], {"x": tied(shape, dtype)}, constants, outputs=("v", "i"))


def test_top_k_of_the_first_opset(tmp_path: Path) -> None:
    node = helper.make_node("TopK", ["x"], ["v", "i"], k=2)
    check(tmp_path, [node], {"x": example((3, 4))}, outputs=("v", "i"), opset=9)


def test_places_need_no_wrapping(tmp_path: Path) -> None:
    """What is known to be 0 or more does not count from the end."""
    nodes = [helper.make_node("ArgMax", ["x"], ["i"]), helper.make_node("GatherElements", ["x", "i"], ["y"])]
    imported = check(tmp_path, nodes, {"x": example((3, 4))})
    assert not any(isinstance(n.op, Where) for n in imported.module.nodes)


@pytest.mark.parametrize(("axis", "opset"), [(1, 11), (2, 11), (-1, 13), (0, 13), (1, 13)])
def test_hardmax(tmp_path: Path, axis: int, opset: int) -> None:
    node = helper.make_node("Hardmax", ["x"], ["y"], axis=axis)
    check(tmp_path, [node], {"x": tied((2, 3, 4))}, opset=opset)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cum_sum(tmp_path: Path, exclusive: int, reverse: int) -> None:
    node = helper.make_node("CumSum", ["x", "axis"], ["y"], exclusive=exclusive, reverse=reverse)
    for shape, axis in [*SHAPES, ((1,), 0), ((2, 1, 3), 1)]:
        for dtype in (np.float32, np.int32, np.int64):
            constants = {"axis": np.array(axis, np.int32)}
            check(tmp_path, [node], {"x": example(shape, dtype=dtype)}, constants, opset=14)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_elements(tmp_path: Path, axis: int, known: bool) -> None:
    x = example((3, 4, 5))
    indices = np.random.default_rng(1).integers(-x.shape[axis], x.shape[axis], (2, 3, 4)).astype(np.int64)
    node = helper.make_node("GatherElements", ["x", "i"], ["y"], axis=axis)
    given, constants = ({"x": x}, {"i": indices}) if known else ({"x": x, "i": indices}, {})
    imported = check(tmp_path, [node], given, constants)
    assert any(isinstance(n.op, TakeAlong) for n in imported.module.nodes)


def test_elements_that_are_whole_entries_are_gathered(tmp_path: Path) -> None:
    indices = np.broadcast_to(np.array([2, 0, -1], np.int64)[:, None], (3, 5))
    node = helper.make_node("GatherElements", ["x", "i"], ["y"], axis=1)
    imported = check(tmp_path, [node], {"x": example((2, 4, 5))}, {"i": np.stack([indices] * 2)})
    assert any(isinstance(n.op, Gather) for n in imported.module.nodes)


@pytest.mark.parametrize(
    ("node", "constants", "part"),
    [
        (helper.make_node("ArgMax", ["x"], ["y"], axis=3), {}, "axis 3 does not exist"),
        (helper.make_node("TopK", ["x", "k"], ["y", "i"]), {"k": np.array([6], np.int64)}, "is not a number of"),
        (helper.make_node("CumSum", ["x", "a"], ["y"]), {"a": np.array(2, np.int64)}, "axis 2 does not exist"),
        (
            helper.make_node("GatherElements", ["x", "i"], ["y"]),
            {"i": np.array([[3, 0]], np.int64)},
            "leave a dimension of 3",
        ),
        (helper.make_node("GatherElements", ["x", "i"], ["y"]), {"i": np.zeros((1, 6), np.int64)}, "do not fit"),
    ],
)
def test_refused(tmp_path: Path, node: Any, constants: dict[str, Array], part: str) -> None:
    model = build([node], {"x": example((3, 5))}, constants)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    with pytest.raises(FrontendError, match=part):
        load_onnx(save(model, tmp_path))
