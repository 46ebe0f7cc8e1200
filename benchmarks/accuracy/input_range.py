"""Whether inputs in the wrong range are noticed: six networks with batch norms, on images as they were trained on and
on other scales of the same.

    python -m benchmarks.accuracy.input_range [--markdown]

`factor` is by what the deviation of a channel before the first batch norm is larger than it was in training, `shift` by
how many deviations its mean is off; both as the median over channels. `expected` is the range that the network's
statistics make of the one given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from benchmarks.networks.data import DATA, IMAGENET_SIDE, from_shared, imagenet_weights, mnist_images, published
from benchmarks.networks.graph import Floats
from benchmarks.networks.lenet import published_mobile_lenet
from benchmarks.networks.mobilenet import mobilenet_v1
from benchmarks.photographs import CALIBRATION, crops
from benchmarks.sheets import Sheet, show
from tinyc.compiler.data.expected import InputRange, input_ranges
from tinyc.compiler.frontend import load_onnx

SCALES: Mapping[str, Callable[[Floats], Floats]] = {
    "0..1": lambda x: x,
    "-1..1": lambda x: 2 * x - 1,
    "0..255": lambda x: 255 * x,
    "mean 0, std 1": lambda x: (x - x.mean()) / x.std(),
}
"""What people make of pixels, from 0..1."""
IMAGES = 100
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True)
class Case:
    """A network, images in 0..1 of the kind that it was trained on, and the scale that it was trained with."""

    name: str
    model: Callable[[], onnx.ModelProto]
    images: Callable[[], Floats]
    trained: str
    told_apart: tuple[str, ...]
    """Scales beside 0..255 that differ enough to be noticed."""


def _photographs(resolution: int) -> Floats:
    every = [crop for name in CALIBRATION for crop in crops(name, resolution)]
    return (np.concatenate(every) + 1) / 2


def _pneumonia() -> Floats:
    path = DATA / "pneumoniamnist" / "pneumoniamnist.npz"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing (TINYC_TEST_DATA names the folder that has data/)")
    with np.load(path) as data:
        return (data["train_images"][:IMAGES].reshape(-1, 1, 28, 28) / np.float32(255)).astype(np.float32)


def _digits() -> Floats:
    return mnist_images("train-first10k")[0][:IMAGES]


def _published() -> onnx.ModelProto:
    return published_mobile_lenet(published("noodle_mobile_lenet_mnist"))


def _mobilenet() -> onnx.ModelProto:
    return mobilenet_v1(0.25, IMAGENET_SIDE, weights=imagenet_weights())


def _mobilenet_v2() -> onnx.ModelProto:
    return from_shared("st_mbv2_128_05.onnx")


def _example(name: str) -> onnx.ModelProto:
    return onnx.load(EXAMPLES / name / f"{name}.onnx")


OTHERS = ("-1..1", "mean 0, std 1")
CASES = (
    Case("Mobile-LeNet, MNIST", lambda: _example("mobile_lenet"), _digits, "0..1", OTHERS),
    Case("Mobile-LeNet, MNIST, as published", _published, _digits, "0..1", OTHERS),
    Case("Mobile-LeNet, pneumonia", lambda: _example("mobile_lenet_pneumonia"), _pneumonia, "0..1", OTHERS),
    Case("MLP, MNIST", lambda: from_shared("mnist_mlp_bn_onnx2c.onnx"), _digits, "0..1", OTHERS),
    Case(
        "MobileNetV1 0.25 224, ImageNet", _mobilenet, lambda: _photographs(IMAGENET_SIDE), "-1..1", ("0..1", OTHERS[1])
    ),
    Case("MobileNetV2 0.5 128, ImageNet", _mobilenet_v2, lambda: _photographs(128), "-1..1", ()),
)


def judged(case: Case) -> dict[str, InputRange]:
    """What is found with each scale. Raises `FileNotFoundError` where the network or the images are missing."""
    imported = load_onnx(case.model())
    shape, images = imported.inputs[0].value.shape, case.images()
    found = {}
    for name, scale in SCALES.items():
        samples = [[np.ascontiguousarray(i, np.float32).reshape(shape)] for i in scale(images)]
        (found[name],) = input_ranges(imported, samples, name)
    return found


def sheet(cases: Sequence[Case]) -> Sheet:
    """A line a network and scale."""
    lines = []
    for case in cases:
        for scale, r in judged(case).items():
            expected = "" if r.expected is None else f"{r.expected[0]:.2f} to {r.expected[1]:.2f}"
            told = "" if r.factor is None else f"{r.factor:.2f}"
            shift = "" if r.shift is None else f"{r.shift:.2f}"
            right = " (as trained)" if scale == case.trained else ""
            given = f"{r.low:.2f} to {r.high:.2f}"
            lines.append((case.name, scale + right, given, expected, told, shift, "note" if r.note else ""))
    headings = ("network", "scale", "given", "expected", "factor", "shift", "")
    return Sheet("inputs as trained, and on other scales", 4, headings, tuple(lines))


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.input_range", description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="a table for the documentation")
    parsed = parser.parse_args(arguments)
    try:
        found = sheet(CASES)
    except FileNotFoundError as error:
        sys.exit(str(error))
    show([found], parsed.markdown)


if __name__ == "__main__":
    main()
