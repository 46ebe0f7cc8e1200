"""Networks with ReLU6: MobileNetV1 0.25 224 on photographs, and a small MobileNetV2 on MNIST, quantised three ways.

    python -m benchmarks.accuracy.mobilenet [NETWORK ...] [--tools tinyc,onnxruntime,esp-ppq]

MobileNetV1 has its ImageNet weights, and is judged by how often it agrees with the float network on photographs that
scikit-image and scikit-learn bundle, and that were not calibrated with. The MobileNetV2 is trained here (`train.py`);
once more the channels within its inverted residuals are made 1 to 100 times smaller, and what takes them larger.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.accuracy.answers import without_softmax
from benchmarks.accuracy.table import TOOLS, Case, show
from benchmarks.accuracy.trained import mobilenet_v2_small, trained_weights, unlike_scales
from benchmarks.networks.data import IMAGENET_SIDE, imagenet_weights, mnist_images
from benchmarks.networks.graph import Floats
from benchmarks.networks.mobilenet import mobilenet_v1
from benchmarks.photographs import CALIBRATION, EVALUATION, crops

COUNTS = {"photographs": (1, 6, 30), "digits": (1, 10, 100)}


def photographs() -> Case:
    """MobileNetV1, and squares of photographs, each as it is and mirrored."""
    squares = np.concatenate([c for name in EVALUATION for c in crops(name, IMAGENET_SIDE)])
    images = np.concatenate([squares, squares[..., ::-1]])
    model = without_softmax(mobilenet_v1(0.25, IMAGENET_SIDE, weights=imagenet_weights()))
    return Case("MobileNetV1 0.25 224", model, np.ascontiguousarray(images))


def digits(unlike: bool) -> Case:
    """MobileNetV2, and the test images of MNIST."""
    weights = trained_weights("mobilenet_v2_small")
    model = mobilenet_v2_small(weights, unlike_scales(weights) if unlike else None)
    return Case("the same, channels scaled" if unlike else "MobileNetV2, small", model, *mnist_images("t10k"))


def samples_for(kind: str) -> Sequence[Floats]:
    """Sets of calibration samples."""
    if kind == "digits":
        found, _ = mnist_images("train-first10k")
    else:
        # The first windows of all photographs, then the second ones: few samples are of different photographs.
        windows = [crops(name, IMAGENET_SIDE) for name in CALIBRATION]
        found = np.concatenate([squares[k] for k in range(len(windows[0])) for squares in windows])
    return [found[:n] for n in COUNTS[kind]]


NETWORKS: Mapping[str, tuple[str, Callable[[], Case]]] = {
    "v1": ("photographs", photographs),
    "v2": ("digits", lambda: digits(False)),
    "v2-scaled": ("digits", lambda: digits(True)),
}


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy.mobilenet", description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="*", help=", ".join(NETWORKS))
    parser.add_argument("--tools", default=",".join(TOOLS))
    chosen = parser.parse_args()
    for name in chosen.network or NETWORKS:
        kind, make = NETWORKS[name]
        try:
            case = make()
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}")
            continue
        show([case], {case.name: samples_for(kind)}, chosen.tools.split(","))


if __name__ == "__main__":
    main()
