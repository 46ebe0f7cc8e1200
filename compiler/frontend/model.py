"""Reading and checking an ONNX file before anything is imported: bytes, opset, input shapes and element types."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]
from onnx import TensorProto, defs, external_data_helper, inliner, numpy_helper

from tinyc.compiler.files import reason, shown
from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.node import normal_domain
from tinyc.ir import DType
from tinyc.ir.tensor import Array

OLDEST_OPSET = 7
"""The first opset with numpy broadcasting."""

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
_ADVICE: dict[int, str] = {
    TensorProto.FLOAT16: "export the model in float32; tinyc makes it smaller itself, by quantising",
    TensorProto.BFLOAT16: "export the model in float32; tinyc makes it smaller itself, by quantising",
    TensorProto.DOUBLE: "export the model in float32, for example after model.float() in PyTorch",
    TensorProto.STRING: "leave the processing of text to the application, and export the model without it",
}


def read_model(path: str | os.PathLike[str]) -> onnx.ModelProto:
    """Reads a model with its external data, its local functions inlined. Raises `FrontendError`."""
    file = Path(path)
    try:
        if os.path.isdir(file):
            raise FrontendError(f"{shown(file)} is a directory, not an ONNX file")
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        raise FrontendError(f"{shown(file)} cannot be read: {reason(error)}") from None
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise FrontendError(f"{file} is not an ONNX file, or is truncated") from None
    if not _is_text(model):
        raise FrontendError(f"{file} is not an ONNX file, or is damaged: it has a name that is not UTF-8")
    if not model.HasField("graph") or not model.opset_import:
        lacks = "opset" if model.HasField("graph") else "graph"
        raise FrontendError(f"{file} is not an ONNX file, or is truncated: it has no {lacks}")
    if not model.graph.output:
        raise FrontendError(f"{file}: the graph has no outputs, so there is nothing to compile")
    model_opset(model)
    try:
        external_data_helper.load_external_data_for_model(model, str(file.parent))
    except Exception as error:  # onnx raises many kinds here
        raise FrontendError(f"{file}: its external data cannot be read: {_one_line(error)}") from None
    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # whatever the C++ code of onnx raises
        raise FrontendError(f"{file}: its local functions cannot be inlined: {_one_line(error)}") from None


def model_opset(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators. Raises `FrontendError` when it is missing, too old or too new."""
    versions = [int(o.version) for o in model.opset_import if normal_domain(o.domain) == ""]
    newest = defs.onnx_opset_version()
    if not versions:
        raise FrontendError("the model declares no opset of ONNX's own operators")
    if versions[0] < OLDEST_OPSET:
        raise FrontendError(
            f"opset {versions[0]} is too old: tinyc takes {OLDEST_OPSET} to {newest}; "
            f"export the model again, or convert it with onnx.version_converter.convert_version"
        )
    if versions[0] > newest:
        raise FrontendError(
            f"opset {versions[0]} is newer than the installed onnx {onnx.__version__} knows ({newest}): "
            f"upgrade onnx, or export the model with an older opset"
        )
    return versions[0]


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
    """The array of an initialiser or of a tensor attribute. Raises `FrontendError`."""
    element_type(tensor.data_type, what)
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # malformed data shows in many ways
        raise FrontendError(f"{what} is malformed: {_one_line(error)}") from None


def input_dtype(info: onnx.ValueInfoProto) -> DType:
    """The element type of an input. Raises `FrontendError`."""
    if not info.type.HasField("tensor_type"):
        kind = info.type.WhichOneof("value") or "value without a type"
        raise FrontendError(f'input "{info.name}" is a {kind}, not a tensor')
    return element_type(info.type.tensor_type.elem_type, f'input "{info.name}"')


def with_input_shapes(model: onnx.ModelProto, given: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
    """The model with every dimension of its inputs a number.

    A shape in `given` binds the names of the dimensions it fills. What is still unknown in first place is the batch
    and becomes 1. Raises `FrontendError` for dimensions that stay unknown, and for given shapes that do not fit.
    """
    inputs = real_inputs(model)
    _check_given(inputs, given)
    symbols: dict[str, int] = {}
    for info in inputs:
        for dim, size in zip(declared_shape(info) or (), given.get(info.name, ()), strict=False):
            if isinstance(dim, str) and dim != "?" and symbols.setdefault(dim, size) != size:
                raise FrontendError(f'dimension "{dim}" is given as {symbols[dim]} and as {size} (input "{info.name}")')
    for info in inputs:
        first = (declared_shape(info) or (1,))[0:1]
        if first and isinstance(first[0], str) and first[0] != "?" and info.name not in given:
            symbols.setdefault(first[0], 1)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    unknown: list[str] = []
    for info in real_inputs(result):
        shape = _resolve(info, given, symbols)
        if not all(isinstance(d, int) for d in shape):
            unknown.append(_ask_for(info, shape))
            continue
        target = info.type.tensor_type.shape
        del target.dim[:]
        for number in shape:
            target.dim.add().dim_value = int(number)
    if unknown:
        raise FrontendError("; ".join(unknown))
    return result


def _check_given(inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, Sequence[int]]) -> None:
    names = [i.name for i in inputs]
    for name, shape in given.items():
        if name not in names:
            raise FrontendError(f'there is no input "{name}" to give a shape (inputs: {", ".join(names) or "none"})')
        if any(d < 1 for d in shape):
            raise FrontendError(f'the shape {_spell(shape)} for input "{name}" has a dimension below 1')
        declared = declared_shape(inputs[names.index(name)])
        if declared is None:
            continue
        if len(declared) != len(shape) or any(
            d != s for d, s in zip(declared, shape, strict=True) if isinstance(d, int)
        ):
            stated = f'input "{name}", which the model declares as {_spell(declared)}'
            raise FrontendError(f"the shape {_spell(shape)} does not fit {stated}")


def _resolve(info: onnx.ValueInfoProto, given: Mapping[str, Sequence[int]], symbols: Mapping[str, int]) -> Dims:
    input_dtype(info)
    if info.name in given:
        return tuple(int(d) for d in given[info.name])
    declared = declared_shape(info)
    if declared is None:
        raise FrontendError(
            f'input "{info.name}" declares no shape: give it by `input_shapes={{"{info.name}": (1, ...)}}`'
        )
    batch = tuple(1 if k == 0 and d == "?" else d for k, d in enumerate(declared))
    return tuple(symbols.get(d, d) if isinstance(d, str) else d for d in batch)


def _ask_for(info: onnx.ValueInfoProto, shape: Dims) -> str:
    missing = ", ".join(f"{k} ({d})" for k, d in enumerate(shape) if isinstance(d, str))
    example = ", ".join(f"<{d}>" if isinstance(d, str) else str(d) for d in shape)
    return (
        f'input "{info.name}" has the shape {_spell(shape)}; give a size to dimension {missing} '
        f'by `input_shapes={{"{info.name}": ({example})}}`'
    )


def _spell(shape: Sequence[int | str]) -> str:
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
