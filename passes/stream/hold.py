"""Rings one row smaller: the row that arrives lies elsewhere until a dead one's place is free.

A ring for a window of three rows has three, but between sweeps only two of them are alive: the third is needed from
when its row is written to when the window has been read. Here the row is written to memory of its own, which all rings
of a segment share one after the other, is read there, and then moved to where the first row of that window was. So n
rings take n rows less and about two of that memory. Moving takes an instruction or less for an element, of which each
takes at least as many multiply-accumulates as its window has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tinyc.ir.op import Value, Window, unused
from tinyc.ir.ops.elementwise import Copy
from tinyc.ir.rows import Buffer, Fresh, Pace, RowProgram, Segment, Space, Stage
from tinyc.ir.rows.lives import lives
from tinyc.passes.stream.pace import Read, Wiring, same_rows


@dataclass(frozen=True)
class Ring:
    """A memory that can be a ring with a row less: who writes it, and the readers that find its newest row elsewhere,
    each with the place of that row in its window."""

    name: str
    writer: int
    readers: tuple[tuple[Read, int], ...]

    @property
    def last(self) -> int:
        """The last stage that needs the newest row where it arrives."""
        return max(read.stage for read, _ in self.readers)


def ring_of(wiring: Wiring, name: str, first: int, paces: Sequence[Pace], reverse: bool) -> Ring | None:
    """A memory that a segment alone touches and needs only some rows of, as such a ring; None where it is none.

    Args:
        wiring: of the program, all stages of the segment by rows.
        name: of the buffer that owns the memory.
        first: number of the segment's first stage.
        paces: of its stages.
        reverse: whether it runs from the last row to the first.
    """
    program = wiring.program
    writer, reads = wiring.writers.get(name, -1), wiring.readers.get(name, [])
    if writer not in range(first, first + len(paces)) or name in wiring.shared:
        return None
    if not reads or not all(same_rows(program, read.name, name) for read in reads):
        return None
    if not all(read.window is not None and read.window.is_even for read in reads):
        return None
    found = []
    for read in reads:
        assert read.window is not None
        pace, own = paces[read.stage - first], paces[writer - first]
        newest = _newest(program, writer, read, reverse)
        if pace.delay == own.delay + newest * own.period:
            found.append((read, 0 if reverse else read.window.size - 1))
    # A row is read as what arrived, not as a view of that.
    if any(program.buffer[read.name].value.type != program.buffer[name].value.type for read, _ in found):
        return None
    wide = any(read.window is not None and read.window.size > 1 for read, _ in found)
    return Ring(name, writer, tuple(found)) if wide else None


def _newest(program: RowProgram, writer: int, read: Read, reverse: bool) -> int:
    """The number, in the order of the segment, of the newest row that the first row of a reader reads."""
    window, rows = read.window, program.stages[read.stage].rows
    assert window is not None
    if not reverse:
        return (window.size - 1) * window.dilation - window.pad
    return program.stages[writer].rows - 1 - ((rows - 1) * window.stride - window.pad)


def held_back(program: RowProgram, segment: Segment, rings: Sequence[Ring]) -> RowProgram:
    """The program with these memories as rings with a row less, and stages in its segment that move rows.

    Args:
        program: with its segments; stages of this one by rows.
        segment: one of them.
        rings: of memories of this segment, by its present stage numbers.
    """
    names = {b.name for b in program.buffers}
    rows: dict[str, Value] = {}
    for ring in rings:
        value = program.buffer[ring.name].value
        rows[ring.name] = Value(unused(f"{ring.name}_row", names), value.type)
        names.add(rows[ring.name].name)
    stages: list[Stage] = []
    paces: list[Pace] = []
    for number, pace in zip(segment.stages, segment.paces, strict=True):
        stages.append(_changed(program.stages[number], number, rings, rows))
        paces.append(pace)
        for ring in (r for r in rings if r.last == number):
            value = program.buffer[ring.name].value
            stages.append(Stage(value, Copy(rows[ring.name]), (Window(),)))
            paces.append(segment.paces[ring.writer - segment.first])
    more = len(stages) - len(segment.paces)
    order = []
    for other in program.order:
        if other is segment:
            order.append(dataclasses.replace(segment, paces=tuple(paces)))
        else:
            first = other.first + (more if other.first > segment.first else 0)
            order.append(dataclasses.replace(other, first=first))
    before, after = program.stages[: segment.first], program.stages[segment.stages.stop :]
    buffers = tuple(_buffers(program, rows))
    made = dataclasses.replace(
        program, stages=(*before, *stages, *after), buffers=buffers, segments=tuple(order), plan=None
    )
    return _with_rings(made, [*rows, *(v.name for v in rows.values()), *_followers(program, rows)])


def _changed(stage: Stage, number: int, rings: Sequence[Ring], rows: dict[str, Value]) -> Stage:
    """A stage that writes where its row arrives, and reads the newest rows of its windows there."""
    fresh = list(stage.fresh)
    for ring in rings:
        if ring.writer == number:
            stage = dataclasses.replace(stage, result=rows[ring.name])
        for read, place in ring.readers:
            if read.stage == number:
                operands = [k for k, v in enumerate(stage.op.operands) if v.name == read.name]
                fresh += [Fresh(k, place, rows[ring.name]) for k in operands if stage.windows[k] == read.window]
    return dataclasses.replace(stage, fresh=tuple(dict.fromkeys(fresh)))


def _followers(program: RowProgram, rows: dict[str, Value]) -> list[str]:
    """The buffers whose rows lay over dead ones of these rings."""
    views = {b.name: b.view for b in program.buffers if b.view is not None and b.view.follows is not None}
    return [name for name, view in views.items() if program.root(view.base)[0].name in rows]


def _buffers(program: RowProgram, rows: dict[str, Value]) -> Iterator[Buffer]:
    apart = _followers(program, rows)
    for buffer in program.buffers:
        yield dataclasses.replace(buffer, view=None) if buffer.name in apart else buffer
        if buffer.name in rows:
            yield Buffer(rows[buffer.name], Space.ARENA)


def _with_rings(program: RowProgram, names: Sequence[str]) -> RowProgram:
    """The program with these memories as the least rings that do."""

    def sized(sizes: dict[str, int]) -> RowProgram:
        buffers = (dataclasses.replace(b, ring=sizes.get(b.name, b.ring)) for b in program.buffers)
        return dataclasses.replace(program, buffers=tuple(buffers))

    found = lives(sized({name: program.buffer[name].rows for name in names}))
    least = {name: found[name].ring() for name in names}
    return sized({name: size if size < program.buffer[name].rows else 0 for name, size in least.items()})
