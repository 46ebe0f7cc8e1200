"""Weights of 4 bits: `python -m benchmarks.accuracy.int4`.

MobileNetV1 0.25 224 with its ImageNet weights on natural photographs: weights, flash with the code as it is estimated,
the same class as the float model, and the signal to noise ratio of the logits, for int8, int4 and budgets of flash;
Mobile-LeNet on all 10,000 test images of MNIST; and what MobileNetV1 0.25 96 takes in instructions and code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.answers import decibels, logits, without_softmax
from benchmarks.accuracy.ours import compiled
from benchmarks.building import chosen_of, held, noise
from benchmarks.networks import mnist_images, mobilenet_v1, published, published_mobile_lenet
from benchmarks.networks.data import IMAGENET_SIDE, imagenet_weights
from benchmarks.networks.graph import Floats
from benchmarks.photographs import CALIBRATION, EVALUATION, crops
from benchmarks.sheets import Sheet, show
from tinyc.backends.runners import MACHINES, SimulatorRunner
from tinyc.compiler.lowering.fit import sizes
from tinyc.compiler.session import Compilation
from tinyc.compiler.session.measure import measured

BUDGETS = ("480K", "400K", "340K")
"""Of flash, for MobileNetV1 0.25 224."""
CHOICES: tuple[tuple[str, str | None], ...] = (("int8", None), *(("int8", b) for b in BUDGETS), ("int4", None))


@dataclass(frozen=True)
class Accuracy:
    """What a network gives, against what it should."""

    right: float
    ratio: float


def accuracy(made: Compilation, images: Floats, floats: Floats, classes: Floats) -> Accuracy:
    """How often the largest logit is that of the class, and the signal to noise ratio of logits, less their mean."""
    (found,) = made(images, on="host").values()
    given = found.reshape(len(images), -1).astype(np.float64)
    exact, own = (a - a.mean(axis=1, keepdims=True) for a in (floats.astype(np.float64), given))
    return Accuracy(float((given.argmax(axis=1) == classes).mean()), decibels(exact, own))


def photographs() -> Sheet:
    """MobileNetV1 0.25 224."""
    model = without_softmax(mobilenet_v1(0.25, IMAGENET_SIDE, weights=imagenet_weights()))
    samples, images = (
        np.concatenate([c for name in names for c in crops(name, IMAGENET_SIDE)]) for names in (CALIBRATION, EVALUATION)
    )
    floats = logits(model, images)
    lines = []
    for weights, flash in CHOICES:
        made = compiled(model, samples, {"weights": weights}, flash=flash)
        found, needed = accuracy(made, images, floats, floats.argmax(axis=1)), sizes(made.program, made.source)
        assert made.lowered.quantised is not None
        small = str(len(made.lowered.quantised.four_bits))
        amounts = f"{needed.weights:,}", f"{needed.code:,}"
        lines.append((weights, flash or "", small, *amounts, f"{found.right:.0%}", f"{found.ratio:.1f}"))
    title = f"MobileNetV1 0.25 {IMAGENET_SIDE}, {len(images)} photographs"
    heads = ("weights", "flash", "int4 layers", "constants", "code, about", "float's class", "dB")
    return Sheet(title, 1, heads, tuple(lines))


def digits() -> Sheet:
    """Mobile-LeNet on MNIST."""
    model = without_softmax(published_mobile_lenet(published("noodle_mobile_lenet_mnist")))
    samples, (images, labels) = mnist_images("train-first10k")[0][:100], mnist_images("t10k")
    floats = logits(model, images)
    top = f"{(floats.argmax(axis=1) == labels).mean():.2%}"
    lines = []
    for weights in ("int8", "int4"):
        made = compiled(model, samples, {"weights": weights})
        found = accuracy(made, images, floats, labels)
        lines.append((weights, f"{made.source.weights_bytes:,}", f"{found.right:.2%}", f"{found.ratio:.1f}"))
    return Sheet(f"Mobile-LeNet, MNIST, float {top}", 1, ("weights", "constants", "top-1", "dB"), tuple(lines))


def instructions() -> Sheet:
    """MobileNetV1 0.25 96 on simulated machines."""
    model = mobilenet_v1(0.25, 96, classes=5)
    samples = np.concatenate([s[0] for s in noise(model).samples])
    lines = []
    for machine, target in (("rv32imc", "esp32c3"), ("xtensa-lx106", "esp32s2")):
        for weights in ("int8", "int4"):
            made = compiled(model, samples, {"weights": weights}, target=target)
            runner = SimulatorRunner(made.source, MACHINES[machine])
            held(made, runner, 1e-6)
            found = measured(made, runner)
            bytes_ = (found["code_bytes"], found["constants_bytes"], found["arena_bytes"])
            lines.append((machine, weights, *(f"{n:,}" for n in (found["instructions"], *bytes_))))
    heads = ("machine", "weights", "instructions", "code", "constants", "arena")
    return Sheet("MobileNetV1 0.25 96, int8", 2, heads, tuple(lines))


TABLES: dict[str, Callable[[], Sheet]] = {"photographs": photographs, "digits": digits, "instructions": instructions}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy.int4", description="Weights of 4 bits.")
    parser.add_argument("names", nargs="*", metavar="TABLE", help=f"of {', '.join(TABLES)}")
    parser.add_argument("--markdown", action="store_true", help="as in the documentation")
    given = parser.parse_args(arguments)
    for name in chosen_of(parser, given.names, TABLES):
        show([TABLES[name]()], given.markdown)


if __name__ == "__main__":
    main()
