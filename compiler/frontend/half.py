"""float16 and bfloat16 become float32, which holds each of their values: weights, interfaces, attributes.

The model is rewritten as a whole, so that what is imported is what the reference runs. The numbers differ from those
of the file in one way: intermediate results are no longer rounded to 11 bits (or 8), nor to infinity beyond 65504.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto

from tinyc.compiler.frontend.errors import FrontendError
from tinyc.compiler.frontend.model import real_inputs
from tinyc.compiler.frontend.node import node_loc
from tinyc.compiler.frontend.order import branches
from tinyc.ir.tensor import Array


def _from_float16(bits: Array) -> Array:
    return bits.view(np.float16).astype(np.float32)


def _from_bfloat16(bits: Array) -> Array:
    """bfloat16 is the upper half of float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


_WIDEN: dict[int, Callable[[Array], Array]] = {
    TensorProto.FLOAT16: _from_float16,
    TensorProto.BFLOAT16: _from_bfloat16,
}
_NAMES = {TensorProto.FLOAT16: "float16", TensorProto.BFLOAT16: "bfloat16"}
_TYPE_ATTRIBUTES = frozenset(
    {"dtype", "output_datatype", "output_dtype", "precision", "softmax_precision", "stash_type", "to"}
)
"""The integer attributes of ONNX's and onnxruntime's operators whose value is the number of an element type."""


def widen_halves(model: onnx.ModelProto) -> tuple[str, ...]:
    """Widens all there is of float16 and bfloat16 in a model without local functions, in place.

    Returns:
        What there is to say of it: nothing for a model without such, one line otherwise.

    Raises:
        FrontendError: a tensor is malformed, or a node asks for the bits of such a number.
    """
    seen = set(_widen_graph(model.graph))
    if not seen:
        return ()
    ports = [p for p in (*real_inputs(model), *model.graph.output) if p.name in seen]
    kinds = " and ".join(name for code, name in _NAMES.items() if code in seen)
    taken = f", {', '.join(dict.fromkeys(p.name for p in ports))} as well" if ports else ""
    return (f"{kinds} became float32 at import{taken}; results in between are not rounded to {kinds}",)


def _widen_graph(graph: onnx.GraphProto) -> Iterator[int | str]:
    """Widens a graph; gives the element types that it found, and the names of its inputs and outputs of such."""
    for tensor in graph.initializer:
        yield from _widen_tensor(tensor, f'the initialiser "{tensor.name}"')
    for sparse in graph.sparse_initializer:
        yield from _widen_tensor(sparse.values, f'the initialiser "{sparse.values.name}"')
    for info in (*graph.input, *graph.output):
        found = list(_widen_type(info.type))
        yield from found
        yield from [info.name] if found else []
    for info in graph.value_info:
        yield from _widen_type(info.type)
    for index, node in enumerate(graph.node):
        yield from _widen_node(node, f"node {node_loc(node, index)} ({node.op_type})")


def _widen_node(node: onnx.NodeProto, where: str) -> Iterator[int | str]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.INT and attribute.name in _TYPE_ATTRIBUTES and attribute.i in _WIDEN:
            if node.op_type == "BitCast":
                raise FrontendError(f"{where}: the bits of a {_NAMES[attribute.i]} number are not supported")
            yield attribute.i
            attribute.i = TensorProto.FLOAT
        for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
            yield from _widen_tensor(tensor, f"{where}: its attribute {attribute.name}")
    for graph in branches(node):
        yield from _codes(_widen_graph(graph))


def _codes(found: Iterable[int | str]) -> Iterator[int]:
    """Of what was found in a branch, the element types: its inputs and outputs are not the model's."""
    yield from (code for code in found if isinstance(code, int))


def _widen_type(kind: onnx.TypeProto) -> Iterator[int]:
    """Widens a type, whatever it is made of."""
    for name in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(kind, name)
        if kind.HasField(name) and tensor.elem_type in _WIDEN:
            yield tensor.elem_type
            tensor.elem_type = TensorProto.FLOAT
    for name in ("sequence_type", "optional_type"):
        if kind.HasField(name):
            yield from _widen_type(getattr(kind, name).elem_type)


def _widen_tensor(tensor: TensorProto, what: str) -> Iterator[int]:
    widen = _WIDEN.get(tensor.data_type)
    if widen is None:
        return
    yield tensor.data_type
    # Numbers of 16 bits lie in raw_data, or one each in the lower half of an int32.
    bits = np.frombuffer(tensor.raw_data, "<u2") if tensor.HasField("raw_data") else np.asarray(tensor.int32_data)
    if bits.size != np.prod(tensor.dims, dtype=np.float64):
        raise FrontendError(f"{what} is malformed: {bits.size} elements do not fill the shape {list(tensor.dims)}")
    wide = widen(np.ascontiguousarray(bits.astype(np.uint16)))
    tensor.ClearField("int32_data")
    tensor.data_type = TensorProto.FLOAT
    tensor.raw_data = wide.astype("<f4", copy=False).tobytes()
