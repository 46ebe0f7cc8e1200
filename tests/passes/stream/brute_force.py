"""What a schedule means for memory, step by step: an account by bytes that shares nothing with what it checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.rows import Buffer, RowProgram, Space, Stage, Step

Tags = NDArray[np.int64]


@dataclass(frozen=True)
class Access:
    """A row (or, as row -1, all rows) of a buffer that a step reads or writes."""

    name: str
    row: int
    writes: bool


def accesses(program: RowProgram, step: Step) -> Iterator[Access]:
    """The rows that a step touches, those that it reads first."""
    stage = program.stages[step.stage]
    for position, operand in enumerate(stage.op.operands):
        read: set[int] = set()
        for row in range(step.row, step.row + step.rows):
            rows = stage.input_rows(position, row)
            read |= {-1} if rows is None else {r for r in rows if r is not None}
        yield from (Access(operand.name, row, writes=False) for row in sorted(read))
    rows_written = range(step.row, step.row + step.rows) if stage.windows else [-1]
    yield from (Access(stage.result.name, row, writes=True) for row in rows_written)


def place(program: RowProgram, access: Access) -> tuple[Buffer, int, int]:
    """The memory of an access, and the bytes in it from and to."""
    buffer = program.buffer[access.name]
    if access.row >= 0:
        root, first = program.row_at(access.name, access.row)
        return root, first, first + buffer.row_bytes
    root, first = program.root(access.name)
    assert not root.ring
    return root, first, first + buffer.value.type.bytes


def peak_by_bytes(program: RowProgram) -> int:
    """The most bytes alive at one time.

    A byte is alive from the step that touches it first to the one that touches it last; what lies in the arena as an
    input, from the beginning. A ring of several rows is alive as a whole. In one of a single row, each row that has its
    turn there is by itself.
    """
    first: dict[tuple[str, int, int], int] = {}
    last: dict[tuple[str, int, int], int] = {}

    def touch(root: Buffer, turn: int, start: int, stop: int, now: int) -> None:
        for byte in range(start, stop) if root.ring <= 1 else range(root.bytes):
            key = (root.name, turn, byte)
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
                touch(root, base_row(program, access) if root.ring == 1 else 0, start, stop, now)
    change = np.zeros(now + 2, np.int64)
    for key, since in first.items():
        change[since] += 1
        change[last[key] + 1] -= 1
    return int(np.cumsum(change).max(initial=0))


def base_row(program: RowProgram, access: Access) -> int:
    """The row of the memory, a ring, that an access touches, before it is counted modulo the ring."""
    buffer, row = program.buffer[access.name], access.row
    while buffer.view is not None:
        if buffer.view.follows is not None:
            stride, pad = buffer.view.follows
            row = row * stride - pad
        buffer = program.buffer[buffer.view.base]
    return row


class Tagged:
    """Runs a planned program with tags in place of numbers.

    Each step writes a tag of its own to all bytes of its result: in the arena, and in a second memory in which no two
    values share any. What a step reads must be tagged alike in both, before it writes and, except where it writes over
    an operand on purpose, after it has written.
    """

    def __init__(self, program: RowProgram) -> None:
        assert program.plan is not None
        self._program, self._plan = program, program.plan
        self._arena: Tags = np.full(program.plan.bytes, -1, np.int64)
        self._apart: dict[str, Tags] = {}
        self._results = {s.result.name: s for s in program.stages}
        self.wrong: list[str] = []

    def run(self) -> list[str]:
        """What is wrong, in words."""
        for value in self._program.inputs:
            if self._program.buffer[value.name].space is Space.ARENA:
                self._write(Access(value.name, -1, writes=True), 0)
        for number, step in enumerate(self._program.schedule(), 1):
            stage = self._program.stages[step.stage]
            reads = [a for a in accesses(self._program, step) if not a.writes]
            for access in reads:
                self._check(access, stage, step, "before")
            for access in accesses(self._program, step):
                if access.writes:
                    self._write(access, number)
            home = self._program.root(stage.result.name)[0]
            for access in reads:
                if self._program.root(access.name)[0] is not home:
                    self._check(access, stage, step, "while")
        return self.wrong

    def _check(self, access: Access, stage: Stage, step: Step, when: str) -> None:
        if self._program.root(access.name)[0].space is not Space.ARENA:
            return
        found, wanted = self._in_arena(access), self._by_itself(access)
        if (wanted < 0).any() or not np.array_equal(found, wanted):
            self.wrong.append(
                f"row {step.row} of {stage.where}: row {access.row} of %{access.name} {when} it is written"
            )

    def _write(self, access: Access, tag: int) -> None:
        if self._program.root(access.name)[0].space is Space.ARENA:
            self._in_arena(access)[:] = tag
            self._by_itself(access)[:] = tag

    def _in_arena(self, access: Access) -> Tags:
        root, start, stop = place(self._program, access)
        slot = self._plan.by_buffer[root.name]
        return self._arena[slot.offset + start : slot.offset + stop]

    def _by_itself(self, access: Access) -> Tags:
        """The same bytes in the memory that values do not share: that of a value which a step computes, unless it is
        one part of a whole."""
        buffer, offset = self._program.buffer[access.name], 0
        size = buffer.row_bytes if access.row >= 0 else buffer.value.type.bytes
        start = max(access.row, 0) * buffer.row_bytes
        while buffer.view is not None:
            stage = self._results.get(buffer.name)
            if stage is not None and (
                buffer.view.follows is not None or buffer.view.base in {v.name for v in stage.op.operands}
            ):
                break
            offset += buffer.view.offset
            buffer = self._program.buffer[buffer.view.base]
        memory = self._apart.setdefault(buffer.name, np.full(buffer.value.type.bytes, -1, np.int64))
        return memory[offset + start : offset + start + size]
