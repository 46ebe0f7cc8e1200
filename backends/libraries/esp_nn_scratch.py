"""How much scratch memory ESP-NN's functions ask for, in bytes: what its `esp_nn_get_*_scratch_size` return.

Restated from version 1.2.3: for the ESP32-S3 from esp_nn_conv_esp32s3.c, esp_nn_depthwise_conv_s8_esp32s3.c and
esp_nn_softmax_s8_esp32s3.c, for the ESP32-P4 from esp_nn_conv_esp32p4.c and esp_nn_softmax_s8_esp32p4.c. The generated
code asks the library again, and calls its portable function should a later version want more.
"""

from __future__ import annotations

from tinyc.backends.libraries.esp_nn_gates import NONE, P4, S3
from tinyc.backends.libraries.layer import Layer

S3_MARGIN, S3_WHOLE, S3_TILES = 64, 40 * 1024, 48 * 1024
P4_MARGIN, P4_CACHE = 32, 32 * 1024


def scratch_bytes(layer: Layer, chip: str) -> int:
    """The scratch memory of a call on a chip with these vector instructions."""
    if layer.kind == "softmax":
        return 4 * layer.channels
    if chip == S3:
        return {"conv": _s3_conv, "depthwise": _s3_depthwise}.get(layer.kind, _nothing)(layer)
    return _p4_conv(layer) if (chip, layer.kind) == (P4, "conv") else 0


def _nothing(layer: Layer) -> int:
    return 0


def _up(size: int, step: int) -> int:
    """The next multiple."""
    return -(-size // step) * step


def _beyond(layer: Layer) -> tuple[int, int]:
    """Rows and columns that a result of this size could read beyond the operand, as the library reckons them."""
    down, right = (
        out * step + size - 1 - inside
        for out, step, size, inside in zip(
            (layer.out_height, layer.out_width), layer.strides, layer.kernel, (layer.height, layer.width), strict=True
        )
    )
    return down, right


def _plain_pointwise(layer: Layer) -> bool:
    return layer.kernel == (1, 1) and layer.strides == (1, 1) and layer.begin == (0, 0)


def _padded(layer: Layer) -> int:
    """Pixels of the operand with the pads of its beginning on all sides."""
    return (layer.height + 2 * layer.begin[0]) * (layer.width + 2 * layer.begin[1])


def _s3_conv(layer: Layer) -> int:
    channels, outputs, pixels = layer.channels, layer.outputs, layer.height * layer.width
    if _plain_pointwise(layer):
        wide = _up(channels, 8)
        transposed = 16 * wide if pixels >= 8 else 0
        return (pixels * wide if channels % 8 else 0) + wide * outputs + transposed + S3_MARGIN
    row, area = layer.kernel[1] * channels, layer.kernel[0] * layer.kernel[1]
    if row < 16 <= area * channels:
        gathered = _up(area * channels, 16)
        return 4 * outputs + 16 + outputs * gathered + 16 + gathered + S3_MARGIN
    operand = _padded(layer) * channels if any(layer.begin) else 0
    filters = area * _up(channels, 16) * outputs + _up(row, 16) * layer.kernel[0] * outputs
    down, right = (max(n, 0) for n in _beyond(layer))
    more = (layer.height + down) * (layer.width + right) * channels if down or right else 0
    return operand + filters + more + S3_MARGIN + 4 * outputs


def _s3_depthwise(layer: Layer) -> int:
    channels, pixels = layer.channels, layer.height * layer.width
    area = layer.kernel[0] * layer.kernel[1]
    filters = area * channels * layer.each
    both = 2 * (filters + pixels * channels)
    if layer.each == 1 and channels % 8 == 0:
        if layer.kernel == (3, 3):
            return _s3_depthwise3x3(layer, filters, both)
        tiles = 2 * filters + 2 * layer.width * layer.kernel[0] * channels
        return (both if both <= S3_TILES else tiles) + 32
    if layer.each == 1 and channels > 3:
        wide = _up(channels, 8)
        size = _up(_up(2 * area * wide, 16) + 2 * pixels * wide, 16)
        size = _up(size + layer.out_height * layer.out_width * wide, 16)
        return size + 12 * wide + 16
    return both + 32 if layer.each % 4 == 0 else 32


def _s3_depthwise3x3(layer: Layer, filters: int, both: int) -> int:
    channels = layer.channels
    if channels % 16 == 0:
        down, right = (2 * n for n in layer.begin) if any(layer.begin) else _beyond(layer)
        if not down and not right:
            return filters + 16
        padded = (layer.height + down) * (layer.width + right) * channels
        strip = (layer.width + right) * 3 * channels
        return filters + (padded if padded <= S3_WHOLE else strip) + 16
    if channels < 12:
        return both + 32
    wide = _up(channels, 16)
    down, right = (2 * pad + max(n, 0) for pad, n in zip(layer.begin, _beyond(layer), strict=True))
    operand = (layer.height + down) * (layer.width + right)
    return wide * (9 + operand + layer.out_height * layer.out_width) + 64


def _p4_conv(layer: Layer) -> int:
    channels, outputs = layer.channels, layer.outputs
    sums, area = 4 * outputs, layer.kernel[0] * layer.kernel[1]
    if _plain_pointwise(layer):
        if channels < 16:
            return sums + 16 * outputs + 32 + P4_MARGIN
        wide, pixels = _up(channels, 8), layer.height * layer.width
        transposed = 16 * wide if pixels >= 8 else 0
        return (pixels * wide if channels % 8 else 0) + wide * outputs + transposed + P4_MARGIN
    if layer.begin == (0, 0) and layer.kernel[1] * channels >= 16:
        return area * _up(channels, 16) * outputs + P4_MARGIN + sums
    if area * channels >= 16:
        return sums + area * channels + P4_MARGIN
    wide = _up(-(-16 // layer.kernel[1]), 16)
    filters = area * wide * outputs
    if layer.begin == (0, 0):
        return sums + filters + layer.height * layer.width * wide + P4_MARGIN
    whole = _padded(layer) * channels
    if whole + sums <= P4_CACHE:
        return whole + area * _up(channels, 16) * outputs + P4_MARGIN + sums
    row = (layer.width + 2 * layer.begin[1]) * wide
    room, tall, step = P4_CACHE - sums - filters, layer.kernel[0], layer.strides[0]
    rows = 1
    if room > 0 and tall * row <= room:
        rows = min((room - tall * row) // (step * row) + 1, layer.out_height)
    return ((rows - 1) * step + tall + 2 * layer.begin[0]) * row + filters + P4_MARGIN + sums


__all__ = ["NONE", "P4", "S3", "scratch_bytes"]
