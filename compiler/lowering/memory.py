"""The memory plan as people read it, and what is said when a budget is too small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tinyc.compiler.options import Options
from tinyc.ir.errors import TinycError
from tinyc.ir.rows import RowProgram, Slot
from tinyc.ir.rows.lives import lives, stage_times


def buffer_table(program: RowProgram) -> list[dict[str, Any]]:
    """Each buffer of the arena: name, type, offset, size, rows that are kept of how many, the first and last layer that
    touches it (-1: an input, there from the start)."""
    if program.plan is None:
        return []
    found = []
    for slot in sorted(program.plan.slots, key=lambda s: (s.first, s.offset)):
        buffer = program.buffer[slot.buffer]
        first, last = sorted((slot.first, slot.last))
        found.append(
            {
                "name": slot.buffer,
                "type": str(buffer.value.type),
                "memory": "psram" if slot.external else "internal",
                "offset": slot.offset,
                "bytes": slot.bytes,
                "rows": buffer.rows,
                "rows_kept": buffer.ring or buffer.rows,
                "first_layer": first,
                "last_layer": last,
            }
        )
    return found


def segment_table(program: RowProgram) -> list[dict[str, Any]]:
    """The layers that advance together, first and last, and whether from the last row to the first."""
    return [
        {"first": segment.first, "last": segment.stages[-1], "reverse": segment.reverse}
        for segment in program.order
        if segment.streams
    ]


def busiest(program: RowProgram) -> tuple[int, list[Slot]]:
    """The layer during which most bytes of the arena are alive, and the buffers that are alive then, largest first."""
    plan = program.plan
    if plan is None or not plan.slots:
        return -1, []
    found = lives(program)
    times = stage_times(program)
    most, at, time = -1, -1, 0
    for number, when in times.items():
        for moment in (int(when[0]), int(when[len(when) // 2]), int(when[-1])):
            total = sum(_alive(life, moment) for life in found.values())
            if total > most:
                most, at, time = total, number, moment
    alive = [s for s in plan.slots if s.buffer in found and _alive(found[s.buffer], time)]
    return at, sorted(alive, key=lambda s: -s.bytes)


def _alive(life: Any, moment: int) -> int:
    """Bytes of a memory that are alive at a time."""
    rectangles = life.rectangles()
    inside = (rectangles[:, 2] <= moment) & (moment <= rectangles[:, 3])
    return int((rectangles[:, 1] - rectangles[:, 0])[inside].sum())


def quantising_helps(program: RowProgram, quantised: bool) -> bool:
    """Whether memory holds floats that quantisation would make integers. Those of a network that is `quantised` were
    asked for, as an input of that type, or have to stay."""
    return not quantised and any(b.value.dtype.is_float for b in program.buffers if b.data is None)


def check_budget(
    program: RowProgram, options: Options, quantised: bool, tried: Callable[[], Sequence[str]] = tuple
) -> None:
    """Raises `TinycError` when the arena is larger than the budget: by how much, which layers are the peak, and what
    would help of what was `tried`; for `quantised`, see `quantising_helps`."""
    size = program.plan.bytes if program.plan else 0
    room = options.ram_bytes
    if room is None or size <= room:
        return
    layer, alive = busiest(program)
    where = program.stages[layer].where
    held = ", ".join(f"{s.buffer} {s.bytes:,}" for s in alive[:4])
    helps = list(tried())
    if quantising_helps(program, quantised) and size // 4 <= room:
        helps.append(f"`quantise=QuantiseOptions(...)` (about {size // 4:,} bytes: not tried)")
    raise TinycError(
        f"the smallest arena is {size:,} bytes, {size - room:,} more than `ram` allows ({room:,}). "
        f"Most is needed in {where} ({held} bytes). "
        + (f"What would help: {'; '.join(helps)}." if helps else "Only a smaller network or image would help.")
    )
