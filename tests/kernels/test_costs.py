"""What kernels of libraries are said to take, and what they took on the simulated core esp32s3."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernels.cases import P4, S3, Layer, Layers, conv, dense, depthwise, mean, pool, shown, softmax
from tests.rows import lowered
from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_nn import call_of
from tinyc.backends.libraries.esp_nn_costs import S3_COSTS, instructions, path
from tinyc.ir import ops

PADDED = (1, 1, 1, 1)
COUNTED: dict[str, tuple[Layer, int]] = {
    "24x24x32 -> 32": (conv((1, 24, 24, 32), 1, 32), 622_563),
    "6x6x128 -> 128": (conv((1, 6, 6, 128), 1, 128), 358_968),
    "48x48x8 -> 16": (conv((1, 48, 48, 8), 1, 16), 1_040_811),
    "ragged": (conv((1, 10, 10, 100), 1, 20), 534_559),
    "stem": (conv((1, 32, 32, 3), 3, 16, pads=PADDED), 1_936_566),
    "3x3": (conv((1, 16, 16, 32), 3, 32, pads=PADDED), 1_439_125),
    "groups": (conv((1, 12, 12, 32), 3, 32, groups=2, pads=PADDED), 6_538_058),
    "depthwise": (depthwise((1, 24, 24, 32), 3, PADDED), 746_556),
    "depthwise 5x5": (depthwise((1, 12, 12, 32), 5, (2, 2, 2, 2)), 284_912),
    "depthwise by 4": (depthwise((1, 12, 12, 8), 3, PADDED, each=4), 405_914),
    "depthwise by 2": (depthwise((1, 12, 12, 16), 3, PADDED, each=2), 1_089_044),
    "dense": (dense((1, 256), 64), 11_603),
    "largest": (pool(ops.MaxPool2d, (1, 16, 16, 16), 2), 36_666),
    "largest of few": (pool(ops.MaxPool2d, (1, 16, 16, 4), 3), 25_914),
    "average": (pool(ops.QAvgPool2d, (1, 16, 16, 32), 3), 174_601),
    "mean": (mean((1, 5, 5, 64)), 15_607),
    "softmax": (softmax((1, 100)), 43_453),
    "sum": (lambda m: m.sum(m.input((1, 8, 8, 32)), m.input((1, 8, 8, 32))), 72_031),
}
"""Layers, and instructions of ESP-NN 1.2.3 for them."""
LAYERS = pytest.mark.parametrize("name", COUNTED)


def call(layer: Layer) -> LibraryCall:
    """What ESP-NN is called with for a layer."""
    maker = Layers(np.random.default_rng(5))
    value = layer(maker)
    program = lowered(maker.builder.build([shown(maker, value), *maker.kept]), "arena")
    found = call_of(program, next(s for s in program.stages if s.result.name == value.name), True, S3)
    assert isinstance(found, LibraryCall)
    return found


@LAYERS
def test_as_counted(name: str) -> None:
    layer, counted = COUNTED[name]
    assert instructions(call(layer), S3) == pytest.approx(counted, rel=0.25)


def test_every_line_was_counted() -> None:
    assert {path(call(layer)) for layer, _ in COUNTED.values()} >= set(S3_COSTS) - {"portable depthwise"}


@LAYERS
def test_elsewhere(name: str) -> None:
    """Without vectors ESP-NN is portable C; on the ESP32-P4 published cycles stand for instructions, but for groups."""
    layer, _ = COUNTED[name]
    assert instructions(call(layer), "") is None
    assert (instructions(call(layer), P4) is None) == (name in ("groups", "depthwise by 2"))
