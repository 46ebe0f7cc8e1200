"""Resize and Upsample: each axis of the result is a sum of weighted entries of the operand's axis, all known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.indexing import take
from tinyc.compiler.frontend.limits import check_elements
from tinyc.compiler.frontend.movement import repeat_entries
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Add, Mul
from tinyc.ir.tensor import Array

_COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
)
_ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True)
class Axis:
    """One axis: sizes before and after, and the scale between them as the coordinates use it."""

    number: int
    old: int
    new: int
    scale: np.float32


@onnx_op("Resize")
def resize(ctx: Context, node: OnnxNode) -> Value:
    """Resizes to constant scales or sizes, by nearest neighbour, linearly or cubically."""
    x = node.operand(0)
    if node.opset < 11:
        found = _scaled(node, x, range(x.type.rank), ctx.known(node, node.operand(1), "scales"))
        return _resize(ctx, node, x, found, "asymmetric", "simple")
    node.refuse("antialias")
    coordinates = node.choice("coordinate_transformation_mode", _COORDINATES, "half_pixel")
    axes = node.integers("axes", range(x.type.rank))
    numbers = [node.axis(a, x.type.rank) for a in axes]
    scales, sizes = node.optional(2), ctx.integers(node, node.optional(3), "sizes")
    if sizes:
        found = _sized(node, x, numbers, list(sizes))
    elif scales is not None and scales.type.size:
        found = _scaled(node, x, numbers, ctx.known(node, scales, "scales"))
    else:
        raise node.error("has neither scales nor sizes")
    return _resize(ctx, node, x, found, coordinates, node.choice("nearest_mode", _ROUNDINGS, "round_prefer_floor"))


@onnx_op("Upsample")
def upsample(ctx: Context, node: OnnxNode) -> Value:
    """The predecessor of Resize, whose scales were an attribute at first."""
    x = node.operand(0)
    scales = np.asarray(node.numbers("scales")) if node.has("scales") else ctx.known(node, node.operand(1), "scales")
    return _resize(ctx, node, x, _scaled(node, x, range(x.type.rank), scales), "asymmetric", "simple")


def _scaled(node: OnnxNode, x: Value, numbers: Sequence[int], scales: Array) -> list[Axis]:
    factors = [np.float32(s) for s in scales.reshape(-1)]
    if len(factors) != len(numbers) or not all(0 < s < np.inf for s in factors):
        raise node.error(f"scales {[float(s) for s in factors]} do not fit {x.type}")
    return [
        Axis(n, x.shape[n], int(np.floor(np.float32(x.shape[n]) * s)), s) for n, s in zip(numbers, factors, strict=True)
    ]


def _sized(node: OnnxNode, x: Value, numbers: Sequence[int], sizes: list[int]) -> list[Axis]:
    if len(sizes) != len(numbers) or min(sizes) < 1:
        raise node.error(f"sizes {sizes} do not fit {x.type}")
    policy = node.choice("keep_aspect_ratio_policy", ("stretch", "not_larger", "not_smaller"), "stretch")
    ratios = [np.float32(s) / np.float32(x.shape[n]) for n, s in zip(numbers, sizes, strict=True)]
    if policy != "stretch":
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        ratios = [ratio] * len(numbers)
        sizes = [int(np.floor(ratio * np.float32(x.shape[n]) + np.float32(0.5))) for n in numbers]
    return [Axis(n, x.shape[n], s, r) for n, s, r in zip(numbers, sizes, ratios, strict=True)]


def _resize(ctx: Context, node: OnnxNode, x: Value, axes: list[Axis], coordinates: str, rounding: str) -> Value:
    if any(a.old == 0 or a.new == 0 for a in axes):
        raise node.error(f"resizing {x.type} leaves nothing")
    new = {a.number: a.new for a in axes}
    check_elements([new.get(d, n) for d, n in enumerate(x.shape)], f"{node.where}: its result")
    mode = node.choice("mode", ("nearest", "linear", "cubic"), "nearest")
    if mode == "nearest":
        return _nearest(ctx, x, {a.number: _round(a, _origin(a, coordinates), rounding) for a in axes})
    # Axes that shrink go first: less is left for the others.
    for axis in sorted(axes, key=lambda a: a.scale):
        origin = _origin(axis, coordinates)
        taps = _linear(axis, origin) if mode == "linear" else _cubic(node, axis, origin)
        x = _weighted(ctx, x, axis, taps)
    return x


def _origin(axis: Axis, coordinates: str) -> Array:
    """Where in the operand each entry of the result lies, in float32 as onnxruntime computes it."""
    place = np.arange(axis.new, dtype=np.float32)
    half, scale = np.float32(0.5), axis.scale
    if coordinates == "asymmetric":
        return place / scale
    if coordinates == "tf_half_pixel_for_nn":
        return (place + half) / scale
    if coordinates == "align_corners":
        return place * np.float32(axis.old - 1) / np.float32(max(axis.new - 1, 1))
    if coordinates == "pytorch_half_pixel" and axis.new == 1:
        return np.zeros(1, np.float32)
    shift = np.float32(0)
    if coordinates == "half_pixel_symmetric":
        centre = np.float32(axis.old) * half
        shift = centre * (np.float32(1) - np.float32(axis.new) / (scale * np.float32(axis.old)))
    return shift + (place + half) / scale - half


def _round(axis: Axis, origin: Array, rounding: str) -> Array:
    """The entry nearest to each origin. Before opset 11 (`simple`): down when enlarging, up when shrinking."""
    half = np.float32(0.5)
    up = np.ceil(origin)
    down = np.floor(origin)
    nearest = {
        "simple": up if axis.scale < 1 else down,
        "floor": down,
        "ceil": up,
        "round_prefer_floor": np.ceil(origin - half),
        "round_prefer_ceil": np.floor(origin + half),
    }[rounding]
    return np.clip(nearest, 0, axis.old - 1).astype(np.int64)


def _nearest(ctx: Context, x: Value, numbers: dict[int, Array]) -> Value:
    """Takes entries; those of a whole number of repetitions by broadcasting all such axes at once."""
    times = [1] * x.type.rank
    for axis, taken in numbers.items():
        count = taken.size // x.shape[axis]
        if count >= 1 and np.array_equal(taken, np.arange(x.shape[axis]).repeat(count)):
            times[axis] = count
        else:
            x = take(ctx, x, taken, axis)
    return repeat_entries(ctx, x, times) if max(times, default=1) > 1 else x


Taps = list[tuple[Array, Array]]
"""Entries to take and what each is multiplied by; the sum of all is the result."""


def _linear(axis: Axis, origin: Array) -> Taps:
    """The entries on both sides of each origin; beyond the border both are its last one."""
    inside = np.clip(origin, 0, axis.old - 1)
    first = np.floor(origin)
    weight = inside - np.floor(inside)
    taken = (np.clip(entry, 0, axis.old - 1).astype(np.int64) for entry in (first, first + 1))
    return list(zip(taken, (1 - weight, weight), strict=True))


def _cubic(node: OnnxNode, axis: Axis, origin: Array) -> Taps:
    """Four taps of the cubic convolution kernel; beyond the border its last entry repeats, or is left out."""
    a = node.number("cubic_coeff_a", -0.75)
    first = np.floor(origin)
    taps: Taps = []
    for k in (-1, 0, 1, 2):
        distance = np.abs(origin.astype(np.float64) - first - k)
        near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
        far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
        weight = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
        entry = (first + k).astype(np.int64)
        if node.integer("exclude_outside", 0):
            weight = np.where((entry < 0) | (entry >= axis.old), 0, weight)
        taps.append((np.clip(entry, 0, axis.old - 1), weight))
    if node.integer("exclude_outside", 0):
        total = np.sum([w for _, w in taps], axis=0)
        taps = [(entry, weight / total) for entry, weight in taps]
    return taps


def _weighted(ctx: Context, x: Value, axis: Axis, taps: Taps) -> Value:
    result: Value | None = None
    for entries, weights in taps:
        if not weights.any():
            continue
        part = x if np.array_equal(entries, np.arange(axis.old)) else take(ctx, x, entries, axis.number)
        if not (weights == 1).all():
            shape = tuple(axis.new if d == axis.number else 1 for d in range(x.type.rank))
            part = ctx.emit(Mul(part, ctx.constant(weights.reshape(shape), "weights", np.float32)))
        result = part if result is None else ctx.emit(Add(result, part))
    assert result is not None  # the weights of an entry add up to 1
    return result
