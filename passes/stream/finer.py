"""Parts of rows, where a layer that looks at no neighbours is read by one that gathers what it computes."""

from __future__ import annotations

import dataclasses

from tinyc.ir.errors import TinycError
from tinyc.ir.op import Op, Value, Window, unused
from tinyc.ir.rows import Buffer, RowProgram, Space, View
from tinyc.ir.types import TensorType
from tinyc.passes.stream.piece import TILE

LEAST = 2 * TILE
"""Pixels of a part of a row at least: of fewer, calls take more instructions than what they compute together saves."""


def finer(program: RowProgram) -> RowProgram:
    """The program in which what a pointwise layer hands over to a mean, or another reduction of all pixels, are parts
    of rows: the map between them needs no whole row then. The same program where there is no such layer.

    Neither knows where a row ends: a map of H rows of W pixels is as good as one of H * n rows of W / n pixels.
    """
    writers = {stage.result.name: number for number, stage in enumerate(program.stages)}
    for number, stage in enumerate(program.stages):
        if not stage.op.operands or stage.op.gathered() is None:
            continue
        maker = writers.get(stage.op.operands[0].name)
        if maker is not None and _alone(program, maker, number):
            program = _parted(program, maker, number) or program
    return program


def _alone(program: RowProgram, maker: int, reader: int) -> bool:
    """Whether what a pointwise layer computes lies in memory of its own, which one other stage alone reads."""
    stage = program.stages[maker]
    buffer = program.buffer[stage.result.name]
    windows = [w for w in stage.windows if w is not None]
    whole = stage.band > 1 and stage.band == stage.rows and set(windows) == {Window()}
    own = buffer.space is Space.ARENA and buffer.view is None and buffer.value not in program.outputs
    shown = any(b.view is not None and b.view.base == buffer.name for b in program.buffers)
    touching = [k for k, s in enumerate(program.stages) if stage.result in s.touched]
    return whole and own and not shown and touching == [maker, reader]


def _parted(program: RowProgram, maker: int, reader: int) -> RowProgram | None:
    """The program in which a stage computes parts of rows for another one; None where they cannot be divided, or where
    the two do not compute the same so."""
    stage, gathering = program.stages[maker], program.stages[reader]
    result = _in_parts(stage.result.type)
    if result is None:
        return None
    names = {b.name for b in program.buffers}

    def part(value: Value, kind: TensorType) -> Value:
        name = unused(f"{value.name}_parts", names)
        names.add(name)
        return Value(name, kind)

    views: list[Buffer] = []
    operands = list(stage.op.operands)
    for position, (operand, window) in enumerate(zip(operands, stage.windows, strict=True)):
        if window is not None:
            kind = _in_parts(operand.type)
            if kind is None or kind.shape[:3] != result.shape[:3]:
                return None
            operands[position] = part(operand, kind)
            views.append(Buffer(operands[position], program.buffer[operand.name].space, view=View(operand.name)))
    value = part(stage.result, result)
    pointwise = _with(stage.op, operands)
    reduction = _with(gathering.op, [value, *gathering.op.operands[1:]])
    if pointwise is None or pointwise.type != result or reduction is None or reduction.type != gathering.op.type:
        return None
    if reduction.gathered() != gathering.op.gathered():
        return None
    stages = list(program.stages)
    stages[maker] = dataclasses.replace(stage, op=pointwise, result=value, band=result.shape[1])
    stages[reader] = dataclasses.replace(gathering, op=reduction)
    buffers = [dataclasses.replace(b, value=value) if b.name == stage.result.name else b for b in program.buffers]
    return dataclasses.replace(program, stages=tuple(stages), buffers=(*buffers, *views))


def _with(op: Op, operands: list[Value]) -> Op | None:
    try:
        return op.with_operands(operands)
    except TinycError:
        return None


def _in_parts(image: TensorType) -> TensorType | None:
    """The type with the most rows of the same pixels that have enough of them each; None for that of no image."""
    if not image.has_rows or image.rank != 4:
        return None
    _, height, width, channels = image.shape
    for pixels in range(LEAST, width // 2 + 1, TILE):
        if width % pixels == 0:
            return TensorType((1, height * (width // pixels), pixels, channels), image.dtype)
    return None
