"""The row level: buffers, and a schedule of row kernels that fill them.

A row of an NHWC tensor [1, H, W, C] is W*C contiguous elements; any other tensor is a single row. A stage is one
operator applied row by row: its row kernel is the operator itself on the few input rows that one output row needs
(`Op.row_op`), so the row level adds an order and a place in memory, never a second meaning.

Everything that depends on the order (the interpreter, liveness, the C) goes through `RowProgram.schedule`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, RowMode, Value, Window
from tinyc.ir.tensor import Tensor


class Space(enum.Enum):
    """Where the bytes of a buffer lie."""

    ARENA = "arena"
    INPUT = "input"
    OUTPUT = "output"
    CONSTANT = "constant"


@dataclass(frozen=True)
class View:
    """A buffer that is part of another one: the other's name and where in it the first byte lies."""

    base: str
    offset: int = 0


@dataclass(frozen=True)
class Buffer:
    """The memory of one value. A constant has `data`; a view has no bytes of its own and lies where its base lies."""

    value: Value
    space: Space
    data: Tensor | None = None
    view: View | None = None

    @property
    def name(self) -> str:
        """The name of the value, unique in the program."""
        return self.value.name

    @property
    def rows(self) -> int:
        """Number of rows."""
        return row_count(self.value)

    @property
    def row_elements(self) -> int:
        """Elements of one row."""
        return self.value.type.size // self.rows if self.rows else 0

    @property
    def bytes(self) -> int:
        """Bytes of all rows."""
        return self.value.type.bytes


def row_count(value: Value) -> int:
    """Rows of a value: the height of an NHWC tensor of batch 1, else 1."""
    shape = value.shape
    return shape[1] if len(shape) == 4 and shape[0] == 1 else 1


@dataclass(frozen=True)
class Stage:
    """One operator, applied row by row.

    `op` is the operator on whole tensors; its operands are named as the buffers they lie in. `windows` says, for each
    operand, which rows one output row reads (None: the whole operand); it is empty for an operator that has no row
    form and runs once. `band` is how many output rows one application computes: 1, or all rows of a pointwise
    operator handed over as one long row.
    """

    result: Value
    op: Op
    windows: tuple[Window | None, ...] = ()
    band: int = 1
    loc: str = ""

    @property
    def rows(self) -> int:
        """Output rows; 1 for an operator that runs once on whole tensors."""
        return row_count(self.result) if self.windows else 1

    @property
    def where(self) -> str:
        """What errors call this stage."""
        return f"{self.op.mnemonic} {self.result}" + (f" (from {self.loc})" if self.loc else "")

    def input_rows(self, operand: int, row: int) -> tuple[int | None, ...] | None:
        """Rows of an operand that output row `row` reads, in window order: None inside the tuple for a padded row
        that is filled, left out where the window clips; None instead of a tuple when the whole operand is read."""
        window = self.windows[operand] if self.windows else None
        if window is None:
            return None
        height = row_count(self.op.operands[operand])
        rows = tuple(r if 0 <= r < height else None for r in window.rows(row))
        return tuple(r for r in rows if r is not None) if window.mode is RowMode.CLIP else rows


@dataclass(frozen=True)
class Step:
    """One application of a stage's kernel: output rows `row` to `row + rows - 1` of stage number `stage`."""

    stage: int
    row: int
    rows: int


