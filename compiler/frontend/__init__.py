"""The ONNX frontend: an ONNX file becomes a module of the tensor IR.

Many ONNX operators become few tinyc operators. Channel-first operators come out as channel-last ones between
transposes; a later pass cancels these. Shape arithmetic does not survive the import.

The module's outputs are the values themselves: an output may be an input, a constant, or the same value as another
output. Passes may bring this about in any module, so those who write outputs have to copy in these cases anyway, and
the frontend adds nothing to avoid them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import onnx

# Importing a module of handlers fills the table.
from tinyc.compiler.frontend import (  # noqa: F401
    activation,
    along,
    constants,
    conv,
    conv_transpose,
    einsum,
    elementwise,
    grid_sample,
    indexing,
    linear,
    movement,
    normalise,
    pad,
    pool,
    quantised,
    quantised_forms,
    quantised_integers,
    recurrent,
    reduce,
    resize,
    scatter,
)
from tinyc.compiler.frontend.errors import BatchError, FrontendError
from tinyc.compiler.frontend.half import widen_halves
from tinyc.compiler.frontend.importer import LAYOUTS, Importer, count_parameters
from tinyc.compiler.frontend.inspection import Inspection, inspect_model
from tinyc.compiler.frontend.model import declared_shape, read_model, spell_shape
from tinyc.compiler.frontend.opset import check_operators
from tinyc.compiler.frontend.shapes import batch_advice, set_input_shapes
from tinyc.compiler.frontend.source import ModelLike, model_stem, short_name
from tinyc.compiler.frontend.unsigned16 import shift_unsigned
from tinyc.ir import Module, TensorType, TinycError, Value

__all__ = ["FrontendError", "Imported", "Inspection", "ModelLike", "Port", "inspect_onnx", "load_onnx", "model_stem"]


@dataclass(frozen=True)
class Port:
    """One input or output of the model as the user knows it.

    `name` and `onnx_shape` are those of the ONNX model, `value` is the module's. `perm` is how an array for the ONNX
    model is transposed to get the module's; None when it is taken as it is.
    """

    name: str
    value: Value
    onnx_shape: tuple[int, ...]
    perm: tuple[int, ...] | None


@dataclass(frozen=True)
class Imported:
    """A module and where it came from.

    `parameters` counts the elements of floating-point initialisers and constants as they are in the file. `tensors`
    has, for ONNX tensors, the value that holds exactly that tensor (same shape and layout). `model` is what was
    imported, for a reference to run: concrete input shapes, nodes in order, halves widened to float32. `nodes` counts
    all nodes of the ONNX graph. `notes` tell a user what the import changed, a line each.
    """

    module: Module
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    parameters: int
    tensors: Mapping[str, Value]
    model: onnx.ModelProto
    nodes: int
    opset: int
    producer: str
    notes: tuple[str, ...] = ()


def load_onnx(
    source: ModelLike,
    *,
    input_shapes: Mapping[str, Sequence[int]] = {},
    input_layout: Literal["onnx", "nhwc", "nlc"] = "onnx",
    output_layout: Literal["onnx", "nhwc", "nlc"] = "onnx",
    name: str | None = None,
) -> Imported:
    """Imports an ONNX model.

    Args:
        source: its file, beside which external data is looked for; the content of one; or a model in memory.
        input_shapes: shapes of inputs whose dimensions the model leaves open, or that are to have another batch than
            it declares. An open first dimension is the batch and becomes 1 if not given.
        input_layout: "nhwc" makes every input of 4 dimensions channel-last, as cameras have it, and "nlc" every one of
            3 dimensions, as buffers of signals have it: sample after sample, each with its channels.
        output_layout: the same for outputs.
        name: of the module; from the file's name if not given.

    Raises:
        FrontendError: with one message that says what to do.
    """
    for side, layout in (("input", input_layout), ("output", output_layout)):
        if layout not in LAYOUTS:
            raise FrontendError(f'the {side} layout "{layout}" is not one of {", ".join(LAYOUTS)}')
    model = read_model(source)
    opset = check_operators(model, short_name(source))
    parameters = count_parameters(model)
    nodes = len(model.graph.node)
    halves = widen_halves(model)
    shift_unsigned(model)
    rebatched = set_input_shapes(model, input_shapes, opset)
    importer = Importer(model, opset, name or model_stem(source), LAYOUTS[input_layout], LAYOUTS[output_layout])
    try:
        module, tensors = importer.run()
    except BatchError as error:
        raise FrontendError(f"{error}: {batch_advice(model)}") from error
    except FrontendError:
        raise
    except TinycError as error:
        raise FrontendError(f"{short_name(source)}: {error}") from error
    inputs = tuple(_port(v.name, v, input_layout) for v in module.inputs)
    outputs = tuple(_port(o.name, v, output_layout) for o, v in zip(model.graph.output, module.outputs, strict=True))
    if rebatched:
        _check_outputs(model, outputs)
    batches = (f"{importer.by_sample}, one sample after another; {batch_advice(model)}",) if importer.by_sample else ()
    return Imported(
        module=module,
        inputs=inputs,
        outputs=outputs,
        parameters=parameters,
        tensors=tensors,
        model=model,
        nodes=nodes,
        opset=opset,
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))),
        notes=halves + rebatched + batches,
    )


def _port(name: str, value: Value, layout: str) -> Port:
    """An input or output in the layout that was asked for."""
    perm = LAYOUTS[layout].get(value.type.rank)
    shape = value.shape if perm is None else tuple(value.shape[perm.index(d)] for d in range(len(perm)))
    return Port(name, value, shape, perm)


def _check_outputs(model: onnx.ModelProto, outputs: Sequence[Port]) -> None:
    """Raises `FrontendError` when an output has not the shape that follows from another batch."""
    for info, port in zip(model.graph.output, outputs, strict=True):
        declared = declared_shape(info)
        if declared is not None and declared != port.onnx_shape:
            raise FrontendError(
                f'the output "{info.name}" is {TensorType(port.onnx_shape, port.value.dtype)}, which does not follow '
                f"the batch of the inputs (it should be {spell_shape(declared)}): export the model with this batch"
            )


def inspect_onnx(source: ModelLike) -> Inspection:
    """What an ONNX model holds, and which of it tinyc cannot import. Raises `FrontendError` for an unreadable one."""
    return inspect_model(read_model(source))
