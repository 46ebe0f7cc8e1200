"""Where a stage's operands lie, as far as a library cares."""

from __future__ import annotations

import numpy as np

from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram, Space, Stage
from tinyc.ir.tensor import Array

VECTOR = 16
"""Bytes of a vector."""


def constant(program: RowProgram, value: Value) -> Array | None:
    """The array of a value that is a constant, or a part of one."""
    root, offset = program.root(value.name)
    if root.data is None:
        return None
    raw = root.data.array.tobytes()[offset : offset + value.type.bytes]
    return np.frombuffer(raw, value.dtype.numpy).reshape(value.shape)


def is_aligned(program: RowProgram, value: Value, whole: bool) -> bool:
    """Whether a value, or each of its rows, begins at a multiple of a vector, once the arena's buffers do.

    Constants do. Of memory that the caller owns nobody knows.
    """
    root, offset = program.root(value.name)
    if root.space is not Space.ARENA:
        return root.space is Space.CONSTANT
    steps = [offset] if whole else [offset, root.row_bytes, program.buffer[value.name].row_bytes]
    return all(step % VECTOR == 0 for step in steps)


def in_place(program: RowProgram, stage: Stage) -> bool:
    """Whether the result lies over an operand."""
    home, start = program.root(stage.result.name)
    for value in stage.op.operands:
        root, at = program.root(value.name)
        if root is home and at < start + stage.result.type.bytes and start < at + value.type.bytes:
            return True
    return False
