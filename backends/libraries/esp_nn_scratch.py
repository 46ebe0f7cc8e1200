"""How much scratch memory ESP-NN's functions ask for, in bytes: what its `esp_nn_get_*_scratch_size` return.

Restated from version 1.2.3: for the ESP32-S3 from esp_nn_conv_esp32s3.c, esp_nn_depthwise_conv_s8_esp32s3.c and
esp_nn_softmax_s8_esp32s3.c, for the ESP32-P4 from esp_nn_conv_esp32p4.c and esp_nn_softmax_s8_esp32p4.c. The generated
code asks the library again, and calls its portable function should a later version want more.
"""

from __future__ import annotations

from tinyc.backends.libraries.call import LibraryCall
from tinyc.backends.libraries.esp_nn_gates import NONE, P4, S3

S3_MARGIN, S3_WHOLE, S3_TILES = 64, 40 * 1024, 48 * 1024
P4_MARGIN, P4_CACHE = 32, 32 * 1024


def scratch_bytes(call: LibraryCall, chip: str) -> int:
    """The scratch memory of a call on a chip with these vector instructions."""
    if call.kind == "softmax":
        return 4 * call.channels
    if chip == S3:
        return {"conv": _s3_conv, "depthwise": _s3_depthwise}.get(call.kind, _nothing)(call)
    return _p4_conv(call) if (chip, call.kind) == (P4, "conv") else 0


def _nothing(call: LibraryCall) -> int:
    return 0


def _up(size: int, step: int) -> int:
    """The next multiple."""
    return -(-size // step) * step


def _beyond(call: LibraryCall) -> tuple[int, int]:
    """Rows and columns that a result of this size could read beyond the operand, as the library reckons them."""
    down, right = (
        out * step + size - 1 - inside
        for out, step, size, inside in zip(
            (call.out_height, call.out_width), call.strides, call.kernel, (call.height, call.width), strict=True
        )
    )
    return down, right


def _plain_pointwise(call: LibraryCall) -> bool:
    return call.kernel == (1, 1) and call.strides == (1, 1) and call.begin == (0, 0)


def _padded(call: LibraryCall) -> int:
    """Pixels of the operand with the pads of its beginning on all sides."""
    return (call.height + 2 * call.begin[0]) * (call.width + 2 * call.begin[1])


def _s3_conv(call: LibraryCall) -> int:
    channels, outputs, pixels = call.channels, call.outputs, call.height * call.width
    if _plain_pointwise(call):
        wide = _up(channels, 8)
        transposed = 16 * wide if pixels >= 8 else 0
        return (pixels * wide if channels % 8 else 0) + wide * outputs + transposed + S3_MARGIN
    row, area = call.kernel[1] * channels, call.kernel[0] * call.kernel[1]
    if row < 16 <= area * channels:
        gathered = _up(area * channels, 16)
        return 4 * outputs + 16 + outputs * gathered + 16 + gathered + S3_MARGIN
    operand = _padded(call) * channels if any(call.begin) else 0
    filters = area * _up(channels, 16) * outputs + _up(row, 16) * call.kernel[0] * outputs
    down, right = (max(n, 0) for n in _beyond(call))
    more = (call.height + down) * (call.width + right) * channels if down or right else 0
    return operand + filters + more + S3_MARGIN + 4 * outputs


def _s3_depthwise(call: LibraryCall) -> int:
    channels, pixels = call.channels, call.height * call.width
    area = call.kernel[0] * call.kernel[1]
    filters = area * channels * call.each
    both = 2 * (filters + pixels * channels)
    if call.each == 1 and channels % 8 == 0:
        if call.kernel == (3, 3):
            return _s3_depthwise3x3(call, filters, both)
        tiles = 2 * filters + 2 * call.width * call.kernel[0] * channels
        return (both if both <= S3_TILES else tiles) + 32
    if call.each == 1 and channels > 3:
        wide = _up(channels, 8)
        size = _up(_up(2 * area * wide, 16) + 2 * pixels * wide, 16)
        size = _up(size + call.out_height * call.out_width * wide, 16)
        return size + 12 * wide + 16
    return both + 32 if call.each % 4 == 0 else 32


def _s3_depthwise3x3(call: LibraryCall, filters: int, both: int) -> int:
    channels = call.channels
    if channels % 16 == 0:
        down, right = (2 * n for n in call.begin) if any(call.begin) else _beyond(call)
        if not down and not right:
            return filters + 16
        padded = (call.height + down) * (call.width + right) * channels
        strip = (call.width + right) * 3 * channels
        return filters + (padded if padded <= S3_WHOLE else strip) + 16
    if channels < 12:
        return both + 32
    wide = _up(channels, 16)
    down, right = (2 * pad + max(n, 0) for pad, n in zip(call.begin, _beyond(call), strict=True))
    operand = (call.height + down) * (call.width + right)
    return wide * (9 + operand + call.out_height * call.out_width) + 64


def _p4_conv(call: LibraryCall) -> int:
    channels, outputs = call.channels, call.outputs
    sums, area = 4 * outputs, call.kernel[0] * call.kernel[1]
    if _plain_pointwise(call):
        if channels < 16:
            return sums + 16 * outputs + 32 + P4_MARGIN
        wide, pixels = _up(channels, 8), call.height * call.width
        transposed = 16 * wide if pixels >= 8 else 0
        return (pixels * wide if channels % 8 else 0) + wide * outputs + transposed + P4_MARGIN
    if call.begin == (0, 0) and call.kernel[1] * channels >= 16:
        return area * _up(channels, 16) * outputs + P4_MARGIN + sums
    if area * channels >= 16:
        return sums + area * channels + P4_MARGIN
    wide = _up(-(-16 // call.kernel[1]), 16)
    filters = area * wide * outputs
    if call.begin == (0, 0):
        return sums + filters + call.height * call.width * wide + P4_MARGIN
    whole = _padded(call) * channels
    if whole + sums <= P4_CACHE:
        return whole + area * _up(channels, 16) * outputs + P4_MARGIN + sums
    row = (call.width + 2 * call.begin[1]) * wide
    room, tall, step = P4_CACHE - sums - filters, call.kernel[0], call.strides[0]
    rows = 1
    if room > 0 and tall * row <= room:
        rows = min((room - tall * row) // (step * row) + 1, call.out_height)
    return ((rows - 1) * step + tall + 2 * call.begin[0]) * row + filters + P4_MARGIN + sums


__all__ = ["NONE", "P4", "S3", "scratch_bytes"]
