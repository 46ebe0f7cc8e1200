"""Resize and Upsample against onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.frontend.support import check, example
from tinyc.ir.ops import Broadcast, Gather

X = {"x": example((1, 2, 4, 5))}
FACTORS = [(1, 1, 2, 2), (1, 1, 2.6, 1.7), (1, 1, 0.6, 0.7), (1, 1, 3, 0.5)]


def scales(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
def test_nearest(tmp_path: Path, coordinates: str, rounding: str, factors: tuple[float, ...]) -> None:
    node = helper.make_node(
        "Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode=coordinates, nearest_mode=rounding
    )
    check(tmp_path, [node], X, {"s": scales(*factors)}, opset=13)


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"])
def test_interpolated(tmp_path: Path, coordinates: str, mode: str, factors: tuple[float, ...]) -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode=coordinates, mode=mode)
    # onnxruntime computes the weights themselves in float32.
    check(tmp_path, [node], X, {"s": scales(*factors)}, opset=13, tolerance=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("size", [(1, 2, 8, 10), (1, 2, 3, 7), (1, 2, 1, 5)])
def test_sizes(tmp_path: Path, size: tuple[int, ...], mode: str) -> None:
    node = helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode=mode)
    check(tmp_path, [node], X, {"s": np.array(size, np.int64)}, opset=13, tolerance=1e-5)


def test_symmetric(tmp_path: Path) -> None:
    node = helper.make_node(
        "Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode="half_pixel_symmetric", mode="linear"
    )
    check(tmp_path, [node], X, {"s": scales(1, 1, 2.3, 0.6)}, opset=19, tolerance=1e-5)


def test_exclude_outside(tmp_path: Path) -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
    check(tmp_path, [node], X, {"s": scales(1, 1, 2.3, 0.6)}, opset=13, tolerance=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("factors", [(1, 1, 2, 3), (1, 1, 1.5, 2)])
def test_upsample(tmp_path: Path, factors: tuple[float, ...], mode: str) -> None:
    check(
        tmp_path,
        [helper.make_node("Upsample", ["x"], ["y"], mode=mode, scales=[float(f) for f in factors])],
        X,
        opset=7,
    )
    check(tmp_path, [helper.make_node("Upsample", ["x", "s"], ["y"], mode=mode)], X, {"s": scales(*factors)}, opset=9)


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_10(tmp_path: Path, mode: str, factors: tuple[float, ...]) -> None:
    node = helper.make_node("Resize", ["x", "s"], ["y"], mode=mode)
    check(tmp_path, [node], X, {"s": scales(*factors)}, opset=10, tolerance=1e-5)


def test_whole_factors_repeat_instead_of_gathering(tmp_path: Path) -> None:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"])
    imported = check(tmp_path, [node], X, {"s": scales(1, 1, 2, 3)}, opset=13)
    kinds = [type(n.op) for n in imported.module.nodes]
    assert Broadcast in kinds
    assert Gather not in kinds
