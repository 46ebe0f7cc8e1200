"""Train Mobile-LeNet on MNIST and export it to ONNX with its BatchNormalization and Pad nodes in place.

The graph is written node by node instead of by torch.onnx, which folds batch normalisation and padding into
the convolutions: that work belongs to the compiler's passes. The training images alone decide the weights.
Recipes are compared with `--holdout`, on training images left out; the test images only measure the result.

All but the data and the command line serves the other examples of this network too.
"""

import argparse
import copy
import gzip
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

Images = npt.NDArray[np.uint8]  # N x 28 x 28
Labels = npt.NDArray[np.uint8]  # N
Classes = npt.NDArray[np.int64]  # N
Batches = Iterator[tuple[Tensor, Tensor]]

HERE = Path(__file__).resolve().parent
CLASSES = 10
SIDE = 28
STEM_CHANNELS = 8
BLOCKS = ((8, 1), (8, 1), (16, 2), (16, 1), (24, 2), (24, 1))  # (output channels, stride)
BN_EPSILON = 1e-3
PARAMETERS = 3_008  # before the dense layer; a batch normalisation has four vectors: scale, bias, mean, variance


@dataclass(frozen=True)
class Recipe:
    """How the network is trained: AdamW, one cosine cycle, averaged weights, freshly distorted images.

    The defaults are those for MNIST.
    """

    epochs: int = 250
    batch: int = 100
    learning_rate: float = 3e-2  # at its peak
    warmup: float = 0.05  # share of the steps before the peak
    weight_decay: float = 1e-4  # of matrices and kernels
    averaging: float = 0.999  # decay of the moving average of the weights, per step
    rotation: float = 10.0  # degrees; this and the next three are bounds of uniform distributions
    scaling: float = 0.10  # logarithm of each axis's scale
    shear: float = 0.12
    shift: float = 1.75  # pixels
    elastic: float = 0.6  # pixels: standard deviation of the displacement at each knot
    knots: int = 6  # per side
    edge: Literal["zeros", "border"] = "zeros"  # what lies around an image
    contrast: float = 0.0  # logarithm of its scale; this and the next are bounds of uniform distributions
    brightness: float = 0.0  # 1 is from black to white


# ------------------------------------------------------------------------------------------------------- data


def default_data_folder(name: str) -> Path:
    """A data set's folder in the test material: $TINYC_TEST_DATA, or `shared` beside the project."""
    test_data = os.environ.get("TINYC_TEST_DATA")
    root = Path(test_data) if test_data else HERE.parents[1].parent / "shared"
    return root / "data" / name


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An idx file of unsigned bytes: two zeros, type 8, rank, big-endian extents, values."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", rank, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_mnist(folder: Path, split: str) -> tuple[Images, Labels]:
    """The images and labels of `train-first10k` or `t10k`."""
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz")
    return images, labels


def write_digits(folder: Path, path: Path) -> None:
    """Sixteen test digits: the first of each class in class order, then the first six of the others."""
    images, labels = read_mnist(folder, "t10k")
    chosen = [int(np.flatnonzero(labels == digit)[0]) for digit in range(CLASSES)]
    chosen += [index for index in range(len(labels)) if index not in chosen][:6]
    np.savez_compressed(path, image=images[chosen], label=labels[chosen])


def to_tensor(images: Images) -> Tensor:
    """N x 1 x 28 x 28, from 0 to 1."""
    return torch.from_numpy(images.astype(np.float32) / 255).unsqueeze(1)


def distorted(images: Tensor, recipe: Recipe, rng: torch.Generator) -> Tensor:
    """Each image under its own small random affine map, smooth elastic deformation and change of light."""
    count = len(images)

    def uniform(bound: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=rng) * 2 - 1) * bound

    angle = uniform(math.radians(recipe.rotation))
    zoom = torch.exp(uniform(recipe.scaling, 2))
    lean = uniform(recipe.shear)
    pixel = 2 / SIDE  # in the coordinates of grid_sample, which run from -1 to 1
    move = uniform(recipe.shift * pixel, 2)
    cos, sin = torch.cos(angle), torch.sin(angle)
    row_x = torch.stack((cos * zoom[:, 0], (lean * cos - sin) * zoom[:, 1], move[:, 0]), 1)
    row_y = torch.stack((sin * zoom[:, 0], (lean * sin + cos) * zoom[:, 1], move[:, 1]), 1)
    grid = functional.affine_grid(torch.stack((row_x, row_y), 1), [count, 1, SIDE, SIDE], align_corners=False)
    knots = torch.randn(count, 2, recipe.knots, recipe.knots, generator=rng) * (recipe.elastic * pixel)
    field = functional.interpolate(knots, (SIDE, SIDE), mode="bicubic", align_corners=True)
    grid = grid + field.permute(0, 2, 3, 1)
    result = functional.grid_sample(images, grid, padding_mode=recipe.edge, align_corners=False)
    if recipe.contrast or recipe.brightness:
        mean = result.mean((1, 2, 3), keepdim=True)
        contrast = torch.exp(uniform(recipe.contrast, 1, 1, 1))
        result = ((result - mean) * contrast + mean + uniform(recipe.brightness, 1, 1, 1)).clamp(0, 1)
    return result


