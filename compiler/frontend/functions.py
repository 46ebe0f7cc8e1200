"""Composite ONNX operators, expanded by the definitions (function bodies) that onnx ships for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx import AttributeProto, TensorProto, defs, helper

from tinyc.ir import DType, Value

CONTEXT_DEPENDENT = frozenset({"Attention", "CenterCropPad", "RMSNormalization", "RotaryEmbedding"})
"""Operators without a handler whose definition depends on the operands' types and is made of supported operators."""

_CODES = {
    DType.F32: TensorProto.FLOAT,
    DType.I8: TensorProto.INT8,
    DType.U8: TensorProto.UINT8,
    DType.I16: TensorProto.INT16,
    DType.I32: TensorProto.INT32,
    DType.I64: TensorProto.INT64,
    DType.BOOL: TensorProto.BOOL,
}


def schema_of(op_type: str, opset: int) -> Any:
    """The schema of an operator of ONNX's own domain at an opset (untyped: onnx's stubs leave its functions out);
    None when there is none."""
    try:
        return defs.get_schema(op_type, opset, "")
    except defs.SchemaError:
        return None


def function_body(
    node: onnx.NodeProto, opset: int, operands: Sequence[Value | None] | None
) -> onnx.FunctionProto | None:
    """The definition of a node's operator by other operators, None when there is none.

    Without `operands`, only a definition that does not depend on their types is found.
    """
    schema = schema_of(node.op_type, opset)
    if schema is None:
        return None
    data = None
    if schema.has_function:
        data = schema.get_function_with_opset_version(opset)
    elif schema.has_context_dependent_function and operands is not None:
        types = [_type_proto(v).SerializeToString() for v in operands]
        data = schema.get_context_dependent_function_with_opset_version(opset, node.SerializeToString(), types)
    if not data:
        return None
    function = onnx.FunctionProto()
    function.ParseFromString(data)
    return function


def resolve_references(
    function: onnx.FunctionProto, attributes: Mapping[str, AttributeProto], absent: set[str]
) -> list[onnx.NodeProto]:
    """The body's nodes with attributes taken from the node that is expanded, and absent optional inputs left out."""
    defaults = {a.name: a for a in function.attribute_proto}
    schema = schema_of(function.name, next((o.version for o in function.opset_import), 1))
    if schema is not None:
        defaults |= {n: a.default_value for n, a in schema.attributes.items() if a.default_value.type}
    given = defaults | dict(attributes)
    nodes = []
    for original in function.node:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        del node.attribute[:], node.input[:]
        node.input.extend("" if name in absent else name for name in original.input)
        for attribute in original.attribute:
            if not attribute.ref_attr_name:
                node.attribute.append(attribute)
            elif attribute.ref_attr_name in given:
                taken = AttributeProto()
                taken.CopyFrom(given[attribute.ref_attr_name])
                taken.name = attribute.name
                node.attribute.append(taken)
        nodes.append(node)
    return nodes


def _type_proto(value: Value | None) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(_CODES[value.dtype], value.shape) if value is not None else onnx.TypeProto()
