"""Many inferences at once in the interpreter: the same module with a larger batch."""

from __future__ import annotations

import dataclasses

from tinyc.ir import Module, TensorType, Value
from tinyc.ir.module import Node
from tinyc.ir.ops import Broadcast, Reshape


def batched(module: Module, count: int) -> Module:
    """The module for `count` inferences along the first dimension of every value that does not come of constants alone.

    For networks whose values all have a leading dimension of 1 that no operator mixes with others.
    """
    mapping: dict[Value, Value] = {}

    def grown(value: Value) -> Value:
        assert value.shape[0] == 1, f"{value} has no batch dimension"
        return Value(value.name, TensorType((count, *value.shape[1:]), value.dtype))

    for value in module.inputs:
        mapping[value] = grown(value)
    nodes = []
    fixed: set[Value] = set()
    for node in module.nodes:
        if fixed.issuperset(node.op.operands):  # constants, and what is computed of them
            fixed.add(node.result)
            nodes.append(node)
            continue
        op = node.op
        if isinstance(op, (Reshape, Broadcast)):
            op = dataclasses.replace(op, x=mapping[op.x], shape=(count, *op.shape[1:]))
        else:
            op = op.with_operands([mapping.get(v, v) for v in op.operands])
        mapping[node.result] = grown(node.result)
        nodes.append(Node(mapping[node.result], op, node.loc))
    inputs = tuple(mapping[v] for v in module.inputs)
    return Module(module.name, inputs, tuple(nodes), tuple(mapping[v] for v in module.outputs))