def batches(images: Tensor, labels: Tensor, recipe: Recipe, rng: torch.Generator) -> Batches:
    """One epoch of distorted images in random order, without an incomplete last batch."""
    order = torch.randperm(len(images), generator=rng)
    for first in range(0, len(order) - recipe.batch + 1, recipe.batch):
        chosen = order[first : first + recipe.batch]
        yield distorted(images[chosen], recipe, rng), labels[chosen]


# ---------------------------------------------------------------------------------------------------- network


class Block(nn.Module):
    """Depthwise 3x3, then pointwise 1x1, each normalised and rectified."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        # Symmetric padding inside the convolution is what Pad and VALID convolution compute in the export.
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False)
        self.depthwise_bn = nn.BatchNorm2d(inputs, BN_EPSILON)
        self.pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pointwise_bn = nn.BatchNorm2d(outputs, BN_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.depthwise_bn(self.depthwise(x)))
        return functional.relu(self.pointwise_bn(self.pointwise(x)))


class MobileLeNet(nn.Module):
    """The published network up to its logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        # The bias does nothing before a normalisation, but the published network has it.
        self.stem = nn.Conv2d(1, STEM_CHANNELS, 3, padding=1)
        self.stem_bn = nn.BatchNorm2d(STEM_CHANNELS, BN_EPSILON)
        self.blocks = nn.Sequential()
        channels = STEM_CHANNELS
        for outputs, stride in BLOCKS:
            self.blocks.append(Block(channels, outputs, stride))
            channels = outputs
        self.dense = nn.Linear(channels, classes)
        for weight in self.parameters():  # channels last: half the training time
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem_bn(self.stem(x)))
        logits: Tensor = self.dense(self.blocks(x).mean((2, 3)))
        return logits


# --------------------------------------------------------------------------------------------------- training


def make_repeatable() -> None:
    """Let one seed fix every weight: one thread fixes the order of every sum."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def train(images: Images, labels: Labels, classes: int, recipe: Recipe, seed: int) -> MobileLeNet:
    """The moving average of the weights after the last epoch, with batch statistics of the clean images."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    x, y = to_tensor(images), torch.from_numpy(labels.astype(np.int64))
    network = MobileLeNet(classes)
    average = copy.deepcopy(network)
    weights, average_weights = list(network.parameters()), list(average.parameters())
    kernels = [weight for weight in weights if weight.ndim > 1]
    vectors = [weight for weight in weights if weight.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    )
    steps = recipe.epochs * (len(x) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, steps, pct_start=recipe.warmup, cycle_momentum=False
    )
    start = time.perf_counter()
    step = 0
    for epoch in range(1, recipe.epochs + 1):
        total = 0.0
        for image, label in batches(x, y, recipe, rng):
            loss = functional.cross_entropy(network(image), label)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            step += 1
            decay = min(recipe.averaging, step / (step + 10))  # forgets the first steps sooner
            with torch.no_grad():
                for mean, weight in zip(average_weights, weights, strict=True):
                    mean.lerp_(weight, 1 - decay)
            total += loss.item() * len(label)
        if epoch % 10 == 0:
            seconds = time.perf_counter() - start
            print(f"epoch {epoch:3}  loss {total / len(x):.4f}  {seconds:6.1f} s", flush=True)
    update_bn((x[first : first + 1000] for first in range(0, len(x), 1000)), average)
    return average.eval()


def predicted(network: MobileLeNet, images: Images) -> Classes:
    """The class of each image's highest logit."""
    with torch.no_grad():
        answers: Classes = network(to_tensor(images)).argmax(1).numpy()
    return answers


def accuracy(answers: Classes, labels: Labels) -> float:
    """The share of right answers."""
    return float(np.mean(answers == labels))


# ----------------------------------------------------------------------------------------------------- export


