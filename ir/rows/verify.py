"""What every row program must satisfy."""

from __future__ import annotations

from tinyc.ir.errors import IRError
from tinyc.ir.rows.endless import verify_endless
from tinyc.ir.rows.parts import Buffer, Segment, Space, Stage, View, row_count
from tinyc.ir.rows.program import RowProgram


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
    home = {number: segment for segment in program.order for number in segment.stages}
    made: set[str] = set()
    for number, stage in enumerate(program.stages):
        # Rows of a ring are moved there after they were fresh: whether in time, the replay says.
        moved = {program.stages[k].result for k in home[number].stages} if stage.fresh and number in home else set()
        _verify_stage(program, stage, written | {program.root(v.name)[0].name for v in moved})
        made.add(program.root(stage.result.name)[0].name)
        written.add(program.root(stage.result.name)[0].name)
    for value in program.outputs:
        if value.name not in program.buffer:
            raise IRError("has no buffer", f"output {value}")
        outside = program.buffer[value.name].space in (Space.OUTPUT, Space.ROWS)
        if not outside or program.root(value.name)[0].name not in made:
            raise IRError("is not an output that a stage wrote", f"output {value}")
    _verify_segments(program)
    verify_endless(program)
    if program.plan is not None:
        for slot in program.plan.slots:
            if slot.buffer not in program.buffer:
                raise IRError("is of a buffer that does not exist", f"slot of %{slot.buffer}")
            if slot.offset < 0 or slot.offset + slot.bytes > program.plan.room(slot.external):
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
    elif buffer.view.repeats > 1:
        fits = (buffer.rows, buffer.row_bytes) == (base.rows * buffer.view.repeats, base.row_bytes)
    else:
        # Where a ring keeps only some of them, what counts is which rows stages take.
        fits = offset >= 0 and offset + buffer.bytes <= root.value.type.bytes
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
    _verify_rows(program, stage)
    _verify_over(program, stage)
    if stage.result.type != stage.op.type:
        raise IRError(f"writes {stage.op.type} to {stage.result}, which is {stage.result.type}", stage.where)
    scratch = program.buffer.get(stage.kernel.scratch.name) if stage.kernel.scratch is not None else None
    if stage.kernel.scratch is not None and (scratch is None or scratch.space is not Space.ARENA or scratch.view):
        raise IRError(f"has scratch memory {stage.kernel.scratch} that is no buffer of the arena", stage.where)
    if scratch is not None and scratch.ring and (scratch.ring, scratch.rows) != (1, stage.applications):
        raise IRError(
            f"has scratch memory {scratch.value}, whose rows are not its applications, one at a time", stage.where
        )
    target = program.root(stage.result.name)[0]
    if target.space is Space.ROWS:
        if not program.gives_rows(stage) or program.takes_rows(stage) or stage.result not in program.outputs:
            raise IRError(f"writes {stage.result}, whose rows lie nowhere", stage.where)
    elif target.space not in (Space.ARENA, Space.OUTPUT):
        raise IRError(f"writes {stage.result}, which lies in {target.space.value} memory", stage.where)


def _verify_rows(program: RowProgram, stage: Stage) -> None:
    """That the rows which a stage takes are those of its operator, and lie where it takes them."""
    if stage.problem:
        raise IRError(stage.problem, stage.where)
    for value, window in zip(stage.op.operands, stage.windows or [None] * len(stage.op.operands), strict=True):
        if program.repeats(value.name) > 1 and (window is None or stage.band > 1):
            raise IRError(f"takes {value} whole, each of whose rows is kept once", stage.where)
    for fresh in stage.fresh:
        source = program.buffer.get(fresh.value.name)
        window = stage.windows[fresh.operand] if stage.windows else None
        if window is None or not fresh.place < window.size or source is None or source.value != fresh.value:
            raise IRError(f"reads rows of {fresh.value}, which has no buffer or no place in a window", stage.where)
        read = program.buffer[stage.op.operands[fresh.operand].name]
        # Under whatever shape: a signal is read as an image.
        alike = (source.rows, source.row_bytes, source.value.dtype) == (read.rows, read.row_bytes, read.value.dtype)
        if not alike or stage.band != 1:
            raise IRError(f"reads rows of {fresh.value}, which are not those of its operand", stage.where)
    held = stage.op.gathered() if stage.gathers else None
    if held is not None and program.buffer[stage.result.name].bytes < held.bytes:
        raise IRError(f"gathers {held} in the memory of {stage.result}, which is too small", stage.where)


def _verify_over(program: RowProgram, stage: Stage) -> None:
    """That rows lie over those of an operand only where they can be computed there."""
    view = program.buffer[stage.result.name].view
    over = view is not None and view.follows is not None and view.base in {v.name for v in stage.op.operands}
    if over and not (stage.aside or stage.op.may_overwrite_row()):
        raise IRError("writes over rows that it reads, which its operator cannot", stage.where)
    if not stage.aside:
        return
    if not stage.op.pixels_aside() or not stage.windows or stage.kernel.library or stage.band != 1:
        raise IRError("copies pixels aside, which its kernel cannot", stage.where)
    operand = stage.op.operands[0]
    if not 0 < stage.aside < stage.result.shape[2] or stage.result.shape[2] != operand.shape[2]:
        raise IRError(f"copies {stage.aside} pixels aside, which are no part of its rows", stage.where)
    if view is None or view != View(operand.name, follows=(1, 0)):
        raise IRError(f"copies pixels aside, and does not write over {operand}", stage.where)


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
                whole = stage.windows[position - 1] is None if position and stage.windows else stage.gathers
                if not by_rows or whole:
                    raise IRError(f"takes {value} whole, of which only some rows are kept", stage.where)
                if not program.rolls(value.name):
                    raise IRError(f"takes rows of {value} that do not lie in one piece in a ring", stage.where)
    for name, segments in homes.items():
        if len(segments) > 1:
            raise IRError("is a ring that outlives its segment", f"buffer %{name}")
    for segment in program.order:
        for number in segment.stages:
            _verify_run(program, program.stages[number], segment)


def _verify_run(program: RowProgram, stage: Stage, segment: Segment) -> None:
    """That a stage can run as its segment does."""
    if segment.reverse and (program.takes_rows(stage) or program.gives_rows(stage)):
        raise IRError("has rows that come or go from the first to the last, and runs in reverse", stage.where)
    if stage.carries and (segment.reverse or stage.band != 1 or stage.kernel.scratch is None):
        raise IRError("carries something from row to row, and has no memory for it, or not row after row", stage.where)
    if stage.split != 1:
        _verify_split(program, stage, segment)


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
    if program.gives_rows(stage):
        return "its rows go outside one after the other"
    target, start = program.root(stage.result.name)
    size = stage.result.type.bytes
    if stage.gathers:
        return "its rows are gathered one after the other"
    if stage.carries:
        return "each of its rows takes what the one before it left"
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
