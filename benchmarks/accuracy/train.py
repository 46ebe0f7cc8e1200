"""Trains the networks of `trained.py` on the first 10,000 images of MNIST, with PyTorch.

    python -m benchmarks.accuracy.train [--to FOLDER] [--epochs 16] [NETWORK ...]

A seed fixes the result for one version of PyTorch on one kind of processor. Test images take no part in it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.accuracy.trained import CLASSES, FIRES, STEM, V2_BLOCKS, V2_LAST, V2_STEM
from benchmarks.networks.data import mnist_images

BATCH, PEAK, SHIFT = 100, 1e-2, 2


class FireNet(nn.Module):
    """The SqueezeNet-like network, up to its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, STEM, 3, 2, 1)
        inputs = STEM
        for number, (squeeze, expand) in enumerate(FIRES):
            self.add_module(f"fire{number}_squeeze", nn.Conv2d(inputs, squeeze, 1))
            self.add_module(f"fire{number}_left", nn.Conv2d(squeeze, expand, 1))
            self.add_module(f"fire{number}_right", nn.Conv2d(squeeze, expand, 3, padding=1))
            inputs = 2 * expand
        self.head = nn.Conv2d(inputs, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        layers = dict(self.named_children())
        x = functional.relu(self.stem(x))
        for number in range(len(FIRES)):
            x = functional.max_pool2d(x, 2) if number == 2 else x
            x = functional.relu(layers[f"fire{number}_squeeze"](x))
            both = [functional.relu(layers[f"fire{number}_{side}"](x)) for side in ("left", "right")]
            x = torch.cat(both, 1)
        logits: Tensor = self.head(x).mean((2, 3))
        return logits


def normed(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution and its batch norm."""
    conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class MobileNetV2Small(nn.Module):
    """The MobileNetV2-like network, up to its logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = normed(1, V2_STEM, 3, 2)
        inputs = V2_STEM
        for number, (expansion, outputs, stride) in enumerate(V2_BLOCKS):
            inner = inputs * expansion
            if expansion > 1:
                self.add_module(f"expand{number}", normed(inputs, inner, 1))
            self.add_module(f"dw{number}", normed(inner, inner, 3, stride, inner))
            self.add_module(f"project{number}", normed(inner, outputs, 1))
            inputs = outputs
        self.last = normed(inputs, V2_LAST, 1)
        self.head = nn.Linear(V2_LAST, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        layers = dict(self.named_children())
        x = functional.relu6(self.stem(x))
        for number in range(len(V2_BLOCKS)):
            inner = functional.relu6(layers[f"expand{number}"](x)) if f"expand{number}" in layers else x
            made = layers[f"project{number}"](functional.relu6(layers[f"dw{number}"](inner)))
            x = made + x if made.shape == x.shape else made
        logits: Tensor = self.head(functional.relu6(self.last(x)).mean((2, 3)))
        return logits


NETWORKS: dict[str, type[nn.Module]] = {"firenet": FireNet, "mobilenet_v2_small": MobileNetV2Small}


def shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Each image moved by up to two pixels."""
    padded = functional.pad(images, [SHIFT] * 4)
    places = torch.randint(0, 2 * SHIFT + 1, (len(images), 2), generator=random).tolist()
    return torch.stack([image[:, y : y + 28, x : x + 28] for image, (y, x) in zip(padded, places, strict=True)])


def train(network: nn.Module, images: Tensor, labels: Tensor, epochs: int, random: torch.Generator) -> None:
    """One cosine cycle of AdamW."""
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, steps, cycle_momentum=False)
    for epoch in range(1, epochs + 1):
        for chosen in torch.randperm(len(images), generator=random).split(BATCH):
            loss = functional.cross_entropy(network(shifted(images[chosen], random)), labels[chosen])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch}  loss {loss.item():.4f}", flush=True)


def right(network: nn.Module, split: str) -> float:
    """The part of images that get their label."""
    images, labels = mnist_images(split)
    with torch.no_grad():
        parts = [network(torch.from_numpy(images[k : k + 500])).argmax(1).numpy() for k in range(0, len(images), 500)]
    return float((np.concatenate(parts) == labels).mean())


def main() -> None:
    """Trains the named networks, all by default."""
    parser = argparse.ArgumentParser("python -m benchmarks.accuracy.train", description="Trains networks for MNIST.")
    parser.add_argument("network", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "models", help="where weights go")
    parser.add_argument("--epochs", type=int, default=16)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    images, labels = mnist_images("train-first10k")
    chosen.to.mkdir(parents=True, exist_ok=True)
    for name in chosen.network or NETWORKS:
        torch.manual_seed(0)
        network = NETWORKS[name]()
        random = torch.Generator().manual_seed(0)
        train(network, torch.tensor(images), torch.tensor(labels.astype(np.int64)), chosen.epochs, random)
        network.eval()
        weights = {key: value.detach().numpy() for key, value in network.state_dict().items()}
        np.savez_compressed(chosen.to / f"{name}.npz", **weights)
        print(f"{name}: {right(network, 't10k'):.2%} of the test images")


if __name__ == "__main__":
    main()
