"""Stages of a row program on their own operands: what each made of what it was given, held against the operator.

The arrays come from a run, of the interpreter or of the C. Each stage's operands are taken from the same run, so that
one layer's error is seen by itself and no rounding before it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tinyc.backends.interpreter.threads import in_one_thread
from tinyc.compiler.verify.gaps import describe, gap
from tinyc.compiler.verify.layers import allowed
from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram
from tinyc.ir.tensor import Array


class Values:
    """The arrays of a program's values, from its inputs and what its stages made.

    Args:
        program: whose values.
        inputs: one array an input.
        results: the whole result of each stage, by its number.
    """

    def __init__(self, program: RowProgram, inputs: Sequence[Array], results: Mapping[int, Array]) -> None:
        self._program = program
        self._arrays: dict[str, Array] = {v.name: a for v, a in zip(program.inputs, inputs, strict=True)}
        for number, stage in enumerate(program.stages):
            if number in results:
                self._arrays[stage.result.name] = results[number].reshape(stage.result.shape)

    def array(self, value: Value, stage: int | None = None) -> Array:
        """The array of a value, computed, constant or a view of others: as a stage finds it, or at the end."""
        before = len(self._program.stages) if stage is None else stage
        return self._raw(value.name, before).view(value.dtype.numpy).reshape(value.shape)

    def _raw(self, name: str, before: int) -> Array:
        """The bytes of a buffer, in the order of its value's elements, before a stage."""
        if name in self._arrays:
            return np.ascontiguousarray(self._arrays[name]).reshape(-1).view(np.uint8)
        buffer = self._program.buffer[name]
        if not buffer.value.type.bytes:
            return np.zeros(0, np.uint8)
        if buffer.data is not None:
            return np.ascontiguousarray(buffer.data.array).reshape(-1).view(np.uint8)
        if buffer.view is not None and buffer.view.repeats > 1:
            rows = self._raw(buffer.view.base, before).reshape(-1, buffer.row_bytes)
            return rows.repeat(buffer.view.repeats, axis=0).reshape(-1)
        if buffer.view is not None:
            return self._raw(buffer.view.base, before)[
                buffer.view.offset : buffer.view.offset + buffer.value.type.bytes
            ]
        whole = np.zeros(buffer.value.type.bytes, np.uint8)  # a whole that stages write in parts
        for stage in self._program.stages[:before]:
            root, offset = self._program.root(stage.result.name)
            if root.name == name:
                raw = self._raw(stage.result.name, before)
                whole[offset : offset + raw.size] = raw
        return whole


@in_one_thread
def first_difference_in_stages(program: RowProgram, inputs: Sequence[Array], results: Mapping[int, Array]) -> str:
    """The first stage whose result is not what its operator makes of the stage's own operands; empty when none is.

    Integers are equal bit for bit, floats but for the rounding of one layer.
    """
    values = Values(program, inputs, results)
    for number in sorted(results):
        stage = program.stages[number]
        operands = [values.array(v, number) for v in stage.op.operands]
        with np.errstate(all="ignore"):
            expected = stage.op.run(operands)
        found = gap(results[number].reshape(expected.shape), expected, stage.where)
        if found.absolute > (allowed(stage.op, operands, found) if expected.dtype.kind == "f" else 0.0):
            return f"layer {number}, {stage.where}: {describe(found)}"
    return ""
