"""The networks that figures are quoted for, as ONNX models with seeded or given weights.

    python -m benchmarks.networks --list
    python -m benchmarks.networks resnet8 -o resnet8.onnx

They are written as exporters write them: batch norms, explicit pads and activations are nodes of their own, so that
the compiler has the same work as with a trained model. A file a family.
"""

from benchmarks.networks.causal import causal_tcn, gru_keywords
from benchmarks.networks.data import DATA, from_shared, mnist_images, published
from benchmarks.networks.dense import densenet
from benchmarks.networks.detector import detector
from benchmarks.networks.graph import Floats, Graph
from benchmarks.networks.inverted import efficientnet, mobilenet_v3_small
from benchmarks.networks.keywords import ds_cnn
from benchmarks.networks.lenet import blood_mobile_lenet, mobile_lenet, published_mobile_lenet
from benchmarks.networks.listing import NETWORKS, main
from benchmarks.networks.micro import MICRO_MOBILENET, micro_mobilenet
from benchmarks.networks.mobilenet import mobilenet_v1, mobilenet_v2
from benchmarks.networks.pixels import espcn, pooled, unet
from benchmarks.networks.residual import resnet8
from benchmarks.networks.shuffle import shufflenet_v2
from benchmarks.networks.signals import tcn
from benchmarks.networks.squeeze import squeezenet

__all__ = [
    "DATA",
    "MICRO_MOBILENET",
    "NETWORKS",
    "Floats",
    "Graph",
    "blood_mobile_lenet",
    "causal_tcn",
    "densenet",
    "detector",
    "ds_cnn",
    "efficientnet",
    "espcn",
    "from_shared",
    "gru_keywords",
    "main",
    "micro_mobilenet",
    "mnist_images",
    "mobile_lenet",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "pooled",
    "published",
    "published_mobile_lenet",
    "resnet8",
    "shufflenet_v2",
    "squeezenet",
    "tcn",
    "unet",
]
