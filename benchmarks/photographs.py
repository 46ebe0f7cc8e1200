"""Natural photographs that scikit-image and scikit-learn bundle, cut into inputs for ImageNet networks."""

from __future__ import annotations

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image

Floats = NDArray[np.float32]

CALIBRATION = ("astronaut", "camera", "china.jpg", "immunohistochemistry", "retina", "stereo_motorcycle")
"""What quantisation may look at: people, a building, a vehicle, tissue; one of them grey."""
EVALUATION = ("chelsea", "coffee", "flower.jpg", "rocket")
"""What quantisation is judged by, and has not seen: a cat, a cup of coffee, a flower, a launch."""
WINDOWS = ((1.0, 0.5, 0.5), (0.7, 0.0, 0.0), (0.7, 1.0, 0.0), (0.7, 0.0, 1.0), (0.7, 1.0, 1.0))
"""Squares of a photograph: the side as a part of the shorter side, the place across and down from 0 to 1."""


def photograph(name: str) -> Image.Image:
    """A bundled photograph, in RGB; names ending in .jpg are scikit-learn's, the others functions of skimage.data."""
    found = load_sample_image(name) if name.endswith(".jpg") else getattr(skimage.data, name)()
    pixels = found[0] if isinstance(found, tuple) else found  # of a stereo pair, the left one
    return Image.fromarray(pixels).convert("RGB")


def crops(name: str, resolution: int, count: int = len(WINDOWS)) -> list[Floats]:
    """Squares of a photograph as ImageNet networks of Keras take them: 1 x 3 x resolution x resolution in -1..1.

    The first is the centre at full height; the others are the four corners.
    """
    image = photograph(name)
    found = []
    for part, across, down in WINDOWS[:count]:
        side = part * min(image.size)
        left, top = across * (image.width - side), down * (image.height - side)
        box = (left, top, left + side, top + side)
        square = image.resize((resolution, resolution), Image.Resampling.BILINEAR, box)
        scaled = np.asarray(square, np.float32) / np.float32(127.5) - np.float32(1)
        found.append(np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis]))
    return found
