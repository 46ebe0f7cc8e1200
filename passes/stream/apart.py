"""Results that lie over an operand, where they would have to wait for that."""

from __future__ import annotations

import dataclasses

from tinyc.ir.op import Window
from tinyc.ir.rows import RowProgram
from tinyc.passes.stream.pace import Pacing, Wiring


def apart(program: RowProgram) -> RowProgram:
    """The program in which a result has a memory of its own, if over its operand each of its rows came later: what else
    reads that operand may need its row for long. The same program where no result is late.

    A sum with the operand of a causal convolution is such a result: the convolution looks back at the rows over which
    the sum would lie, and in a ring of all that is not summed up yet there are more rows than in two.
    """
    for number, stage in enumerate(program.stages):
        buffer, reads = program.buffer[stage.result.name], {v.name for v in stage.op.operands}
        if buffer.view is None or buffer.view.base not in reads or not _looked_back_at(program, number):
            continue
        own = dataclasses.replace(buffer, view=None)
        freed = dataclasses.replace(program, buffers=tuple(own if b is buffer else b for b in program.buffers))
        first = _maker(program, buffer.view.base)
        over, beside = _delay(program, first, number), _delay(freed, first, number)
        if over is not None and beside is not None and beside < over:
            program = freed
    return program


def _looked_back_at(program: RowProgram, number: int) -> bool:
    """Whether a stage writes over rows that another one reads together with their neighbours."""
    return any(read.window not in (None, Window()) for read in Wiring(program).overwritten(0, number))


def _maker(program: RowProgram, name: str) -> int:
    """The stage that computes a buffer; the first of all where none does."""
    made = {stage.result.name: number for number, stage in enumerate(program.stages)}
    while name not in made and (view := program.buffer[name].view) is not None:
        name = view.base
    return made.get(name, 0)


def _delay(program: RowProgram, first: int, number: int) -> int | None:
    """The delay of a stage in the segment from another one to it; None where they do not advance together."""
    pacing = Pacing(Wiring(program), first)
    for _ in range(first, number + 1):
        pacing.grow()
    paces = pacing.paces()
    return None if paces is None else paces[-1].delay
