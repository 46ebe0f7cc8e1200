"""Normalisation as float operators say it: (x - mean) / sqrt(variance + epsilon) * scale + bias, or with no mean."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Node, made
from tinyc.ir.op import OpT, Value
from tinyc.ir.ops import Add, Div, Mul, ReduceMean, Sqrt, Sub
from tinyc.ir.ops.qnormalise import MOST_NORMALISED
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
        epsilon: added to the variance, above 0.
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


def norm_at(node: Node | None, producer: Producer) -> Norm | None:
    """The normalisation whose result a node computes, if it does."""
    return _shifted(node, producer) or _scaled(node, producer) or _quotient(node, producer)


def why_float(norm: Norm) -> str:
    """Why there is no integer operator for a normalisation; empty where there is one."""
    first, last = norm.axes[0], norm.axes[-1]
    count = math.prod(norm.x.shape[a] for a in norm.axes)
    if last - first + 1 != len(norm.axes):
        return f"it normalises over dimensions {list(norm.axes)}, which do not follow each other"
    if count > MOST_NORMALISED:
        return f"the squares of {count} elements have no sum in int32: those of {MOST_NORMALISED} do"
    parts = slice(0, first), slice(first, last + 1), slice(last + 1, None)
    for array in (norm.scale, norm.bias):
        own = broadcastable(array, norm.x.type.rank).shape if array is not None else ()
        if array is not None and any(own[p] != norm.x.shape[p] and math.prod(own[p]) != 1 for p in parts):
            return f"its factors of shape {list(array.shape)} have only some of the dimensions of {norm.x.type}"
    return ""


def broadcastable(array: Array, rank: int) -> Array:
    """An array with so many dimensions, which broadcasts as it did."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def _shifted(node: Node | None, producer: Producer) -> Norm | None:
    found = made(node, Add)
    for value, other in _pairs(found.op.operands) if found is not None else ():
        bias, before = float_constant(other, producer), producer(value)
        inner = (_scaled(before, producer) or _quotient(before, producer)) if bias is not None else None
        if inner is not None and node is not None and node.result.shape == inner.x.shape:
            return dataclasses.replace(inner, bias=bias, nodes=(*inner.nodes, node))
    return None


def _scaled(node: Node | None, producer: Producer) -> Norm | None:
    found = made(node, Mul)
    for value, other in _pairs(found.op.operands) if found is not None else ():
        scale = float_constant(other, producer)
        inner = _quotient(producer(value), producer) if scale is not None else None
        if inner is not None and node is not None and node.result.shape == inner.x.shape:
            return dataclasses.replace(inner, scale=scale, nodes=(*inner.nodes, node))
    return None


def _quotient(node: Node | None, producer: Producer) -> Norm | None:
    """x or x - mean, over the root of its own mean square and epsilon."""
    quotient = made(node, Div)
    root = _made(quotient.op.y, Sqrt, producer) if quotient is not None else None
    total = _made(root.op.operands[0], Add, producer) if root is not None else None
    if quotient is None or root is None or total is None or quotient.op.x.type != quotient.op.type:
        return None
    for value, other in _pairs(total.op.operands):
        epsilon, mean = uniform(float_constant(other, producer)), _made(value, ReduceMean, producer)
        square = _made(mean.op.x, Mul, producer) if mean is not None else None
        if mean is None or not mean.op.axes or square is None or epsilon is None or not epsilon > 0.0:
            continue
        if square.op.operands != (quotient.op.x, quotient.op.x):
            continue
        nodes = tuple(found.node for found in (quotient, root, total, mean, square))
        plain = Norm(quotient.op.x, mean.op.axes, float(epsilon), False, nodes)
        return _centred(plain, producer) or plain
    return None


def _centred(norm: Norm, producer: Producer) -> Norm | None:
    """The same of what the mean is taken off, where the operand is that."""
    difference = _made(norm.x, Sub, producer)
    mean = _made(difference.op.y, ReduceMean, producer) if difference is not None else None
    if difference is None or mean is None or mean.op.x != difference.op.x or mean.op.axes != norm.axes:
        return None
    nodes = (*norm.nodes, difference.node, mean.node)
    return dataclasses.replace(norm, x=difference.op.x, centred=True, nodes=nodes)


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
