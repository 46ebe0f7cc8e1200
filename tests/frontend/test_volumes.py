"""Convolutions and pools over three spatial dimensions, against onnxruntime."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from onnx import helper

from tests.frontend.support import assert_close, build, example, run_imported, run_onnxruntime, save
from tinyc.compiler.frontend import FrontendError, load_onnx

Shape = tuple[int, ...]


def agree(folder: Path, operator: str, shape: Shape, weights: dict[str, Shape], attributes: dict[str, Any]) -> None:
    """Tolerance: sums of up to some hundred products, which are added in another order."""
    inputs = {"x": example(shape)}
    constants = {name: example(of, k + 1) for k, (name, of) in enumerate(weights.items())}
    node = helper.make_node(operator, ["x", *weights], ["y"], **attributes)
    model = build([node], inputs, constants)
    imported = load_onnx(save(model, folder))
    assert_close(run_imported(imported, inputs), run_onnxruntime(model, inputs), 1e-5, 1e-5)


def window(rng: random.Random, sizes: Shape, pool: str = "") -> dict[str, Any]:
    """A window that fits, and how it moves."""
    kernel = [rng.randint(1, min(3, n)) for n in sizes]
    found: dict[str, Any] = {"kernel_shape": kernel, "strides": [rng.randint(1, 3) for _ in sizes]}
    if pool not in ("AveragePool", "LpPool"):
        found["dilations"] = [rng.randint(1, 2) if (k - 1) * 2 < n else 1 for k, n in zip(kernel, sizes, strict=True)]
    auto = rng.choice(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if auto == "NOTSET":
        found["pads"] = [rng.randint(0, k - 1) for k in (*kernel, *kernel)]
    elif auto == "VALID" or _covered(found):
        found["auto_pad"] = auto
    return found


def _covered(given: dict[str, Any]) -> bool:
    """Whether SAME padding cuts nothing off, which onnxruntime refuses, and means the same to it as to ONNX."""
    within = all(s <= k for s, k in zip(given["strides"], given["kernel_shape"], strict=True))
    return within and max(given.get("dilations", [1])) == 1


@pytest.mark.parametrize("seed", range(30))
def test_convolutions(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    sizes = tuple(rng.randint(3, 6) for _ in range(3))
    groups = rng.choice([1, 1, 2, 3])
    inputs, outputs = groups * rng.randint(1, 2), groups * rng.randint(1, 3)
    attributes = window(rng, sizes)
    weights: dict[str, Shape] = {"w": (outputs, inputs // groups, *attributes["kernel_shape"])}
    if rng.random() < 0.6:
        weights["b"] = (outputs,)
    agree(tmp_path, "Conv", (rng.choice([1, 1, 2]), inputs, *sizes), weights, {**attributes, "group": groups})


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("pool", ["MaxPool", "AveragePool", "LpPool"])
def test_pools(tmp_path: Path, pool: str, seed: int) -> None:
    rng = random.Random(seed)
    sizes = tuple(rng.randint(3, 6) for _ in range(3))
    attributes = window(rng, sizes, pool)
    if pool == "AveragePool":
        attributes["count_include_pad"] = rng.randint(0, 1)
    if pool != "LpPool" and "auto_pad" not in attributes:
        attributes["ceil_mode"] = rng.randint(0, 1)
    agree(tmp_path, pool, (rng.choice([1, 1, 2]), rng.randint(1, 3), *sizes), {}, attributes)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    x = {"x": example((1, 2, 4, 4, 4))}
    flat = helper.make_node("Conv", ["x", "w"], ["y"])
    with pytest.raises(FrontendError, match=r"node Conv_0 \(Conv\): weights f32\[3,2,2,2\] do not fit the input"):
        load_onnx(save(build([flat], x, {"w": example((3, 2, 2, 2))}), tmp_path))
    deep = helper.make_node("Conv", ["x", "w"], ["y"])
    with pytest.raises(FrontendError, match=r"node Conv_0 \(Conv\): "):
        load_onnx(save(build([deep], x, {"w": example((3, 2, 5, 1, 1))}), tmp_path))
    pool = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2, 2], strides=[1, 1])
    with pytest.raises(FrontendError, match=r"node MaxPool_0 \(MaxPool\): strides has 2 numbers, and there are 3"):
        load_onnx(save(build([pool], x, {}), tmp_path))
