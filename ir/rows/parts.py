"""What row programs are made of: buffers and their places, stages and their paces, steps of the schedule."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tinyc.ir.op import Op, RowMode, Value, Window
from tinyc.ir.rows.checks import gathering_problem, rows_problem
from tinyc.ir.tensor import Tensor
from tinyc.ir.types import WORD

Rows = TypeVar("Rows", int, NDArray[np.int64])


class Space(enum.Enum):
    """Where the bytes of a buffer lie.

    The rows of a buffer in `ROWS` come from outside, or go there, one after the other: they lie nowhere. One stage
    copies those of an input into memory that has a place, or hands over those of an output from there.
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
    base, a ring, begins. With `repeats`, row `r` is row `r // repeats` of the base.
    """

    base: str
    offset: int = 0
    follows: tuple[int, int] | None = None
    repeats: int = 1


@dataclass(frozen=True)
class Buffer:
    """The memory of one value. A constant has `data`; a view has no bytes of its own and lies where its base lies.

    A ring keeps `ring` rows, row `r` in place `r % ring`; with 0 all rows are kept. A view of a ring that is no part
    of it shares its rows. `work` are the bytes that are needed while the value is gathered, if those are more.
    """

    value: Value
    space: Space
    data: Tensor | None = None
    view: View | None = None
    ring: int = 0
    work: int = 0

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
        return self.ring * self.row_bytes if self.ring else max(self.value.type.bytes, self.work)


def row_count(value: Value) -> int:
    """Rows of a value: the height of an image, the steps of a sequence; 1 of what has no rows."""
    return value.shape[1] if value.type.has_rows else 1


def begin_of_rows(buffers: Mapping[str, Buffer], name: str, rows: Rows) -> tuple[Buffer, Rows]:
    """The buffer that owns the bytes of a row of a buffer, or of each of several rows, and the first byte of it there.
    In a ring it is that of a row before that is counted modulo the ring."""
    buffer = buffers[name]
    start = rows * buffer.row_bytes
    while (view := buffer.view) is not None:
        base = buffers[view.base]
        if view.follows is not None or view.repeats > 1:
            stride, pad = view.follows or (1, 0)
            own, within = start // buffer.row_bytes, start % buffer.row_bytes
            start = (own * stride - pad) // view.repeats * base.row_bytes + within
        start = start + view.offset
        buffer = base
    return buffer, start


@dataclass(frozen=True)
class Kernel:
    """Who computes a stage: a kernel library, or, where `library` is empty, tinyc's own kernel.

    `chip` are the vector instructions that the library was chosen for, empty for none. `alignment` is what the
    addresses of operands and result in the arena are multiples of. `scratch` is memory of the arena that the kernel
    writes as it likes while the stage runs; where it is a ring of one row, a row for each application, which needs it
    meanwhile alone. `note` says why this one was chosen; `instructions` is about what the
    library's takes, 0 where that is not known.
    """

    library: str = ""
    chip: str = ""
    note: str = ""
    alignment: int = 1
    scratch: Value | None = None
    instructions: int = 0

    @property
    def has_spare(self) -> bool:
        """Whether a kernel of tinyc's own was given memory that it can do without."""
        return self.scratch is not None and not self.library


@dataclass(frozen=True)
class Fresh:
    """Row number `place` of the window of an operand is read from another buffer, where it lies until it is moved."""

    operand: int
    place: int
    value: Value


