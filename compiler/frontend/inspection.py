"""What `tinyc inspect` shows: a model's operators, shapes and parameters, supported or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from tinyc.compiler.frontend.importer import count_parameters
from tinyc.compiler.frontend.model import Dims, declared_shape, real_inputs, type_name
from tinyc.compiler.frontend.node import operator_name
from tinyc.compiler.frontend.old_opsets import declared_opset
from tinyc.compiler.frontend.opset import check_opset
from tinyc.compiler.frontend.support import Unsupported, live_nodes, unsupported_nodes


@dataclass(frozen=True)
class Tensorlike:
    """An input or output as the model declares it. A dimension is a number or the name of an open one; the shape is
    None when none is declared."""

    name: str
    shape: Dims | None
    dtype: str


@dataclass(frozen=True)
class Inspection:
    """A model at a glance. `opset` is that of ONNX's own operators, 0 where none is declared. `operators` counts
    the nodes that the outputs need, by operator; `nodes` counts all."""

    opset: int
    ir_version: int
    producer: str
    nodes: int
    operators: Mapping[str, int]
    inputs: tuple[Tensorlike, ...]
    outputs: tuple[Tensorlike, ...]
    parameters: int
    unsupported: tuple[Unsupported, ...]


def inspect_model(model: onnx.ModelProto) -> Inspection:
    """The inspection of a model that was read."""
    check_opset(model)
    opset = declared_opset(model)
    operators = Counter(operator_name(node) for _, node in live_nodes(model.graph))
    return Inspection(
        opset=opset,
        ir_version=int(model.ir_version),
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))),
        nodes=len(model.graph.node),
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        inputs=tuple(_tensorlike(i) for i in real_inputs(model)),
        outputs=tuple(_tensorlike(o) for o in model.graph.output),
        parameters=count_parameters(model),
        unsupported=tuple(unsupported_nodes(model.graph, opset)),
    )


def _tensorlike(info: onnx.ValueInfoProto) -> Tensorlike:
    dtype = type_name(info.type.tensor_type.elem_type) if info.type.HasField("tensor_type") else "not a tensor"
    return Tensorlike(info.name, declared_shape(info), dtype)
