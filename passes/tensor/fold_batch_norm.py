"""Folding affine maps: batch norm, and scales and shifts of channels, become part of the weights around them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from tinyc.ir.module import Made, Module, Node, made
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Add, BatchNorm, DepthwiseConv2d, Div, Mul, Pad, Reshape, Sqrt, Sub
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import Pass, Slack
from tinyc.passes.core.facts import channel_map, image_of
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Skip, on, rewrite


@dataclass(frozen=True)
class FoldBatchNorm(Pass, name="fold-batch-norm"):
    """Folds batch norms, and constant scales and shifts of channels, into convolutions and dense layers.

    y = x * scale + shift, one of each a channel, is linear, as the operators around it are: see
    Jacob et al., Quantization and Training of Neural Networks (2018), section 3.2. A batch norm that finds no
    neighbour becomes a depthwise convolution of one element, so that none is left. Constants are computed in float64
    and rounded once.
    """

    slack = Slack(1e-4, "weights times scales are rounded anew, and sums of products are split differently")

    def run(self, module: Module) -> Module:
        folds = [affine_into_producer, affine_before_pad, affine_into_next_layer]
        # A batch norm is taken apart only if it does not fold as a whole; its parts may fold then.
        return rewrite(rewrite(module, folds), [*folds, expand_batch_norm])


@dataclass(frozen=True)
class Affine:
    """x * scale + shift, in float64, one entry a channel (the last dimension of x)."""

    x: Value
    scale: Array
    shift: Array

    def is_finite(self) -> bool:
        """Whether all numbers are finite, as float32 too."""
        with np.errstate(over="ignore"):
            return bool(np.isfinite(np.float32(self.scale)).all() and np.isfinite(np.float32(self.shift)).all())


def affine(node: Node, rewriter: Rewriter) -> Affine | None:
    """What a node does, if it maps one operand by constants of channels: a batch norm, a scale, a shift."""
    op = node.op
    if not op.type.dtype.is_float:
        return None
    for place, x in enumerate(op.operands):
        if x.type != op.type:
            continue
        others = {k: _channels(v, x.shape, rewriter) for k, v in enumerate(op.operands) if k != place}
        known = {k: numbers for k, numbers in others.items() if numbers is not None}
        found = channel_map(op, place, known) if len(known) == len(others) else None
        if found is not None:
            return Affine(x, *found)
    return None


def _channels(value: Value, shape: tuple[int, ...], rewriter: Rewriter) -> Array | None:
    """A constant as one float64 number a channel; None if it varies along another dimension."""
    array = rewriter.constant(value)
    if array is None or not shape or array.size not in (1, shape[-1]) or array.size != math.prod(array.shape[-1:]):
        return None
    return np.broadcast_to(array.astype(np.float64).reshape(-1), shape[-1:])


def affine_into_producer(node: Node, rewriter: Rewriter) -> Answer:
    """Fold scale and shift of channels into the convolution or dense layer before."""
    found = affine(node, rewriter)
    before = rewriter.made(found.x, LinearLayer) if found is not None else None
    if found is None or before is None:
        return None
    op = before.op
    bias = rewriter.constant(op.b)
    if rewriter.uses(found.x) > 1:
        return Skip(f"{before.result} is also used as it is")
    if op.limits() != (-math.inf, math.inf):
        return Skip(f"{before.result} is limited before it is scaled")
    if reason := _not_foldable(op, found, rewriter):
        return Skip(reason)
    shift = found.shift + (0.0 if bias is None else bias.astype(np.float64) * found.scale)
    changed = op.b is not None or bool(shift.astype(np.float32).any())
    return _folded(op, op.per_output(found.scale), shift, changed, found, before.node, node.result.name, rewriter)


@on(LinearLayer)
def affine_into_next_layer(at: Made[LinearLayer], rewriter: Rewriter) -> Answer:
    """Fold scale and shift of channels into the convolution or dense layer after.

    sum w * (scale * x + shift) = sum (w * scale) * x + sum w * shift. Where the window lies on padding, x must be what
    the map takes to the pad value: one number for all channels, or this is wrong.
    """
    op = at.op
    before = rewriter.producer(op.x)
    found = affine(before, rewriter) if before is not None else None
    if before is None or found is None:
        return None
    if rewriter.uses(op.x) > 1:
        return Skip(f"{before.result} has other uses")
    if reason := _not_foldable(op, found, rewriter):
        return Skip(reason)
    outside = op.outside()
    pad_value = 0.0 if outside is None else _preimage(found, outside)
    if pad_value is None:
        return Skip(f"the pad value {outside} is not what one number becomes in all channels")
    weights, bias = rewriter.constant(op.w), rewriter.constant(op.b)
    assert weights is not None
    kept = tuple(d for d in range(weights.ndim) if d != op.output_axis)
    moved = (weights.astype(np.float64) * op.per_input(found.shift)).sum(axis=kept)
    shift = moved + (0.0 if bias is None else bias.astype(np.float64))
    changed = bool((found.shift != 0.0).any())
    layer = dataclasses.replace(op.with_outside(pad_value), **cast("Any", {"x": found.x}))
    return _folded(layer, op.per_input(found.scale), shift, changed, found, before, at.result.name, rewriter)


def _not_foldable(op: LinearLayer, found: Affine, rewriter: Rewriter) -> str:
    """Why the map cannot go into a layer's weights; empty if it can."""
    if rewriter.constant(op.w) is None or (op.b is not None and rewriter.constant(op.b) is None):
        return f"the weights {op.w} are not constant"
    return "" if found.is_finite() else "a scale or shift is not finite"


