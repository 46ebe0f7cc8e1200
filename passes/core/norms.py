"""Normalisation as float operators say it: (x - mean) / sqrt(variance + epsilon) * scale + bias, or with no mean.

Layouts leave reshapes between these operators, of means and deviations, which have an element for each group.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Node, made
from tinyc.ir.op import OpT, Value
from tinyc.ir.ops import Add, Broadcast, Clamp, Div, Maximum, Mul, ReduceMean, ReduceSum, Reshape, Sqrt, Sub
from tinyc.ir.ops.qnormalise import MOST_NORMALISED, period
from tinyc.ir.tensor import Array
from tinyc.passes.core.facts import uniform

Producer = Callable[[Value], Node | None]
"""The node that computes a value; None for inputs."""


@dataclass(frozen=True)
class Norm:
    """What normalises a value.

    Attributes:
        x: the value.
        axes: over which dimensions.
        epsilon: added to the variance; with `outside`, to its root instead.
        centred: whether the mean is taken off.
        nodes: that compute it, constants apart, without order.
        scale: what is multiplied by, an array that broadcasts to x; None for nothing.
        bias: what is added then, in the same way.
    """

    x: Value
    axes: tuple[int, ...]
    epsilon: float
    centred: bool
    nodes: tuple[Node, ...]
    scale: Array | None = None
    bias: Array | None = None
    outside: bool = False
    least: float = 0.0
    """What the root of the sum of squares is at least, where no epsilon is added."""

    @property
    def count(self) -> int:
        """Elements of a group."""
        return math.prod(self.x.shape[a] for a in self.axes)

    @property
    def order(self) -> tuple[int, ...]:
        """The dimensions of x so that those of a group follow each other: as they are where they do, else last."""
        first, last = self.axes[0], self.axes[-1]
        if last - first + 1 == len(self.axes):
            return tuple(range(self.x.type.rank))
        return (*(d for d in range(self.x.type.rank) if d not in self.axes), *self.axes)


def norm_at(node: Node | None, producer: Producer) -> Norm | None:
    """The normalisation whose result a node computes, if it does."""
    return _shifted(node, producer) or _scaled(node, producer) or _plain(node, producer)


def why_float(norm: Norm) -> str:
    """Why there is no integer operator for a normalisation; empty where there is one."""
    if norm.count > MOST_NORMALISED:
        return f"the squares of {norm.count} elements have no sum in int32: those of {MOST_NORMALISED} do"
    shape = [norm.x.shape[d] for d in norm.order]
    first = norm.order.index(norm.axes[0])
    parts = slice(0, first), slice(first, first + len(norm.axes)), slice(first + len(norm.axes), None)
    for array in (norm.scale, norm.bias):
        own = [broadcastable(array, norm.x.type.rank).shape[d] for d in norm.order] if array is not None else []
        if array is not None and any(period(own[p], shape[p]) is None for p in parts):
            return f"its factors of shape {list(array.shape)} have only some of the dimensions of {norm.x.type}"
    return ""


def broadcastable(array: Array, rank: int) -> Array:
    """An array with so many dimensions, which broadcasts as it did."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _shifted(node: Node | None, producer: Producer) -> Norm | None:
    found = made(node, Add)
    for value, other in _pairs(found.op.operands) if found is not None else ():
        bias, before = float_constant(other, producer), producer(value)
        inner = (_scaled(before, producer) or _plain(before, producer)) if bias is not None else None
        if inner is not None and node is not None and node.result.shape == inner.x.shape:
            return dataclasses.replace(inner, bias=bias, nodes=(*inner.nodes, node))
    return None


def _scaled(node: Node | None, producer: Producer) -> Norm | None:
    found = made(node, Mul)
    for value, other in _pairs(found.op.operands) if found is not None else ():
        scale = float_constant(other, producer)
        inner = _plain(producer(value), producer) if scale is not None else None
        if inner is not None and node is not None and node.result.shape == inner.x.shape:
            own = scale if inner.scale is None else scale * inner.scale
            return dataclasses.replace(inner, scale=own, nodes=(*inner.nodes, node))
    return None


def _plain(node: Node | None, producer: Producer) -> Norm | None:
    """A normalisation without scale and bias."""
    quotient = made(node, Div)
    if quotient is None or quotient.op.x.type != quotient.op.type:
        return None
    return _quotient(quotient, producer) or _of_length(quotient, producer)


def _of_length(quotient: Made[Div], producer: Producer) -> Norm | None:
    """x over the root of the sum of its squares, or over a small number where that is larger."""
    spread = made(producer(quotient.op.y), Broadcast)
    y, least = quotient.op.y if spread is None else spread.op.x, 0.0
    clamp, most = _behind(y, Clamp, producer), _behind(y, Maximum, producer)
    root = _behind(y, Sqrt, producer)
    if clamp is not None and clamp.op.max == math.inf:
        root, least = _behind(clamp.op.x, Sqrt, producer), clamp.op.min
    for value, other in _pairs(most.op.operands) if most is not None else ():
        number = uniform(float_constant(other, producer))
        if number is not None:
            root, least = _behind(value, Sqrt, producer), number
    total = _behind(root.op.operands[0], ReduceSum, producer) if root is not None else None
    square = _made(total.op.x, Mul, producer) if total is not None else None
    if total is None or not total.op.axes or square is None or square.op.operands != (quotient.op.x, quotient.op.x):
        return None
    ends = quotient.node, total.node, square.node
    found = Norm(quotient.op.x, total.op.axes, 0.0, False, ends, least=least)
    scale = np.asarray(found.count**-0.5, np.float32)
    nodes = tuple(dict.fromkeys((*ends, *_path(quotient.op.y, ends, producer))))
    return dataclasses.replace(found, scale=scale, nodes=nodes) if y.shape == _mean_shape(found) else None


