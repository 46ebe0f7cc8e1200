"""Operators that take or put elements by several numbers each, against onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.frontend.support import build, check, example, save
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.ir.tensor import Array

RNG = np.random.default_rng(2)


def numbers(shape: tuple[int, ...], *sizes: int) -> Array:
    """Vectors of numbers, one for each size, some of which count from the end."""
    return np.stack([RNG.integers(-n, n, shape) for n in sizes], axis=-1).astype(np.int64)


def split(known: bool, inputs: dict[str, Array], others: dict[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    return (inputs, others) if known else ({**inputs, **others}, {})


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("lead", "depth", "batches"), [((3,), 1, 0), ((2, 3), 2, 0), ((), 3, 0), ((2, 3), 1, 1), ((2, 3), 1, 2)]
)
def test_gather_nd(tmp_path: Path, lead: tuple[int, ...], depth: int, batches: int, known: bool) -> None:
    x = example((2, 3, 4))
    indices = numbers(lead, *x.shape[batches : batches + depth])
    node = helper.make_node("GatherND", ["x", "i"], ["y"], batch_dims=batches)
    check(tmp_path, [node], *split(known, {"x": x}, {"i": indices}))


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("known", [False, True])
def test_scatter_nd(tmp_path: Path, known: bool, reduction: str) -> None:
    x = example((4, 3, 5))
    for depth in (1, 2, 3):
        indices = np.unique(numbers((4,), *x.shape[:depth]) % np.array(x.shape[:depth]), axis=0)
        if reduction != "none":  # several updates of one entry have an order, or none that matters
            indices = np.concatenate([indices, indices[:1]])
        updates = example((len(indices), *x.shape[depth:]), seed=4)
        node = helper.make_node("ScatterND", ["x", "i", "u"], ["y"], reduction=reduction)
        check(tmp_path, [node], *split(known, {"x": x, "u": updates}, {"i": indices}), opset=18)


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scatter_elements(tmp_path: Path, axis: int, reduction: str) -> None:
    x, shape = example((4, 3, 5)), [2, 2, 3]
    shape[axis] = 3
    indices = np.argsort(RNG.random(shape), axis=axis).astype(np.int64)
    node = helper.make_node("ScatterElements", ["x", "i", "u"], ["y"], axis=axis, reduction=reduction)
    for known in (False, True):
        given = split(known, {"x": x, "u": example(shape, seed=4)}, {"i": indices - (indices > 1) * x.shape[axis]})
        check(tmp_path, [node], *given, opset=18)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(tmp_path: Path, axis: int) -> None:
    indices = np.array([[0, 3, -1], [4, -4, 2]], np.int64)
    node = helper.make_node("OneHot", ["x", "d", "v"], ["y"], axis=axis)
    for values in (np.array([0.0, 1.0], np.float32), np.array([-2, 7], np.int64)):
        check(tmp_path, [node], {"x": indices}, {"d": np.array(4, np.int64), "v": values}, opset=11)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_compress(tmp_path: Path, axis: int | None) -> None:
    node = helper.make_node("Compress", ["x", "c"], ["y"], **({} if axis is None else {"axis": axis}))
    for condition in ([1, 0, 1], [0, 1, 1], [0, 0], [1, 1, 0]):
        check(tmp_path, [node], {"x": example((3, 4))}, {"c": np.array(condition, np.bool_)}, opset=11)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("batch", "time"), [(0, 1), (1, 0)])
def test_reverse_sequence(tmp_path: Path, batch: int, time: int, known: bool) -> None:
    x = example((3, 4, 2))
    lengths = RNG.integers(1, x.shape[time] + 1, x.shape[batch]).astype(np.int64)
    node = helper.make_node("ReverseSequence", ["x", "n"], ["y"], batch_axis=batch, time_axis=time)
    check(tmp_path, [node], *split(known, {"x": x}, {"n": lengths}), opset=10)


@pytest.mark.parametrize(
    ("operator", "others", "part"),
    [
        ("GatherND", {"i": numbers((2,), 3, 5, 2)}, "name no entries"),
        ("GatherND", {"i": np.array([[0, 7]], np.int64)}, "leave a dimension of 5"),
        ("ScatterND", {"i": numbers((2,), 3), "u": example((2, 4))}, "updates"),
        ("ScatterElements", {"i": np.zeros((4, 1), np.int64), "u": example((4, 2))}, "do not fit"),
        ("OneHot", {"d": np.array(0, np.int64), "v": np.array([0, 1], np.int64)}, "1 or more"),
        ("Compress", {"c": np.ones(16, np.bool_)}, "condition of shape"),
        ("ReverseSequence", {"n": np.ones(3, np.int64)}, "lengths one for each batch"),
    ],
)
def test_refused(tmp_path: Path, operator: str, others: dict[str, Array], part: str) -> None:
    model = build([helper.make_node(operator, ["x", *others], ["y"])], {"x": example((3, 5))}, others)
    with pytest.raises(FrontendError, match=part):
        load_onnx(save(model, tmp_path))


def test_a_condition_that_is_computed_is_refused(tmp_path: Path) -> None:
    inputs = {"x": example((3, 5)), "c": np.ones(3, np.bool_)}
    model = build([helper.make_node("Compress", ["x", "c"], ["y"], axis=0)], inputs)
    with pytest.raises(FrontendError, match="condition is computed from the model's inputs"):
        load_onnx(save(model, tmp_path))
