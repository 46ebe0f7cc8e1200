"""SAME padding of every operator with a window, over all small kernels, strides, dilations and sizes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.frontend.support import assert_close, build, check, example, run_imported, run_onnxruntime, save
from tests.helpers import DATA
from tinyc.compiler.frontend import FrontendError, load_onnx
from tinyc.ir.tensor import Array

Attributes = dict[str, Any]

OPERATORS: list[tuple[str, int, Attributes]] = [
    ("Conv", 13, {}),
    ("ConvInteger", 13, {}),
    ("QLinearConv", 13, {}),
    ("ConvTranspose", 13, {}),
    ("MaxPool", 13, {}),
    ("MaxPool", 13, {"ceil_mode": 1}),
    ("AveragePool", 13, {}),
    ("AveragePool", 22, {}),
    ("AveragePool", 22, {"ceil_mode": 1}),
    ("AveragePool", 22, {"count_include_pad": 1}),
    ("AveragePool", 22, {"count_include_pad": 1, "ceil_mode": 1}),
    ("LpPool", 13, {}),
    ("LpPool", 22, {"ceil_mode": 1}),
]
CASES = list(itertools.product(range(1, 10), range(1, 5), range(1, 5), (1, 2), ("SAME_UPPER", "SAME_LOWER")))
NO_WINDOW = ("does not fit", "wholly outside")
"""Our refusals of a window larger than what it slides over; onnxruntime gives nothing, or reads past the end."""


def network(op: str, opset: int, size: int, kernel: int, attributes: Attributes) -> tuple[onnx.ModelProto, Array]:
    """One node on [1,2,size], and an input for it."""
    x, w = example((1, 2, size)), example((2, 2, kernel), 1)
    names, constants = ["x"], {}
    if op in ("Conv", "ConvTranspose"):
        names, constants = ["x", "w"], {"w": w}
    elif op in ("ConvInteger", "QLinearConv"):
        # Small enough that no sum leaves uint8.
        x, w = (np.abs(a * 2).astype(np.uint8) for a in (x, w))
        names, constants = ["x", "w"], {"w": w}
        if op == "QLinearConv":
            names = ["x", "one", "zero", "w", "one", "zero", "one", "zero"]
            constants |= {"one": np.float32(1), "zero": np.uint8(3)}
    else:
        attributes = {"kernel_shape": [kernel], **attributes}
    node = helper.make_node(op, names, ["y"], **attributes)
    return build([node], {"x": x}, constants, opset=opset), x


def refusal(path: Path) -> str:
    """Why we refuse a model; empty when we do not."""
    try:
        load_onnx(path)
    except FrontendError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("op", "opset", "more"), OPERATORS)
def test_as_onnxruntime_where_it_accepts_it(tmp_path: Path, op: str, opset: int, more: Attributes) -> None:
    compared = 0
    for size, kernel, stride, dilation, auto in CASES:
        attributes = {"strides": [stride], "auto_pad": auto, **more}
        attributes |= {"dilations": [dilation]} if dilation > 1 else {}
        model, x = network(op, opset, size, kernel, attributes)
        try:
            expected = run_onnxruntime(model, {"x": x})
        except Exception:  # dilations in convolutions, windows that leave elements over in pools: see decision 10
            continue
        path = save(model, tmp_path)
        if dilation > 1 and op in ("MaxPool", "AveragePool", "LpPool") and (reason := refusal(path)):
            assert any(words in reason for words in NO_WINDOW), (attributes, reason)
            continue
        found = run_imported(load_onnx(path), {"x": x})
        assert_close(found, expected, 2e-6, absolute=1e-6)  # sums of at most 8 products of size 4, in another order
        compared += 1
    assert compared > 200


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize(("size", "kernel", "stride"), [(9, 3, 1), (9, 3, 2), (8, 2, 1), (7, 4, 3), (8, 2, 2)])
def test_dilated_convolutions_equal_explicit_pads(
    tmp_path: Path, auto: str, size: int, kernel: int, stride: int
) -> None:
    """onnxruntime refuses them; ONNX's text gives the pads."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * 2 + 1 - size, 0)
    small, large = total // 2, total - total // 2
    pads = [small, large] if auto == "SAME_UPPER" else [large, small]
    same, x = network("Conv", 13, size, kernel, {"strides": [stride], "dilations": [2], "auto_pad": auto})
    explicit, _ = network("Conv", 13, size, kernel, {"strides": [stride], "dilations": [2], "pads": pads})
    found = run_imported(load_onnx(save(same, tmp_path)), {"x": x})
    assert_close(found, run_onnxruntime(explicit, {"x": x}), 2e-6)


def test_pools_that_onnxruntime_refuses_begin_at_the_first_element(tmp_path: Path) -> None:
    for op in ("MaxPool", "AveragePool"):
        model, x = network(op, 13, 8, 1, {"strides": [4], "auto_pad": "SAME_UPPER"})
        with pytest.raises(Exception, match="non-negative"):
            run_onnxruntime(model, {"x": x})
        np.testing.assert_array_equal(run_imported(load_onnx(save(model, tmp_path)), {"x": x})[0], x[:, :, ::4])


def test_two_dimensions_of_their_own(tmp_path: Path) -> None:
    """One dimension is cropped, the other padded."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[5, 1], auto_pad="SAME_UPPER")
    imported = check(tmp_path, [node], {"x": example((1, 2, 15, 6))}, {"w": example((3, 2, 2, 3), 1)})
    assert [n.op.mnemonic for n in imported.module.nodes].count("slice") == 1


def test_stride_two_shortcuts_are_not_cropped(tmp_path: Path) -> None:
    """The common case, a 1x1 kernel of stride 2, skips nothing."""
    node = helper.make_node("Conv", ["x", "w"], ["y"], strides=[2, 2], auto_pad="SAME_UPPER")
    imported = check(tmp_path, [node], {"x": example((1, 2, 8, 8))}, {"w": example((3, 2, 1, 1), 1)})
    assert "slice" not in [n.op.mnemonic for n in imported.module.nodes]


@pytest.mark.parametrize("name", ["same_padding_kernel_below_stride", "same_padding_with_dilation"])
def test_cases(tmp_path: Path, name: str) -> None:
    path = DATA / "cases" / "compile" / f"{name}.onnx"
    if not path.exists():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has cases/)")
    model = onnx.load(path)
    feeds = {"x": example(tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim))}
    found = run_imported(load_onnx(path), feeds)
    if name == "same_padding_with_dilation":  # kernel [3, 1], dilation [2, 1], stride [2, 1] on 20 rows: 3 pads in all
        (node,) = model.graph.node
        kept = [a for a in node.attribute if a.name != "auto_pad"]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("pads", [1, 0, 2, 0])])
    assert_close(found, run_onnxruntime(model, feeds), 2e-6)
