"""The biases of quantised layers, and modules with others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tinyc.ir.module import Builder, Module, Node, made, remove_dead
from tinyc.ir.op import Value
from tinyc.ir.ops.layer import LinearLayer
from tinyc.ir.ops.quantise import Dequantize
from tinyc.ir.tensor import Array


def sum_scales(module: Module, node: Node) -> Array | None:
    """The scales of a layer's int32 sums; None where operand or weights are not dequantised, or weights asymmetric."""
    found = [module.made(v, Dequantize) for v in node.op.operands[:2]]
    ops = [f.op for f in found if f is not None]
    if len(ops) != 2 or not ops[0].whole() or any(ops[1].zero):
        return None
    channels = node.result.shape[-1]
    return np.broadcast_to(np.float64(ops[0].scale[0]) * np.array(ops[1].scale, np.float64), (channels,))


def real_bias(module: Module, node: Node) -> Array:
    """The bias that the quantised layer computes with: float32 numbers, in float64. What is large is further from its
    integers times their scale than half a unit."""
    if len(node.op.operands) < 3:
        return np.zeros(node.result.shape[-1])
    scaled = module.made(node.op.operands[2], Dequantize)
    if scaled is None:
        array = module.constant(node.op.operands[2])
        assert array is not None
        return array.astype(np.float64)
    q = module.constant(scaled.op.x)
    assert q is not None
    return scaled.op.run([q]).astype(np.float64)


def integer_bias(module: Module, node: Node) -> Array | None:
    """The same in units of the sums, in float64; None where it is not integers."""
    if len(node.op.operands) < 3:
        return np.zeros(node.result.shape[-1])
    scaled = module.made(node.op.operands[2], Dequantize)
    q = module.constant(scaled.op.x) if scaled is not None and not any(scaled.op.zero) else None
    return q.astype(np.float64) if q is not None else None


def dequantised(q: Value, scales: Array) -> Dequantize:
    """int32 biases in real numbers."""
    return Dequantize(q, tuple(float(s) for s in scales), (0,) * len(scales), 0)


def with_biases(module: Module, biases: Mapping[Value, Array]) -> Module:
    """The module with these int32 biases."""
    builder = Builder.within(module)
    for node in module.nodes:
        op, layer = node.op, made(node, LinearLayer)
        if layer is not None and node.result in biases:
            scales = sum_scales(module, node)
            assert scales is not None
            q = builder.constant(biases[node.result], f"{node.result.name}_bias_q", node.loc)
            bias = builder.add(dequantised(q, scales), f"{node.result.name}_bias", node.loc)
            op = layer.op.with_weights(layer.op.w, bias)
        builder.put(Node(node.result, op, node.loc))
    return remove_dead(Module(module.name, module.inputs, builder.nodes, module.outputs))
