"""The row level: buffers, and a schedule of row kernels that fill them.

A row of an NHWC tensor [1, H, W, C] is W*C contiguous elements; any other tensor is a single row. A stage is one
operator applied row by row: its row kernel is the operator itself on the few input rows that one output row needs
(`Op.row_op`), so the row level adds an order and a place in memory, never a second meaning.

Stages run in segments. A segment of one stage computes all its rows; the stages of a longer one advance together, and
what passes between them may lie in rings of a few rows. Everything that depends on the order of work goes through
`RowProgram.schedule`, and everything that depends on where a row lies through `RowProgram.row_at`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tinyc.ir.errors import IRError
from tinyc.ir.op import Op, RowMode, Value, Window
from tinyc.ir.ops.elementwise import Copy
from tinyc.ir.row_checks import rows_problem
from tinyc.ir.tensor import Tensor


class Space(enum.Enum):
    """Where the bytes of a buffer lie.

    The rows of a buffer in `ROWS` come from outside one after the other: they lie nowhere, and one stage copies them.
    """

    ARENA = "arena"
    ROWS = "rows"
    INPUT = "input"
    OUTPUT = "output"
    CONSTANT = "constant"


@dataclass(frozen=True)
class View:
    """A buffer that is part of another one: the other's name and where in it the first byte lies.

    With `follows`, (stride, pad), each row has a place of its own: row `r` begins where row `r * stride - pad` of the
    base, a ring, begins.
    """

    base: str
    offset: int = 0
    follows: tuple[int, int] | None = None


@dataclass(frozen=True)
class Buffer:
    """The memory of one value. A constant has `data`; a view has no bytes of its own and lies where its base lies.

    A ring keeps `ring` rows, row `r` in place `r % ring`; with 0 all rows are kept. A view of a ring that is no part
    of it shares its rows.
    """

    value: Value
    space: Space
    data: Tensor | None = None
    view: View | None = None
    ring: int = 0

    @property
    def name(self) -> str:
        """The name of the value, unique in the program."""
        return self.value.name

    @cached_property
    def rows(self) -> int:
        """Number of rows."""
        return row_count(self.value)

    @cached_property
    def row_elements(self) -> int:
        """Elements of one row."""
        return self.value.type.size // self.rows if self.rows else 0

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.row_elements * self.value.dtype.bytes

    @cached_property
    def bytes(self) -> int:
        """Bytes of all rows that are kept."""
        return self.ring * self.row_bytes if self.ring else self.value.type.bytes


def row_count(value: Value) -> int:
    """Rows of a value: the height of an NHWC tensor of batch 1, else 1."""
    shape = value.shape
    return shape[1] if len(shape) == 4 and shape[0] == 1 else 1


@dataclass(frozen=True)
class Kernel:
    """Who computes a stage: a kernel library, or, where `library` is empty, tinyc's own kernel.

    `chip` are the vector instructions that the library was chosen for, empty for none. `alignment` is what the
    addresses of operands and result in the arena are multiples of. `scratch` is memory of the arena that the library
    writes as it likes while the stage runs. `note` says why this one was chosen.
    """

    library: str = ""
    chip: str = ""
    note: str = ""
    alignment: int = 1
    scratch: Value | None = None


@dataclass(frozen=True)
class Stage:
    """One operator, applied row by row.

    `op` is the operator on whole tensors; its operands are named as the buffers they lie in. `windows` says, for each
    operand, which rows one output row reads (None: the whole operand); it is empty for an operator that has no row
    form and runs once. `band` is how many output rows one application computes: 1, or all rows of a pointwise
    operator handed over as one long row. `split` is how many cores compute the rows at once, each a part of them: a
    split stage stands alone in its segment, and the order in which its rows are computed is not known.
    """

    result: Value
    op: Op
    windows: tuple[Window | None, ...] = ()
    band: int = 1
    loc: str = ""
    split: int = 1
    kernel: Kernel = Kernel()

    @property
    def touched(self) -> tuple[Value, ...]:
        """The values whose memory the stage reads or writes, the result first."""
        scratch = self.kernel.scratch
        return (self.result, *self.op.operands, *(() if scratch is None else (scratch,)))

    @property
    def rows(self) -> int:
        """Output rows; 1 for an operator that runs once on whole tensors."""
        return row_count(self.result) if self.windows else 1

    @property
    def copies_rows(self) -> bool:
        """Whether the stage does nothing but copy rows, one at a time."""
        return isinstance(self.op, Copy) and self.windows != () and self.band == 1

    @property
    def applications(self) -> int:
        """How often the kernel is applied."""
        return -(-self.rows // self.band)

    @property
    def parts(self) -> tuple[range, ...]:
        """The rows that each core computes, as equal in number as can be, the larger parts first."""
        bounds = [-(-self.rows * k // self.split) for k in range(self.split + 1)]
        return tuple(range(*pair) for pair in pairwise(bounds))

    @cached_property
    def problem(self) -> str:
        """What is wrong with the rows that the operator is given; empty if nothing is."""
        if not self.windows:
            return ""
        if len(self.windows) != len(self.op.operands):
            return "has not one window an operand"
        return rows_problem(self.op, self.windows, self.band)

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
class Pace:
    """When a stage of a segment computes its rows: number `n` of them (or of bands) in sweep `delay + n * period`."""

    delay: int = 0
    period: int = 1


@dataclass(frozen=True)
class Segment:
    """Consecutive stages from number `first` on that advance together, each at its pace.

    The segment runs in sweeps; in each sweep every stage, in order, computes the row that is due, if one is. In
    reverse, the rows are counted from the last to the first.
    """

    first: int
    paces: tuple[Pace, ...]
    reverse: bool = False

    @property
    def stages(self) -> range:
        """The numbers of the stages."""
        return range(self.first, self.first + len(self.paces))

    @property
    def streams(self) -> bool:
        """Whether several stages advance together."""
        return len(self.paces) > 1


@dataclass(frozen=True)
class Step:
    """One application of a stage's kernel: output rows `row` to `row + rows - 1` of stage number `stage`."""

    stage: int
    row: int
    rows: int