@dataclass(frozen=True)
class Stage:
    """One operator, applied row by row.

    `op` is the operator on whole tensors; its operands are named as the buffers they lie in. `windows` says, for each
    operand, which rows one output row reads (None: the whole operand); it is empty for an operator that has no row
    form and runs once. `band` is how many output rows one application computes: 1, or all rows of a pointwise
    operator handed over as one long row. `split` is how many cores compute the rows at once, each a part of them: a
    split stage stands alone in its segment, and the order in which its rows are computed is not known. A stage that
    `gathers` takes the rows of its first operand one by one, and its result is whole (`Op.gathered`). `fresh` says
    where rows of windows lie that have not been moved to their operand's ring yet. In a program that is `endless`, more
    rows come behind the last one of each operand. With `aside`, a row is computed over that of the first operand, so
    many pixels at a time, of which the operand's are copied elsewhere before (`Op.pixels_aside`).
    """

    result: Value
    op: Op
    windows: tuple[Window | None, ...] = ()
    band: int = 1
    loc: str = ""
    split: int = 1
    kernel: Kernel = Kernel()
    gathers: bool = False
    fresh: tuple[Fresh, ...] = ()
    endless: bool = False
    aside: int = 0

    @property
    def touched(self) -> tuple[Value, ...]:
        """The values whose memory the stage reads or writes, the result first."""
        scratch = () if self.kernel.scratch is None else (self.kernel.scratch,)
        return (self.result, *self.op.operands, *(f.value for f in self.fresh), *scratch)

    def fresh_row(self, operand: int, row: int) -> tuple[Value, int] | None:
        """The buffer from which output row `row` reads the newest row of an operand, and which row that is; None where
        all lie with the others."""
        for fresh in self.fresh:
            window = self.windows[operand]
            if fresh.operand == operand and window is not None:
                read = window.rows(row, row_count(fresh.value))[fresh.place]
                return (fresh.value, read) if read >= 0 and (self.endless or read < row_count(fresh.value)) else None
        return None

    @property
    def rows(self) -> int:
        """Output rows, or those that are gathered; 1 for an operator that runs once on whole tensors."""
        if self.gathers:
            return row_count(self.op.operands[0])
        return row_count(self.result) if self.windows else 1

    @property
    def copies_rows(self) -> bool:
        """Whether the stage does nothing but copy rows, one at a time."""
        return self.op.copies() and self.windows != () and self.band == 1

    @property
    def carries(self) -> bool:
        """Whether something goes from row to row in the scratch memory of the stage."""
        return self.op.carries() and self.windows != ()

    @property
    def applications(self) -> int:
        """How often the kernel is applied."""
        return -(-self.rows // self.band)

    @property
    def scratch_size(self) -> int:
        """Elements of scratch memory that an application has, 0 for none."""
        scratch = self.kernel.scratch
        return 0 if scratch is None else scratch.type.size // row_count(scratch)

    @property
    def words_aside(self) -> int:
        """How many words are copied aside at a time; 0 where pixels are no whole words."""
        value = self.op.operands[0]
        size = value.shape[-1] * value.dtype.bytes if self.aside else 0
        return self.aside * size // WORD if not size % WORD and value.dtype.bytes != 2 else 0

    @property
    def calls(self) -> int:
        """How often it is called: several times for a row that is computed some pixels at a time."""
        return self.applications * (-(-self.result.shape[2] // self.aside) if self.aside else 1)

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
        check = gathering_problem if self.gathers else rows_problem
        return check(self.op, self.windows, self.band)

    def by_rows(self) -> Stage:
        """The same, one row at a time: a row of the result, or, where the operator gathers them, of its operand."""
        if self.op.gathered() is None:
            return dataclasses.replace(self, band=1) if self.windows else self
        windows = (Window(), *(None for _ in self.op.operands[1:]))
        return dataclasses.replace(self, windows=windows, band=1, gathers=True)

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
        read = window.rows(row, height)
        rows = tuple(r if r >= 0 and (self.endless or r < height) else None for r in read)
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

    @cached_property
    def stages(self) -> range:
        """The numbers of the stages."""
        return range(self.first, self.first + len(self.paces))

    @property
    def streams(self) -> bool:
        """Whether several stages advance together."""
        return len(self.paces) > 1


@dataclass(frozen=True)
class Endless:
    """A program that keeps its state between calls: each goes on where the one before it ended, for ever.

    A call runs `hop` sweeps. They are counted in `counter`, a number in the arena, from 0. From sweep `warm` on, no row
    before the first one is read, and after `cycle` more sweeps everything lies where it lay: where `warm + cycle`
    sweeps are counted, the count goes back to `warm`.
    """

    hop: int
    warm: int
    cycle: int
    counter: Value

    def after(self, count: int) -> int:
        """What is counted after a call that found this count."""
        count += self.hop
        return count - self.cycle if count == self.warm + self.cycle else count


@dataclass(frozen=True)
class Step:
    """One application of a stage's kernel: output rows `row` to `row + rows - 1` of stage number `stage`."""

    stage: int
    row: int
    rows: int


@dataclass(frozen=True)
class Slot:
    """A place in the arena: byte offset and size of a buffer, and the first and last stage that touches it (by time;
    first is -1 for an input, which is there before any stage runs). With `external`, it is a place in the arena of the
    external memory."""

    buffer: str
    offset: int
    bytes: int
    first: int
    last: int
    external: bool = False


@dataclass(frozen=True)
class Plan:
    """Where the arena's buffers lie.

    `bytes` is the size of the arena; `lower_bound` is what no plan for this schedule can go below. `alignment` is what
    the arena's address is a multiple of. `external_bytes` is the size of a second arena, in a memory that is larger and
    slower; with one, `lower_bound` holds for the buffers that lie in the first.
    """

    slots: tuple[Slot, ...]
    bytes: int
    lower_bound: int
    alignment: int
    external_bytes: int = 0

    def room(self, external: bool) -> int:
        """The size of one of the arenas."""
        return self.external_bytes if external else self.bytes

    @cached_property
    def by_buffer(self) -> Mapping[str, Slot]:
        """The slot of each buffer that has one."""
        return {slot.buffer: slot for slot in self.slots}
