"""What a quantised module means, in real numbers: its operators in float64, its scales the float32 numbers they are.

This is the definition that integers are held against. Sums, tables and conversions are computed here, by numpy; of
`Op.evaluate` only what moves, chooses or averages numbers is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tinyc.compiler.witness import arithmetic
from tinyc.compiler.witness.kinds import INTEGER
from tinyc.ir import expr
from tinyc.ir.concern import Concern
from tinyc.ir.module import Node, made
from tinyc.ir.op import Op, Value
from tinyc.ir.ops import (
    AvgPool2d,
    BatchNorm,
    Constant,
    Conv2d,
    CumSum,
    Dense,
    DepthwiseConv2d,
    Dequantize,
    Elementwise,
    Lookup,
    MatMul,
    MaxPool2d,
    Pad,
    Quantize,
    Recurrent,
    Reduce,
    Softmax,
)
from tinyc.ir.ops.along import Ranking
from tinyc.ir.ops.conv import Convolution
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.movement import Movement
from tinyc.ir.ops.qinterpolate import OfLines
from tinyc.ir.ops.scatter import PutTogether
from tinyc.ir.tensor import Array

Floats = NDArray[np.float64]

MEANING: Concern[Callable[..., Array]] = Concern(
    "meaning in float64", "register it in compiler/witness/definition.py (`MEANING`)"
)
"""By operator: its result in float64, or in integers where it gives integers, given the operator and the arrays of its
operands. An elementwise operator takes any arrays that broadcast, in place of those of its operands' shapes."""


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
        op = node.op.limited(-math.inf, math.inf) if node.result in free else node.op
        result = _real(Node(node.result, op), [found[v] for v in op.operands], node.result == end, nudge)
        shape = op.type.shape
        found[node.result] = np.broadcast_to(result, shape) if op.elementwise() else result.reshape(shape)
    return found[end]


def column(nodes: Sequence[Node], source: Value, end: Value, inputs: Array, nudge: float = 0.0) -> Array | None:
    """`evaluate` for elementwise nodes on one value, with any number of elements instead of the value's own; None
    where the nodes are of another kind, or constants have elements of their own."""
    found: dict[Value, Array] = {source: inputs}
    for node in nodes:
        array, scales = node.op.constant(), made(node, Dequantize)
        if array is not None:
            if array.size == 0 or not (array == array.flat[0]).all():
                return None
            found[node.result] = _real(node, [], False, nudge).reshape(-1)[0]
        elif not node.op.elementwise() or (scales is not None and not scales.op.whole()):
            return None
        else:
            found[node.result] = _real(node, [found[v] for v in node.op.operands], node.result == end, nudge)
    return np.broadcast_to(found[end], inputs.shape)


def _real(node: Node, arrays: Sequence[Array], last: bool, nudge: float) -> Array:
    """A node's result; that of a `quantize` in steps if it is the last."""
    rounded = made(node, Quantize)
    with np.errstate(all="ignore"):
        if rounded is None:
            return MEANING.of(node.op)(node.op, *arrays)
        return steps_of(rounded.op, *arrays) if last else quantised(rounded.op, *arrays, nudge=nudge)


def steps_of(op: Quantize, x: Array) -> Floats:
    """Real numbers in steps of a quantize, its zero point added."""
    return np.asarray(x.astype(np.float64) / float(np.float32(op.scale)) + op.zero)


@MEANING(Quantize)
def quantised(op: Quantize, x: Array, nudge: float = 0.0) -> Array:
    """Real numbers as a quantize gives them: ties to even before the zero point is added."""
    steps = np.rint(x.astype(np.float64) / float(np.float32(op.scale)) + nudge) + op.zero
    low, high = op.to.limits
    return np.asarray(np.clip(np.nan_to_num(steps, nan=0.0), low, high)).astype(op.to.numpy)


