"""Weights of 4 bits: `python -m benchmarks.accuracy.int4`.

MobileNetV1 0.25 224 with its ImageNet weights on natural photographs: weights, flash with the code as it is estimated,
the same class as the float model, and the signal to noise ratio of the logits, for int8, int4 and budgets of flash;
Mobile-LeNet on all 10,000 test images of MNIST; and what MobileNetV1 0.25 96 takes in instructions and code.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from benchmarks.building import held, noise
from benchmarks.networks import mnist_images, mobilenet_v1, published, published_mobile_lenet
from benchmarks.networks.graph import Floats
from benchmarks.photographs import CALIBRATION, EVALUATION, crops
from tests.mobilenet_weights import RESOLUTION, imagenet_weights
from tinyc.backends.runners import MACHINES, SimulatorRunner
from tinyc.compiler.lowering.fit import sizes
from tinyc.compiler.options import QuantiseOptions
from tinyc.compiler.reference.reference import open_session
from tinyc.compiler.session import Compilation, api
from tinyc.compiler.session.measure import measured

BUDGETS = ("480K", "400K", "340K")
"""Of flash, for MobileNetV1 0.25 224."""
CHOICES: tuple[tuple[str, str | None], ...] = (("int8", None), *(("int8", b) for b in BUDGETS), ("int4", None))


@dataclass(frozen=True)
class Accuracy:
    """What a network gives, against what it should."""

    right: float
    ratio: float


def compiled(model: onnx.ModelProto, samples: Sequence[Floats], weights: str, **options: Any) -> Compilation:
    """A network quantised with weights of so many bits, unverified."""
    how = QuantiseOptions([[s] for s in samples], weights=weights, output_type="float32")
    return api.compile(model, name="network", verify=False, quantise=how, **options)


def without_softmax(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model up to its logits."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    (output,) = made.graph.output
    last = next(n for n in made.graph.node if output.name in n.output)
    if last.op_type == "Softmax":
        made.graph.node.remove(last)
        output.name = last.input[0]
    return made


def accuracy(made: Compilation, images: Sequence[Floats], floats: Floats, classes: Floats) -> Accuracy:
    """How often the largest logit is that of the class, and the signal to noise ratio of logits, less their mean."""
    (found,) = made(np.concatenate(images), on="host").values()
    given = found.reshape(len(images), -1).astype(np.float64)
    exact, own = (a - a.mean(axis=1, keepdims=True) for a in (floats.astype(np.float64), given))
    ratio = 10 * np.log10(np.square(exact).sum() / np.square(exact - own).sum())
    return Accuracy(float((given.argmax(axis=1) == classes).mean()), float(ratio))


def logits(model: onnx.ModelProto, images: Sequence[Floats]) -> Floats:
    """Of the float model, in onnxruntime."""
    session = open_session(model)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x})[0].reshape(1, -1) for x in images])


def photographs() -> Table:
    """MobileNetV1 0.25 224."""
    model = without_softmax(mobilenet_v1(0.25, RESOLUTION, weights=imagenet_weights()))
    samples = [c for name in CALIBRATION for c in crops(name, RESOLUTION)]
    images = [c for name in EVALUATION for c in crops(name, RESOLUTION)]
    floats = logits(model, images)
    title = f"MobileNetV1 0.25 {RESOLUTION}, {len(images)} photographs"
    table = Table("weights", "flash", "int4 layers", "constants", "code, about", "float's class", "dB", title=title)
    for weights, flash in CHOICES:
        made = compiled(model, samples, weights, flash=flash)
        found, needed = accuracy(made, images, floats, floats.argmax(axis=1)), sizes(made.program, made.source)
        assert made.lowered.quantised is not None
        small = str(len(made.lowered.quantised.four_bits))
        amounts = f"{needed.weights:,}", f"{needed.code:,}"
        table.add_row(weights, flash or "", small, *amounts, f"{found.right:.0%}", f"{found.ratio:.1f}")
    return table


def digits() -> Table:
    """Mobile-LeNet on MNIST."""
    model = without_softmax(published_mobile_lenet(published("noodle_mobile_lenet_mnist")))
    samples, (images, labels) = mnist_images("train-first10k")[0][:100], mnist_images("t10k")
    each = [image[None] for image in images]
    floats = logits(model, each)
    top = f"{(floats.argmax(axis=1) == labels).mean():.2%}"
    table = Table("weights", "constants", "top-1", "dB", title=f"Mobile-LeNet, MNIST, float {top}")
    for weights in ("int8", "int4"):
        made = compiled(model, [s[None] for s in samples], weights)
        found = accuracy(made, each, floats, labels)
        table.add_row(weights, f"{made.source.weights_bytes:,}", f"{found.right:.2%}", f"{found.ratio:.1f}")
    return table


def instructions() -> Table:
    """MobileNetV1 0.25 96 on simulated machines."""
    model = mobilenet_v1(0.25, 96, classes=5)
    samples = [s[0] for s in noise(model).samples]
    table = Table("machine", "weights", "instructions", "code", "constants", "arena", title="MobileNetV1 0.25 96, int8")
    for machine, target in (("rv32imc", "esp32c3"), ("xtensa-lx106", "esp32s2")):
        for weights in ("int8", "int4"):
            made = compiled(model, samples, weights, target=target)
            runner = SimulatorRunner(made.source, MACHINES[machine])
            held(made, runner, 1e-6)
            found = measured(made, runner)
            keys = ("instructions", "code_bytes", "constants_bytes", "arena_bytes")
            amounts = [f"{v:,}" for k, v in found.items() if k in keys and isinstance(v, int)]
            table.add_row(machine, weights, *amounts)
    return table


TABLES: dict[str, Callable[[], Table]] = {"photographs": photographs, "digits": digits, "instructions": instructions}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy.int4", description="Weights of 4 bits.")
    parser.add_argument("names", nargs="*", choices=[*TABLES, []], metavar="TABLE", help="; ".join(TABLES))
    for name in parser.parse_args(arguments).names or TABLES:
        Console(width=120).print(TABLES[name]())


if __name__ == "__main__":
    main()