@dataclass(frozen=True)
class Slot:
    """A place in the arena: byte offset and size of a buffer, and the first and last stage that touches it (by time;
    first is -1 for an input, which is there before any stage runs)."""

    buffer: str
    offset: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """Where the arena's buffers lie.

    `bytes` is the size of the arena; `lower_bound` is what no plan for this schedule can go below. `alignment` is what
    the arena's address is a multiple of.
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
    """Buffers, stages in the order they run, the segments they run in (none: each stage by itself), and, once
    planned, the arena."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    buffers: tuple[Buffer, ...]
    stages: tuple[Stage, ...]
    plan: Plan | None = None
    segments: tuple[Segment, ...] = ()

    @cached_property
    def buffer(self) -> Mapping[str, Buffer]:
        """Buffers by name."""
        return {b.name: b for b in self.buffers}

    @cached_property
    def _roots(self) -> dict[str, tuple[Buffer, int]]:
        return {}

    def root(self, name: str) -> tuple[Buffer, int]:
        """The buffer that owns the bytes of `name`, and the byte offset within it."""
        if name not in self._roots:
            found, offset = self.buffer[name], 0
            while found.view is not None:
                offset += found.view.offset
                found = self.buffer[found.view.base]
            self._roots[name] = (found, offset)
        return self._roots[name]

    def row_at(self, name: str, row: int) -> tuple[Buffer, int]:
        """The buffer that owns the bytes of row `row` of `name`, and the byte offset of the row within it."""
        buffer = self.buffer[name]
        while buffer.view is not None:
            base = self.buffer[buffer.view.base]
            if buffer.view.follows is not None:
                stride, pad = buffer.view.follows
                row = row * stride - pad
            elif not self.ring_of(base.name):
                root, offset = self.root(buffer.name)
                return root, offset + row * buffer.row_bytes
            buffer = base
        return buffer, (row % buffer.ring if buffer.ring else row) * buffer.row_bytes

    def takes_rows(self, stage: Stage) -> bool:
        """Whether a stage copies rows that come from outside."""
        return stage.copies_rows and self.buffer[stage.op.operands[0].name].space is Space.ROWS

    def ring_of(self, name: str) -> int:
        """The rows that the memory of a buffer keeps; 0 when it keeps all."""
        return self.root(name)[0].ring

    @cached_property
    def order(self) -> tuple[Segment, ...]:
        """The segments, those of single stages too."""
        return self.segments or tuple(Segment(number, (Pace(),)) for number in range(len(self.stages)))

    def sweeps(self, segment: Segment) -> int:
        """How many sweeps a segment takes."""
        return max(
            pace.delay + (self.stages[number].applications - 1) * pace.period + 1
            for number, pace in zip(segment.stages, segment.paces, strict=True)
        )

    def schedule(self) -> Iterator[Step]:
        """The order of work: segment after segment, sweep after sweep, each stage that has a row due.

        The parts of a split stage are in no order; here the last comes first.
        """
        for segment in self.order:
            if self.stages[segment.first].split > 1:
                yield from self._parts(segment.first)
                continue
            for sweep in range(self.sweeps(segment)):
                for number, pace in zip(segment.stages, segment.paces, strict=True):
                    stage = self.stages[number]
                    count, rest = divmod(sweep - pace.delay, pace.period)
                    if count >= 0 and not rest and count < stage.applications:
                        row = (stage.applications - 1 - count if segment.reverse else count) * stage.band
                        yield Step(number, row, min(stage.band, stage.rows - row))

    def _parts(self, number: int) -> Iterator[Step]:
        """The steps of a split stage."""
        stage = self.stages[number]
        for part in reversed(stage.parts):
            for row in range(part.start, part.stop, stage.band):
                yield Step(number, row, min(stage.band, part.stop - row))

    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(stage.op.macs() for stage in self.stages)

    def __str__(self) -> str:
        from tinyc.ir.text import format_program

        return format_program(self)


