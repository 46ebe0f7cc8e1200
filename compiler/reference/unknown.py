"""Models with operators that no reference knows: of domains that are neither ONNX's nor onnxruntime's own.

A reference runs such a model without these operators: what they give is an input to it, and is taken from the imported
module. So all else is compared as ever, and how these operators were imported is compared with nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import onnx
from onnx import defs, helper

from tinyc.backends.interpreter import run_module
from tinyc.compiler.frontend import Imported
from tinyc.compiler.frontend.node import normal_domain, operator_name
from tinyc.compiler.frontend.order import mentioned
from tinyc.compiler.frontend.registry import MICROSOFT
from tinyc.compiler.frontend.support import live_nodes
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array

KNOWN = {MICROSOFT, *(schema.domain for schema in defs.get_all_schemas())}
"""Domains that a reference may know the operators of."""


class Unknown:
    """What of a model no reference knows.

    Args:
        imported: the model.
    """

    def __init__(self, imported: Imported) -> None:
        self._imported = imported
        live = [node for _, node in live_nodes(imported.model.graph)]
        unknown = [node for node in live if normal_domain(node.domain) not in KNOWN]
        self._known = [node for node in live if normal_domain(node.domain) in KNOWN]
        self.operators = tuple(dict.fromkeys(map(operator_name, unknown)))
        """As `operator_name` spells them."""
        needed = {*mentioned(self._known), *(o.name for o in imported.model.graph.output)}
        self._values = {
            name: imported.tensors[name]
            for node in unknown
            for name in node.output
            if name in needed and name in imported.tensors
        }

    @cached_property
    def model(self) -> onnx.ModelProto:
        """The model without what is unknown; the model itself where nothing is."""
        whole = self._imported.model
        if not self.operators:
            return whole
        model = onnx.ModelProto()
        model.CopyFrom(whole)
        del model.graph.node[:]
        model.graph.node.extend(self._known)
        for name, value in self._values.items():
            kind = helper.np_dtype_to_tensor_dtype(value.dtype.numpy)
            model.graph.input.append(helper.make_tensor_value_info(name, kind, value.shape))
        return model

    def feeds(self, inputs: Sequence[Array]) -> Mapping[str, Array]:
        """What the unknown operators give, by the names of the model's tensors, for inputs as the module takes them."""
        if not self._values:
            return {}
        module = self._imported.module
        arrays: dict[Value, Array] = dict(zip(module.inputs, inputs, strict=True))
        run_module(module, inputs, lambda value, array: arrays.update({value: array}))
        return {name: arrays[value] for name, value in self._values.items()}
