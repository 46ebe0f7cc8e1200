"""One step of a row program, computed on the bytes of its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tinyc.backends.interpreter.memory import Memory
from tinyc.ir import loops
from tinyc.ir.op import Op, RowMode, Value
from tinyc.ir.rows import RowProgram, Stage, Step
from tinyc.ir.tensor import Array


def kernel_of(stage: Stage, rows: int, valid: int) -> Op:
    """The operator that computes `rows` rows from `valid` rows inside the operand."""
    return stage.op.row_op(rows, valid) if stage.windows else stage.op


def apply_step(
    program: RowProgram,
    stage: Stage,
    step: Step,
    memory: Memory,
    kernel: Callable[[Stage, int, int], Op],
    in_steps: bool,
) -> Array:
    """Computes a step into the memory; the result, as an array of its own."""
    if stage.gathers:
        return _gather(program, stage, step, memory, program.fused if in_steps else None)
    if stage.windows:
        targets = memory.rows(stage.result.name, range(step.row, step.row + step.rows))
    else:
        targets = [memory.array(stage.result.name)]
    if not program.overwrites(stage):
        for target in targets:
            raw = target.reshape(-1).view(np.uint8)
            np.invert(raw, out=raw)
    if not stage.carries:
        memory.scribble(stage.kernel.scratch)
    operands, valid = _operands(stage, step, memory)
    if stage.carries:
        result = stage.op.advance(memory.scratch(stage.kernel.scratch), operands, step.row == 0)
    else:
        result = _computed(kernel(stage, step.rows, valid), operands, program.fused if in_steps else None)
    if not stage.windows:
        targets[0][...] = result.reshape(targets[0].shape)
    else:
        result = result.reshape(1, step.rows, *stage.result.shape[2:])
        for k, target in enumerate(targets):
            target[...] = result[:, k : k + 1]
    if not stage.carries:
        memory.scribble(stage.kernel.scratch)
    return result


def _operands(stage: Stage, step: Step, memory: Memory) -> tuple[list[Array], int]:
    """The operands of a step, and how many rows of the last that is taken by rows are there."""
    operands: list[Array] = []
    valid = 0
    for number, value in enumerate(stage.op.operands):
        window = stage.windows[number] if stage.windows else None
        if window is None:
            operands.append(memory.array(value.name))
        elif stage.band > 1:
            operands.append(memory.array(value.name)[:, step.row : step.row + step.rows])
        else:
            rows = stage.input_rows(number, step.row)
            assert rows is not None
            valid = len(rows)
            fresh = stage.fresh_row(number, step.row)
            operands.append(_window(memory, value, rows, stage.op.row_fill(), window.mode, fresh))
    return operands, valid


def _gather(program: RowProgram, stage: Stage, step: Step, memory: Memory, fused: bool | None) -> Array:
    """Takes one more row into the memory of the result; what is there then, which after the last row is the result."""
    reverse = next(s.reverse for s in program.order if step.stage in s.stages)
    first, last = (0, stage.rows - 1) if not reverse else (stage.rows - 1, 0)
    type = stage.op.gathered()
    assert type is not None
    held = memory.held(stage.result.name, type)
    value, there = stage.fresh_row(0, step.row) or (stage.op.operands[0], step.row)
    operands = [*memory.rows(value.name, [there])]
    operands += [memory.array(v.name) for v in stage.op.operands[1:]]
    result = stage.op.gather(held.copy(), operands, step.row, step.row == first, step.row == last, fused)
    if step.row != last:
        held[...] = result
        return result
    target = memory.array(stage.result.name)
    target[...] = result.reshape(target.shape)
    return target.copy()


def _computed(op: Op, operands: Sequence[Array], fused: bool | None) -> Array:
    """What an operator makes of its operands, by its loops if it has some; `fused` as for `loops.run`."""
    nests = op.loops()
    if nests is None:
        return op.run(operands) if fused is None else op.run_in_steps(operands, fused)
    flat = [np.ascontiguousarray(a).reshape(-1) for a in operands]
    result = np.empty(op.type.size, op.type.dtype.numpy)
    for nest in nests:
        loops.run(nest, flat, result, fused)
    return result


def _window(
    memory: Memory,
    value: Value,
    rows: Sequence[int | None],
    fill: float | None,
    mode: RowMode,
    fresh: tuple[Value, int] | None,
) -> Array:
    """The rows stacked as an operand of their own; rows outside are filled, or absent already when the window clips.
    A fresh one lies in another buffer."""
    present = memory.rows(value.name, [r for r in rows if r is not None])
    if fresh is not None:
        present[[r for r in rows if r is not None].index(fresh[1])] = memory.rows(fresh[0].name, [fresh[1]])[0].reshape(
            1, 1, *value.shape[2:]
        )
    if mode is RowMode.CLIP or None not in rows:
        if not present:
            return np.empty((1, 0, *value.shape[2:]), value.dtype.numpy)
        return np.concatenate(present, axis=1)
    assert fill is not None
    padded: Array = np.full((1, len(rows), *value.shape[2:]), fill, value.dtype.numpy)
    for k, row in enumerate(rows):
        if row is not None:
            padded[:, k : k + 1] = present.pop(0)
    return padded
