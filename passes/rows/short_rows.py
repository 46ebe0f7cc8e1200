"""Shorter rows for what is done to images of planes: a row of a plane in place of a plane."""

from __future__ import annotations

import dataclasses

from tinyc.ir.module import Module, Node
from tinyc.ir.op import Value, unused
from tinyc.ir.ops.movement import Reshape
from tinyc.ir.types import TensorType


def with_short_rows(module: Module) -> Module:
    """The module in which operators that do the same to all elements of an input [1, C, H, W] see it as
    [1, C * H, W, 1], where nobody takes what they make by rows.

    It may then lie over the part of the input that they have read, at the distance of a shorter row.
    """
    names = {v.name for v in module.inputs} | {n.result.name for n in module.nodes}
    seen: dict[Value, Value] = {}
    nodes: list[Node] = []

    def shown(value: Value) -> Value:
        rows = (1, value.shape[1] * value.shape[2], value.shape[3], 1)
        seen[value] = Value(unused(f"{value.name}_rows", names), TensorType(rows, value.dtype))
        names.add(seen[value].name)
        return seen[value]

    for node, x in ((n, _shortened(module, n)) for n in module.nodes):
        if x is None:
            nodes.append(node)
            continue
        if x not in seen:
            rows = shown(x)
            nodes.append(Node(rows, Reshape(x, rows.shape)))
        result = shown(node.result)
        nodes.append(dataclasses.replace(node, result=result, op=node.op.replace_operands({x: seen[x]})))
        nodes.append(Node(node.result, Reshape(result, node.result.shape), node.loc))
    return dataclasses.replace(module, nodes=tuple(nodes)) if seen else module


def _shortened(module: Module, node: Node) -> Value | None:
    """The operand of which an operator sees shorter rows; None where it does not."""
    x = _image(module, node)
    while x is not None and x not in module.inputs:
        before = module.producer[x]
        x = _image(module, before) if _ends_whole(module, before) else None
    return _image(module, node) if x is not None and _ends_whole(module, node) else None


def _image(module: Module, node: Node) -> Value | None:
    """The one operand, an image of several planes, of an operator that does the same to all its elements."""
    op, shape = node.op, node.result.shape
    if not op.elementwise() or op.is_view() or op.row_form() is None or len(shape) != 4 or min(shape[1:]) < 2:
        return None
    images = [v for v in op.operands if v.type.size > 1]
    return images[0] if len(images) == 1 and images[0].shape == shape else None


def _ends_whole(module: Module, node: Node) -> bool:
    """Whether only such operators, and those that take it whole, use what a node makes."""
    users = module.users[node.result]
    return (
        bool(users)
        and node.result not in module.outputs
        and all(
            _ends_whole(module, user)
            if _image(module, user) == node.result
            else user.op.row_form() is None and not user.op.is_view()
            for user in users
        )
    )
