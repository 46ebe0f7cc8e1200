"""Folding affine maps: batch norm, and scales and shifts of channels, become part of the weights around them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Add, BatchNorm, Conv2d, Dense, DepthwiseConv2d, Div, Mul, Pad, Sqrt, Sub
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array
from tinyc.passes.core.base import Pass, Slack
from tinyc.passes.core.rewrite import Replaced, Rewriter, Skip, rewrite


@dataclass(frozen=True)
class FoldBatchNorm(Pass, name="fold-batch-norm"):
    """Folds batch norms, and constant scales and shifts of channels, into convolutions and dense layers.

    y = x * scale + shift, one of each a channel, is linear, as the operators around it are: see
    Jacob et al., Quantization and Training of Neural Networks (2018), section 3.2. A batch norm that finds no
    neighbour becomes a multiplication and an addition, so that none is left. Constants are computed in float64 and
    rounded once.
    """

    slack = Slack(1e-4, "weights times scales are rounded anew, and sums of products are split differently")

    def run(self, module: Module) -> Module:
        folds = [affine_into_producer, affine_before_pad, affine_into_next_convolution]
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
    """What a node does, if it is a batch norm or a constant scale or shift of channels."""
    op = node.op
    if not op.type.dtype.is_float:
        return None
    if isinstance(op, BatchNorm):
        constants = [rewriter.constant(v) for v in op.operands[1:]]
        if any(c is None for c in constants):
            return None
        scale, bias, mean, variance = (c.astype(np.float64) for c in constants if c is not None)
        with np.errstate(all="ignore"):
            factor = scale / np.sqrt(variance + op.epsilon)
            return Affine(op.x, factor, bias - mean * factor)
    if not isinstance(op, (Mul, Add, Sub, Div)):
        return None
    x, vector = op.x, _channels(op.y, op.type.shape, rewriter)
    if vector is None and isinstance(op, (Mul, Add)):
        x, vector = op.y, _channels(op.x, op.type.shape, rewriter)
    if vector is None or x.type != op.type:
        return None
    one, zero = np.ones_like(vector), np.zeros_like(vector)
    if isinstance(op, Mul):
        return Affine(x, vector, zero)
    if isinstance(op, Div):
        with np.errstate(all="ignore"):
            return Affine(x, 1.0 / vector, zero)
    return Affine(x, one, vector if isinstance(op, Add) else -vector)


def _channels(value: Value, shape: tuple[int, ...], rewriter: Rewriter) -> Array | None:
    """A constant as one float64 number a channel; None if it varies along another dimension."""
    array = rewriter.constant(value)
    if array is None or not shape or array.size not in (1, shape[-1]) or array.size != math.prod(array.shape[-1:]):
        return None
    return np.broadcast_to(array.astype(np.float64).reshape(-1), shape[-1:])


def affine_into_producer(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Fold scale and shift of channels into the convolution or dense layer before."""
    found = affine(node, rewriter)
    before = rewriter.producer(found.x) if found is not None else None
    if found is None or before is None or not isinstance(before.op, (Conv2d, DepthwiseConv2d, Dense)):
        return None
    op = before.op
    weights = rewriter.constant(op.w)
    bias = rewriter.constant(op.b)
    if rewriter.uses(found.x) > 1:
        return Skip(f"{before.result} is also used as it is")
    if (op.min, op.max) != (-math.inf, math.inf):
        return Skip(f"{before.result} is limited before it is scaled")
    if weights is None or (op.b is not None and bias is None):
        return Skip(f"the weights of {before.result} are not constant")
    if not found.is_finite():
        return Skip("a scale or shift is not finite")
    # Channels are the first dimension of OHWI and [outputs, inputs], the last of HWC.
    axis = weights.ndim - 1 if isinstance(op, DepthwiseConv2d) else 0
    scale = found.scale.reshape([-1 if d == axis else 1 for d in range(weights.ndim)])
    shift = found.shift + (0.0 if bias is None else bias.astype(np.float64) * found.scale)
    w, b = _rounded(weights * scale), _rounded(shift)
    if w is None or b is None:
        return Skip("a folded weight overflows")
    new_w = op.w if (found.scale == 1.0).all() else rewriter.constant_value(w, op.w.name)
    new_b = None
    if op.b is not None or b.any():
        new_b = rewriter.constant_value(b, op.b.name if op.b is not None else f"{node.result.name}_bias")
    return Replaced(dataclasses.replace(op, w=new_w, b=new_b), (before,))