def verify_program(program: RowProgram) -> None:
    """Checks what every row program must satisfy: names, sizes, views within their base, operands written before they
    are read and wholly or by the rows that the operator reads, segments and rings, slots within the arena. What has
    passed touches no byte outside its buffers. Raises `IRError` naming the stage or buffer."""
    if len(program.buffer) != len(program.buffers):
        raise IRError("two buffers have one name", f"program {program.name}")
    for buffer in program.buffers:
        _verify_buffer(program, buffer)
    written = {v.name for v in program.inputs}
    written |= {program.root(b.name)[0].name for b in program.buffers if b.space in (Space.INPUT, Space.CONSTANT)}
    for stage in program.stages:
        _verify_stage(program, stage, written)
        written.add(program.root(stage.result.name)[0].name)
    for value in program.outputs:
        if value.name not in program.buffer:
            raise IRError("has no buffer", f"output {value}")
        if program.buffer[value.name].space is not Space.OUTPUT or program.root(value.name)[0].name not in written:
            raise IRError("is not an output that a stage wrote", f"output {value}")
    _verify_segments(program)
    if program.plan is not None:
        for slot in program.plan.slots:
            if slot.buffer not in program.buffer:
                raise IRError("is of a buffer that does not exist", f"slot of %{slot.buffer}")
            if slot.offset < 0 or slot.offset + slot.bytes > program.plan.bytes:
                raise IRError("lies outside the arena", f"slot of %{slot.buffer}")
            buffer = program.buffer[slot.buffer]
            if slot.bytes < buffer.bytes or slot.offset % buffer.value.dtype.bytes:
                raise IRError("is smaller than its buffer, or not aligned for it", f"slot of %{slot.buffer}")


def _verify_buffer(program: RowProgram, buffer: Buffer) -> None:
    where = f"buffer {buffer.value}"
    if (buffer.data is not None) != (buffer.space is Space.CONSTANT and buffer.view is None):
        raise IRError("constants, and they alone, have data", where)
    if buffer.ring and (buffer.view is not None or buffer.space is not Space.ARENA or buffer.ring > buffer.rows):
        raise IRError("is a ring, which owns bytes of the arena and has no more rows than its value", where)
    if buffer.view is None:
        return
    if buffer.view.base not in program.buffer:
        raise IRError(f"is a view of %{buffer.view.base}, which does not exist", where)
    base = program.buffer[buffer.view.base]
    root, offset = program.root(buffer.name)
    if buffer.view.follows is not None:
        fits = bool(root.ring) and buffer.row_bytes <= base.row_bytes
    elif root.ring:
        fits = not buffer.view.offset and (buffer.rows, buffer.row_bytes) == (base.rows, base.row_bytes)
    else:
        fits = offset >= 0 and offset + buffer.bytes <= root.bytes
    if root.space is not buffer.space or not fits:
        raise IRError(f"does not lie within its base {root.value}", where)


