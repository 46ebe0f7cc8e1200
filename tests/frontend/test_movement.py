"""Operators that move data, against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.support import check, example
from tinyc.ir.ops import Gather, Slice

X = example((2, 3, 4, 5))


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


@pytest.mark.parametrize("shape", [(6, 20), (0, -1), (2, 0, -1), (-1,), (1, 2, 3, 2, 2, 5)])
def test_reshape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    node = helper.make_node("Reshape", ["x", "s"], ["y"])
    check(tmp_path, [node], {"x": X}, {"s": ints(*shape)}, opset=7)


def test_reshape_by_shape_arithmetic(tmp_path: Path) -> None:
    """What PyTorch exports for x.view(x.size(0), -1) leaves one reshape."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n"], ["u"], axes=[0]),
        helper.make_node("Concat", ["u", "rest"], ["t"], axis=0),
        helper.make_node("Reshape", ["x", "t"], ["y"]),
    ]
    imported = check(tmp_path, nodes, {"x": X}, {"zero": np.array(0, np.int64), "rest": ints(-1)}, opset=9)
    assert [n.op.mnemonic for n in imported.module.nodes] == ["reshape"]


@pytest.mark.parametrize("axis", [0, 1, 2, 4, -1])
def test_flatten(tmp_path: Path, axis: int) -> None:
    check(tmp_path, [helper.make_node("Flatten", ["x"], ["y"], axis=axis)], {"x": X}, opset=11)


def test_squeeze_and_unsqueeze(tmp_path: Path) -> None:
    x = example((1, 3, 1, 4))
    check(tmp_path, [helper.make_node("Squeeze", ["x"], ["y"])], {"x": x}, opset=7)
    check(tmp_path, [helper.make_node("Squeeze", ["x"], ["y"], axes=[2])], {"x": x}, opset=11)
    check(tmp_path, [helper.make_node("Squeeze", ["x", "a"], ["y"])], {"x": x}, {"a": ints(0, -2)}, opset=13)
    check(tmp_path, [helper.make_node("Unsqueeze", ["x"], ["y"], axes=[0, 3])], {"x": x}, opset=11)
    check(tmp_path, [helper.make_node("Unsqueeze", ["x", "a"], ["y"])], {"x": x}, {"a": ints(-1, 1)}, opset=13)


@pytest.mark.parametrize("perm", [None, (0, 2, 3, 1), (3, 0, 1, 2)])
def test_transpose(tmp_path: Path, perm: tuple[int, ...] | None) -> None:
    check(tmp_path, [helper.make_node("Transpose", ["x"], ["y"], **({"perm": perm} if perm else {}))], {"x": X})


@pytest.mark.parametrize("shape", [(2, 3, 4), (3, 1), (1,), (5, 1, 3, 4)])
def test_expand(tmp_path: Path, shape: tuple[int, ...]) -> None:
    node = helper.make_node("Expand", ["x", "s"], ["y"])
    check(tmp_path, [node], {"x": example((3, 1))}, {"s": ints(*shape)}, opset=8)


def test_tile(tmp_path: Path) -> None:
    node = helper.make_node("Tile", ["x", "r"], ["y"])
    check(tmp_path, [node], {"x": example((2, 3, 4))}, {"r": ints(2, 1, 3)})


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(tmp_path: Path, axis: int) -> None:
    check(tmp_path, [helper.make_node("Concat", ["a", "b", "a"], ["y"], axis=axis)], {"a": X, "b": X + 1})


@pytest.mark.parametrize(("mode", "opset"), [("DCR", 11), ("CRD", 11), ("DCR", 13)])
def test_depth_to_space(tmp_path: Path, mode: str, opset: int) -> None:
    node = helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)
    check(tmp_path, [node], {"x": example((1, 8, 3, 2))}, opset=opset)


def test_space_to_depth(tmp_path: Path) -> None:
    check(tmp_path, [helper.make_node("SpaceToDepth", ["x"], ["y"], blocksize=2)], {"x": example((1, 2, 4, 6))})


def test_identity_and_dropout(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["x"], ["i"]), helper.make_node("Dropout", ["i"], ["d"])]
    nodes.append(helper.make_node("Relu", ["d"], ["y"]))
    for opset in (7, 13):
        assert len(check(tmp_path, nodes, {"x": X}, opset=opset).module.nodes) == 1


