"""Train Mobile-LeNet on PneumoniaMNIST and export it to ONNX, as the example of MNIST does.

Everything but the data and the recipe comes from that example. Recipes are compared with `--validate`, on the
validation images; the test images only measure the result.

    python -m examples.mobile_lenet_pneumonia.train
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from examples.mobile_lenet.train import (
    Classes,
    Images,
    Labels,
    Recipe,
    accuracy,
    default_data_folder,
    make_repeatable,
    onnx_predicted,
    predicted,
    to_onnx,
    train,
)

HERE = Path(__file__).resolve().parent
CLASSES = ("normal", "pneumonia")
RECIPE = Recipe(epochs=50, edge="border", contrast=0.3, brightness=0.1)


def read_split(path: Path, split: str) -> tuple[Images, Labels]:
    """The images and labels of `train`, `val` or `test`."""
    with np.load(path) as arrays:
        return arrays[f"{split}_images"], arrays[f"{split}_labels"][:, 0]


def without(images: Images, labels: Labels, others: Images) -> tuple[Images, Labels]:
    """The images that are not among the others: eight of the training images are validation images too."""
    known = {image.tobytes() for image in others}
    kept = np.array([image.tobytes() not in known for image in images])
    return images[kept], labels[kept]


def balanced(images: Images, labels: Labels) -> tuple[Images, Labels]:
    """As many images of each class, alternating; those of the rarer class are repeated in turn."""
    members = [np.flatnonzero(labels == label) for label in range(len(CLASSES))]
    most = max(map(len, members))
    chosen = np.stack([np.resize(indices, most) for indices in members], 1).ravel()
    return images[chosen], labels[chosen]


def report(title: str, answers: Classes, labels: Labels) -> None:
    """Print the share of right answers, also of each class."""
    members = [labels == label for label in range(len(CLASSES))]
    shares = [f"{n} {accuracy(answers[m], labels[m]):.4f}" for n, m in zip(CLASSES, members, strict=True)]
    print(f"{title} {accuracy(answers, labels):.4f}  ({', '.join(shares)})")


def main() -> None:
    """Train, export and measure, as the arguments say."""
    parser = argparse.ArgumentParser(description="Train Mobile-LeNet on PneumoniaMNIST.")
    default_data = default_data_folder("pneumoniamnist") / "pneumoniamnist.npz"
    parser.add_argument("--data", type=Path, default=default_data, help="the npz file of MedMNIST")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--validate", action="store_true", help="only measure, on the validation images")
    arguments = parser.parse_args()

    make_repeatable()
    validation_images, validation_labels = read_split(arguments.data, "val")
    images, labels = without(*read_split(arguments.data, "train"), validation_images)
    if not arguments.validate:
        images = np.concatenate((images, validation_images))
        labels = np.concatenate((labels, validation_labels))
    recipe = replace(RECIPE, epochs=arguments.epochs)
    network = train(*balanced(images, labels), len(CLASSES), recipe, arguments.seed)
    report("training images  ", predicted(network, images), labels)
    if arguments.validate:
        report("validation images", predicted(network, validation_images), validation_labels)
        return
    path = arguments.output / "mobile_lenet_pneumonia.onnx"
    onnx.save(to_onnx(network, path.stem), path)
    test_images, test_labels = read_split(arguments.data, "test")
    report("test images      ", onnx_predicted(path, test_images), test_labels)


if __name__ == "__main__":
    main()
