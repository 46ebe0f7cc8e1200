"""ESP-NN built for this computer, and its functions with operators in place of long parameter lists.

The library is never part of the repository: `ESP_NN_PATH` names a folder that has it (docs/kernels.md). What differs
from our operators: the input's zero point is subtracted from each element instead of being folded into the bias, a
convolution's padding is skipped, and only pads above and to the left are parameters; those below and right follow
from the result's size.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyc.backends.runners.host import find_compiler
from tinyc.ir import ops as o
from tinyc.ir.tensor import Array

MOST_CHANNELS = 65_535
"""Outputs of a dense layer."""


def load(folder: Path, made: Path) -> ctypes.CDLL:
    """The static library in a folder, loaded: as a shared one, made in another folder."""
    library = made / "libesp_nn.so"
    whole = ["-Wl,--whole-archive", str(folder / "libesp-nn.a"), "-Wl,--no-whole-archive"]
    subprocess.run([find_compiler(), "-shared", *whole, "-o", library], check=True)
    return ctypes.CDLL(str(library))


def pointer(array: Array) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return array.ctypes.data_as(ctypes.c_void_p)


def struct(*fields: int) -> Array:
    """A C structure of int32 fields."""
    return np.array(fields, np.int32)


def unfolded(bias: Array, zero: int, weights: Array, axis: int) -> Array:
    """The bias before the input's zero point was folded into it, wrapped around as the library's sums are."""
    axes = tuple(d for d in range(weights.ndim) if d != axis)
    return np.asarray((bias + zero * weights.astype(np.int64).sum(axis=axes)).astype(np.int32))


class EspNN:
    """The library; `variant` is "ansi" or "opt", the generic optimised C."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def call(self, name: str, *arguments: Array | int) -> None:
        converted = [pointer(a) if isinstance(a, np.ndarray) else ctypes.c_int32(a) for a in arguments]
        function = getattr(self.library, name)
        function.restype = None
        function(*converted)

    def requantise(self, x: Array, multiplier: Array, shift: Array) -> Array:
        """Limited to int8: what a dense layer gives whose sums are biases."""
        out: Array = np.empty(x.size, np.int8)
        nothing = np.zeros(MOST_CHANNELS, np.int8)
        for first in range(0, x.size, MOST_CHANNELS):
            part = slice(first, min(first + MOST_CHANNELS, x.size))
            result: Array = np.empty(part.stop - first, np.int8)
            sizes = (0, 1, nothing, 0, np.ascontiguousarray(x[part]), result, result.size, 0)
            factors = (np.ascontiguousarray(shift[part]), np.ascontiguousarray(multiplier[part]))
            self.call("esp_nn_fully_connected_per_ch_s8_ansi", nothing, *sizes, *factors, -128, 127)
            out[part] = result
        return out

    def convolution(self, op: o.QConv2d | o.QDepthwiseConv2d, arrays: Sequence[Array], variant: str) -> Array:
        x, w, b, multiplier, shift = arrays
        deep = isinstance(op, o.QDepthwiseConv2d)
        kh, kw = op.window()
        bias = unfolded(b, op.zero, w, 2 if deep else 0)
        filters = struct(kw, kh, w.shape[2] if deep else w.shape[3], 1)
        geometry = (op.strides[1], op.strides[0], op.pads[1], op.pads[0], 1, 1, op.min, op.max)
        times = (op.channel_multiplier(),) if isinstance(op, o.QDepthwiseConv2d) else ()
        parameters = struct(-op.zero, op.out_zero, *times, *geometry)
        factors = np.array([shift.ctypes.data, multiplier.ctypes.data], np.uintp)
        out: Array = np.empty(op.type.shape, np.int8)
        before, after = (struct(a.shape[2], a.shape[1], a.shape[3], 1) for a in (x, out))
        name = f"esp_nn_{'depthwise_' if deep else ''}conv_s8_{variant}"
        for image, result in zip(x, out, strict=True):
            self.call(name, before, image, filters, w, bias, after, result, parameters, factors)
        return out

    def dense(self, op: o.QDense, arrays: Sequence[Array], zero: int, per_channel: bool) -> Array:
        x, w, b, multiplier, shift = arrays
        bias = unfolded(b, zero, w, 0)
        factors = (shift, multiplier) if per_channel else (int(shift[0]), int(multiplier[0]))
        out: Array = np.empty(op.type.shape, np.int8)
        name = f"esp_nn_fully_connected_{'per_ch_' if per_channel else ''}s8_ansi"
        for row, result in zip(x.reshape(-1, x.shape[-1]), out.reshape(-1, out.shape[-1]), strict=True):
            sizes = (-zero, x.shape[-1], w, 0, bias, result, out.shape[-1], op.out_zero)
            self.call(name, row, *sizes, *factors, op.min, op.max)
        return out

    def pool(self, op: o.QAvgPool2d | o.MaxPool2d, x: Array) -> Array:
        out: Array = np.empty(op.type.shape, np.int8)
        limits = (op.min, op.max) if isinstance(op, o.QAvgPool2d) else (-128, 127)
        kernel, (sy, sx), (top, left, _, _) = op.kernel, op.strides, op.pads
        sizes = (out.shape[2], out.shape[1], sx, sy, kernel[1], kernel[0], left, top, *limits, x.shape[3])
        name = f"esp_nn_{'avg' if isinstance(op, o.QAvgPool2d) else 'max'}_pool_s8_ansi"
        for image, result in zip(x, out, strict=True):
            self.call(name, image, x.shape[2], x.shape[1], result, *sizes)
        return out

    def add(self, op: o.QAdd, x: Array, y: Array) -> Array:
        out = np.empty_like(x)
        inputs = (-op.x_zero, -op.y_zero, op.x_multiplier, op.y_multiplier, op.x_shift, op.y_shift, op.left)
        result = (op.out_zero, op.out_multiplier, op.out_shift, op.min, op.max, x.size)
        self.call("esp_nn_add_elementwise_s8_ansi", x, y, *inputs, out, *result)
        return out

    def mul(self, op: o.QMul, x: Array, y: Array) -> Array:
        out = np.empty_like(x)
        result = (op.out_zero, op.multiplier, op.shift, op.min, op.max)
        if x.shape == y.shape:
            self.call("esp_nn_mul_elementwise_s8_ansi", x, y, -op.x_zero, -op.y_zero, out, *result, x.size)
        else:
            sizes = (x.size // y.size, y.size)
            self.call("esp_nn_mul_broadcast_channel_s8_ansi", x, y, -op.x_zero, -op.y_zero, out, *result, *sizes)
        return out

    def mean(self, op: o.QMean, x: Array) -> Array:
        out: Array = np.empty(op.type.shape, np.int8)
        for image, result in zip(x, out, strict=True):
            factor = (op.zero, op.out_zero, op.multiplier, op.shift)
            self.call("esp_nn_mean_nhwc_s8_ansi", image, result, *image.shape, *factor)
        return out

    def softmax(self, op: o.QSoftmax, x: Array, variant: str) -> Array:
        out, width = np.empty_like(x), x.shape[-1]
        scratch = np.empty(width, np.int32)
        self.call(f"esp_nn_set_softmax_scratch_buf_{variant}", scratch)
        sizes = (x.size // width, width, op.multiplier, op.left, op.diff_min)
        self.call(f"esp_nn_softmax_s8_{variant}", x, *sizes, out)
        return out
