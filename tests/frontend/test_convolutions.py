"""Convolutions and pools against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import helper

from tests.frontend.support import check, example
from tinyc.ir.ops import AvgPool2d, Conv2d, DepthwiseConv2d

Attributes = dict[str, Any]

CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], Attributes]] = [
    ((1, 3, 9, 8), (4, 3, 3, 3), {}),
    ((1, 3, 9, 8), (4, 3, 3, 2), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
    ((1, 4, 9, 8), (6, 2, 3, 3), {"group": 2, "dilations": [2, 1]}),
    ((1, 4, 9, 8), (4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    ((1, 4, 9, 8), (8, 1, 3, 3), {"group": 4, "strides": [2, 2]}),
    ((1, 1, 9, 8), (4, 1, 3, 3), {}),
    ((1, 3, 9, 8), (4, 3, 2, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ((1, 3, 9, 8), (4, 3, 2, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    ((1, 3, 9, 8), (4, 3, 2, 3), {"auto_pad": "VALID"}),
    ((1, 3, 10), (4, 3, 3), {"pads": [1, 2], "strides": [2]}),
    ((1, 4, 10), (4, 1, 3), {"group": 4, "dilations": [3]}),
]


@pytest.mark.parametrize("opset", [7, 11, 22])
@pytest.mark.parametrize(("shape", "weights", "attributes"), CONVOLUTIONS)
def test_conv(
    tmp_path: Path, shape: tuple[int, ...], weights: tuple[int, ...], attributes: Attributes, opset: int
) -> None:
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)
    constants = {"w": example(weights, 1), "b": example(weights[:1], 2)}
    check(tmp_path, [node], {"x": example(shape)}, constants, opset=opset)


@pytest.mark.parametrize(("shape", "weights", "attributes"), CONVOLUTIONS[2:5])
def test_conv_with_computed_weights(
    tmp_path: Path, shape: tuple[int, ...], weights: tuple[int, ...], attributes: Attributes
) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
    check(tmp_path, [node], {"x": example(shape), "w": example(weights, 1)})


def test_weights_are_transposed_at_import(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["m"]),
        helper.make_node("Conv", ["m", "d"], ["y"], group=4, pads=[1, 1, 1, 1]),
    ]
    constants = {"w": example((4, 3, 2, 5), 1), "b": example((4,), 2), "d": example((8, 1, 3, 3), 3)}
    imported = check(tmp_path, nodes, {"x": example((1, 3, 9, 8))}, constants)
    mnemonics = [n.op.mnemonic for n in imported.module.nodes if n.op.mnemonic != "constant"]
    assert mnemonics == ["transpose", "conv2d", "transpose", "transpose", "depthwise_conv2d", "transpose"]
    shapes = {type(n.op): n.op.w.shape for n in imported.module.nodes if isinstance(n.op, Conv2d | DepthwiseConv2d)}
    assert shapes == {Conv2d: (4, 2, 5, 3), DepthwiseConv2d: (3, 3, 8)}


TRANSPOSED: list[tuple[tuple[int, ...], tuple[int, ...], Attributes]] = [
    ((1, 3, 4, 5), (3, 2, 3, 3), {}),
    ((1, 3, 4, 5), (3, 2, 3, 2), {"strides": [2, 3], "pads": [1, 0, 0, 1]}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "output_padding": [2, 1]}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"dilations": [2, 1], "pads": [2, 2, 2, 2]}),
    ((1, 4, 4, 5), (4, 3, 2, 2), {"group": 2, "strides": [2, 2]}),
    ((1, 4, 4, 5), (4, 1, 3, 3), {"group": 4, "strides": [2, 2]}),
    ((1, 4, 4, 5), (4, 2, 3, 3), {"group": 4}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "output_shape": [10, 9]}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [3, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((1, 3, 4, 5), (3, 2, 1, 1), {"pads": [1, 1, 1, 0]}),
    ((1, 3, 6), (3, 2, 3), {"strides": [2], "pads": [1, 0], "output_padding": [1]}),
]


@pytest.mark.parametrize("opset", [7, 11, 17])
@pytest.mark.parametrize(("shape", "weights", "attributes"), TRANSPOSED)
def test_conv_transpose(
    tmp_path: Path, shape: tuple[int, ...], weights: tuple[int, ...], attributes: Attributes, opset: int
) -> None:
    node = helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], **attributes)
    constants = {"w": example(weights, 1), "b": example((weights[1] * attributes.get("group", 1),), 2)}
    check(tmp_path, [node], {"x": example(shape)}, constants, opset=opset)


WINDOWS: list[tuple[tuple[int, ...], Attributes]] = [
    ((1, 3, 9, 8), {"kernel_shape": [2, 3]}),
    ((1, 3, 9, 8), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 2]}),
    ((1, 3, 9, 8), {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 3, 9, 8), {"kernel_shape": [3, 4], "strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    ((1, 3, 9, 8), {"kernel_shape": [3, 3], "auto_pad": "VALID"}),
    ((1, 3, 11), {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}),
]
CEILED: list[tuple[tuple[int, ...], Attributes]] = [
    ((1, 2, 10, 9), {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}),
    ((1, 2, 10, 9), {"kernel_shape": [3, 3], "strides": [3, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}),
    ((1, 2, 7, 7), {"kernel_shape": [1, 1], "strides": [2, 3], "ceil_mode": 1}),
    ((1, 2, 6, 6), {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [0, 0, 1, 1], "ceil_mode": 1}),
]


@pytest.mark.parametrize(("shape", "attributes"), WINDOWS + CEILED)
def test_max_pool(tmp_path: Path, shape: tuple[int, ...], attributes: Attributes) -> None:
    check(tmp_path, [helper.make_node("MaxPool", ["x"], ["y"], **attributes)], {"x": example(shape)}, opset=12)


def test_max_pool_dilated(tmp_path: Path) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 3], dilations=[3, 2], pads=[1, 1, 0, 0])
    check(tmp_path, [node], {"x": example((1, 3, 9, 8))}, opset=12)


@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("opset", [10, 11, 19])
@pytest.mark.parametrize(("shape", "attributes"), WINDOWS + CEILED)
def test_average_pool(tmp_path: Path, shape: tuple[int, ...], attributes: Attributes, include: int, opset: int) -> None:
    node = helper.make_node("AveragePool", ["x"], ["y"], count_include_pad=include, **attributes)
    check(tmp_path, [node], {"x": example(shape)}, opset=opset)


def test_pads_of_ceil_mode_do_not_count(tmp_path: Path) -> None:
    node = helper.make_node(
        "AveragePool",
        ["x"],
        ["y"],
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 1, 0, 0],
        ceil_mode=1,
        count_include_pad=1,
    )
    imported = check(tmp_path, [node], {"x": example((1, 2, 7, 7))}, opset=19)
    (pool,) = (n.op for n in imported.module.nodes if isinstance(n.op, AvgPool2d))
    assert not pool.count_pads


@pytest.mark.parametrize("p", [1, 2, 3])
def test_lp_pool(tmp_path: Path, p: int) -> None:
    node = helper.make_node("LpPool", ["x"], ["y"], kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 1], p=p)
    check(tmp_path, [node], {"x": example((1, 3, 9, 8))})


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(1, 3, 5, 4), (1, 3, 6)])
def test_global_pools(tmp_path: Path, op: str, shape: tuple[int, ...]) -> None:
    check(tmp_path, [helper.make_node(op, ["x"], ["y"])], {"x": example(shape)})
