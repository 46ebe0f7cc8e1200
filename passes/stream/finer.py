"""Parts of rows, or several rows as one, for layers that look at no neighbours: these do not know where a row ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from tinyc.ir.errors import TinycError
from tinyc.ir.op import Op, Value, Window, unused
from tinyc.ir.rows import Buffer, RowProgram, Space, Stage, View
from tinyc.ir.types import TensorType
from tinyc.passes.stream.piece import TILE

LEAST = 2 * TILE
"""Pixels of a part of a row at least: of fewer, calls take more instructions than what they compute together saves."""
SHORT = 4 * TILE
"""Pixels of rows that are computed one at a time: of shorter ones several are, where memory allows it."""


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


def coarser(program: RowProgram) -> RowProgram:
    """The program in which pointwise layers of short rows compute several of them as one row. The same program where
    there is no such layer.

    They take fewer instructions so, and what they read and compute takes more memory than with a row at a time.
    """
    for number, stage in enumerate(program.stages):
        if stage.op.macs() and _pointwise(program, number):
            program = _in_long_rows(program, number) or program
    return program


def _pointwise(program: RowProgram, number: int) -> bool:
    """Whether a stage computes one long row of all pixels, in memory of its own."""
    stage = program.stages[number]
    buffer = program.buffer[stage.result.name]
    windows = [w for w in stage.windows if w is not None]
    whole = stage.band > 1 and stage.band == stage.rows and set(windows) == {Window()}
    return whole and buffer.space is Space.ARENA and buffer.view is None and buffer.value not in program.outputs


def _alone(program: RowProgram, maker: int, reader: int) -> bool:
    """Whether what a pointwise layer computes lies in memory of its own, which one other stage alone reads."""
    result = program.stages[maker].result
    shown = any(b.view is not None and b.view.base == result.name for b in program.buffers)
    touching = [k for k, s in enumerate(program.stages) if result in s.touched]
    return _pointwise(program, maker) and not shown and touching == [maker, reader]


def _parted(program: RowProgram, maker: int, reader: int) -> RowProgram | None:
    """The program in which a stage computes parts of rows for another one; None where they cannot be divided, or where
    the two do not compute the same so."""
    stage, gathering = program.stages[maker], program.stages[reader]
    parted = _seen(program, stage, _parts_of(stage.result), "parts")
    reduction = (
        refitted(gathering.op, [parted.stage.result, *gathering.op.operands[1:]]) if parted is not None else None
    )
    if parted is None or reduction is None or reduction.type != gathering.op.type:
        return None
    if reduction.gathered() != gathering.op.gathered():
        return None
    stages = list(program.stages)
    stages[maker], stages[reader] = parted.stage, dataclasses.replace(gathering, op=reduction)
    value = parted.stage.result
    buffers = [dataclasses.replace(b, value=value) if b.name == stage.result.name else b for b in program.buffers]
    return dataclasses.replace(program, stages=tuple(stages), buffers=(*buffers, *parted.views))


def _in_long_rows(program: RowProgram, number: int) -> RowProgram | None:
    """The program in which a stage computes several rows as one; None where their number is not divided."""
    stage = program.stages[number]
    found = _seen(program, stage, _long_rows_of(stage.result), "long_rows")
    if found is None:
        return None
    stages, value = list(program.stages), found.stage.result
    stages[number] = found.stage
    shown = View(value.name)
    buffers = [dataclasses.replace(b, view=shown) if b.name == stage.result.name else b for b in program.buffers]
    buffers += [Buffer(value, Space.ARENA), *found.views]
    return dataclasses.replace(program, stages=tuple(stages), buffers=tuple(buffers))


@dataclass(frozen=True)
class _Seen:
    """A stage that sees its pixels in other rows, and the buffers that show it its operands so."""

    stage: Stage
    views: tuple[Buffer, ...]


def _seen(program: RowProgram, stage: Stage, rows: int, kind: str) -> _Seen | None:
    """A pointwise stage that computes so many rows of the same pixels, 0 for none that it can; None where it does not
    compute the same so."""
    result = _in_rows(stage.result.type, rows)
    if result is None:
        return None
    names = {b.name for b in program.buffers}

    def seen(value: Value, type: TensorType) -> Value:
        name = unused(f"{value.name}_{kind}", names)
        names.add(name)
        return Value(name, type)

    views: list[Buffer] = []
    operands = list(stage.op.operands)
    for position, (operand, window) in enumerate(zip(operands, stage.windows, strict=True)):
        if window is not None:
            type = _in_rows(operand.type, rows)
            if type is None or type.shape[:3] != result.shape[:3]:
                return None
            operands[position] = seen(operand, type)
            views.append(Buffer(operands[position], program.buffer[operand.name].space, view=View(operand.name)))
    op = refitted(stage.op, operands)
    if op is None or op.type != result:
        return None
    return _Seen(dataclasses.replace(stage, op=op, result=seen(stage.result, result), band=rows), tuple(views))


def refitted(op: Op, operands: Sequence[Value]) -> Op | None:
    """The operator on other operands; None where they do not fit it."""
    try:
        return op.with_operands(operands)
    except TinycError:
        return None


def _in_rows(image: TensorType, rows: int) -> TensorType | None:
    """The type of an image with so many rows of the same pixels; None where there are no such."""
    if not image.has_rows or image.rank != 4 or not rows or image.shape[1] * image.shape[2] % rows:
        return None
    _, height, width, channels = image.shape
    return TensorType((1, rows, height * width // rows, channels), image.dtype)


def _parts_of(image: Value) -> int:
    """The most rows of the pixels of an image that are equal parts of its rows and have enough pixels each; else 0."""
    if image.type.rank != 4:
        return 0
    _, height, width, _ = image.shape
    parts = (width // pixels for pixels in range(LEAST, width // 2 + 1, TILE) if width % pixels == 0)
    return height * next(parts, 0)


def _long_rows_of(image: Value) -> int:
    """The most rows, fewer than an image has, that are several of its rows each and have enough pixels; else 0."""
    if image.type.rank != 4:
        return 0
    _, height, width, _ = image.shape
    several = (times for times in range(2, height) if height % times == 0 and times * width >= SHORT)
    return height // next(several, height + 1) if width < SHORT else 0
