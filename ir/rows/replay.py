"""Whether a row program keeps what it reads: its schedule, replayed with tags in place of numbers.

This shares nothing with the analyses by which schedules are made (`ir/rows/lives.py`): it takes the steps as they come,
and the places of rows as they are addressed. It needs no inputs and misses nothing because two numbers are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.errors import IRError
from tinyc.ir.rows.parts import Buffer, Space, Stage, Step
from tinyc.ir.rows.program import RowProgram

Tags = NDArray[np.int32]


def replay(program: RowProgram) -> None:
    """Raises `IRError` when a step reads a row that is not there yet, or not any more."""
    wrong = Tagged(program).run()
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise IRError(f"{wrong[0]}{more}", f"program {program.name}")


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
        fresh = stage.fresh_row(position, step.row)
        if fresh is not None:
            yield Access(fresh[0].name, fresh[1], writes=False)
            read.discard(fresh[1])
        yield from (Access(operand.name, row, writes=False) for row in sorted(read))
    if stage.kernel.scratch is not None and stage.carries and step.row:
        yield Access(stage.kernel.scratch.name, -1, writes=False)
    if stage.kernel.scratch is not None:
        anew = bool(program.buffer[stage.kernel.scratch.name].ring)
        yield Access(stage.kernel.scratch.name, step.row // stage.band if anew else -1, writes=True)
    by_rows = stage.windows and not stage.gathers
    rows_written = range(step.row, step.row + step.rows) if by_rows else [-1]
    yield from (Access(stage.result.name, row, writes=True) for row in rows_written)


def place(program: RowProgram, access: Access) -> tuple[Buffer, int, int]:
    """The memory of an access, and the bytes in it from and to."""
    buffer = program.buffer[access.name]
    if access.row >= 0:
        root, first = program.row_at(access.name, access.row)
        return root, first, first + buffer.row_bytes
    root, first = program.root(access.name)
    if root.ring:
        raise IRError(f"%{access.name} is read whole, but only {root.ring} rows of it are kept")
    return root, first, first + _size(buffer)


def _size(buffer: Buffer) -> int:
    """All bytes of a value, those included that are needed while it is gathered."""
    return buffer.value.type.bytes if buffer.view is not None else buffer.bytes


class Tagged:
    """A program run with tags in place of numbers.

    Each step writes a tag of its own to all bytes of its result: in the arena (or, without a plan, in a block for each
    memory), and in a second memory in which no two values share any. What a step reads must be tagged alike in both,
    before it writes and, except where it writes over an operand on purpose, after it has written.
    """

    def __init__(self, program: RowProgram) -> None:
        self._program, plan = program, program.plan
        arenas = [np.full(plan.room(external) if plan else 0, -1, np.int32) for external in (False, True)]
        self._blocks: dict[str, Tags] = {}
        for buffer in program.buffers:
            if buffer.view is None and buffer.space is Space.ARENA:
                slot = plan.by_buffer.get(buffer.name) if plan else None
                own = np.full(0 if slot else buffer.bytes, -1, np.int32)
                if slot:
                    own = arenas[slot.external][slot.offset : slot.offset + buffer.bytes]
                self._blocks[buffer.name] = own
        self._apart: dict[str, Tags] = {}
        self._results = {s.result.name: s for s in program.stages}
        self.wrong: list[str] = []

    def run(self) -> list[str]:
        """What is wrong, in words."""
        for value in self._program.inputs:
            if self._program.buffer[value.name].space is Space.ARENA:
                self._write(Access(value.name, -1, writes=True), 0)
        begun: set[int] = set()
        for number, step in enumerate(self._program.schedule(), 1):
            stage = self._program.stages[step.stage]
            reads = [a for a in accesses(self._program, step) if not a.writes]
            if stage.gathers and step.stage in begun:
                reads.append(Access(stage.result.name, -1, writes=False))
            begun.add(step.stage)
            for access in reads:
                self._check(access, stage, step, "before")
            for access in accesses(self._program, step):
                if access.writes:
                    self._write(access, number)
            for access in reads:
                if not self._written_over(access, stage, step):
                    self._check(access, stage, step, "while")
        return self.wrong

    def _written_over(self, access: Access, stage: Stage, step: Step) -> bool:
        """Whether a step writes over what it reads on purpose: where its rows follow others, over one of them."""
        result, view = self._program.root(stage.result.name)[0], self._program.buffer[stage.result.name].view
        if self._program.root(access.name)[0] is not result:
            return False
        own = Access(stage.result.name, step.row, writes=True)
        one = view is not None and view.follows is not None and access.row >= 0
        return not one or place(self._program, access)[:2] == place(self._program, own)[:2]

    def _check(self, access: Access, stage: Stage, step: Step, when: str) -> None:
        if self._program.root(access.name)[0].space is not Space.ARENA:
            return
        found, wanted = self._in_arena(access), self._by_itself(access)
        if (wanted < 0).any() or not np.array_equal(found, wanted):
            what = f"row {access.row} of %{access.name}" if access.row >= 0 else f"%{access.name}"
            how = "is not there any more, or not yet" if when == "before" else "is overwritten while it is read"
            self.wrong.append(f"{what} {how}, in row {step.row} of {stage.where}")

    def _write(self, access: Access, tag: int) -> None:
        if self._program.root(access.name)[0].space is Space.ARENA:
            self._in_arena(access)[:] = tag
            self._by_itself(access)[:] = tag

    def _in_arena(self, access: Access) -> Tags:
        root, start, stop = place(self._program, access)
        return self._blocks[root.name][start:stop]

    def _by_itself(self, access: Access) -> Tags:
        """The same bytes in the memory that values do not share: that of a value which a step computes, unless it is
        one part of a whole."""
        buffer, offset = self._program.buffer[access.name], 0
        size = buffer.row_bytes if access.row >= 0 else _size(buffer)
        row, step = max(access.row, 0), buffer.row_bytes
        while buffer.view is not None:
            stage = self._results.get(buffer.name)
            if stage is not None and (
                buffer.view.follows is not None or buffer.view.base in {v.name for v in stage.op.operands}
            ):
                break
            row //= buffer.view.repeats
            offset += buffer.view.offset
            buffer = self._program.buffer[buffer.view.base]
        if buffer.name not in self._apart:
            self._apart[buffer.name] = np.full(max(buffer.value.type.bytes, buffer.bytes), -1, np.int32)
        memory = self._apart[buffer.name]
        start = offset + row * step
        return memory[start : start + size]
