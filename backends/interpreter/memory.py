"""The bytes that a row program runs on: the planned arenas, and what lies outside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.op import Value
from tinyc.ir.rows import RowProgram, Slot, Space
from tinyc.ir.tensor import Array
from tinyc.ir.types import TensorType

Bytes = NDArray[np.uint8]


class Memory:
    """The bytes of one run: the arenas (or, without a plan, a block a buffer), inputs, outputs and constants."""

    def __init__(self, program: RowProgram, inputs: Sequence[Array], seed: int = 0) -> None:
        self._program = program
        self._random = np.random.default_rng(seed)
        self._blocks: dict[str, Bytes] = {}
        plan = program.plan
        self.arenas = [self._garbage(plan.room(external) if plan else 0) for external in (False, True)]
        given = {v.name: a for v, a in zip(program.inputs, inputs, strict=True)}
        for buffer in program.buffers:
            if buffer.view is not None:
                continue
            if buffer.space in (Space.INPUT, Space.ROWS) and buffer.name in given:
                self._blocks[buffer.name] = _bytes(given[buffer.name])
            elif buffer.data is not None:
                self._blocks[buffer.name] = _bytes(buffer.data.array)
            elif buffer.space is Space.ARENA and plan is not None and buffer.bytes:
                slot = plan.by_buffer[buffer.name]
                self._blocks[buffer.name] = self.arenas[slot.external][slot.offset : slot.offset + buffer.bytes]
            else:
                self._blocks[buffer.name] = self._garbage(buffer.bytes)
            if buffer.space is Space.ARENA and buffer.name in given:
                self._blocks[buffer.name][:] = _bytes(given[buffer.name])

    def rows(self, name: str, rows: Sequence[int]) -> list[Array]:
        """Rows of a buffer, each [1, 1, ...] on its bytes: writing to one writes the memory."""
        buffer = self._program.buffer[name]
        shape = (1, 1, *buffer.value.shape[2:])
        found = []
        for row in rows:
            root, offset = self._program.row_at(name, row)
            block = self._blocks[root.name][offset : offset + buffer.row_bytes]
            found.append(block.view(buffer.value.dtype.numpy).reshape(shape))
        return found

    def array(self, name: str) -> Array:
        """The array of a buffer that keeps all its rows, on its bytes: writing to it writes the memory."""
        root, offset = self._program.root(name)
        value = self._program.buffer[name].value
        return self._blocks[root.name][offset : offset + value.type.bytes].view(value.dtype.numpy).reshape(value.shape)

    def held(self, name: str, type: TensorType) -> Array:
        """What the memory of a buffer holds while it is gathered, on its bytes."""
        root, offset = self._program.root(name)
        block = self._blocks[root.name][offset : offset + type.bytes]
        return block.view(type.dtype.numpy).reshape(type.shape)

    def spoil(self, slot: Slot, others: Sequence[Slot]) -> None:
        """Fills a slot with garbage, but for the bytes that it shares with other ones of its arena."""
        mine = np.ones(slot.bytes, bool)
        for other in others:
            mine[max(other.offset - slot.offset, 0) : max(other.offset + other.bytes - slot.offset, 0)] = False
        self.arenas[slot.external][slot.offset : slot.offset + slot.bytes][mine] = self._garbage(int(mine.sum()))

    def scratch(self, value: Value | None) -> Bytes:
        """The scratch memory of a stage that has some: writing to it writes the memory."""
        assert value is not None
        return self._blocks[value.name]

    def scribble(self, scratch: Value | None) -> None:
        """Fills the scratch memory of a stage with garbage, as a library may."""
        if scratch is not None:
            block = self._blocks[scratch.name]
            block[:] = self._garbage(block.size)

    def scramble(self, name: str) -> None:
        """Fills a buffer that keeps all its rows with garbage."""
        raw = self.array(name).reshape(-1).view(np.uint8)
        raw[:] = self._garbage(raw.size)

    def _garbage(self, size: int) -> Bytes:
        """Random bytes, every fourth 0x7F: as float32 they are huge or NaN, never near zero, so they are noticed."""
        noise = self._random.integers(0, 256, size, dtype=np.uint8)
        noise[3::4] = 0x7F
        return noise


def _bytes(array: Array) -> Bytes:
    return np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
