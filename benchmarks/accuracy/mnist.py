"""Accuracy on all 10,000 test images of MNIST, quantised with 1, 10 and 100 images that were trained with.

    python -m benchmarks.accuracy.mnist [NETWORK ...] [--tools tinyc,onnxruntime,esp-ppq] [--samples 1,10,100]

Of the others, each tool's best method is shown (`rivals.py`). esp-ppq is left out unless ESP_PPQ_PYTHON names a Python
that has it, and networks that `benchmarks.accuracy.train` makes unless ACCURACY_MODELS names the folder that has them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import onnx

from benchmarks.accuracy.answers import without_softmax
from benchmarks.accuracy.table import TOOLS, Case, show
from benchmarks.accuracy.trained import firenet, trained_weights
from benchmarks.networks.data import from_shared, mnist_images, published
from benchmarks.networks.lenet import lenet5, published_mobile_lenet

EXAMPLE = Path(__file__).parents[2] / "examples" / "mobile_lenet" / "mobile_lenet.onnx"
NETWORKS: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "Mobile-LeNet": lambda: onnx.load(EXAMPLE),
    "Noodle's Mobile-LeNet": lambda: published_mobile_lenet(published("noodle_mobile_lenet_mnist")),
    "LeNet-5": lambda: lenet5(published("noodle_lenet5_mnist")),
    "CNN of PyTorch's example": lambda: from_shared("mnist_cnn_pytorch11_ort.onnx"),
    "FireNet": lambda: firenet(trained_weights("firenet")),
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy.mnist", description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="*", help=", ".join(NETWORKS))
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--samples", default="1,10,100")
    chosen = parser.parse_args()
    train, _ = mnist_images("train-first10k")
    images, labels = mnist_images("t10k")
    cases = []
    for name in chosen.network or NETWORKS:
        try:
            cases.append(Case(name, without_softmax(NETWORKS[name]()), images, labels))
        except FileNotFoundError as error:
            print(f"{name} is left out: {error}")
    counts = [int(n) for n in chosen.samples.split(",")]
    show(cases, {case.name: [train[:n] for n in counts] for case in cases}, chosen.tools.split(","))


if __name__ == "__main__":
    main()