@dataclass(frozen=True)
class Slot:
    """A place in the arena: byte offset and size of a buffer, and the first and last stage during which it is alive."""

    buffer: str
    offset: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Where the arena's buffers lie.

    `bytes` is the size of the arena; `lower_bound` is what no plan for this schedule can go below: the largest sum of
    the sizes alive at one time. Offsets are multiples of `alignment`.
    """

    slots: tuple[Slot, ...]
    bytes: int
    lower_bound: int
    alignment: int

    @cached_property
    def by_buffer(self) -> Mapping[str, Slot]:
        """The slot of each buffer that has one."""
        return {slot.buffer: slot for slot in self.slots}


@dataclass(frozen=True)
class RowProgram:
    """Buffers, stages in the order they run, and, once planned, the arena."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    buffers: tuple[Buffer, ...]
    stages: tuple[Stage, ...]
    plan: Plan | None = None

    @cached_property
    def buffer(self) -> Mapping[str, Buffer]:
        """Buffers by name."""
        return {b.name: b for b in self.buffers}

    def root(self, name: str) -> tuple[Buffer, int]:
        """The buffer that owns the bytes of `name`, and the byte offset within it."""
        found, offset = self.buffer[name], 0
        while found.view is not None:
            offset += found.view.offset
            found = self.buffer[found.view.base]
        return found, offset

    def schedule(self) -> Iterator[Step]:
        """The order of work: stage after stage, each from its first row to its last."""
        for number, stage in enumerate(self.stages):
            for row in range(0, stage.rows, stage.band):
                yield Step(number, row, min(stage.band, stage.rows - row))

    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(stage.op.macs() for stage in self.stages)

    def lifetimes(self) -> dict[str, tuple[int, int]]:
        """First and last stage during which each arena buffer that owns bytes must keep them, by name."""
        alive: dict[str, tuple[int, int]] = {}

        def touch(name: str, time: int) -> None:
            root, _ = self.root(name)
            if root.space is Space.ARENA:
                first, _ = alive.get(root.name, (time, time))
                alive[root.name] = (first, time)

        for step in self.schedule():
            stage = self.stages[step.stage]
            touch(stage.result.name, step.stage)
            for operand in stage.op.operands:
                touch(operand.name, step.stage)
        return alive

    def __str__(self) -> str:
        from tinyc.ir.text import format_program

        return format_program(self)


def verify_program(program: RowProgram) -> None:
    """Checks what every row program must satisfy: names, sizes, views within their base, operands written before they
    are read, slots within the arena. Raises `IRError` naming the stage or buffer."""
    if len(program.buffer) != len(program.buffers):
        raise IRError("two buffers have one name", f"program {program.name}")
    for buffer in program.buffers:
        where = f"buffer {buffer.value}"
        if buffer.view is not None:
            if buffer.view.base not in program.buffer:
                raise IRError(f"is a view of %{buffer.view.base}, which does not exist", where)
            root, offset = program.root(buffer.name)
            if root.space is not buffer.space or offset < 0 or offset + buffer.bytes > root.bytes:
                raise IRError(f"does not lie within its base {root.value}", where)
        if (buffer.data is not None) != (buffer.space is Space.CONSTANT and buffer.view is None):
            raise IRError("constants, and they alone, have data", where)
    written = {program.root(b.name)[0].name for b in program.buffers if b.space in (Space.INPUT, Space.CONSTANT)}
    for stage in program.stages:
        for value in (stage.result, *stage.op.operands):
            if value.name not in program.buffer or program.buffer[value.name].value != value:
                raise IRError(f"{value} has no buffer of its type", stage.where)
        for value in stage.op.operands:
            if program.root(value.name)[0].name not in written:
                raise IRError(f"reads {value} before anything wrote it", stage.where)
        if stage.windows and len(stage.windows) != len(stage.op.operands):
            raise IRError("has not one window an operand", stage.where)
        target = program.root(stage.result.name)[0]
        if target.space not in (Space.ARENA, Space.OUTPUT):
            raise IRError(f"writes {stage.result}, which lies in {target.space.value} memory", stage.where)
        written.add(target.name)
    for value in program.outputs:
        if program.buffer[value.name].space is not Space.OUTPUT or program.root(value.name)[0].name not in written:
            raise IRError("is not an output that a stage wrote", f"output {value}")
    if program.plan is not None:
        for slot in program.plan.slots:
            if slot.offset < 0 or slot.offset + slot.bytes > program.plan.bytes or slot.offset % program.plan.alignment:
                raise IRError("lies outside the arena or is not aligned", f"slot of %{slot.buffer}")
            if slot.bytes < program.buffer[slot.buffer].bytes:
                raise IRError("is smaller than its buffer", f"slot of %{slot.buffer}")
