"""Constants and what is known at import: Constant, Shape, Size, ranges; and any operator on constants alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from tinyc.compiler.frontend.context import SMALL, Context
from tinyc.compiler.frontend.functions import schema_of
from tinyc.compiler.frontend.limits import check_elements
from tinyc.compiler.frontend.model import tensor_array
from tinyc.compiler.frontend.node import OnnxNode, normal_domain
from tinyc.compiler.frontend.registry import onnx_op
from tinyc.ir import Value
from tinyc.ir.tensor import Array

_RANDOM = ("Random", "Bernoulli", "Multinomial")


def is_function(node: onnx.NodeProto, opset: int) -> bool:
    """Whether an operator that ONNX defines gives a function of its inputs: no random numbers, no branches, which
    read other tensors as well."""
    branches = any(a.HasField("g") or a.graphs for a in node.attribute)
    known = normal_domain(node.domain) == "" and schema_of(node.op_type, opset) is not None
    return known and not (node.op_type.startswith(_RANDOM) or branches)


def evaluate_by_reference(proto: onnx.NodeProto, opset: int, arrays: Sequence[Array | None]) -> list[Array]:
    """The outputs of an operator for constant operands, by ONNX's reference implementation.

    Raises `FrontendError` for a result that is too large, and whatever the implementation raises for what is malformed.
    """
    from onnx.reference import ReferenceEvaluator  # takes long, and few models need it

    feeds = {name: array for name, array in zip(proto.input, arrays, strict=True) if array is not None}
    graph = helper.make_graph(
        [proto],
        "constant",
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()],
        [helper.make_value_info(name, onnx.TypeProto()) for name in proto.output if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    _check_results(model, feeds)
    results = ReferenceEvaluator(model).run(None, feeds)
    named = iter(results)
    return [np.asarray(next(named)) if name else np.zeros(0, np.float32) for name in proto.output]


def _check_results(model: onnx.ModelProto, feeds: Mapping[str, Array]) -> None:
    """Raises `FrontendError` when an output will be too large. What the operands' types and small values do not tell,
    its operator has to find out."""
    shaped = onnx.ModelProto()
    shaped.CopyFrom(model)
    small = [numpy_helper.from_array(a, name) for name, a in feeds.items() if a.size <= SMALL and a.dtype != object]
    shaped.graph.initializer.extend(small)
    for info in shape_inference.infer_shapes(shaped, data_prop=True).graph.output:
        dims = info.type.tensor_type.shape.dim
        if all(d.HasField("dim_value") for d in dims):
            check_elements([d.dim_value for d in dims], f'the constant "{info.name}"')


@onnx_op("Constant")
def constant(ctx: Context, node: OnnxNode) -> Value:
    """A constant in any of its spellings."""
    if node.has("value"):
        return ctx.constant(tensor_array(node.attributes["value"].t, f"{node.where}: the value"))
    if node.has("value_float"):
        return ctx.constant(np.asarray(node.number("value_float"), np.float32))
    if node.has("value_floats"):
        return ctx.constant(np.asarray(node.numbers("value_floats"), np.float32))
    if node.has("value_int"):
        return ctx.constant(np.asarray(node.integer("value_int"), np.int64))
    if node.has("value_ints"):
        return ctx.constant(np.asarray(node.integers("value_ints"), np.int64))
    given = ", ".join(node.attributes) or "no value"
    raise node.error(f"a constant given as {given} is not supported (supported: a dense tensor of numbers)")


@onnx_op("ConstantOfShape")
def constant_of_shape(ctx: Context, node: OnnxNode) -> Value:
    """One number, repeated to a shape."""
    shape = ctx.integers(node, node.operand(0), "the shape") or ()
    value = np.zeros(1, np.float32)
    if node.has("value"):
        value = tensor_array(node.attributes["value"].t, f"{node.where}: the value")
    if value.size != 1:
        raise node.error(f"its value has {value.size} elements, not 1")
    check_elements(shape, f"{node.where}: its result")
    return ctx.constant(np.full(shape, value.reshape(()), value.dtype))


@onnx_op("Range")
def number_range(ctx: Context, node: OnnxNode) -> Value:
    """Numbers from start, below limit, by delta."""
    words = ("start", "limit", "delta")
    start, limit, delta = (ctx.known(node, node.operand(k), word).reshape(()) for k, word in enumerate(words))
    if delta == 0:
        raise node.error("delta is 0")
    count = max(0, int(np.ceil((limit.astype(np.float64) - start) / delta)))
    check_elements((count,), f"{node.where}: its result")
    return ctx.constant(start + np.arange(count).astype(start.dtype) * delta, dtype=start.dtype)


@onnx_op("Shape")
def shape(ctx: Context, node: OnnxNode) -> Value:
    """The shape, or a part of it (from opset 15)."""
    whole = node.operand(0).shape
    return ctx.constant(np.asarray(whole[node.integer("start", 0) : node.integer("end", len(whole))], np.int64))


@onnx_op("Size")
def size(ctx: Context, node: OnnxNode) -> Value:
    """The number of elements."""
    return ctx.constant(np.asarray(node.operand(0).type.size, np.int64))


@onnx_op("If")
def branch(ctx: Context, node: OnnxNode) -> Sequence[Value]:
    """The branch that a constant condition takes; exporters leave such conditions on shapes."""
    taken = ctx.known(node, node.operand(0), "the condition")
    return ctx.nested(node.graph("then_branch" if bool(taken.reshape(())) else "else_branch"), node.scope)