@MEANING(Dequantize)
def dequantised(op: Dequantize, q: Array) -> Floats:
    """The real numbers that integers stand for."""
    shape = [] if op.whole() else [-1 if d == op.axis else 1 for d in range(q.ndim)]
    scale = np.asarray(op.scale, np.float32).astype(np.float64).reshape(shape)
    zero = np.asarray(op.zero, np.float64).reshape(shape)
    return np.asarray((q.astype(np.float64) - zero) * scale)


@MEANING(Constant)
def _constant(op: Constant) -> Array:
    array = op.data.array
    return array.astype(np.float64) if array.dtype.kind == "f" else array


@MEANING(Elementwise)
def _elementwise(op: Elementwise, *arrays: Array) -> Array:
    return _scalar(op.expression(), arrays)


@MEANING(Dense)
def _dense(op: Dense, x: Array, w: Array, *bias: Array) -> Array:
    return _finished(op, x.astype(np.float64) @ w.astype(np.float64).T, *bias)


@MEANING(Conv2d)
def _convolution(op: Conv2d, x: Array, w: Array, *bias: Array) -> Array:
    total, wide = np.zeros(op.type.shape), w.astype(np.float64)
    outputs, inputs = w.shape[0] // op.groups, w.shape[3]
    for ky, kx, met in _windows(op, x):
        for g in range(op.groups):
            own = slice(g * outputs, (g + 1) * outputs)
            total[..., own] += met[..., g * inputs : (g + 1) * inputs] @ wide[own, ky, kx].T
    return _finished(op, total, *bias)


@MEANING(DepthwiseConv2d)
def _depthwise(op: DepthwiseConv2d, x: Array, w: Array, *bias: Array) -> Array:
    total, wide = np.zeros(op.type.shape), w.astype(np.float64)
    for ky, kx, met in _windows(op, x):
        total += np.repeat(met, w.shape[2] // x.shape[3], axis=3) * wide[ky, kx]
    return _finished(op, total, *bias)


def _windows(op: Convolution, x: Array) -> Iterator[tuple[int, int, Floats]]:
    """For each place of the window: the elements that it meets at every output."""
    (sy, sx), (dy, dx), (top, left, bottom, right) = op.strides, op.dilations, op.pads
    wide = x.astype(np.float64)
    padded = np.pad(wide, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=op.pad_value)
    _, height, width, _ = op.type.shape
    for ky in range(op.window()[0]):
        for kx in range(op.window()[1]):
            yield ky, kx, padded[:, ky * dy :: sy, kx * dx :: sx][:, :height, :width]


def _finished(op: LinearLayer, sums: Floats, *bias: Array) -> Floats:
    """Sums of products with the bias, limited."""
    return np.asarray(np.clip(sum(bias, sums), op.min, op.max))


@MEANING(MatMul)
def _product(op: MatMul, x: Array, y: Array) -> Array:
    return np.asarray(x @ y)


@MEANING(Pad)
def _pad(op: Pad, x: Array) -> Array:
    whole = np.full(op.type.shape, op.value, np.float64 if op.x.dtype.is_float else op.x.dtype.numpy)
    gaps = op.between or (0,) * whole.ndim
    inside = tuple(
        slice(b, b + d + max(d - 1, 0) * g, g + 1) for b, d, g in zip(op.before, op.x.shape, gaps, strict=True)
    )
    whole[inside] = x
    return whole


@MEANING(Movement, MaxPool2d, AvgPool2d, Reduce, Softmax, BatchNorm, CumSum, Ranking, PutTogether)
def _as_evaluated(op: Op, *arrays: Array) -> Array:
    return op.evaluate(*arrays)


@MEANING(Recurrent)
def _step_by_step(op: Recurrent, *arrays: Array) -> Array:
    return op.evaluate(*cast("list[Array]", op.arguments(arrays)))


@MEANING(*INTEGER, Lookup, OfLines)
def _in_integers(op: Op, *arrays: Array) -> Array:
    """Where integers are computed in the quantised module already, exact arithmetic is what they mean."""
    exact = arithmetic.compute(op, arrays)
    assert exact is not None
    return exact.integers


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
