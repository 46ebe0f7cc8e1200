"""Matrix products, reductions and normalisation against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.support import check, example
from tinyc.ir.ops import Dense, MatMul, Transpose

X = example((2, 3, 4, 5))


@pytest.mark.parametrize("opset", [7, 11, 13])
@pytest.mark.parametrize("c", [None, (), (1,), (5,), (1, 5), (3, 1), (3, 5)])
@pytest.mark.parametrize(
    ("trans_a", "trans_b", "alpha", "beta"), [(0, 0, 1.0, 1.0), (1, 1, 0.5, 2.0), (0, 1, 1.0, 0.3)]
)
def test_gemm(
    tmp_path: Path, trans_a: int, trans_b: int, alpha: float, beta: float, c: tuple[int, ...] | None, opset: int
) -> None:
    if c is None and opset < 11:
        pytest.skip("C is optional from opset 11 on")
    names = ["a", "b"] if c is None else ["a", "b", "c"]
    node = helper.make_node("Gemm", names, ["y"], transA=trans_a, transB=trans_b, alpha=alpha, beta=beta)
    a = {"a": example((4, 3) if trans_a else (3, 4))}
    rest = {"b": example((5, 4) if trans_b else (4, 5), 1)} | ({} if c is None else {"c": example(c, 2)})
    imported = check(tmp_path, [node], a, rest, opset=opset)
    assert sum(isinstance(n.op, Dense) for n in imported.module.nodes) == 1
    imported = check(tmp_path, [node], a | rest, opset=opset)
    assert sum(isinstance(n.op, MatMul) for n in imported.module.nodes) == 1


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 5)),
        ((2, 3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((2, 1, 3, 4), (3, 4, 5)),
        ((4,), (2, 4, 5)),
        ((2, 3, 4), (4,)),
    ],
)
def test_matmul(tmp_path: Path, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    check(tmp_path, [node], {"a": example(a), "b": example(b, 1)})
    imported = check(tmp_path, [node], {"a": example(a)}, {"b": example(b, 1)})
    assert any(isinstance(n.op, Dense) for n in imported.module.nodes) == (len(b) <= 2)


REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSumExp")


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axes", [None, (1,), (-1, 0), (2, 3)])
@pytest.mark.parametrize("op", REDUCTIONS)
def test_reduce(tmp_path: Path, op: str, axes: tuple[int, ...] | None, keep: int) -> None:
    # Products of 120 numbers are rounded 120 times, by us in float64.
    tolerance = 2e-5 if op == "Prod" else 2e-6
    node = helper.make_node(f"Reduce{op}", ["x"], ["y"], keepdims=keep, **({"axes": axes} if axes else {}))
    check(tmp_path, [node], {"x": X}, opset=11, tolerance=tolerance)
    node = helper.make_node(f"Reduce{op}", ["x", "a"] if axes else ["x"], ["y"], keepdims=keep)
    constants = {"a": np.array(axes, np.int64)} if axes else {}
    check(tmp_path, [node], {"x": X}, constants, opset=18, tolerance=tolerance)


def test_reduce_log_sum(tmp_path: Path) -> None:
    check(tmp_path, [helper.make_node("ReduceLogSum", ["x"], ["y"], axes=[1])], {"x": np.abs(X)}, opset=13)


def test_reduce_nothing(tmp_path: Path) -> None:
    for op in ("ReduceSum", "ReduceSumSquare"):
        node = helper.make_node(op, ["x"], ["y"], noop_with_empty_axes=1)
        check(tmp_path, [node], {"x": X}, opset=18 if op == "ReduceSumSquare" else 13)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMin"])
def test_reduce_integers(tmp_path: Path, op: str) -> None:
    node = helper.make_node(op, ["x"], ["y"], axes=[1], keepdims=0)
    check(tmp_path, [node], {"x": example((3, 4), 0, np.int32)}, opset=12)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1])
@pytest.mark.parametrize("opset", [7, 11, 13])
def test_softmax(tmp_path: Path, op: str, axis: int | None, opset: int) -> None:
    node = helper.make_node(op, ["x"], ["y"], **({} if axis is None else {"axis": axis}))
    check(tmp_path, [node], {"x": example((2, 3, 4))}, opset=11 if opset == 7 and axis == -1 else opset)


def test_softmax_before_single_dimensions_is_not_transposed(tmp_path: Path) -> None:
    for opset in (11, 13):
        imported = check(
            tmp_path, [helper.make_node("Softmax", ["x"], ["y"], axis=1)], {"x": example((1, 9, 1, 1))}, opset=opset
        )
        assert not any(isinstance(n.op, Transpose) for n in imported.module.nodes)


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 5), (1, 3, 5, 4), (1, 3, 2, 2, 2)])
def test_batch_norm(tmp_path: Path, shape: tuple[int, ...], opset: int) -> None:
    names = ("scale", "bias", "mean", "variance")
    constants = {n: np.abs(example((3,), k)) + 0.1 for k, n in enumerate(names, 1)}
    node = helper.make_node("BatchNormalization", ["x", *names], ["y"], epsilon=1e-3)
    check(tmp_path, [node], {"x": example(shape)}, constants, opset=opset)


@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 3, 5, 4)])
def test_instance_norm(tmp_path: Path, shape: tuple[int, ...]) -> None:
    node = helper.make_node("InstanceNormalization", ["x", "s", "b"], ["y"], epsilon=1e-3)
    check(tmp_path, [node], {"x": example(shape)}, {"s": example((3,), 1), "b": example((3,), 2)})


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_layer_norm(tmp_path: Path, axis: int) -> None:
    shape = (2, 3, 4)[axis:]
    node = helper.make_node("LayerNormalization", ["x", "s", "b"], ["y", "m", "d"], axis=axis)
    constants = {"s": example(shape, 1), "b": example(shape, 2)}
    check(tmp_path, [node], {"x": example((2, 3, 4))}, constants, outputs=("y", "m", "d"))


@pytest.mark.parametrize(("opset", "entries"), [(18, 2), (21, 4)])
def test_group_norm(tmp_path: Path, opset: int, entries: int) -> None:
    node = helper.make_node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=2)
    check(
        tmp_path,
        [node],
        {"x": example((1, 4, 3, 3))},
        {"s": example((entries,), 1), "b": example((entries,), 2)},
        opset=opset,
    )


@pytest.mark.parametrize("attributes", [{"size": 3}, {"size": 5, "alpha": 0.5, "beta": 0.6, "bias": 2.0}])
def test_lrn(tmp_path: Path, attributes: dict[str, Any]) -> None:
    check(tmp_path, [helper.make_node("LRN", ["x"], ["y"], **attributes)], {"x": example((1, 6, 3, 4))})


@pytest.mark.parametrize("p", [1, 2])
def test_lp_norm(tmp_path: Path, p: int) -> None:
    check(tmp_path, [helper.make_node("LpNormalization", ["x"], ["y"], p=p, axis=1)], {"x": example((3, 4, 2))})


def test_composite_by_onnx_definition(tmp_path: Path) -> None:
    node = helper.make_node("MeanVarianceNormalization", ["x"], ["y"])
    check(tmp_path, [node], {"x": example((1, 3, 4, 5))}, opset=13, tolerance=1e-5)
