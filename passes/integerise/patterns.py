"""What the rules look for: float operators between dequantize and quantize."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from tinyc.ir.concern import Concern
from tinyc.ir.module import Made, Node, made
from tinyc.ir.op import IntegerForm, Op, OpT, Value
from tinyc.ir.ops import BatchNorm, Clamp, Constant, Dequantize, MaxPool2d, Quantize, Reduce
from tinyc.ir.ops.along import Ranking
from tinyc.ir.ops.int8 import Int8
from tinyc.ir.ops.movement import Movement
from tinyc.ir.ops.reduce import Chosen
from tinyc.ir.ops.scatter import PutTogether
from tinyc.ir.tensor import Array
from tinyc.ir.types import DType
from tinyc.passes.core.facts import intersect
from tinyc.passes.core.rewrite import Answer, Rewriter, Skip, label_of, on
from tinyc.passes.integerise.scales import Scale


@dataclass(frozen=True)
class Activation:
    """A float value that is the dequantize of an int8 or int16 value with one scale."""

    value: Value
    scale: Scale
    node: Node


def activation(value: Value, rewriter: Rewriter, wide: bool = False) -> Activation | None:
    """The int8 value behind a float value, if that is what it comes from; if `wide` an int16 value as well."""
    found = rewriter.made(value, Dequantize)
    among = (DType.I8, DType.I16) if wide else (DType.I8,)
    if found is None or not found.op.whole() or found.op.x.dtype not in among:
        return None
    return Activation(found.op.x, Scale.of(found.op), found.node)


def real_constant(value: Value | None, rewriter: Rewriter) -> Array | None:
    """The numbers, in float64, of a constant or of the dequantize of one; else None."""
    found = rewriter.made(value, Dequantize)
    integers = rewriter.constant(found.op.x) if found is not None else None
    if found is not None and integers is not None:
        scale, zero = along(found.op, found.op.scale), along(found.op, found.op.zero)
        return np.asarray((integers.astype(np.float64) - zero) * scale.astype(np.float32).astype(np.float64))
    array = rewriter.constant(value)
    return array.astype(np.float64) if array is not None and array.dtype == np.float32 else None


def along(op: Dequantize, numbers: tuple[float, ...] | tuple[int, ...]) -> Array:
    """Scales or zero points of a dequantize, in float64, shaped to broadcast with its operand."""
    shape = [1] * op.x.type.rank
    if not op.whole():
        shape[op.axis] = len(numbers)
    return np.array(numbers, np.float64).reshape(shape)


@dataclass(frozen=True)
class Match(Generic[OpT]):
    """A float operator whose result is quantized and not needed otherwise, perhaps through clamps."""

    op: OpT
    out: Scale
    low: int
    """The clamps' limits, as integers."""
    high: int
    absorbed: tuple[Node, ...]
    """The operator's node, then the clamps'."""

    def result(self, low: float = -math.inf, high: float = math.inf) -> dict[str, Any]:
        """The zero point, the limits and the type of the result, as the fields of an integer operator: the operator's
        own limits, then the clamps'."""
        least, most = intersect(*self.out.limits(low, high), self.low, self.high)
        return {"out_zero": self.out.zero, "min": int(least), "max": int(most), "to": self.out.dtype}


INTEGERS: Concern[Callable[[Any, Rewriter], Answer]] = Concern(
    "integer form", "register in passes/integerise what computes it between dequantize and quantize (`INTEGERS`)"
)
"""From a match of an operator to the integer operator that computes it."""

INTEGERS.refuse("it works on int8 as on floats: dequantize sinks below it", Movement, MaxPool2d, Chosen)
INTEGERS.refuse("it compares int8 values as they are, and gives no number to quantize", Ranking)
INTEGERS.refuse("how many updates come together in an element is not known", PutTogether)
INTEGERS.refuse("it computes on integers already", Int8)
INTEGERS.refuse("products of many activations have no integer form yet", Reduce)
INTEGERS.refuse("it is folded into the layers around it", BatchNorm)
INTEGERS.refuse("it is known when the network is compiled", Constant)


@on(Quantize)
def compute_in_integers(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Compute on integers what a quantize takes."""
    if at.op.to not in (DType.I8, DType.I16):
        return None
    low, high = -math.inf, math.inf
    clamps: tuple[Node, ...] = ()
    value, shared = at.op.x, ""
    while True:
        shared = shared or ("" if only_quantized(value, rewriter) else str(value))
        clamp = rewriter.made(value, Clamp)
        if clamp is None:
            break
        low, high = intersect(clamp.op.min, clamp.op.max, low, high)
        clamps = (clamp.node, *clamps)
        value = clamp.op.x
    node = rewriter.producer(value)
    rule = INTEGERS.find(type(node.op)) if node is not None else None
    if node is None or rule is None:
        return None
    if shared:
        return Skip(f"{shared} is needed in float as well", label_of(rule))
    out = Scale.of(at.op)
    if out.dtype is DType.I16 and not has_wide_form(node.op):
        return Skip(f"{node.op.mnemonic} has no form for 16 bits", label_of(rule))
    answer = rule(Match(node.op, out, *out.limits(low, high), (node, *clamps)), rewriter)
    return dataclasses.replace(answer, label=answer.label or label_of(rule)) if answer is not None else None


def has_wide_form(op: Op) -> bool:
    """Whether integers of an operator on floats may be int16: unless its integer form says otherwise."""
    form = op.quantised()
    return not isinstance(form, IntegerForm) or form.wide


def only_quantized(value: Value, rewriter: Rewriter) -> bool:
    """Whether nothing needs a value in float. With several scales, an integer operator computes it for each."""
    users = rewriter.users(value)
    quantized = all(made(u, Quantize) for u in users) and rewriter.uses(value) <= len(users)
    return quantized or rewriter.uses(value) == 1


def float_operand(value: Value) -> Skip:
    """The reason to leave an operator alone whose operand is no integer of a type that it takes."""
    return Skip(f"its operand {value} is not a dequantized int8 value")


def taken_together(at: Made[Quantize], x: Value, why_float: str, rewriter: Rewriter) -> Activation | Skip:
    """The int8 or int16 value that operators take which compute together what a quantize takes; or why they stay in
    float, of which `why_float` says what they are known to be left for, if anything."""
    found = activation(x, rewriter, wide=True)
    if found is None:
        return float_operand(x)
    if why_float or not only_quantized(at.op.x, rewriter):
        return Skip(why_float or f"{at.op.x} is needed in float as well")
    return found
