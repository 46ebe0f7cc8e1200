"""What a softmax takes: of numbers far below the largest of their row, nothing comes out.

Masks put such numbers there, -1e4 or minus infinity. A range that reached so far would have no steps for the others.
Ranges therefore end where nothing comes out any more, and what lies below becomes their lower end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinyc.ir.module import Module, Node, made
from tinyc.ir.op import Form, Value
from tinyc.ir.ops import Add, Constant, Softmax, Where
from tinyc.ir.tensor import Array, Tensor
from tinyc.passes.quantise.units import Unit

REACH = 12.0
"""How far below the largest of its row a number still matters: e^-12 is a thousandth of a step of int8."""
APART = 100.0
"""Numbers as far below the largest of all are masked, and rows whose largest is, as a whole."""
LOWEST = -1e30
"""What stands for minus infinity: as float32, nothing comes out of it either."""


def logits(module: Module, units: Sequence[Unit]) -> dict[Value, Value]:
    """From the operands of softmaxes, and values that are moved to become such and are of no other use, to these
    operands."""
    found = {}
    for unit in units:
        if unit.form is Form.SOFTMAX:
            (end,) = unit.operands
            found.update(dict.fromkeys(_moved(module, end), end))
    return found


def _moved(module: Module, end: Value) -> list[Value]:
    """A value, and those that it is moved from; nothing where others take it as well."""
    found = [end]
    while (node := module.producer.get(found[-1])) is not None and node.op.renames() and module.taken_once(found[-1]):
        found.append(node.op.operands[0])
    return found if module.taken_once(found[-1]) else found[:-1]


def limited(array: Array) -> Array:
    """What a softmax takes, and where some of it is masked, that as far as something comes out of it: none of it is
    further than `REACH` below the largest of the row that has the lowest."""
    largest = array.max(axis=-1, initial=-np.inf)
    top = largest.max(initial=-np.inf)
    if not array.size or array.min() >= top - APART:
        return array
    return np.asarray(np.maximum(array, largest[largest >= top - APART].min() - np.float32(REACH)))


def finite_masks(module: Module) -> Module:
    """The module with a large negative number in place of minus infinity in what masks the operands of softmaxes."""
    masks: dict[Value, Node] = {}
    for node in module.nodes:
        if made(node, Softmax) is not None:
            moved = _moved(module, node.op.operands[0])
            before = module.producer.get(moved[-1]) if moved else None
            if before is not None and (made(before, Add) is not None or made(before, Where) is not None):
                for value in before.op.operands:
                    array = module.constant(value)
                    if array is not None and array.dtype == np.float32 and np.isneginf(array).any():
                        masks[value] = module.producer[value]
    if not masks:
        return module
    nodes = [n if n.result not in masks else _finite(n) for n in module.nodes]
    return Module(module.name, module.inputs, tuple(nodes), module.outputs)


def _finite(node: Node) -> Node:
    array = node.op.constant()
    assert array is not None
    return Node(node.result, Constant(Tensor(np.maximum(array, np.float32(LOWEST)))), node.loc)


def mask_limits(
    module: Module,
    units: Sequence[Unit],
    of: Mapping[Value, Value],
    lows: Mapping[Value, float],
    highs: Mapping[Value, float],
) -> dict[Value, float]:
    """Of constants that are added to what softmaxes take, and used for nothing else: what is low enough for nothing to
    come out.

    Args:
        module: that has them.
        units: what of it is quantised.
        of: the values that softmaxes take.
        lows: the least number that int8 represents of a value.
        highs: the largest.
    """
    found: dict[Value, list[float]] = {}
    for unit in units:
        masks = [v for v in unit.operands if module.constant(v) is not None]
        for mask in masks:
            others = [v for v in unit.operands if v != mask]
            adds = made(unit.nodes[0], Add) is not None and unit.form is Form.BINARY and unit.result in of
            limit = lows[unit.result] - max((highs[v] for v in others), default=0.0) if adds else -np.inf
            found.setdefault(mask, []).append(limit)
    return {mask: min(limits) for mask, limits in found.items()}
