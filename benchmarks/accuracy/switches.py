"""What each step of quantisation is worth: the network with all of them, and without one at a time.

    python -m benchmarks.accuracy.switches [--samples 10] [--images 2000]

Numbers are agreement with the float network and dB of its logits, on test images of MNIST.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import onnx

from benchmarks.accuracy.answers import decibels, logits, without_softmax
from benchmarks.accuracy.mnist import NETWORKS
from benchmarks.accuracy.ours import of_tinyc
from benchmarks.accuracy.trained import mobilenet_v2_small, trained_weights, unlike_scales
from benchmarks.networks.data import mnist_images
from benchmarks.sheets import markdown_line

SWITCHES: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "headroom off": {"headroom": False},
    "equalise off": {"equalise": False},
    "correct_bias off": {"correct_bias": False},
    "rounding nearest": {"rounding": "nearest"},
    "observer min-max": {"observer": "min-max"},
    "observer measured": {"observer": "measured"},
}


def _scaled() -> onnx.ModelProto:
    weights = trained_weights("mobilenet_v2_small")
    return mobilenet_v2_small(weights, unlike_scales(weights))


CASES: Mapping[str, Callable[[], onnx.ModelProto]] = {
    **{name: NETWORKS[name] for name in ("Mobile-LeNet", "Noodle's Mobile-LeNet", "FireNet")},
    "MobileNetV2, small, channels scaled": _scaled,
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy.switches", description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--images", type=int, default=2000)
    chosen = parser.parse_args()
    samples, images = (mnist_images(split)[0] for split in ("train-first10k", "t10k"))
    images = images[: chosen.images]
    print(markdown_line(["network", *SWITCHES]))
    print(markdown_line(["---"] * (1 + len(SWITCHES))))
    for name, make in CASES.items():
        try:
            model = without_softmax(make())
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}")
            continue
        exact = logits(model, images)
        cells = [name]
        for how in SWITCHES.values():
            found = of_tinyc(model, samples[: chosen.samples], images, **how).logits
            same = (found.argmax(1) == exact.argmax(1)).mean()
            cells.append(f"{same:.2%}, {decibels(exact, found):.1f}")
        print(markdown_line(cells), flush=True)


if __name__ == "__main__":
    main()