def _quotient(quotient: Made[Div], producer: Producer) -> Norm | None:
    """x or x - mean, over the root of its own mean square and epsilon."""
    y, total, root = quotient.op.y, _behind(quotient.op.y, Add, producer), _behind(quotient.op.y, Sqrt, producer)
    if root is not None:
        total = _behind(root.op.operands[0], Add, producer)
    for value, other in _pairs(total.op.operands) if total is not None else ():
        epsilon = uniform(float_constant(other, producer))
        inner = _behind(value, Sqrt, producer) if root is None else None
        if epsilon is None or not epsilon > 0.0 or (root is None and inner is None):
            continue
        variance = value if inner is None else inner.op.operands[0]
        found = _centred(_of_squares(quotient, variance, producer), producer) or _of_moments(
            quotient, variance, producer
        )
        if found is not None and y.shape == _mean_shape(found):
            nodes = tuple(dict.fromkeys((*found.nodes, *_path(y, found.nodes, producer))))
            return dataclasses.replace(found, epsilon=float(epsilon), outside=inner is not None, nodes=nodes)
    return None


def _mean_shape(norm: Norm) -> tuple[int, ...]:
    """The shape of a mean, the dimensions of groups with size 1."""
    return tuple(1 if d in norm.axes else n for d, n in enumerate(norm.x.shape))


def _path(value: Value, ends: tuple[Node, ...], producer: Producer) -> list[Node]:
    """The nodes that compute a value, constants apart, as far as some others."""
    node = producer(value)
    if node is None or node in ends or node.op.constant() is not None:
        return []
    return [node, *(n for v in node.op.operands for n in _path(v, ends, producer))]


def _of_squares(quotient: Made[Div], variance: Value, producer: Producer) -> Norm | None:
    """Where the variance is the mean of the squares of what is divided."""
    mean = _behind(variance, ReduceMean, producer)
    square = _made(mean.op.x, Mul, producer) if mean is not None else None
    if mean is None or not mean.op.axes or square is None or square.op.operands != (quotient.op.x, quotient.op.x):
        return None
    return Norm(quotient.op.x, mean.op.axes, 0.0, False, (quotient.node, mean.node, square.node))


def _of_moments(quotient: Made[Div], variance: Value, producer: Producer) -> Norm | None:
    """Where it is the mean of squares less the square of the mean."""
    spread = _behind(variance, Sub, producer)
    mean = _behind(spread.op.x, ReduceMean, producer) if spread is not None else None
    squared = _behind(spread.op.y, Mul, producer) if spread is not None else None
    square = _made(mean.op.x, Mul, producer) if mean is not None else None
    if mean is None or square is None or squared is None or len({*square.op.operands, *squared.op.operands}) != 2:
        return None
    x, first = square.op.x, _behind(squared.op.x, ReduceMean, producer)
    if first is None or first.op.x != x or (square.op.y, squared.op.y) != (x, squared.op.x):
        return None
    nodes = (quotient.node, mean.node, square.node, first.node)
    found = _centred(Norm(quotient.op.x, mean.op.axes, 0.0, False, nodes), producer)
    return found if found is not None and found.x == x and first.op.axes == mean.op.axes else None


def _centred(norm: Norm | None, producer: Producer) -> Norm | None:
    """The same of what the mean is taken off, where the operand is that; else as it is."""
    difference = _made(norm.x, Sub, producer) if norm is not None else None
    mean = _behind(difference.op.y, ReduceMean, producer) if difference is not None else None
    if norm is None or difference is None or mean is None:
        return norm
    if mean.op.x != difference.op.x or mean.op.axes != norm.axes or difference.op.y.shape != mean.op.type.shape:
        return norm
    nodes = (*norm.nodes, difference.node, mean.node, *_path(difference.op.y, (mean.node,), producer))
    return dataclasses.replace(norm, x=difference.op.x, centred=True, nodes=nodes)


def _behind(value: Value, kind: type[OpT], producer: Producer) -> Made[OpT] | None:
    """What computes a value, reshapes aside."""
    node = producer(value)
    while (reshaped := made(node, Reshape)) is not None:
        node = producer(reshaped.op.x)
    return made(node, kind)


def _made(value: Value, kind: type[OpT], producer: Producer) -> Made[OpT] | None:
    return made(producer(value), kind)


def _pairs(operands: tuple[Value, ...]) -> tuple[tuple[Value, Value], ...]:
    x, y = operands
    return (x, y), (y, x)


def float_constant(value: Value, producer: Producer) -> Array | None:
    """The array of a constant of float32; None for any other value."""
    node = producer(value)
    array = node.op.constant() if node is not None else None
    return array if array is not None and array.dtype == np.float32 else None