def affine_into_next_convolution(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Fold scale and shift of channels into the convolution or dense layer after.

    sum w * (scale * x + shift) = sum (w * scale) * x + sum w * shift. Where the window lies on padding, x must be what
    the map takes to the pad value: one number for all channels, or this is wrong.
    """
    op = node.op
    if not isinstance(op, (Conv2d, DepthwiseConv2d, Dense)):
        return None
    before = rewriter.producer(op.x)
    found = affine(before, rewriter) if before is not None else None
    weights = rewriter.constant(op.w)
    bias = rewriter.constant(op.b)
    if before is None or found is None:
        return None
    if rewriter.uses(op.x) > 1:
        return Skip(f"{before.result} has other uses")
    if weights is None or (op.b is not None and bias is None):
        return Skip("the weights are not constant")
    if not found.is_finite():
        return Skip("a scale or shift is not finite")
    pad_value = 0.0
    if isinstance(op, Convolution) and any(op.pads):
        before_map = _preimage(found, op.pad_value)
        if before_map is None:
            return Skip(f"the pad value {op.pad_value} is not what one number becomes in all channels")
        pad_value = before_map
    wide = weights.astype(np.float64)
    per_weight, per_shift = _input_channels(op, found.scale), _input_channels(op, found.shift)
    kept = (0, 1) if isinstance(op, DepthwiseConv2d) else tuple(range(1, wide.ndim))
    shift = (wide * per_shift).sum(axis=kept) + (0.0 if bias is None else bias.astype(np.float64))
    w, b = _rounded(wide * per_weight), _rounded(shift)
    if w is None or b is None:
        return Skip("a folded weight overflows")
    new_w = op.w if (found.scale == 1.0).all() else rewriter.constant_value(w, op.w.name)
    new_b = op.b
    if (found.shift != 0.0).any():
        new_b = rewriter.constant_value(b, op.b.name if op.b is not None else f"{node.result.name}_bias")
    folded = dataclasses.replace(op, x=found.x, w=new_w, b=new_b)
    if isinstance(folded, Convolution) and isinstance(op, Convolution):
        folded = dataclasses.replace(folded, pad_value=pad_value)
    return Replaced(folded, (before,))


def _input_channels(op: Conv2d | DepthwiseConv2d | Dense, vector: Array) -> Array:
    """One number an input channel, spread to the shape of the weights (up to broadcasting)."""
    if isinstance(op, DepthwiseConv2d):
        return np.repeat(vector, op.channel_multiplier())
    if isinstance(op, Dense):
        return vector
    inputs, outputs = op.w.shape[3], op.w.shape[0]
    groups = np.repeat(vector.reshape(op.groups, inputs), outputs // op.groups, axis=0)
    return groups.reshape(outputs, 1, 1, inputs)


def _preimage(found: Affine, value: float) -> float | None:
    """The one number that the map takes to `value` in every channel, as float32; None if there is none."""
    constant = found.scale == 0.0
    if (found.shift[constant] != value).any():
        return None
    numbers = ((value - found.shift) / np.where(constant, 1.0, found.scale))[~constant].astype(np.float32)
    if numbers.size == 0:
        return 0.0
    return float(numbers[0]) if np.isfinite(numbers[0]) and (numbers == numbers[0]).all() else None


def affine_before_pad(node: Node, rewriter: Rewriter) -> Replaced | Skip | None:
    """Move scale and shift of channels from behind a pad to the convolution before the pad.

    The pad's value goes through the map too, and must come out as one number for all channels.
    """
    found = affine(node, rewriter)
    pad = rewriter.absorbable(found.x, Pad) if found is not None else None
    source = rewriter.producer(pad[1].x) if pad is not None else None
    if found is None or pad is None or source is None or not isinstance(source.op, (Conv2d, DepthwiseConv2d)):
        return None
    if rewriter.uses(pad[1].x) > 1:
        return Skip(f"{source.result} is also used as it is")
    if pad[1].before[-1] or pad[1].after[-1] or any(pad[1].between[-1:]):
        return Skip("the channels are padded too")
    operands = [
        np.full(v.shape, pad[1].value, np.float32) if v == found.x else rewriter.constant(v) for v in node.op.operands
    ]
    values = np.unique(node.op.run([o for o in operands if o is not None]))
    if values.size != 1 or not np.isfinite(values[0]):
        return Skip(f"the pad value {pad[1].value} becomes different numbers in different channels")
    moved = rewriter.add(node.op.replace_operands({found.x: pad[1].x}))
    return Replaced(dataclasses.replace(pad[1], x=moved, value=float(values[0])), (pad[0],))


def expand_batch_norm(node: Node, rewriter: Rewriter) -> Replaced | None:
    """Replace a batch norm by a multiplication and an addition, or by its definition if it is not constant."""
    op = node.op
    if not isinstance(op, BatchNorm):
        return None
    found = affine(node, rewriter)
    if found is None or not found.is_finite():
        epsilon = rewriter.constant_value(np.asarray(op.epsilon, np.float32), "epsilon")
        deviation = rewriter.add(Sqrt(rewriter.add(Add(op.variance, epsilon))))
        normal = rewriter.add(Div(rewriter.add(Sub(op.x, op.mean)), deviation))
        return Replaced(Add(rewriter.add(Mul(normal, op.scale)), op.bias))
    with np.errstate(over="ignore"):
        scale, shift = found.scale.astype(np.float32), found.shift.astype(np.float32)
    scaled = rewriter.add(Mul(found.x, rewriter.constant_value(scale, f"{node.result.name}_scale")))
    return Replaced(Add(scaled, rewriter.constant_value(shift, f"{node.result.name}_shift")))


def _rounded(array: Array) -> Array | None:
    """As float32, None if that is not finite."""
    with np.errstate(over="ignore"):
        out = np.asarray(array, np.float32)
    return out if np.isfinite(out).all() else None
