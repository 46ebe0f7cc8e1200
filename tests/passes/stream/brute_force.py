"""What a schedule means for memory, step by step: an account by bytes that shares nothing with what it checks."""

from __future__ import annotations

import numpy as np

from tinyc.ir.rows import Buffer, RowProgram, Space
from tinyc.ir.rows.replay import Access, Tagged, accesses, place

__all__ = ["Tagged", "base_row", "peak_by_bytes"]


def peak_by_bytes(program: RowProgram) -> int:
    """The most bytes alive at one time.

    A byte is alive from the step that touches it first to the one that touches it last; what lies in the arena as an
    input, from the beginning. In a ring, each row that has its turn in one place is by itself.
    """
    first: dict[tuple[str, int, int], int] = {}
    last: dict[tuple[str, int, int], int] = {}

    def touch(root: Buffer, turn: int, start: int, stop: int, now: int) -> None:
        for byte in range(start, stop):
            further = byte // root.row_bytes - start // root.row_bytes if root.ring else 0
            key = (root.name, turn + further, byte)
            first.setdefault(key, now)
            last[key] = now

    now = 0
    for value in program.inputs:
        root = program.buffer[value.name]
        if root.space is Space.ARENA:
            touch(root, 0, 0, root.bytes, now)
    for now, step in enumerate(program.schedule(), 1):
        for access in accesses(program, step):
            root, start, stop = place(program, access)
            if root.space is Space.ARENA:
                touch(root, base_row(program, access) if root.ring else 0, start, stop, now)
    change = np.zeros(now + 2, np.int64)
    for key, since in first.items():
        change[since] += 1
        change[last[key] + 1] -= 1
    return int(np.cumsum(change).max(initial=0))


def base_row(program: RowProgram, access: Access) -> int:
    """The row of the memory, a ring, that an access touches, before it is counted modulo the ring."""
    buffer = program.buffer[access.name]
    byte = access.row * buffer.row_bytes
    while buffer.view is not None:
        base, row = program.buffer[buffer.view.base], byte // buffer.row_bytes
        if buffer.view.follows is not None:
            stride, pad = buffer.view.follows
            byte += (row * stride - pad) * base.row_bytes - row * buffer.row_bytes
        byte -= (row - row // buffer.view.repeats) * base.row_bytes if buffer.view.repeats > 1 else 0
        buffer = base
    return byte // buffer.row_bytes
