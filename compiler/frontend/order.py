"""Nodes in the order of their operands: ONNX asks for it, not every exporter keeps it, and onnxruntime loads any."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import onnx

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.node import node_loc, operator_name


def sort_model(model: onnx.ModelProto) -> None:
    """Puts the nodes of the graph, of its branches and of local functions in order, in place; what is in order stays
    as it is. Raises `FrontendError` when nodes need each other."""
    _sort(model.graph.node, _given(model.graph))
    for function in model.functions:
        _sort(function.node, set(function.input))


def branches(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node has as attributes."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def mentioned(nodes: Iterable[onnx.NodeProto]) -> Iterator[str]:
    """The tensors that nodes read, and those of outside that their branches read."""
    for node in nodes:
        yield from node.input
        for graph in branches(node):
            own = _given(graph) | {name for inner in graph.node for name in inner.output}
            yield from (name for name in mentioned(graph.node) if name not in own)
            yield from (o.name for o in graph.output if o.name not in own)


def _given(graph: onnx.GraphProto) -> set[str]:
    """The tensors of a graph that no node makes."""
    return (
        {i.name for i in graph.input}
        | {t.name for t in graph.initializer}
        | {t.values.name for t in graph.sparse_initializer}
    )


def _sort(nodes: Any, given: set[str]) -> None:
    """Sorts a repeated field of nodes, of the possible orders into the one nearest to that of the file."""
    for node in nodes:
        for graph in branches(node):
            _sort(graph.node, _given(graph))
    # A name that is made twice, or by a node as well as by none, is refused by the import, which says by whom.
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if name and name not in given:
                makers.setdefault(name, index)
    needs = [{makers[name] for name in mentioned([node]) if name in makers} for node in nodes]
    if all(max(needed, default=-1) < index for index, needed in enumerate(needs)):
        return
    order = _order(needs)
    if len(order) < len(nodes):
        raise FrontendError(_cycle(nodes, needs, set(order)))
    ordered = [nodes[index] for index in order]
    del nodes[:]
    nodes.extend(ordered)


def _order(needs: Sequence[set[int]]) -> list[int]:
    """The numbers, each behind those it needs, the smallest first that can come; those in cycles are left out."""
    users: list[list[int]] = [[] for _ in needs]
    missing = [len(needed) for needed in needs]
    for index, needed in enumerate(needs):
        for other in needed:
            users[other].append(index)
    ready = [index for index, count in enumerate(missing) if not count]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, user)
    return order


def _cycle(nodes: Sequence[onnx.NodeProto], needs: Sequence[set[int]], done: set[int]) -> str:
    """Tells of one cycle among the nodes that are not done, each of which needs another such."""
    at = next(index for index in range(len(nodes)) if index not in done)
    path: list[int] = []
    while at not in path:
        path.append(at)
        at = min(needs[at] - done)
    cycle = path[path.index(at) :]
    names = [f"{node_loc(nodes[k], k)} ({operator_name(nodes[k])})" for k in (*cycle, cycle[0])]
    shown = names if len(names) <= 8 else [*names[:7], "...", names[-1]]
    return f"the graph has a cycle, so that no node of it can be computed first: {' needs '.join(shown)}"
