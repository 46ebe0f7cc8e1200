"""MNIST and the published Mobile-LeNet weights, from the test data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from benchmarks.networks import mnist_images, mobile_lenet
from tests.helpers import DATA


def folder(name: str) -> Path:
    """A folder of the test data; skips the test where it is missing."""
    path = DATA / "data" / name
    if not path.is_dir():
        pytest.skip(f"{path} is missing (TINYC_TEST_DATA names the folder that has data/)")
    return path


def test_images() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The 10,000 test images, N x 1 x 28 x 28 in 0..1, and their labels."""
    folder("mnist")
    return mnist_images("t10k")


test_images.__test__ = False  # type: ignore[attr-defined]


def published_mobile_lenet() -> onnx.ModelProto:
    """Mobile-LeNet with the published weights."""
    source = folder("noodle_mobile_lenet_mnist")

    def vector(name: str) -> NDArray[np.float32]:
        return np.loadtxt(source / f"{name}.txt", dtype=np.float32)

    shapes = [(8, 1, 3, 3)]
    inputs = 8
    for outputs in (8, 8, 16, 16, 24, 24):
        shapes += [(inputs, 1, 3, 3), (outputs, inputs, 1, 1)]
        inputs = outputs
    weights = [vector(f"w{k:02d}").reshape(s) for k, s in enumerate([*shapes, (10, 24)], 1)]
    norms = [np.split(vector(f"bn{k:02d}"), 4) for k in range(1, 14)]
    return mobile_lenet(weights, vector("b01"), vector("b02"), norms)


def training_images() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The first 10,000 training images, as `test_images`."""
    folder("mnist")
    return mnist_images("train-first10k")
