"""The networks by name, and the command that writes one."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from benchmarks.networks.causal import causal_tcn, gru_keywords
from benchmarks.networks.data import published
from benchmarks.networks.dense import densenet
from benchmarks.networks.detector import detector
from benchmarks.networks.inverted import efficientnet, mobilenet_v3_small
from benchmarks.networks.keywords import ds_cnn
from benchmarks.networks.lenet import blood_mobile_lenet, published_mobile_lenet
from benchmarks.networks.micro import micro_mobilenet
from benchmarks.networks.mobilenet import mobilenet_v1, mobilenet_v2
from benchmarks.networks.pixels import espcn, pooled, unet
from benchmarks.networks.residual import resnet8
from benchmarks.networks.shuffle import shufflenet_v2
from benchmarks.networks.signals import tcn
from benchmarks.networks.squeeze import squeezenet

NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {
    "mobile_lenet": lambda: published_mobile_lenet(published("noodle_mobile_lenet_mnist")),
    "blood_mobile_lenet": lambda: blood_mobile_lenet(published("noodle_mobile_lenet_bloodmnist")),
    "mobilenet_v1_0.25_96_gray": lambda: mobilenet_v1(0.25, 96, channels=1),
    "mobilenet_v1_0.25_96": lambda: mobilenet_v1(0.25, 96),
    "mobilenet_v1_0.25_224": lambda: mobilenet_v1(0.25, 224),
    "mobilenet_v1_0.5_224": lambda: mobilenet_v1(0.5, 224),
    "mobilenet_v1_1.0_224": lambda: mobilenet_v1(1.0, 224),
    "mobilenet_v2_0.5_128": lambda: mobilenet_v2(0.5, 128),
    "micro_mobilenet_pico": lambda: micro_mobilenet("pico"),
    "micro_mobilenet_nano": lambda: micro_mobilenet("nano"),
    "micro_mobilenet_micro": lambda: micro_mobilenet("micro"),
    "micro_mobilenet_milli": lambda: micro_mobilenet("milli"),
    "micro_mobilenet_base": lambda: micro_mobilenet("base"),
    "pooled_34": pooled,
    "resnet8": resnet8,
    "ds_cnn": ds_cnn,
    "causal_tcn": causal_tcn,
    "gru_keywords": gru_keywords,
    "densenet_32": densenet,
    "shufflenet_v2_96": shufflenet_v2,
    "mobilenet_v3_small_0.5_96": mobilenet_v3_small,
    "efficientnet_lite_0.35_96": efficientnet,
    "efficientnet_0.35_96": lambda: efficientnet(lite=False),
    "fpn_128": detector,
    "ssd_128": lambda: detector(boxes=True),
    "squeezenet_96": squeezenet,
    "unet_64": unet,
    "unet_deconvolution_64": lambda: unet(up="deconvolution"),
    "unet_linear_64": lambda: unet(up="linear"),
    "espcn_64": espcn,
    "espcn_linear_64": lambda: espcn(up="linear"),
    "tcn_512": tcn,
}
"""What the command can write. The published weights are trained, all others seeded."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes one network to a file, or lists their names."""
    parser = argparse.ArgumentParser("python -m benchmarks.networks", description="Writes a network as ONNX.")
    parser.add_argument("name", nargs="?", choices=NETWORKS, metavar="NAME", help="which; see --list")
    parser.add_argument("-o", "--output", type=Path, help="the file to write; NAME.onnx by default")
    parser.add_argument("--list", action="store_true", help="list the names")
    chosen = parser.parse_args(arguments)
    if chosen.list:
        print("\n".join(NETWORKS))
        return
    if chosen.name is None:
        parser.error("which network? --list lists them")
    try:
        network = NETWORKS[chosen.name]()
    except FileNotFoundError as error:
        parser.error(str(error))
    onnx.save(network, chosen.output or Path(f"{chosen.name}.onnx"))
