"""The ImageNet weights of MobileNetV1 0.25 224, from the Keras file of the test data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.networks.data import keras_weights
from tests.mnist import folder

RESOLUTION = 224


def imagenet_weights() -> dict[str, NDArray[np.float32]]:
    """Trained on ImageNet: the network takes pixels / 127.5 - 1 and gives the probabilities of 1000 classes."""
    return keras_weights(folder("stm32_modelzoo_apache") / "mobilenet_v1_0.25_224.h5")