def _folded(
    op: LinearLayer,
    scale: Array,
    shift: Array,
    shifts: bool,
    found: Affine,
    absorbed: Node,
    name: str,
    rewriter: Rewriter,
) -> Replaced | Skip:
    """The layer with its weights times `scale`, and, where it `shifts`, this bias."""
    weights = rewriter.constant(op.w)
    assert weights is not None
    w, b = _rounded(weights.astype(np.float64) * scale), _rounded(shift)
    if w is None or b is None:
        return Skip("a folded weight overflows")
    new_w = op.w if (found.scale == 1.0).all() else rewriter.constant_value(w, op.w.name)
    new_b = op.b
    if shifts:
        new_b = rewriter.constant_value(b, op.b.name if op.b is not None else f"{name}_bias")
    return Replaced(op.with_weights(new_w, new_b), (absorbed,))


def _preimage(found: Affine, value: float) -> float | None:
    """The one number that the map takes to `value` in every channel, as float32; None if there is none."""
    constant = found.scale == 0.0
    if (found.shift[constant] != value).any():
        return None
    numbers = ((value - found.shift) / np.where(constant, 1.0, found.scale))[~constant].astype(np.float32)
    if numbers.size == 0:
        return 0.0
    return float(numbers[0]) if np.isfinite(numbers[0]) and (numbers == numbers[0]).all() else None


def affine_before_pad(node: Node, rewriter: Rewriter) -> Answer:
    """Move scale and shift of channels from behind a pad to the layer before the pad.

    The pad's value goes through the map too, and must come out as one number for all channels.
    """
    found = affine(node, rewriter)
    pad = rewriter.absorbable(found.x, Pad) if found is not None else None
    source = rewriter.made(pad.op.x, LinearLayer) if pad is not None else None
    if found is None or pad is None or source is None:
        return None
    op = pad.op
    if rewriter.uses(op.x) > 1:
        return Skip(f"{source.result} is also used as it is")
    if op.before[-1] or op.after[-1] or any(op.between[-1:]):
        return Skip("the channels are padded too")
    operands = [
        np.full(v.shape, op.value, np.float32) if v == found.x else rewriter.constant(v) for v in node.op.operands
    ]
    values = np.unique(node.op.run([o for o in operands if o is not None]))
    if values.size != 1 or not np.isfinite(values[0]):
        return Skip(f"the pad value {op.value} becomes different numbers in different channels")
    moved = rewriter.add(node.op.replace_operands({found.x: op.x}))
    return Replaced(dataclasses.replace(op, x=moved, value=float(values[0])), (pad.node,))


@on(BatchNorm)
def expand_batch_norm(at: Made[BatchNorm], rewriter: Rewriter) -> Answer:
    """Replace a batch norm by a depthwise convolution of one element, or by products and sums.

    The convolution is one layer where it is quantised, and takes an activation. Products and sums fold apart: beside a
    pad or a layer that pads, the scale may where the shift does not. What is not constant becomes the definition.
    """
    op, found = at.op, affine(at.node, rewriter)
    if found is None or not found.is_finite():
        epsilon = rewriter.constant_value(np.asarray(op.epsilon, np.float32), "epsilon")
        deviation = rewriter.add(Sqrt(rewriter.add(Add(op.variance, epsilon))))
        normal = rewriter.add(Div(rewriter.add(Sub(op.x, op.mean)), deviation))
        return Replaced(Add(rewriter.add(Mul(normal, op.scale)), op.bias))
    with np.errstate(over="ignore"):
        scale, shift = found.scale.astype(np.float32), found.shift.astype(np.float32)
    if op.type.rank > 2 and op.type.size and not _may_fold_apart(found.x, at.result, rewriter):
        return Replaced(_depthwise(found.x, scale, shift, at.result.name, rewriter))
    scaled = rewriter.add(Mul(found.x, rewriter.constant_value(scale, f"{at.result.name}_scale")))
    return Replaced(Add(scaled, rewriter.constant_value(shift, f"{at.result.name}_shift")))


def _may_fold_apart(x: Value, result: Value, rewriter: Rewriter) -> bool:
    """Whether a scale may fold without the shift that follows it: through the pad before, or into the layer behind."""
    behind = rewriter.users(result) if rewriter.uses(result) == 1 else ()
    return rewriter.made(x, Pad) is not None or any(made(node, LinearLayer) for node in behind)


def _depthwise(x: Value, scale: Array, shift: Array, name: str, rewriter: Rewriter) -> Op:
    """Scale and shift as a depthwise convolution of one element."""
    image = image_of(x.type)
    pixels = x if x.shape == image else rewriter.add(Reshape(x, image))
    weights = rewriter.constant_value(scale.reshape(1, 1, -1), f"{name}_scale")
    scaled = DepthwiseConv2d(pixels, weights, rewriter.constant_value(shift, f"{name}_shift"))
    return scaled if x.shape == image else Reshape(rewriter.add(scaled), x.shape)


def _rounded(array: Array) -> Array | None:
    """As float32, None if that is not finite."""
    with np.errstate(over="ignore"):
        out = np.asarray(array, np.float32)
    return out if np.isfinite(out).all() else None
