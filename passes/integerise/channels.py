"""Pixels whose channels are normalised by numbers of their own, as a layer of integers converts them.

Each channel is one product: a depthwise convolution of one pixel, whose weights, biases and factors are chosen such
that all 256 pixels of each channel become what a quantize would make of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.ops.int8 import narrow
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import PassError
from tinyc.passes.core.rewrite import Skip
from tinyc.passes.integerise.scales import Scale, requantiser

Pairs = Sequence[tuple[float, float]]
"""Mean and deviation of each channel's pixels."""
PIXELS = np.arange(256)
NEAREST = 1e-5
"""Relative: what is rounded to float32 where floats are normalised. A pixel that is so near to the middle between two
integers may become either."""


def channel_axis(shape: Sequence[int], channels: int) -> int | None:
    """The dimension of an input, counted from the end, that has so many channels: the second, or else the last; None
    where neither has, or the input has no channels."""
    if len(shape) >= 3 and shape[1] == channels:
        return 1 - len(shape)
    return -1 if len(shape) >= 2 and shape[-1] == channels else None


def along(vector: Array, rank: int, axis: int) -> Array:
    """One number a channel, shaped to broadcast with an array of so many dimensions."""
    shape = [1] * rank
    shape[axis] = -1
    return vector.reshape(shape)


def followed(module: Module, value: Value, numbers: Array) -> list[tuple[Value, Array]]:
    """A value, and what it is moved to and nothing else is made of, one after the other; and where the numbers are
    then, that belong to its elements."""
    found = [(value, numbers)]
    while value not in module.outputs and len(users := module.users[value]) == 1:
        op = users[0].op
        if op.operands != (value,) or op.passes_on() != (value,) or op.chooses() or op.fill() is not None:
            break
        value, numbers = users[0].result, op.evaluate(numbers)
        found.append((value, numbers))
    return found


def of_channels(numbers: Array) -> Array | None:
    """The number of each entry of the last dimension, where it is the same everywhere."""
    rows = numbers.reshape(-1, numbers.shape[-1])
    return rows[0] if bool((rows == rows[0]).all()) else None


def where_channels_are_last(module: Module, value: Value, channels: int, axis: int) -> Value:
    """What an image is moved to where its channels come last, in rows of pixels. Raises `PassError` where it is not."""
    numbers = np.broadcast_to(along(np.arange(channels), value.type.rank, axis), value.shape)
    for moved, found in followed(module, value, numbers):
        order = of_channels(found) if moved.type.rank == 4 and moved.shape[3] == channels else None
        if order is not None and bool((order == np.arange(channels)).all()):
            return moved
    raise PassError(
        f"input {value} cannot be pixels with a mean and a deviation for each channel: what takes it sees no channels; "
        "leave the input type at int8, which the header converts pixels to"
    )


def normalising_arrays(x: Value, scale: Scale, pairs: Pairs) -> tuple[Array, Array, Array, Array]:
    """Weights, biases, multipliers and shifts of a depthwise convolution of one pixel that makes integers of pixels
    less 128.

    Args:
        x: the integers.
        scale: what they stand for.
        pairs: mean and deviation of each channel.

    Raises:
        PassError: a channel has none that are right for all pixels.
    """
    found = [_channel(scale, mean, deviation) for mean, deviation in pairs]
    if any(f is None for f in found):
        raise PassError(
            f"input {x} cannot be pixels: a product does not round as (pixel - mean) / std and the scale "
            f"{scale.scale:.6g} do; leave the input type at int8, which the header converts pixels to"
        )
    w, b, m, s = (np.array([f[k] for f in found if f is not None], np.int32) for k in range(4))
    return w.astype(np.int8).reshape(1, 1, -1), b, m, s


def _channel(scale: Scale, mean: float, deviation: float) -> tuple[int, int, int, int] | None:
    """Weight, bias, multiplier and shift with which all pixels less 128 become the integers that `scale` makes of them:
    the same as through float32, or at least, where none do, right within what float32 rounds."""
    real = (PIXELS.astype(np.float32) - np.float32(mean)) / np.float32(deviation)
    wanted = scale.quantized(real)
    exact = np.clip((PIXELS - mean) / (deviation * scale.scale) + scale.zero, -128, 127)
    near: tuple[int, int, int, int] | None = None
    for weight in range(127, 0, -1):
        factor, bias = 1.0 / (deviation * scale.scale * weight), round(weight * (128.0 - mean))
        bound = 128 * weight + abs(bias)
        pair = requantiser(factor, bound)
        if isinstance(pair, Skip):
            continue
        given = narrow((PIXELS - 128) * weight + bias, *pair, scale.zero, -128, 127)
        if np.array_equal(given, wanted):
            return weight, bias, *pair
        if near is None and np.abs(given - exact).max() <= 0.5 + NEAREST * 128:
            near = (weight, bias, *pair)
    return near
