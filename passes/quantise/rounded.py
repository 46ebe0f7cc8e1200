"""A float module with some of its values rounded to integers, to see what that does to others."""

from __future__ import annotations

from collections.abc import Mapping

from tinyc.ir.module import Builder, Module, Node
from tinyc.ir.op import Value
from tinyc.ir.ops.quantise import Dequantize, Quantize
from tinyc.passes.quantise.ranges import Parameters


def rounded(module: Module, values: Mapping[Value, Parameters]) -> Module:
    """The float module with these values rounded to integers, and back."""
    builder = Builder.within(module)
    known: dict[Value, Value] = {}

    def round_(value: Value) -> None:
        if value in values:
            p = values[value]
            q = builder.add(Quantize(value, p.scale, p.zero, p.dtype), f"{value.name}_q")
            known[value] = builder.add(Dequantize(q, (p.scale,), (p.zero,)), f"{value.name}_dq")

    for value in module.inputs:
        round_(value)
    for node in module.nodes:
        builder.put(Node(node.result, node.op.replace_operands(known), node.loc))
        round_(node.result)
    outputs = tuple(known.get(v, v) for v in module.outputs)
    return Module(module.name, module.inputs, builder.nodes, outputs)
