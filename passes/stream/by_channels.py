"""Some channels at a time, for layers whose result is reduced over all pixels."""

from __future__ import annotations

import dataclasses

import numpy as np

from tinyc.ir.op import Op, Value, unused
from tinyc.ir.ops import Concat
from tinyc.ir.rows import Buffer, Kernel, RowProgram, Space, Stage
from tinyc.ir.tensor import Tensor
from tinyc.passes.stream.finer import refitted
from tinyc.passes.stream.piece import TILE

MOST = 8
"""Parts of the channels of a layer: each takes a call more in the code, and goes over the operand once more."""


def by_channels(program: RowProgram) -> RowProgram:
    """The program in which a layer computes some of its channels for a mean, or another reduction of all pixels, and
    then the next ones: a row of a few channels is there at a time. The same program where there is no such layer.

    Where the operand is held as a whole, a row of the result may take more than all else that is needed. Pointwise
    layers have parts of rows for that (`finer`).
    """
    for number in range(1, len(program.stages)):
        if (found := _parted(program, number - 1)) is not None:
            return found
    return program


def _parted(program: RowProgram, number: int) -> RowProgram | None:
    """The program in which a stage and the one behind it, which reduces its result, go over channels in parts; None
    where they cannot."""
    stage, reader = program.stages[number : number + 2]
    channels = stage.result.shape[-1] if stage.result.shape else 0
    size = -(-channels // (MOST * TILE)) * TILE
    if not stage.op.channel_operands() or channels <= size or not _between(program, stage, reader):
        return None
    names = {b.name for b in program.buffers}
    buffers: list[Buffer] = []
    stages: list[Stage] = []
    for begin in range(0, channels, size):
        part = slice(begin, min(begin + size, channels))
        op = _of_channels(program, stage.op, part, names, buffers)
        made = None if op is None else _named(f"{stage.result.name}_channels_{begin}", op, names)
        reduction = None if made is None else refitted(reader.op, [made, *reader.op.operands[1:]])
        if op is None or made is None or reduction is None:
            return None
        if reduction.type.shape != (*reader.result.shape[:-1], part.stop - part.start):
            return None
        reduced = _named(f"{reader.result.name}_channels_{begin}", reduction, names)
        stages.append(dataclasses.replace(stage, op=op, result=made))
        stages.append(dataclasses.replace(reader, op=reduction, result=reduced))
        buffers += [Buffer(made, Space.ARENA), Buffer(reduced, Space.ARENA)]
    joined = Concat(tuple(s.result for s in stages[1::2]), reader.result.type.rank - 1)
    if joined.type != reader.result.type:
        return None
    stages.append(Stage(reader.result, joined, loc=reader.loc))
    after = (*program.stages[:number], *stages, *program.stages[number + 2 :])
    used = {v.name for s in after for v in s.touched}
    used |= {b.view.base for b in program.buffers if b.view is not None}
    kept = [b for b in program.buffers if b.name != stage.result.name and (b.data is None or b.name in used)]
    return dataclasses.replace(program, stages=after, buffers=(*kept, *buffers))


def _between(program: RowProgram, stage: Stage, reader: Stage) -> bool:
    """Whether a stage computes rows, in memory of its own, that the other one alone reads, one by one."""
    result, buffer = stage.result, program.buffer[stage.result.name]
    shown = any(b.view is not None and b.view.base == result.name for b in program.buffers)
    alone = [s for s in program.stages if result in s.touched] == [stage, reader] and not shown
    own = buffer.space is Space.ARENA and buffer.view is None and stage.kernel == reader.kernel == Kernel()
    gathers = reader.op.gathered() is not None and reader.op.operands[0] == result
    return alone and own and gathers and bool(stage.windows) and stage.band == 1


def _of_channels(program: RowProgram, op: Op, part: slice, names: set[str], buffers: list[Buffer]) -> Op | None:
    """A layer that computes some of the channels; None where what it needs for them is no constant."""
    operands = list(op.operands)
    for place, axis in op.channel_operands().items():
        data = program.buffer[operands[place].name].data
        if data is None:
            return None
        tensor = Tensor(np.moveaxis(np.moveaxis(data.array, axis, 0)[part], 0, axis))
        value = Value(unused(f"{operands[place].name}_channels_{part.start}", names), tensor.type)
        names.add(value.name)
        operands[place] = value
        buffers.append(Buffer(value, Space.CONSTANT, data=tensor))
    return refitted(op, operands)


def _named(name: str, op: Op, names: set[str]) -> Value:
    value = Value(unused(name, names), op.type)
    names.add(value.name)
    return value
