"""Reading an ONNX file before anything is imported, and what its tensors are: names, shapes and element types."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import TensorProto, inliner, numpy_helper

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.limits import check_elements
from tinyc.compiler.frontend.old_opsets import modernised
from tinyc.compiler.frontend.order import sort_model
from tinyc.compiler.frontend.source import ModelLike, full_name, load_external_data, parse_model
from tinyc.ir import DType
from tinyc.ir.tensor import Array

Dims = tuple[int | str, ...]
"""A shape as the model states it: numbers, and names of unknown dimensions ("?" for one without a name)."""

_DTYPES: dict[int, DType] = {
    TensorProto.FLOAT: DType.F32,
    TensorProto.INT8: DType.I8,
    TensorProto.UINT8: DType.U8,
    TensorProto.INT16: DType.I16,
    TensorProto.INT32: DType.I32,
    TensorProto.INT64: DType.I64,
    TensorProto.BOOL: DType.BOOL,
}
_WIDENED: dict[int, DType] = {TensorProto.INT4: DType.I8, TensorProto.UINT4: DType.U8}
"""Element types that constants may have, and what holds their numbers."""
_ADVICE: dict[int, str] = {
    TensorProto.DOUBLE: "export the model in float32, for example after model.float() in PyTorch",
    TensorProto.STRING: "leave the processing of text to the application, and export the model without it",
}


def read_model(source: ModelLike) -> onnx.ModelProto:
    """Reads a model with its external data, its nodes in order, its operators no older than `OLDEST_OPSET`, and its
    local functions inlined.

    Raises `FrontendError`.
    """
    file = full_name(source)
    model = parse_model(source)
    if not _is_text(model):
        raise FrontendError(f"{file} is not an ONNX file, or is damaged: it has a name that is not UTF-8")
    if not model.HasField("graph") or not model.opset_import:
        lacks = "opset" if model.HasField("graph") else "graph"
        raise FrontendError(f"{file} is not an ONNX file, or is truncated: it has no {lacks}")
    if not model.graph.output:
        raise FrontendError(f"{file}: the graph has no outputs, so there is nothing to compile")
    if model.ir_version > onnx.IR_VERSION:
        raise FrontendError(
            f"{file} has IR version {model.ir_version}, newer than the installed onnx {onnx.__version__} knows "
            f"({onnx.IR_VERSION}): upgrade onnx, or export the model with an older one"
        )
    if model.ir_version < 1:  # left out: nothing in the format depends on it, but readers insist on one
        model.ir_version = 8
    for tensor in model.graph.initializer:
        check_elements(tensor.dims, f'{file}: the initialiser "{tensor.name}"')
    load_external_data(model, source)
    sort_model(model)
    model = modernised(model, file)
    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # whatever the C++ code of onnx raises
        raise FrontendError(f"{file}: its local functions cannot be inlined: {_one_line(error)}") from None


def real_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The inputs a user feeds: those with no initialiser (before IR version 4, initialisers were listed as inputs)."""
    constants = {i.name for i in model.graph.initializer} | {i.values.name for i in model.graph.sparse_initializer}
    return [i for i in model.graph.input if i.name not in constants]


def declared_shape(info: onnx.ValueInfoProto) -> Dims | None:
    """The shape an input or output declares; None when it declares none or is no tensor."""
    if not info.type.HasField("tensor_type") or not info.type.tensor_type.HasField("shape"):
        return None
    dims = info.type.tensor_type.shape.dim
    return tuple(int(d.dim_value) if d.dim_value > 0 else str(d.dim_param) or "?" for d in dims)


def element_type(code: int, what: str) -> DType:
    """The element type for ONNX's number. Raises `FrontendError` with advice for one the IR does not have."""
    found = _DTYPES.get(code)
    if found is None:
        name = type_name(code)
        advice = _ADVICE.get(code, f"tinyc takes {', '.join(type_name(c) for c in _DTYPES)}")
        raise FrontendError(f"{what} has the element type {name}, which is not supported: {advice}")
    return found


def type_name(code: int) -> str:
    """ONNX's name of an element type, in small letters."""
    known = code in TensorProto.DataType.values()
    return str(TensorProto.DataType.Name(code)).lower() if known else f"number {code}"


def tensor_array(tensor: TensorProto, what: str) -> Array:
    """The array of an initialiser or of a tensor attribute; integers of 4 bits in 8. Raises `FrontendError`."""
    wide = _WIDENED.get(tensor.data_type)
    if wide is None:
        element_type(tensor.data_type, what)
    try:
        array = numpy_helper.to_array(tensor)
        return array if wide is None else array.astype(wide.numpy)
    except Exception as error:  # malformed data shows in many ways
        raise FrontendError(f"{what} is malformed: {_one_line(error)}") from None


def input_dtype(info: onnx.ValueInfoProto) -> DType:
    """The element type of an input. Raises `FrontendError`."""
    if not info.type.HasField("tensor_type"):
        kind = info.type.WhichOneof("value") or "value without a type"
        raise FrontendError(f'input "{info.name}" is a {kind}, not a tensor')
    return element_type(info.type.tensor_type.elem_type, f'input "{info.name}"')


def spell_shape(shape: Sequence[int | str]) -> str:
    """A shape for people."""
    return "[" + ", ".join(map(str, shape)) + "]"


def _is_text(message: Message) -> bool:
    """Whether every string is one: protobuf gives damaged ones as bytes."""
    for field, value in message.ListFields():
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        for item in (value,) if isinstance(value, str | bytes | Message) else value:
            if isinstance(item, bytes) or (isinstance(item, Message) and not _is_text(item)):
                return False
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
