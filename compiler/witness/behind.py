"""What stands behind a value of a module: what moved, chose, limited or made it of integers."""

from __future__ import annotations

import numpy as np

from tinyc.compiler.witness.definition import dequantised
from tinyc.ir.module import Made, Module, Node, made
from tinyc.ir.op import Op, OpT, Value
from tinyc.ir.ops import Clamp, Dequantize
from tinyc.ir.tensor import Array


def only(part: Module, kind: type[OpT]) -> Made[OpT] | None:
    """The node whose operator is of a class, if there is one and no more."""
    found = list(part.made_by(kind))
    return found[0] if len(found) == 1 else None


def moved(op: Op) -> Value | None:
    """The operand whose elements, and no others, an operator gives as they are, whatever they stand for; None where it
    does something else."""
    plain = op.passes_on() == op.operands and not op.chooses() and op.fill() is None
    return op.operands[0] if plain and len(op.operands) == 1 else None


def limited(node: Node) -> Value | None:
    """What a node moves, or limits and nothing else; None where it does something else."""
    clamp = made(node, Clamp)
    return clamp.op.x if clamp is not None else moved(node.op)


def chosen(node: Node) -> tuple[Value, ...]:
    """The operands among whose elements those of the result are chosen, limited or not; none where numbers are
    computed. Integers are not rounded by such a node."""
    clamp = made(node, Clamp)
    return (clamp.op.x,) if clamp is not None else node.op.passes_on()


def behind_moves(part: Module, value: Value) -> Dequantize | None:
    """What made a float value of integers, if it was only moved since; else None."""
    node = part.producer.get(value)
    while node is not None and (before := moved(node.op)) is not None:
        node = part.producer.get(before)
    found = made(node, Dequantize)
    return found.op if found is not None else None


def behind_choices(part: Module, value: Value) -> list[Dequantize] | None:
    """What made a float value of integers, if these were only moved since, or chosen among; else None."""
    found = part.made(value, Dequantize)
    if found is not None:
        return [found.op]
    node = part.producer.get(value)
    behind = [behind_choices(part, v) for v in node.op.passes_on()] if node is not None else []
    known = [b for b in behind if b is not None]
    return [op for ops in known for op in ops] if behind and len(known) == len(behind) else None


def real_constant(part: Module, value: Value | None) -> Array | None:
    """The real numbers of a constant, or of a dequantize of one; None where a value is neither."""
    plain = part.constant(value)
    if plain is not None:
        return plain.astype(np.float64)
    found = part.made(value, Dequantize)
    integers = part.constant(found.op.x) if found is not None else None
    return dequantised(found.op, integers) if found is not None and integers is not None else None
