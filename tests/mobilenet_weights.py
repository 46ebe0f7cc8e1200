"""The ImageNet weights of MobileNetV1 0.25 224, from the Keras file of the test data."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from tests.mnist import folder

RESOLUTION = 224


def keras_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """The weights of a Keras MobileNetV1 file, named and laid out as `mobilenet_v1` takes them."""
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
    """Trained on ImageNet: the network takes pixels / 127.5 - 1 and gives the probabilities of 1000 classes."""
    return keras_weights(folder("stm32_modelzoo_apache") / "mobilenet_v1_0.25_224.h5")
