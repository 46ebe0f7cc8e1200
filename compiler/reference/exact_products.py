"""Integer products that onnxruntime computes exactly, on every processor.

On x86 without VNNI, its products of uint8 and int8 saturate in pairs: 255 * 127 * 2 is more than int16 holds. Products
of uint8 and uint8 do not. The session option that asks for exact ones (`session.x64quantprecision`) works through the
optimiser, so that it does nothing where operators are to run as the model says. Here the operand itself becomes uint8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

_MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class _Product:
    """The places, among an operator's inputs, of both factors and of the second one's zero point."""

    first: int
    second: int
    zero: int


_PRODUCTS: Mapping[tuple[str, str], _Product] = {
    ("", "QLinearConv"): _Product(0, 3, 5),
    ("", "QLinearMatMul"): _Product(0, 3, 5),
    ("", "ConvInteger"): _Product(0, 1, 3),
    ("", "MatMulInteger"): _Product(0, 1, 3),
    (_MICROSOFT, "MatMulIntegerToFloat"): _Product(0, 1, 5),
    (_MICROSOFT, "QGemm"): _Product(0, 3, 5),
}


def exact_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every product of uint8 and int8 as one of uint8 and uint8: the int8 operand and its zero point are
    128 more. All other values, and their names, are as they were; a model without such products is returned itself."""
    found = any(_key(n) in _PRODUCTS for g in _graphs(model.graph) for n in g.node)
    if not found:
        return model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    types: dict[str, int] = {}
    for graph in _graphs(onnx.shape_inference.infer_shapes(model).graph):
        types |= _types(graph)
    for graph in _graphs(changed.graph):
        _rewrite(graph, types)
    return changed


def _key(node: onnx.NodeProto) -> tuple[str, str]:
    return ("" if node.domain == "ai.onnx" else node.domain, node.op_type)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and those inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _graphs(inner)


def _types(graph: onnx.GraphProto) -> dict[str, int]:
    """Element types by name, as far as they are known."""
    known = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)}
    known |= {i.name: i.data_type for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            known[node.output[0]] = TensorProto.UINT8
        if node.op_type == "Constant":
            known[node.output[0]] = next((a.t.data_type for a in node.attribute if a.name == "value"), 0)
    return known


def _rewrite(graph: onnx.GraphProto, types: Mapping[str, int]) -> None:
    nodes: list[onnx.NodeProto] = []
    made: dict[str, str] = {}

    def constant(name: str, kind: int, number: int) -> str:
        if name not in made:
            made[name] = name
            value = helper.make_tensor(f"{name}_value", kind, [], [number])
            nodes.append(helper.make_node("Constant", [], [name], value=value))
        return name

    def moved(name: str) -> str:
        if name not in made:
            wide, sum_, made[name] = (f"{name}/tinyc_{part}" for part in ("wide", "sum", "uint8"))
            more = constant(f"{graph.name}/tinyc_128", TensorProto.INT32, 128)
            nodes.append(helper.make_node("Cast", [name], [wide], to=TensorProto.INT32))
            nodes.append(helper.make_node("Add", [wide, more], [sum_]))
            nodes.append(helper.make_node("Cast", [sum_], [made[name]], to=TensorProto.UINT8))
        return made[name]

    for node in graph.node:
        places = _PRODUCTS.get(_key(node))
        if places is not None:
            factors = [types.get(node.input[k], 0) for k in (places.first, places.second)]
            if factors == [TensorProto.UINT8, TensorProto.INT8]:
                node.input.extend([""] * (places.zero + 1 - len(node.input)))
                node.input[places.second] = moved(node.input[places.second])
                zero = node.input[places.zero]
                unsigned = f"{graph.name}/tinyc_zero_of_128"
                node.input[places.zero] = moved(zero) if zero else constant(unsigned, TensorProto.UINT8, 128)
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
