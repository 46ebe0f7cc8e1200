"""Roughly how many cycles ESP-NN and tinyc's own kernels take, to choose between them.

For each unit of `LibraryCall.work`: a multiply-accumulate, or an element. ESP-NN's are the cycles that its README
gives for version 1.2.3, data in external memory; without vector instructions, instructions on rv32imc. Ours are
instructions on rv32imc, measured by `tinyc bench`, times 1.2 for what loads and branches wait. None of it was
measured on a chip, and a choice that hangs on a few percent is not worth much; most differ by a factor.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_nn_gates import NONE, P4, S3

WAIT = 1.2

OURS: Mapping[str, float] = {
    "pointwise": 2.9,
    "narrow": 3.9,
    "conv": 2.9,
    "gathered": 3.9,
    "depthwise 3x3": 4.8,
    "depthwise": 11.8,
    "dense": 3.6,
    "max_pool": 99.0 / 9,
    "avg_pool": 54.0 / 9,
    "mean": 2.8,
    "add": 44.3,
    "add whole": 11.4,
    "mul": 14.0,
    "mul_channels": 14.4,
    "softmax": 353.0,
}
"""Instructions; of pooling, for each element of a window."""

THEIRS: Mapping[str, Mapping[str, float]] = {
    NONE: {
        "pointwise": 7.2,
        "narrow": 13.8,
        "conv": 7.2,
        "gathered": 16.6,
        "depthwise 3x3": 12.9,
        "depthwise": 12.9,
    },
    # 64x1x1x64, 16x1x1x16, 64x3x3x3, 3x3x16, 5x5x8 by 4, 271 to 3, 3x3 windows, 1,615 elements, 8 rows of 32.
    S3: {
        "pointwise": 331_008 / 409_600,
        "narrow": 39_022 / 16_384,
        "gathered": 394_842 / 62_208,
        "depthwise 3x3": 184_176 / 36_864,
        "depthwise": 372_435 / 80_000,
        "dense": 1_078 / 813,
        "max_pool": 48_069 / 3_136 / 9,
        "avg_pool": 118_052 / 3_136 / 9,
        "add": 74_440 / 1_615,
        "mul": 35_002 / 1_615,
        "softmax": 11_107 / 256,
        # Not published: dot products of rows of 16, as the pointwise convolution of 16 channels.
        "conv": 39_022 / 16_384,
    },
    # 64x1x1x64, 16x1x1x16, 64x3x3x3, 3x3x16, 5x5x8 by 4, 271 to 3, 3x3 windows, 1,615 elements, 256, 7x7x16.
    P4: {
        "pointwise": 572_459 / 409_600,
        "narrow": 71_104 / 16_384,
        "gathered": 533_318 / 110_592,
        "depthwise 3x3": 482_389 / 28_224,
        "depthwise": 703_989 / 80_000,
        "dense": 915 / 813,
        "max_pool": 24_178 / 3_136 / 9,
        "avg_pool": 84_401 / 3_136 / 9,
        "add": 88_451 / 1_615,
        "mul": 47_601 / 1_615,
        "mean": 4_686 / 784,
        "softmax": 8_587 / 256,
        "conv": 71_104 / 16_384,
    },
}
"""Cycles (without vector instructions, instructions). What is not here is portable C, no faster than ours."""


def path(call: LibraryCall) -> str:
    """What of the tables a layer is."""
    if call.kind == "conv":
        if call.kernel == (1, 1):
            return "pointwise" if call.channels >= 32 else "narrow"
        return "gathered" if call.kernel[1] * call.channels < 16 else "conv"
    if call.kind == "depthwise":
        return "depthwise 3x3" if call.kernel == (3, 3) and call.each == 1 else "depthwise"
    return call.kind


def cycles(call: LibraryCall, chip: str) -> tuple[int, int | None]:
    """Ours and ESP-NN's on a chip with these vector instructions; None for no figure."""
    kind, work = path(call), call.work
    if call.kind in ("max_pool", "avg_pool"):
        work *= call.kernel[0] * call.kernel[1]
    ours = OURS["add whole" if call.whole else kind] * work * WAIT
    # Groups, and channels that fill no vector, are left to portable C.
    portable = call.groups > 1 or (call.kind in ("max_pool", "avg_pool") and call.channels % 4 != 0)
    theirs = THEIRS[NONE if portable else chip].get(kind)
    if theirs is None:
        return int(ours), None
    return int(ours), int(theirs * work * (WAIT if portable or chip == NONE else 1.0))
