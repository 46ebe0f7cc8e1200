"""Published weights, and images that networks were trained for: data that are not part of the repository."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from benchmarks.networks.graph import Floats

DATA = Path(os.environ.get("TINYC_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared") / "data"
"""Published weights, which are not part of the repository."""
IMAGENET_SIDE = 224
"""Rows and columns of what the network of `imagenet_weights` takes."""


def published(folder: str) -> dict[str, Floats]:
    """The arrays of a folder of published weights, by name: weights.npz, or a text file an array.

    Raises:
        FileNotFoundError: the data is not there.
    """
    path = DATA / folder
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is missing (TINYC_TEST_DATA names the folder that has data/)")
    if (path / "weights.npz").exists():
        with np.load(path / "weights.npz") as found:
            return {name: found[name].astype(np.float32) for name in found.files}
    return {file.stem: np.loadtxt(file, dtype=np.float32) for file in sorted(path.glob("*.txt"))}


def keras_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of a Keras MobileNetV1 file, named and laid out as `mobilenet_v1` takes them.

    Raises:
        FileNotFoundError: there is no such file.
    """
    import h5py  # nothing else needs it

    if not path.exists():
        raise FileNotFoundError(f"{path} is missing (TINYC_TEST_DATA names the folder that has data/)")
    found: dict[str, NDArray[np.float32]] = {}
    with h5py.File(path) as file:
        layers = file["model_weights"]
        for name in layers.attrs["layer_names"]:
            group = layers[name]
            arrays = {Path(n).name.partition(":")[0]: group[n][()] for n in group.attrs["weight_names"]}
            if "kernel" in arrays:  # HWIO
                found[name] = arrays["kernel"].transpose(3, 2, 0, 1)
            if "depthwise_kernel" in arrays:  # HWCM, of multiplier M = 1
                found[name] = arrays["depthwise_kernel"].transpose(2, 3, 0, 1)
            if "bias" in arrays:
                found[f"{name}_bias"] = arrays["bias"]
            if "gamma" in arrays:
                found[name] = np.stack([arrays[k] for k in ("gamma", "beta", "moving_mean", "moving_variance")])
    return found


def imagenet_weights() -> dict[str, NDArray[np.float32]]:
    """MobileNetV1 0.25 of `IMAGENET_SIDE`, trained on ImageNet: it takes pixels / 127.5 - 1 and gives the probabilities
    of 1000 classes. Raises `FileNotFoundError` where they are missing."""
    return keras_weights(DATA / "stm32_modelzoo_apache" / "mobilenet_v1_0.25_224.h5")


def from_shared(name: str) -> onnx.ModelProto:
    """A model of others, beside the published weights.

    Raises:
        FileNotFoundError: it is not there.
    """
    path = DATA.parent / "models" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing (TINYC_TEST_DATA names the folder that has data/ and models/)")
    return onnx.load(path)


def mnist_images(split: str) -> tuple[Floats, NDArray[np.uint8]]:
    """Images of MNIST, N x 1 x 28 x 28 in 0..1, and their labels.

    Args:
        split: "t10k", the 10,000 test images, or "train-first10k", the first 10,000 to train with.

    Raises:
        FileNotFoundError: the data is not there.
    """
    images, labels = (DATA / "mnist" / f"{split}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
    if not images.exists():
        raise FileNotFoundError(f"{images} is missing (TINYC_TEST_DATA names the folder that has data/)")
    pixels = np.frombuffer(gzip.decompress(images.read_bytes()), np.uint8, offset=16)
    found = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    return (pixels.reshape(-1, 1, 28, 28) / np.float32(255)).astype(np.float32), found
