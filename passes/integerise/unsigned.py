"""uint8 becomes int8: q - 128 with the zero point zero - 128 stands for the same real value.

The two conversions wrap around, which makes them exact in both directions: 128 added to the byte, read as the other
type. They stay where a uint8 value is the module's own, and cancel everywhere else.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from tinyc.ir.module import Made, Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops import Add, Cast, Dequantize, Quantize
from tinyc.ir.types import DType
from tinyc.passes.core.base import Pass
from tinyc.passes.core.facts import uniform
from tinyc.passes.core.rewrite import Answer, Replaced, Rewriter, Rule, on, rewrite

SIGNED = "_i8"
"""Appended to the name of a uint8 value for the int8 value, 128 less, that stands for it."""


def to_unsigned(value: Value, rewriter: Rewriter) -> Add:
    """The uint8 value of an int8 value, 128 larger."""
    return Add(rewriter.add(Cast(value, DType.U8)), rewriter.constant_value(np.asarray(128, np.uint8), "offset"))


def to_signed(value: Value, rewriter: Rewriter) -> Add:
    """The int8 value of a uint8 value, 128 smaller."""
    return Add(rewriter.add(Cast(value, DType.I8)), rewriter.constant_value(np.asarray(-128, np.int8), "offset"))


def signed(value: Value, rewriter: Rewriter) -> Value | None:
    """The int8 value that a uint8 value has been made of, or a constant of the same meaning; else None."""
    constant = rewriter.constant(value)
    if constant is not None:
        return rewriter.constant_value((constant.astype(np.int16) - 128).astype(np.int8), value.name)
    shifted = rewriter.made(value, Add) if value.dtype is DType.U8 else None
    cast = rewriter.made(shifted.op.x, Cast) if shifted is not None else None
    if shifted is None or cast is None or cast.op.x.dtype is not DType.I8:
        return None
    return cast.op.x if uniform(rewriter.constant(shifted.op.y)) == 128.0 else None


@on(Quantize)
def quantize_to_int8(at: Made[Quantize], rewriter: Rewriter) -> Answer:
    """Quantize to int8 instead of uint8."""
    op = at.op
    if op.to is not DType.U8:
        return None
    value = rewriter.add(dataclasses.replace(op, zero=op.zero - 128, to=DType.I8), at.result.name + SIGNED)
    return Replaced(to_unsigned(value, rewriter))


@on(Dequantize)
def dequantize_from_int8(at: Made[Dequantize], rewriter: Rewriter) -> Answer:
    """Dequantize from int8 instead of uint8."""
    op = at.op
    if op.x.dtype is not DType.U8 or not op.whole():
        return None
    value = signed(op.x, rewriter) or rewriter.add(to_signed(op.x, rewriter))
    return Replaced(dataclasses.replace(op, x=value, zero=(op.zero[0] - 128,)))


def move_as_int8(node: Node, rewriter: Rewriter) -> Answer:
    """Move int8 values instead of uint8 values."""
    values = node.op.passes_on()
    if not values or any(v.dtype is not DType.U8 for v in values):
        return None
    if all(rewriter.constant(v) is not None for v in values):
        return None
    found = {v: signed(v, rewriter) for v in values}
    known = {v: s for v, s in found.items() if s is not None}
    if len(known) < len(found):
        return None
    fill = node.op.fill()
    # 0 fits both element types.
    new = (node.op if fill is None else node.op.filled(0.0)).replace_operands(known)
    if fill is not None:
        new = new.filled(fill - 128)
    return Replaced(to_unsigned(rewriter.add(new, node.result.name + SIGNED), rewriter))


RULES: tuple[Rule, ...] = (quantize_to_int8, dequantize_from_int8, move_as_int8)


@dataclass(frozen=True)
class UnsignedToSigned(Pass, name="unsigned-to-signed"):
    """Computes on int8 what the model computes on uint8: the same real values, 128 steps further down."""

    def run(self, module: Module) -> Module:
        return rewrite(module, RULES)