@pytest.mark.parametrize(
    ("indices", "op"),
    [
        (2, Slice),
        (-1, Slice),
        ([1, 2], Slice),
        ([2, 0], Slice),
        ([3, 2, 1], Slice),
        ([0, 3, 1], Gather),
        ([[0, 3], [1, -2]], Gather),
        ([1, 1], Gather),
    ],
)
def test_gather(tmp_path: Path, indices: Any, op: type) -> None:
    node = helper.make_node("Gather", ["x", "i"], ["y"], axis=2)
    imported = check(tmp_path, [node], {"x": X}, {"i": np.array(indices, np.int64)}, opset=11)
    assert any(isinstance(n.op, op) for n in imported.module.nodes)


def test_gather_by_computed_indices(tmp_path: Path) -> None:
    node = helper.make_node("Gather", ["x", "i"], ["y"])
    check(tmp_path, [node], {"i": np.array([[0, 4], [-1, -5]], np.int32)}, {"x": example((5, 3))})


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ((1,), (3,), (2,), (1,)),
        ((0, -2), (2, 9999), (1, 3), (1, 1)),
        ((-1,), (-9999,), (3,), (-1,)),
        ((3, 0), (0, 5), (2, -1), (-2, 3)),
        ((0,), (-1,), (1,), (1,)),
    ],
)
def test_slice(
    tmp_path: Path, starts: tuple[int, ...], ends: tuple[int, ...], axes: tuple[int, ...], steps: tuple[int, ...]
) -> None:
    names = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    node = helper.make_node("Slice", ["x", *names], ["y"])
    check(tmp_path, [node], {"x": X}, {n: ints(*v) for n, v in names.items()}, opset=10)
    if all(s == 1 for s in steps):
        node = helper.make_node("Slice", ["x"], ["y"], starts=starts, ends=ends, axes=axes)
        check(tmp_path, [node], {"x": X}, opset=9)


def test_split(tmp_path: Path) -> None:
    outputs = ("a", "b")
    x = {"x": example((2, 6))}
    check(tmp_path, [helper.make_node("Split", ["x"], outputs, axis=1)], x, outputs=outputs, opset=7)
    check(tmp_path, [helper.make_node("Split", ["x"], outputs, axis=1, split=[2, 4])], x, outputs=outputs, opset=11)
    node = helper.make_node("Split", ["x", "s"], outputs, axis=-1)
    check(tmp_path, [node], x, {"s": ints(5, 1)}, outputs=outputs, opset=13)
    node = helper.make_node("Split", ["x"], ["a", "b", "c", "d"], axis=1, num_outputs=4)
    check(tmp_path, [node], {"x": example((2, 7))}, outputs=("a", "b", "c", "d"), opset=18)


@pytest.mark.parametrize("upper", [0, 1])
def test_trilu(tmp_path: Path, upper: int) -> None:
    node = helper.make_node("Trilu", ["x", "k"], ["y"], upper=upper)
    check(tmp_path, [node], {"x": example((2, 4, 5))}, {"k": np.array(1, np.int64)})


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("pads", [(0, 1, 2, 0, 0, 1), (0, -1, 1, 0, 2, -1)])
def test_pad(tmp_path: Path, mode: str, pads: tuple[int, ...]) -> None:
    x = {"x": example((2, 4, 5))}
    value = np.array(1.5, np.float32)
    node = helper.make_node("Pad", ["x", "p", "v"], ["y"], mode=mode)
    if mode == "constant" or min(pads) >= 0:
        check(tmp_path, [node], x, {"p": ints(*pads), "v": value}, opset=19)
    if mode == "constant":
        node = helper.make_node("Pad", ["x"], ["y"], mode=mode, pads=pads, value=1.5)
        check(tmp_path, [node], x, opset=7)


def test_pad_of_named_axes(tmp_path: Path) -> None:
    node = helper.make_node("Pad", ["x", "p", "", "a"], ["y"])
    check(tmp_path, [node], {"x": X}, {"p": ints(1, 2, 0, 3), "a": ints(3, -2)}, opset=18)
