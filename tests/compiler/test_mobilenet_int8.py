"""MobileNetV1 0.25 224 with its ImageNet weights, in int8: what equalisation and bias correction are worth.

Numbers are signal-to-quantisation-noise ratios against the float network, in dB, on photographs that quantisation has
not seen. They are asserted at the logits, the last linear layer's result, and shown at the probabilities as well: these
hang on the few largest logits, so that one logit beyond the calibrated range decides the number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.networks import mobilenet_v1
from benchmarks.networks.data import IMAGENET_SIDE, imagenet_weights
from benchmarks.photographs import CALIBRATION, EVALUATION, crops
from tests.mnist import folder
from tests.sessions import open_onnxruntime
from tinyc.backends.interpreter import run_module
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import Module, Node
from tinyc.ir.ops import Softmax
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import AnyPass, apply
from tinyc.passes.pipeline import integer_passes, tensor_passes
from tinyc.passes.quantise import quantise_module

SHOWN = {
    "chelsea": set(range(281, 286)),  # cats: tabby, tiger cat, Persian, Siamese, Egyptian
    "coffee": {967},  # espresso
    "camera": {872},  # tripod
    "china.jpg": {832},  # stupa
    "stereo_motorcycle": {665},  # moped
}
"""ImageNet classes of what is in the middle of a photograph, where there is a class for it."""
Results = Sequence[Sequence[Array]]
PROBABILITIES, LOGITS = 0, 1
"""The results of the float module, and of what is made from it."""


def photographs(names: Sequence[str]) -> list[list[Array]]:
    """Input sets of the float module: two squares of each photograph, channels last."""
    return [[np.ascontiguousarray(c.transpose(0, 2, 3, 1))] for name in names for c in crops(name, IMAGENET_SIDE, 2)]


def trained() -> dict[str, Array]:
    """The weights of ImageNet; skips the test where they are missing."""
    folder("stm32_modelzoo_apache")
    return dict(imagenet_weights())


def float_module(weights: dict[str, Array], folder: Path) -> Module:
    """The network as quantisation takes it; its results are the probabilities and the logits."""
    path = folder / "mobilenet.onnx"
    onnx.save(mobilenet_v1(0.25, IMAGENET_SIDE, weights=weights), path)
    module = through(tensor_passes(), load_onnx(path, input_layout="nhwc").module)
    logits = next(n.op.x for n in module.nodes if isinstance(n.op, Softmax))
    return Module(module.name, module.inputs, module.nodes, (*module.outputs, logits))


def through(passes: Sequence[AnyPass], module: Module) -> Module:
    for step in passes:
        after = apply(step, module)
        assert isinstance(after, Module)
        module = after
    return module


def results(module: Module, inputs: Sequence[Sequence[Array]]) -> list[list[Array]]:
    return [run_module(module, one) for one in inputs]


def sqnr(exact: Results, found: Results, output: int) -> float:
    signal = sum(float((e[output].astype(np.float64) ** 2).sum()) for e in exact)
    noise = sum(
        float(((e[output].astype(np.float64) - f[output]) ** 2).sum()) for e, f in zip(exact, found, strict=True)
    )
    return 10 * math.log10(signal / noise)


def test_the_imported_network_knows_what_photographs_show(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.onnx"
    onnx.save(mobilenet_v1(0.25, IMAGENET_SIDE, weights=trained()), path)
    session = open_onnxruntime(path)
    for name, classes in SHOWN.items():
        (found,) = session.run(None, {"image": crops(name, IMAGENET_SIDE, 1)[0]})
        assert int(found.argmax()) in classes, name


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Module:
    return float_module(trained(), tmp_path_factory.mktemp("mobilenet"))


@pytest.mark.slow
def test_equalisation_and_bias_correction(network: Module) -> None:
    calibration, inputs = photographs(CALIBRATION), photographs(EVALUATION)
    exact = results(network, inputs)

    def measure(label: str, module: Module) -> float:
        found = results(module, inputs)
        logits, probabilities = (sqnr(exact, found, k) for k in (LOGITS, PROBABILITIES))
        same = np.mean([e[LOGITS].argmax() == f[LOGITS].argmax() for e, f in zip(exact, found, strict=True)])
        print(f"{label:36} {logits:5.2f} dB, probabilities {probabilities:5.2f} dB, same class {same:4.0%}")
        return logits

    plain, equalised, corrected, both = (
        quantise_module(network, calibration, run_module, equalise=equalise, correct_bias=correct_bias)
        for equalise, correct_bias in ((False, False), (True, False), (False, True), (True, True))
    )
    without = measure("neither", plain.module)
    measure("equalised", equalised.module)
    with_bias = measure("biases corrected", corrected.module)
    with_both = measure("equalised, biases corrected", both.module)
    integer = measure("the same on integers", through(integer_passes(), both.module))
    print("worst layers:", ", ".join(f"{layer.value} {layer.sqnr:.1f} dB" for layer in both.layers[:5]))
    assert with_both >= 20
    # Rounded weights move the means of channels: they alone leave 13 dB, and 26 dB with corrected biases.
    assert with_bias >= without + 6
    # Most channels here reach the limit of ReLU6, so equalisation has little to do; it must do no harm. Roundings that
    # are equally good, as with other calibration photographs, differ by up to 1 dB.
    assert with_both >= with_bias - 1
    # Rounding twice moves a value by one step now and then: noise of the same kind, and far less of it.
    assert integer >= with_both - 0.5


@pytest.mark.slow
def test_equalisation_mends_channels_of_unlike_scale(tmp_path: Path) -> None:
    """The same network computed with channels up to 32 times smaller; limits would not scale along, so it has none."""

    def unlimited(module: Module) -> Module:
        def free(node: Node) -> Node:
            op = node.op
            if isinstance(op, Convolution) and op.max == 6.0:
                return dataclasses.replace(node, op=dataclasses.replace(op, max=math.inf))
            return node

        return Module(module.name, module.inputs, tuple(map(free, module.nodes)), module.outputs)

    weights = trained()
    even, uneven = (unlimited(float_module(w, tmp_path)) for w in (weights, shrink_channels(weights)))
    calibration, inputs = photographs(CALIBRATION[:3]), photographs(EVALUATION[:2])
    exact = results(even, inputs)
    assert sqnr(exact, results(uneven, inputs), LOGITS) >= 80  # the same function, but for float32 rounding
    plain, equalised = (
        sqnr(exact, results(quantise_module(uneven, calibration, run_module, equalise=e).module, inputs), LOGITS)
        for e in (False, True)
    )
    print(f"channels of unlike scale: {plain:.2f} dB, equalised {equalised:.2f} dB")
    # Shrinking costs some 6 dB, and no limits some more; about 16 dB come back.
    assert equalised >= plain + 9


def shrink_channels(weights: dict[str, Array]) -> dict[str, Array]:
    """Weights of the same function, whose channels between layers are divided by 1 to 32."""
    made = dict(weights)
    layers = [name for name in weights if f"{name}_bn" in weights]
    random = np.random.default_rng(5)
    for first, second in zip(layers, [*layers[1:], "conv_preds"], strict=True):
        channels = made[first].shape[0]
        by = np.exp2(random.uniform(0, 5, channels)).astype(np.float32)
        norm = made[f"{first}_bn"].copy()
        norm[:2] /= by
        made[f"{first}_bn"] = norm
        depthwise = made[second].shape[1] == 1
        made[second] = made[second] * by.reshape((-1, 1, 1, 1) if depthwise else (1, -1, 1, 1))
    return made