class Graph:
    """A chain of ONNX nodes under construction; `last` is the tensor the next node reads."""

    def __init__(self, image: str) -> None:
        self.last = image
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Tensor | npt.NDArray[Any]) -> str:
        """Add an initialiser."""
        array = value.detach().numpy() if isinstance(value, Tensor) else value
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, op: str, name: str, *constants: str, output: str = "", **attributes: Any) -> None:
        output = output or f"{name}_out"
        self.nodes.append(helper.make_node(op, [self.last, *constants], [output], name, **attributes))
        self.last = output

    def convolution(self, name: str, layer: nn.Conv2d, pad: int) -> None:
        constants = [self.constant(f"{name}_weight", layer.weight)]
        if layer.bias is not None:
            constants.append(self.constant(f"{name}_bias", layer.bias))
        self.node(
            "Conv",
            name,
            *constants,
            kernel_shape=list(layer.kernel_size),
            strides=list(layer.stride),
            pads=[pad] * 4,
            group=layer.groups,
        )

    def normalised_relu(self, name: str, layer: nn.BatchNorm2d) -> None:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        vectors = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
        roles = ("scale", "bias", "mean", "var")
        constants = [self.constant(f"{name}_bn_{role}", v) for role, v in zip(roles, vectors, strict=True)]
        self.node("BatchNormalization", f"{name}_bn", *constants, epsilon=layer.eps)
        self.node("Relu", f"{name}_relu")


def to_onnx(network: MobileLeNet, name: str) -> onnx.ModelProto:
    """The trained network with a softmax, checked, for one image, under this name."""
    graph = Graph("image")
    graph.convolution("stem", network.stem, pad=1)
    graph.normalised_relu("stem", network.stem_bn)
    for number, block in enumerate(network.blocks, 1):
        assert isinstance(block, Block)
        part = f"block{number}"
        strided = block.depthwise.stride != (1, 1)
        if strided:  # the published layout: zeros on all four sides, then a VALID convolution
            pads = graph.constant(f"{part}_pads", np.array([0, 0, 1, 1] * 2, np.int64))
            graph.node("Pad", f"{part}_pad", pads, mode="constant")
        graph.convolution(f"{part}_dw", block.depthwise, pad=0 if strided else 1)
        graph.normalised_relu(f"{part}_dw", block.depthwise_bn)
        graph.convolution(f"{part}_pw", block.pointwise, pad=0)
        graph.normalised_relu(f"{part}_pw", block.pointwise_bn)
    graph.node("GlobalAveragePool", "pool")
    graph.node("Flatten", "flatten", axis=1)
    weight = graph.constant("dense_weight", network.dense.weight)
    graph.node("Gemm", "dense", weight, graph.constant("dense_bias", network.dense.bias), transB=1)
    graph.node("Softmax", "softmax", output="probabilities", axis=1)
    proto = helper.make_graph(
        graph.nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, network.dense.out_features])],
        graph.initializers,
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(proto, opset_imports=opsets, ir_version=8, producer_name="tinyc example")
    onnx.checker.check_model(model, full_check=True)
    floats = [i for i in model.graph.initializer if i.data_type == TensorProto.FLOAT]
    dense = network.dense.weight.numel() + network.dense.bias.numel()
    assert sum(math.prod(i.dims) for i in floats) == PARAMETERS + dense
    return model


def onnx_predicted(path: Path, images: Images) -> Classes:
    """What the exported file takes each image for in onnxruntime."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    answers = []
    for image in images:
        pixels = image[None, None].astype(np.float32) / np.float32(255)
        (probabilities,) = session.run(["probabilities"], {"image": pixels})
        answers.append(np.argmax(probabilities))
    return np.array(answers, np.int64)


# ------------------------------------------------------------------------------------------------------- main


def main() -> None:
    """Train, export and measure, as the arguments say."""
    parser = argparse.ArgumentParser(description="Train Mobile-LeNet on MNIST; write mobile_lenet.onnx.")
    parser.add_argument("--data", type=Path, default=default_data_folder("mnist"), help="folder of the idx files")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--holdout", type=int, default=0, help="only measure, on that many training images")
    parser.add_argument("--digits-only", action="store_true", help="write digits.npz and stop")
    arguments = parser.parse_args()

    if arguments.digits_only:
        write_digits(arguments.data, arguments.output / "digits.npz")
        return

    make_repeatable()
    images, labels = read_mnist(arguments.data, "train-first10k")
    kept = len(images) - arguments.holdout
    network = train(images[:kept], labels[:kept], CLASSES, Recipe(arguments.epochs), arguments.seed)
    print(f"training images {accuracy(predicted(network, images[:kept]), labels[:kept]):.4f}")
    if arguments.holdout:
        print(f"held-out images {accuracy(predicted(network, images[kept:]), labels[kept:]):.4f}")
        return
    path = arguments.output / "mobile_lenet.onnx"
    onnx.save(to_onnx(network, "mobile_lenet"), path)
    write_digits(arguments.data, arguments.output / "digits.npz")
    test_images, test_labels = read_mnist(arguments.data, "t10k")
    print(f"test images     {accuracy(onnx_predicted(path, test_images), test_labels):.4f} (onnxruntime)")


if __name__ == "__main__":
    main()
