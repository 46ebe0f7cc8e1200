"""Which nodes of a graph matter, and which of those tinyc cannot import: known before the import begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx

from tinyc.compiler.frontend.constants import is_function
from tinyc.compiler.frontend.functions import CONTEXT_DEPENDENT, function_body, schema_of
from tinyc.compiler.frontend.node import node_loc, normal_domain, operator_name
from tinyc.compiler.frontend.order import mentioned
from tinyc.compiler.frontend.registry import handler_for

_FIXED = ("Shape", "Size")
"""Operators whose result is known at import whatever their operand is, since shapes are static."""

ADVICE = 'export the model without such operators, or add them to tinyc (CONTRIBUTING.md, "An ONNX operator")'
"""What to do about operators that are not supported."""


@dataclass(frozen=True)
class Unsupported:
    """A node tinyc cannot import."""

    operator: str
    loc: str

    @property
    def domain(self) -> str:
        """Whose operator it is; empty for ONNX's own."""
        return self.operator.rpartition(":")[0]


def listing(found: Iterable[Unsupported]) -> str:
    """For people: each operator with the nodes that use it."""
    nodes: dict[str, list[str]] = {}
    for each in found:
        nodes.setdefault(each.operator, []).append(each.loc)
    return "; ".join(f"{op} (node{'s' if len(n) > 1 else ''} {', '.join(n)})" for op, n in nodes.items())


def live_nodes(graph: onnx.GraphProto) -> list[tuple[int, onnx.NodeProto]]:
    """The nodes that the graph's outputs need, in order, each with its place in the graph."""
    needed = {o.name for o in graph.output}
    live: list[tuple[int, onnx.NodeProto]] = []
    for index in range(len(graph.node) - 1, -1, -1):
        node = graph.node[index]
        if needed & set(node.output) - {""}:
            live.append((index, node))
            needed.update(mentioned([node]))
    return live[::-1]


def unsupported_nodes(graph: onnx.GraphProto, opset: int) -> list[Unsupported]:
    """The nodes in use whose operator tinyc cannot import; an operator on constants is evaluated, so never one."""
    constant = {t.name for t in graph.initializer} | {""}
    found: list[Unsupported] = []
    for index, node in live_nodes(graph):
        fixed = is_function(node, opset) and all(name in constant for name in node.input)
        if fixed or (node.op_type in _FIXED and not normal_domain(node.domain)):
            constant.update(node.output)
        if not (fixed or is_supported(node, opset)):
            found.append(Unsupported(operator_name(node), node_loc(node, index)))
    return found


def is_supported(node: onnx.NodeProto, opset: int) -> bool:
    """Whether there is a handler, or a definition made of supported operators.

    A definition that depends on the operands' types is taken to be supported here and looked into by the import.
    """
    if handler_for(operator_name(node)) is not None:
        return True
    if normal_domain(node.domain):
        return False
    schema = schema_of(node.op_type, opset)
    if schema is None:
        return False
    body = function_body(node, opset, None)
    if body is None:
        return node.op_type in CONTEXT_DEPENDENT and bool(schema.has_context_dependent_function)
    return all(is_supported(inner, opset) for inner in body.node)
