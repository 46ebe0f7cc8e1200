"""Operators that move data without computing: reshape, transpose, expand, concat and their like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinyc.compiler.frontend.context import Context
from tinyc.compiler.frontend.node import OnnxNode
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.ops import Concat


@onnx_op("Identity")
def identity(ctx: Context, node: OnnxNode) -> Value:
    """The operand itself."""
    return node.operand(0)


@onnx_op("Dropout")
def dropout(ctx: Context, node: OnnxNode) -> Value:
    """Nothing, at inference."""
    training = node.optional(2)
    if training is not None and bool(ctx.known(node, training, "training_mode").any()):
        raise node.error("training_mode is on: export the model for inference (model.eval() in PyTorch)")
    return node.operand(0)


@onnx_op("Reshape")
def reshape(ctx: Context, node: OnnxNode) -> Value:
    """Another shape; 0 copies a dimension and -1 takes what is left."""
    x = node.operand(0)
    wanted = list(ctx.integers(node, node.operand(1), "the shape") or ())
    if not node.integer("allowzero", 0):
        if any(d == 0 and k >= x.type.rank for k, d in enumerate(wanted)):
            raise node.error(f"the shape {wanted} copies a dimension that {x.type} does not have")
        wanted = [x.shape[k] if d == 0 else d for k, d in enumerate(wanted)]
    if wanted.count(-1) == 1:
        rest = math.prod(d for d in wanted if d != -1)
        if rest == 0 or x.type.size % rest:
            raise node.error(f"{x.type} does not divide into the shape {wanted}")
        wanted[wanted.index(-1)] = x.type.size // rest
    if min(wanted, default=0) < 0 or math.prod(wanted) != x.type.size:
        raise node.error(f"{x.type} has {x.type.size} elements, which do not fill the shape {wanted}")
    return ctx.reshape(x, wanted)


@onnx_op("Flatten")
def flatten(ctx: Context, node: OnnxNode) -> Value:
    """A matrix: dimensions before the axis, and from it on."""
    x = node.operand(0)
    axis = node.integer("axis", 1)
    if not -x.type.rank <= axis <= x.type.rank:
        raise node.error(f"axis {axis} does not exist in a tensor of {x.type.rank} dimensions")
    at = axis + x.type.rank if axis < 0 else axis
    return ctx.reshape(x, (math.prod(x.shape[:at]), math.prod(x.shape[at:])))


@onnx_op("Squeeze")
def squeeze(ctx: Context, node: OnnxNode) -> Value:
    """Drops dimensions of size 1: those named, or all."""
    x = node.operand(0)
    named = ctx.attribute_or_input(node, "axes", 1)
    axes = [d for d, n in enumerate(x.shape) if n == 1] if named is None else node.axes(named, x.type.rank)
    if any(x.shape[a] != 1 for a in axes):
        raise node.error(f"axes {list(axes)} of {x.type} are not all of size 1")
    return ctx.reshape(x, [n for d, n in enumerate(x.shape) if d not in axes])


@onnx_op("Unsqueeze")
def unsqueeze(ctx: Context, node: OnnxNode) -> Value:
    """Adds dimensions of size 1."""
    x = node.operand(0)
    named = ctx.attribute_or_input(node, "axes", 1) or ()
    shape = list(x.shape)
    for axis in node.axes(named, x.type.rank + len(named)):
        shape.insert(axis, 1)
    return ctx.reshape(x, shape)


@onnx_op("Transpose")
def transpose(ctx: Context, node: OnnxNode) -> Value:
    """Permuted dimensions; reversed, if no permutation is given."""
    x = node.operand(0)
    return ctx.transpose(x, node.integers("perm", tuple(range(x.type.rank))[::-1]))


@onnx_op("Expand")
def expand(ctx: Context, node: OnnxNode) -> Value:
    """Broadcast against a shape: either side may be repeated."""
    x = node.operand(0)
    wanted = ctx.integers(node, node.operand(1), "the shape") or ()
    return ctx.broadcast(x, np.broadcast_shapes(x.shape, wanted))


@onnx_op("Tile")
def tile(ctx: Context, node: OnnxNode) -> Value:
    """Repeats the whole tensor along each dimension."""
    x = node.operand(0)
    repeats = ctx.integers(node, node.operand(1), "repeats") or ()
    if len(repeats) != x.type.rank or min(repeats, default=0) < 0:
        raise node.error(f"repeats {list(repeats)} do not fit {x.type}")
    apart = [d for r, n in zip(repeats, x.shape, strict=True) for d in ((1, n) if r != 1 else (n,))]
    repeated = [d for r, n in zip(repeats, x.shape, strict=True) for d in ((r, n) if r != 1 else (n,))]
    return _through(ctx, x, apart, repeated, [r * n for r, n in zip(repeats, x.shape, strict=True)])


@onnx_op("Concat")
def concat(ctx: Context, node: OnnxNode) -> Value:
    """Joins tensors along an axis."""
    xs = node.required()
    axis = node.axis(node.integer("axis"), xs[0].type.rank)
    return xs[0] if len(xs) == 1 else ctx.emit(Concat(xs, axis))


@onnx_op("DepthToSpace")
def depth_to_space(ctx: Context, node: OnnxNode) -> Value:
    """Channels become blocks of pixels."""
    x, block = _image(node)
    n, c, h, w = x.shape
    if c % (block * block):
        raise node.error(f"{c} channels do not make blocks of {block}x{block}")
    inner = c // (block * block)
    if node.choice("mode", ("DCR", "CRD"), "DCR") == "DCR":
        split, perm = (n, block, block, inner, h, w), (0, 3, 4, 1, 5, 2)
    else:
        split, perm = (n, inner, block, block, h, w), (0, 1, 4, 2, 5, 3)
    return ctx.reshape(ctx.transpose(ctx.reshape(x, split), perm), (n, inner, h * block, w * block))


@onnx_op("SpaceToDepth")
def space_to_depth(ctx: Context, node: OnnxNode) -> Value:
    """Blocks of pixels become channels."""
    x, block = _image(node)
    n, c, h, w = x.shape
    if h % block or w % block:
        raise node.error(f"{h}x{w} pixels do not make blocks of {block}x{block}")
    split = ctx.reshape(x, (n, c, h // block, block, w // block, block))
    perm = (0, 3, 5, 1, 2, 4) if node.choice("mode", ("DCR", "CRD"), "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    return ctx.reshape(ctx.transpose(split, perm), (n, c * block * block, h // block, w // block))


def _image(node: OnnxNode) -> tuple[Value, int]:
    x, block = node.operand(0), node.integer("blocksize")
    if x.type.rank != 4 or block < 1:
        raise node.error(f"takes 4 dimensions and a positive block size, not {x.type} and {block}")
    return x, block


def _through(ctx: Context, x: Value, apart: Sequence[int], repeated: Sequence[int], shape: Sequence[int]) -> Value:
    """Repeats between two reshapes."""
    return ctx.reshape(ctx.broadcast(ctx.reshape(x, apart), repeated), shape)


def repeat_entries(ctx: Context, x: Value, times: Sequence[int]) -> Value:
    """Repeats each entry of dimension d `times[d]` times in a row."""
    apart = [d for n, t in zip(x.shape, times, strict=True) for d in ((n, 1) if t != 1 else (n,))]
    repeated = [d for n, t in zip(x.shape, times, strict=True) for d in ((n, t) if t != 1 else (n,))]
    return _through(ctx, x, apart, repeated, [n * t for n, t in zip(x.shape, times, strict=True)])
