"""Rows that are computed over those of an operand that die with them.

The last to read a row may write its own there: a depthwise layer over the first row of its window, a pointwise layer
over the row that it reads, of which it copies some pixels aside at a time. Then all that passes between the layers of a
segment of such ones lies in one ring: a row that comes in is the row that each layer after the other computes in its
place, until nobody needs that any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tinyc.ir.rows import RowProgram, Stage, View
from tinyc.passes.stream.pace import Wiring, same_rows


@dataclass(frozen=True)
class Over:
    """The rows of a memory may lie over those of another one, the `home`, as the view says: over dead ones, or, with
    some pixels `aside`, over those that are read for them. Those that take all places, and all of each, are `full`."""

    name: str
    home: str
    view: View
    aside: bool = False
    full: bool = True


def over_its_operand(wiring: Wiring, number: int, reverse: bool) -> Over | None:
    """How the rows of a stage's result may lie over those of its first operand; None where they cannot: where something
    else reads or writes these. They can where the segment needs only some rows of both.

    Args:
        wiring: of a program, its stages by rows.
        number: of the stage.
        reverse: whether its segment runs from the last row to the first.
    """
    program, stage = wiring.program, wiring.program.stages[number]
    window = stage.windows[0] if stage.windows else None
    aside = stage.op.pixels_aside() > 0
    if window is None or not window.is_even or not (aside or stage.op.may_overwrite_row()):
        return None
    operand = program.buffer[stage.op.operands[0].name]
    home = program.root(operand.name)[0].name
    target = program.buffer[stage.result.name]
    if target.view is not None or target.row_bytes > operand.row_bytes or home in wiring.shared:
        return None
    if not same_rows(program, operand.name, home):
        return None
    if any(read.stage != number for read in wiring.readers.get(home, ())):
        return None
    if aside:
        fits = target.row_bytes == operand.row_bytes
        return Over(stage.result.name, home, View(operand.name, follows=(1, 0)), aside) if fits else None
    if not all(
        read.window is None or (read.window.is_pointwise and _in_rows(program, read.name, target.name))
        for read in wiring.readers.get(target.name, ())
    ):
        return None
    ahead = (window.size - 1) * window.dilation if reverse else 0
    view = View(operand.name, follows=(window.stride, window.pad - ahead))
    return Over(stage.result.name, home, view, full=window.stride == 1 and target.row_bytes == operand.row_bytes)


def _in_rows(program: RowProgram, part: str, whole: str) -> bool:
    """Whether each row of a buffer is one of another, or an equal part of it."""
    a, b = program.buffer[part], program.buffer[whole]
    return program.root(part)[1] == program.root(whole)[1] and a.row_bytes > 0 and not b.row_bytes % a.row_bytes


def over_dead_rows(found: Sequence[Over], rolling: Collection[str]) -> dict[str, View]:
    """The memories whose rows lie over dead ones of others, by name: each over one that has a place of its own.
    `rolling` are those of which the segment needs only some rows."""
    follows: dict[str, View] = {}
    for over in found:
        if not over.aside and over.name in rolling and over.home in rolling and over.home not in follows:
            follows[over.name] = over.view
    return follows


def one_through_another(found: Sequence[Over], rolling: Collection[str]) -> dict[str, View]:
    """The same for all that can, one after the other in the places of the first; empty where no row is computed over
    the one that is read for it. Behind rows that leave places or parts of them idle, others begin anew."""
    follows: dict[str, View] = {}
    idle: set[str] = set()
    aside = False
    for over in found:
        if over.name in rolling and over.home in rolling and over.home not in idle:
            follows[over.name] = over.view
            aside |= over.aside
            if not over.full:
                idle.add(over.name)
    return follows if aside else {}


def set_aside(stage: Stage, follows: Collection[str]) -> int:
    """How many pixels a stage copies aside at a time, where these memories lie over others; 0 for one that need not."""
    return stage.op.pixels_aside() if stage.result.name in follows else 0
