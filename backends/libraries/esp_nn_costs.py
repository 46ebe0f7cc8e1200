"""About how many instructions ESP-NN's functions take, to choose between them and tinyc's own kernels.

For each result and for each unit of `LibraryCall.work`. On the ESP32-S3 they are fitted to counts of its assembly on
the simulated core, version 1.2.3: 164 layers alone and in MobileNetV1 0.25 at 96, Mobile-LeNet, DS-CNN and ResNet-8,
within 25 % for most layers, and more than that too little where channels fill no vectors. Its functions for the
ESP32-P4 could not be counted: nothing was measured there, and what stands for it are the cycles of its README. Without
vector instructions it is portable C, which takes more instructions than ours on each core that was counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_nn_gates import P4, S3

CYCLES = 1.2
"""Of an instruction, where cycles are what is known: on boards, most code takes 1.0 to 1.4."""
VECTOR, HALF = 8, 4
"""Channels that functions for few of them fill up, or ask for multiples of."""

S3_COSTS: Mapping[str, tuple[float, float]] = {
    "pointwise": (21.8, 0.38),
    "ragged pointwise": (112.0, 1.52),
    "gathered": (116.0, 0.36),
    "conv": (62.5, 0.50),
    "groups": (265.0, 8.0),
    "depthwise 3x3": (0.0, 5.1),
    "depthwise": (61.0, 0.23),
    "depthwise multiplied": (0.0, 9.8),
    "portable depthwise": (0.0, 26.6),
    "dense": (148.0, 0.19),
    "max_pool": (7.0, 0.65),
    "avg_pool": (16.5, 1.2),
    "mean": (56.6, 7.7),
    "add": (33.2, 0.0),
    "softmax": (0.0, 425.0),
}
"""Instructions for each result and unit of work."""

# 64x1x1x64, 16x1x1x16, 64x3x3x3, 3x3x16, 5x5x8 by 4, 271 to 3, 3x3 windows, 1,615 elements, 256, 7x7x16.
P4_CYCLES: Mapping[str, float] = {
    "pointwise": 572_459 / 409_600,
    "narrow": 71_104 / 16_384,
    "gathered": 533_318 / 110_592,
    "depthwise 3x3": 482_389 / 28_224,
    "depthwise": 703_989 / 80_000,
    "depthwise multiplied": 703_989 / 80_000,
    "dense": 915 / 813,
    "max_pool": 24_178 / 3_136 / 9,
    "avg_pool": 84_401 / 3_136 / 9,
    "add": 88_451 / 1_615,
    "mul": 47_601 / 1_615,
    "mean": 4_686 / 784,
    "softmax": 8_587 / 256,
    "conv": 71_104 / 16_384,
}
"""Cycles for each unit of work, as published, data in external memory. What is not here is portable C."""


def path(call: LibraryCall) -> str:
    """What of the tables a layer is."""
    if call.kind == "conv":
        return _convolution(call)
    if call.kind == "depthwise":
        if call.each > 1:
            return "portable depthwise" if call.each % HALF else "depthwise multiplied"
        if call.kernel == (3, 3):
            return "depthwise 3x3"
        return "portable depthwise" if call.channels < HALF else "depthwise"
    return call.kind


def _convolution(call: LibraryCall) -> str:
    if call.groups > 1:
        return "groups"
    if call.kernel == (1, 1):
        return "ragged pointwise" if call.channels % VECTOR else "pointwise"
    return "gathered" if call.kernel[1] * call.channels < 2 * VECTOR else "conv"


def instructions(call: LibraryCall, chip: str) -> int | None:
    """Those of ESP-NN's function on a chip with these vector instructions; None where nothing is known."""
    results, work = call.results, call.work
    if call.kind in ("max_pool", "avg_pool"):
        work *= call.kernel[0] * call.kernel[1]
    if chip == S3 and path(call) in S3_COSTS:
        each, unit = S3_COSTS[path(call)]
        # Poolings fill up their channels.
        filled = -(-call.channels // VECTOR) * VECTOR / call.channels if call.kind.endswith("pool") else 1.0
        return round((each * results + unit * work) * filled)
    if chip == P4:
        narrow = call.kernel == (1, 1) and call.channels < 4 * VECTOR
        known = P4_CYCLES.get("narrow" if narrow and call.kind == "conv" else path(call).removeprefix("ragged "))
        return None if known is None or call.groups > 1 else round(known * work / CYCLES)
    return None
