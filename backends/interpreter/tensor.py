"""The tensor level: evaluate node after node."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyc.backends.interpreter.threads import in_one_thread
from tinyc.ir.errors import IRError
from tinyc.ir.module import Module
from tinyc.ir.op import Value
from tinyc.ir.tensor import Array

Watch = Callable[[Value, Array], None]


def check_inputs(expected: Sequence[Value], arrays: Sequence[Array]) -> None:
    """Raises `IRError` naming the input whose array has another shape or element type than the module takes."""
    if len(expected) != len(arrays):
        raise IRError(f"takes {len(expected)} input(s), {len(arrays)} given")
    for value, array in zip(expected, arrays, strict=True):
        if array.shape != value.shape or array.dtype != value.dtype.numpy:
            raise IRError(f"input {value} is {value.type}, given {array.dtype}{list(array.shape)}")


@in_one_thread
def run_module(module: Module, inputs: Sequence[Array], watch: Watch | None = None) -> list[Array]:
    """The outputs of a module for these inputs, both in the module's order.

    Args:
        module: what to run.
        inputs: one array an input, of exactly its shape and element type.
        watch: called with every value and its array as it is computed.

    Raises:
        IRError: the inputs do not fit the module.
    """
    check_inputs(module.inputs, inputs)
    known: dict[Value, Array] = dict(zip(module.inputs, inputs, strict=True))
    left = {value: len(users) for value, users in module.users.items()}
    keep = set(module.outputs)
    for node in module.nodes:
        with np.errstate(all="ignore"):
            result = node.op.run([known[v] for v in node.op.operands])
        known[node.result] = result
        if watch is not None:
            watch(node.result, result)
        for value in dict.fromkeys(node.op.operands):
            left[value] -= 1
            if not left[value] and value not in keep:
                del known[value]
    return [known[v] for v in module.outputs]
