"""The row level: buffers, and a schedule of row kernels that fill them.

A row of an NHWC tensor [1, H, W, C] is W*C contiguous elements; any other tensor is a single row. A stage is one
operator applied row by row: its row kernel is the operator itself on the few input rows that one output row needs
(`Op.row_op`), so the row level adds an order and a place in memory, never a second meaning.

Stages run in segments. A segment of one stage computes all its rows; the stages of a longer one advance together, and
what passes between them may lie in rings of a few rows. Everything that depends on the order of work goes through
`RowProgram.schedule`, and everything that depends on where a row lies through `RowProgram.row_at`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from tinyc.ir.op import Value
from tinyc.ir.rows.parts import Buffer, Endless, Pace, Plan, Segment, Space, Stage, Step, begin_of_rows
from tinyc.ir.rows.printing import format_buffer, format_stage
from tinyc.ir.spelling import quoted


@dataclass(frozen=True)
class RowProgram:
    """Buffers, stages in the order they run, the segments they run in (none: each stage by itself), and, once
    planned, the arena. `fused` says that where a product is added to a float sum, the two are rounded once, as
    by a fused multiply-add. A program that is `endless` keeps its state between calls: it has one segment, and the rows
    that its types tell are those of the first calls."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    buffers: tuple[Buffer, ...]
    stages: tuple[Stage, ...]
    plan: Plan | None = None
    segments: tuple[Segment, ...] = ()
    fused: bool = False
    endless: Endless | None = None

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
        owner, at = begin_of_rows(self.buffer, name, row)
        return owner, at % owner.bytes if owner.ring else at

    def takes_rows(self, stage: Stage) -> bool:
        """Whether a stage copies rows that come from outside."""
        value = stage.op.operands[0] if stage.copies_rows else None
        return value is not None and self.buffer[value.name].space is Space.ROWS and value in self.inputs

    def gives_rows(self, stage: Stage) -> bool:
        """Whether a stage hands over rows to the outside."""
        return stage.copies_rows and self.buffer[stage.result.name].space is Space.ROWS

    @cached_property
    def pushed(self) -> Stage | None:
        """The stage that copies the rows of the one input that comes by rows, which may be pushed in place of being
        asked for; None where several come so, or none does, or calls bring several rows each."""
        if self.endless is not None:
            return None
        takers = [stage for stage in self.stages if self.takes_rows(stage)]
        return takers[0] if len(takers) == 1 else None

    def overwrites(self, stage: Stage) -> bool:
        """Whether a stage writes over an operand: it says so by being a view of it. Anything else must not touch what
        is read."""
        home = self.root(stage.result.name)[0]
        return any(self.root(v.name)[0] is home for v in stage.op.operands)

    def ring_of(self, name: str) -> int:
        """How many of a buffer's rows its memory keeps; 0 when it keeps all."""
        root = self.root(name)[0]
        return root.bytes // self.buffer[name].row_bytes if root.ring else 0

    def repeats(self, name: str) -> int:
        """How many rows of a buffer are one in its memory."""
        buffer, times = self.buffer[name], 1
        while buffer.view is not None:
            times *= buffer.view.repeats
            buffer = self.buffer[buffer.view.base]
        return times

    def rolls(self, name: str) -> bool:
        """Whether the rows of a buffer lie in one piece in the ring that keeps them: it shows the ring's rows, equal
        parts of them, or several of them as one."""
        buffer = self.buffer[name]
        while buffer.view is not None and buffer.view.follows is None and not buffer.view.offset:
            buffer = self.buffer[buffer.view.base]
        if buffer.view is not None:
            return buffer.view.follows is not None and not buffer.row_bytes % self.buffer[name].row_bytes
        return self.buffer[name].row_bytes > 0 and not buffer.bytes % self.buffer[name].row_bytes

    @cached_property
    def order(self) -> tuple[Segment, ...]:
        """The segments, those of single stages too."""
        return self.segments or tuple(Segment(number, (Pace(),)) for number in range(len(self.stages)))

    def sweeps(self, segment: Segment) -> int:
        """How many sweeps a segment takes; of an endless program, those in which the rows of its inputs come."""
        if self.endless is not None:
            return self.window_sweeps
        return max(
            pace.delay + (self.stages[number].applications - 1) * pace.period + 1
            for number, pace in zip(segment.stages, segment.paces, strict=True)
        )

    @property
    def window_sweeps(self) -> int:
        """The sweeps of the first segment in which those rows come in that the program's types tell."""
        segment = self.order[0]
        return self.stages[segment.first].rows * segment.paces[0].period

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
        return format_program(self)


def format_program(program: RowProgram) -> str:
    """The text of a row program: buffers with their places, then stages in order. For reading; it is not parsed."""
    lines = [f"rows {quoted('@', program.name)} {{"]
    if program.fused:
        lines.append("  fused multiply-adds")
    if program.endless is not None:
        endless = program.endless
        lines.append(
            f"  endless, {endless.hop} sweeps a call, counted in {quoted('%', endless.counter.name)} to "
            f"{endless.warm + endless.cycle}, then from {endless.warm}"
        )
    if program.plan is not None:
        plan = program.plan
        lines.append(f"  arena {plan.bytes} bytes, at least {plan.lower_bound}, aligned to {plan.alignment}")
        if plan.external_bytes:
            lines.append(f"  external arena {plan.external_bytes} bytes")
    lines += [f"  {format_buffer(b, program.plan)}" for b in program.buffers]
    for segment in program.order:
        if segment.streams:
            lines.append(
                f"  {segment.first} to {segment.stages[-1]} advance together in {program.sweeps(segment)} sweeps"
            )
        if segment.reverse:
            lines.append("  from the last row to the first:")
        for number, pace in zip(segment.stages, segment.paces, strict=True):
            due = f" from sweep {pace.delay} every {pace.period}" if segment.streams else ""
            lines.append(f"  {number}{due}: {format_stage(program.stages[number])}")
    lines.append("  return " + ", ".join(quoted("%", v.name) for v in program.outputs))
    lines.append("}")
    return "\n".join(lines) + "\n"
