"""Rectifiers as float operators say them: x where it is not negative, else a slope of its channel times x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Node, made
from tinyc.ir.op import Value
from tinyc.ir.ops import Less, Mul, Where
from tinyc.ir.tensor import Array
from tinyc.passes.core.facts import uniform
from tinyc.passes.core.norms import Producer, float_constant


@dataclass(frozen=True)
class Rectifier:
    """What rectifies a value.

    Attributes:
        x: the value.
        slopes: what is multiplied by where x is negative, an array that broadcasts to x.
        nodes: that compute it, constants apart, without order.
    """

    x: Value
    slopes: Array
    nodes: tuple[Node, ...]


def rectifier_at(node: Node | None, producer: Producer) -> Rectifier | None:
    """The rectifier whose result a node computes, if it does."""
    chosen = made(node, Where)
    if chosen is None:
        return None
    x, negative, product = chosen.op.y, made(producer(chosen.op.condition), Less), made(producer(chosen.op.x), Mul)
    if negative is None or product is None or negative.op.x != x or x.type != chosen.op.type:
        return None
    if uniform(float_constant(negative.op.y, producer)) != 0.0:
        return None
    for value, other in (product.op.operands, product.op.operands[::-1]):
        slopes = float_constant(other, producer)
        if value == x and slopes is not None and slopes.size:
            return Rectifier(x, slopes, (chosen.node, negative.node, product.node))
    return None


def why_float(found: Rectifier) -> str:
    """Why there is no integer operator for a rectifier; empty where there is one."""
    channels = found.x.shape[-1:]
    if found.slopes.shape[-1:] != channels or found.slopes.size != channels[0]:
        return f"its slopes of shape {list(found.slopes.shape)} are not one a channel of {found.x.type}"
    return "" if np.isfinite(found.slopes).all() else "a slope is not finite"