def _verify_stage(program: RowProgram, stage: Stage, written: set[str]) -> None:
    for value in (stage.result, *stage.op.operands):
        if value.name not in program.buffer or program.buffer[value.name].value != value:
            raise IRError(f"{value} has no buffer of its type", stage.where)
    for value in stage.op.operands:
        if program.root(value.name)[0].name not in written:
            raise IRError(f"reads {value} before anything wrote it", stage.where)
        if program.buffer[value.name].space is Space.ROWS and not program.takes_rows(stage):
            raise IRError(f"reads {value}, whose rows lie nowhere", stage.where)
    if stage.result.type != stage.op.type:
        raise IRError(f"writes {stage.op.type} to {stage.result}, which is {stage.result.type}", stage.where)
    if stage.problem:
        raise IRError(stage.problem, stage.where)
    scratch = program.buffer.get(stage.kernel.scratch.name) if stage.kernel.scratch is not None else None
    if stage.kernel.scratch is not None and (scratch is None or scratch.space is not Space.ARENA or scratch.view):
        raise IRError(f"has scratch memory {stage.kernel.scratch} that is no buffer of the arena", stage.where)
    target = program.root(stage.result.name)[0]
    if target.space not in (Space.ARENA, Space.OUTPUT):
        raise IRError(f"writes {stage.result}, which lies in {target.space.value} memory", stage.where)


def _verify_segments(program: RowProgram) -> None:
    numbers = [number for segment in program.order for number in segment.stages]
    if numbers != list(range(len(program.stages))):
        raise IRError("has segments that do not hold each stage once, in order", f"program {program.name}")
    inside = {number: segment.first for segment in program.order for number in segment.stages}
    homes: dict[str, set[int]] = {}
    for number, stage in enumerate(program.stages):
        values = (stage.result, *stage.op.operands)
        for position, value in enumerate(values):
            root = program.root(value.name)[0]
            if root.ring:
                homes.setdefault(root.name, set()).add(inside[number])
                by_rows = bool(stage.windows) and stage.band == 1
                if not by_rows or (position and stage.windows[position - 1] is None):
                    raise IRError(f"takes {value} whole, of which only some rows are kept", stage.where)
    for name, segments in homes.items():
        if len(segments) > 1:
            raise IRError("is a ring that outlives its segment", f"buffer %{name}")
    for segment in program.order:
        for number in segment.stages:
            if program.stages[number].split != 1:
                _verify_split(program, program.stages[number], segment)


def _verify_split(program: RowProgram, stage: Stage, segment: Segment) -> None:
    if segment.streams:
        raise IRError("is split, but does not stand alone", stage.where)
    if stage.split < 1:
        raise IRError(f"is split {stage.split} ways", stage.where)
    if reason := whole_because(program, stage):
        raise IRError(f"is split, but {reason}", stage.where)


def whole_because(program: RowProgram, stage: Stage) -> str:
    """Why several cores cannot compute the rows of a stage at once; empty when they can."""
    if stage.rows < max(stage.split, 2):
        return f"it has {stage.rows} row(s)"
    if program.takes_rows(stage):
        return "its rows come from outside one after the other"
    target, start = program.root(stage.result.name)
    size = stage.result.type.bytes
    if stage.kernel.library:
        return f"{stage.kernel.library} computes it as a whole"
    if target.ring:
        return "only some of its rows are kept"
    for value, window in zip(stage.op.operands, stage.windows, strict=True):
        owner, at = program.root(value.name)
        apart = owner is not target or at + value.type.bytes <= start or start + size <= at
        same_rows = at == start and value.type.bytes == size and row_count(value) == stage.rows
        if not apart and not (same_rows and window is not None and window.is_pointwise):
            return f"it writes over rows of {value} that another core may still read"
    return ""
