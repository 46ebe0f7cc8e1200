"""What a quantised module means, in real numbers: its operators in float64, its scales the float32 numbers they are.

This is the definition that integers are held against. Sums, tables and conversions are computed here, by numpy; of
`Op.evaluate` only what moves, chooses or averages numbers is used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tinyc.ir import expr
from tinyc.ir.module import Node
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import Clamp, Constant, Conv2d, Dense, Dequantize, Elementwise, MatMul, Pad, Quantize
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.tensor import Array

Floats = NDArray[np.float64]


def evaluate(
    nodes: Sequence[Node],
    known: Mapping[Value, Array],
    end: Value,
    nudge: float = 0.0,
    free: Collection[Value] = (),
) -> Array:
    """The value that the last of some nodes computes.

    Args:
        nodes: in order.
        known: arrays of what they take from elsewhere: integers as they are, floats in any precision.
        end: the result of one of them. That of a `quantize` is given in steps, zero point added, neither rounded nor
            limited to int8.
        nudge: steps added before the `quantize` operators between round: what an integer computation may be off there.
        free: results that are taken without the limits that their operator has or is (a clamp).
    """
    found = dict(known)
    for node in nodes:
        found[node.result] = _node(node, found, node.result == end, nudge, node.result in free)
    return found[end]


def _node(node: Node, found: Mapping[Value, Array], last: bool, nudge: float, free: bool) -> Array:
    op = node.op
    arrays = [found[v] for v in op.operands]
    with np.errstate(all="ignore"):
        if isinstance(op, Quantize):
            return steps_of(op, arrays[0]) if last else quantised(op, arrays[0], nudge)
        if isinstance(op, Clamp) and free:
            return arrays[0]
        result = real(op, arrays, free)
    return result.reshape(op.type.shape)


def real(op: Op, arrays: Sequence[Array], free: bool = False) -> Array:
    """An operator's result in float64 (integers where it gives integers)."""
    if isinstance(op, Constant):
        array = op.data.array
        return array.astype(np.float64) if array.dtype.kind == "f" else array
    if isinstance(op, Dequantize):
        return dequantised(op, arrays[0])
    if isinstance(op, (Convolution, Dense)):
        total = _sums(op, arrays[0].astype(np.float64), arrays[1].astype(np.float64))
        total = total + arrays[2] if len(arrays) > 2 else total
        return total if free else np.clip(total, op.min, op.max)
    if isinstance(op, MatMul):
        return np.asarray(arrays[0] @ arrays[1])
    if isinstance(op, Pad) and op.x.dtype.is_float:
        whole = np.full(op.type.shape, op.value)
        gaps = op.between or (0,) * whole.ndim
        inside = tuple(
            slice(b, b + d + max(d - 1, 0) * g, g + 1) for b, d, g in zip(op.before, op.x.shape, gaps, strict=True)
        )
        whole[inside] = arrays[0]
        return whole
    if isinstance(op, Elementwise):
        return np.broadcast_to(_scalar(op.expression(), arrays), op.type.shape)
    return op.evaluate(*op.arguments(arrays))  # type: ignore[arg-type]


def column(nodes: Sequence[Node], source: Value, end: Value, inputs: Array, nudge: float = 0.0) -> Array | None:
    """`evaluate` for elementwise nodes on one value, with any number of elements instead of the value's own; None
    where the nodes are of another kind, or constants have elements of their own."""
    found: dict[Value, Array] = {source: inputs}
    for node in nodes:
        op = node.op
        if isinstance(op, Constant):
            array = real(op, [])
            if array.size == 0 or not (array == array.flat[0]).all():
                return None
            found[node.result] = np.asarray(array.flat[0])
        elif not isinstance(op, Elementwise) or (isinstance(op, Dequantize) and not op.whole()):
            return None
        else:
            arrays = [found[v] for v in op.operands]
            with np.errstate(all="ignore"):
                if isinstance(op, Quantize):
                    found[node.result] = (
                        steps_of(op, arrays[0]) if node.result == end else quantised(op, arrays[0], nudge)
                    )
                elif isinstance(op, Dequantize):
                    found[node.result] = dequantised(op, arrays[0])
                else:
                    found[node.result] = _scalar(op.expression(), arrays)
    return np.broadcast_to(found[end], inputs.shape)


def steps_of(op: Quantize, x: Array) -> Floats:
    """Real numbers in steps of a quantize, its zero point added."""
    return np.asarray(x.astype(np.float64) / float(np.float32(op.scale)) + op.zero)


def quantised(op: Quantize, x: Array, nudge: float = 0.0) -> Array:
    """Real numbers as a quantize gives them: ties to even before the zero point is added."""
    steps = np.rint(x.astype(np.float64) / float(np.float32(op.scale)) + nudge) + op.zero
    low, high = op.to.limits
    return np.asarray(np.clip(np.nan_to_num(steps, nan=0.0), low, high)).astype(op.to.numpy)


def dequantised(op: Dequantize, q: Array) -> Floats:
    """The real numbers that integers stand for."""
    scale = np.asarray(op.scale, np.float32).astype(np.float64)
    zero = np.asarray(op.zero, np.float64)
    if not op.whole():
        shape = [-1 if d == op.axis else 1 for d in range(q.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return np.asarray((q.astype(np.float64) - zero) * scale)


def _sums(op: Convolution | Dense, x: Floats, w: Floats) -> Floats:
    """Sums of products, without bias and limits."""
    if isinstance(op, Dense):
        return np.asarray(x @ w.T)
    (sy, sx), (dy, dx), (top, left, bottom, right) = op.strides, op.dilations, op.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=op.pad_value)
    _, height, width, channels = op.type.shape
    total = np.zeros(op.type.shape)
    for ky in range(op.window()[0]):
        for kx in range(op.window()[1]):
            met = padded[:, ky * dy :: sy, kx * dx :: sx][:, :height, :width]
            if isinstance(op, Conv2d):
                per, taken = channels // op.groups, op.w.shape[3]
                for g in range(op.groups):
                    own = slice(g * per, (g + 1) * per)
                    total[..., own] += met[..., g * taken : (g + 1) * taken] @ w[own, ky, kx].T
            else:
                total += np.repeat(met, channels // x.shape[3], axis=3) * w[ky, kx]
    return total


def _scalar(expression: expr.Expr, args: Sequence[Array]) -> Array:
    """An elementwise expression with float64 in place of float32."""
    if isinstance(expression, expr.Arg):
        array = args[expression.index]
        return array.astype(np.float64) if expression.dtype.is_float else array
    if isinstance(expression, expr.Lit):
        return np.asarray(expression.value, np.float64 if expression.dtype.is_float else expression.dtype.numpy)
    assert isinstance(expression, expr.Call)
    values = [_scalar(a, args) for a in expression.args]
    wide = np.float64 if expression.dtype.is_float else expression.dtype.numpy
    if expression.fn == "cast":
        (value,) = values
        if value.dtype.kind == "f" and expression.dtype.is_integer:
            low, high = expression.dtype.limits
            value = np.clip(np.trunc(np.nan_to_num(value, nan=0.0)), low, high)
        return value.astype(wide)
    return np.asarray(expr.FUNCTIONS[expression.fn].numpy(*values)).astype(wide, copy=False)
