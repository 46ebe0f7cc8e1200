"""MobileNetV1 0.25 224 with its ImageNet weights, in int8: what equalisation and bias correction are worth.

Numbers are signal-to-quantisation-noise ratios against the float network, in dB, on photographs that quantisation has
not seen. They are taken at the logits, the last linear layer's result; at the probabilities they are shown only: a
softmax turns differences into ratios, so one unsure photograph among twenty decides the number.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks.networks import mobilenet_v1
from tests.mobilenet_weights import RESOLUTION, imagenet_weights
from tests.photographs import CALIBRATION, EVALUATION, crops
from tinyc.backends.interpreter import run_module
from tinyc.compiler.frontend import load_onnx
from tinyc.ir import Module, Node
from tinyc.ir.ops import Softmax
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array
from tinyc.passes.base import apply
from tinyc.passes.pipeline import integer_passes, tensor_passes
from tinyc.passes.quantise import QuantisedModule, quantise_module

SHOWN = {
    "chelsea": set(range(281, 286)),  # cats: tabby, tiger cat, Persian, Siamese, Egyptian
    "coffee": {967},  # espresso
    "camera": {872},  # tripod
    "china.jpg": {832},  # stupa
    "stereo_motorcycle": {665},  # moped
}
"""ImageNet classes of what is in the middle of a photograph, where there is a class for it."""
Results = Sequence[Sequence[Array]]


def photographs(names: Sequence[str]) -> list[list[Array]]:
    """Input sets of the float module: five squares of each photograph, channels last."""
    return [[np.ascontiguousarray(c.transpose(0, 2, 3, 1))] for name in names for c in crops(name, RESOLUTION)]


def float_module(weights: dict[str, Array], folder: Path) -> Module:
    """The network as quantisation takes it; its results are the probabilities and the logits."""
    path = folder / "mobilenet.onnx"
    onnx.save(mobilenet_v1(0.25, RESOLUTION, weights=weights), path)
    module = load_onnx(path, input_layout="nhwc").module
    for step in tensor_passes():
        module = apply(step, module)  # type: ignore[assignment]
    logits = next(n.op.x for n in module.nodes if isinstance(n.op, Softmax))
    return Module(module.name, module.inputs, module.nodes, (*module.outputs, logits))


def results(module: Module, inputs: Sequence[Sequence[Array]]) -> list[list[Array]]:
    return [run_module(module, one) for one in inputs]


def sqnr(exact: Results, found: Results, output: int) -> float:
    signal = sum(float((e[output].astype(np.float64) ** 2).sum()) for e in exact)
    noise = sum(
        float(((e[output].astype(np.float64) - f[output]) ** 2).sum()) for e, f in zip(exact, found, strict=True)
    )
    return 10 * math.log10(signal / noise)


PROBABILITIES, LOGITS = 0, 1


def test_the_imported_network_knows_what_photographs_show(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.onnx"
    onnx.save(mobilenet_v1(0.25, RESOLUTION, weights=imagenet_weights()), path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for name, classes in SHOWN.items():
        (found,) = session.run(None, {"image": crops(name, RESOLUTION, 1)[0]})
        assert int(found.argmax()) in classes, name


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Module:
    return float_module(imagenet_weights(), tmp_path_factory.mktemp("mobilenet"))


@pytest.mark.slow
def test_equalisation_and_bias_correction(network: Module) -> None:
    calibration, inputs = photographs(CALIBRATION), photographs(EVALUATION)
    exact = results(network, inputs)
    logits: dict[tuple[bool, bool], float] = {}
    best: QuantisedModule | None = None
    for equalise, correct_bias in ((False, False), (True, False), (False, True), (True, True)):
        best = quantise_module(network, calibration, run_module, equalise=equalise, correct_bias=correct_bias)
        found = results(best.module, inputs)
        logits[equalise, correct_bias] = sqnr(exact, found, LOGITS)
        same = np.mean(
            [e[PROBABILITIES].argmax() == f[PROBABILITIES].argmax() for e, f in zip(exact, found, strict=True)]
        )
        print(
            f"equalised {equalise!s:5}  biases corrected {correct_bias!s:5}"
            f"  logits {logits[equalise, correct_bias]:5.2f} dB"
            f"  probabilities {sqnr(exact, found, PROBABILITIES):5.2f} dB  same class {same:4.0%}"
            f"  worst layers {', '.join(f'{x.value} {x.sqnr:.1f}' for x in best.layers[:3])}"
        )
    assert logits[True, True] >= 20
    # Without it 13 dB: depthwise weights cancel each other, so their rounding moves means. 22 dB with it.
    assert logits[False, True] >= logits[False, False] + 6
    # Most channels here reach the limit of ReLU6, so equalisation has little to do; it must do no harm. Orders of
    # rounding that are equally good lie about 0.5 dB apart.
    assert logits[True, True] >= logits[False, True] - 1
    integer: Module = best.module  # type: ignore[union-attr]
    for step in integer_passes():
        integer = apply(step, integer)  # type: ignore[assignment]
    # A double rounding now and then moves a value by one step: noise of the same kind, far less of it.
    assert sqnr(exact, results(integer, inputs), LOGITS) >= logits[True, True] - 0.5


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

    weights = imagenet_weights()
    even, uneven = (unlimited(float_module(w, tmp_path)) for w in (weights, shrink_channels(weights)))
    calibration, inputs = photographs(CALIBRATION[:3]), photographs(EVALUATION[:2])
    exact = results(even, inputs)
    assert sqnr(exact, results(uneven, inputs), LOGITS) >= 80  # the same function, but for float32 rounding
    found = {
        equalise: sqnr(
            exact, results(quantise_module(uneven, calibration, run_module, equalise=equalise).module, inputs), LOGITS
        )
        for equalise in (False, True)
    }
    print(f"channels of unlike scale: {found[False]:.2f} dB, equalised {found[True]:.2f} dB")
    assert found[True] >= found[False] + 9


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
