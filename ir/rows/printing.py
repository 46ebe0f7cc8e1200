"""The lines that show a row program's parts. For reading; they are not parsed."""

from __future__ import annotations

from tinyc.ir.rows.parts import Buffer, Plan, Space, Stage
from tinyc.ir.spelling import format_op, quoted, string


def format_buffer(buffer: Buffer, plan: Plan | None) -> str:
    """One line on a buffer: where it lies, its type, and its place in the plan."""
    place = ""
    if buffer.view is not None:
        place = f" in {quoted('%', buffer.view.base)} at {buffer.view.offset}"
        if buffer.view.follows is not None:
            stride, pad = buffer.view.follows
            place = f" in {quoted('%', buffer.view.base)}, row r in row {stride} r - {pad}"
        if buffer.view.repeats > 1:
            place = f" in {quoted('%', buffer.view.base)}, each row {buffer.view.repeats} times"
    elif plan is not None and buffer.space is Space.ARENA and buffer.bytes:
        slot = plan.by_buffer[buffer.name]
        external = " of external memory" if slot.external else ""
        place = f" at {slot.offset}{external}, {slot.bytes} bytes, stages {slot.first} to {slot.last}"
    rows = f", {buffer.rows} rows" if buffer.rows > 1 else ""
    rows += f" in a ring of {buffer.ring}" if buffer.ring else ""
    return f"{buffer.space.value} {quoted('%', buffer.name)}: {buffer.value.type}{rows}{place}"


def format_stage(stage: Stage) -> str:
    """One line on a stage: its operator, how many rows at a time, and which rows of its operands it reads."""
    reads = []
    for value, window in zip(stage.op.operands, stage.windows, strict=False):
        if window is not None and not window.is_pointwise:
            pad = f" pad {window.pad} ({window.mode.value})" if window.pad or window.mode.inside else ""
            spread = f" dilation {window.dilation}" if window.dilation != 1 else ""
            rate = f"{window.stride}/{window.times}" if window.times > 1 else f"{window.stride}"
            reads.append(f"{quoted('%', value.name)} by {window.size} rows, stride {rate}{spread}{pad}")
    for fresh in stage.fresh:
        operand = quoted("%", stage.op.operands[fresh.operand].name)
        reads.append(f"row {fresh.place} of {operand} from {quoted('%', fresh.value.name)}")
    how = "whole" if not stage.windows else f"{stage.rows} rows, {stage.band} at a time"
    how += ", gathered" if stage.gathers else ""
    how += f", over its operand by {stage.aside} pixels" if stage.aside else ""
    how += f", on {stage.split} cores" if stage.split > 1 else ""
    how += f", by {stage.kernel.library}" if stage.kernel.library else ""
    how += f", scratch {quoted('%', stage.kernel.scratch.name)}" if stage.kernel.scratch is not None else ""
    loc = f" loc({string(stage.loc)})" if stage.loc else ""
    return f"{quoted('%', stage.result.name)} = {format_op(stage.op)} [{'; '.join([how, *reads])}]{loc}"
